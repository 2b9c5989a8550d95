"""Threads of a starting server decode into the same types at the same moment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# In a process of its own: here other tests have decoded into most types long ago.
KNOWN = """
import gc, importlib, pkgutil, sys
from pathlib import Path
import msgspec
from chorus.server.app import build
from chorus.server.settings import Settings

build(Settings(data_dir=Path(sys.argv[1])))
todo = [msgspec.Struct]
while todo:
    for struct in todo.pop().__subclasses__():
        todo.append(struct)
        known = any(type(part).__name__ == "StructInfo" for part in gc.get_referents(struct))
        if struct.__module__.startswith("chorus.") and not known:
            print(struct.__module__, struct.__name__)
"""
NEVER = ["chorus.server.formats.textrows Row", "chorus.server.services.bulk _Plan"]
"""Nothing can be decoded into these."""


def test_all_types_are_known_before_there_is_a_second_thread(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KNOWN, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert sorted(done.stdout.splitlines()) == NEVER


# What happened to a server that was started, once in two hundred times.
RACE = """
import sys, threading
import msgspec
from chorus.server.decoding import warm_up

sys.setswitchinterval(1e-6)
for n in range(60):
    parts = [msgspec.defstruct(f"P{n}_{i}", [("a", int)]) for i in range(8)]
    whole = msgspec.defstruct(f"W{n}", [(f"f{i}", part) for i, part in enumerate(parts)])
    whole.__module__ = "chorus.of_this_test"
    warm_up()
    body = b"{" + b",".join(b'"f%d":{"a":1}' % i for i in range(8)) + b"}"
    go = threading.Barrier(4)

    def run() -> None:
        go.wait()
        msgspec.json.decode(body, type=whole)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""


def test_threads_that_decode_at_once_do_not_end_the_process() -> None:
    done = subprocess.run([sys.executable, "-c", RACE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
