"""Exports to keep: a job each, one moment of the project, a zip on disk until somebody deletes it.

In two steps. A reader's single transaction writes what it finds to a spool, so that the whole
export is of one moment although people go on labeling; then a worker process turns the spool into
the files of the format. Neither needs more memory for a larger project.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import logging
import secrets
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec

from chorus import __version__
from chorus.server.clock import now_ms
from chorus.server.domain.filters import Filter
from chorus.server.domain.model import Job
from chorus.server.domain.tasks import is_shapes, is_text
from chorus.server.errors import ApiError, JobFailed
from chorus.server.formats.bundle import FORMATS, PICTURE_FORMATS, SHAPE_FORMATS, Head
from chorus.server.formats.spool import SpoolWriter
from chorus.server.services import export_rows
from chorus.server.services.background import Tasks
from chorus.server.services.projects import Projects
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

log = logging.getLogger(__name__)

SHOWN = 200
"""Newest exports of a project in its list."""
READING = 0.3
"""Share of an export's progress until its rows are read."""
RULES = (
    "task_type", "votes_min", "votes_max", "skips_max", "consensus", "set_rule", "target",
    "iou", "shape_agreement", "prelabel", "cluster", "ordering", "gold_rate", "audit_share",
    "second_look",
)  # fmt: skip
"""Settings by which votes became labels."""

People = Literal["logins", "pseudonyms"]


class RunJob(Protocol):
    def __call__(
        self, function: str, params: dict[str, Any], on_progress: Callable[[float, int], None]
    ) -> Awaitable[tuple[dict[str, Any], int]]: ...


class Order(msgspec.Struct, kw_only=True):
    """What somebody wants exported."""

    format: str
    wanted: Filter
    filter: dict[str, Any]
    """`wanted` as it came, for people to read."""
    people: People
    content: bool


