"""The file behind an item, to be sent: an original, a thumbnail, a DICOM file in another window."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from chorus.server.errors import ApiError
from chorus.server.formats.blobfiles import Size, blob_path
from chorus.server.formats.dicom import BadDicom
from chorus.server.formats.sniff import DICOM_TYPE
from chorus.server.formats.tiles import grid, tile_path
from chorus.server.services.preparing import Call
from chorus.server.services.referenced import Referenced
from chorus.server.storage.blobs import BlobStore
from chorus.server.storage.cache import Cache
from chorus.server.storage.store import Store

KNOWN_MOST = 50_000
TILED_MOST = 2_000
_RENDER = "chorus.server.formats.images.render"
_CUT = "chorus.server.formats.tiles.cut"

Window = tuple[float, float]
"""(center, width), in the file's units."""


class Pictures:
    """`call(function, *args)` runs a function in a worker process (see jobs/pool)."""

    def __init__(
        self, store: Store, blobs: BlobStore, cache: Cache, call: Call, referenced: Referenced
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._cache = cache
        self._call = call
        self._referenced = referenced
        self._known: dict[tuple[str, str], None] = {}
        self._making: dict[Path, asyncio.Task[None]] = {}
        self._tiled: dict[str, tuple[int, int]] = {}

    async def find(
        self, project_id: str, content_hash: str, size: Size, window: Window | None = None
    ) -> tuple[Path, str] | None:
        """(file, media type) of a picture or text of this project, None if it has no such. With
        a window: of a DICOM file, rendered in it. Raises `ApiError`: bad_value, and of a picture
        that lies elsewhere source_gone, source_changed, source_unreachable."""
        if not await self._has(project_id, content_hash):
            return None
        wanted: Size = "o" if window else size
        found = await asyncio.to_thread(self._kept, content_hash, wanted)
        if found is None:
            path = await self._referenced.find(content_hash, wanted)
            if path is not None:
                found = path, await asyncio.to_thread(self._blobs.media_type, path)
        if found is None or window is None:
            return found
        original, media_type = found
        if media_type != DICOM_TYPE:
            raise ApiError("bad_value", "only a DICOM file has windows")
        return await self._windowed(original, content_hash, size, window), "image/jpeg"

    async def tile(
        self, project_id: str, content_hash: str, level: int, column: int, row: int
    ) -> Path | None:
        """One piece of a large picture (formats/tiles.py), None if there is no such. All of a
        picture are cut when the first is asked for, and kept in the cache. Raises as `find`."""
        if not await self._has(project_id, content_hash):
            return None
        known = self._tiled.get(content_hash)
        if known is not None and (level, column, row) not in grid(*known):
            return None
        target = tile_path(self._cache.root, content_hash, level, column, row)
        if await asyncio.to_thread(self._cache.used, target):
            return target
        found = await self.find(project_id, content_hash, "o")
        if found is None or not found[1].startswith(("image/", DICOM_TYPE)):
            return None
        original = str(found[0])
        first = tile_path(self._cache.root, content_hash, 0, 0, 0)
        await self._once(first, lambda: self._cut(original, content_hash))
        known = self._tiled[content_hash]
        return target if (level, column, row) in grid(*known) else None

    async def _cut(self, original: str, content_hash: str) -> None:
        root = self._cache.root
        try:
            size = await self._call(_CUT, original, str(root), content_hash)
        except ValueError as error:
            raise ApiError("not_found", str(error)) from None
        self._tiled[content_hash] = tuple(size)
        if len(self._tiled) > TILED_MOST:
            del self._tiled[next(iter(self._tiled))]
        made = [tile_path(root, content_hash, *place) for place in grid(*size)]
        await asyncio.to_thread(self._cache.grown, made)

    async def _has(self, project_id: str, content_hash: str) -> bool:
        key = (project_id, content_hash)
        if key not in self._known:
            if not await self._store.read(lambda tx: tx.has_content(*key)):
                return False
            self._known[key] = None
            if len(self._known) > KNOWN_MOST:
                del self._known[next(iter(self._known))]
        return True

    def _kept(self, content_hash: str, size: Size) -> tuple[Path, str] | None:
        try:
            path = self._blobs.path(content_hash, size)
            return path, self._blobs.media_type(path)
        except FileNotFoundError:
            return None

    async def _windowed(
        self, original: Path, content_hash: str, size: Size, window: Window
    ) -> Path:
        plain = blob_path(self._cache.root, content_hash, size)
        target = plain.with_name(f"{content_hash}.{size}.{window[0]:.6g}_{window[1]:.6g}.jpg")
        if await asyncio.to_thread(self._cache.used, target):
            return target
        try:
            await self._once(
                target, lambda: self._call(_RENDER, str(original), str(target), size, *window)
            )
        except BadDicom as error:
            raise ApiError("bad_value", str(error)) from None
        await asyncio.to_thread(self._cache.grown, [target])
        return target

    async def _once(self, target: Path, make: Callable[[], Awaitable[None]]) -> None:
        """However many ask for a file at the same moment, it is made once; one of them leaving
        does not stop it."""

        async def made() -> None:
            await make()

        task = self._making.get(target)
        if task is None:
            task = self._making[target] = asyncio.ensure_future(made())
            task.add_done_callback(lambda _: self._making.pop(target, None))
        await asyncio.shield(task)
