"""The trained part: a hidden fully connected layer and a classification layer on the features.

Several heads are trained at once on different subsets of the rows (folds), as one stack of
matrices: on a CPU that costs little more than one. Cut before the last layer, a head gives the
embedding for clustering.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from chorus.ml.basis import project

Floats = NDArray[np.float32]
HIDDEN = 128
BATCH = 64
STEPS_MIN, STEPS_MAX = 150, 500
PASSES = 40
LEARNING_RATE = 4e-3
WEIGHT_DECAY = 3.0
DROPOUT = 0.3
SMOOTHING = 0.05
"""Share of a target that goes to all answers alike: all classes, or yes and no to each."""


@dataclass
class Heads:
    """`m` heads for `c` classes on features of length `d`, of which they see `k` directions."""

    mean: Floats
    """(d,)"""
    basis: Floats
    """(d, k) (see chorus/ml/basis.py)."""
    w1: Floats
    """(m, k, HIDDEN)"""
    b1: Floats
    """(m, 1, HIDDEN)"""
    w2: Floats
    """(m, HIDDEN, c)"""
    b2: Floats
    """(m, 1, c)"""

    @property
    def count(self) -> int:
        return int(self.w1.shape[0])

    def project(self, features: Floats) -> Floats:
        """(n, d) -> (n, k): what all heads look at."""
        return project(features, self.mean, self.basis)

    def hidden(self, seen: Floats, m: int) -> Floats:
        """(n, k), projected -> (n, HIDDEN): the embedding of head m, not normalised."""
        out: Floats = np.maximum(seen @ self.w1[m] + self.b1[m], 0.0)
        return out

    def logits(self, seen: Floats, m: int) -> Floats:
        """(n, k), projected -> (n, c) of head m, not calibrated."""
        out: Floats = self.hidden(seen, m) @ self.w2[m] + self.b2[m]
        return out

    def arrays(self) -> dict[str, Floats]:
        names = ("mean", "basis", "w1", "b1", "w2", "b2")
        return {name: getattr(self, name) for name in names}


def fit(
    features: Floats,
    targets: Floats,
    masks: NDArray[np.bool_],
    mean: Floats,
    basis: Floats,
    *,
    seed: int,
    threads: int,
    multilabel: bool = False,
    progress: Callable[[float], None] = lambda share: None,
) -> Heads:
    """Train one head per row of `masks`.

    features (n, d) float32; targets (n, c) float32, rows sum to 1 (soft where votes disagree), or
    with `multilabel` the probability that each class applies, independent of the others;
    masks (m, n) bool: which rows head m may see; mean (d,) and basis (d, k) of `fit_basis`.
    Deterministic for a seed on one machine.
    """
    # Half of the cores at most: torch's threads wait for each other at every small step, so one
    # that has lost its core to the people's server holds up all (measured on two cores with one
    # busy: 8 s with one thread, minutes with two; on idle ones 10 s against 7 s).
    torch.set_num_threads(max(1, threads // 2))
    rng = torch.Generator().manual_seed(seed)
    m = masks.shape[0]
    d, c = basis.shape[1], targets.shape[1]
    x = torch.from_numpy((features - mean) @ basis)
    answers = 2 if multilabel else c
    y = torch.from_numpy(targets) * (1 - SMOOTHING) + SMOOTHING / answers
    rows = [torch.from_numpy(np.flatnonzero(mask)) for mask in masks]
    w1 = torch.randn(m, d, HIDDEN, generator=rng) * math.sqrt(1.0 / d)
    b1 = torch.zeros(m, 1, HIDDEN)
    w2 = torch.randn(m, HIDDEN, c, generator=rng) * math.sqrt(1.0 / HIDDEN)
    b2 = torch.zeros(m, 1, c)
    weights = [w1, b1, w2, b2]
    for weight in weights:
        weight.requires_grad_()
    least = min(len(r) for r in rows)
    batch = min(BATCH, least)
    steps = int(np.clip(PASSES * least / batch, STEPS_MIN, STEPS_MAX))
    optimizer = torch.optim.AdamW(
        [
            {"params": [w1, w2], "weight_decay": WEIGHT_DECAY},
            {"params": [b1, b2], "weight_decay": 0.0},
        ],
        lr=LEARNING_RATE,
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for step in range(steps):
        picked = torch.stack([r[torch.randint(len(r), (batch,), generator=rng)] for r in rows])
        hidden = torch.relu(torch.baddbmm(b1, x[picked], w1))
        keep = torch.rand(hidden.shape, generator=rng) >= DROPOUT
        logits = torch.baddbmm(b2, hidden * keep / (1 - DROPOUT), w2)
        if multilabel:
            each = functional.binary_cross_entropy_with_logits(logits, y[picked], reduction="none")
        else:
            each = -(y[picked] * torch.log_softmax(logits, dim=2))
        # Summed over heads: each head's gradient is that of its own mean loss.
        loss = each.sum(dim=2).mean(dim=1).sum()
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
        if step % 20 == 0:
            progress(step / steps)
    w1_, b1_, w2_, b2_ = (weight.detach().numpy() for weight in weights)
    return Heads(mean, basis, w1_, b1_, w2_, b2_)


def softmax(logits: Floats, temperature: float = 1.0) -> Floats:
    """(n, c) logits -> (n, c) probabilities."""
    z = logits / temperature
    e = np.exp(z - z.max(axis=1, keepdims=True))
    out: Floats = (e / e.sum(axis=1, keepdims=True)).astype(np.float32)
    return out


def fit_temperature(logits: Floats, labels: NDArray[np.int64]) -> float:
    """The temperature with the least cross-entropy of held-out logits (n, c) against labels (n,)
    (Guo et al., On Calibration of Modern Neural Networks, 2017). Golden section on the log."""

    def loss(log_t: float) -> float:
        p = softmax(logits, math.exp(log_t))
        return float(-np.log(p[np.arange(len(labels)), labels] + 1e-9).mean())

    low, high = math.log(0.2), math.log(5.0)
    ratio = (math.sqrt(5) - 1) / 2
    for _ in range(40):
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        if loss(a) < loss(b):
            high = b
        else:
            low = a
    return math.exp((low + high) / 2)
