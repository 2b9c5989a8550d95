"""Reading data sources: on a schedule and on request. What is new comes in, what has changed or is
gone is reported, and nothing is ever deleted.

First everything is listed, and what the listing shows is kept; then what is new is read. So a
refresh that was cancelled or cut off goes on, the next time, where it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import random
import secrets
import shutil
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from chorus.server.clock import now_ms
from chorus.server.domain import sources
from chorus.server.domain.model import Job
from chorus.server.domain.sources import Found, ObjectRow, Source, due_at, is_due
from chorus.server.errors import ApiError
from chorus.server.formats.blobfiles import Size, blob_path
from chorus.server.formats.folder import IMAGE_SUFFIXES, TEXT_SUFFIXES
from chorus.server.formats.images import MAX_BYTES, Fault, Prepared
from chorus.server.services.adding import add_items
from chorus.server.services.data_sources import DataSources, public_refresh
from chorus.server.services.preparing import Call, prepare
from chorus.server.storage.blobs import BlobStore
from chorus.server.storage.cache import Cache
from chorus.server.storage.remote import Remote, Trouble
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

log = logging.getLogger(__name__)

AT_ONCE = 2
"""Sources read at the same time; others wait."""
BATCH = 32
"""Files read, made ready and kept together."""
AHEAD = 2
"""Batches on their way at once: while one is made ready the next is fetched."""
PAST_MOST = 100
"""Earlier refreshes that are forgotten when one begins: usually there is one, and versions before
this one kept them all."""
LOOK_S = 60.0
"""A schedule is kept within so long even if the clock is set."""


class Counts(msgspec.Struct):
    """Of one refresh."""

    source_id: str
    name: str
    kind: str = "refresh"
    phase: str = "waiting"
    """waiting, listing, reading; then over."""
    listed: int = 0
    others: int = 0
    """Of no known kind, left alone."""
    total: int = 0
    """To be read …"""
    done: int = 0
    added: int = 0
    duplicates: int = 0
    faulty: int = 0
    changed: int = 0
    """Found to be no longer what came in."""
    gone: int = 0
    """Found to be no longer there."""


class Outcome(msgspec.Struct):
    """What became of some files. Counted after its commit: one that fails is tried again."""

    done: int = 0
    added: int = 0
    duplicates: int = 0
    faulty: int = 0
    changed: int = 0
    gone: int = 0

    def add_to(self, counts: Counts) -> None:
        for name in self.__struct_fields__:
            setattr(counts, name, getattr(counts, name) + getattr(self, name))


class _Running:
    """last: how the refresh before ended."""

    def __init__(self, job: Job, source: Source, last: str) -> None:
        self.job = job
        self.source = source
        self.last = last
        self.other = False
        """It has ended, and other files than before are changed, gone or cannot be read."""
        self.counts = Counts(source.source_id, source.name)
        self.work: asyncio.Task[None] | None = None
        """Can be cancelled; `task` then writes down how it ended."""
        self.task: asyncio.Task[None] | None = None

    def note(self, more: Outcome | None = None) -> Job:
        """The job as it is, with what a transaction adds to it (and `counts` once it is over)."""
        counts = msgspec.structs.replace(self.counts)
        if more is not None:
            more.add_to(counts)
        share = counts.done / counts.total if counts.total else 0.0
        self.job.progress = 1.0 if self.job.state == "done" else round(share, 4)
        self.job.result = msgspec.json.encode(counts).decode()
        return self.job


class Refreshing:
    def __init__(
        self, store: Store, data: DataSources, blobs: BlobStore, cache: Cache, call: Call,
        scratch: Path,
    ) -> None:  # fmt: skip
        self._store = store
        self._data = data
        self._blobs = blobs
        self._cache = cache
        self._call = call
        self._scratch = scratch
        self._running: dict[str, _Running | None] = {}
        """By source; None: it is about to begin."""
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._wake = asyncio.Event()
        self._clock: asyncio.Task[None] | None = None
        self._closed = False
        self.changed: Callable[[str], None] = lambda project_id: None

    # -- life

    async def start(self) -> None:
        """Schedules go on; what a stop of the server cut off is taken up again at once if it was on
        a schedule."""

        def fn(tx: Tx) -> None:
            for job in tx.unfinished_jobs():
                if job.kind != "refresh":
                    continue
                job.state, job.finished_at = "failed", now_ms()
                job.error = "the server was restarted; the next refresh goes on from here"
                tx.update_job(job)
                counts = msgspec.json.decode(job.result or "{}", type=dict[str, Any])
                source = tx.source(str(counts.get("source_id")))
                if source is not None and source.every_ms is not None:
                    tx.change_source(source.source_id, {"next_at": now_ms()})

        await self._store.write(fn)
        await asyncio.to_thread(shutil.rmtree, self._scratch, True)
        self._clock = asyncio.ensure_future(self._keep_schedule())

    async def stop(self) -> None:
        self._closed = True
        running = [r for r in self._running.values() if r is not None]
        tasks = [r.task for r in running if r.task is not None]
        for work in [*(r.work for r in running), self._clock]:
            if work is not None:
                work.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def idle(self) -> None:
        """Wait until no files are coming in anywhere."""
        while tasks := [r.task for r in self._running.values() if r is not None and r.task]:
            await asyncio.wait(tasks)

    def rescheduled(self) -> None:
        """A source was added or its schedule changed."""
        self._wake.set()

    async def _keep_schedule(self) -> None:
        while True:
            self._wake.clear()
            patience = LOOK_S
            try:
                patience = min(patience, await self._begin_all_due())
            except Exception:  # a disk that is full for a moment must not end all schedules
                log.exception("schedules of sources could not be read")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._wake.wait()

    async def _begin_all_due(self) -> float:
        """Returns how many seconds there are until the next."""
        waiting = await self._store.read(lambda tx: tx.scheduled_sources())
        now = now_ms()
        for source in waiting:
            if is_due(source.next_at, source.every_ms, now):
                await self._begin_due(source)
        later = [s.next_at - now for s in waiting if s.next_at is not None and s.next_at > now]
        return min(later, default=1000 * LOOK_S) / 1000

    async def _begin_due(self, source: Source) -> None:
        try:
            await self.begin(source.project_id, source.source_id, None)
        except ApiError as error:
            if error.code != "conflict":  # it is being read already
                log.warning("source %s is not read: %s", source.source_id, error.message)
            at = due_at(source.every_ms, now_ms())
            await self._store.write(lambda tx: tx.change_source(source.source_id, {"next_at": at}))

    # -- on request

    async def begin(self, project_id: str, source_id: str, user_id: str | None) -> dict[str, Any]:
        """Start reading a source; its Refresh. Raises not_found, conflict (it is being read)."""
        if source_id in self._running:
            raise ApiError("conflict", "this source is being read already")
        now = now_ms()
        job = Job(
            secrets.token_hex(6), project_id, "refresh", None, "running", 0.0, 1, None, None,
            user_id, now, now, None,
        )  # fmt: skip

        def fn(tx: Tx) -> _Running:
            source = tx.source(source_id)
            if source is None or source.project_id != project_id:
                raise ApiError("not_found", "no such source")
            project = tx.project(project_id)
            if project is None or project.state in ("archived", "deleting"):
                raise ApiError("conflict", "this project is archived: bring it back to change it")
            last = tx.job(source.last_job) if source.last_job else None
            running = _Running(job, source, "done" if last is None else last.state)
            tx.add_job(running.note())
            tx.begin_refresh(source_id, job.job_id, due_at(source.every_ms, now))
            tx.forget_refreshes(project_id, PAST_MOST)
            return running

        self._running[source_id] = None
        try:
            running = await self._store.write(fn)
        except BaseException:
            del self._running[source_id]
            raise
        self._running[source_id] = running
        running.task = asyncio.ensure_future(self._run(running))
        self._wake.set()
        return public_refresh(job)

    async def cancel(self, project_id: str, source_id: str) -> None:
        """What has come in stays. Raises not_found: it is not being read."""
        running = self._running.get(source_id)
        if running is None or running.source.project_id != project_id:
            raise ApiError("not_found", "this source is not being read")
        if running.work is not None:
            running.work.cancel()
        if running.task is not None:
            await asyncio.wait([running.task])

    # -- the work

    async def _run(self, running: _Running) -> None:
        job, folder = running.job, self._scratch / running.job.job_id
        end, reason = "done", None
        running.work = asyncio.ensure_future(self._refresh(running, folder))
        try:
            await running.work
        except asyncio.CancelledError:
            if self._closed:
                return  # the next start takes it up
            end = "cancelled"
        except Trouble as trouble:
            end, reason = "failed", trouble.message
        except Exception as error:
            log.exception("refresh failed")
            end, reason = "failed", f"{type(error).__name__}: {error}"
        finally:
            self._running.pop(running.source.source_id, None)
            await asyncio.to_thread(shutil.rmtree, folder, True)
        job.state, job.error, job.finished_at = end, reason, now_ms()
        counts = running.counts
        counts.phase = "over"
        # What a schedule finds every minute is news once: nothing new, a place that cannot be
        # reached, files that may be listed and not read.
        asked = job.created_by is not None
        news = asked or counts.added > 0 or running.other or end != running.last

        def fn(tx: Tx) -> None:
            tx.update_job(running.note())
            if news:
                tx.emit(job.project_id, now_ms(), "import.finished", {"job": _told(running)})

        await self._store.persist(fn)
        self.changed(job.project_id)

    async def _refresh(self, running: _Running, folder: Path) -> None:
        async with self._slots:
            source_id = running.source.source_id
            remote = await self._data.run(self._data.open, running.source)
            before = await self._store.read(lambda tx: tx.not_in(source_id))
            await self._list(running, remote)
            await self._read_new(running, remote, folder)
            running.other = await self._store.read(lambda tx: tx.not_in(source_id)) != before

    async def _list(self, running: _Running, remote: Remote) -> None:
        """Keep what there is now, and what is missing."""
        source, counts = running.source, running.counts
        counts.phase = "listing"
        texts = self._data.of_texts(source.project_id)
        suffixes = TEXT_SUFFIXES if texts else IMAGE_SUFFIXES
        parts = iter(remote.listing())
        digests = array("Q")
        while (part := await self._data.run(next, parts, None)) is not None:
            known = [f for f in part if PurePosixPath(f.name).suffix.lower() in suffixes]
            counts.others += len(part) - len(known)
            counts.listed += len(known)
            digests.extend(_digest(f.name) for f in known)
            await self._store.write(lambda tx, known=known: _keep(tx, running, known))  # type: ignore[misc]
        there = np.sort(np.frombuffer(digests, np.uint64)) if digests else np.empty(0, np.uint64)
        after: str | None = ""
        while after is not None:
            after, missed = await self._store.write(
                lambda tx, after=after: _miss(tx, source, there, after)  # type: ignore[misc]
            )
            missed.add_to(counts)

    async def _read_new(self, running: _Running, remote: Remote, folder: Path) -> None:
        source, counts = running.source, running.counts
        counts.phase = "reading"
        counts.total = await self._store.read(
            lambda tx: tx.object_counts(source.source_id).get("new", 0)
        )
        firsts = await self._store.read(lambda tx: tx.new_runs(source.source_id, BATCH))
        left = list(zip(firsts, [*firsts[1:], None], strict=False))
        # Whoever labels meanwhile, for hours with a large bucket, sees a sample of all of it and
        # not its first folders, and so does the model: what it is tested on must be like the rest.
        random.Random(source.source_id).shuffle(left)
        waiting: list[asyncio.Task[None]] = []
        try:
            while left or waiting:
                while left and len(waiting) < AHEAD:
                    first, beyond = left.pop()
                    rows = await self._store.read(
                        lambda tx, first=first, beyond=beyond: tx.new_objects(  # type: ignore[misc]
                            source.source_id, first, beyond
                        )
                    )
                    if rows:
                        part = folder / secrets.token_hex(4)
                        waiting.append(
                            asyncio.ensure_future(self._read(running, remote, rows, part))
                        )
                if waiting:
                    await waiting.pop(0)
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def _read(
        self, running: _Running, remote: Remote, rows: Sequence[ObjectRow], folder: Path
    ) -> None:
        """Bring some files in. Raises `Trouble` when the source as a whole cannot be read."""
        paths = [folder / str(n) for n in range(len(rows))]
        try:
            texts = self._data.of_texts(running.source.project_id)
            fetched = await asyncio.gather(
                *(
                    self._data.run(_fetch, remote, row, path, texts)
                    for row, path in zip(rows, paths, strict=True)
                ),
                return_exceptions=True,  # or some would still write when the folder goes
            )
            after: list[ObjectRow | None] = []
            for result in fetched:
                if isinstance(result, BaseException):
                    raise result
                after.append(result)
            ready = [n for n, row in enumerate(after) if row is not None and row.state == "in"]
            files = [(rows[n].name, str(paths[n])) for n in ready]
            answers = await self._prepare(running.source, files)
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, True)
        pictures: list[Prepared] = []
        for n, answer in zip(ready, answers, strict=True):
            if isinstance(answer, Fault):
                after[n] = sources.refused(rows[n], answer.reason, for_good=True)
                continue
            after[n] = sources.read(rows[n], answer.content_hash)
            if rows[n].content_hash is None:
                pictures.append(answer)
        came = await self._store.write(lambda tx: _bring(tx, running, rows, after, pictures))
        came.add_to(running.counts)
        self.changed(running.job.project_id)

    async def _prepare(
        self, source: Source, files: Sequence[tuple[str, str]]
    ) -> list[Prepared | Fault]:
        if not files:
            return []
        if self._data.of_texts(source.project_id):
            return await prepare(self._call, "texts.prepare_texts", files, str(self._blobs.root))
        if source.mode == "copy":
            return await prepare(self._call, "images.prepare_batch", files, str(self._blobs.root))
        found = await prepare(
            self._call, "images.prepare_batch", files, str(self._cache.root), False
        )
        made: list[Size] = ["s", "m"]
        written = [
            blob_path(self._cache.root, f.content_hash, size)
            for f in found
            if isinstance(f, Prepared)
            for size in made
        ]
        await asyncio.to_thread(self._cache.grown, written)
        return found


def _fetch(remote: Remote, row: ObjectRow, path: Path, text: bool) -> ObjectRow | None:
    """The row as it is once its file is here; None: it is forgotten. Runs in a thread. Raises
    `Trouble` that is not this file's alone."""
    if row.size > MAX_BYTES:
        reason = f"the file has {row.size / 1e6:.0f} MB; the limit is {MAX_BYTES / 1e6:.0f} MB"
        return sources.refused(row, reason, for_good=True)
    try:
        remote.fetch(row.name, path, MAX_BYTES)
    except Trouble as trouble:
        if trouble.kind == "unreachable":
            raise
        if trouble.kind == "gone":
            return sources.missed(row)
        return sources.refused(row, trouble.message, for_good=False)
    if row.content_hash is None or text:
        return row._replace(state="in")  # (a text's hash is that of its words, known later)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return sources.read(row, digest)


