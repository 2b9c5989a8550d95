"""What new rules would change, worked out on the real votes before anything is changed."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from chorus.server.consensus.live import Params
from chorus.server.domain.model import OPEN_STATES, Item, Project, StandingVote
from chorus.server.errors import ApiError
from chorus.server.services.projects import RULES, Change, check_settings, settings_of
from chorus.server.services.recording import count, settle
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

CHUNK = 2000
ITEMS_MAX = 200_000
"""Items looked at; of a larger project the first so many, and the answer says so."""


class Previewing:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def of(self, project_id: str, change: Change) -> dict[str, Any]:
        """See docs/protocol.md, `Preview`. Raises `ApiError`: bad_value as the change itself would,
        not_found."""
        changes = settings_of(change)

        def begin(tx: Tx) -> tuple[Project, Project]:
            project = tx.project(project_id)
            if project is None:
                raise ApiError("not_found", "no such project")
            merged = dict(changes)
            if "votes_min" in changes or "votes_max" in changes:
                merged.setdefault("votes_min", project.votes_min)
                merged.setdefault("votes_max", project.votes_max)
            check_settings(merged, project.task_type)
            return project, msgspec.structs.replace(project, **changes)

        now, then = await self._store.read(begin)
        found = Found()
        ruled = any(getattr(now, name) != getattr(then, name) for name in RULES)
        after: int | None = 0
        while ruled and after is not None and found.items < ITEMS_MAX:
            after = await self._store.read(
                lambda tx, after=after: look(tx, now, then, after, found)  # type: ignore[misc]
            )
        return {**found.public(), "whole": after is None or not ruled, **_shares(now, then)}


class Found:
    """What differs, counted."""

    def __init__(self) -> None:
        self.items = 0
        self.moves: Counter[tuple[str, str]] = Counter()
        self.relabeled = 0
        self.votes = [0, 0]
        """Votes that open items ask for: now, then."""

    def public(self) -> dict[str, Any]:
        left = self.moves.items()
        opened = sum(n for (a, b), n in left if a not in OPEN_STATES and b in OPEN_STATES)
        # What the votes cannot settle goes to review, and is counted there.
        settled = sum(
            n for (a, b), n in left if a in OPEN_STATES and b not in {*OPEN_STATES, "needs_review"}
        )
        review = sum(n for (a, b), n in left if b == "needs_review" and a != b)
        return {
            "items": self.items,
            "moves": [[a, b, n] for (a, b), n in sorted(self.moves.items())],
            "open_again": opened,
            "settle": settled,
            "to_review": review,
            "relabeled": self.relabeled,
            "votes_asked": {"now": self.votes[0], "then": self.votes[1]},
        }


def look(tx: Tx, now: Project, then: Project, after: int, found: Found) -> int | None:
    """Count what differs in the next items; the last one looked at, None at the end."""
    items = tx.items_in_state(now.project_id, None, after, CHUNK)
    if not items:
        return None
    params = tx.params(now)
    standing = tx.standing_between(now.project_id, items[0].item_id, items[-1].item_id)
    for item in items:
        votes = standing.get(item.item_id, ())
        old, new = (_under(item, votes, rules, params) for rules in (now, then))
        found.items += 1
        found.votes[0] += _asked(old, now)
        found.votes[1] += _asked(new, then)
        if old.state != new.state:
            found.moves[old.state, new.state] += 1
        elif old.label != new.label:
            found.relabeled += 1
    return items[-1].item_id


def _under(item: Item, votes: Any, rules: Project, params: Params) -> Item:
    """The item as these rules have it (pure)."""
    fresh = msgspec.structs.replace(item)
    standing: list[StandingVote] = list(votes)
    count(fresh, standing, rules, params)
    settle(fresh, rules, 0)
    return fresh


def _asked(item: Item, rules: Project) -> int:
    """Votes that an open item still asks for, if people agree."""
    if item.state not in OPEN_STATES:
        return 0
    return max(1, rules.votes_min - item.n_labels)


def _shares(now: Project, then: Project) -> dict[str, Any]:
    """Of a thousand items handed out, those that are checks; of a thousand prelabeled, those that
    are audited."""
    return {
        "checks_per_1000": [round(1000 * now.gold_rate), round(1000 * then.gold_rate)],
        "audits_per_1000": [round(1000 * now.audit_share), round(1000 * then.audit_share)],
    }
