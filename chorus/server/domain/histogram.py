"""How long things take, counted in classes that grow by a twentieth: cheap to add to, and a
quantile is right within 2.5 % however many values there are."""

from __future__ import annotations

import math
from collections.abc import Iterable

LEAST = 1e-5
"""Seconds; what is quicker counts as this."""
GROWTH = math.log(1.05)
BINS = 340
"""Up to 150 s; what is slower counts as that."""


class Histogram:
    """Counts of durations in seconds."""

    __slots__ = ("bins", "n")

    def __init__(self) -> None:
        self.bins = [0] * BINS
        self.n = 0

    def add(self, seconds: float, n: int = 1) -> None:
        at = int(math.log(seconds / LEAST) / GROWTH) if seconds > LEAST else 0
        self.bins[min(at, BINS - 1)] += n
        self.n += n


def quantiles(some: Iterable[Histogram], shares: Iterable[float]) -> list[float | None]:
    """Of all values in `some`: the seconds that each share of them does not exceed. None: there
    are no values."""
    bins, n = [0] * BINS, 0
    for one in some:
        if one.n:
            n += one.n
            bins = [a + b for a, b in zip(bins, one.bins, strict=True)]
    return [_quantile(bins, n, share) for share in shares]


def _quantile(bins: list[int], n: int, share: float) -> float | None:
    if not n:
        return None
    left = max(1, math.ceil(share * n))
    for at, count in enumerate(bins):
        left -= count
        if left <= 0:
            return LEAST * math.exp(GROWTH * (at + 0.5))
    raise AssertionError("the bins hold fewer values than they count")
