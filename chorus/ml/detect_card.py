"""The threshold card of a detector's round."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chorus.ml.detect_score import (
    Found,
    at_threshold,
    bounds,
    find_threshold,
    mean_average_precision,
    pictures_needed,
)
from chorus.ml.validate import DELTA, least_n

WORTH = 0.5
"""Boxes are first shown when so large a share of people's would be …"""
PLENTY = 100
"""… or when so many pictures are evidence: from then on there is hardly any more of it."""


def make_card(
    found: Sequence[Found], labels: int, target: float, delta: float = DELTA, *, shown: bool = True
) -> dict[str, Any]:
    """What validation found (JSON-able). found: by class. labels: labeled pictures, all of them.
    shown: people are shown predicted boxes already; if not, they begin only once it is worth it.

    Of one class: `threshold` (the score from which its boxes are shown, or null), `precision` and
    `lower_bound` (of the boxes above it), `recall` (share of people's boxes that are among them),
    `n` (boxes that people drew), `n_above`, `ap50`. Of all: `map50`, `evidence` (pictures whose
    people saw no predicted box). What cards of classes have, too: `threshold` is the lowest,
    `lower_bound` the worst class's, `model_accuracy` mAP50.
    """
    rows = []
    for c, some in enumerate(found):
        threshold = find_threshold(some, target, delta)
        row: dict[str, Any] = {
            "class": c, "n": some.truth, "ap50": some.average_precision, "threshold": threshold,
            "precision": None, "lower_bound": None, "recall": None, "n_above": 0,
        }  # fmt: skip
        if threshold is not None:
            row |= at_threshold(some, threshold, delta)
        rows.append(row)
    passed = [row for row in rows if row["threshold"] is not None]
    above = sum(row["n_above"] for row in passed)
    right = sum(row["precision"] * row["n_above"] for row in passed)
    map50 = mean_average_precision(found)
    evidence = found[0].pictures if found else 0
    card: dict[str, Any] = {
        "shapes": True,
        "target": target,
        "delta": delta,
        "labels": labels,
        "evidence": evidence,
        "n": evidence,
        "map50": map50,
        "model_accuracy": map50,
        "baseline": None,
        "threshold": min((row["threshold"] for row in passed), default=None),
        "lower_bound": min((row["lower_bound"] for row in passed), default=None),
        "accuracy": right / above if above else None,
        "recall": _recall(rows, passed),
        "n_above": above,
        "coverage": 0.0,
        "curve": [],
        "reliability": [],
        "per_class": rows,
        "confusion": None,
        "reason": None,
        "labels_needed": None,
    }
    if not passed:
        needed = [pictures_needed(some, target, delta) for some in found]
        card["labels_needed"] = min((n for n in needed if n is not None), default=None)
        card["reason"] = _reason(found, target, delta)
    elif not shown and evidence < PLENTY and (card["recall"] or 0.0) < WORTH:
        card["threshold"] = None
        card["labels_needed"] = PLENTY - evidence
        card["reason"] = (
            f"No predicted boxes yet: {card['recall']:.0%} of people's boxes would be among them."
            " Pictures on which boxes are shown prove nothing, so they begin when at least"
            f" {WORTH:.0%} would be, or {PLENTY} pictures count as evidence."
        )
    return card


def _recall(rows: Sequence[dict[str, Any]], passed: Sequence[dict[str, Any]]) -> float | None:
    """Share of all boxes that people drew which would have been shown."""
    drawn = sum(row["n"] for row in rows)
    hits = sum(row["recall"] * row["n"] for row in passed)
    return hits / drawn if drawn and passed else None


def _reason(found: Sequence[Found], target: float, delta: float) -> str:
    least = least_n(target, delta)
    most = max((some.truth for some in found), default=0)
    if most < least:
        return (
            f"No predicted boxes yet: proving {target:.0%} takes at least {least} boxes of a class"
            f" on pictures labeled without the model's help, and there are {most} at most."
        )
    tried = [curve for some in found if (curve := bounds(some, target, delta))]
    precision, bound = max(
        (max(c, key=lambda point: point[1]) for c in tried),
        default=(0.0, 0.0),
        key=lambda point: point[1],
    )
    return (
        f"No predicted boxes yet: of the surest boxes of the best class {precision:.1%} are right,"
        f" which proves {bound:.1%} at best; the target is {target:.0%}."
    )
