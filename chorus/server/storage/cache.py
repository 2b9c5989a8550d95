"""A folder of bounded size, of files that can be made again: the longest unused go first."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from chorus.server.formats.blobfiles import STAGING

RESTS_S = 600
"""Whoever has just been given a file may still be reading it."""
TRIM_TO = 0.9
"""A trim makes room for a while, or every file would cost one."""


class Cache:
    """Safe to use from many threads of one process; other processes may write into it.

    `most`: bytes. Files in use (of the last ten minutes) stay, so it may be exceeded by those.
    """

    def __init__(self, root: Path, most: int) -> None:
        self.root = root
        self.most = most
        self._bytes: int | None = None
        self._lock = threading.Lock()

    def used(self, path: Path) -> bool:
        """Whether the file is here; if so, it stays for a while."""
        try:
            os.utime(path)
        except FileNotFoundError:
            return False
        return True

    def grown(self, paths: list[Path]) -> None:
        """These files have been written: make room if it takes too much."""
        with self._lock:
            if self._bytes is not None:
                self._bytes += sum(p.stat().st_size for p in paths if p.exists())
            if self._bytes is None or self._bytes > self.most:
                self._trim()

    def _trim(self) -> None:
        found: list[tuple[float, int, Path]] = []
        for folder in self.root.iterdir() if self.root.is_dir() else ():
            if not folder.is_dir() or folder.name == STAGING:
                continue
            for path in folder.iterdir():
                try:
                    stat = path.stat()
                except FileNotFoundError:
                    continue
                found.append((stat.st_mtime, stat.st_size, path))
        total = sum(size for _, size, _ in found)
        if total > self.most:
            newest = time.time() - RESTS_S
            for used_at, size, path in sorted(found):
                if total <= self.most * TRIM_TO or used_at > newest:
                    break
                path.unlink(missing_ok=True)
                total -= size
        self._bytes = total
