"""Label sets by the votes alone: each class decided by itself, or the set as a whole.

A vote is a canonical set: class indices joined by commas, "0,3", or "-" for none of the classes.
"""

from __future__ import annotations

from collections.abc import Sequence

from chorus.server.consensus.majority import majority
from chorus.server.consensus.merged import Merged, Opinion, conclude

RULES = ("class", "exact")
"""What a project's settings may name (set_rule)."""
EMPTY = "-"


def merge_sets(votes: Sequence[str], *, rule: str, votes_min: int, votes_max: int) -> Merged:
    """The label set that `votes` add up to; arguments as in `consensus.merge`.

    Raises `ValueError` for an unknown rule, or votes out of order.
    """
    if rule not in RULES:
        raise ValueError(f"unknown rule {rule!r}; known: {', '.join(RULES)}")
    opinion = by_class(votes) if rule == "class" else majority(votes)
    return conclude(
        opinion, len(votes), votes_min=votes_min, votes_max=votes_max, method="majority"
    )


def by_class(votes: Sequence[str]) -> Opinion:
    """Every class is a question of its own: in, when more than half of the votes have it.

    Decided when no class is tied. Only classes that somebody ticked are questions: the others
    are out whatever else the project knows. A tied class is, for the time being, what the vote
    cast first says; otherwise the order of the votes does not matter.

    Agreement is the mean, over the questions, of the share of votes that say what the set says;
    confidence is that of the least sure one, by Laplace's rule as in `majority`. Where nobody
    ticked anything the one question is whether there is nothing, and everybody agrees.
    """
    n = len(votes)
    if not n:
        return Opinion(value=None, confidence=0.0, agreement=0.0, decided=False)
    sets = [_classes(vote) for vote in votes]
    label: list[int] = []
    sides: list[int] = []
    tied = False
    for c in sorted(set().union(*sets)):
        yes = sum(c in ticked for ticked in sets)
        tied |= 2 * yes == n
        if 2 * yes > n or (2 * yes == n and c in sets[0]):
            label.append(c)
        sides.append(max(yes, n - yes))
    sides = sides or [n]
    return Opinion(
        value=",".join(map(str, label)) or EMPTY,
        confidence=(min(sides) + 1) / (n + 2),
        agreement=sum(sides) / (n * len(sides)),
        decided=not tied,
    )


def shares(votes: Sequence[tuple[str, int]]) -> dict[int, float]:
    """By class that somebody ticked, the share of votes that have it. votes: (set, how many)."""
    total = sum(n for _, n in votes)
    out: dict[int, float] = {}
    for vote, n in votes:
        for c in _classes(vote):
            out[c] = out.get(c, 0.0) + n / total
    return dict(sorted(out.items()))


def _classes(vote: str) -> frozenset[int]:
    return frozenset() if vote == EMPTY else frozenset(int(c) for c in vote.split(","))
