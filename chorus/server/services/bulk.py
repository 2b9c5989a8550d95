"""One decision for everything that a filter finds, however much that is.

It runs here, not in the page: chunk by chunk, each a transaction, so that votes wait behind one
chunk at most. The page follows it, may stop it, and may take all of it back. Its id is made by the
client: asking again with the same id, after a lost connection or a restart, goes on with it and
decides nothing twice.
"""

from __future__ import annotations

import asyncio
import logging
from array import array
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from chorus.server.clock import now_ms
from chorus.server.domain.filters import Filter
from chorus.server.errors import ApiError
from chorus.server.services.background import end
from chorus.server.services.review import Review, decide, meanwhile
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

log = logging.getLogger(__name__)

READ_CHUNK = 20_000
WRITE_CHUNK = 100
KEPT = 100
"""Bulks remembered after their end, for a page that asks late."""
NO_ANSWER = -1

Follow = Callable[[dict[str, Any]], None]


class Bulk:
    """One run. `of` is None while the items are still being found."""

    def __init__(self, bulk_id: str, project_id: str, user_id: str, action: str) -> None:
        self.bulk_id = bulk_id
        self.project_id = project_id
        self.user_id = user_id
        self.action = action
        self.state = "running"
        self.of: int | None = None
        self.done = 0
        self.refused: dict[tuple[str, str], int] = {}
        self.stop = False
        self.task: asyncio.Task[None] | None = None
        self.follow: list[Follow] = []

    def public(self) -> dict[str, Any]:
        """See docs/protocol.md, `Bulk`."""
        often = sorted(self.refused.items(), key=lambda entry: -entry[1])
        return {
            "bulk_id": self.bulk_id,
            "action": self.action,
            "state": self.state,
            "of": self.of,
            "done": self.done,
            "refused": [
                {"code": code, "message": message, "count": n} for (code, message), n in often
            ],
        }

    def refuse(self, error: ApiError) -> None:
        key = error.code, error.message
        self.refused[key] = self.refused.get(key, 0) + 1

    def tell(self) -> None:
        body = self.public()
        for follow in self.follow:
            follow(body)  # of a socket that has gone: nothing
        if self.state != "running":
            self.follow.clear()


class _Plan(msgspec.Struct):
    """What is to be done: items with what was seen of them."""

    item_ids: array[int]
    seen: array[int]
    """decide: what stood there, by its place in `answers` (NO_ANSWER: nothing); undo: seq of the
    decision."""
    answers: list[str] | None = None
    """decide: canonical values, each once."""

    def chunk(self, at: int) -> tuple[list[int], list[Any]]:
        """(item ids, what was seen of each: a canonical value or None; a seq) of one step."""
        seen: list[Any] = self.seen[at : at + WRITE_CHUNK].tolist()
        if self.answers is not None:
            seen = [None if place == NO_ANSWER else self.answers[place] for place in seen]
        return self.item_ids[at : at + WRITE_CHUNK].tolist(), seen


