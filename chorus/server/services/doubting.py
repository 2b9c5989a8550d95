"""Asking a second person where the model contradicts a single vote: once a round has landed."""

from __future__ import annotations

import msgspec

from chorus.server.clock import now_ms
from chorus.server.domain import doubts
from chorus.server.services.remerging import recount
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

CHUNK = 100
"""Items per transaction."""


class Doubted(msgspec.Struct, frozen=True):
    """What second looks have come to, of all rounds."""

    asked: int
    """Items that this round asks about."""
    items: int
    """… and all rounds did."""
    changed: int
    """Of these those labeled as the model said."""


async def doubt(store: Store, project_id: str) -> Doubted:
    """The labels to look at again are chosen by what the round that has just landed says of them;
    several chunks, so that votes wait behind one at most."""
    asked = 0
    while some := await store.persist(lambda tx: doubt_some(tx, project_id, now_ms())):
        asked += some
    items, changed = await store.read(lambda tx: tx.count_doubted(project_id))
    return Doubted(asked, items, changed)


def doubt_some(tx: Tx, project_id: str, now: int) -> int:
    """Returns at how many items; they wait for another person's vote from now on.

    Only while there is work that nobody has begun: what everybody is done with stays done."""
    project = tx.project(project_id)
    assert project is not None
    if not project.second_look or project.shapes or project.votes_min > 1:
        return 0
    if tx.people_at_work(project_id) < doubts.PEOPLE:
        return 0
    states = tx.count_states(project_id)
    if not states.get("unlabeled"):
        return 0
    room = doubts.room(states.get("labeled", 0), *tx.count_doubted(project_id))
    found = tx.to_doubt(project_id, doubts.sure(project.target), min(room, CHUNK))
    items = tx.items_by_id(found)
    for item in items:
        item.doubted = item.model_value
    if items:
        recount(tx, project, items, "labels.remerged", {"doubted": len(items)}, now)
    return len(items)
