"""When pages of clusters are worth it: what they are expected to save, and what they turn out to.

A page of n items, m of them alike, takes 3 + 2 (n - m) actions by its cluster: select all, one
class key, two for every other item, submit. One by one it takes n + 1. So it saves 2 m - n - 2
actions, `gain` = 2 m / n - 1 - 2 / n for an item: from 61 % alike on a page of nine, 67 % of six,
75 % of four. Linear in the share that is alike, so that its mean is all there is to know.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

LEAST_ANSWERED = 4
"""Answers on a page before it says anything of how alike its items are."""
LEAST_PAGES = 8
"""Pages before anything is concluded from them."""
RISK = 0.1
"""Chance that clusters of a round which are worth it are ever withdrawn."""
STAKES = (0.125, 0.25, 0.5, 0.75)
"""How much is wagered against the pages being worth it (see `mixed`)."""
MEMORY = 5
"""Rounds for which the measured gap holds: by then the model has seen twice the labels."""

Pages = Mapping[tuple[int, int], int]
"""(answered, alike) -> pages that turned out so. answered: the holder's answers on the page;
alike: how many of these are the commonest one."""


def gain(answered: int, alike: float) -> float:
    """Actions that a page saves for each of its items, -1..1; negative: it costs more."""
    return (2 * alike - answered - 2) / answered


def worth_from(size: int) -> float:
    """The share of alike items from which a page of `size` is worth it."""
    return (size + 2) / (2 * size)


class Turnout(msgspec.Struct, frozen=True):
    """How some pages turned out: their number, the mean share alike, the mean gain of an item."""

    pages: int
    alike: float
    gain: float


def turnout(pages: Pages) -> Turnout | None:
    """None without any page."""
    n = sum(pages.values())
    if not n:
        return None
    share = sum(k * alike / answered for (answered, alike), k in pages.items()) / n
    saved = sum(k * gain(answered, alike) for (answered, alike), k in pages.items()) / n
    return Turnout(n, round(share, 4), round(saved, 4))


def mixed(pages: Pages) -> bool:
    """True when the pages prove that such pages are not worth it.

    A wager against it: from capital 1, a share of it is staked on every page that it saves
    nothing; what the page costs is won, what it saves is lost. As long as pages are worth it
    (the expected gain of the next one is at least 0, whatever came before) the capital is a
    supermartingale, and exceeds 1 / RISK with chance RISK at most, however often one looks (Ville's
    inequality; Waudby-Smith and Ramdas, Estimating means of bounded random variables by betting,
    2024). The mean over several stakes keeps that, and finds mildly and badly mixed pages. The
    order of the pages does not matter, so that counts are enough.
    """
    if sum(pages.values()) < LEAST_PAGES:
        return False
    logs = [
        sum(
            k * math.log1p(-stake * gain(answered, alike)) for (answered, alike), k in pages.items()
        )
        for stake in STAKES
    ]
    top = max(logs)
    mean = top + math.log(sum(math.exp(x - top) for x in logs) / len(logs))
    return mean >= -math.log(RISK)


class Past(msgspec.Struct, frozen=True):
    """An earlier round: the mean share alike that it expected of its pages, and what came."""

    expected: float
    pages: Pages


def gap(past: Sequence[Past]) -> float | None:
    """How much more (or less, negative) alike than expected the pages of recent rounds turned out,
    as a share of a page; None as long as too few have been measured."""
    n = 0
    total = 0.0
    for round_ in past:
        for (answered, alike), k in round_.pages.items():
            n += k
            total += k * (alike / answered - round_.expected)
    return total / n if n >= LEAST_PAGES else None


def served(expected: Sequence[float], size: int, correction: float | None) -> list[bool]:
    """Which of a round's clusters to serve, from the share alike expected of each.

    All of them as long as nothing speaks against it: nothing is measured, or the mean, corrected
    by what earlier rounds were wrong, is worth it. Else those alone that are worth it each by
    itself, which saves more actions than any other choice, by what is known.
    """
    if correction is None or not expected:
        return [True] * len(expected)
    if sum(expected) / len(expected) + correction > worth_from(size):
        return [True] * len(expected)
    return [share + correction > worth_from(size) for share in expected]
