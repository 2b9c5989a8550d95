"""Labels that were made elsewhere: looked through first, then brought in as prelabels, as votes of
named people, or as final labels.

A file is read in a worker and held against the project (label_plan.py): that is the dry run, which
changes nothing. What there is to do is then on disk; once somebody says so it lands chunk by chunk,
each a transaction that also says how far it has come, so that a stop of the server costs nothing:
the next start goes on where it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import secrets
import shutil
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import msgspec

from chorus.server.clock import now_ms
from chorus.server.domain.model import Job, User
from chorus.server.domain.values import Schema
from chorus.server.errors import ApiError
from chorus.server.formats.labels.errors import BadLabels
from chorus.server.formats.labels.read import Read
from chorus.server.services import label_plan
from chorus.server.services.accounts import CurrentUser, insert_user, join
from chorus.server.services.background import Tasks
from chorus.server.services.classes import Classes, insert
from chorus.server.services.fitting import fitting
from chorus.server.services.label_ops import Landing, Nothing, Op, Options, Refused, apply_op
from chorus.server.services.label_plan import FAULTS, NAMED, Summary
from chorus.server.services.projects import Projects
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

log = logging.getLogger(__name__)

KIND = "label_import"
CHUNK = 50
"""Lines in one transaction: a vote waits behind one chunk at most."""
SHOWN = 50
READING = 0.4
"""Share of a dry run's progress until the file is read."""

Call = Callable[..., Awaitable[Any]]


class Upload(Protocol):
    filename: str | None

    async def read(self, size: int = -1) -> bytes: ...


class Apply(msgspec.Struct, kw_only=True):
    """Body of `POST …/label-imports/{id}/apply`: what may be done for it."""

    add_classes: bool = False
    add_people: bool = False
    leave_out: bool = False
    """Go on although some lines cannot be used."""


class About(msgspec.Struct, kw_only=True):
    """What is known of one import; kept as the job's result."""

    file: str
    options: Options
    format: str | None = None
    summary: Summary | None = None
    apply: Apply | None = None
    total: int = 0
    """Things to do."""
    landed: int = 0
    """… of which so many are dealt with."""
    done: int = 0
    """… and were done; the others did not fit (any more)."""
    refused: dict[str, int] = {}


