"""Strict majority over whole values (multiclass)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from chorus.server.consensus.merged import Opinion

_NO_VOTES = Opinion(value=None, confidence=0.0, agreement=0.0, decided=False)


def majority(votes: Sequence[str]) -> Opinion:
    """Decided when one value has more than half of the votes.

    Otherwise the value is the plurality; among equals the one cast first, so that the answer
    depends on nothing but the votes. Confidence is Laplace's rule of succession,
    `(votes for value + 1) / (votes + 2)`: the chance that one more voter would agree. Unlike the
    bare share it tells one vote of one (0.67) from five of five (0.86).
    """
    if not votes:
        return _NO_VOTES
    # most_common sorts stably, and a Counter keeps first-seen order: ties go to the first cast.
    value, count = Counter(votes).most_common(1)[0]
    total = len(votes)
    return Opinion(
        value=value,
        confidence=(count + 1) / (total + 2),
        agreement=count / total,
        decided=2 * count > total,
    )
