"""Answers that are sets of classes: from one logit per class to a set, and how likely all of it is
right.

Each class is a yes or no with a probability and a cut, and a set is right as a whole or not at all:
that is what a prelabel shows, and what its promise is about.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

EMPTY = "-"
"""None of the classes, in files and in the database."""
HOLD = 3.0
"""How many observations' worth a class is held to what holds for all of them."""
SET_HOLD = 5.0
CUTS = np.round(np.linspace(0.2, 0.8, 13), 2)
"""Where a class may begin to be a yes."""
CLOSE = 1e-9
"""A loss that is not smaller by this share is as small as it gets."""
SURE = 1e-6
"""No probability is nearer to 0 or 1 than this."""


def to_text(row: Bools) -> str:
    """(c,) -> "0,3", or "-"."""
    return ",".join(map(str, np.flatnonzero(row))) or EMPTY


def from_text(text: str, classes: int) -> Bools:
    """The other way round, (classes,). Raises `IndexError` on a class there is not."""
    row = np.zeros(classes, dtype=bool)
    if text != EMPTY:
        row[[int(c) for c in text.split(",")]] = True
    return row


def sigmoid(z: NDArray[Any]) -> Doubles:
    out: Doubles = 1.0 / (1.0 + np.exp(-np.clip(z, -40.0, 40.0)))
    return out


@dataclass(frozen=True)
class Rule:
    """How the logits (n, c) of an item become a set."""

    slope: Doubles
    """(c,)"""
    shift: Doubles
    """(c,): a class's probability is sigmoid(slope * logit + shift)."""
    cut: Doubles
    """(c,): a class is in the set from this probability on."""

    def probabilities(self, logits: Floats) -> Doubles:
        """(n, c)"""
        return np.clip(sigmoid(logits * self.slope + self.shift), SURE, 1 - SURE)

    def sets(self, probabilities: Doubles) -> Bools:
        out: Bools = probabilities >= self.cut
        return out


@dataclass(frozen=True)
class Whole:
    """How likely it is that all of a set is right: from the log-odds, were the classes independent,
    to those that they have."""

    slope: float
    shift: float

    def scores(self, odds: Doubles) -> Doubles:
        """(n,) of `joint_odds` -> (n,) probabilities."""
        return np.clip(sigmoid(odds * self.slope + self.shift), SURE, 1 - SURE)


def joint_odds(probabilities: Doubles, sets: Bools) -> Doubles:
    """(n,): log-odds that every class's yes or no is right, were they independent."""
    logs = np.log(np.where(sets, probabilities, 1 - probabilities)).sum(axis=1)
    logs = np.minimum(logs, -SURE)
    out: Doubles = logs - np.log(-np.expm1(logs))
    return out


def fit_rule(logits: Floats, truth: Bools) -> Rule:
    """logits (n, c) of heads that never saw these rows, truth (n, c)."""
    slope, shift = _scale(logits.astype(np.float64), truth)
    rule = Rule(slope, shift, np.full(truth.shape[1], 0.5))
    return Rule(slope, shift, choose_cuts(rule.probabilities(logits), truth))


def fit_whole(odds: Doubles, right: Bools) -> Whole:
    """odds, right (n,): a logistic curve through them, which leaves their order as it is (measured
    against one on the log of the product: docs/features-and-heads.md)."""
    slope, shift = _logistic(odds[:, None], right[:, None], SET_HOLD)
    # The order of scores is never turned round, whatever the evidence.
    return Whole(max(float(slope[0]), 0.05), float(shift[0]))


def cross_fit(logits: Floats, truth: Bools, fold: Ints) -> tuple[Doubles, Bools]:
    """(probabilities (n, c), sets (n, c)) of labeled rows, each by the rule of the other folds: no
    row's label has a say in what the row is taken for, nor where its classes are cut."""
    probabilities = np.empty(logits.shape)
    sets = np.empty(logits.shape, dtype=bool)
    for k in np.unique(fold):
        own = fold == k
        rule = fit_rule(logits[~own], truth[~own])
        probabilities[own] = rule.probabilities(logits[own])
        sets[own] = rule.sets(probabilities[own])
    return probabilities, sets


