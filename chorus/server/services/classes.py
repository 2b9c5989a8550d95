"""The classes of a running project: renamed, recoloured, added to, and what becomes of the labels
that were given before a class was there."""

from __future__ import annotations

import re
import secrets
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from chorus.server.clock import now_ms
from chorus.server.domain.classes import CLASSES_MAX, check_color, check_key, check_name, folders_of
from chorus.server.domain.model import LabelClass, Project, StartOver
from chorus.server.domain.values import SEPARATOR, Schema
from chorus.server.errors import ApiError
from chorus.server.services import remerging
from chorus.server.services.accounts import CurrentUser
from chorus.server.services.projects import NewClass, Projects, make_classes
from chorus.server.services.remerging import Remerging
from chorus.server.services.starting_over import StartingOver
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

Then = Literal["go_on", "pause", "start_over", "start_over_preset"]
_UNKNOWN = re.compile(r"unknown class '(.*)'|unknown class \"(.*)\"")


class AddClasses(msgspec.Struct):
    """Body of `POST /api/projects/{id}/classes`: one class (`name`, `color`, `key`) or several, and
    what becomes of the labels so far."""

    name: str | None = None
    color: str | None = None
    key: str | None = None
    classes: list[str | NewClass] = []
    then: Then = "go_on"


class ClassChange(msgspec.Struct, forbid_unknown_fields=True):
    """Body of `PATCH /api/projects/{id}/classes/{index}`; what is absent stays."""

    name: str | msgspec.UnsetType = msgspec.UNSET
    color: str | msgspec.UnsetType = msgspec.UNSET
    key: str | msgspec.UnsetType | None = msgspec.UNSET


class Classes:
    def __init__(
        self, store: Store, projects: Projects, remerging: Remerging, starting: StartingOver
    ) -> None:
        self._store = store
        self._projects = projects
        self._remerging = remerging
        self._starting = starting

    async def add(self, user: CurrentUser, project_id: str, body: AddClasses) -> dict[str, Any]:
        """Project JSON. Raises `ApiError`: bad_value, conflict (a name that is there)."""
        given = list(body.classes)
        if body.name is not None:
            given.insert(0, NewClass(body.name, body.color, body.key))
        if not given:
            raise ApiError("bad_value", "name at least one class")

        schema, due = await self._store.write(
            lambda tx: insert(tx, user, project_id, given, body.then)
        )
        self.added(project_id, schema, due)
        if body.then.startswith("start_over"):
            self._starting.wake(project_id)
        return await self._projects.get_for(user, project_id)

    def added(self, project_id: str, schema: Schema, due: bool) -> None:
        """After the commit of `insert`, with what it returned."""
        self._projects.put_schema(project_id, schema)
        if due:
            self._remerging.wake(project_id)

    async def change(
        self, user: CurrentUser, project_id: str, index: int, change: ClassChange
    ) -> dict[str, Any]:
        """Another name, colour or key; votes store the class's place, so none changes. Project
        JSON. Raises `ApiError`: not_found, bad_value, conflict."""

        schema = await self._store.write(lambda tx: alter(tx, user, project_id, index, change))
        if schema is not None:
            self._projects.put_schema(project_id, schema)
        return await self._projects.get_for(user, project_id)

    def start_over(self, project_id: str) -> dict[str, Any]:
        """How far a start over is (see `StartingOver.state`)."""
        return self._starting.state(project_id)

    async def found(self, project_id: str) -> dict[str, Any]:
        """Class names that the data brings along and the project does not have:
        `{"folders": [{name, count}], "labels": [{name, count}]}`; labels: of table rows that an
        import refused because it did not know their class."""
        schema = self._projects.schema(project_id)
        known = {c.name for c in schema.classes} | set(schema.former)
        names, faults = await self._store.read(
            lambda tx: (tx.names_in_folders(project_id), tx.import_faults(project_id))
        )
        labels: Counter[str] = Counter()
        for reason, n in faults:
            match = _UNKNOWN.search(reason)
            if match is not None:
                labels[match[1] or match[2]] += n
        return {
            "folders": [_counted(*e) for e in folders_of(names) if e[0] not in known],
            "labels": [_counted(*e) for e in labels.most_common() if e[0] not in known],
        }


