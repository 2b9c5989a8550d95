"""Items whose votes are the same but add up to something else now: by new rules, by a new estimate
of the labelers' skills, by the model's new view. Found by readers, merged anew chunk by chunk, and
what that changes is said. What a stop of the server cuts off goes on at the next start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Any

import msgspec

from chorus.server.clock import now_ms
from chorus.server.consensus.live import Params
from chorus.server.domain.model import Item, Project, StandingVote
from chorus.server.services.announcing import announce
from chorus.server.services.background import Tasks
from chorus.server.services.recording import (
    CONFIDENCE_STEP,
    Before,
    Delta,
    count,
    in_line,
    keep,
    merged_label,
    settle,
)
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

READ_CHUNK = 500
"""Items looked at in one go: by a thread that wants Python's lock all the while."""
WRITE_CHUNK = 200
"""Items merged anew in one transaction: a vote waits behind one chunk at most."""
BUSY_CHUNK = 50
"""While votes wait for the writer …"""
SHARE = 0.2
"""… and then looking and merging take at most this share of the time."""
_SETTLED = ("state", "room", "label", "label_source")


def recount(
    tx: Tx, project: Project, items: Sequence[Item], event: str, body: Mapping[str, Any], now: int,
    delta: Delta | None = None, was: Mapping[int, Sequence[StandingVote]] | None = None,
) -> None:  # fmt: skip
    """Count the standing votes of some items anew in one transaction, and say what that changes:
    one `event` with `body` and the deltas (none if both are empty), then each label. `delta`: what
    the caller has changed of them already; `was`: votes that stood before, where those are
    others."""
    params = tx.params(project)
    delta = Delta() if delta is None else delta
    said = []
    for item in items:
        before, revision = Before.of(item), item.revision
        votes = tx.standing(item.item_id)
        count(item, votes, project, params)
        old = votes if was is None else was[item.item_id]
        keep(tx, project, item, before, old, votes, delta, now)
        said.append((item, before, revision))
    deltas = delta.body()
    if body or deltas:
        tx.emit(project.project_id, now, event, {"count": len(said), **body, **deltas})
    for item, before, revision in said:
        announce(tx, item, before, revision, now)


def remerge(tx: Tx, project_id: str, item_ids: Sequence[int], now: int) -> None:
    """Merge some items anew in one transaction and say what became of them."""
    project = tx.project(project_id)
    assert project is not None
    recount(tx, project, tx.items_by_id(item_ids), "labels.remerged", {}, now)


def begin(tx: Tx, project_id: str, now: int) -> bool:
    """The rules have changed in this transaction. A small project follows within it (False);
    with more items than one chunk, `Remerging.wake` is due after the commit (True)."""
    items = tx.items_in_state(project_id, None, 0, WRITE_CHUNK + 1)
    if len(items) > WRITE_CHUNK:
        tx.add_remerge(project_id)
        return True
    remerge(tx, project_id, [item.item_id for item in items], now)
    return False


class Remerging:
    """At most one pass over each project at a time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._passes = Tasks[str]("merging %s anew failed", lambda key: self.changed(key))
        self.changed: Callable[[str], None] = lambda project_id: None

    async def start(self) -> None:
        """Go on with what a stop of the server cut off."""
        for project in await self._store.read(lambda tx: tx.projects()):
            if project.remerge_due or project.landed_rev < project.estimate_rev:
                self.wake(project.project_id)

    async def stop(self) -> None:
        await self._passes.stop()

    def running(self, project_id: str) -> bool:
        """Some items do not follow the newest rules and estimate yet."""
        return project_id in self._passes

    def wake(self, project_id: str) -> asyncio.Task[None]:
        """Let all items follow the newest rules and estimate; the task ends when they do."""
        return self._passes.begin(project_id, lambda: self._run(project_id))

    async def _run(self, project_id: str) -> None:
        # What changes meanwhile is seen by the check at the end, and takes another pass.
        while not self._passes.closed and await self._pass(project_id):
            pass

    async def _pass(self, project_id: str) -> bool:
        """Once over all items; returns whether rules or estimate have changed since it began."""

        began = await self._store.read(lambda tx: tx.project(project_id))
        if began is None or began.state == "deleting":
            return False
        after: int | None = 0
        while after is not None:
            began_at = monotonic()
            after, items = await self._store.read(
                lambda tx, after=after: differing(tx, project_id, after)  # type: ignore[misc]
            )
            await self._rest(began_at)
            while items:
                size = BUSY_CHUNK if self._store.waiting else WRITE_CHUNK
                some, items = items[:size], items[size:]
                began_at = monotonic()
                await self._store.persist(
                    lambda tx, some=some: remerge(tx, project_id, some, now_ms())  # type: ignore[misc]
                )
                await self._rest(began_at)

        def end(tx: Tx) -> bool:
            tx.set_landed(project_id, began.estimate_rev)
            tx.end_remerge(project_id, began.remerge_due)
            project = tx.project(project_id)
            assert project is not None
            return project.remerge_due > 0 or project.landed_rev < project.estimate_rev

        return await self._store.persist(end)

    async def _rest(self, began_at: float) -> None:
        """After work since then (s, monotonic): let votes have the machine, where any wait."""
        if self._store.waiting:
            await asyncio.sleep((monotonic() - began_at) * (1 / SHARE - 1))


def differing(tx: Tx, project_id: str, after: int) -> tuple[int | None, list[int]]:
    """(last item_id looked at, None at the end; items that are not what their votes add up to)."""
    project = tx.project(project_id)
    assert project is not None
    # New rules change what items without votes need; an estimate only what votes say.
    read = tx.items_with_votes if project.remerge_due == 0 else _all_items(tx)
    items = read(project_id, after, READ_CHUNK)
    if not items:
        return None, []
    params = tx.params(project)
    standing = tx.standing_between(project_id, items[0].item_id, items[-1].item_id)
    found = [
        item.item_id
        for item in items
        if _differs(item, standing.get(item.item_id, ()), project, params)
    ]
    return items[-1].item_id, found


def _all_items(tx: Tx) -> Callable[[str, int, int], list[Item]]:
    return lambda project_id, after, limit: tx.items_in_state(project_id, None, after, limit)


def _differs(item: Item, votes: Sequence[StandingVote], project: Project, params: Params) -> bool:
    labels = [v for v in votes if v.kind == "label"]
    merged = merged_label(item, labels, project, params)
    if (merged.value, merged.reached) != (item.provisional, bool(item.reached)):
        return True
    if labels and abs(merged.confidence - (item.confidence or 0.0)) > CONFIDENCE_STEP:
        return True
    if project.remerge_due == 0:
        return False
    # New rules may want something else of an item whose votes add up to the same.
    fresh = msgspec.structs.replace(item)
    settle(fresh, project, 0)
    return not in_line(fresh, project) or any(
        getattr(item, name) != getattr(fresh, name) for name in _SETTLED
    )
