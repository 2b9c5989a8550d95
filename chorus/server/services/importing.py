"""Bringing pictures in: folder, upload or CSV; validated in other processes, kept in chunks."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
import shutil
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import msgspec

from chorus.server.clock import now_ms
from chorus.server.domain.model import Item, Job, Project
from chorus.server.errors import ApiError
from chorus.server.formats.folder import BadFolder, list_folder
from chorus.server.formats.images import Fault, Prepared
from chorus.server.formats.tables import BadTable, read_table
from chorus.server.services.projects import Projects
from chorus.server.services.recording import Delta, settle
from chorus.server.storage.blobs import BlobStore
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

log = logging.getLogger(__name__)

BATCH = 32
"""Pictures per call of a worker, and per transaction."""
AHEAD = 4
"""Calls on their way at once: keeps the workers busy while results are stored in order."""
FAULTS_SHOWN = 1000
TABLE_SUFFIXES = (".csv", ".tsv")

Call = Callable[..., Awaitable[Any]]


class Upload(Protocol):
    """An uploaded file, as the web framework gives it."""

    filename: str | None

    async def read(self, size: int = -1) -> bytes: ...


class Entry(msgspec.Struct):
    """One picture to bring in."""

    name: str
    path: str
    label: str | None = None
    gold: bool = False
    """People are checked against the label later on (see checking)."""


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
        self._pictures: dict[tuple[str, str], None] = {}
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

    def recent(self, project_id: str) -> list[dict[str, Any]]:
        """Running imports and the last one, for the dashboard."""
        shown = self._shown.get(project_id, deque())
        last = shown[-1] if shown else None
        return [r.public() for r in shown if r.job.state == "running" or r is last]

    # -- the three ways in

    # `gold`: every label that comes in is gold, besides those that the table itself marks.

    async def from_folder(self, project_id: str, user_id: str, folder: str) -> dict[str, Any]:
        # Listed before the job starts: a folder that is not there is refused here.
        try:
            entries, faults = await asyncio.to_thread(_folder_entries, Path(folder))
        except BadFolder as error:
            raise ApiError("bad_value", str(error)) from None
        return await self._begin(project_id, user_id, lambda: (entries, faults), None)

    async def from_csv(
        self, project_id: str, user_id: str, csv: str, gold: bool = False
    ) -> dict[str, Any]:
        path = Path(csv)
        # Read whole before the job starts: a table without its columns is refused here.
        entries = await asyncio.to_thread(_table_entries, path, gold)
        return await self._begin(project_id, user_id, lambda: (entries, []), None)

    async def from_upload(
        self, project_id: str, user_id: str, files: Sequence[Upload], gold: bool = False
    ) -> dict[str, Any]:
        folder = self._uploads / secrets.token_hex(8)
        try:
            tables = []
            for n, file in enumerate(files):
                name = _safe_name(file.filename, n)
                target = folder / "files" / name
                await asyncio.to_thread(target.parent.mkdir, parents=True, exist_ok=True)
                with target.open("wb") as out:
                    while chunk := await file.read(1 << 20):
                        await asyncio.to_thread(out.write, chunk)
                if target.suffix.lower() in TABLE_SUFFIXES:
                    tables.append(target)
            labels: dict[str, Entry] = {}
            for table in tables:
                # Of an uploaded table only names and labels count; its paths are never read.
                listed = await asyncio.to_thread(_table_entries, table, gold)
                labels.update((entry.name, entry) for entry in listed)
        except BaseException:
            await asyncio.to_thread(shutil.rmtree, folder, True)
            raise

        def entries() -> tuple[list[Entry], list[Fault]]:
            found, faults = _folder_entries(folder / "files")
            if tables:
                names = {PurePosixPath(e.name).name for e in found} | {e.name for e in found}
                for entry in found:
                    base = PurePosixPath(entry.name).name
                    row = labels.get(entry.name, labels.get(base))
                    if row is not None:
                        entry.label, entry.gold = row.label, row.gold
                faults += [
                    Fault(name, "named in the CSV, but not among the files")
                    for name in labels
                    if name not in names
                ]
            return found, faults

        return await self._begin(project_id, user_id, entries, folder)

    # -- the work

    async def _begin(
        self,
        project_id: str,
        user_id: str,
        entries: Callable[[], tuple[list[Entry], list[Fault]]],
        folder: Path | None,
    ) -> dict[str, Any]:
        now = now_ms()
        job = Job(
            secrets.token_hex(6), project_id, "import", None, "running", 0.0, 1, None, None,
            user_id, now, now, None,
        )  # fmt: skip
        await self._store.write(lambda tx: tx.add_job(job))
        running = Running(job)
        self._shown.setdefault(project_id, deque(maxlen=20)).append(running)
        task = asyncio.ensure_future(self._run(running, entries, folder))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return running.public()

    async def _run(
        self,
        running: Running,
        list_entries: Callable[[], tuple[list[Entry], list[Fault]]],
        folder: Path | None,
    ) -> None:
        job = running.job
        end, reason = "done", None
        try:
            entries, faults = await asyncio.to_thread(list_entries)
            running.total = len(entries) + len(faults)
            await self._keep_faults(running, faults)
            waiting: deque[tuple[list[Entry], asyncio.Future[list[Prepared | Fault]]]] = deque()
            for at in range(0, len(entries), BATCH):
                if len(waiting) >= AHEAD:
                    await self._keep(running, *waiting.popleft())
                some = entries[at : at + BATCH]
                waiting.append((some, asyncio.ensure_future(self._prepare(some))))
            while waiting:
                await self._keep(running, *waiting.popleft())
        except asyncio.CancelledError:
            return  # the server stops; the next start marks the job
        except Exception as error:
            log.exception("import failed")
            end, reason = "failed", f"{type(error).__name__}: {error}"
        finally:
            if folder is not None:
                await asyncio.to_thread(shutil.rmtree, folder, True)
        job.state, job.error, job.finished_at = end, reason, now_ms()
        job.progress = 1.0 if end == "done" else job.progress
        result = running.public()
        job.result = msgspec.json.encode(result).decode()

        def fn(tx: Tx) -> None:
            tx.update_job(job)
            tx.emit(job.project_id, now_ms(), "import.finished", {"job": result})

        await self._store.write(fn)

    async def _prepare(self, entries: list[Entry]) -> list[Prepared | Fault]:
        """A batch whose worker died is tried picture by picture: one bad file must not take
        the others with it."""
        args = [(e.name, e.path) for e in entries]
        function, root = "chorus.server.formats.images.prepare_batch", str(self._blobs.root)
        try:
            found: list[Prepared | Fault] = await self._call(function, args, root)
            return found
        except OSError:
            raise  # the disk is full or cannot be written: say so once, not per picture
        except Exception as error:
            if len(entries) == 1:
                log.warning("preparing %s failed: %s", entries[0].name, error)
                return [Fault(entries[0].name, f"could not be processed: {error}")]
        out: list[Prepared | Fault] = []
        for entry in entries:
            out += await self._prepare([entry])
        return out

    async def _keep(
        self,
        running: Running,
        entries: list[Entry],
        future: asyncio.Future[list[Prepared | Fault]],
    ) -> None:
        prepared = await future
        job = running.job
        schema = self._projects.schema(job.project_id)
        good: list[tuple[Prepared, str | None, bool]] = []
        faults: list[Fault] = []
        for entry, result in zip(entries, prepared, strict=True):
            if isinstance(result, Fault):
                faults.append(result)
                continue
            try:
                label = schema.read(entry.label) if entry.label else None
            except ApiError as error:
                faults.append(Fault(entry.name, error.message))
                continue
            if entry.gold and label is None:
                faults.append(Fault(entry.name, "marked as gold, but without a label"))
                continue
            good.append((result, label, entry.gold))
        added = await self._store.write(
            lambda tx: add_items(tx, job.project_id, job.created_by or "", good, now_ms())
        )
        running.added += added
        running.duplicates += len(good) - added
        running.done += len(good)
        await self._keep_faults(running, faults)

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
                "errors": [{"name": n, "reason": r} for n, r in tx.faults(job_id, FAULTS_SHOWN)],
            }

        return await self._store.read(fn)

    async def picture(
        self, project_id: str, content_hash: str, size: Any
    ) -> tuple[Path, str] | None:
        """(file, media type) of a picture of this project, None if it has no such picture."""
        key = (project_id, content_hash)
        if key not in self._pictures:
            if not await self._store.read(lambda tx: tx.has_content(*key)):
                return None
            self._pictures[key] = None
            if len(self._pictures) > 50_000:
                del self._pictures[next(iter(self._pictures))]

        def find() -> tuple[Path, str] | None:
            try:
                path = self._blobs.path(content_hash, size)
                return path, self._blobs.media_type(path)
            except FileNotFoundError:
                return None

        return await asyncio.to_thread(find)


def add_items(
    tx: Tx,
    project_id: str,
    user_id: str,
    pictures: Iterable[tuple[Prepared, str | None, bool]],
    now: int,
) -> int:
    """Insert what is new; returns how many were added. pictures: (picture, canonical label or
    None, whether the label is gold)."""
    project = tx.project(project_id)
    assert project is not None
    delta = Delta()
    added = 0
    labeled: list[Item] = []
    gold = 0
    for picture, label, is_gold in pictures:
        item = _new_item(project, picture, user_id)
        if label is not None:
            # A label that came with the data counts as decided: nobody is asked again.
            item.review, item.review_value = "decided", label
            item.gold = is_gold
        settle(item, project, now)
        item_id = tx.add_item(item)
        if item_id is None:
            continue
        item.item_id = item_id
        added += 1
        gold += item.gold
        delta.added(item)
        if label is not None:
            labeled.append(item)
    if added:
        body = {"count": added, "gold": gold, **delta.body()}
        seq = tx.emit(project_id, now, "items.added", body)
        for item in labeled:
            tx.add_review(project_id, item.item_id, user_id, "import", item.review_value, seq, now)
    return added


def rank_of(seed: int, content_hash: str) -> int:
    """A random place in the order of work that depends only on the project's seed and the
    picture: the same import gives the same order, however it was chunked."""
    digest = hashlib.blake2b(f"{seed}:{content_hash}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 2


def _new_item(project: Project, picture: Prepared, user_id: str) -> Item:
    rank = rank_of(project.seed, picture.content_hash)
    return Item(
        item_id=0, project_id=project.project_id, name=picture.name,
        content_hash=picture.content_hash, width=picture.width, height=picture.height, rank=rank,
        added_by=user_id, state="unlabeled", room=0, n_labels=0, n_skips=0, n_flags=0, n_leases=0,
        n_prelabel_votes=0, reached=False, provisional=None, confidence=None, agreement=None,
        label=None, label_source=None, revision=0, label_at=None, review=None, review_value=None,
        requeue_seq=0, queue="manual", queue_pos=rank, queue_block=0, pre_value=None,
        pre_score=None, model_value=None, model_score=None, odd=None, easy_round=0,
    )  # fmt: skip


def _folder_entries(folder: Path) -> tuple[list[Entry], list[Fault]]:
    found, faults = list_folder(folder)
    return [Entry(name, path) for name, path in found], faults


def _table_entries(table: Path, gold: bool = False) -> list[Entry]:
    """`gold`: every label is. Raises `ApiError('bad_value')` for a table that cannot be read or
    lacks its columns."""
    try:
        rows = read_table(table)
        return [
            Entry(row.name, row.path, row.label, row.gold or (gold and row.label is not None))
            for row in rows
        ]
    except BadTable as error:
        raise ApiError("bad_value", f"{table.name}: {error}") from None


def _safe_name(filename: str | None, n: int) -> str:
    """A relative path below the upload folder, whatever the browser claims."""
    parts = PurePosixPath((filename or "").replace("\\", "/")).parts
    kept = [p for p in parts if p not in ("/", "..", ".", "") and not p.startswith(".")]
    return "/".join(kept[-8:]) or f"file{n}"
