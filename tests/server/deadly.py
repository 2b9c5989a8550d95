"""What kills the worker that packs or unpacks it, while the worker holds a lock that it shares."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class KillsUnpacker:
    def __reduce__(self) -> tuple[Callable[[], None], tuple[()]]:
        return die, ()


class KillsPacker:
    def __reduce__(self) -> Any:
        die()


def answer() -> KillsPacker:
    return KillsPacker()
