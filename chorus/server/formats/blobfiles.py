"""Where a picture's files lie under the blob folder, and how they get there whole.

Layout: `<root>/<first two hex digits>/<content hash>` is the original, byte for byte;
`….s.jpg` and `….m.jpg` are its thumbnails, where it has any (see `images`).

One policy of durability: every file is written under a temporary name, synced, and only then
renamed, so a file under its final name is whole even after a power cut, and an existing one need
not be written again. `Batch` does this for many files at once: their data is synced together, and
so are their folders, which costs less than file by file.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
import uuid
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Literal

Size = Literal["s", "m", "o"]
"""s: at most 256 px, m: at most 1024 px, o: the original."""
THUMB_PX: dict[Size, int] = {"s": 256, "m": 1024}
STAGING = ".staging"
MANY = 16
_syncfs: Callable[[int], object] | None = None
if sys.platform == "linux":
    _syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
_HASH = re.compile(r"[0-9a-f]{64}")


def blob_path(root: Path, content_hash: str, size: Size) -> Path:
    """The file of one size, whether it exists or not.

    Raises `ValueError` unless `content_hash` is 64 lower-case hex digits (so nothing that comes
    from an URL can leave the folder) and `size` one of s, m, o.
    """
    if not _HASH.fullmatch(content_hash):
        raise ValueError("a content hash is 64 hex digits")
    folder = root / content_hash[:2]
    if size == "o":
        return folder / content_hash
    if size not in THUMB_PX:
        raise ValueError(f"size must be s, m or o, not {size!r}")
    return folder / f"{content_hash}.{size}.jpg"


class Batch:
    """Files that become visible together, durably, by `commit`.

    Use as a context manager; leaving it without `commit` removes what was staged.
    """

    def __init__(self, root: Path) -> None:
        self._staging = root / STAGING
        self._staging.mkdir(parents=True, exist_ok=True)
        self._staged: dict[Path, Path] = {}

    def __enter__(self) -> Batch:
        return self

    def __exit__(self, *_: object) -> None:
        for part in self._staged.values():
            part.unlink(missing_ok=True)
        self._staged.clear()

    def add(self, target: Path, data: bytes) -> None:
        """Stage `data` for `target`; does nothing when `target` is there already."""
        if target in self._staged or target.exists():
            return
        part = self._staging / uuid.uuid4().hex
        self._staged[target] = part
        part.write_bytes(data)

    def add_chunks(self, target: Path, chunks: Iterable[bytes]) -> None:
        """The same of what comes in pieces. What they raise comes out here, and of this one nothing
        is left; the others stay."""
        if target in self._staged or target.exists():
            return
        part = self._staging / uuid.uuid4().hex
        try:
            with part.open("wb") as out:
                out.writelines(chunks)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        self._staged[target] = part

    def commit(self) -> None:
        """Sync, rename, sync the folders. Afterwards every added file is there for good."""
        _sync(self._staged.values())
        folders = {target.parent for target in self._staged}
        new_folders = [folder for folder in folders if not folder.is_dir()]
        for folder in new_folders:
            folder.mkdir(parents=True, exist_ok=True)
        for target, part in self._staged.items():
            part.replace(target)
        self._staged.clear()
        _sync(folders | {folder.parent for folder in new_folders})


def _sync(paths: Collection[Path]) -> None:
    """Bring files, or what is in folders, of one file system onto the disk.

    Many at once by `syncfs` where there is one (Linux): the file system writes its journal once
    instead of once for each, several times as fast for a stretch of texts (docs/texts.md).
    """
    if len(paths) >= MANY and _syncfs is not None and _call(next(iter(paths)), _syncfs) == 0:
        return
    for path in paths:
        _call(path, os.fsync)


def _call(path: Path, sync: Callable[[int], object]) -> object:
    fd = os.open(path, os.O_RDONLY)
    try:
        return sync(fd)
    finally:
        os.close(fd)
