"""Schema versions, applied forward only, kept in SQLite's `user_version`."""

from __future__ import annotations

import sqlite3
from importlib.resources import files

VERSION = 1


def migrate(db: sqlite3.Connection) -> None:
    """Bring an empty or older database to VERSION.

    Raises `RuntimeError` for a database written by a newer Chorus: opening it could lose work.
    """
    (found,) = db.execute("PRAGMA user_version").fetchone()
    if found > VERSION:
        raise RuntimeError(
            f"the data folder was written by a newer Chorus (schema {found}, this one knows "
            f"{VERSION}); install the newer version"
        )
    if found == 0:
        schema = files("chorus.server.storage").joinpath("schema.sql").read_text("utf-8")
        db.executescript(f"BEGIN IMMEDIATE;\n{schema}\nPRAGMA user_version = {VERSION};\nCOMMIT;")
