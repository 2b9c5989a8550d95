"""Which open items teach the model most: a batch to label next by hand, best first.

How many of them are worked off, among items in random order, is not decided here (see
server/domain/ordering.py). What was measured: docs/ordering.md.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

ORDERINGS = ("random", "uncertain", "auto")
BATCH = 0.3
"""A batch's size, as a share of the labels there are: four times what is worked off until the next
round, since people go on while it runs."""
BATCH_LEAST = 20
HELPINGS = 4
HELPING_MAX = 200
"""Parts of a batch, and how many of one are chosen to differ from each other."""
CANDIDATES = 10
"""Each helping is chosen among so many times as many items: those in most doubt."""
PASSES = 10


def batch_size(labels: int) -> int:
    return max(BATCH_LEAST, int(BATCH * labels))


def choose(
    ordering: str, doubts: Floats, places_of: Callable[[Ints], Floats], count: int, seed: int
) -> Ints:
    """Positions of at most `count` items, best first, none twice.

    doubts (n,): 1 - margin of an item's two likeliest classes (margin sampling, Scheffer, Decomain
    & Wrobel, Active Hidden Markov Models, 2001), or of label sets the chance that the set is wrong.
    places_of: positions (k,) -> where those items lie, (k, h), asked for those in most doubt alone.

    `uncertain`: by doubt alone. `auto`: helpings of items in doubt that differ from each other, and
    each stands for others like it: k-means, weighted by doubt, among those in most doubt, and from
    each group the item nearest its mean (Zhdanov, Diverse mini-batch Active Learning, 2019).
    `random`: none.
    """
    if ordering == "random":
        return np.zeros(0, dtype=np.int64)
    left = np.argsort(-doubts, kind="stable")
    if ordering == "uncertain":
        return left[:count]
    rng = np.random.default_rng(seed)
    helping = min(HELPING_MAX, -(-count // HELPINGS))
    # What one helping takes, the next has that many more to look at.
    first = left[: (CANDIDATES + HELPINGS - 1) * helping]
    unit = _unit(places_of(first))
    free = np.arange(len(first))
    out: list[Ints] = []
    for _ in range(HELPINGS):
        some = free[: CANDIDATES * helping]
        picked = some[_representatives(unit[some], doubts[first[some]] + 1e-6, helping, rng)]
        out.append(first[picked])
        free = free[~np.isin(free, picked)]
    rest = np.concatenate([first[free], left[len(first) :]])
    return np.concatenate([*out, rest])[:count]


def choose_blocks(
    ordering: str, doubts: Floats, places: Floats, block: Ints, count: int, seed: int
) -> Ints:
    """The same for blocks of near neighbours, which people get as whole pages: numbers of at most
    `count` blocks, best first. doubts (n,), places (n, h), block (n,): each item's block, 0..b-1.
    A block's doubt is the mean of its items', its place the mean of theirs.
    """
    if ordering == "random" or len(block) == 0:
        return np.zeros(0, dtype=np.int64)
    blocks = int(block.max()) + 1
    sizes = np.maximum(np.bincount(block, minlength=blocks), 1)
    mean = (np.bincount(block, weights=doubts, minlength=blocks) / sizes).astype(np.float32)
    middle = _sums(_unit(places), block, blocks)
    return choose(ordering, mean, lambda some: middle[some], count, seed)


def _unit(places: Floats) -> Floats:
    out: Floats = places / np.maximum(np.linalg.norm(places, axis=1, keepdims=True), 1e-9)
    return out


def _sums(rows: Floats, group: Ints, groups: int) -> Floats:
    """(n, h), (n,) -> (groups, h): the rows of each group added up."""
    columns = [np.bincount(group, weights=column, minlength=groups) for column in rows.T]
    return np.stack(columns, axis=1).astype(np.float32)


def _representatives(unit: Floats, weights: Floats, k: int, rng: np.random.Generator) -> Ints:
    """Positions of k of the rows (all, if there are no more), those of most weight first: the one
    nearest the weighted mean of each of k groups."""
    n = len(unit)
    if n <= k:
        return np.argsort(-weights, kind="stable")
    centers = unit[_seeds(unit, weights, k, rng)]
    for _ in range(PASSES):
        group = _distances(unit, centers).argmin(axis=1)
        total = np.bincount(group, weights=weights, minlength=k)
        sums = _sums(unit * weights[:, None], group, k)
        full = total > 0
        centers[full] = (sums[full] / total[full, None]).astype(np.float32)
    free = np.ones(n, dtype=bool)
    out = []
    far = _distances(unit, centers)
    group = far.argmin(axis=1)
    for c in range(k):
        mine = np.flatnonzero((group == c) & free)
        # A group that has lost its members to a neighbour is stood for by the nearest one left.
        mine = mine if len(mine) else np.flatnonzero(free)
        picked = int(mine[far[mine, c].argmin()])
        free[picked] = False
        out.append(picked)
    found = np.array(out, dtype=np.int64)
    return found[np.argsort(-weights[found], kind="stable")]


def _seeds(unit: Floats, weights: Floats, k: int, rng: np.random.Generator) -> list[int]:
    """k-means++ (Arthur & Vassilvitskii, 2007): each next center far from those before."""
    out = [int(weights.argmax())]
    apart = _distances(unit, unit[out])[:, 0]
    for _ in range(k - 1):
        chances = (apart * weights).astype(np.float64)
        chances[out] = 0.0
        total = chances.sum()
        if total <= 0:  # nothing but twins are left
            chances = np.ones(len(unit))
            chances[out] = 0.0
            total = chances.sum()
        out.append(int(rng.choice(len(unit), p=chances / total)))
        apart = np.minimum(apart, _distances(unit, unit[out[-1:]])[:, 0])
    return out


def _distances(a: Floats, b: Floats) -> Floats:
    """(n, h), (k, h) -> (n, k): squared."""
    far = np.square(a).sum(axis=1)[:, None] - 2 * (a @ b.T) + np.square(b).sum(axis=1)[None, :]
    out: Floats = np.maximum(far, 0.0).astype(np.float32)
    return out
