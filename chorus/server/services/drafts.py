"""Projects that are being thought out: the wizard's answers and files, kept per person until the
project is made or the draft is thrown away."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from chorus.server.clock import now_ms
from chorus.server.domain.model import Draft
from chorus.server.domain.sources import Mode
from chorus.server.domain.tasks import is_shapes, is_text
from chorus.server.errors import ApiError
from chorus.server.services.accounts import CurrentUser, join
from chorus.server.services.data_sources import DataSources, NewSource
from chorus.server.services.importing import Importing, Upload, new_job, options_of
from chorus.server.services.projects import NewClass, NewProject, Projects
from chorus.server.services.refreshing import Refreshing
from chorus.server.storage.blobs import BlobStore as Blobs
from chorus.server.storage.remote import Credentials
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

BODY_MAX = 512 << 10
DRAFTS_MAX = 50
_LOOK = "chorus.server.formats.looking.look"
NOTHING: dict[str, Any] = {
    "items": 0, "labeled": 0, "faults": 0, "folders": [], "labels": [], "tables": [], "error": None,
}  # fmt: skip
Call = Callable[..., Awaitable[Any]]


class Place(msgspec.Struct):
    """A data source without what is secret of it."""

    url: str = ""
    mode: Mode = "copy"
    endpoint: str = ""
    region: str = ""
    account: str = ""
    every_minutes: int | None = 60

    def source(self, credentials: Credentials) -> NewSource:
        return NewSource(
            self.url, "", self.mode, self.endpoint, self.region, self.account,
            self.every_minutes, credentials,
        )  # fmt: skip


class Source(msgspec.Struct):
    """Where the data is. `upload`: what was sent to the draft; `server`: `path` on the server;
    `place`: a data source, which is read again and again."""

    kind: Literal["upload", "server", "place", "none"] = "none"
    path: str = ""
    place: Place | None = None
    columns: list[str] | None = None
    gold: bool = False


class Initialize(msgspec.Struct):
    """Body of `POST …/initialize`."""

    credentials: Credentials = msgspec.field(default_factory=Credentials)
    """Of the data source. They are no answer that a draft keeps: it is not encrypted."""


class Person(msgspec.Struct):
    user_id: str
    role: Literal["labeler", "supervisor"] = "labeler"


class Answers(msgspec.Struct):
    """What the wizard has been told so far. Fields that this version does not know are kept for
    the page (`seconds`: of work an item takes; `step`)."""

    name: str = ""
    description: str = ""
    instructions: str = ""
    task_type: str = "multiclass"
    classes: list[NewClass] = []
    votes_min: int = 1
    votes_max: int = 1
    target: float | None = None
    set_rule: str = "class"
    iou: float = 0.5
    shape_agreement: float = 0.8
    gold_rate: float = 0.05
    audit_share: float = 0.05
    ordering: str = "random"
    assist: bool = True
    cluster: bool = True
    prelabel: bool = True
    practice: int = 0
    networks: int = 0
    fine_tune: bool | None = None
    source: Source = msgspec.field(default_factory=Source)
    people: list[Person] = []


class Drafts:
    """`call(function, *args)` runs a function in a worker process (see jobs/pool)."""

    def __init__(
        self, store: Store, projects: Projects, importing: Importing, data: DataSources,
        refreshing: Refreshing, blobs: Blobs, call: Call, folder: Path,
    ) -> None:  # fmt: skip
        self._store = store
        self._projects = projects
        self._importing = importing
        self._sources = data
        self._refreshing = refreshing
        self._blobs = blobs
        self._call = call
        self._folder = folder

    async def start(self) -> None:
        """Files of drafts that are gone."""
        known = await self._store.read(lambda tx: tx.draft_ids())

        def sweep() -> None:
            for folder in self._folder.glob("*"):
                if folder.name not in known:
                    shutil.rmtree(folder, ignore_errors=True)

        await asyncio.to_thread(sweep)

    async def mine(self, user: CurrentUser) -> list[dict[str, Any]]:
        drafts = await self._store.read(lambda tx: tx.drafts_of(user.user_id))
        return [_public(draft) for draft in drafts]

    async def get(self, user: CurrentUser, draft_id: str) -> dict[str, Any]:
        return _public(await self._of(user, draft_id))

    async def put(
        self, user: CurrentUser, draft_id: str | None, body: dict[str, Any]
    ) -> dict[str, Any]:
        """Keep the answers; None: begin a draft. Raises `ApiError`: not_found, too_large."""
        text = msgspec.json.encode(body).decode()
        if len(text) > BODY_MAX:
            raise ApiError("too_large", "this draft is too large")
        now = now_ms()

        def fn(tx: Tx) -> Draft:
            if draft_id is None:
                if len(tx.drafts_of(user.user_id)) >= DRAFTS_MAX:
                    raise ApiError("conflict", f"finish or discard one of your {DRAFTS_MAX} drafts")
                draft = Draft(secrets.token_hex(8), user.user_id, text, now, now)
            else:
                draft = _own(tx, user, draft_id)
                draft.body, draft.updated_at = text, now
            tx.put_draft(draft)
            return draft

        return _public(await self._store.write(fn))

    async def discard(self, user: CurrentUser, draft_id: str) -> None:
        await self._of(user, draft_id)

        def fn(tx: Tx) -> list[str]:
            tx.drop_draft(draft_id)
            return tx.drop_prose_pictures(draft_id)

        for content_hash in await self._store.write(fn):
            await asyncio.to_thread(self._blobs.remove, content_hash)
        await asyncio.to_thread(shutil.rmtree, self._folder / draft_id, True)

    # -- data

    async def add_files(
        self, user: CurrentUser, draft_id: str, files: Sequence[Upload]
    ) -> dict[str, Any]:
        """Keep files until the project is made; what is there now, as `data` says. Zips are
        unpacked. Raises `ApiError`."""
        await self._of(user, draft_id)
        await self._importing.stage(files, self._files(draft_id))
        return await self._look(self._files(draft_id), await self._text(user, draft_id))

    async def drop_files(self, user: CurrentUser, draft_id: str) -> None:
        await self._of(user, draft_id)
        await asyncio.to_thread(shutil.rmtree, self._files(draft_id), True)

    async def data(self, user: CurrentUser, draft_id: str) -> dict[str, Any]:
        """What the chosen data holds (formats/looking.py)."""
        draft = await self._of(user, draft_id)
        answers = _answers(draft)
        source = answers.source
        if source.kind == "server":
            return await self._look(Path(source.path), is_text(answers.task_type))
        return await self._look(self._files(draft_id), is_text(answers.task_type))

    async def _text(self, user: CurrentUser, draft_id: str) -> bool:
        return is_text(_answers(await self._of(user, draft_id)).task_type)

    async def _look(self, place: Path, text: bool) -> dict[str, Any]:
        if place.is_relative_to(self._folder) and not await asyncio.to_thread(place.exists):
            return {**NOTHING}
        found: dict[str, Any] = await self._call(_LOOK, str(place), text)
        return found

    # -- the project

    async def test_place(
        self, user: CurrentUser, draft_id: str, body: Initialize
    ) -> dict[str, Any]:
        """Could the draft's data source be read? As `DataSources.test`. Raises bad_value."""
        answers = _answers(await self._of(user, draft_id))
        place = (answers.source.place or Place()).source(body.credentials)
        return await self._sources.test_for_draft(user.user_id, place, is_text(answers.task_type))

    async def owned(self, user: CurrentUser, draft_id: str) -> None:
        """Raises not_found for a draft that is not this person's."""
        await self._of(user, draft_id)

    async def initialize(
        self, user: CurrentUser, draft_id: str, body: Initialize | None = None
    ) -> dict[str, Any]:
        """Make the project, its members, and begin to bring its data in:
        `{"project": Project, "job": Job | None}`. Raises `ApiError`, with nothing made where the
        answers are the reason; not_found where it has become a project already."""
        answers = _answers(await self._of(user, draft_id))
        source = answers.source
        text, shapes = is_text(answers.task_type), is_shapes(answers.task_type)
        new = NewProject(
            name=answers.name,
            classes=list(answers.classes),
            description=answers.description,
            instructions=answers.instructions,
            task_type=answers.task_type,
            votes_min=answers.votes_min,
            votes_max=answers.votes_max,
            set_rule=answers.set_rule,
            target=answers.target,
            iou=answers.iou,
            shape_agreement=answers.shape_agreement,
            cluster=answers.assist and answers.cluster and not (text or shapes),
            prelabel=answers.assist and answers.prelabel,
            gold_rate=answers.gold_rate,
            audit_share=answers.audit_share,
            ordering=answers.ordering if answers.assist and not shapes else "random",
            practice=answers.practice,
            networks=answers.networks,
            fine_tune=answers.fine_tune if answers.assist and not (text or shapes) else False,
        )
        # What cannot be read is refused before anything is made.
        files = self._files(draft_id)
        staged = source.kind == "upload" and await asyncio.to_thread(files.exists)
        ready = remote = job = None
        if staged or source.kind == "server":
            place = files if staged else Path(source.path)
            options = options_of(answers.task_type, source.gold, source.columns or None)
            ready = await self._importing.ready(place, options, staged=staged)
        if source.kind == "place":
            given = body.credentials if body is not None else Credentials()
            wanted = (source.place or Place()).source(given)
            remote = self._sources.made("", user.user_id, wanted, text)

        def also(tx: Tx, project_id: str) -> None:
            """With the project: whatever stops the server, there is the draft or all of this."""
            nonlocal job
            _own(tx, user, draft_id)  # it may have been made into a project meanwhile
            tx.drop_draft(draft_id)
            tx.move_prose_pictures(draft_id, project_id)
            there, here = f"/api/drafts/{draft_id}/", f"/api/projects/{project_id}/"
            if there in new.instructions:
                moved = new.instructions.replace(there, here)
                tx.change_project(project_id, {"instructions": moved})
            for person in answers.people:
                member = tx.user(person.user_id)
                if member is not None:  # not removed since they were chosen
                    join(tx, project_id, member, person.role, now_ms())
            if remote is not None:
                remote.project_id = project_id
                tx.add_source(remote)
            if ready is not None:
                job = new_job(tx, project_id, user.user_id)

        project = await self._projects.create(user, new, also)
        project_id: str = project["project_id"]
        shown: dict[str, Any] | None = None
        if remote is not None:
            self._sources.rescheduled()
            with contextlib.suppress(ApiError):  # by its schedule it has begun already
                begun = await self._refreshing.begin(project_id, remote.source_id, user.user_id)
                shown = await self._importing.job(project_id, begun["job_id"])
        if ready is not None:
            assert job is not None
            shown = self._importing.go(job, ready)
        return {"project": await self._projects.get_for(user, project_id), "job": shown}

    # -- helpers

    def _files(self, draft_id: str) -> Path:
        return self._folder / draft_id / "files"

    async def _of(self, user: CurrentUser, draft_id: str) -> Draft:
        return await self._store.read(lambda tx: _own(tx, user, draft_id))


def _own(tx: Tx, user: CurrentUser, draft_id: str) -> Draft:
    draft = tx.draft(draft_id)
    if draft is None or draft.user_id != user.user_id:
        raise ApiError("not_found", "no such draft of yours")
    return draft


def _answers(draft: Draft) -> Answers:
    try:
        return msgspec.json.decode(draft.body, type=Answers)
    except msgspec.ValidationError as error:
        raise ApiError("bad_value", f"the draft has an answer that cannot be: {error}") from None


def _public(draft: Draft) -> dict[str, Any]:
    return {
        "draft_id": draft.draft_id,
        "body": msgspec.json.decode(draft.body),
        "created_at": draft.created_at,
        "updated_at": draft.updated_at,
    }
