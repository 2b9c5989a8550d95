"""What the project's votes have brought: given, saved, about how many are left to give.

Counted by reading every item, so not at each vote: as often as it costs little, whatever the size.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from time import monotonic
from typing import Any

import msgspec
import numpy as np

from chorus.server.consensus.estimate import Estimate
from chorus.server.domain.model import Project
from chorus.server.errors import ApiError
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

log = logging.getLogger(__name__)

RECENT = 500
"""Items settled last, from which the next ones are forecast: people and model change."""
LEAST = 10
Z = 1.96
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
    settled, spent, on_open = tx.votes_spent(project.project_id)
    counts = tx.count_states(project.project_id)
    open_items = counts.get("unlabeled", 0) + counts.get("in_progress", 0)
    recent = np.array(tx.last_settled(project.project_id, RECENT), dtype=np.float64)
    left = None
    if open_items == 0:
        left = {"value": 0, "low": 0, "high": 0}
    elif len(recent) >= LEAST:
        mean, deviation = float(recent.mean()), float(recent.std(ddof=1))
        # Of the mean itself, and of the sum over the items still to come.
        spread = Z * deviation * math.sqrt(open_items**2 / len(recent) + open_items)
        # No item takes fewer than votes_min, or more than votes_max.
        least = open_items * project.votes_min - on_open
        most = open_items * project.votes_max - on_open
        value = open_items * mean - on_open
        left = {
            name: round(max(0, least, min(most, n)))
            for name, n in (("value", value), ("low", value - spread), ("high", value + spread))
        }
    return {
        "spent": spent + on_open,
        "settled": settled,
        "per_item": round(spent / settled, 3) if settled else None,
        "saved": settled * project.votes_max - spent,
        "votes_max": project.votes_max,
        "left": left,
    }


def consensus(tx: Tx, project: Project) -> dict[str, Any]:
    """How votes become a label now, with one sentence for people."""
    return {
        "method": project.consensus,
        "note": note(project.consensus, project.votes_max, tx.estimate(project)),
    }


def note(method: str, votes_max: int, estimate: Estimate | None) -> str:
    if method == "majority":
        return "Every vote counts the same; more than half of them make the label."
    if votes_max == 1:
        return "One vote for each item: nothing to compare, so everybody counts the same."
    if estimate is None:
        return "Too few votes yet to tell people apart: everybody counts the same."
    return estimate.note
