"""Folds SQLite's write-ahead log into the database beside the writer, on a thread of its own.

A checkpoint writes every page that has changed and waits for the disk: by the writer itself it is
what one vote in a hundred waited half a second for, in a large database. Beside it nobody waits:
SQLite lets one connection write while another one checkpoints (https://sqlite.org/wal.html).
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable


class Checkpoints:
    """`connect`: opens a connection of its own, on its own thread."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._state = threading.Condition()
        self._wanted = False
        self._stopping = False
        self.done = 0
        """Checkpoints so far."""
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
        with contextlib.closing(self._connect()) as db:
            while True:
                with self._state:
                    self._state.wait_for(lambda: self._wanted or self._stopping)
                    if self._stopping:
                        return
                    self._wanted = False
                with contextlib.suppress(sqlite3.Error):  # the next one will do
                    db.execute("PRAGMA wal_checkpoint(PASSIVE)")
                with self._state:
                    self.done += 1
                    self._state.notify_all()
