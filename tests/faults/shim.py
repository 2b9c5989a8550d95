"""The switches of faulty.c: a disk that is full, read-only or loses what it was to keep, and a
clock that jumps, for a server of a test and its workers."""

from __future__ import annotations

import errno
import mmap
import shutil
import struct
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent / "faulty.c"
_ERRNOS = struct.Struct("iii4x")
_CLOCK = struct.Struct("q")
SIZE = 4096


@cache
def _compiled(folder: Path) -> Path:
    target = folder / "faulty.so"
    options = ["-shared", "-fPIC", "-O1", "-Wall", "-fno-sanitize=undefined"]
    compiler = _compiler()
    assert compiler is not None
    subprocess.run([*compiler, *options, "-o", str(target), str(SOURCE), "-ldl"], check=True)
    return target


def _compiler() -> list[str] | None:
    """The machine's, or the one that setup took from PyPI because there was none."""
    if cc := shutil.which("cc"):
        return [cc]
    return [sys.executable, "-m", "ziglang", "cc"] if find_spec("ziglang") else None


def needed() -> None:
    """Skip the test where this does not work."""
    if sys.platform != "linux" or _compiler() is None:
        pytest.skip("needs Linux and a C compiler")


class Shim:
    """`env`: for the server's process. Everything works until something is switched."""

    def __init__(self, folder: Path, root: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        control = folder / "control"
        control.write_bytes(bytes(SIZE))
        with control.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), SIZE)
        self.env = {
            "LD_PRELOAD": str(_compiled(folder)),
            "FAULTY_CONTROL": str(control),
            "FAULTY_ROOT": f"{root}/",
        }

    def disk(self, write: int = 0, sync: int = 0, change: int = 0) -> None:
        """Error numbers, 0: it works."""
        _ERRNOS.pack_into(self._page, 0, write, sync, change)

    def full(self) -> None:
        self.disk(write=errno.ENOSPC)

    def read_only(self) -> None:
        self.disk(write=errno.EROFS, change=errno.EROFS)

    def losing(self) -> None:
        """fsync fails."""
        self.disk(sync=errno.EIO)

    def well(self) -> None:
        self.disk()

    def set_clock(self, seconds: float) -> None:
        """How far the time of day is off."""
        _CLOCK.pack_into(self._page, 16, int(seconds * 1e9))

    @property
    def hits(self) -> int:
        """How often something has failed."""
        return int(_CLOCK.unpack_from(self._page, 24)[0])