class Bulks:
    def __init__(self, store: Store, review: Review) -> None:
        self._store = store
        self._review = review
        self._bulks: dict[str, Bulk] = {}

    async def stop(self) -> None:
        """What is left of a bulk stays undone; asking for it again goes on with it."""
        await end(b.task for b in self._bulks.values())

    def decide(
        self, project_id: str, bulk_id: str, wanted: Filter, user_id: str, action: str,
        wire_value: dict[str, Any] | None, as_of: int | None, follow: Follow | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Begin, or go on with, one decision for all that `wanted` finds now; returns a `Bulk`.

        `as_of`: the newest event that the person knows of; what has been decided since is
        refused, as is what no longer matches when its turn comes. Raises bad_value, conflict.
        """
        if action == "undo":
            raise ApiError("bad_value", "name the bulk to take back, not a filter")
        value = self._review.value_of(project_id, action, wire_value)

        async def plan() -> _Plan:
            return await self._found(project_id, wanted)

        def step(tx: Tx, bulk: Bulk, item_ids: Sequence[int], seen: Sequence[str | None]) -> None:
            _decide_some(tx, bulk, wanted, item_ids, seen, value, as_of)

        return self._begin(Bulk(bulk_id, project_id, user_id, action), plan, step, follow)

    def undo(
        self, project_id: str, bulk_id: str, undoes: str, user_id: str,
        follow: Follow | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Take back every decision of the bulk `undoes` that is still the newest of its item."""

        async def plan() -> _Plan:
            return await self._decided(project_id, undoes)

        return self._begin(Bulk(bulk_id, project_id, user_id, "undo"), plan, _undo_some, follow)

    def each(
        self, bulk: Bulk, filters: Sequence[Filter],
        step: Callable[[Tx, Bulk, Sequence[int], Sequence[Any]], None], follow: Follow | None,
    ) -> dict[str, Any]:  # fmt: skip
        """Begin, or go on with, `step` for all that any of the filters finds now, by chunks."""

        async def plan() -> _Plan:
            whole = _Plan(array("q"), array("i"), [])
            for wanted in filters:
                whole.item_ids.extend((await self._found(bulk.project_id, wanted)).item_ids)
            whole.seen.extend([NO_ANSWER] * len(whole.item_ids))
            return whole

        return self._begin(bulk, plan, step, follow)

    def get(self, project_id: str, bulk_id: str) -> dict[str, Any]:
        return self._of(project_id, bulk_id).public()

    def cancel(self, project_id: str, bulk_id: str) -> dict[str, Any]:
        """Decide nothing more; what is decided stays (and can be taken back)."""
        bulk = self._of(project_id, bulk_id)
        bulk.stop = True
        return bulk.public()

    # -- a run

    def _of(self, project_id: str, bulk_id: str) -> Bulk:
        bulk = self._bulks.get(bulk_id)
        if bulk is None or bulk.project_id != project_id:
            raise ApiError("not_found", "no such bulk since the server has started")
        return bulk

    def _begin(
        self, new: Bulk, plan: Callable[[], Any], step: Callable[..., None], follow: Follow | None
    ) -> dict[str, Any]:
        if not 8 <= len(new.bulk_id) <= 64:
            raise ApiError("bad_value", "bulk_id must be a UUID made by the client")
        bulk = self._bulks.get(new.bulk_id)
        known = bulk is not None and (bulk.project_id, bulk.action) == (new.project_id, new.action)
        if bulk is None or (known and bulk.state == "failed"):
            bulk = self._bulks[new.bulk_id] = new
            ended = [
                b.bulk_id for b in self._bulks.values() if b.task is not None and b.task.done()
            ]
            for bulk_id in ended[: max(0, len(self._bulks) - KEPT)]:
                del self._bulks[bulk_id]
            bulk.task = asyncio.ensure_future(self._run(bulk, plan, step))
        elif not known:
            raise ApiError("conflict", "this bulk_id belongs to another bulk")
        if follow is not None and bulk.state == "running":
            bulk.follow.append(follow)
        return bulk.public()

    async def _run(self, bulk: Bulk, plan: Callable[[], Any], step: Callable[..., None]) -> None:
        try:
            found: _Plan = await plan()
            bulk.of = len(found.item_ids)
            bulk.tell()
            for at in range(0, bulk.of, WRITE_CHUNK):
                if bulk.stop:
                    bulk.state = "cancelled"
                    return
                item_ids, seen = found.chunk(at)
                # Counted aside: a commit that fails leaves the figures as they were.
                some = Bulk(bulk.bulk_id, bulk.project_id, bulk.user_id, bulk.action)
                await self._store.write(
                    lambda tx, some=some, item_ids=item_ids, seen=seen: step(  # type: ignore[misc]
                        tx, some, item_ids, seen
                    )
                )
                bulk.done += some.done
                for key, n in some.refused.items():
                    bulk.refused[key] = bulk.refused.get(key, 0) + n
                bulk.tell()
            bulk.state = "done"
        except ApiError:  # shutting down
            bulk.state = "cancelled"
        except Exception:
            bulk.state = "failed"
            log.exception("bulk %s failed", bulk.bulk_id)
        finally:
            bulk.tell()

    async def _found(self, project_id: str, wanted: Filter) -> _Plan:
        plan = _Plan(array("q"), array("i"))
        places: dict[str, int] = {}
        after = 0
        while True:
            rows = await self._store.read(
                lambda tx, after=after: tx.review_answers(project_id, wanted, after, READ_CHUNK)  # type: ignore[misc]
            )
            plan.item_ids.extend(row[0] for row in rows)
            for _, answer in rows:
                place = NO_ANSWER if answer is None else places.setdefault(answer, len(places))
                plan.seen.append(place)
            if len(rows) < READ_CHUNK:
                plan.answers = list(places)
                return plan
            after = rows[-1][0]

    async def _decided(self, project_id: str, bulk_id: str) -> _Plan:
        plan = _Plan(array("q"), array("q"))
        after = 0
        while True:

            def fn(tx: Tx, after: int = after) -> list[tuple[int, int]]:
                known = tx.bulk_project(bulk_id) == project_id
                return tx.bulk_reviews(bulk_id, after, READ_CHUNK) if known else []

            rows = await self._store.read(fn)
            plan.item_ids.extend(row[0] for row in rows)
            plan.seen.extend(row[1] for row in rows)
            if len(rows) < READ_CHUNK:
                return plan
            after = rows[-1][0]


def _decide_some(
    tx: Tx, bulk: Bulk, wanted: Filter, item_ids: Sequence[int], seen: Sequence[str | None],
    value: str | None, as_of: int | None,
) -> None:  # fmt: skip
    """The transaction of a chunk; `seen`: canonical values that stood there."""
    narrowed = msgspec.structs.replace(wanted, item_ids=tuple(item_ids))
    first = item_ids[0] - 1
    still = {row[0] for row in tx.review_answers(bulk.project_id, narrowed, first, len(item_ids))}
    last = tx.last_reviews(item_ids)
    for item, answer in _with(tx, item_ids, seen):
        newest = last.get(item.item_id)
        if newest is not None and newest[6] == bulk.bulk_id:
            bulk.done += 1  # before a restart
            continue
        try:
            if newest is not None and as_of is not None and newest[0] > as_of:
                raise ApiError("conflict", meanwhile(newest))
            if item.item_id not in still:
                raise ApiError("conflict", "it has changed meanwhile; look again")
            shown = value
            if bulk.action == "approve" and value is None and answer is not None:
                shown = answer
            decide(
                tx, item, bulk.user_id, bulk.action, shown, now_ms(),
                seen=newest[0] if newest else 0, bulk_id=bulk.bulk_id,
            )  # fmt: skip
        except ApiError as error:  # raised before anything is written
            bulk.refuse(error)
        else:
            bulk.done += 1


def _undo_some(tx: Tx, bulk: Bulk, item_ids: Sequence[int], seen: Sequence[int]) -> None:
    """The transaction of a chunk; `seen`: seqs of the decisions to take back."""
    last = tx.last_reviews(item_ids)
    for item, seq in _with(tx, item_ids, seen):
        if last[item.item_id][6] == bulk.bulk_id:
            bulk.done += 1  # before a restart
            continue
        try:
            decide(tx, item, bulk.user_id, "undo", None, now_ms(), seen=seq, bulk_id=bulk.bulk_id)
        except ApiError as error:  # raised before anything is written
            bulk.refuse(error)
        else:
            bulk.done += 1


def _with(tx: Tx, item_ids: Sequence[int], seen: Sequence[Any]) -> Any:
    known = dict(zip(item_ids, seen, strict=True))
    return ((item, known[item.item_id]) for item in tx.items_by_id(item_ids))
