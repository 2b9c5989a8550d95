"""What the project's votes have brought: given, saved, about how many are left to give.

Worked out from the board's `spread`, which follows from the log: no item is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from chorus.server.consensus.estimate import Estimate
from chorus.server.domain.forecast import votes_left
from chorus.server.domain.model import Event, Project
from chorus.server.errors import ApiError
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

_RULES = {"project.changed", "skills.estimated"}
"""Events after which votes may become a label in another way."""


class Rules(msgspec.Struct):
    """What of a project the figures depend on."""

    votes_min: int
    votes_max: int
    consensus: dict[str, Any]
    """How votes become a label now, with one sentence for people."""


class Spending:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._rules: dict[str, Rules] = {}

    async def rules(self, project_id: str) -> Rules:
        """Raises `ApiError('not_found')`."""
        rules = self._rules.get(project_id)
        if rules is None:
            rules = await self._store.read(lambda tx: _read(tx, project_id))
            self._rules[project_id] = rules
        return rules

    def on_events(self, events: Sequence[Event]) -> None:
        """Bus listener; must come before those that tell the figures."""
        for event in events:
            if event.type in _RULES:
                self._rules.pop(event.project_id, None)


def _read(tx: Tx, project_id: str) -> Rules:
    project = tx.project(project_id)
    if project is None:
        raise ApiError("not_found", "no such project")
    consensus = {"method": project.consensus, "note": note(project, tx.estimate(project))}
    return Rules(project.votes_min, project.votes_max, consensus)


def spending(spread: Mapping[str, int], votes_min: int, votes_max: int) -> dict[str, Any]:
    """Votes spent, saved against votes_max, and about how many are left, with an interval.

    spread: items by "kind:label votes" (see `Board`).
    """
    items: dict[str, dict[int, int]] = {"open": {}, "settled": {}, "stuck": {}}
    for key, count in spread.items():
        kind, _, votes = key.partition(":")
        items[kind][int(votes)] = count
    spent = {kind: sum(n * count for n, count in some.items()) for kind, some in items.items()}
    settled = sum(items["settled"].values())
    left = votes_left(items["open"], items["settled"], items["stuck"], votes_min, votes_max)
    return {
        "spent": sum(spent.values()),
        "settled": settled,
        "per_item": round(spent["settled"] / settled, 3) if settled else None,
        "saved": settled * votes_max - spent["settled"],
        "votes_max": votes_max,
        "left": None if left is None else msgspec.to_builtins(left),
    }


def spread_of(tx: Tx, project_id: str) -> dict[str, int]:
    """The board's `spread`, by reading every item."""
    return {f"{kind}:{n}": items for kind, n, items in tx.votes_by_items(project_id)}


def note(project: Project, estimate: Estimate | None) -> str:
    if project.shapes:
        return (
            f"Every vote counts the same; a shape that more than half of the people drew is in the"
            f" label, and an item is settled once they agree on {project.shape_agreement:.0%} of"
            f" its shapes."
        )
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
