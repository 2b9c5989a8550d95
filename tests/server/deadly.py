"""What kills the worker that packs or unpacks it, while the worker holds a lock that it shares;
and jobs that hang."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
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


def dies(params: dict[str, Any]) -> None:
    """Is killed, however often it is run."""
    die()


def hang_at_first(params: dict[str, Any]) -> dict[str, Any]:
    """Stops, or waits for what never comes, until it is run again."""
    again = Path(params["progress"]).with_suffix(".again")
    if not again.exists():
        again.touch()
        if params["how"] == "stops":
            os.kill(os.getpid(), signal.SIGSTOP)
        threading.Lock().acquire()
        threading.Event().wait()
    return {"well": True}


def work(params: dict[str, Any]) -> dict[str, Any]:
    """Is at work for `seconds` of a processor, and says nothing."""
    until = time.process_time() + params["seconds"]
    while time.process_time() < until:
        pass
    return {"well": True}