class Exports:
    """`run_job` runs a function in a worker (see jobs/runner)."""

    def __init__(
        self, store: Store, projects: Projects, run_job: RunJob, folder: Path, blobs: list[Path],
        secret: str,
    ) -> None:  # fmt: skip
        self._store = store
        self._projects = projects
        self._run_job = run_job
        self._folder = folder
        self._blobs = blobs
        self._key = hashlib.blake2b(b"pseudonyms", key=secret.encode()[:64]).digest()
        self._running: dict[str, Job] = {}
        """Those that have not ended."""
        self._tasks = Tasks[str]("export %s failed")
        self._turn = asyncio.Lock()
        """One at a time: they share the disk and the workers with imports."""

    # -- life

    async def start(self) -> None:
        """Exports that a stop of the server cut off are marked so."""

        def fn(tx: Tx) -> None:
            for job in tx.unfinished_jobs():
                if job.kind == "export":
                    job.state, job.error = "failed", "the server was restarted; export again"
                    job.finished_at = now_ms()
                    tx.update_job(job)

        await self._store.write(fn)
        await asyncio.to_thread(_sweep, self._folder)

    async def stop(self) -> None:
        await self._tasks.stop()

    # -- asking for one

    async def begin(self, project_id: str, user_id: str, order: Order) -> dict[str, Any]:
        """Raises bad_value for a format that does not fit the project's task."""
        fitting = formats_of(self._projects.schema(project_id).task_type)
        if order.format not in fitting:
            raise ApiError("bad_value", f"format must be one of {', '.join(fitting)}")
        now = now_ms()
        job = Job(
            secrets.token_hex(6), project_id, "export", None, "waiting", 0.0, 0, None,
            msgspec.json.encode(_result(order)).decode(), user_id, now, None, None,
        )  # fmt: skip
        await self._store.write(lambda tx: tx.add_job(job))
        self._running[job.job_id] = job
        self._tasks.begin(job.job_id, lambda: self._run(job, order))
        return await self.get(project_id, job.job_id)

    async def _run(self, job: Job, order: Order) -> None:
        scratch = self._folder / job.project_id / f"{job.job_id}.work"
        end, reason, result = "done", None, _result(order)
        try:
            async with self._turn:
                job.state, job.started_at = "running", now_ms()
                await self._store.write(lambda tx: tx.update_job(job))
                result |= await self._make(job, order, scratch)
        except asyncio.CancelledError:
            end = "cancelled"
        except JobFailed as error:
            end, reason = "failed", str(error)
        except OSError as error:
            end, reason = "failed", f"it could not be written: {error.strerror or error}"
        except ApiError as error:
            end, reason = "failed", error.message
        except Exception as error:
            log.exception("export failed")
            end, reason = "failed", f"{type(error).__name__}: {error}"
        finally:
            try:
                await asyncio.to_thread(_remove, scratch)
            finally:
                self._running.pop(job.job_id, None)
        if end == "cancelled":
            return  # deleted, or the server stops and the next start says so
        job.state, job.error, job.finished_at = end, reason, now_ms()
        job.progress = 1.0 if end == "done" else job.progress
        job.result = msgspec.json.encode(result).decode()
        with contextlib.suppress(ApiError):  # shutting down: the next start marks it
            await self._store.persist(lambda tx: tx.update_job(job))

    async def _make(self, job: Job, order: Order, scratch: Path) -> dict[str, Any]:
        await asyncio.to_thread(scratch.mkdir, parents=True, exist_ok=True)
        spool, head = scratch / "rows", scratch / "head.json"

        def reading(share: float) -> None:
            job.progress = READING * share

        def writing(share: float, attempt: int) -> None:
            job.progress, job.attempts = READING + (1 - READING) * share, attempt

        rows = await self._store.read(
            lambda tx: write_spool(tx, job, order, spool, head, self._person(job, order), reading)
        )
        made = scratch / "zip"
        done, _ = await self._run_job(
            "chorus.server.jobs.export.export",
            {
                "head": str(head),
                "spool": str(spool),
                "rows": rows,
                "blobs": [str(root) for root in self._blobs],
                "target": str(made),
                "progress": str(scratch / "progress"),
            },
            writing,
        )
        await asyncio.to_thread(made.replace, self._path(job.project_id, job.job_id))
        return {"manifest": done["manifest"], "bytes": done["bytes"]}

    def _person(self, job: Job, order: Order) -> export_rows.Person:
        if order.people == "logins":
            return export_rows.by_login

        def pseudonym(user_id: str, login: str) -> str:
            # The same person is called the same in every export of a project, and not in another.
            seed = f"{job.project_id}/{user_id}".encode()
            return f"person-{hmac.new(self._key, seed, hashlib.sha256).hexdigest()[:10]}"

        return pseudonym

    # -- past ones

    async def list(self, project_id: str) -> list[dict[str, Any]]:
        """Newest first."""

        def fn(tx: Tx) -> list[dict[str, Any]]:
            jobs = tx.last_jobs(project_id, "export", SHOWN)
            return [self._public(tx, job, whole=False) for job in jobs]

        return await self._store.read(fn)

    async def get(self, project_id: str, export_id: str) -> dict[str, Any]:
        """With its manifest. Raises not_found."""
        return await self._store.read(
            lambda tx: self._public(tx, _job(tx, project_id, export_id), whole=True)
        )

    async def file(self, project_id: str, export_id: str) -> tuple[Path, str]:
        """(the zip, the name to save it under). Raises not_found; conflict while it is made."""

        def fn(tx: Tx) -> tuple[Job, str]:
            project = tx.project(project_id)
            assert project is not None
            return _job(tx, project_id, export_id), project.name

        job, name = await self._store.read(fn)
        if job.state != "done":
            raise ApiError("conflict", f"this export is {job.state}")
        path = self._path(project_id, export_id)
        if not await asyncio.to_thread(path.is_file):
            raise ApiError("not_found", "the file of this export is gone")
        plain = "".join(c if c.isascii() and c.isalnum() else "-" for c in name).strip("-")
        how = msgspec.json.decode(job.result or "{}").get("format", "export")
        return path, f"{plain[:60] or project_id}-{how}-{export_id}.zip"

    async def delete(self, project_id: str, export_id: str) -> None:
        """Its file and what is known of it; one that is being made ends. Raises not_found."""
        await self._store.read(lambda tx: _job(tx, project_id, export_id))
        await self._tasks.cancel(export_id)
        await self._store.write(lambda tx: tx.delete_job(export_id))
        path = self._path(project_id, export_id)
        await asyncio.to_thread(path.unlink, missing_ok=True)

    def _path(self, project_id: str, export_id: str) -> Path:
        return self._folder / project_id / f"{export_id}.zip"

    def _public(self, tx: Tx, job: Job, *, whole: bool) -> dict[str, Any]:
        job = self._running.get(job.job_id, job)
        result = msgspec.json.decode(job.result or "{}")
        manifest = result.pop("manifest", None)
        user = tx.user(job.created_by or "")
        counts = manifest["counts"] if manifest else {}
        return {
            "export_id": job.job_id,
            "state": job.state,
            "progress": round(job.progress, 4),
            "error": job.error,
            "created_at": job.created_at,
            "finished_at": job.finished_at,
            "by": user.name if user else None,
            **result,
            "items": counts.get("items"),
            "labeled": counts.get("states", {}).get("labeled", 0) if counts else None,
            "votes": counts.get("votes"),
            "missing": counts.get("missing", 0),
            **({"manifest": manifest} if whole else {}),
        }