class LabelImports:
    """`call(function, *args)` runs a function in a worker process (see jobs/pool)."""

    def __init__(
        self, store: Store, projects: Projects, classes: Classes, call: Call, folder: Path
    ) -> None:
        self._store = store
        self._projects = projects
        self._classes = classes
        self._call = call
        self._folder = folder
        self._checks = Tasks[str]("looking through labels %s failed")
        self._landings = Tasks[str]("bringing in labels %s failed")
        self._progress: dict[str, float] = {}

    # -- life

    async def start(self) -> None:
        """Dry runs that a stop of the server cut off are marked so; what was landing goes on."""

        def fn(tx: Tx) -> list[Job]:
            for job in tx.jobs_in(KIND, "running"):
                job.state, job.error = "failed", "the server was restarted; send the file again"
                job.finished_at = now_ms()
                tx.update_job(job)
            return tx.jobs_in(KIND, "landing")

        for job in await self._store.write(fn):
            self._begin_landing(job)
        ready = await self._store.read(
            lambda tx: [j.job_id for s in ("ready", "landing") for j in tx.jobs_in(KIND, s)]
        )
        await asyncio.to_thread(_sweep, self._folder, set(ready))

    async def stop(self) -> None:
        await self._checks.stop()
        await self._landings.stop()

    def _begin_landing(self, job: Job) -> None:
        self._landings.begin(job.job_id, lambda: self._land(job))

    # -- the dry run

    async def begin(
        self, project_id: str, user: CurrentUser, upload: Upload, options: Options
    ) -> dict[str, Any]:
        """Take a file in and look it through; nothing of the project changes. Raises forbidden."""
        if options.kind == "votes" and not user.admin:
            raise ApiError("forbidden", "only an admin brings votes in: they speak for others")
        now = now_ms()
        name = (upload.filename or "labels").replace("\\", "/").rpartition("/")[2][:200]
        about = About(file=name, options=options)
        job = Job(
            secrets.token_hex(6), project_id, KIND, None, "running", 0.0, 1, None, _dump(about),
            user.user_id, now, now, None,
        )  # fmt: skip
        folder = self._folder / job.job_id
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        with (folder / "file").open("wb") as out:
            while chunk := await upload.read(1 << 20):
                await asyncio.to_thread(out.write, chunk)
        await self._store.write(lambda tx: tx.add_job(job))
        self._checks.begin(job.job_id, lambda: self._check(job, about))
        return await self.get(project_id, job.job_id)

    async def _check(self, job: Job, about: About) -> None:
        folder = self._folder / job.job_id
        end, reason = "ready", None
        faults: list[tuple[str, str, str]] = []
        try:
            schema = self._projects.schema(job.project_id)
            read: Read = await self._call(
                "chorus.server.formats.labels.read.read_labels", str(folder / "file"), about.file,
                about.options.kind, schema.multilabel, schema.shapes, str(folder / "unpacked"),
                str(folder / "entries"),
            )  # fmt: skip
            about.format = read.format
            seen = 0

            def on_entry() -> None:
                nonlocal seen
                seen += 1
                share = READING + (1 - READING) * seen / max(1, read.entries)
                self._progress[job.job_id] = share

            def fault(place: str, name: str, why: str) -> None:
                if len(faults) < FAULTS:
                    faults.append((place, name, why))

            self._progress[job.job_id] = READING
            summary = await self._store.read(
                lambda tx: label_plan.plan(
                    tx,
                    job.project_id,
                    about.options,
                    folder / "entries",
                    folder / "ops",
                    fault,
                    on_entry,
                )
            )
            about.summary = summary
            about.total = summary.ready + summary.classes + summary.people
        except asyncio.CancelledError:
            return  # deleted, or the next start says so
        except BadLabels as error:
            end, reason = "failed", str(error)
        except ApiError as error:
            end, reason = "failed", error.message
        except Exception as error:
            log.exception("reading labels failed")
            end, reason = "failed", f"it could not be read: {type(error).__name__}: {error}"
        finally:
            for name in ("file", "unpacked", "entries"):
                await asyncio.to_thread(_remove, folder / name)
            self._progress.pop(job.job_id, None)
        job.state, job.error, job.progress = end, reason, 0.0
        job.finished_at = now_ms() if end == "failed" else None
        job.result = _dump(about)

        def fn(tx: Tx) -> None:
            for place, name, why in faults:
                tx.add_fault(job.job_id, f"{place}\t{name}", why)
            tx.update_job(job)

        with contextlib.suppress(ApiError):  # shutting down: the next start marks it
            await self._store.persist(fn)

    # -- bringing it in

    async def apply(
        self, project_id: str, user: CurrentUser, import_id: str, how: Apply
    ) -> dict[str, Any]:
        """Let it land. Raises conflict where `how` does not allow what it takes, forbidden."""
        job, about = await self._store.read(lambda tx: _job(tx, project_id, import_id))
        summary = about.summary
        if job.state != "ready" or summary is None:
            raise ApiError("conflict", f"this import is {job.state}")
        if about.options.kind == "votes" and not user.admin:
            raise ApiError("forbidden", "only an admin brings votes in: they speak for others")
        lost = summary.left_out
        lost += 0 if how.add_classes else summary.classes
        lost += 0 if how.add_people else summary.people
        if lost and not how.leave_out:
            raise ApiError(
                "conflict",
                f"{lost} would be left out (unmatched, faulty, or of unknown classes or people);"
                " allow that, or let what is missing be made",
            )
        about.apply = how

        def fn(tx: Tx) -> tuple[Schema, bool] | None:
            """All at once: what a stop of the server cuts off in between could not be asked for
            again."""
            now, _ = _job(tx, project_id, import_id)
            if now.state != "ready":
                raise ApiError("conflict", f"this import is {now.state}")
            if how.add_people:
                _add_people(tx, project_id, list(summary.unknown_people))
            made = None
            if how.add_classes:
                there = {c.name for c in tx.classes(project_id)}
                missing = [c for c in summary.unknown_classes if c.strip() not in there]
                if len(missing) >= NAMED:
                    raise ApiError("bad_value", f"it would make {NAMED} classes or more")
                if missing:
                    made = insert(tx, user, project_id, missing, "go_on")
            job.state, job.result = "landing", _dump(about)
            tx.update_job(job)
            return made

        made = await self._store.write(fn)
        if how.add_people:
            self._projects.forget_roles()
        if made is not None:
            self._classes.added(project_id, *made)
        self._begin_landing(job)
        return await self.get(project_id, import_id)

    async def _land(self, job: Job) -> None:
        import_id, ops = job.job_id, self._folder / job.job_id / "ops"
        about = msgspec.json.decode(job.result or "{}", type=About)
        try:
            more = label_plan.ops_from(ops, about.landed)
            while True:
                some = await asyncio.to_thread(lambda: list(islice(more, CHUNK)))
                about = await self._store.persist(lambda tx: land_chunk(tx, import_id, some))  # noqa: B023
                if not some:
                    break
        except (ApiError, asyncio.CancelledError):
            return  # shutting down; the next start goes on
        except Exception as error:
            log.exception("an import of labels failed")
            reason = f"{type(error).__name__}: {error}; {about.landed} of {about.total} are in"
            with contextlib.suppress(ApiError):
                await self._store.persist(lambda tx: _fail(tx, import_id, reason))
            return
        await asyncio.to_thread(_remove, ops.parent)

    # -- looking

    async def list(self, project_id: str) -> list[dict[str, Any]]:
        """Newest first, without their faults."""

        def fn(tx: Tx) -> list[dict[str, Any]]:
            jobs = tx.last_jobs(project_id, KIND, SHOWN)
            return [self._public(tx, job, _load(job)) for job in jobs]

        return await self._store.read(fn)

    async def get(self, project_id: str, import_id: str) -> dict[str, Any]:
        """With the lines that cannot be used. Raises not_found."""

        def fn(tx: Tx) -> dict[str, Any]:
            job, about = _job(tx, project_id, import_id)
            errors = fitting(_error(*fault) for fault in tx.faults(import_id, FAULTS))
            return {**self._public(tx, job, about), "errors": list(errors)}

        return await self._store.read(fn)

    async def delete(self, project_id: str, import_id: str) -> None:
        """One that waits to be let in, or is being looked through, or is over, is forgotten; what
        it brought in stays. Raises not_found, conflict while it lands."""

        def fn(tx: Tx) -> None:
            job, _ = _job(tx, project_id, import_id)
            if job.state == "landing":
                raise ApiError("conflict", "it is landing; wait until it is done")
            tx.clear_faults(import_id)
            tx.delete_job(import_id)

        await self._store.read(lambda tx: _job(tx, project_id, import_id))
        await self._checks.cancel(import_id)
        await self._store.write(fn)
        await asyncio.to_thread(_remove, self._folder / import_id)

    def _public(self, tx: Tx, job: Job, about: About) -> dict[str, Any]:
        user = tx.user(job.created_by or "")
        share = about.landed / about.total if about.total else 0.0
        if job.state == "running":
            share = self._progress.get(job.job_id, 0.0)
        return {
            "import_id": job.job_id,
            "state": "checking" if job.state == "running" else job.state,
            "progress": 1.0 if job.state == "done" else round(share, 4),
            "error": job.error,
            "created_at": job.created_at,
            "finished_at": job.finished_at,
            "by": user.name if user else None,
            "file": about.file,
            "format": about.format,
            **msgspec.to_builtins(about.options),
            "summary": None if about.summary is None else msgspec.to_builtins(about.summary),
            "total": about.total,
            "landed": about.landed,
            "done": about.done,
            "refused": about.refused,
        }


