"""Make a backup, beside a running server or without one."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import BinaryIO

import msgspec

from chorus import __version__
from chorus.server.clock import now_ms
from chorus.server.formats.blobfiles import STAGING
from chorus.server.storage.backup.ahead import ahead
from chorus.server.storage.backup.places import BackupError, Damaged
from chorus.server.storage.backup.shelf import Shelf
from chorus.server.storage.backup.snapshots import (
    FORMAT,
    Entry,
    FileList,
    Snapshot,
    cut,
    name_of,
    new_id,
    object_of,
    superfluous,
)
from chorus.server.storage.locks import Busy, locked
from chorus.server.storage.remote import CHUNK
from chorus.server.storage.sqlite import connect

Progress = Callable[[str, int, int], None]
"""(what is being done, how far, of how much)."""

DATABASE = "chorus.sqlite"
KEYS = ("secret", "sources.key")
FOLDERS = (
    "blobs", "rounds", "exports", "drafts", "label-imports", "models/weights", "models/detectors",
)  # fmt: skip
"""What cannot be made or fetched again. Not here: features, exported networks, the cache."""
PART = 256 << 10
"""Bytes of the database that make one object: most votes change few of them."""
STEP_PAGES = 2048
WORKING = ".backing-up"
LOCK = ".backing-up.lock"
WHOLE = 64 << 20
"""A file of fewer bytes is read once: what is kept is what was hashed."""
TRIES = 3
"""How often a larger one may change between its hash and its copy."""


def make(data_dir: Path, shelf: Shelf, keep: int, keys: bool, progress: Progress) -> Snapshot:
    """A new snapshot; then older ones go, if `keep` (0: all) says so. Raises `BackupError`.

    The database is copied first, within one read transaction (https://sqlite.org/backup.html), so
    no vote waits for it; files are added while the server runs but never changed, so what the copy
    speaks of is there, unless a project is deleted at this very moment.
    """
    if not (data_dir / DATABASE).exists():
        raise BackupError(f"there is no database in {data_dir}")
    with _alone(data_dir) as working:
        began = time.monotonic()
        shelf.check(make=True)
        shelf.look()
        known = shelf.snapshots()
        unreadable: list[str] = []
        before = _before(shelf, known, unreadable)
        at = now_ms()
        copy = working / DATABASE
        schema = copy_database(data_dir / DATABASE, copy, progress)
        parts, digest = _add_database(shelf, copy, progress)
        size = copy.stat().st_size
        copy.unlink()
        lists, missing = _add_files(shelf, data_dir, before, keys, unreadable, progress)
        shelf.place.flush()
        snapshot = Snapshot(
            FORMAT, new_id(at, known), at, __version__, schema, size, digest, parts, lists, missing,
            keys, shelf.new_objects, shelf.new_bytes, round(time.monotonic() - began, 2),
            unreadable,
        )  # fmt: skip
        # Last: a snapshot that is there is whole.
        shelf.place.put(name_of(snapshot.snapshot_id), msgspec.json.encode(snapshot))
        shelf.place.flush()
        unreadable += prune(shelf, [*known, snapshot.snapshot_id], keep)
    return snapshot


@contextlib.contextmanager
def _alone(data_dir: Path) -> Iterator[Path]:
    """A folder to work in. One backup of a data folder at a time: another one's cleaning up would
    take what this one counts on. Raises `BackupError`."""
    working = data_dir / WORKING
    try:
        with locked(data_dir / LOCK):
            shutil.rmtree(working, ignore_errors=True)  # of one that was killed
            working.mkdir()
            try:
                yield working
            finally:
                shutil.rmtree(working, ignore_errors=True)
    except Busy:
        raise BackupError("another backup of this folder is being made") from None


def copy_database(source: Path, target: Path, progress: Progress) -> int:
    """A copy of one moment, looked through; returns its schema. Raises `BackupError`."""
    needed = source.stat().st_size
    if shutil.disk_usage(target.parent).free < needed + (64 << 20):
        raise BackupError(
            f"the database is copied beside itself first, and there is no room for"
            f" {needed / 1e6:.0f} MB in {target.parent}"
        )
    try:
        with closing(connect(source, readonly=True)) as db, closing(sqlite3.connect(target)) as to:
            db.execute("BEGIN")
            db.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()  # this is the moment

            def show(_: int, left: int, total: int) -> None:
                progress("database", total - left, total)

            to.execute("PRAGMA synchronous=OFF")  # it is on its way to another place
            db.backup(to, pages=STEP_PAGES, progress=show, sleep=0)
            db.execute("ROLLBACK")
            (verdict,) = to.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise BackupError(f"the database is damaged: {verdict}")
            (schema,) = to.execute("PRAGMA user_version").fetchone()
            return int(schema)
    except (sqlite3.Error, OSError) as error:
        raise BackupError(f"the database cannot be copied: {error}") from error


def _add_database(shelf: Shelf, copy: Path, progress: Progress) -> tuple[list[str], str]:
    total, parts, digest = copy.stat().st_size, [], hashlib.sha256()

    def read() -> Iterator[bytes]:
        with copy.open("rb") as file:
            while data := file.read(PART):
                digest.update(data)
                yield data

    for _, sha256 in ahead(shelf.add_packed, read()):
        parts.append(sha256)
        progress("database, packed", min(len(parts) * PART, total), total)
    return parts, digest.hexdigest()


def _add_files(
    shelf: Shelf,
    data_dir: Path,
    before: Snapshot | None,
    keys: bool,
    unreadable: list[str],
    progress: Progress,
) -> tuple[list[FileList], list[str]]:
    old: defaultdict[str, list[FileList]] = defaultdict(list)
    for one in before.lists if before is not None else ():
        old[one.folder].append(one)
    lists: list[FileList] = []
    missing: list[str] = []
    groups = list(_groups(data_dir, keys))
    for done, (folder, names) in enumerate(groups):
        progress("files", done, len(groups))
        known = _known(shelf, old[folder], unreadable)
        for found, data in cut(_added(shelf, data_dir, known, names, missing)):
            size = sum(entry.size for entry in found)
            lists.append(FileList(folder, len(found), size, shelf.add_packed(data)))
    progress("files", len(groups), len(groups))
    return lists, missing


def _known(shelf: Shelf, lists: list[FileList], unreadable: list[str]) -> dict[str, Entry]:
    """What the last backup has of a folder, by path. A list that is damaged is as none, or it would
    end all backups to come: its files are read again."""
    known: dict[str, Entry] = {}
    for one in lists:
        try:
            known |= {entry.path: entry for entry in shelf.entries(one)}
        except Damaged as error:
            unreadable.append(f"files of {one.folder}: {error}")
            shelf.distrust(one)
    return known


def _added(
    shelf: Shelf, data_dir: Path, known: dict[str, Entry], names: list[str], missing: list[str]
) -> Iterator[Entry]:
    for name, entry in ahead(partial(_add_file, shelf, data_dir, known), names):
        if entry is None:
            missing.append(name)
        else:
            yield entry


def _groups(data_dir: Path, keys: bool) -> Iterator[tuple[str, list[str]]]:
    """(folder, its files): small ones, so that lists of what did not change are the same."""
    if keys:
        yield ".", [name for name in KEYS if (data_dir / name).exists()]
    for top in FOLDERS:
        root = data_dir / top
        if not root.is_dir():
            continue
        yield top, sorted(f"{top}/{p.name}" for p in root.iterdir() if p.is_file())
        for folder in sorted(p for p in root.iterdir() if p.is_dir() and p.name != STAGING):
            paths: list[Path] = []
            for where, folders, names in os.walk(folder):
                if top == "exports":  # one that is being made
                    folders[:] = [name for name in folders if not name.endswith(".work")]
                    names = [name for name in names if not name.endswith(".part")]
                paths += (Path(where, name) for name in names)
            yield f"{top}/{folder.name}", sorted(p.relative_to(data_dir).as_posix() for p in paths)


def _add_file(shelf: Shelf, data_dir: Path, known: dict[str, Entry], name: str) -> Entry | None:
    """None: it is gone, changes all the time, or its content is not what its name says; or a list,
    which has a line for each, cannot have it."""
    if "\n" in name:
        return None
    for _ in range(TRIES):
        with contextlib.suppress(_Changed):
            return _add_now(shelf, data_dir / name, known.get(name), name)
    return None


def _add_now(shelf: Shelf, path: Path, old: Entry | None, name: str) -> Entry | None:
    """Raises `_Changed`."""
    try:
        stat = path.stat()
        if (
            old is not None
            and (old.size, old.mtime_ns) == (stat.st_size, stat.st_mtime_ns)
            and object_of(old.sha256) in shelf.known
        ):
            return old
        with path.open("rb") as file:  # once: it may be renamed or removed meanwhile
            data: bytes | Iterator[bytes]
            if stat.st_size < WHOLE:
                data = file.read(WHOLE)
                sha256, size = hashlib.sha256(data).hexdigest(), len(data)
            else:
                sha256, size = hashlib.file_digest(file, "sha256").hexdigest(), file.tell()
                file.seek(0)
                data = _again(file, path, sha256, size)
            named = path.name if name.startswith("blobs/") and "." not in path.name else sha256
            if named != sha256:
                return None
            shelf.add(sha256, data, size)
        return Entry(sha256, size, stat.st_mtime_ns, name)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BackupError(f"{path}: {error.strerror or error}") from error


class _Changed(Exception):
    """A file is not what it was when it was hashed."""


def _again(file: BinaryIO, path: Path, sha256: str, size: int) -> Iterator[bytes]:
    """Its content in pieces. Raises `_Changed` instead of ending, if that is not what was hashed,
    and `BackupError`: whoever takes the pieces would think an `OSError` its own."""
    digest = hashlib.sha256()
    try:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            yield chunk
            if file.tell() > size:
                break
    except OSError as error:
        raise BackupError(f"{path}: {error.strerror or error}") from error
    if digest.hexdigest() != sha256:
        raise _Changed(str(path))


def _before(shelf: Shelf, known: list[str], unreadable: list[str]) -> Snapshot | None:
    """The newest that can be read."""
    for snapshot_id in reversed(known):
        try:
            return shelf.snapshot(snapshot_id)
        except Damaged as error:
            unreadable.append(str(error))
    return None


def prune(shelf: Shelf, known: list[str], keep: int) -> list[str]:
    """Snapshots beyond the newest `keep` go, and the objects that then no one needs. Returns what
    is damaged of those that stay: what they need cannot be told, so for now no object goes."""
    gone = superfluous(known, keep)
    if not gone:
        return []
    needed: set[str] = set()
    unreadable: list[str] = []
    for snapshot_id in known[len(gone) :]:
        try:
            needed |= objects_of(shelf, shelf.snapshot(snapshot_id))
        except Damaged as error:
            unreadable.append(f"backup {snapshot_id}: {error}")
    for snapshot_id in gone:
        shelf.place.remove(name_of(snapshot_id))
    if not unreadable:
        for name in shelf.known - needed:
            shelf.place.remove(name)
        shelf.known &= needed
    return unreadable


def objects_of(shelf: Shelf, snapshot: Snapshot) -> set[str]:
    """Names of all objects of a snapshot."""
    packed = [*snapshot.parts, *(one.sha256 for one in snapshot.lists)]
    found = {object_of(sha256, packed=True) for sha256 in packed}
    for one in snapshot.lists:
        found |= {object_of(entry.sha256) for entry in shelf.entries(one)}
    return found
