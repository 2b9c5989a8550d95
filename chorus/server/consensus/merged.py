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