def insert(
    tx: Tx, user: CurrentUser, project_id: str, given: Sequence[str | NewClass], then: Then
) -> tuple[Schema, bool]:
    """The transaction of new classes: (the schema with them, whether labels are merged anew).
    Raises `ApiError`: not_found, bad_value, conflict (a name that is there)."""
    project = _project(tx, project_id)
    if then.startswith("start_over") and tx.start_over(project_id) is not None:
        raise ApiError("conflict", "this project is starting over already")
    classes = tx.classes(project_id)
    added = make_classes(list(given), project.task_type, first=len(classes))
    known = {c.name for c in classes}
    for label_class in added:
        if label_class.name in known:
            raise ApiError("conflict", f"there is a class {label_class.name!r} already")
    if len(classes) + len(added) > CLASSES_MAX:
        raise ApiError("bad_value", f"a project has at most {CLASSES_MAX} classes")
    for label_class in added:
        tx.add_class(project_id, len(classes), label_class)
        classes.append(label_class)
    now = now_ms()
    change: dict[str, Any] = {
        "user_id": user.user_id,
        "by": user.name,
        "classes": [c.name for c in classes],
        "added": [c.name for c in added],
        "then": then,
    }
    if then != "go_on" and project.state == "running":
        change["state"] = "paused"
        tx.change_project(project_id, {"state": "paused"})
    if then.startswith("start_over"):
        change["bulk_id"] = f"start-over-{secrets.token_hex(8)}"
    seq = tx.emit(project_id, now, "project.changed", change)
    # One more thing an item could be: whoever merges by chances has less of each.
    due = not project.equal_votes and remerging.begin(tx, project_id, now)
    if then.startswith("start_over"):
        tx.put_start_over(
            StartOver(
                project_id, str(change["bulk_id"]), user.user_id, seq,
                preset=then == "start_over_preset",
                resume=project.state == "running",
            )
        )  # fmt: skip
    return tx.schema(project), due


def alter(
    tx: Tx, user: CurrentUser, project_id: str, index: int, change: ClassChange
) -> Schema | None:
    """The transaction of a changed class: the schema with it, None where nothing is new. Raises
    `ApiError`: not_found, bad_value, conflict."""
    project = _project(tx, project_id)
    classes = tx.classes(project_id)
    if not 0 <= index < len(classes):
        raise ApiError("not_found", "no such class")
    old = classes[index]
    barred = SEPARATOR if project.multilabel else None
    # A name given before there was a rule may stay.
    renamed = change.name not in (msgspec.UNSET, old.name)
    new = LabelClass(
        check_name(str(change.name), barred) if renamed else old.name,
        old.color if change.color is msgspec.UNSET else check_color(change.color),
        old.key if change.key is msgspec.UNSET else check_key(change.key, len(classes)),
    )
    if new == old:
        return None
    if any(c.name == new.name for i, c in enumerate(classes) if i != index):
        raise ApiError("conflict", f"there is a class {new.name!r} already")
    if new.key is not None:
        # A key that another class was given moves over here.
        for i, other in enumerate(classes):
            if i != index and other.key == new.key:
                freed = msgspec.structs.replace(other, key=None)
                tx.change_class(project_id, i, freed, other.name)
    tx.change_class(project_id, index, new, old.name)
    classes[index] = new
    differs = [f for f in ("name", "color", "key") if getattr(old, f) != getattr(new, f)]
    tx.emit(
        project_id, now_ms(), "project.changed",
        {
            "user_id": user.user_id,
            "by": user.name,
            "classes": [c.name for c in classes],
            "class": {
                "index": index,
                "from": {f: getattr(old, f) for f in differs},
                "to": {f: getattr(new, f) for f in differs},
            },
        },
    )  # fmt: skip
    return tx.schema(project)


def _counted(name: str, count: int) -> dict[str, Any]:
    return {"name": name, "count": count}


def _project(tx: Tx, project_id: str) -> Project:
    project = tx.project(project_id)
    if project is None:
        raise ApiError("not_found", "no such project")
    return project
