"""A supervisor's decisions: they end the votes' say on an item, or ask for new votes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from chorus.server.clock import now_ms
from chorus.server.domain.filters import Filter
from chorus.server.domain.model import STATES, Item, StandingVote
from chorus.server.domain.shapes import Size
from chorus.server.domain.values import Schema
from chorus.server.errors import ApiError
from chorus.server.services.announcing import announce
from chorus.server.services.fitting import fitting
from chorus.server.services.labeling import media
from chorus.server.services.projects import Projects
from chorus.server.services.recording import Before, Delta, count, keep
from chorus.server.services.shape_review import merged_shapes
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx
from chorus.server.storage.tx.review import COUNT_MAX

ACTIONS = ("approve", "change", "requeue", "remove", "accept_skip", "undo")
LIST_MAX = 200
DRAWN = 10
"""Items with drawings that are made ready together: one may be megabytes."""
CHUNK = 200
"""Decisions per transaction: labelers' votes wait no longer than that for the writer."""
MANY_MAX = 5000
DONE = {
    "approve": "approved it",
    "change": "changed it",
    "requeue": "sent it back",
    "remove": "removed it",
    "accept_skip": "accepted the skip",
    "undo": "took a decision back",
    "import": "imported a label for it",
}


class Chosen(msgspec.Struct):
    """One of many items to decide at once; `seen`: the newest decision the person knows of."""

    item_id: int
    seen: int | None = None