def formats_of(task_type: str) -> list[str]:
    """The formats that a project of this kind can be exported in."""
    left_out = set(PICTURE_FORMATS if is_text(task_type) else ())
    left_out |= set(() if is_shapes(task_type) else SHAPE_FORMATS)
    return [name for name in FORMATS if name not in left_out]


def write_spool(
    tx: Tx, job: Job, order: Order, spool: Path, head: Path, person: export_rows.Person,
    on_progress: Callable[[float], None],
) -> int:  # fmt: skip
    """What the project holds at this moment, on disk; returns the number of rows."""
    project = tx.project(job.project_id)
    assert project is not None
    schema = tx.schema(project)
    user = tx.user(job.created_by or "")
    about = Head(
        export_id=job.job_id,
        format=order.format,
        project={
            "project_id": project.project_id,
            "name": project.name,
            **{name: getattr(project, name) for name in RULES},
        },
        classes=[{"name": c.name, "color": c.color} for c in schema.classes],
        seq=project.last_seq,
        created_at=job.created_at,
        created_by=user.name if user else "",
        version=__version__,
        filter=order.filter,
        people=order.people,
        content=order.content,
        sets=schema.multilabel,
        text=is_text(project.task_type),
        drawn=project.task_type if schema.shapes else None,
    )
    head.write_bytes(msgspec.json.encode(about))
    total = max(1, sum(tx.count_states(job.project_id).values()))
    rows = after = 0
    with SpoolWriter(spool) as out:
        while True:
            some, after = export_rows.chunk(tx, job.project_id, order.wanted, after, schema, person)
            if not some:
                return rows
            out.add(some)
            rows += len(some)
            on_progress(min(1.0, rows / total))


def _result(order: Order) -> dict[str, Any]:
    return {
        "format": order.format,
        "filter": order.filter,
        "people": order.people,
        "content": order.content,
        "bytes": None,
    }


def _job(tx: Tx, project_id: str, export_id: str) -> Job:
    job = tx.job(export_id)
    if job is None or job.project_id != project_id or job.kind != "export":
        raise ApiError("not_found", "no such export")
    return job


def _remove(scratch: Path) -> None:
    """All that was being written. By another name first: a worker that was killed a moment ago, or
    a read that nobody waits for any more, finds no place to write to."""
    with contextlib.suppress(OSError):  # an export that was in line has none
        scratch = scratch.rename(scratch.with_name(f"gone-{scratch.name}"))
    shutil.rmtree(scratch, True)


def _sweep(folder: Path) -> None:
    """Remove what was being written when the server stopped (`.part`: by an earlier version)."""
    for path in [*folder.glob("*/*.work"), *folder.glob("*/*.part")]:
        shutil.rmtree(path, True) if path.is_dir() else path.unlink(missing_ok=True)
