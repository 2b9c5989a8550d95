"""From thousands of features to a few hundred: what differs between pictures, none of the rest.

A head's training time goes with the length of its input, and most of what a backbone's features
say is said several times over.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
WIDTH = 128
"""Directions, or twice as many as there are classes: those need about one each."""
SAMPLE = 2048
"""Rows to find the directions from."""
OVER, ROUNDS = 32, 3
"""Directions beyond WIDTH, and passes over the sample, of the randomised search."""


def project(features: Floats, mean: Floats, basis: Floats) -> Floats:
    """(n, d) -> (n, k)."""
    out: Floats = features @ basis - mean @ basis
    return out


def fit_basis(sample: Floats, seed: int, width: int = WIDTH) -> tuple[Floats, Floats]:
    """(mean (d,), basis (d, k)): `(x - mean) @ basis` are the features to learn from (`project`), k
    at most `width`.

    sample (s, d): rows of labeled and open items alike, without a look at labels; were it labeled
    rows alone, the basis would suit those better than the open ones, and their scores would say
    too much. Principal components of standardised features, by randomised subspace iteration
    (Halko, Martinsson & Tropp, Finding structure with randomness, 2011, algorithm 4.4).

    The components keep their proportions (whitening costs accuracy: measured in
    docs/features-and-heads.md), and are rotated at random, which spreads the variance over all
    columns: Adam steps equally far in each, and would chase the small ones. Mean square 1.
    """
    s, d = sample.shape
    k = min(width, d, s)
    rng = np.random.default_rng(seed)
    mean = sample.mean(axis=0)
    scale = 1.0 / (sample.std(axis=0) + 1e-2)
    x = (sample - mean) * scale
    span = min(k + OVER, d, s)
    q = rng.standard_normal((d, span), dtype=np.float32)
    for _ in range(ROUNDS):
        q, _ = np.linalg.qr(x.T @ (x @ q))
    _, _, found = np.linalg.svd(x @ q, full_matrices=False)
    directions = q @ found[:k].T
    turned, _ = np.linalg.qr(rng.standard_normal((k, k), dtype=np.float32))
    basis = directions @ turned
    size = float(np.sqrt(np.square(x @ basis).mean()))
    basis = basis * scale[:, None] / max(size, 1e-6)
    return mean.astype(np.float32), basis.astype(np.float32)
