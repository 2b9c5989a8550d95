"""A project made from another: its settings, classes and instructions, and its items if wanted."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import msgspec

from chorus.server.clock import now_ms
from chorus.server.domain.model import Item, LabelClass
from chorus.server.errors import ApiError
from chorus.server.formats import dicom
from chorus.server.formats.images import Prepared
from chorus.server.services.accounts import CurrentUser
from chorus.server.services.importing import add_items
from chorus.server.services.projects import Projects, check_settings
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

READ_CHUNK = 200
"""Items per transaction: a vote waits behind one chunk at most."""


class Clone(msgspec.Struct):
    """Body of `POST /api/projects/{id}/clone`."""

    name: str
    items: bool = False
    """With its pictures or texts: none of their labels, but for gold."""


class Cloning:
    def __init__(self, store: Store, projects: Projects) -> None:
        self._store = store
        self._projects = projects

    async def clone(self, user: CurrentUser, project_id: str, body: Clone) -> dict[str, Any]:
        """Project JSON of the new one. It is paused until its items are there. Raises `ApiError`:
        not_found, bad_value."""
        new_id = secrets.token_hex(5)

        def begin(tx: Tx) -> tuple[Any, str]:
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
            return tx.schema(project), state

        schema, state = await self._store.write(begin)
        self._projects.put_schema(new_id, schema)
        if body.items:
            # To its end, even if whoever asked has gone.
            await asyncio.shield(self._items(user, project_id, new_id, state))
        return await self._projects.get_for(user, new_id)

    async def _items(self, user: CurrentUser, old_id: str, new_id: str, state: str) -> None:
        after = 0
        while True:
            items = await self._store.read(
                lambda tx, after=after: tx.items_in_state(old_id, None, after, READ_CHUNK)  # type: ignore[misc]
            )
            if not items:
                break
            after = items[-1].item_id
            pairs = [_as_new(item) for item in items if item.state != "removed"]
            gold = {item.item_id: item.content_hash for item in items if item.gold}

            def add(tx: Tx, pairs: list[Any] = pairs, gold: dict[int, str] = gold) -> None:
                add_items(tx, new_id, user.user_id, pairs, now_ms())
                _notes(tx, new_id, gold)

            await self._store.write(add)

        def end(tx: Tx) -> None:
            if state == "running":
                tx.change_project(new_id, {"state": state})
                body = {"user_id": user.user_id, "by": user.name, "state": state}
                tx.emit(new_id, now_ms(), "project.changed", body)

        await self._store.write(end)


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
