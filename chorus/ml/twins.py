"""Near-twins among the labeled rows: frames of one film, pictures of one thing.

A clustered page labels an item with its nearest neighbours. Dealt into folds one by one, these
tell each other's label, while the neighbours of an open item are open as well.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NEAREST = 8
"""Neighbours of a row that it may be grouped with: as many as are beside it on a page."""
GROWTH = 1.5
"""Groups may be so much larger than those that did not suffice."""
CHUNK = 1024
"""Rows whose distances to all others are in memory at once."""
TESTED = 2048
"""Rows of the evidence that are compared with open ones."""
RISK = 0.01
"""The chance that rows are grouped though nothing but chance has brought them."""


def twin_groups(rows: Floats, evidence: Bools, fresh: Floats, most: int) -> Ints:
    """(n,): of each labeled row the first one of its group; a row that is alone is its own.

    rows (n, k): labeled; evidence (n,): those of them that stand for open items; fresh (m, k): open
    rows, drawn at random; most: how many a group may have.

    Rows that chance has brought one by one are as far from their nearest labeled neighbour as open
    ones are. If the evidence is nearer, by more than chance would make it (Smirnov's test,
    one-sided), it has twins that open items lack. Then what is nearer than the distance at which
    the two differ most is grouped: it follows from the data, since what is near among one kind of
    pictures is far among another. Groups are as small as suffices for the evidence to be no nearer
    to the rows of other groups than open items are to labeled ones: larger ones would test the
    model on what is farther than anything it will see.
    """
    groups = np.arange(len(rows))
    if len(rows) <= NEAREST or not evidence.any() or not len(fresh) or most < 2:
        return groups
    random = np.random.default_rng(len(rows))
    tested = random.permutation(np.flatnonzero(evidence))[:TESTED]
    own = np.sort(_nearest(rows[tested], rows, 1, without=tested)[0][:, 0])
    theirs = np.sort(_nearest(fresh, rows, 1)[0][:, 0])
    reach = _reach(own, theirs)
    if reach is None:
        return groups
    far, near = _nearest(rows, rows, NEAREST, without=groups)
    row, nth = np.nonzero(far <= reach)
    order = np.argsort(far[row, nth], kind="stable")
    row, other = row[order], near[row, nth][order]
    size = 2
    while True:
        joined = _joined(groups, row, other, min(size, most))
        apart = np.where(joined[near] == joined[:, None], np.inf, far).min(axis=1)
        left = np.sort(apart[evidence])
        if size >= most or not (_beyond(left, theirs)[left <= reach] > 0).any():
            return joined
        size = math.ceil(size * GROWTH)


def _nearest(
    rows: Floats, among: Floats, count: int, without: Ints | None = None
) -> tuple[Floats, Ints]:
    """(squared distances (n, count), positions), the nearest first. without (n,): of each row the
    one of `among` that it is itself."""
    others = torch.from_numpy(among)
    squares = others.square().sum(dim=1)
    found = []
    for start in range(0, len(rows), CHUNK):
        some = torch.from_numpy(rows[start : start + CHUNK])
        far = torch.addmm(squares, some, others.T, alpha=-2) + some.square().sum(dim=1)[:, None]
        if without is not None:
            itself = torch.from_numpy(without[start : start + CHUNK])
            far[torch.arange(len(some)), itself] = math.inf
        found.append(far.topk(count, dim=1, largest=False))
    return (
        torch.cat([f.values for f in found]).numpy(),
        torch.cat([f.indices for f in found]).numpy(),
    )


def _reach(labeled: Floats, fresh: Floats) -> float | None:
    """The distance at which the share of `labeled` within it exceeds that of `fresh` most; None, if
    chance might have made it so. Both sorted."""
    beyond = _beyond(labeled, fresh)
    by_chance = math.sqrt(math.log(1 / RISK) / 2 * (1 / len(labeled) + 1 / len(fresh)))
    best = int(beyond.argmax())
    return float(labeled[best]) if beyond[best] > by_chance else None


def _beyond(labeled: Floats, fresh: Floats) -> NDArray[np.float64]:
    """By how much the share of `labeled` within each of its distances exceeds that of `fresh`. Both
    sorted."""
    within = np.arange(1, len(labeled) + 1) / len(labeled)
    share: NDArray[np.float64] = within - np.searchsorted(fresh, labeled, "right") / len(fresh)
    return share


def _joined(groups: Ints, one: Ints, other: Ints, most: int) -> Ints:
    """Rows `one[i]` and `other[i]` in one group, pair by pair, where it would not become larger
    than `most`: or steps from neighbour to neighbour might make one group of a whole class."""
    group = groups.tolist()
    members = [[i] for i in group]
    for a, b in zip(one.tolist(), other.tolist(), strict=True):
        a, b = sorted((group[a], group[b]), key=lambda g: len(members[g]))
        if a != b and len(members[a]) + len(members[b]) <= most:
            for i in members[a]:
                group[i] = b
            members[b] += members[a]
    _, first, which = np.unique(group, return_index=True, return_inverse=True)
    return first[which].astype(np.int64)
