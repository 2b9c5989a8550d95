"""Bringing pictures and texts in: validated in other processes, kept in chunks."""

from __future__ import annotations

import asyncio
import logging
import secrets
import shutil
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec

from chorus.server.clock import now_ms
from chorus.server.domain.model import Job
from chorus.server.domain.shapes import Size
from chorus.server.domain.tasks import is_text
from chorus.server.domain.values import Schema
from chorus.server.errors import ApiError
from chorus.server.formats.archives import PART, BadArchive, another, place
from chorus.server.formats.images import Fault, Prepared
from chorus.server.formats.tables import BadTable
from chorus.server.formats.textrows import Plan, Row, Stretch, Table
from chorus.server.services import sources
from chorus.server.services.adding import add_items
from chorus.server.services.fitting import fitting
from chorus.server.services.preparing import Call, prepare
from chorus.server.services.projects import Projects
from chorus.server.services.sources import Entry, Listing, Options, Rows
from chorus.server.storage.blobs import BlobStore
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

log = logging.getLogger(__name__)

BATCH = 32
"""Files per call of a worker, and per transaction; of tables see formats/textrows."""
AHEAD = 4
"""Calls on their way at once: keeps the workers busy while results are stored in order."""
FAULTS_SHOWN = 1000
_FORMATS = "chorus.server.formats"

Pair = tuple[Entry, Prepared | Fault]
"""What was to come in, and what became of it."""


class Ready(NamedTuple):
    """An import of which all is checked that can be before it begins."""

    list_files: Callable[[], Listing]
    scratch: Path
    """A folder that it has to itself, and that is gone when it ends."""


class Upload(Protocol):
    """An uploaded file, as the web framework gives it."""

    filename: str | None

    async def read(self, size: int = -1) -> bytes: ...


class Running(msgspec.Struct):
    """Counts of one import, updated as chunks land."""

    job: Job
    total: int = 0
    added: int = 0
    duplicates: int = 0
    faulty: int = 0
    done: int = 0

    def public(self) -> dict[str, Any]:
        share = self.done / self.total if self.total else 0.0
        return {
            "job_id": self.job.job_id,
            "kind": "import",
            "state": self.job.state,
            "progress": 1.0 if self.job.state == "done" else round(share, 4),
            "added": self.added,
            "duplicates": self.duplicates,
            "faulty": self.faulty,
            "total": self.total,
            "error": self.job.error,
        }