def _digest(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")


def _keep(tx: Tx, running: _Running, found: Sequence[Found]) -> None:
    source_id = running.source.source_id
    rows = {r.name: r for r in tx.objects_named(source_id, [f.name for f in found])}
    after = [sources.seen(rows.get(f.name), f) for f in found]
    tx.put_objects(source_id, [row for row in after if row is not None])
    tx.update_job(running.note())


def _miss(
    tx: Tx, source: Source, there: NDArray[np.uint64], after: str
) -> tuple[str | None, Outcome]:
    """Of a stretch of what is kept: report what is not there. Returns where to go on."""
    source_id, limit = source.source_id, 1000
    found = Outcome()
    rows = tx.objects(source_id, None, after, limit)
    if rows:
        digests = np.array([_digest(r.name) for r in rows], np.uint64)
        at = np.searchsorted(there, digests).clip(0, max(0, len(there) - 1))
        here = there[at] == digests if len(there) else np.zeros(len(rows), bool)
        absent = [row for row, is_here in zip(rows, here, strict=True) if not is_here]
        now = {row.name: sources.missed(row) for row in absent}
        tx.put_objects(source_id, [row for row in now.values() if row is not None])
        forgotten = [name for name, row in now.items() if row is None]
        if forgotten:
            tx.drop_objects(source_id, forgotten)
        found.gone = sum(row.state != "gone" and row.content_hash is not None for row in absent)
    return rows[-1].name if len(rows) == limit else None, found


def _bring(
    tx: Tx, running: _Running, before: Sequence[ObjectRow], after: Sequence[ObjectRow | None],
    pictures: Sequence[Prepared],
) -> Outcome:  # fmt: skip
    source = running.source
    came = add_items(
        tx, source.project_id, source.created_by, [(p, None, False) for p in pictures], now_ms()
    )
    kept = [row for row in after if row is not None]
    tx.put_objects(source.source_id, kept)
    lost = [row.name for row, now in zip(before, after, strict=True) if now is None]
    if lost:
        tx.drop_objects(source.source_id, lost)
    for row in kept:
        if row.state == "faulty":
            tx.add_fault(running.job.job_id, row.name, row.reason or "")
    states = Counter(row.state for row in kept)
    found = Outcome(
        done=len(before),
        added=came.added,
        duplicates=len(pictures) - came.added,
        faulty=states["faulty"],
        changed=states["changed"],
        gone=states["gone"],
    )
    tx.update_job(running.note(found))
    return found


def _told(running: _Running) -> dict[str, Any]:
    counts, job = running.counts, running.job
    return {
        "job_id": job.job_id, "kind": "refresh", "state": job.state, "progress": job.progress,
        "added": counts.added, "duplicates": counts.duplicates, "faulty": counts.faulty,
        "total": counts.total, "error": job.error, "source": counts.name,
        "changed": counts.changed, "gone": counts.gone,
    }  # fmt: skip
