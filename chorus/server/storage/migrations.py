"""Schema versions, applied forward only, kept in SQLite's `user_version`."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from importlib.resources import files
from pathlib import Path

VERSION = 9
"""schema_1.sql made the first tables; each later file takes a database one version on."""


def migrate(db: sqlite3.Connection) -> None:
    """Bring an empty or older database to VERSION, one version per transaction.

    Raises `RuntimeError` for a database written by a newer Chorus: opening it could lose work.
    """
    for version in range(found_version(db) + 1, VERSION + 1):
        sql = files("chorus.server.storage").joinpath(f"schema_{version}.sql").read_text("utf-8")
        db.executescript(f"BEGIN IMMEDIATE;\n{sql}\nPRAGMA user_version = {version};\nCOMMIT;")


def found_version(db: sqlite3.Connection) -> int:
    """0 of an empty one. Raises `RuntimeError` as `migrate` does."""
    (found,) = db.execute("PRAGMA user_version").fetchone()
    if found > VERSION:
        raise RuntimeError(
            f"the data folder was written by a newer Chorus (schema {found}, this one knows "
            f"{VERSION}); install the newer version"
        )
    return int(found)


def keep_copy(db: sqlite3.Connection, path: Path) -> Path | None:
    """Before an older database is changed: a copy beside it, with which the upgrade can be undone
    (docs/backup.md). None: there is nothing to upgrade.

    Raises `RuntimeError` where there is no room for it, as for a database of a newer Chorus.
    """
    found = found_version(db)
    if found in (0, VERSION):
        return None
    copy = path.with_name(f"{path.name}.before-{VERSION}")
    if copy.exists() and _version_of(copy) < found:
        return copy  # of an upgrade that was cut off: what it had not yet changed
    needed = path.stat().st_size
    if shutil.disk_usage(path.parent).free < 2 * needed:
        raise RuntimeError(
            f"an upgrade keeps a copy of the database, and there is no room for one in "
            f"{path.parent}: free {2 * needed / 1e6:.0f} MB"
        )
    part = copy.with_name(f"{copy.name}.part")
    part.unlink(missing_ok=True)
    with closing(sqlite3.connect(part)) as target:
        db.backup(target)
    _sync(part)
    part.replace(copy)
    _sync(copy.parent)
    return copy


def _version_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        (found,) = db.execute("PRAGMA user_version").fetchone()
    return int(found)


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
