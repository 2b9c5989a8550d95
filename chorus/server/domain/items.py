"""The life of an item: one pure function decides its state, one its room."""

from __future__ import annotations

import msgspec

from chorus.server.domain.model import OPEN_STATES, Rules, State


class Facts(msgspec.Struct, frozen=True):
    """All that the state of one item depends on. Counts are of standing votes."""

    labels: int = 0
    skips: int = 0
    flags: int = 0
    leases: int = 0
    reached: bool = False
    """The consensus method, asked with these votes, found one label."""
    review: str | None = None
    """'decided' | 'removed' | None."""


def derive(facts: Facts, rules: Rules) -> State:
    """The item's state: the first line that holds."""
    if facts.review == "removed":
        return "removed"
    if facts.review == "decided":
        return "labeled"
    if facts.flags:
        return "needs_review"
    if facts.labels >= rules.votes_min and facts.reached:
        return "labeled"
    if facts.labels >= rules.votes_max:
        return "needs_review"
    if facts.skips >= rules.skips_max:
        return "skipped"
    if facts.labels or facts.skips or facts.leases:
        return "in_progress"
    return "unlabeled"


def room(facts: Facts, rules: Rules) -> int:
    """How many more leases the item may carry now; 0 for an item that is settled."""
    if derive(facts, rules) not in OPEN_STATES:
        return 0
    wanted = min(max(rules.votes_min, facts.labels + 1), rules.votes_max)
    return max(0, wanted - facts.labels - facts.leases)
