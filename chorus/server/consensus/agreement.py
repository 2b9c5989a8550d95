"""How far people agree beyond chance: Krippendorff's alpha, Fleiss' and Cohen's kappa.

Every function takes three columns (n,) of integers, one row a vote: item (any numbers), rater and
value (0 or more). Intervals are 95 %, by the delta method over items (the infinitesimal
jackknife): each item's influence on the coefficient is written down, so there is nothing to
resample. NaN where a coefficient is not defined: no item with two votes, or only one value ever
used (with one value there is nothing to agree about).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chorus.server.consensus.table import Floats, Ints

Z = 1.959964
NAN = float("nan")


class Coefficient(NamedTuple):
    """A coefficient with its 95 % interval; 1 is perfect, 0 is chance."""

    value: float
    low: float
    high: float
    items: int
    """Items with two votes or more: what it rests on."""


NOTHING = Coefficient(NAN, NAN, NAN, 0)


def krippendorff_alpha(item: Ints, rater: Ints, value: Ints) -> Coefficient:
    """Alpha for nominal data, any number of raters, missing votes (Krippendorff, 2011)."""
    counts = _paired_counts(item, value)
    if not len(counts):
        return NOTHING
    m = counts.sum(axis=1)
    disagreements = (m * m - (counts**2).sum(axis=1)) / (m - 1)
    of_value, n = counts.sum(axis=0), m.sum()
    observed, expected = disagreements.sum(), n * n - (of_value**2).sum()
    if expected == 0:
        return NOTHING._replace(items=len(counts))
    # alpha = 1 - observed * (n - 1) / expected; its derivative along each item's own votes.
    influence = -(
        (disagreements * (n - 1) + observed * m) / expected
        - observed * (n - 1) / expected**2 * (2 * n * m - 2 * counts @ of_value)
    )
    return _with_interval(1 - observed * (n - 1) / expected, influence)


def fleiss_kappa(item: Ints, rater: Ints, value: Ints) -> Coefficient:
    """Kappa of many raters (Fleiss, 1971). Items may have different numbers of votes: an item's
    agreement is the share of its pairs of votes that agree, and every item counts alike."""
    counts = _paired_counts(item, value)
    if not len(counts):
        return NOTHING
    m = counts.sum(axis=1)
    agreeing = ((counts**2).sum(axis=1) - m) / (m * (m - 1))
    n = m.sum()
    share = counts.sum(axis=0) / n
    observed, chance = agreeing.mean(), (share**2).sum()
    if chance == 1:
        return NOTHING._replace(items=len(counts))
    d_observed = (agreeing - observed) / len(counts)
    d_chance = 2 * (counts @ share - m * chance) / n
    influence = d_observed / (1 - chance) - d_chance * (1 - observed) / (1 - chance) ** 2
    return _with_interval((observed - chance) / (1 - chance), influence)


class Pairwise(NamedTuple):
    """Cohen's kappa of every two raters, (raters, raters), symmetric; the diagonal is NaN."""

    kappa: Floats
    low: Floats
    high: Floats
    shared: Ints
    """Items that both have answered."""


