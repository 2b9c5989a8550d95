"""A drawn model whose answers are sets of classes, for `python -m bench.promise --multilabel`.

From its logits on, all is the product's own: scaling, cuts and scores (ml/sets), each labeled row
by a rule that has not seen its label, and the limits of a threshold card (ml/card).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chorus.ml.answers import class_sets
from chorus.ml.card import limits_of
from chorus.ml.folds import FOLDS
from chorus.ml.sets import cross_fit, fit_rule, fit_whole, joint_odds
from chorus.ml.validate import class_thresholds, find_threshold

KINDS = 8
"""Kinds of pictures, each with its own chances of the classes: so classes hang together."""


@dataclass(frozen=True)
class SetWorld:
    name: str
    items: int = 2000
    skill: float = 1.0
    """How fast the model grows."""
    wobble: float = 0.7
    """How much its log-odds of one class of one item change from round to round."""
    classes: int = 6


SET_WORLDS = (
    SetWorld("sets"),
    SetWorld("sets, slow", skill=0.5),
    SetWorld("sets, restless", wobble=1.5),
    SetWorld("sets of 20 classes", classes=20),
)


class SetModel:
    """What a growing model says of all items, in each round."""

    def __init__(self, world: SetWorld, rng: np.random.Generator) -> None:
        n, c = world.items, world.classes
        chances = rng.beta(0.4, 1.6 * c / 6, size=(KINDS, c))
        self._world, self._rng = world, rng
        self._truth = rng.random((n, c)) < chances[rng.integers(KINDS, size=n)]
        # How clear a class is on an item, for good: below 0, the model is and stays mistaken. A
        # picture that is hard for one class is often so for another.
        clear = 1.2 + 0.35 * rng.normal(size=(n, 1)) + 0.45 * rng.normal(size=(n, c))
        self._clear = np.where(self._truth, clear, -clear)
        self._bias = rng.normal(size=(n, c)) - 0.5

    def round(
        self, labels: int, labeled: NDArray[np.bool_], evidence: NDArray[np.bool_], target: float
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
        """(score, whether all of the set is right, whether it would be prelabeled) of each item."""
        world, truth = self._world, self._truth
        odds = world.skill * np.log(labels / 8) * self._clear + self._bias
        odds += self._rng.normal(0, world.wobble, odds.shape)
        logits = odds.astype(np.float32)
        known, own = logits[labeled], truth[labeled]
        # The product stratifies its folds, which costs time and is of no matter here.
        unseen = cross_fit(known, own, self._rng.integers(FOLDS, size=labels))
        rule = fit_rule(known, own)
        whole = fit_whole(joint_odds(*unseen), (unseen[1] == own).all(axis=1))
        probabilities = rule.probabilities(logits)
        sets = rule.sets(probabilities)
        probabilities[labeled], sets[labeled] = unseen
        scores = class_sets(probabilities, sets, rule, whole).scores.astype(np.float64)
        right = (sets == truth).all(axis=1)
        threshold = find_threshold(scores[evidence], right[evidence], target)
        limits = class_thresholds(
            scores[evidence], right[evidence], sets[evidence], threshold, target
        )
        card = {"threshold": threshold, "per_class": [{"threshold": limit} for limit in limits]}
        return scores, right, scores >= limits_of(card, sets)
