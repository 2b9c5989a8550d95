"""How fast a person answers, and how often others said the same: nothing of a single item. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

GAP_MS = 120_000
"""A longer wait between two answers was a pause."""
PACE_LEAST = 20
AGREEMENT_LEAST = 30


def per_hour(times: Sequence[int]) -> int | None:
    """Answers an hour while at work, from when they were given (ms, ascending); None: too few to
    say. What was sent together was answered one after the other."""
    worked = answers = 0
    for before, after in pairwise(times):
        if after - before <= GAP_MS:
            worked += after - before
            answers += 1
    if answers < PACE_LEAST or not worked:
        return None
    return round(answers * 3_600_000 / worked)


def agreement(answers: int, same: int) -> float | None:
    """Share of a person's answers that the settled label agrees with, in whole hundredths: fine
    enough to know how one does, too coarse to ask what a single item is. None: too few."""
    return round(same / answers, 2) if answers >= AGREEMENT_LEAST else None
