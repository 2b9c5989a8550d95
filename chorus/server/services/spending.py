"""What the project's votes have brought: given, saved, about how many are left to give.

Counted by reading every item, so not at each vote: as often as it costs little, whatever the size.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from time import monotonic
from typing import Any

import msgspec

from chorus.server.consensus.estimate import Estimate
from chorus.server.domain.forecast import votes_left
from chorus.server.domain.model import Project
from chorus.server.errors import ApiError
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

log = logging.getLogger(__name__)

QUICK_S = 0.02
"""Counted while it is waited for, where that takes no longer …"""
SHARE = 0.05
"""… and else in the background, with at most this share of one core."""


class _Kept(msgspec.Struct):
    figures: dict[str, Any]
    seq: int
    """As of this event."""
    cost_s: float
    at: float
    """When it was counted, by the monotonic clock."""


class Spending:
    """`changed` is called when figures that were not waited for are there."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: dict[str, _Kept] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.changed: Callable[[str], None] = lambda project_id: None

    async def of(self, project_id: str, seq: int) -> dict[str, Any]:
        """Figures as of event `seq` (see docs/protocol.md, `Stats`), or from a moment before."""
        kept = self._kept.get(project_id)
        if kept is None or (kept.seq < seq and kept.cost_s <= QUICK_S):
            kept = await self._count(project_id)
        elif kept.seq < seq and project_id not in self._tasks:
            self._tasks[project_id] = asyncio.ensure_future(self._later(project_id, kept))
        return kept.figures

    async def stop(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _later(self, project_id: str, kept: _Kept) -> None:
        try:
            await asyncio.sleep(max(0.0, kept.at + kept.cost_s / SHARE - monotonic()))
            await self._count(project_id)
        except Exception:
            log.exception("votes of %s were not counted", project_id)
        finally:
            del self._tasks[project_id]
        self.changed(project_id)

    async def _count(self, project_id: str) -> _Kept:
        began = monotonic()

        def fn(tx: Tx) -> _Kept:
            project = tx.project(project_id)
            if project is None:
                raise ApiError("not_found", "no such project")
            figures = {**spending(tx, project), **consensus(tx, project)}
            return _Kept(figures, project.last_seq, 0.0, 0.0)

        # On a reader's thread: it stops neither the event loop nor the writer.
        kept = await self._store.read(fn)
        kept.at = monotonic()
        kept.cost_s = kept.at - began
        self._kept[project_id] = kept
        return kept


def spending(tx: Tx, project: Project) -> dict[str, Any]:
    """Votes spent, saved against votes_max, and about how many are left, with an interval."""
    items: dict[str, dict[int, int]] = {"open": {}, "settled": {}, "stuck": {}}
    for kind, votes, count in tx.votes_by_items(project.project_id):
        items[kind][votes] = count
    spent = {kind: sum(n * count for n, count in some.items()) for kind, some in items.items()}
    settled = sum(items["settled"].values())
    left = votes_left(
        items["open"], items["settled"], items["stuck"], project.votes_min, project.votes_max
    )
    return {
        "spent": sum(spent.values()),
        "settled": settled,
        "per_item": round(spent["settled"] / settled, 3) if settled else None,
        "saved": settled * project.votes_max - spent["settled"],
        "votes_max": project.votes_max,
        "left": None if left is None else msgspec.to_builtins(left),
    }


def consensus(tx: Tx, project: Project) -> dict[str, Any]:
    """How votes become a label now, with one sentence for people."""
    return {
        "method": project.consensus,
        "note": note(project, tx.estimate(project)),
    }


def note(project: Project, estimate: Estimate | None) -> str:
    if project.equal_votes:
        if project.multilabel and project.set_rule == "exact":
            return "Every vote counts the same; more than half of them must be the very same set."
        if project.multilabel:
            return "Every vote counts the same; each class needs more than half of them."
        return "Every vote counts the same; more than half of them make the label."
    if project.votes_max == 1:
        return "One vote for each item: nothing to compare, so everybody counts the same."
    if estimate is None:
        return "Too few votes yet to tell people apart: everybody counts the same."
    return estimate.note