class Review:
    def __init__(self, store: Store, projects: Projects) -> None:
        self._store = store
        self._projects = projects

    async def items(
        self, project_id: str, state: str | None, after: int, limit: int, votes: bool
    ) -> dict[str, Any]:
        """`{"items": [ReviewItem], "total", "next"}` in order of item_id. At most `limit` items,
        and fewer if they are large."""
        if state is not None and state not in STATES:
            raise ApiError("bad_value", f"state must be one of {', '.join(STATES)}")
        limit = max(1, min(limit, LIST_MAX))
        schema = self._projects.schema(project_id)

        def fn(tx: Tx) -> dict[str, Any]:
            found = tx.items_in_state(project_id, state, after, limit)
            items = list(fitting(_few_at_a_time(tx, found, schema, votes)))
            more = len(items) < len(found) or len(found) == limit
            total = tx.count_states(project_id)
            return {
                "items": items,
                "total": total.get(state, 0) if state else sum(total.values()),
                "next": items[-1]["item_id"] if more else None,
            }

        return await self._store.read(fn)

    async def browse(
        self, project_id: str, wanted: Filter, after: str, limit: int, counted: bool
    ) -> dict[str, Any]:
        """`{"items": [ReviewItem with votes], "next", "total"?, "more"?}`; `after` is the `next`
        of the page before. `more`: there are more than `total`, nobody counted how many. At most
        `limit` items, and fewer if they are large."""
        limit = max(1, min(limit, LIST_MAX))
        schema = self._projects.schema(project_id)
        start = _cursor(after)

        def fn(tx: Tx) -> dict[str, Any]:
            found = tx.review_items(project_id, wanted, start, limit)
            items = list(fitting(_doubted(tx, found, schema)))
            more = len(items) < len(found) or len(found) == limit
            last = items[-1] if more else None
            out: dict[str, Any] = {
                "items": items,
                "next": f"{last['doubt']}.{last['item_id']}" if last else None,
            }
            if counted:
                whole = last is None and start == (None, 0)
                total = len(found) if whole else tx.count_review_items(project_id, wanted)
                out["total"], out["more"] = min(total, COUNT_MAX), total > COUNT_MAX
            return out

        return await self._store.read(fn)

    async def item(self, project_id: str, item_id: int) -> dict[str, Any]:
        schema = self._projects.schema(project_id)

        def fn(tx: Tx) -> dict[str, Any]:
            return _review_items(tx, [_item(tx, project_id, item_id)], schema, True)[0]

        return await self._store.read(fn)

    async def decide(
        self, project_id: str, item_id: int, user_id: str, action: str,
        wire_value: dict[str, Any] | None, seen: int | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Raises `ApiError`: bad_value, not_found, conflict (nothing to approve, somebody else
        has decided since `seen` …)."""
        schema = self._projects.schema(project_id)
        size: Size | None = None
        if schema.shapes and wire_value is not None:
            item = await self._store.read(lambda tx: _item(tx, project_id, item_id))
            size = item.width, item.height
        value = self.value_of(project_id, action, wire_value, size)

        def fn(tx: Tx) -> dict[str, Any]:
            item = _item(tx, project_id, item_id)
            seq = decide(tx, item, user_id, action, value, now_ms(), seen=seen)
            return {"state": item.state, "label": schema.names(item.label), "seq": seq}

        return await self._store.write(fn)

    async def decide_many(
        self, project_id: str, chosen: Sequence[Chosen], user_id: str, action: str,
        wire_value: dict[str, Any] | None,
    ) -> dict[str, Any]:  # fmt: skip
        """The same decision for many. One that is refused stops no other; every one is answered:
        `{"done": [{item_id, seq}], "refused": [{item_id, code, message}]}`."""
        if len(chosen) > MANY_MAX:
            raise ApiError("bad_value", f"at most {MANY_MAX} items at once")
        value = self.value_of(project_id, action, wire_value)
        done: list[dict[str, Any]] = []
        refused: list[dict[str, Any]] = []
        for start in range(0, len(chosen), CHUNK):
            some = chosen[start : start + CHUNK]

            def fn(tx: Tx, some: Sequence[Chosen] = some) -> tuple[list[Any], list[Any]]:
                good, bad = [], []
                for one in some:
                    try:
                        item = _item(tx, project_id, one.item_id)
                        seq = decide(tx, item, user_id, action, value, now_ms(), seen=one.seen)
                    except ApiError as error:  # raised before anything is written
                        problem = {"code": error.code, "message": error.message}
                        bad.append({"item_id": one.item_id, **problem})
                    else:
                        good.append({"item_id": one.item_id, "seq": seq})
                return good, bad

            good, bad = await self._store.write(fn)
            done += good
            refused += bad
        return {"done": done, "refused": refused}

    def value_of(
        self, project_id: str, action: str, wire_value: dict[str, Any] | None,
        size: Size | None = None,
    ) -> str | None:  # fmt: skip
        """The canonical value of a decision that has one; size: of the one picture that it is of.
        Raises bad_value."""
        if action not in ACTIONS:
            raise ApiError("bad_value", f"action must be one of {', '.join(ACTIONS)}")
        schema = self._projects.schema(project_id)
        if action == "change" or (action == "approve" and wire_value is not None):
            return schema.parse(wire_value, size)
        return None


def decide(
    tx: Tx, item: Item, user_id: str, action: str, value: str | None, now: int,
    *, seen: int | None = None, bulk_id: str | None = None, preset: bool = False,
) -> int:  # fmt: skip
    """The whole transaction of a decision; `value` is canonical. Returns its seq.

    `preset`: of an item that is sent back, its label is what people find there, to be confirmed.

    `approve` with a value approves that value only: what the person saw, should votes have
    changed it meanwhile. Raises `ApiError` before anything is written.
    """
    project = tx.project(item.project_id)
    assert project is not None
    last = tx.last_reviews([item.item_id]).get(item.item_id)
    if seen is not None and seen != (last[0] if last else 0):
        raise ApiError("conflict", meanwhile(last))
    before, was = Before.of(item), tx.standing(item.item_id)
    revision = item.revision
    votes = was
    user = tx.user(user_id)
    body: dict[str, Any] = {
        "item_id": item.item_id,
        "user_id": user_id,
        "name": user.name if user else user_id,
        "action": action,
    }
    delta = Delta()
    if action == "approve":
        shown, value = value, item.label if item.label is not None else item.provisional
        if value is None:
            raise ApiError("conflict", "nobody has labeled this item: there is nothing to approve")
        if shown not in (None, value):
            raise ApiError("conflict", "new votes have changed the label meanwhile; look again")
    if action in ("approve", "change", "import"):
        item.review, item.review_value = "decided", value
        body["value"] = value
    elif action == "remove":
        item.review, item.review_value = "removed", None
    elif action == "accept_skip":
        if item.state != "skipped":
            raise ApiError("conflict", "this item is not skipped")
        item.review, item.review_value = "removed", None
    elif action == "undo":
        _undo(tx, item, body, delta, now)
        votes = tx.standing(item.item_id)
        count(item, votes, project, tx.params(project))
    else:
        made = preset and _preset(item)
        item.review = item.review_value = None
        item.requeue_seq = project.last_seq
        body["set_aside"] = [_as_event(v) for v in was]
        body["preset"] = made
        tx.clear_standing(item.item_id)
        votes = []
        count(item, votes, project, tx.params(project))
    keep(tx, project, item, before, was, votes, delta, now)
    seq = tx.emit(item.project_id, now, "review.decided", {**body, **delta.body()})
    tx.add_review(item.project_id, item.item_id, user_id, action, value, seq, now, bulk_id)
    announce(tx, item, before, revision, now)
    return seq


def effective(reviews: Iterable[tuple[str, str | None, int]]) -> list[tuple[str, str | None, int]]:
    """The decisions that still count: an undo is a decision that cancels the newest before it."""
    stack: list[tuple[str, str | None, int]] = []
    for review in reviews:
        if review[0] != "undo":
            stack.append(review)
        elif stack:
            stack.pop()
    return stack


def outcome(
    reviews: Iterable[tuple[str, str | None, int]],
) -> tuple[str | None, str | None, int]:
    """(item.review, item.review_value, seq up to which votes are set aside) after `effective`
    decisions, oldest first."""
    review: str | None = None
    value: str | None = None
    requeued = 0
    for action, given, seq in reviews:
        if action in ("approve", "change", "import"):
            review, value = "decided", given
        elif action in ("remove", "accept_skip"):
            review, value = "removed", None
        else:
            review, value, requeued = None, None, seq
    return review, value, requeued


def _preset(item: Item) -> bool:
    """Let people find the item's label so far where the model's answer would be: was there any?
    Where it has only been skipped they find nothing, or still the preset that nobody has
    confirmed: among old labels the model's answer to the old question would be taken for one."""
    label = item.label if item.label is not None else item.provisional
    if label is not None:
        item.preset = label
        item.queue, item.queue_pos, item.queue_block = "prelabeled", item.rank, 0
        item.pre_value, item.pre_score, item.odd = label, None, None
        return True
    if not item.shows_preset:
        item.preset = None
        if item.queue == "prelabeled" and not item.audit:  # of what is hidden nobody is misled
            item.queue, item.queue_pos, item.queue_block = "manual", item.rank, 0
            item.pre_value = item.pre_score = None
    return False


def _undo(tx: Tx, item: Item, body: dict[str, Any], delta: Delta, now: int) -> None:
    """Back to what held before the item's newest decision; votes it set aside stand again."""
    stack = effective(tx.reviews(item.item_id))
    if not stack or (stack[-1][0] == "import" and not tx.brought_in(item.item_id, stack[-1][2])):
        raise ApiError("conflict", "there is no decision to take back here")
    undone = stack.pop()
    body["undone"] = undone[0]
    item.review, item.review_value, item.requeue_seq = outcome(stack)
    if undone[0] != "requeue":
        return
    if item.preset is not None and _made_preset(tx, item, undone[2]):
        if item.queue == "prelabeled":
            item.queue, item.queue_pos, item.pre_value = "manual", item.rank, None
        item.preset = None
    standing = {v.user_id: v for v in tx.standing(item.item_id)}
    restored: dict[str, StandingVote] = {}
    for vote in tx.facts_of_votes(item.item_id):
        # Whoever has answered anew since then is heard with the new answer.
        if vote.seq > item.requeue_seq and vote.user_id not in standing:
            restored[vote.user_id] = vote
    for vote in restored.values():
        tx.set_standing(
            item.item_id, vote.user_id, item.project_id, vote.vote_id, vote.kind, vote.value,
            vote.prelabel, vote.seq,
        )  # fmt: skip
    for lease in tx.open_leases(item.item_id):
        if lease.user_id in restored:  # nobody holds what they have answered
            tx.release(lease.lease_id, now, "closed")
            item.n_leases -= 1
            delta.closed.append(
                {
                    "item_id": item.item_id,
                    "page_id": lease.page_id,
                    "user_id": lease.user_id,
                    "tab": lease.tab,
                }
            )
    body["restored"] = [_as_event(v) for v in restored.values()]


def _made_preset(tx: Tx, item: Item, seq: int) -> bool:
    """Is the item's preset from this decision to send it back? Else it was brought in as a
    prelabel. An older version's log does not say."""
    (event,) = tx.events_since(item.project_id, seq - 1, 1)
    return bool(event.body.get("preset", True))


def _as_event(vote: StandingVote) -> dict[str, Any]:
    return {
        "user_id": vote.user_id,
        "kind": vote.kind,
        "value": vote.value,
        "prelabel": vote.prelabel,
    }


def meanwhile(last: tuple[Any, ...] | None) -> str:
    """Why a decision is refused: what the item's newest one (see `Tx.last_reviews`) says."""
    if last is None:
        return "this item has no decision any more; look again"
    _, user_id, name, action, *_ = last
    return f"{name or user_id} {DONE[action]} meanwhile; look again"


def _item(tx: Tx, project_id: str, item_id: int) -> Item:
    item = tx.item(item_id)
    if item is None or item.project_id != project_id:
        raise ApiError("not_found", f"no item {item_id} in this project")
    return item


def _cursor(after: str) -> tuple[int | None, int]:
    """A `next` as (doubt, item_id). Raises bad_value for anything else."""
    if after in ("", "0"):
        return None, 0
    doubt, dot, item_id = after.rpartition(".")
    try:
        return (int(doubt) if dot else None), int(item_id)
    except ValueError:
        raise ApiError("bad_value", "after must be the next of the page before") from None


def _doubted(tx: Tx, found: Sequence[tuple[int, Item]], schema: Schema) -> Iterator[dict[str, Any]]:
    """ReviewItems, each with its votes and its doubt."""
    items = _few_at_a_time(tx, [item for _, item in found], schema, True)
    for item, (doubt, _) in zip(items, found, strict=True):
        item["doubt"] = doubt
        yield item


def _few_at_a_time(
    tx: Tx, items: Sequence[Item], schema: Schema, votes: bool
) -> Iterator[dict[str, Any]]:
    """ReviewItems. Drawings are made a few at a time: so many may be taken."""
    step = DRAWN if schema.shapes else LIST_MAX
    for start in range(0, len(items), step):
        yield from _review_items(tx, items[start : start + step], schema, votes)


def _review_items(
    tx: Tx, items: Sequence[Item], schema: Schema, votes: bool
) -> list[dict[str, Any]]:
    ids = [i.item_id for i in items]
    decided = tx.last_reviews(ids) if ids else {}
    out = [_public(i, decided.get(i.item_id), schema) for i in items]
    for item in out:
        item["flagged"] = []
        item["comments"] = 0
        item["gold_note"] = None
    if ids:
        found = {item["item_id"]: item for item in out}
        for item_id, text in tx.gold_notes(ids).items():
            found[item_id]["gold_note"] = text
        for item_id, name, at in tx.flagged_checks(ids):
            found[item_id]["flagged"].append({"name": name, "at": at})
        for item_id, n in tx.comment_counts(ids):
            found[item_id]["comments"] = n
    if votes and ids:
        by_item: dict[int, list[dict[str, Any]]] = {i: [] for i in ids}
        for row in tx.votes_of_items(ids):
            by_item[row[0]].append(_vote(row, schema))
        for item in out:
            item["votes"] = by_item[item["item_id"]]
        if schema.shapes:
            merged = merged_shapes(tx, items, schema)
            for item in out:
                item["consensus"] = merged[item["item_id"]]
    return out


def _public(item: Item, last: tuple[Any, ...] | None, schema: Schema) -> dict[str, Any]:
    return {
        **media(item),
        "state": item.state,
        "label": schema.names(item.label),
        "source": item.label_source,
        "provisional": schema.names(item.provisional),
        "confidence": item.confidence,
        "agreement": item.agreement,
        "model": _model(item, schema),
        "gold": bool(item.gold),
        "decided": None
        if last is None
        else {
            "seq": last[0],
            "user_id": last[1],
            "name": last[2] or last[1],
            "action": last[3],
            **_named(last[4], schema),
            "at": last[5],
        },
    }


def _named(value: str | None, schema: Schema) -> dict[str, Any]:
    """The wire value's field, there without a value, too."""
    return {schema.field: schema.names(value)}


def _model(item: Item, schema: Schema) -> dict[str, Any] | None:
    """What the last round said of the item while it was open, else its heads' view of it now."""
    value, score = item.model_value, item.model_score
    if value is None:
        if item.model_probs is None or schema.multilabel or schema.shapes:
            return None
        value, _, share = item.model_probs.partition(",")[0].partition(":")
        score = float(share)
    return {**_named(value, schema), "score": score}


def _vote(row: Any, schema: Schema) -> dict[str, Any]:
    (
        _, vote_id, user_id, name, kind, value, created_at, duration_ms, page_kind, prelabel,
        score, stands, corrected, taken_by, taken_at,
    ) = row  # fmt: skip
    return {
        "vote_id": vote_id,
        "user_id": user_id,
        "labeler": name,
        "kind": kind,
        "value": schema.to_wire(value),
        "created_at": created_at,
        "duration_ms": duration_ms,
        "page_kind": page_kind,
        "prelabel": schema.names(prelabel),
        "prelabel_score": score,
        "standing": bool(stands),
        "corrected": bool(corrected),
        "taken_back": None if taken_at is None else {"by": taken_by, "at": taken_at},
    }
