"""What a backup says of one moment, and which of them are kept. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

import msgspec

from chorus.server.storage.backup.places import BackupError, Damaged

FORMAT = 1
MARKER = "chorus-backups.json"
SNAPSHOTS = "snapshots"
OBJECTS = "objects"
_ID = re.compile(r"\d{8}T\d{6}Z(-\d+)?")
_LINE = re.compile(r"([0-9a-f]{64}) ([0-9]+) (-?[0-9]+) (.+)", re.DOTALL)
LIST_BYTES = 4 << 20
"""Longer lists are cut."""


class Marker(msgspec.Struct):
    format: int = FORMAT


class FileList(msgspec.Struct):
    """Files of one folder: an object with a line for each (`line_of`). A folder of many has several
    lists."""

    folder: str
    files: int
    bytes: int
    sha256: str


class Snapshot(msgspec.Struct):
    format: int
    snapshot_id: str
    at: int
    """Of the database, ms since 1970 UTC: it holds what was acknowledged before, and nothing that
    began later."""
    version: str
    """Of the Chorus that made it."""
    schema: int
    database_bytes: int
    database_sha256: str
    parts: list[str]
    """The database in order: hashes of its parts."""
    lists: list[FileList]
    missing: list[str]
    """Files that were gone, or damaged, when their turn came."""
    keys: bool
    """Whether the keys of the vault and of sessions are among the files."""
    new_objects: int
    new_bytes: int
    """What it took beyond earlier backups, packed."""
    seconds: float
    unreadable: list[str] = msgspec.field(default_factory=list)
    """What was found damaged of the backups before it when this one was made."""

    @property
    def files(self) -> int:
        return sum(one.files for one in self.lists)

    @property
    def file_bytes(self) -> int:
        return sum(one.bytes for one in self.lists)


class Entry(msgspec.Struct, frozen=True):
    """One file: its path below the data folder, as it was."""

    sha256: str
    size: int
    mtime_ns: int
    path: str


def line_of(entry: Entry) -> str:
    return f"{entry.sha256} {entry.size} {entry.mtime_ns} {entry.path}\n"


def cut(found: Iterable[Entry], most: int = LIST_BYTES) -> Iterator[tuple[list[Entry], bytes]]:
    """Entries in lists of at most so many bytes, and each as it is written (`entries` reads it)."""
    kept: list[Entry] = []
    lines: list[bytes] = []
    size = 0
    for entry in found:
        line = line_of(entry).encode("utf-8")
        if kept and size + len(line) > most:
            yield kept, b"".join(lines)
            kept, lines, size = [], [], 0
        kept.append(entry)
        lines.append(line)
        size += len(line)
    if kept:
        yield kept, b"".join(lines)


def entries(data: bytes) -> Iterable[Entry]:
    """Raises `BackupError`: it may come from a place that others can write to."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Damaged("a list of files is damaged") from None
    # Not `splitlines`: a name may hold whatever else ends lines somewhere, such as U+2028.
    for line in text.removesuffix("\n").split("\n") if text else ():
        parts = _LINE.fullmatch(line)
        if parts is None:
            raise Damaged("a list of files is damaged")
        sha256, size, mtime_ns, path = parts.groups()
        names = path.split("/")
        if any(name in ("", ".", "..") for name in names) or "\0" in path:
            raise BackupError("a list of files leads out of its folder")
        yield Entry(sha256, int(size), int(mtime_ns), path)


def name_of(snapshot_id: str) -> str:
    """Raises `BackupError`."""
    if not _ID.fullmatch(snapshot_id):
        raise BackupError("a backup's name is like 20260131T120000Z")
    return f"{SNAPSHOTS}/{snapshot_id}.json"


def object_of(sha256: str, packed: bool = False) -> str:
    return f"{OBJECTS}/{sha256[:2]}/{sha256}{'.z' if packed else ''}"


def new_id(at_ms: int, taken: Sequence[str]) -> str:
    """By the second; of several in one second the newest has the highest number, whichever of them
    are gone. A clock that was set back takes no other's name."""
    stamp = datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
    same = [number for other, number in map(_order, taken) if other == stamp]
    return f"{stamp}-{max(same) + 1}" if same else stamp


def ids(names: Iterable[str]) -> list[str]:
    """Of the snapshots among these files, oldest first."""
    found = (name.rpartition("/")[2].removesuffix(".json") for name in names)
    return sorted((one for one in found if _ID.fullmatch(one)), key=_order)


def _order(snapshot_id: str) -> tuple[str, int]:
    stamp, _, number = snapshot_id.partition("-")
    return stamp, int(number or 1)


def chosen(known: Sequence[str], wanted: str | None, at_ms: int | None) -> str:
    """The snapshot `wanted`, or the newest that is not after `at_ms`, or the newest; `known`:
    oldest first. Raises `BackupError`."""
    if wanted is not None:
        if wanted not in known:
            raise BackupError(f"there is no backup {wanted}; there are: {', '.join(known)}")
        return wanted
    if at_ms is not None:
        stamp = datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
        known = [one for one in known if _order(one)[0] <= stamp]
    if not known:
        raise BackupError(
            "there is no backup" + ("" if at_ms is None else " of that time or before")
        )
    return known[-1]


def superfluous(known: Sequence[str], keep: int) -> list[str]:
    """Which go if the newest `keep` stay."""
    return list(known[:-keep]) if keep > 0 else []
