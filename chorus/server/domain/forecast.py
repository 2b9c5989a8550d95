"""How many votes are still to come, from how many the items before have taken.

An item that has k votes and is open yet did not settle at any of them, so it is no average item.
What counts is the chance to settle at the n-th vote, once it has been given: as in survival
analysis (Kaplan and Meier, 1958), every item that got so far is evidence for it, settled or not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

LEAST = 10
"""Settled items below which nothing is said."""
PRIOR = 2.0
"""Items' worth of the chance over all n, where few items have got to the n-th vote."""
Z = 1.96


class Forecast(msgspec.Struct):
    """Votes still to give, with a 95 % interval."""

    value: int
    low: int
    high: int


class End(msgspec.Struct):
    """When the votes that are left will have been given, at a pace, with a 95 % interval (ms)."""

    at: int
    low: int
    high: int | None
    """None: the pace may be next to nothing."""
    per_hour: float
    window_ms: int
    """The pace is that of so long."""


def ends(now: int, left: Forecast, given: int, window_ms: int) -> End | None:
    """`given`: votes within the last `window_ms`. None: too few to tell a pace from.

    Votes are taken for independent of each other: the interval knows nothing of who goes home.
    """
    if given < LEAST or window_ms <= 0:
        return None
    slow, fast = given - Z * math.sqrt(given), given + Z * math.sqrt(given)
    return End(
        at=now + round(left.value / given * window_ms),
        low=now + round(left.low / fast * window_ms),
        high=now + round(left.high / slow * window_ms) if slow >= 1 else None,
        per_hour=round(given * 3_600_000 / window_ms, 1),
        window_ms=window_ms,
    )


def votes_left(
    opened: Mapping[int, int],
    settled: Mapping[int, int],
    stuck: Mapping[int, int],
    votes_min: int,
    votes_max: int,
) -> Forecast | None:
    """Each mapping: label votes -> items. `stuck`: left open items without a label of their votes.

    None before LEAST items have settled.
    """
    if not sum(opened.values()):
        return Forecast(0, 0, 0)
    if sum(settled.values()) < LEAST:
        return None
    chances, evidence = _chances(opened, settled, stuck, votes_min, votes_max)
    value = variance = 0.0
    for k, items in opened.items():
        mean, spread = _remaining(chances, k, votes_max)
        value += items * mean
        variance += items * spread
    # The chances are estimates themselves: how far the sum moves with each (delta method).
    for n in range(votes_min, votes_max):
        moved = dict(chances)
        step = 1e-4
        moved[n] = chances[n] + (step if chances[n] < 0.5 else -step)
        other = sum(i * _remaining(moved, k, votes_max)[0] for k, i in opened.items())
        slope = (other - value) / (moved[n] - chances[n])
        variance += slope**2 * chances[n] * (1 - chances[n]) / evidence[n]
    half = Z * math.sqrt(variance)
    least = sum(items * max(1, votes_min - k) for k, items in opened.items())
    most = sum(items * max(1, votes_max - k) for k, items in opened.items())
    low, high = max(least, value - half), min(most, value + half)
    return Forecast(round(value), math.floor(low), math.ceil(high))


def _chances(
    opened: Mapping[int, int],
    settled: Mapping[int, int],
    stuck: Mapping[int, int],
    votes_min: int,
    votes_max: int,
) -> tuple[dict[int, float], dict[int, float]]:
    """(chance to settle at the n-th vote once given, items that tell), for votes_min <= n."""
    reached: dict[int, int] = {}
    ended: dict[int, int] = {}
    for n in range(votes_min, votes_max):
        reached[n] = sum(
            items for some in (opened, settled, stuck) for k, items in some.items() if k >= n
        )
        # Votes that came late do not mean that it took them; below votes_min nothing settles.
        ended[n] = settled.get(n, 0)
    total = sum(reached.values())
    overall = sum(ended.values()) / total if total else 0.5
    chances = {n: (ended[n] + PRIOR * overall) / (reached[n] + PRIOR) for n in reached}
    return chances, {n: reached[n] + PRIOR for n in reached}


def _remaining(chances: Mapping[int, float], k: int, votes_max: int) -> tuple[float, float]:
    """(mean, variance) of the votes that an open item with k votes still takes."""
    left, mean, square = 1.0, 0.0, 0.0
    for n in range(k + 1, max(votes_max, k + 1) + 1):
        ends = 1.0 if n >= votes_max else chances.get(n, 0.0)
        mean += left * ends * (n - k)
        square += left * ends * (n - k) ** 2
        left *= 1 - ends
    return mean, max(0.0, square - mean**2)
