"""How good the work is: each person's skill, how far people agree, which classes they mix up."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chorus.server.clock import now_ms
from chorus.server.consensus import agreement
from chorus.server.consensus.estimate import Estimate
from chorus.server.errors import ApiError
from chorus.server.services.projects import Projects
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

CHUNK = 20_000
FRESH_MS = 2_000
"""How old an answer may be: many viewers share one computation."""
RECENT = 500
Z = 1.96
UNKNOWN = -1


class Quality:
    def __init__(self, store: Store, projects: Projects) -> None:
        self._store = store
        self._projects = projects
        self._kept: dict[str, tuple[int, dict[str, Any]]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def of(self, project_id: str) -> dict[str, Any]:
        """See docs/protocol.md, `Quality`. Raises not_found."""
        classes = [c.name for c in self._projects.classes(project_id)]
        async with self._locks.setdefault(project_id, asyncio.Lock()):
            kept = self._kept.get(project_id)
            if kept is not None and now_ms() - kept[0] < FRESH_MS:
                return kept[1]
            # On a reader's thread: it does not stop the event loop, nor the writer.
            found = await self._store.read(lambda tx: quality(tx, project_id, classes))
            self._kept[project_id] = now_ms(), found
            return found


def quality(tx: Tx, project_id: str, classes: list[str]) -> dict[str, Any]:
    project = tx.project(project_id)
    if project is None:
        raise ApiError("not_found", "no such project")
    votes = _Votes(tx, project_id)
    estimate = tx.estimate(project)
    alpha = agreement.krippendorff_alpha(votes.item, votes.rater, votes.value)
    fleiss = agreement.fleiss_kappa(votes.item, votes.rater, votes.value)
    return {
        "method": project.consensus,
        "note": _note(project.consensus, project.votes_max, estimate),
        "model_weight": 0.0 if estimate is None else estimate.params.model_weight,
        "agreement": {"alpha": _interval(alpha), "fleiss": _interval(fleiss)},
        "votes": _spending(tx, project_id, project.votes_max),
        "labelers": _labelers(tx, project_id, votes, estimate),
        "pairs": _pairs(votes),
        "confusion": votes.confusion(len(classes)).tolist(),
        "classes": classes,
    }


class _Votes:
    """Standing label votes as columns. `label`: the item's label, UNKNOWN without one."""

    def __init__(self, tx: Tx, project_id: str) -> None:
        rows: list[tuple[int, str, str, str | None, str | None]] = []
        place = (-1, "")
        while some := tx.votes_and_labels(project_id, place, CHUNK):
            rows += some
            place = some[-1][:2]
        self.raters = sorted({row[1] for row in rows})
        number = {user_id: n for n, user_id in enumerate(self.raters)}
        self.item = np.array([row[0] for row in rows], dtype=np.int64)
        self.rater = np.array([number[row[1]] for row in rows], dtype=np.int64)
        self.value = np.array([int(row[2]) for row in rows], dtype=np.int64)
        self.prelabel = _codes([row[3] for row in rows])
        self.label = _codes([row[4] for row in rows])

    def confusion(self, classes: int) -> NDArray[np.int64]:
        """(classes, classes): votes for [label of the item][class voted]."""
        known = self.label != UNKNOWN
        out = np.zeros((classes, classes), dtype=np.int64)
        np.add.at(out, (self.label[known], self.value[known]), 1)
        return out


def _codes(values: list[str | None]) -> NDArray[np.int64]:
    return np.array([UNKNOWN if v is None else int(v) for v in values], dtype=np.int64)


def _labelers(
    tx: Tx, project_id: str, votes: _Votes, estimate: Estimate | None
) -> list[dict[str, Any]]:
    people = {m["user_id"]: m for m in tx.members(project_id)}
    speed = dict(tx.durations(project_id))
    counts = {row[0]: row[3:] for row in tx.board_labelers(project_id)}
    number = {user_id: n for n, user_id in enumerate(votes.raters)}
    agrees = agreement.with_others(votes.item, votes.rater, votes.value, len(votes.raters))
    out = []
    for user_id in sorted(people.keys() | counts.keys()):
        n = number.get(user_id)
        mine = votes.rater == n if n is not None else np.zeros(len(votes.rater), dtype=bool)
        wrong = mine & (votes.prelabel != UNKNOWN) & (votes.label != UNKNOWN)
        wrong &= votes.prelabel != votes.label
        skips, seen, changed = counts.get(user_id, (0, 0, 0))
        member = people.get(user_id)
        user = tx.user(user_id)
        skill = estimate.skills.get(user_id) if estimate is not None else None
        out.append(
            {
                "user_id": user_id,
                "name": user.name if user is not None else user_id,
                "role": member["role"] if member is not None else None,
                "paused": bool(member and member["paused"]),
                "labels": int(mine.sum()),
                "skips": int(skips),
                "skill": None
                if skill is None
                else {"value": skill.value, "low": skill.low, "high": skill.high},
                "agreement": None if n is None else _finite(agrees[n]),
                "seconds": None if user_id not in speed else round(speed[user_id] / 1000, 2),
                "prelabels_seen": int(seen),
                "prelabels_changed": int(changed),
                "wrong_prelabels": int(wrong.sum()),
                "wrong_let_through": int((wrong & (votes.value == votes.prelabel)).sum()),
            }
        )
    return sorted(out, key=lambda person: (-person["labels"], person["name"]))


def _pairs(votes: _Votes) -> dict[str, Any]:
    """Cohen's kappa of every two labelers who have answered the same items."""
    kappa, shared = agreement.cohen_kappa_matrix(
        votes.item, votes.rater, votes.value, len(votes.raters)
    )
    return {
        "raters": votes.raters,
        "kappa": [[_finite(k) for k in row] for row in kappa],
        "shared": shared.tolist(),
    }


def _spending(tx: Tx, project_id: str, votes_max: int) -> dict[str, Any]:
    """Votes spent, saved against votes_max, and about how many are left, with an interval."""
    settled, spent, on_open = tx.votes_spent(project_id)
    counts = tx.count_states(project_id)
    open_items = counts.get("unlabeled", 0) + counts.get("in_progress", 0)
    recent = np.array(tx.last_settled(project_id, RECENT), dtype=np.float64)
    left = None
    if len(recent) >= 10:
        mean, deviation = float(recent.mean()), float(recent.std(ddof=1))
        # Of the mean itself, and of the sum over the items still to come.
        spread = Z * deviation * math.sqrt(open_items**2 / len(recent) + open_items)
        value = max(0.0, open_items * mean - on_open)
        left = {
            "value": round(value),
            "low": round(max(0.0, value - spread)),
            "high": round(value + spread),
        }
    return {
        "spent": spent + on_open,
        "settled": settled,
        "per_item": round(spent / settled, 3) if settled else None,
        "saved": settled * votes_max - spent,
        "left": left,
    }


def _note(method: str, votes_max: int, estimate: Estimate | None) -> str:
    if method == "majority":
        return "Every vote counts the same; more than half of them make the label."
    if votes_max == 1:
        return "One vote for each item: nothing to compare, so everybody counts the same."
    if estimate is None:
        return "Too few votes yet to tell people apart: everybody counts the same."
    return estimate.note


def _interval(found: Any) -> dict[str, float | None]:
    return {name: _finite(getattr(found, name)) for name in ("value", "low", "high")}


def _finite(value: float) -> float | None:
    return round(float(value), 4) if math.isfinite(value) else None
