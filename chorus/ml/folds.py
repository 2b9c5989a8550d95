"""Repeated cross-validation: who trains which head, and who may score whom."""

from __future__ import annotations

from dataclasses import dataclass

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


def scorers(count: int, seed: int) -> NDArray[np.int64]:
    """(REPEATS, count): for each new item one head of every repeat, at random.

    A labeled row is scored by the heads that never saw it, one per repeat, each trained on
    (FOLDS-1)/FOLDS of the rows. Scoring open items by as many heads of the same kind keeps the
    two kinds of scores exchangeable, so that a threshold found on one holds for the other; the
    mean over all heads would be better calibrated to nobody's out-of-fold scores.
    """
    rng = np.random.default_rng(seed + 1)
    return rng.integers(FOLDS, size=(REPEATS, count)) + np.arange(REPEATS)[:, None] * FOLDS
