"""The threshold card of a round: what its validation found, and why there are no prelabels yet."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chorus.ml.sets import Rule, Whole
from chorus.ml.validate import (
    DELTA,
    Bools,
    Floats,
    Ints,
    accuracy_curve,
    class_thresholds,
    find_threshold,
    labels_needed,
    least_n,
    lower_bound,
)

CURVE_MAX = 60
BINS = 10
TABLES = ("curve", "reliability", "per_class", "confusion", "rule")
"""The large parts of a card."""


def make_card(
    scores: Floats,
    predicted: Ints,
    labels: Ints,
    evidence: Bools,
    classes: int,
    target: float,
    delta: float = DELTA,
) -> dict[str, Any]:
    """The threshold card (JSON-able) of one round.

    scores, predicted, labels (n,): calibrated out-of-fold confidence and class of each labeled
    item, and its label. evidence (n,): labels of people who saw no prelabel, on items no earlier
    round would have prelabeled.
    """
    counts = np.bincount(labels, minlength=classes)
    said, true = (np.arange(classes) == some[:, None] for some in (predicted, labels))
    baseline = float(counts.max() / len(labels)) if len(labels) else None
    card = _card(scores, said, true, evidence, target, delta, baseline, "right")
    card["confusion"] = _confusion(predicted, labels, classes)
    return card


def make_set_card(
    scores: Floats,
    said: Bools,
    truth: Bools,
    evidence: Bools,
    rule: Rule,
    whole: Whole,
    target: float,
    delta: float = DELTA,
) -> dict[str, Any]:
    """The same where an item's label is a set of classes: said, truth (n, c); scores (n,): the
    confidence that all of a set is right, and `rule` and `whole` how new items are scored.

    Accuracy is that of whole sets; the rows of classes have each class's `cut` besides, and a set
    may be prelabeled from the largest threshold of its classes on (from the card's, if it is
    empty). There is no confusion: a class that is missed is not taken for another one.
    """
    _, counts = np.unique(truth, axis=0, return_counts=True)
    baseline = float(counts.max() / len(truth)) if len(truth) else None
    card = _card(
        scores, said, truth, evidence, target, delta, baseline, "right about the whole set"
    )
    for row, cut in zip(card["per_class"], rule.cut.tolist(), strict=True):
        row["cut"] = cut
    card["multilabel"] = True
    card["rule"] = {
        "slope": rule.slope.tolist(), "shift": rule.shift.tolist(), "cut": rule.cut.tolist(),
        "whole": [whole.slope, whole.shift],
    }  # fmt: skip
    return card


def rule_of(card: dict[str, Any]) -> tuple[Rule, Whole]:
    """What `make_set_card` was given."""
    kept = card["rule"]
    return Rule(*(np.array(kept[name]) for name in ("slope", "shift", "cut"))), Whole(
        *kept["whole"]
    )


def limits_of(card: dict[str, Any], sets: Bools) -> Floats:
    """(n,): the confidence from which each answer (n, c) may be prelabeled; infinite: from none."""
    if card["threshold"] is None:
        return np.full(len(sets), np.inf)
    limits = np.array(
        [np.inf if row["threshold"] is None else row["threshold"] for row in card["per_class"]]
    )
    out: Floats = np.where(sets, limits, card["threshold"]).max(axis=1)
    return out


def _card(
    scores: Floats, said: Bools, true: Bools, evidence: Bools, target: float, delta: float,
    baseline: float | None, being_right: str,
) -> dict[str, Any]:  # fmt: skip
    """What is the same for single classes and for sets. said, true (n, c): an answer is right when
    its row is that of the label."""
    right: Bools = (said == true).all(axis=1)
    s, r = scores[evidence], right[evidence]
    n = int(evidence.sum())
    threshold = find_threshold(s, r, target, delta)
    curve = accuracy_curve(s, r, target, delta)
    card: dict[str, Any] = {
        "target": target,
        "delta": delta,
        "n": n,
        "labels": len(right),
        "model_accuracy": float(right.mean()) if len(right) else None,
        "survivor_accuracy": float(r.mean()) if n else None,
        "baseline": baseline,
        "threshold": threshold,
        "lower_bound": None,
        "accuracy": None,
        "coverage": 0.0,
        "n_above": 0,
        "curve": curve[:: max(1, math.ceil(len(curve) / CURVE_MAX))],
        "reliability": _reliability(scores, right),
        "per_class": _per_class(said, true),
        "confusion": None,
        "reason": None,
        "labels_needed": None,
    }
    limits = class_thresholds(s, r, said[evidence], threshold, target)
    for row, limit in zip(card["per_class"], limits, strict=True):
        row["threshold"] = limit
    if threshold is not None:
        above = s >= threshold
        hits, total = int(r[above].sum()), int(above.sum())
        card["n_above"] = total
        card["accuracy"] = hits / total
        card["lower_bound"] = lower_bound(hits, total, delta)
        card["coverage"] = total / n
        return card
    card["labels_needed"] = labels_needed(len(right), s, r, target, delta)
    start = least_n(target, delta)
    if n < start:
        card["reason"] = (
            f"No prelabels yet: proving {target:.0%} takes at least {start} labels made without"
            f" the model's help on items like those still open, and there are {n}."
        )
        card["labels_needed"] = max(card["labels_needed"] or 0, start - n)
    else:
        card["reason"] = _why_none(curve, target, being_right)
    return card


def _why_none(curve: list[dict[str, float]], target: float, being_right: str) -> str:
    """Why no share of the surest answers proves the target."""
    best = max((p["accuracy"] for p in curve), default=0.0)
    bound = max((p["lower_bound"] for p in curve), default=0.0)
    known = (
        f"No prelabels yet: on its surest answers the model is {being_right} {best:.1%} of the time"
    )
    if bound < target:
        return f"{known}, which proves {bound:.1%} at best; the target is {target:.0%}."
    # By the luckiest share of several, which is no proof (see `validate.find_threshold`).
    return f"{known}, but these are still too few to prove {target:.0%}."


def _reliability(scores: Floats, right: Bools) -> list[dict[str, float]]:
    at = np.minimum((scores * BINS).astype(int), BINS - 1)
    return [
        {
            "confidence": float(scores[at == b].mean()),
            "accuracy": float(right[at == b].mean()),
            "n": int((at == b).sum()),
        }
        for b in range(BINS)
        if (at == b).any()
    ]


def _per_class(said: Bools, true: Bools) -> list[dict[str, Any]]:
    out = []
    for c in range(said.shape[1]):
        hits, of, by = int((said & true)[:, c].sum()), int(true[:, c].sum()), int(said[:, c].sum())
        out.append(
            {
                "class": c,
                "n": of,
                "recall": hits / of if of else None,
                "precision": hits / by if by else None,
            }
        )
    return out


def _confusion(predicted: Ints, labels: Ints, classes: int) -> list[list[int]]:
    table = np.zeros((classes, classes), dtype=int)
    np.add.at(table, (labels, predicted), 1)
    rows: list[list[int]] = table.tolist()
    return rows
