"""Is a backup whole, and is what it holds right? As if it were restored."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from chorus.server.services import fsck
from chorus.server.storage.backup.ahead import ahead
from chorus.server.storage.backup.making import Progress
from chorus.server.storage.backup.places import BackupError
from chorus.server.storage.backup.restoring import database
from chorus.server.storage.backup.shelf import Shelf
from chorus.server.storage.backup.snapshots import Entry, Snapshot
from chorus.server.storage.migrations import migrate
from chorus.server.storage.sqlite import connect
from chorus.server.storage.tx import Tx

MOST = 20
"""Findings of one kind that are named."""


def check(shelf: Shelf, snapshot: Snapshot, progress: Progress) -> Iterator[str]:
    """Every finding as one line: each object is read and its hash compared, and the database is put
    together, looked through, and derived again (`chorus fsck`)."""
    pictures: set[str] = set()
    for number, one in enumerate(snapshot.lists):
        progress("files", number, len(snapshot.lists))
        try:
            found = shelf.entries(one)
        except BackupError as error:
            yield f"files of {one.folder}: {error}"
            continue
        for entry, fault in ahead(partial(_read, shelf), found):
            if fault is not None:
                yield f"{entry.path}: {fault}"
            elif one.folder.startswith("blobs/"):
                pictures.add(entry.path.rpartition("/")[2])
    with tempfile.TemporaryDirectory(prefix="chorus-verify-") as folder:
        path = Path(folder) / "chorus.sqlite"
        try:
            database(shelf, snapshot, path, progress)
        except BackupError as error:
            yield f"database: {error}"
            return
        with closing(connect(path)) as db:
            with contextlib.suppress(RuntimeError):  # of a newer version: cannot be looked through
                migrate(db)
                progress("states and labels", 0, 1)
                yield from fsck.check(Tx(db))
            lost = [name for name in Tx(db).content_of_our_own() if name not in pictures]
    for name in lost[:MOST]:
        yield f"picture or text {name}: not in the backup"
    if len(lost) > MOST:
        yield f"… and {len(lost) - MOST} more are not in the backup"


def _read(shelf: Shelf, entry: Entry) -> str | None:
    try:
        read = sum(len(chunk) for chunk in shelf.content(entry.sha256))
    except BackupError as error:
        return str(error)
    return None if read == entry.size else "its size is not what it was"