def land_chunk(tx: Tx, import_id: str, ops: Sequence[Op]) -> About:
    """The transaction of some lines; none: the import is over. Also says how far it has come."""
    job = tx.job(import_id)
    assert job is not None
    about = _load(job)
    project = tx.project(job.project_id)
    assert project is not None
    now = now_ms()
    schema = tx.schema(project)
    user_id = job.created_by or ""
    landing = Landing(
        import_id=import_id,
        project=project,
        schema=schema,
        classes=schema.known,
        options=about.options,
        user_id=user_id,
        now=now,
    )
    users: dict[str, User] = {}
    for login in {op.labeler for op in ops if op.labeler}:
        user = tx.user_by_login(login)
        if user is not None and tx.role(job.project_id, user.user_id) is not None:
            users[login] = user
    refused: Counter[str] = Counter(about.refused)
    touched: list[int] = []
    for op in ops:
        try:
            apply_op(tx, landing, op, users)
        except Nothing:
            pass
        except Refused as reason:
            refused[str(reason)] += 1
        else:
            about.done += 1
            touched.append(op.item_id)
    if touched and about.options.kind != "prelabels" and not about.options.blind:
        tx.mark_outside(touched)
    about.landed += len(ops)
    about.refused = dict(refused.most_common(NAMED))
    if not ops:
        job.state, job.progress, job.finished_at = "done", 1.0, now
        user = tx.user(user_id)
        tx.emit(
            job.project_id, now, "labels.imported",
            {
                "import_id": import_id, "user_id": user_id,
                "name": user.name if user else user_id, "kind": about.options.kind,
                "file": about.file, "count": about.done,
            },
        )  # fmt: skip
    job.result = _dump(about)
    tx.update_job(job)
    return about


