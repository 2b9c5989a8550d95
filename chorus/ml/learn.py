"""One round's learning on arrays: train the heads, score what they never saw, score the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chorus.ml.basis import WIDTH, fit_basis, project
from chorus.ml.folds import FOLDS, REPEATS, Folds, make_folds, make_set_folds, scorers, together
from chorus.ml.head import Heads, fit, fit_temperature, softmax
from chorus.ml.twins import twin_groups

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


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
    labels: Ints | Bools,
    sample: Floats,
    *,
    evidence: Bools | None = None,
    fresh: Floats | None = None,
    seed: int,
    threads: int,
    progress: Callable[[float], None] = lambda share: None,
) -> Model:
    """features (n, d); targets (n, c); labels: the consensus, (n,) classes or (n, c) bool sets of
    them (then each class is a question of its own); sample (s, d): rows of labeled and open items
    (see `fit_basis`). targets: rows sum to 1, or of sets the probability of each class.

    evidence (n,), fresh (f, d): which rows stand for open ones, and open rows drawn at random; with
    them, rows that have near-twins which open ones lack are dealt into folds together (see
    `twins.twin_groups`)."""
    multilabel = labels.ndim == 2
    mean, basis = fit_basis(sample, seed, max(WIDTH, 2 * targets.shape[1]))
    groups = np.arange(len(labels))
    if evidence is not None and fresh is not None:
        seen, others = (project(some, mean, basis) for some in (features, fresh))
        groups = twin_groups(seen, evidence, others, len(labels) // FOLDS)
    folds = (
        together(make_set_folds, labels.astype(bool), groups, seed)
        if multilabel
        else together(make_folds, labels.astype(np.int64), groups, seed)
    )
    masks = np.concatenate([folds.masks(), np.ones((1, len(labels)), dtype=bool)])
    heads = fit(
        features, targets, masks, mean, basis,
        seed=seed, threads=threads, multilabel=multilabel, progress=progress,
    )  # fmt: skip
    return Model(heads, folds)


def out_of_fold_logits(model: Model, features: Floats) -> Floats:
    """(n, c): each labeled row by the heads that never saw it, mean over repeats."""
    seen = model.heads.project(features)
    total: Floats | None = None
    for r in range(REPEATS):
        for k in range(FOLDS):
            at = model.folds.fold[r] == k
            logits = model.heads.logits(seen[at], r * FOLDS + k)
            if total is None:
                total = np.zeros((len(features), logits.shape[1]), dtype=np.float32)
            total[at] += logits / REPEATS
    assert total is not None
    return total


def score(model: Model, features: Floats, seed: int) -> tuple[Floats, Floats]:
    """(logits (b, c), embedding (b, HIDDEN)) of a batch of new rows (b, d)."""
    seen = model.heads.project(features)
    return _open_logits(model, seen, seed), model.heads.hidden(seen, model.embedder)


def open_logits(model: Model, features: Floats, seed: int) -> Floats:
    """(n, c) of new rows."""
    return _open_logits(model, model.heads.project(features), seed)


def _open_logits(model: Model, seen: Floats, seed: int) -> Floats:
    """Each row by one random head per repeat (see `folds.scorers`)."""
    chosen = scorers(len(seen), seed)
    total = np.zeros((len(seen), model.heads.w2.shape[2]), dtype=np.float32)
    for m in range(REPEATS * FOLDS):
        at = (chosen == m).any(axis=0)
        if at.any():
            total[at] += model.heads.logits(seen[at], m) / REPEATS
    return total


def embed(model: Model, features: Floats) -> Floats:
    """(n, HIDDEN) of the head trained on everything, cut before its last layer."""
    return model.heads.hidden(model.heads.project(features), model.embedder)


def calibrate(logits: Floats, labels: Ints) -> float:
    """Temperature from out-of-fold logits (n, c)."""
    return fit_temperature(logits, labels)


__all__ = [
    "Model", "calibrate", "embed", "open_logits", "out_of_fold_logits", "score", "softmax", "train",
]  # fmt: skip
