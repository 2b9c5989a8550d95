"""Schema versions, applied forward only, kept in SQLite's `user_version`."""

from __future__ import annotations

import sqlite3
from importlib.resources import files

VERSION = 7
"""schema_1.sql made the first tables; each later file takes a database one version on."""


def migrate(db: sqlite3.Connection) -> None:
    """Bring an empty or older database to VERSION, one version per transaction.

    Raises `RuntimeError` for a database written by a newer Chorus: opening it could lose work.
    """
    (found,) = db.execute("PRAGMA user_version").fetchone()
    if found > VERSION:
        raise RuntimeError(
            f"the data folder was written by a newer Chorus (schema {found}, this one knows "
            f"{VERSION}); install the newer version"
        )
    for version in range(found + 1, VERSION + 1):
        sql = files("chorus.server.storage").joinpath(f"schema_{version}.sql").read_text("utf-8")
        db.executescript(f"BEGIN IMMEDIATE;\n{sql}\nPRAGMA user_version = {version};\nCOMMIT;")