class Importing:
    """`call(function, *args)` runs a function in a worker process (see jobs/pool)."""

    def __init__(
        self, store: Store, projects: Projects, blobs: BlobStore, call: Call, uploads: Path,
        upload_max_bytes: int,
    ) -> None:  # fmt: skip
        self._store = store
        self._projects = projects
        self._blobs = blobs
        self._call = call
        self._uploads = uploads
        self.upload_max_bytes = upload_max_bytes
        self._shown: dict[str, deque[Running]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.changed: Callable[[str], None] = lambda project_id: None

    # -- life

    async def start(self) -> None:
        """Imports cut off by a stop are marked so; what they brought in is in."""

        def fn(tx: Tx) -> None:
            for job in tx.unfinished_jobs():
                if job.kind == "import":
                    job.state, job.finished_at = "failed", now_ms()
                    job.error = (
                        "the server was restarted; import again: "
                        "what is in already is skipped as duplicate"
                    )
                    tx.update_job(job)

        await self._store.write(fn)
        await asyncio.to_thread(shutil.rmtree, self._uploads, True)
        await asyncio.to_thread(self._blobs.sweep)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def idle(self) -> None:
        """Wait until no files are coming in anywhere."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def recent(self, project_id: str) -> list[dict[str, Any]]:
        """Running imports and the last one, for the dashboard."""
        shown = self._shown.get(project_id, deque())
        last = shown[-1] if shown else None
        return [r.public() for r in shown if r.job.state == "running" or r is last]

    # -- the three ways in

    # `gold`: every label that comes in is gold, besides those that the table itself marks.
    # `columns`: the columns of a table of texts that people see.

    async def from_folder(
        self, project_id: str, user_id: str, folder: str, columns: list[str] | None = None
    ) -> dict[str, Any]:
        options = self._options(project_id, False, columns)
        ready = await self._listed(sources.of_folder, Path(folder), options)
        return await self._begin(project_id, user_id, ready)

    async def from_csv(
        self,
        project_id: str,
        user_id: str,
        csv: str,
        gold: bool = False,
        columns: list[str] | None = None,
    ) -> dict[str, Any]:
        options = self._options(project_id, gold, columns)
        ready = await self._listed(sources.of_table, Path(csv), options)
        return await self._begin(project_id, user_id, ready)

    async def from_upload(
        self,
        project_id: str,
        user_id: str,
        files: Sequence[Upload],
        gold: bool = False,
        columns: list[str] | None = None,
    ) -> dict[str, Any]:
        options = self._options(project_id, gold, columns)
        folder = self._scratch()
        here = folder / "files"
        try:
            await self.stage(files, here)
            ready = await self._staged(here, options)
        except BaseException:
            await asyncio.to_thread(shutil.rmtree, folder, True)
            raise
        return await self._begin(project_id, user_id, ready)

    async def stage(self, files: Sequence[Upload], here: Path) -> None:
        """Write uploaded files below `here`; those of a zip take its place. None takes the place of
        another. Raises `ApiError`."""
        await asyncio.to_thread(here.mkdir, parents=True, exist_ok=True)
        for n, file in enumerate(files):
            name = sources.safe_name(file.filename, n)
            if name is None:
                continue
            part, target = here / PART, here / name
            try:
                await asyncio.to_thread(target.parent.mkdir, parents=True, exist_ok=True)
                with part.open("wb") as out:
                    while chunk := await file.read(1 << 20):
                        await asyncio.to_thread(out.write, chunk)
                if target.suffix.lower() == ".zip":
                    await self._unpack(part, target)
                elif not await asyncio.to_thread(place, part, target):
                    raise ApiError("bad_value", another(name))
            except (FileExistsError, NotADirectoryError, IsADirectoryError):
                raise ApiError("bad_value", f"{name}: a file has the name of a folder") from None
            finally:
                await asyncio.to_thread(part.unlink, True)

    # -- for a project that is not made yet: checked first, its job made with the project

    async def ready(self, place: Path, options: Options, *, staged: bool) -> Ready:
        """For a folder or a table on the server; staged: for files that lie in the folder `place`
        already, which is gone afterwards, with the folder it lies in. Raises `ApiError`."""
        if staged:
            return await self._staged(place, options)
        is_file = await asyncio.to_thread(place.is_file)
        return await self._listed(
            sources.of_table if is_file else sources.of_folder, place, options
        )

    def go(self, job: Job, ready: Ready) -> dict[str, Any]:
        """Begin; after the commit that has the job (see `new_job`)."""
        running = Running(job)
        self._shown.setdefault(job.project_id, deque(maxlen=20)).append(running)
        task = asyncio.ensure_future(self._run(running, ready.list_files, ready.scratch))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return running.public()

    async def _unpack(self, part: Path, archive: Path) -> None:
        """The files of an uploaded zip, which lies at `part`, take the place of `archive`."""
        # Hidden, so none of them is called so.
        packed = archive.with_name(f".{archive.name}")
        await asyncio.to_thread(part.replace, packed)
        try:
            await self._call(f"{_FORMATS}.archives.unpack", str(packed), str(archive.parent))
        except BadArchive as error:
            raise ApiError("bad_value", f"{archive.name}: {error}") from None
        finally:
            await asyncio.to_thread(packed.unlink, True)

    def _options(self, project_id: str, gold: bool, columns: list[str] | None) -> Options:
        return options_of(self._projects.schema(project_id).task_type, gold, columns)

    async def _listed(
        self, read: Callable[[Path, Options], Listing], place: Path, options: Options
    ) -> Ready:
        """Read before the job starts: a folder that is not there, or a table without its columns,
        is refused here."""
        listing = await asyncio.to_thread(read, place, options)
        return Ready(lambda: listing, self._scratch())

    async def _staged(self, here: Path, options: Options) -> Ready:
        """Of files that were sent, in a folder of one that goes with them; its tables are refused
        here as those of `_listed`."""
        listed = await asyncio.to_thread(sources.tables_in, here, options)
        return Ready(partial(sources.of_upload, here, listed, options), here.parent)

    def _scratch(self) -> Path:
        """A folder that one import has to itself, and that is gone when it ends."""
        return self._uploads / secrets.token_hex(8)

    # -- the work

    async def _begin(self, project_id: str, user_id: str, ready: Ready) -> dict[str, Any]:
        job = await self._store.write(lambda tx: new_job(tx, project_id, user_id))
        return self.go(job, ready)

    async def _run(
        self, running: Running, list_files: Callable[[], Listing], scratch: Path
    ) -> None:
        job = running.job
        end, reason = "done", None
        try:
            listing = await asyncio.to_thread(list_files)
            # All tables are read to their end first: of a broken one nothing goes in.
            plans = [await self._scan(rows, scratch) for rows in listing.tables]
            running.total = len(listing.entries) + len(listing.faults) + sum(p.rows for p in plans)
            await self._keep_faults(running, listing.faults)
            waiting: deque[asyncio.Future[list[Pair]]] = deque()
            for prepare in self._calls(listing, plans, self._projects.schema(job.project_id)):
                if len(waiting) >= AHEAD:
                    await self._keep(running, await waiting.popleft())
                waiting.append(asyncio.ensure_future(prepare()))
            while waiting:
                await self._keep(running, await waiting.popleft())
        except asyncio.CancelledError:
            return  # the server stops; the next start marks the job
        except (ApiError, BadTable) as error:
            end, reason = "failed", getattr(error, "message", str(error))
        except Exception as error:
            log.exception("import failed")
            end, reason = "failed", f"{type(error).__name__}: {error}"
        finally:
            await asyncio.to_thread(shutil.rmtree, scratch, True)
        job.state, job.error, job.finished_at = end, reason, now_ms()
        job.progress = 1.0 if end == "done" else job.progress
        result = running.public()
        job.result = msgspec.json.encode(result).decode()

        def fn(tx: Tx) -> None:
            tx.update_job(job)
            tx.emit(job.project_id, now_ms(), "import.finished", {"job": result})

        await self._store.persist(fn)

    async def _scan(self, rows: Rows, scratch: Path) -> Plan:
        try:
            plan: Plan = await self._call(
                f"{_FORMATS}.textrows.scan", rows.path, rows.name, rows.columns, str(scratch)
            )
        except BadTable as error:
            raise BadTable(f"{rows.name}: {error}") from None
        return plan

    def _calls(
        self, listing: Listing, plans: list[Plan], schema: Schema
    ) -> Iterator[Callable[[], Awaitable[list[Pair]]]]:
        """The pieces of work that an import consists of, in order."""
        function = "texts.prepare_texts" if is_text(schema.task_type) else "images.prepare_batch"
        for at in range(0, len(listing.entries), BATCH):
            yield partial(self._prepare, function, listing.entries[at : at + BATCH])
        for rows, plan in zip(listing.tables, plans, strict=True):
            for stretch in plan.stretches:
                yield partial(self._prepare_rows, plan.table, stretch, rows.gold, 0, stretch.rows)

    async def _prepare(self, function: str, entries: list[Entry]) -> list[Pair]:
        files = [(e.name, e.path) for e in entries]
        found = await prepare(self._call, function, files, str(self._blobs.root))
        return list(zip(entries, found, strict=True))

    async def _prepare_rows(
        self, table: Table, stretch: Stretch, gold: bool, first: int, count: int
    ) -> list[Pair]:
        """As `_prepare`, of `count` rows of a stretch."""
        function, root = f"{_FORMATS}.textrows.prepare_rows", str(self._blobs.root)
        try:
            found: list[Row] = await self._call(function, table, stretch, first, count, root)
            return [
                (Entry(r.name, "", r.label, r.gold or (gold and r.label is not None)), r.answer)
                for r in found
            ]
        except (OSError, BadTable):
            raise
        except Exception as error:
            if count == 1:
                name = f"{table.name}, row {first + 1} after line {stretch.line}"
                log.warning("preparing %s failed: %s", name, error)
                return [(Entry(name, ""), Fault(name, f"could not be processed: {error}"))]
        out: list[Pair] = []
        for row in range(first, first + count):
            out += await self._prepare_rows(table, stretch, gold, row, 1)
        return out

    async def _keep(self, running: Running, prepared: list[Pair]) -> None:
        job = running.job
        schema = self._projects.schema(job.project_id)
        good: list[tuple[Prepared, str | None, bool]] = []
        faults: list[Fault] = []
        for entry, result in prepared:
            if isinstance(result, Fault):
                faults.append(result)
                continue
            try:
                label = _canonical(schema, entry.label, (result.width, result.height))
            except ApiError as error:
                faults.append(Fault(entry.name, error.message))
                continue
            if entry.gold and label is None:
                faults.append(Fault(entry.name, "marked as gold, but without a label"))
                continue
            good.append((result, label, entry.gold))
        came = await self._store.write(
            lambda tx: add_items(tx, job.project_id, job.created_by or "", good, now_ms())
        )
        known = len(good) - came.added - len(came.untaken)
        running.added += came.added
        running.duplicates += known
        running.done += came.added + known
        await self._keep_faults(running, faults + came.untaken)

    async def _keep_faults(self, running: Running, faults: list[Fault]) -> None:
        running.faulty += len(faults)
        running.done += len(faults)
        job = running.job
        job.progress = running.done / max(1, running.total)
        job.result = msgspec.json.encode(running.public()).decode()

        def fn(tx: Tx) -> None:
            for fault in faults:
                tx.add_fault(job.job_id, fault.name, fault.reason)
            tx.update_job(job)

        await self._store.write(fn)
        self.changed(job.project_id)

    # -- asking

    async def job(self, project_id: str, job_id: str) -> dict[str, Any]:
        def fn(tx: Tx) -> dict[str, Any]:
            job = tx.job(job_id)
            if job is None or job.project_id != project_id:
                raise ApiError("not_found", "no such job")
            counts = msgspec.json.decode(job.result) if job.result else {}
            faults = tx.faults(job_id, FAULTS_SHOWN)
            errors = ({"name": name, "reason": reason} for name, reason in faults)
            return {
                "added": 0,
                "duplicates": 0,
                "faulty": 0,
                "total": 0,
                **counts,
                "job_id": job.job_id,
                "kind": job.kind,
                "state": job.state,
                "progress": job.progress,
                "error": job.error,
                "errors": list(fitting(errors)),
            }

        return await self._store.read(fn)


def options_of(task_type: str, gold: bool, columns: list[str] | None) -> Options:
    """Raises bad_value for columns where there are no texts."""
    text = is_text(task_type)
    if columns is not None and not text:
        raise ApiError("bad_value", "columns are chosen for texts; this project has pictures")
    return Options(text, gold, columns or None)


def new_job(tx: Tx, project_id: str, user_id: str) -> Job:
    """An import that begins now; a stop of the server from here on marks it as cut off."""
    now = now_ms()
    job = Job(
        secrets.token_hex(6), project_id, "import", None, "running", 0.0, 1, None, None,
        user_id, now, now, None,
    )  # fmt: skip
    tx.add_job(job)
    return job


def _canonical(schema: Schema, label: str | list[str] | None, size: Size) -> str | None:
    """The canonical value of a label as it came; size: of the picture. Raises
    `ApiError('bad_value')`."""
    if isinstance(label, list):
        if schema.multilabel:
            return schema.parse({"classes": label})
        if len(label) != 1:
            raise ApiError("bad_value", f"one class is needed, not {len(label)}")
        label = label[0]
    return schema.read(label, size) if label else None
