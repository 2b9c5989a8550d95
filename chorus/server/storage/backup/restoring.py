"""A data folder from a backup."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from chorus.server.lock import SERVING, alone
from chorus.server.storage.backup.ahead import ahead
from chorus.server.storage.backup.making import DATABASE, Progress
from chorus.server.storage.backup.places import BackupError, Damaged
from chorus.server.storage.backup.shelf import Shelf
from chorus.server.storage.backup.snapshots import Entry, Snapshot
from chorus.server.storage.locks import Busy, locked
from chorus.server.storage.migrations import VERSION


@dataclass(frozen=True, slots=True)
class Ended:
    """How many of each were in the backup and are not in what was made of it."""

    tokens: int
    invitations: int


def restore(
    shelf: Shelf, snapshot: Snapshot, data_dir: Path, progress: Progress, *, keep_tokens: bool
) -> tuple[Ended, list[str]]:
    """Write the snapshot into `data_dir`, which must hold no server's data. Returns what ended, and
    a line for each file (or list of files) that is damaged in the backup: all others are there.
    Raises `BackupError`, also if the database is damaged.

    Nobody is signed in to what is restored, and no sign-in link opens it: which of them had ended
    since, a backup cannot know. Nor which API tokens were revoked and which invitations used up:
    all end, unless `keep_tokens`.

    The database comes last: a folder with one is all that the backup has. Called again after it was
    cut off, it goes on where it was.
    """
    _refuse_data(data_dir)
    if snapshot.schema > VERSION:
        raise BackupError("the backup is of a newer Chorus; install that")
    data_dir.mkdir(mode=0o750, parents=True, exist_ok=True)
    with _held(data_dir):
        needed = snapshot.database_bytes + snapshot.file_bytes
        if shutil.disk_usage(data_dir).free < snapshot.database_bytes:
            raise BackupError(f"there is no room for {needed / 1e6:.0f} MB in {data_dir}")
        damaged: list[str] = []
        done = 0
        files = _entries(shelf, snapshot, damaged)
        for entry, fault in ahead(partial(_file, shelf, data_dir), files):
            if fault is not None:
                damaged.append(f"{entry.path}: {fault}")
            done += entry.size
            progress("files", done, snapshot.file_bytes)
        part = data_dir / f"{DATABASE}.part"
        database(shelf, snapshot, part, progress)
        ended = _renew(part, keep_tokens)
        os.sync()  # all files, at once
        _refuse_data(data_dir)  # what knows nothing of locks may have come meanwhile
        part.replace(data_dir / DATABASE)
        os.sync()
    return ended, damaged


@contextmanager
def _held(data_dir: Path) -> Iterator[None]:
    """No server has the folder, or starts on it, and no command makes a database there. Raises
    `BackupError`."""
    with ExitStack() as held:
        try:
            held.enter_context(locked(data_dir / SERVING))
            held.enter_context(alone(data_dir))
        except (Busy, BlockingIOError):
            raise BackupError(
                f"a server, a command or another restore has {data_dir}: stop it, or restore into"
                " another folder"
            ) from None
        yield


def _refuse_data(data_dir: Path) -> None:
    """Raises `BackupError` if there is a server's data."""
    if (data_dir / DATABASE).exists():
        raise BackupError(f"{data_dir} has data already; restore into another folder")
    for name in (f"{DATABASE}-wal", f"{DATABASE}-journal"):
        if (data_dir / name).exists():
            # SQLite would take it for the restored one's, and write what is in it over that.
            raise BackupError(
                f"{data_dir / name} is left of a database that was removed: remove it too, or"
                " restore into another folder"
            )


def _entries(shelf: Shelf, snapshot: Snapshot, damaged: list[str]) -> Iterator[Entry]:
    for one in snapshot.lists:
        try:
            yield from shelf.entries(one)
        except Damaged as error:
            damaged.append(f"{one.files} files of {one.folder}: {error}")


def database(shelf: Shelf, snapshot: Snapshot, target: Path, progress: Progress) -> None:
    """Write the snapshot's database. Raises `BackupError` if it is not what was backed up."""
    digest = hashlib.sha256()
    for ending in ("-wal", "-shm", "-journal"):  # of one that was cut off
        target.with_name(target.name + ending).unlink(missing_ok=True)
    with target.open("wb") as out:
        for _, data in ahead(shelf.packed, snapshot.parts):
            digest.update(data)
            out.write(data)
            progress("database", out.tell(), snapshot.database_bytes)
    if digest.hexdigest() != snapshot.database_sha256:
        raise BackupError("the database is not what was backed up")


def _file(shelf: Shelf, data_dir: Path, entry: Entry) -> str | None:
    """What is wrong with it in the backup."""
    path = data_dir / entry.path
    if path.exists() and path.stat().st_size == entry.size:
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() == entry.sha256:
                return None
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not by its own name, which may be as long as names can be.
    part = path.with_name(f".restoring-{hashlib.sha256(path.name.encode()).hexdigest()}")
    private = "/" not in entry.path  # the keys
    try:
        with open(part, "wb", opener=_private if private else None) as out:
            for chunk in shelf.content(entry.sha256):
                out.write(chunk)
        os.utime(part, ns=(entry.mtime_ns, entry.mtime_ns))
        part.replace(path)
        return None
    except Damaged as error:
        return str(error)
    except OSError as error:
        raise BackupError(f"{path}: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _renew(path: Path, keep_tokens: bool) -> Ended:
    """Events after the snapshot are gone, and their numbers come again: a new epoch tells open
    dashboards so. And what let people in at that time does so no more."""
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise BackupError(f"the database is damaged: {verdict}")
            db.execute("BEGIN")
            db.execute("UPDATE project SET epoch = lower(hex(randomblob(8)))")
            # Higher than what any session made since can have counted up to, also by what is
            # counted from here on: a person's number would come again like an event's.
            db.execute(
                "UPDATE person SET session_epoch = max(session_epoch + 1, ?)", (int(time.time()),)
            )
            ended = [0, 0]
            if not keep_tokens:
                ended = [db.execute(f"DELETE FROM {of}").rowcount for of in ("token", "invite")]
            db.execute("COMMIT")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as error:
        raise BackupError(f"the database is damaged: {error}") from error
    return Ended(*ended)
