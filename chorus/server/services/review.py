"""A supervisor's decisions: they end the votes' say on an item, or ask for new votes."""

from __future__ import annotations

from typing import Any

from chorus.server.clock import now_ms
from chorus.server.domain import values
from chorus.server.domain.model import STATES, Item, LabelClass
from chorus.server.errors import ApiError
from chorus.server.services.labeling import announce, media
from chorus.server.services.projects import Projects
from chorus.server.services.recording import Before, Delta, count, keep
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

ACTIONS = ("approve", "change", "requeue", "remove", "accept_skip")


class Review:
    def __init__(self, store: Store, projects: Projects) -> None:
        self._store = store
        self._projects = projects

    async def items(
        self, project_id: str, state: str | None, after: int, limit: int, votes: bool
    ) -> dict[str, Any]:
        """`{"items": [ReviewItem], "total", "next"}` in order of item_id."""
        if state is not None and state not in STATES:
            raise ApiError("bad_value", f"state must be one of {', '.join(STATES)}")
        limit = max(1, min(limit, 200))
        classes = self._projects.classes(project_id)

        def fn(tx: Tx) -> dict[str, Any]:
            items = tx.items_in_state(project_id, state, after, limit)
            total = tx.count_states(project_id)
            return {
                "items": [_review_item(tx, i, classes, votes) for i in items],
                "total": total.get(state, 0) if state else sum(total.values()),
                "next": items[-1].item_id if len(items) == limit else None,
            }

        return await self._store.read(fn)

    async def item(self, project_id: str, item_id: int) -> dict[str, Any]:
        classes = self._projects.classes(project_id)

        def fn(tx: Tx) -> dict[str, Any]:
            return _review_item(tx, _item(tx, project_id, item_id), classes, True)

        return await self._store.read(fn)

    async def decide(
        self, project_id: str, item_id: int, user_id: str, action: str,
        wire_value: dict[str, Any] | None,
    ) -> dict[str, Any]:  # fmt: skip
        """Raises `ApiError`: bad_value, not_found, conflict (nothing to approve …)."""
        if action not in ACTIONS:
            raise ApiError("bad_value", f"action must be one of {', '.join(ACTIONS)}")
        classes = self._projects.classes(project_id)
        value = values.parse(wire_value, classes) if action == "change" else None

        def fn(tx: Tx) -> dict[str, Any]:
            item = _item(tx, project_id, item_id)
            decide(tx, item, user_id, action, value, now_ms())
            return {"state": item.state, "label": values.name_of(item.label, classes)}

        return await self._store.write(fn)


def decide(tx: Tx, item: Item, user_id: str, action: str, value: str | None, now: int) -> None:
    """The whole transaction of a decision; `value` is canonical."""
    project = tx.project(item.project_id)
    assert project is not None
    before = Before.of(item)
    revision = item.revision
    body: dict[str, Any] = {"item_id": item.item_id, "user_id": user_id, "action": action}
    if action == "approve":
        value = item.label if item.label is not None else item.provisional
        if value is None:
            raise ApiError("conflict", "nobody has labeled this item: there is nothing to approve")
    if action in ("approve", "change"):
        item.review, item.review_value = "decided", value
        body["value"] = value
    elif action == "remove":
        item.review, item.review_value = "removed", None
    elif action == "accept_skip":
        if item.state != "skipped":
            raise ApiError("conflict", "this item is not skipped")
        item.review = "accepted"
    else:
        item.review = item.review_value = None
        item.requeue_seq = project.last_seq
        body["set_aside"] = [
            {
                "user_id": v.user_id,
                "kind": v.kind,
                "value": v.value,
                "prelabel": v.prelabel,
            }
            for v in tx.standing(item.item_id)
        ]
        tx.clear_standing(item.item_id)
        count(item, [], project, tx.params(project))
    delta = Delta()
    keep(tx, project, item, before, delta, now)
    seq = tx.emit(item.project_id, now, "review.decided", {**body, **delta.body()})
    tx.add_review(item.project_id, item.item_id, user_id, action, value, seq, now)
    announce(tx, item, before, revision, now)


def _item(tx: Tx, project_id: str, item_id: int) -> Item:
    item = tx.item(item_id)
    if item is None or item.project_id != project_id:
        raise ApiError("not_found", f"no item {item_id} in this project")
    return item


def _review_item(tx: Tx, item: Item, classes: list[LabelClass], votes: bool) -> dict[str, Any]:
    out: dict[str, Any] = {
        **media(item),
        "state": item.state,
        "label": values.name_of(item.label, classes),
        "source": item.label_source,
        "provisional": values.name_of(item.provisional, classes),
        "confidence": item.confidence,
        "agreement": item.agreement,
        "model": None
        if item.model_value is None
        else {"class": values.name_of(item.model_value, classes), "score": item.model_score},
    }
    if votes:
        out["votes"] = [
            {
                "vote_id": vote_id,
                "user_id": user_id,
                "labeler": name,
                "kind": kind,
                "value": values.to_wire(value, classes),
                "created_at": created_at,
                "duration_ms": duration_ms,
                "page_kind": page_kind,
                "prelabel": values.name_of(prelabel, classes),
                "standing": bool(standing),
            }
            for (
                vote_id, user_id, name, kind, value, created_at, duration_ms, page_kind, prelabel,
                _, standing,
            ) in tx.votes_of_item(item.item_id)
        ]  # fmt: skip
    return out