def cohen_kappa(item: Ints, rater: Ints, value: Ints, raters: int) -> Pairwise:
    """Cohen's kappa (1960) of every two raters on the items they share.

    NaN for pairs who share no item or used one and the same value only. Costs one row for each
    pair of votes on an item.
    """
    square = (raters, raters)
    a, b = _vote_pairs(item, rater)
    pair = rater[a] * raters + rater[b]
    code, at = np.unique(pair, return_inverse=True)
    n = np.bincount(at, minlength=len(code)).astype(np.float64)
    k = int(value.max(initial=0)) + 1
    mine = np.bincount(at * k + value[a], minlength=len(code) * k).reshape(-1, k) / n[:, None]
    other = np.bincount(at * k + value[b], minlength=len(code) * k).reshape(-1, k) / n[:, None]
    same = (value[a] == value[b]).astype(np.float64)
    observed = np.bincount(at, same, minlength=len(code)) / n
    chance = (mine * other).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        kappa = np.where(chance < 1, (observed - chance) / (1 - chance), NAN)
        # Influence of each shared item on its pair's kappa.
        d_observed = same - observed[at]
        d_chance = mine[at, value[b]] + other[at, value[a]] - 2 * chance[at]
        influence = (d_observed - d_chance * (1 - kappa[at])) / (1 - chance[at])
        error = np.sqrt(np.bincount(at, influence**2, minlength=len(code))) / n

    def both_ways(column: Floats) -> Floats:
        out = np.full(square, NAN)
        out[code // raters, code % raters] = column
        out[code % raters, code // raters] = column
        return out

    shared = np.zeros(square, dtype=np.int64)
    shared[code // raters, code % raters] = shared[code % raters, code // raters] = n
    return Pairwise(
        both_ways(kappa),
        both_ways(np.maximum(kappa - Z * error, -1.0)),
        both_ways(np.minimum(kappa + Z * error, 1.0)),
        shared,
    )


def cohen_kappa_matrix(item: Ints, rater: Ints, value: Ints, raters: int) -> tuple[Floats, Ints]:
    """(kappa, shared items), each (raters, raters): `cohen_kappa` without intervals."""
    found = cohen_kappa(item, rater, value, raters)
    return found.kappa, found.shared


def with_others(item: Ints, rater: Ints, value: Ints, raters: int) -> Floats:
    """(raters,): share of the others' votes on the same items that equal a rater's own; an item
    counts once however many others there are. NaN for who shares no item."""
    # By cells that occur: label sets have many values, of which an item sees few.
    _, index, votes = np.unique(item, return_inverse=True, return_counts=True)
    cell = index * (int(value.max(initial=0)) + 1) + value
    _, place, same = np.unique(cell, return_inverse=True, return_counts=True)
    others = votes[index] - 1
    shares = (same[place] - 1) / np.maximum(others, 1)
    paired = others > 0
    n = np.bincount(rater[paired], minlength=raters)
    total = np.bincount(rater[paired], shares[paired], minlength=raters)
    return np.where(n > 0, total / np.maximum(n, 1), NAN)


def _counts(item: Ints, value: Ints) -> tuple[NDArray[np.intp], Floats]:
    """(n,) row of each vote's item, and (items, values) the votes' counts."""
    found, index = np.unique(item, return_inverse=True)
    k = int(value.max(initial=0)) + 1
    counts = np.bincount(index * k + value, minlength=len(found) * k)
    return index, counts.reshape(len(found), k).astype(np.float64)


def _paired_counts(item: Ints, value: Ints) -> Floats:
    _, counts = _counts(item, value)
    paired: Floats = counts[counts.sum(axis=1) > 1]
    return paired


def _vote_pairs(item: Ints, rater: Ints) -> tuple[Ints, Ints]:
    """Rows (pairs,) and (pairs,) of every two votes on the same item by two raters a < b."""
    order = np.lexsort((rater, item))
    by_item = item[order]
    left, right = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for step in range(1, len(item)):
        at = np.flatnonzero(by_item[step:] == by_item[:-step])
        if not len(at):
            break
        left.append(order[at])
        right.append(order[at + step])
    a, b = np.concatenate(left), np.concatenate(right)
    different = rater[a] != rater[b]
    return a[different], b[different]


def _with_interval(value: float, influence: Floats) -> Coefficient:
    n = len(influence)
    if n < 2:
        return Coefficient(float(value), NAN, NAN, n)
    centred = influence - influence.mean()
    half = Z * float(np.sqrt((centred**2).sum() * n / (n - 1)))
    low, high = max(float(value) - half, -1.0), min(float(value) + half, 1.0)
    return Coefficient(float(value), low, high, n)
