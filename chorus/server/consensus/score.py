"""How good probabilities are, where the truth is known."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from chorus.server.consensus.em import FLOOR
from chorus.server.consensus.table import Floats, Ints

BINS = 15


class Score(NamedTuple):
    items: int
    accuracy: float
    log_loss: float
    """Natural logarithm; no probability counts as less than `FLOOR`."""
    ece: float
    """Expected calibration error: mean distance of confidence and accuracy over 15 bins of equal
    width (Guo et al., 2017)."""


def score(posterior: Floats, gold: Ints) -> Score:
    """posterior (items, classes), gold (items,). NaN for no items."""
    n = len(gold)
    if not n:
        return Score(0, np.nan, np.nan, np.nan)
    confidence = posterior.max(axis=1)
    right = (posterior.argmax(axis=1) == gold).astype(np.float64)
    loss = -np.log(np.maximum(posterior[np.arange(n), gold], FLOOR)).mean()
    bin_ = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    gap = np.bincount(bin_, confidence - right, minlength=BINS)
    return Score(n, float(right.mean()), float(loss), float(np.abs(gap).sum() / n))
