"""A project made from another: its settings, classes and instructions, and its items if wanted."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from typing import Any

import msgspec

from chorus.server.clock import now_ms
from chorus.server.domain.model import Item, Job, LabelClass
from chorus.server.domain.values import Schema
from chorus.server.errors import ApiError
from chorus.server.formats import dicom
from chorus.server.formats.images import Prepared
from chorus.server.services.accounts import CurrentUser
from chorus.server.services.adding import add_items
from chorus.server.services.background import Tasks
from chorus.server.services.projects import Projects, check_settings
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

KIND = "clone"
READ_CHUNK = 200
"""Items per transaction: a vote waits behind one chunk at most."""


class Clone(msgspec.Struct):
    """Body of `POST /api/projects/{id}/clone`."""

    name: str
    items: bool = False
    """With its pictures or texts: none of their labels, but for gold."""


class Way(msgspec.Struct):
    """How far the items of a clone have come; kept as the job's result."""

    source: str
    """The project they come from."""
    state: str
    """The clone's, once they are there."""
    after: int = 0
    """The item of the source that came last."""


class Cloning:
    def __init__(self, store: Store, projects: Projects) -> None:
        self._store = store
        self._projects = projects
        self._tasks = Tasks[str]("the items of clone %s have not come")

    async def start(self) -> None:
        """Go on with what a stop of the server cut off."""
        for job in await self._store.read(lambda tx: tx.jobs_in(KIND, "running")):
            self._go(job)

    async def stop(self) -> None:
        await self._tasks.stop()

    def _go(self, job: Job) -> asyncio.Task[None]:
        return self._tasks.begin(job.project_id, lambda: self._items(job.job_id))

    async def clone(self, user: CurrentUser, project_id: str, body: Clone) -> dict[str, Any]:
        """Project JSON of the new one. It is paused until its items are there. Raises `ApiError`:
        not_found, bad_value."""
        new_id = secrets.token_hex(5)

        def begin(tx: Tx) -> tuple[Schema, Job | None]:
            old = tx.project(project_id)
            if old is None:
                raise ApiError("not_found", "no such project")
            check_settings({"name": body.name}, old.task_type)
            now = now_ms()
            state = "running" if old.state == "archived" else old.state
            project = msgspec.structs.replace(
                old, project_id=new_id, name=body.name.strip(), last_seq=0,
                state="paused" if body.items else state, epoch=secrets.token_hex(4),
                seed=secrets.randbits(40), created_at=now, estimate_rev=0, landed_rev=0,
                class_count=0, remerge_due=0, evidence_since=0, instructions_rev=0,
                instructions=old.instructions.replace(
                    f"/api/projects/{project_id}/", f"/api/projects/{new_id}/"
                ),
            )  # fmt: skip
            tx.add_project(project)
            classes: list[LabelClass] = tx.classes(project_id)
            for idx, label_class in enumerate(classes):
                tx.add_class(new_id, idx, label_class)
            for content_hash, media_type in tx.prose_pictures(project_id):
                tx.add_prose_picture(new_id, content_hash, media_type, now)
            tx.emit(
                new_id, now, "project.changed",
                {
                    "user_id": user.user_id,
                    "by": user.name,
                    "name": project.name,
                    "state": project.state,
                    "classes": [c.name for c in classes],
                    "cloned": {"project_id": project_id, "name": old.name},
                },
            )  # fmt: skip
            job = None
            if body.items:
                way = msgspec.json.encode(Way(project_id, state)).decode()
                job = Job(
                    secrets.token_hex(6), new_id, KIND, None, "running", 0.0, 1, None, way,
                    user.user_id, now, now, None,
                )  # fmt: skip
                tx.add_job(job)
            return tx.schema(project), job

        schema, job = await self._store.write(begin)
        self._projects.put_schema(new_id, schema)
        if job is not None:
            # To its end, even if whoever asked has gone.
            await asyncio.wait([self._go(job)])
        return await self._projects.get_for(user, new_id)

    async def _items(self, job_id: str) -> None:
        more = True
        while more:
            job, items = await self._store.read(lambda tx: _next(tx, job_id))
            more = await self._store.persist(
                lambda tx, items=items, job=job: land(tx, job, items)  # type: ignore[misc]
            )


def _next(tx: Tx, job_id: str) -> tuple[Job, list[Item]]:
    """(the job as it is, the items whose turn it is; none: all are there)."""
    job = tx.job(job_id)
    if job is None:  # with its project
        raise ApiError("not_found", "the clone was deleted")
    way = msgspec.json.decode(job.result or "", type=Way)
    return job, tx.items_in_state(way.source, None, way.after, READ_CHUNK)


def land(tx: Tx, job: Job, items: Sequence[Item]) -> bool:
    """The transaction of some items, which also says how far it has come; whether there are more.
    None: the clone opens."""
    new_id, way, now = job.project_id, msgspec.json.decode(job.result or "", type=Way), now_ms()
    project = tx.project(new_id)
    if project is None or project.state == "deleting":
        return False
    if items:
        pairs = [_as_new(item) for item in items if item.state != "removed"]
        add_items(tx, new_id, job.created_by or "", pairs, now)
        _notes(tx, new_id, {item.item_id: item.content_hash for item in items if item.gold})
        way.after = items[-1].item_id
        job.result = msgspec.json.encode(way).decode()
    else:
        job.state, job.progress, job.finished_at = "done", 1.0, now
        if project.state == "paused" and way.state == "running":  # not put away meanwhile
            tx.change_project(new_id, {"state": way.state})
            user = tx.user(job.created_by or "")
            who = {"user_id": job.created_by, "by": user.name if user else job.created_by}
            tx.emit(new_id, now, "project.changed", {**who, "state": way.state})
    tx.update_job(job)
    return bool(items)


def _notes(tx: Tx, new_id: str, gold: dict[int, str]) -> None:
    """What is said of gold items to whoever practises. gold: item_id in the old project ->
    content hash."""
    said = {gold[item_id]: text for item_id, text in tx.gold_notes(list(gold)).items()}
    for item in tx.items_by_content(new_id, list(said)):
        tx.set_gold_note(new_id, item.item_id, said[item.content_hash])


def _as_new(item: Item) -> tuple[Prepared, str | None, bool]:
    view = None if item.dicom is None else msgspec.json.decode(item.dicom, type=dicom.View)
    prepared = Prepared(
        item.name, item.content_hash, item.width, item.height, "", 0, item.length, view
    )
    label = item.label if item.gold else None
    return prepared, label, bool(item.gold and label is not None)
