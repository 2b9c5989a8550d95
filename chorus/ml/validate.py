"""From out-of-fold predictions to a threshold with a promise, and the card that explains it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

DELTA = 0.1
"""One-sided risk of the lower bound: 1 - confidence."""
GRID = 60
CURVE_MAX = 60
BINS = 10


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def binomial_upper_tail(k: int, n: int, p: float) -> float:
    """P(X >= k) for X ~ Binomial(n, p)."""
    if k <= 0:
        return 1.0
    if p <= 0.0:
        return 0.0
    if p >= 1.0:
        return 1.0
    first = _log_choose(n, k) + k * math.log(p) + (n - k) * math.log1p(-p)
    # Each term from the one before it: C(n, i+1) / C(n, i) = (n - i) / (i + 1).
    i = np.arange(k, n)
    steps = np.log((n - i) / (i + 1)) + math.log(p) - math.log1p(-p)
    logs = first + np.concatenate([[0.0], np.cumsum(steps)])
    top = float(logs.max())
    return min(1.0, math.exp(top) * float(np.exp(logs - top).sum()))


def lower_bound(right: int, n: int, delta: float = DELTA) -> float:
    """Clopper-Pearson one-sided lower bound at confidence 1 - delta of a share `right`/`n`."""
    if right <= 0 or n <= 0:
        return 0.0
    low, high = 0.0, right / n
    for _ in range(50):
        middle = (low + high) / 2
        if binomial_upper_tail(right, n, middle) > delta:
            high = middle
        else:
            low = middle
    return low


def least_n(target: float, delta: float = DELTA) -> int:
    """How many flawless items it takes to prove `target`."""
    return math.ceil(math.log(delta) / math.log(target))


def find_threshold(
    scores: Floats, right: Bools, target: float, delta: float = DELTA
) -> tuple[float | None, list[dict[str, float]]]:
    """(threshold, curve).

    scores (n,): out-of-fold confidence; right (n,) bool. The lowest confidence whose accuracy
    above it, by the lower bound, meets `target`, found in the manner of fixed-sequence testing
    (Angelopoulos et al., Learn then Test, 2021): the tests go from the most confident items down,
    and the first failure after a success ends it. Failures before the first success do not end
    it, which the paper's guarantee would ask for: `delta` is the risk of one test, not of all.
    """
    order = np.argsort(-scores, kind="stable")
    sorted_scores, hits = scores[order], np.cumsum(right[order])
    n = len(scores)
    threshold: float | None = None
    curve: list[dict[str, float]] = []
    start = least_n(target, delta)
    if n >= start:
        points = np.unique(np.round(np.geomspace(start, n, GRID)).astype(int))
        passed = ended = False
        for count in points:
            bound = lower_bound(int(hits[count - 1]), int(count), delta)
            score = float(sorted_scores[count - 1])
            curve.append(
                {
                    "threshold": score,
                    "coverage": count / n,
                    "accuracy": float(hits[count - 1] / count),
                    "lower_bound": bound,
                    "n": int(count),
                }
            )
            if ended:
                continue
            if bound >= target:
                passed, threshold = True, score
            elif passed:
                ended = True
    return threshold, curve


def labels_needed(
    history_n: int, scores: Floats, right: Bools, target: float, delta: float = DELTA
) -> int | None:
    """About how many more labels until a first threshold, if the model stayed as it is: evidence
    must grow until the most accurate tenth or more of it can prove the target."""
    if len(scores) < 10:
        return None
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(right[order])
    best: float | None = None
    for share in (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5):
        count = max(5, int(len(scores) * share))
        # Shrunk a little towards the pessimistic side: few items flatter.
        accuracy = (hits[count - 1] + 0.5) / (count + 1)
        gap = accuracy - target
        if gap <= 0.005:
            continue
        z = 1.2816 if delta >= 0.1 else 1.6449
        need = max(least_n(target, delta), z * z * accuracy * (1 - accuracy) / gap**2)
        total = need / share
        best = total if best is None else min(best, total)
    if best is None:
        # The model is not good enough yet; error falls about with the root of the labels.
        top = (hits[max(5, len(scores) // 10) - 1] + 0.5) / (max(5, len(scores) // 10) + 1)
        error, wanted = 1 - top, (1 - target) * 0.8
        best = history_n * min(16.0, (error / wanted) ** 2)
    return max(10, int(round(best - len(scores), -1)))


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
    right = predicted == labels
    s, r = scores[evidence], right[evidence]
    n = int(evidence.sum())
    threshold, curve = find_threshold(s, r, target, delta)
    counts = np.bincount(labels, minlength=classes)
    card: dict[str, Any] = {
        "target": target,
        "delta": delta,
        "n": n,
        "labels": len(labels),
        "model_accuracy": float(right.mean()) if len(labels) else None,
        "survivor_accuracy": float(r.mean()) if n else None,
        "baseline": float(counts.max() / len(labels)) if len(labels) else None,
        "threshold": threshold,
        "lower_bound": None,
        "accuracy": None,
        "coverage": 0.0,
        "n_above": 0,
        "curve": curve[:: max(1, math.ceil(len(curve) / CURVE_MAX))],
        "reliability": _reliability(scores, right),
        "per_class": _per_class(predicted, labels, classes),
        "confusion": _confusion(predicted, labels, classes),
        "reason": None,
        "labels_needed": None,
    }
    if threshold is not None:
        above = s >= threshold
        hits, total = int(r[above].sum()), int(above.sum())
        card["n_above"] = total
        card["accuracy"] = hits / total
        card["lower_bound"] = lower_bound(hits, total, delta)
        card["coverage"] = total / n
        return card
    card["labels_needed"] = labels_needed(len(labels), s, r, target, delta)
    start = least_n(target, delta)
    if n < start:
        card["reason"] = (
            f"No prelabels yet: proving {target:.0%} takes at least {start} labels made without"
            f" the model's help on items like those still open, and there are {n}."
        )
        card["labels_needed"] = max(card["labels_needed"] or 0, start - n)
    else:
        best = max((p["accuracy"] for p in curve), default=0.0)
        bound = max((p["lower_bound"] for p in curve), default=0.0)
        card["reason"] = (
            f"No prelabels yet: on its surest answers the model is right {best:.1%} of the time,"
            f" which proves {bound:.1%} at best; the target is {target:.0%}."
        )
    return card


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


def _per_class(predicted: Ints, labels: Ints, classes: int) -> list[dict[str, Any]]:
    out = []
    for c in range(classes):
        true, said = labels == c, predicted == c
        hits = int((true & said).sum())
        out.append(
            {
                "class": c,
                "n": int(true.sum()),
                "recall": hits / int(true.sum()) if true.any() else None,
                "precision": hits / int(said.sum()) if said.any() else None,
            }
        )
    return out


def _confusion(predicted: Ints, labels: Ints, classes: int) -> list[list[int]]:
    table = np.zeros((classes, classes), dtype=int)
    np.add.at(table, (labels, predicted), 1)
    rows: list[list[int]] = table.tolist()
    return rows
