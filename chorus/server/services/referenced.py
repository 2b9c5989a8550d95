"""Pictures shown from where they lie: fetched when needed, kept in a cache of bounded size.

What is kept are the thumbnails that people and the model see; the file itself only where somebody
asks for it. Its content is compared with what came in each time: another picture under the same
name is never shown in its place.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import Sequence
from pathlib import Path

from chorus.server.domain.sources import ObjectRow, Source
from chorus.server.errors import ApiError, JobFailed
from chorus.server.formats.blobfiles import STAGING, Size, blob_path
from chorus.server.formats.images import MAX_BYTES, Fault
from chorus.server.services.data_sources import DataSources
from chorus.server.services.preparing import Call, prepare
from chorus.server.storage.blobs import BlobStore
from chorus.server.storage.cache import Cache
from chorus.server.storage.remote import Remote, Trouble
from chorus.server.storage.store import Store

RESTS_S = 10.0
"""A source that could not be reached is not asked again for so long: everybody would wait."""
OPEN_S = 300.0
"""So long one connection serves: then its settings are looked at again."""
THUMBS: tuple[Size, ...] = ("m", "s")


class Referenced:
    def __init__(
        self, store: Store, data: DataSources, blobs: BlobStore, cache: Cache, call: Call
    ) -> None:
        self._store = store
        self._data = data
        self._blobs = blobs
        self._cache = cache
        self._call = call
        self._fetching: dict[tuple[str, Size], asyncio.Task[Path]] = {}
        self._open: dict[str, tuple[Source, float, Remote]] = {}
        self._resting: dict[str, tuple[float, str]] = {}

    def kept(self, content_hash: str, size: Size) -> Path | None:
        """The file if it is in the cache; it stays for a while. Blocks."""
        path = blob_path(self._cache.root, content_hash, size)
        return path if self._cache.used(path) else None

    async def find(self, content_hash: str, size: Size) -> Path | None:
        """The file, fetched if need be; None: no source has it. Who asks may see it.

        Raises `ApiError`: source_gone, source_changed, source_unreachable.
        """
        kept = await asyncio.to_thread(self.kept, content_hash, size)
        if kept is not None:
            return kept
        places = await self._store.read(lambda tx: tx.lying_at(content_hash))
        if not places:
            return None
        # However many ask at the same moment, it is fetched once; one leaving does not stop it.
        key: tuple[str, Size] = (content_hash, "o" if size == "o" else "m")
        task = self._fetching.get(key)
        if task is None:
            task = asyncio.ensure_future(self._from_any(places, content_hash, size == "o"))
            self._fetching[key] = task
            task.add_done_callback(lambda done: self._fetched(key, done))
        await asyncio.shield(task)
        return blob_path(self._cache.root, content_hash, size)

    def _fetched(self, key: tuple[str, Size], done: asyncio.Task[Path]) -> None:
        del self._fetching[key]
        if not done.cancelled():
            done.exception()  # whoever waited has it; perhaps nobody did

    async def ready(self, hashes: Sequence[str]) -> None:
        """Have the large thumbnails of pictures here, for a job that reads them. What is gone or
        has changed is left out. Raises `JobFailed` if a source cannot be reached."""
        wanted = await self._store.read(lambda tx: tx.lying_elsewhere(hashes))
        absent = await asyncio.to_thread(lambda: [h for h in wanted if not self._copied(h)])

        async def have(content_hash: str) -> None:
            try:
                await self.find(content_hash, "m")
            except ApiError as error:
                if error.code == "source_unreachable":
                    raise JobFailed(error.message, 1) from None

        results = await asyncio.gather(*map(have, absent), return_exceptions=True)
        for error in results:
            if error is not None:
                raise error

    def _copied(self, content_hash: str) -> bool:
        try:
            self._blobs.path(content_hash, "m")
        except FileNotFoundError:
            return False
        return True

    async def _from_any(
        self, places: Sequence[tuple[Source, ObjectRow]], content_hash: str, original: bool
    ) -> Path:
        worst: ApiError | None = None
        for source, row in places:
            if row.state in ("gone", "changed"):
                worst = worst or _lost(row.state)
                continue
            try:
                return await self._from(source, row, content_hash, original)
            except ApiError as error:
                # One that may come back is worth more than one that is lost.
                worst = error if worst is None or error.status == 503 else worst
        raise worst or _lost("gone")

    async def _from(
        self, source: Source, row: ObjectRow, content_hash: str, original: bool
    ) -> Path:
        part = self._cache.root / STAGING / secrets.token_hex(16)
        try:
            remote = await self._remote(source)
            digest = await self._data.run_quick(_fetch, remote, row.name, part)
            if digest != content_hash:
                raise Trouble("changed", "")
            return await self._keep(row, part, content_hash, original)
        except Trouble as trouble:
            if trouble.kind in ("gone", "changed"):
                state = trouble.kind
                await self._store.write(
                    lambda tx: tx.set_object_state(source.source_id, row.name, state)
                )
                raise _lost(state) from None
            self._resting[source.source_id] = (time.monotonic() + RESTS_S, trouble.message)
            raise _unreachable() from None
        finally:
            await asyncio.to_thread(part.unlink, True)

    async def _remote(self, source: Source) -> Remote:
        """Raises `Trouble`, at once if the source has just been found unreachable."""
        until, words = self._resting.get(source.source_id, (0.0, ""))
        if time.monotonic() < until:
            raise Trouble("unreachable", words)
        before, opened_at, remote = self._open.get(source.source_id, (None, 0.0, None))
        settings = (source.endpoint, source.region, source.account, source.secret)
        if (
            before is None
            or remote is None
            or settings != (before.endpoint, before.region, before.account, before.secret)
            or time.monotonic() > opened_at + OPEN_S
        ):
            remote = await self._data.run_quick(self._data.open, source)
            self._open[source.source_id] = (source, time.monotonic(), remote)
        return remote

    async def _keep(self, row: ObjectRow, part: Path, content_hash: str, original: bool) -> Path:
        root = self._cache.root
        if original:
            target = blob_path(root, content_hash, "o")
            await asyncio.to_thread(_move, part, target)
            await asyncio.to_thread(self._cache.grown, [target])
            return target
        files = [(row.name, str(part))]
        (made,) = await prepare(self._call, "images.prepare_batch", files, str(root), False)
        if isinstance(made, Fault):  # it went in once: another version of the decoder says no
            raise Trouble("changed", "")
        written = [blob_path(root, content_hash, size) for size in THUMBS]
        await asyncio.to_thread(self._cache.grown, written)
        return written[0]


def _fetch(remote: Remote, name: str, part: Path) -> str:
    """SHA-256 of the file, which is then at `part`."""
    remote.fetch(name, part, MAX_BYTES)
    with part.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _move(part: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part.replace(target)


def _lost(state: str) -> ApiError:
    if state == "changed":
        return ApiError("source_changed", "This picture has changed where it lies since it came in")
    return ApiError("source_gone", "This picture is no longer where it lay")


def _unreachable() -> ApiError:
    return ApiError("source_unreachable", "The place where this picture lies cannot be reached now")
