"""Votes in, one label out. Pure, and knows nothing of tasks, people or storage.

A vote is a canonical value string (see `chorus.server.domain.values`), so a method compares
values without knowing what they mean. A method is one entry of `METHODS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from chorus.server.consensus.majority import majority
from chorus.server.consensus.merged import Merged, Opinion, conclude

__all__ = ["CHOICES", "METHODS", "Merged", "Opinion", "merge"]

CHOICES = ("auto", "majority", "one_coin", "dawid_skene", "model")
"""What a project's settings may name."""

METHODS: Mapping[str, Callable[[Sequence[str]], Opinion]] = MappingProxyType({"majority": majority})
"""Methods that look at nothing but the votes of one item."""


def merge(method: str, votes: Sequence[str], *, votes_min: int, votes_max: int) -> Merged:
    """The label that `votes` add up to.

    `votes`: the standing label votes of one item, canonical value strings in the order cast.
    `votes_min`, `votes_max`: the project's rules, 1 <= votes_min <= votes_max. A method never
    reaches a label below `votes_min`; more than `votes_max` votes (a late one) all count.

    Only for methods that look at one item alone; `decide` weighs votes by their labelers.

    Raises `ValueError` for an unknown method or rules out of order.
    """
    decide = METHODS.get(method)
    if decide is None:
        raise ValueError(f"unknown consensus method {method!r}; known: {', '.join(METHODS)}")
    return conclude(
        decide(votes), len(votes), votes_min=votes_min, votes_max=votes_max, method=method
    )
