"""What runs inside a worker process: find a function by its dotted name and call it.

By name, so that the server imports neither torch nor anything else the function needs.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import signal
import sys
from typing import Any

PR_SET_PDEATHSIG = 1


def prepare(niceness: int) -> None:
    """Worker start-up: give way to the server, ignore Ctrl-C, die when the server dies."""
    with contextlib.suppress(OSError):
        os.nice(niceness)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def call(function: str, *args: Any) -> Any:
    """`call("package.module.name", x)` = `package.module.name(x)`."""
    module, _, name = function.rpartition(".")
    return getattr(importlib.import_module(module), name)(*args)
