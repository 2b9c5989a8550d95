"""One round's learning on arrays: train the heads, score what they never saw, score the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chorus.ml.folds import FOLDS, REPEATS, Folds, make_folds, scorers
from chorus.ml.head import CHUNK, Heads, fit, fit_temperature, softmax

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass
class Model:
    """REPEATS * FOLDS heads for scoring, and a last one, trained on all rows, for the embedding."""

    heads: Heads
    folds: Folds

    @property
    def embedder(self) -> int:
        return self.heads.count - 1


def train(
    features: Floats,
    targets: Floats,
    labels: Ints,
    *,
    seed: int,
    threads: int,
    progress: Callable[[float], None] = lambda share: None,
) -> Model:
    """features (n, d); targets (n, c), rows sum to 1; labels (n,) the consensus classes."""
    folds = make_folds(labels, seed)
    masks = np.concatenate([folds.masks(), np.ones((1, len(labels)), dtype=bool)])
    heads = fit(features, targets, masks, seed=seed, threads=threads, progress=progress)
    return Model(heads, folds)


def out_of_fold_logits(model: Model, features: Floats) -> Floats:
    """(n, c): each labeled row by the heads that never saw it, mean over repeats."""
    total: Floats | None = None
    for r in range(REPEATS):
        for k in range(FOLDS):
            at = model.folds.fold[r] == k
            logits = model.heads.logits(features[at], r * FOLDS + k)
            if total is None:
                total = np.zeros((len(features), logits.shape[1]), dtype=np.float32)
            total[at] += logits / REPEATS
    assert total is not None
    return total


def open_logits(model: Model, features: Floats, seed: int) -> Floats:
    """(n, c) of new rows, each by one random head per repeat (see `folds.scorers`)."""
    chosen = scorers(len(features), seed)
    total = np.zeros((len(features), model.heads.w2.shape[2]), dtype=np.float32)
    for m in range(REPEATS * FOLDS):
        at = (chosen == m).any(axis=0)
        if at.any():
            total[at] += model.heads.logits(features[at], m) / REPEATS
    return total


def embed(model: Model, features: Floats) -> Floats:
    """(n, HIDDEN) of the head trained on everything, cut before its last layer."""
    return np.concatenate(
        [
            model.heads.hidden(features[at : at + CHUNK], model.embedder)
            for at in range(0, len(features), CHUNK)
        ]
        or [np.zeros((0, model.heads.w1.shape[2]), dtype=np.float32)]
    )


def calibrate(logits: Floats, labels: Ints) -> float:
    """Temperature from out-of-fold logits (n, c)."""
    return fit_temperature(logits, labels)


__all__ = [
    "Model", "calibrate", "embed", "open_logits", "out_of_fold_logits", "softmax", "train",
]  # fmt: skip
