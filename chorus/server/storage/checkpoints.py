"""Folds SQLite's write-ahead log into the database beside the writer, on a thread of its own.

A checkpoint writes every page that has changed and waits for the disk: by the writer itself it is
what one vote in a hundred waited half a second for, in a large database. Beside it nobody waits:
SQLite lets one connection write while another one checkpoints (https://sqlite.org/wal.html).
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)

AGAIN_S = 10.0
"""After a failure it is tried again by itself, asked for or not."""


class Checkpoints:
    """`connect`: opens a connection of its own, on its own thread."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._state = threading.Condition()
        self._wanted = False
        self._stopping = False
        self.done = 0
        """Attempts so far."""
        self.failing: str | None = None
        """Why the last one failed. Nobody waits for it: the writer folds the log itself when it has
        grown large (sqlite.WAL_PAGES), and slows down for that."""
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
        self._thread.start()

    def ask(self) -> None:
        """There is something to fold; several requests meanwhile are one."""
        with self._state:
            self._wanted = True
            self._state.notify_all()

    def wait(self, done: int, seconds: float) -> bool:
        """Until so many have been made; False: they were not in that time."""
        with self._state:
            return self._state.wait_for(lambda: self.done >= done, seconds)

    def stop(self) -> None:
        """Finish the one that runs."""
        with self._state:
            self._stopping = True
            self._state.notify_all()
        self._thread.join()

    def _run(self) -> None:
        db: sqlite3.Connection | None = None
        while True:
            with self._state:
                self._state.wait_for(
                    lambda: self._wanted or self._stopping, AGAIN_S if self.failing else None
                )
                if self._stopping:
                    break
                self._wanted = False
            try:
                db = db or self._connect()
                db.execute("PRAGMA wal_checkpoint(PASSIVE)")
            # Whatever it is, this thread is the only one there is.
            except Exception as error:
                if self.failing is None:
                    log.error("the write-ahead log is not folded, tried again: %s", error)
                self.failing = str(error)
                # It may be the connection's fault: a new one next time.
                self._close(db)
                db = None
            else:
                if self.failing is not None:
                    log.warning("the write-ahead log is folded again")
                self.failing = None
            with self._state:
                self.done += 1
                self._state.notify_all()
        self._close(db)

    @staticmethod
    def _close(db: sqlite3.Connection | None) -> None:
        if db is not None:
            with contextlib.suppress(sqlite3.Error):
                db.close()
