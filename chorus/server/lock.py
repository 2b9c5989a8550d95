"""Who has a data folder open: servers together, or a command alone that changes what a server
keeps in memory. The operating system lets go of the lock when its process ends, however it ends."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAME = "in-use"
SERVING = ".serving.lock"
"""Held by the one server that has the folder, and waited for by the next (`storage.locks`)."""


@contextmanager
def serving(data_dir: Path) -> Iterator[None]:
    """For a server. Raises `BlockingIOError` while a command has the folder alone."""
    yield from _held(data_dir, fcntl.LOCK_SH)


@contextmanager
def alone(data_dir: Path) -> Iterator[None]:
    """For a command. Raises `BlockingIOError` while a server runs on the folder."""
    yield from _held(data_dir, fcntl.LOCK_EX)


def _held(data_dir: Path, kind: int) -> Iterator[None]:
    data_dir.mkdir(parents=True, exist_ok=True)
    with (data_dir / NAME).open("a") as file:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
        yield