def _add_people(tx: Tx, project_id: str, logins: Sequence[str]) -> None:
    """Whoever is in the file and not in the project becomes a labeler of it; who has no account
    gets one, which nobody can sign in to before an admin gives a link or password."""
    if len(logins) >= NAMED:
        raise ApiError("bad_value", f"it would make {NAMED} people or more")
    now = now_ms()
    for login in logins:
        user = tx.user_by_login(login)
        if user is None:
            if not 1 <= len(login) <= 100 or re.search(r"[\0-\x1f]", login):
                raise ApiError("bad_value", f"{login[:100]!r} is no login")
            user = User(secrets.token_hex(6), login, login, False, None, 1, now)
            insert_user(tx, user)
        if tx.role(project_id, user.user_id) is None:
            join(tx, project_id, user, "labeler", now)


def _fail(tx: Tx, import_id: str, reason: str) -> None:
    job = tx.job(import_id)
    if job is not None:
        job.state, job.error, job.finished_at = "failed", reason, now_ms()
        tx.update_job(job)


def _job(tx: Tx, project_id: str, import_id: str) -> tuple[Job, About]:
    job = tx.job(import_id)
    if job is None or job.project_id != project_id or job.kind != KIND:
        raise ApiError("not_found", "no such import of labels")
    return job, _load(job)


def _error(where: str, reason: str) -> dict[str, Any]:
    """A line that cannot be used, as people see it."""
    place, _, name = where.partition("\t")
    return {"place": place, "name": name, "reason": reason}


def _load(job: Job) -> About:
    return msgspec.json.decode(job.result or "{}", type=About)


def _dump(about: About) -> str:
    return msgspec.json.encode(about).decode()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, True)
    else:
        path.unlink(missing_ok=True)


def _sweep(folder: Path, kept: set[str]) -> None:
    """Remove what belongs to no import that waits."""
    for path in folder.glob("*"):
        if path.name not in kept:
            _remove(path)
