"""What runs inside a worker process: find a function by its dotted name and call it.

By name, so that the server imports neither torch nor anything else the function needs.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import logging
import os
import resource
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
BEAT_S = 1.0
RESULT_MOST = 1500
"""Characters of a job's result in its log."""


def prepare(niceness: int) -> None:
    """Worker start-up: give way to the server, ignore Ctrl-C, die when the server dies, and leave
    no core file: a file that kills its reader would fill the disk with them."""
    with contextlib.suppress(OSError):
        os.nice(niceness)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def call(function: str, *args: Any) -> Any:
    """`call("package.module.name", x)` = `package.module.name(x)`."""
    module, _, name = function.rpartition(".")
    return getattr(importlib.import_module(module), name)(*args)


def logged(function: str, log: str, beat: str, attempt: int, *args: Any) -> Any:
    """`call`, with all that the job prints or logs, and how it ended, in the file `log`; in the
    file `beat`, each second, the seconds that this process has had of a processor.

    The log goes on with what it has (the runner begins it anew). Raises what the job raises.
    """
    path = Path(log)
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        path.open("a", encoding="utf-8") as out,
        _written_to(out.fileno()),
        _beating(Path(beat)),
    ):
        name = function.rpartition(".")[2]
        say = logging.getLogger("chorus.job").info
        say("%s begins, attempt %d, process %d", name, attempt, os.getpid())
        began, used = time.perf_counter(), time.process_time()
        try:
            result = call(function, *args)
        except BaseException:
            traceback.print_exc()
            say("%s failed after %.1f s", name, time.perf_counter() - began)
            raise
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        seconds = time.perf_counter() - began
        used = time.process_time() - used
        say(
            "%s done in %.1f s (%.1f s of processor time), its process needed up to %.0f MB",
            name, seconds, used, peak,
        )  # fmt: skip
        say("result: %s", json.dumps(result, default=str)[:RESULT_MOST])
        return result


@contextlib.contextmanager
def _beating(path: Path) -> Iterator[None]:
    over = threading.Event()
    # One file, always as long: a full disk has room for what is there already.
    with path.open("wb", buffering=0) as out:

        def beat() -> None:
            with contextlib.suppress(OSError):
                os.pwrite(out.fileno(), b"%020.3f" % time.process_time(), 0)

        def beats() -> None:
            while not over.wait(BEAT_S):
                beat()

        beat()  # at once, or a job that stops at once would seem never to have begun
        thread = threading.Thread(target=beats, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            with contextlib.suppress(OSError):
                path.unlink()


@contextlib.contextmanager
def _written_to(target: int) -> Iterator[None]:
    """Standard output and error, Python's and those of libraries in C, go to a file descriptor."""
    kept = [(own, os.dup(own)) for own in (1, 2)]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    root = logging.getLogger()
    logging.getLogger("chorus").setLevel(logging.INFO)
    try:
        for own, _ in kept:
            os.dup2(target, own)
        root.addHandler(handler)
        yield
    finally:
        root.removeHandler(handler)
        sys.stdout.flush()
        sys.stderr.flush()
        for own, copy in kept:
            os.dup2(copy, own)
            os.close(copy)
