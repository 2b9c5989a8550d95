"""Repeated cross-validation: who trains which head, and who may score whom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

REPEATS = 3
FOLDS = 5


@dataclass(frozen=True)
class Folds:
    """`fold[r, i]`: the fold of row i in repeat r, 0..FOLDS-1. Head r * FOLDS + k is trained on
    the rows of repeat r outside fold k."""

    fold: NDArray[np.int64]

    def masks(self) -> NDArray[np.bool_]:
        """(REPEATS * FOLDS, n): rows each head may see."""
        return np.concatenate(
            [self.fold[r][None, :] != np.arange(FOLDS)[:, None] for r in range(len(self.fold))]
        )


def make_folds(labels: NDArray[np.int64], seed: int) -> Folds:
    """Stratified random folds for rows with class `labels` (n,), drawn anew in each repeat."""
    rng = np.random.default_rng(seed)
    fold = np.empty((REPEATS, len(labels)), dtype=np.int64)
    for r in range(REPEATS):
        order = rng.permutation(len(labels))
        order = order[np.argsort(labels[order], kind="stable")]
        # Dealing the class-sorted rows out in turn spreads every class over the folds.
        start = rng.integers(FOLDS)
        fold[r, order] = (np.arange(len(labels)) + start) % FOLDS
    return Folds(fold)


def make_set_folds(sets: NDArray[np.bool_], seed: int) -> Folds:
    """The same for rows that are label sets (n, c): every class over the folds as evenly as may be.

    Iterative stratification (Sechidis, Tsoumakas & Vlahavas, On the Stratification of Multi-Label
    Data, 2011): the rarest class among the rows that are left goes first, each of its rows to the
    fold that lacks it most. Rows without any class are dealt out in turn.
    """
    rng = np.random.default_rng(seed)
    fold = np.empty((REPEATS, len(sets)), dtype=np.int64)
    for r in range(REPEATS):
        lack = np.tile(sets.sum(axis=0) / FOLDS, (FOLDS, 1))
        room = np.full(FOLDS, len(sets) / FOLDS)
        order = rng.permutation(len(sets))
        left = sets[order]
        dealt = np.zeros(len(sets), dtype=bool)
        while (counts := left.sum(axis=0)).any():
            rarest = int(np.where(counts > 0, counts, len(sets) + 1).argmin())
            for at in np.flatnonzero(left[:, rarest]):
                # Ties: where most rows are wanting, then at random.
                best = np.lexsort((rng.random(FOLDS), -room, -lack[:, rarest]))[0]
                lack[best] -= left[at]
                room[best] -= 1
                fold[r, order[at]] = best
                left[at], dealt[at] = False, True
        for at in order[~dealt]:
            best = np.lexsort((rng.random(FOLDS), -room))[0]
            room[best] -= 1
            fold[r, at] = best
    return Folds(fold)


def together(
    deal: Callable[[NDArray[Any], int], Folds], labels: NDArray[Any], groups: NDArray[np.int64],
    seed: int,
) -> Folds:  # fmt: skip
    """Whole groups dealt by `deal`, each as its first row: groups (n,) of `twins.twin_groups`."""
    first, group = np.unique(groups, return_inverse=True)
    return Folds(deal(labels[first], seed).fold[:, group])


def scorers(count: int, seed: int) -> NDArray[np.int64]:
    """(REPEATS, count): for each new item one head of every repeat, at random.

    A labeled row is scored by the heads that never saw it, one per repeat, each trained on
    (FOLDS-1)/FOLDS of the rows. Scoring open items by as many heads of the same kind keeps the
    two kinds of scores exchangeable, so that a threshold found on one holds for the other; the
    mean over all heads would be better calibrated to nobody's out-of-fold scores.
    """
    rng = np.random.default_rng(seed + 1)
    return rng.integers(FOLDS, size=(REPEATS, count)) + np.arange(REPEATS)[:, None] * FOLDS
