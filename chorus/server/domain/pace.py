"""What each way of working costs, measured from real use: seconds and errors for an item."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import msgspec

from chorus.server.domain.interval import wilson

View = Literal["single", "grid", "clustered", "prelabeled"]
VIEWS: tuple[View, ...] = ("single", "grid", "clustered", "prelabeled")
"""single and grid: by hand, one item or several to a page."""

IDLE_MS = 120_000
"""More than so long for one item is no work on it."""
STEPS = 16
"""Durations are kept as counts of bins, so many to a doubling: 4.4 % wide."""
LEAST_TIMED = 30
"""Answers in a view before its seconds are told: about three pages."""
LEAST_JUDGED = 30


def view_of(kind: str, size: int) -> View:
    """How an answer was given, from the kind and the size of its page."""
    if kind == "clustered":
        return "clustered"
    if kind == "prelabeled":
        return "prelabeled"
    return "grid" if size > 1 else "single"


def bin_of(ms: int) -> int:
    """The bin of a duration; ms > 0."""
    return math.floor(STEPS * math.log2(min(ms, IDLE_MS)))


def seconds_of(number: int) -> float:
    """The (geometric) middle of a bin."""
    return float(2 ** ((number + 0.5) / STEPS)) / 1000


class Times(msgspec.Struct, frozen=True):
    """Seconds for an item: the median, and between which quartiles half of all answers lie."""

    n: int
    seconds: float
    low: float
    high: float


def times(bins: Mapping[int, int]) -> Times | None:
    """From how often each bin came up; None as long as that says little. The median and the
    quartiles, since a person who looks out of the window must not count."""
    n = sum(bins.values())
    if n < LEAST_TIMED:
        return None
    low, middle, high = (_quantile(bins, q * n) for q in (0.25, 0.5, 0.75))
    return Times(n, round(middle, 2), round(low, 2), round(high, 2))


def _quantile(bins: Mapping[int, int], rank: float) -> float:
    below = 0
    for number in sorted(bins):
        below += bins[number]
        if below >= rank:
            break
    return seconds_of(number)


class Errors(msgspec.Struct, frozen=True):
    """The share of judged answers that are wrong, with Wilson's score interval (1927), 95 %."""

    n: int
    value: float
    low: float
    high: float


def errors(n: int, wrong: int) -> Errors | None:
    """None as long as so few are judged that it says little."""
    if n < LEAST_JUDGED:
        return None
    low, high = wilson(wrong, n)
    return Errors(n, round(wrong / n, 4), round(low, 4), round(high, 4))


def by_hand(known: Mapping[View, Times]) -> Times | None:
    """What the other views are compared with: several items to a page, as theirs are, if known."""
    return known.get("grid") or known.get("single")


def saved(known: Mapping[View, Times], view: View) -> float | None:
    """Seconds that `view` has saved so far against work by hand (negative: it took longer); None
    as long as one of the two is unknown."""
    here, hand = known.get(view), by_hand(known)
    if here is None or hand is None:
        return None
    return round(here.n * (hand.seconds - here.seconds), 1)


def note(known: Mapping[View, Times]) -> str:
    """One sentence for people."""
    hand = by_hand(known)
    said = []
    for view in ("clustered", "prelabeled"):
        gain = saved(known, view)
        if gain is None or hand is None:
            continue
        said.append(
            f"A {view} item takes {known[view].seconds:.1f} s, one by hand {hand.seconds:.1f} s:"
            f" {'clusters' if view == 'clustered' else 'prelabels'} have"
            f" {'saved' if gain >= 0 else 'cost'} about {_long(abs(gain))}."
        )
    if said:
        return " ".join(said)
    if hand is None:
        return "How long an item takes is known after a few pages."
    return f"An item by hand takes {hand.seconds:.1f} s."


def _long(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} hours"
