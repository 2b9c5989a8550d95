"""One process at a time: a lock that ends with its holder, however that ends."""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

LOOK_S = 0.1


class Busy(Exception):
    """Another process holds it."""


@contextlib.contextmanager
def locked(
    path: Path, patience_s: float = 0.0, waiting: Callable[[], object] = lambda: None
) -> Iterator[None]:
    """Hold the lock file `path`, which stays; wait for it that long, after calling `waiting` once.

    Raises `Busy`, and `OSError` where there can be no such file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        end, said = time.monotonic() + patience_s, False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= end:
                    raise Busy(str(path)) from None
            if not said:
                said = True
                waiting()
            time.sleep(LOOK_S)
        yield