def _scale(logits: Doubles, truth: Bools) -> tuple[Doubles, Doubles]:
    """(slope, shift) (c,) of the classes: Platt scaling (Probabilistic Outputs for Support Vector
    Machines, 1999), each class held to the temperature that suits all of them best, so that one
    with three examples has about that."""
    n, c = truth.shape
    if n == 0:
        return np.ones(c), np.zeros(c)
    flat = logits.reshape(-1, 1), truth.reshape(-1, 1)
    common = max(float(_logistic(*flat, HOLD, shifted=False)[0][0]), 0.05)
    slope, shift = _logistic(logits * common, truth, HOLD)
    return np.maximum(slope, 0.05) * common, shift


def _logistic(x: Doubles, y: Bools, hold: float, shifted: bool = True) -> tuple[Doubles, Doubles]:
    """One logistic regression y ~ sigmoid(a x + b) for each column of x, y (n, c): (a (c,),
    b (c,)), held to a = 1, b = 0 by a normal prior of precision `hold`. Newton's method, each step
    halved until it helps."""
    c = x.shape[1]
    a, b = np.ones(c), np.zeros(c)

    def loss(a: Doubles, b: Doubles) -> Doubles:
        z = a * x + b
        each: Doubles = (np.logaddexp(0.0, z) - y * z).sum(axis=0)
        return each + hold / 2 * ((a - 1) ** 2 + b**2)

    now = loss(a, b)
    for _ in range(25):
        p = sigmoid(a * x + b)
        g, w = p - y, p * (1 - p)
        ga, gb = (g * x).sum(axis=0) + hold * (a - 1), g.sum(axis=0) + hold * b
        haa, hab, hbb = (w * x * x).sum(axis=0) + hold, (w * x).sum(axis=0), w.sum(axis=0) + hold
        if not shifted:
            hab, gb = np.zeros(c), np.zeros(c)
        det = haa * hbb - hab**2
        da, db = (hbb * ga - hab * gb) / det, (haa * gb - hab * ga) / det
        size = np.ones(c)
        for _ in range(20):
            then = loss(a - size * da, b - size * db)
            worse = then > now * (1 + CLOSE)
            if not worse.any():
                break
            size[worse] /= 2
        size[worse] = 0.0
        a, b = a - size * da, b - size * db
        last, now = now, np.where(worse, now, then)
        if (last - now < CLOSE * last).all():
            break
    return a, b


def choose_cuts(probabilities: Doubles, truth: Bools) -> Doubles:
    """(c,): for each class the probability from which it is a yes, so that most sets are right.

    One half is best for calibrated, independent classes. Where they are not (a jacket hides a
    shirt), another cut gets more whole sets right; it must do so by more than the root of the
    number of sets that it changes, or it is chance. Class by class, in three turns, each with the
    others' cuts as they are. The F1 of classes is not what is maximised: its cuts say yes more
    often, and make fewer sets right (measured: docs/features-and-heads.md).
    """
    c = truth.shape[1]
    cut = np.full(c, 0.5)
    right = (probabilities >= cut) == truth
    wrong = (~right).sum(axis=1)
    for _ in range(3):
        before = cut.copy()
        for k in range(c):
            # Only where all else is right does this class decide about the set.
            rows = wrong - ~right[:, k] == 0
            p, y = probabilities[rows, k], truth[rows, k]
            half = (p >= 0.5) == y
            best, most = 0.5, 0.0
            # The nearest to one half of those that are equally good.
            for g in sorted(CUTS.tolist(), key=lambda g: abs(g - 0.5)):
                then = (p >= g) == y
                won, lost = int((then & ~half).sum()), int((half & ~then).sum())
                gain = won - lost - math.sqrt(won + lost)
                if gain > most + 1e-9:
                    best, most = g, gain
            cut[k] = best
            wrong -= ~right[:, k]
            right[:, k] = (probabilities[:, k] >= best) == truth[:, k]
            wrong += ~right[:, k]
        if (cut == before).all():
            break
    return cut
