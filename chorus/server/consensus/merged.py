"""What a consensus method says about one item."""

from __future__ import annotations

import msgspec


class Opinion(msgspec.Struct, frozen=True):
    """A method's answer before the project's rules are applied."""

    value: str | None
    """Canonical value string; None only without votes."""
    confidence: float
    """How sure the method is of `value`, 0..1; 0 without votes."""
    agreement: float
    """Share of the votes that equal `value`, 0..1; 0 without votes."""
    decided: bool
    """The votes suffice for this method to call `value` the label."""


class Merged(msgspec.Struct, frozen=True):
    """The consensus of one item. `provisional` is always `not reached`."""

    value: str | None
    confidence: float
    agreement: float
    vote_count: int
    reached: bool
    """`value` is the label: at least `votes_min` votes, and the method decided."""
    provisional: bool
    """`value` is only the best guess so far (None without votes)."""
    method: str


def conclude(
    opinion: Opinion, vote_count: int, *, votes_min: int, votes_max: int, method: str
) -> Merged:
    """The label by what the votes say and how many the rules ask for; a label is never reached
    below `votes_min`. Raises `ValueError` for rules out of order."""
    if not 1 <= votes_min <= votes_max:
        raise ValueError(f"need 1 <= votes_min <= votes_max, got {votes_min} and {votes_max}")
    reached = opinion.decided and vote_count >= votes_min
    return Merged(
        value=opinion.value,
        confidence=opinion.confidence,
        agreement=opinion.agreement,
        vote_count=vote_count,
        reached=reached,
        provisional=not reached,
        method=method,
    )
