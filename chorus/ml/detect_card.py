"""The threshold card of a detector's round."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from chorus.ml.detect_score import (
    Found,
    at_threshold,
    find_threshold,
    mean_average_precision,
    pictures_needed,
    sequences,
)
from chorus.ml.validate import DELTA, least_n

WORTH = 0.4
"""A class is first shown when so large a share of people's boxes of it would be (one person's boxes
hardly allow more than 0.8 to anybody else) …"""
PLENTY = 100
"""… or when so many pictures are evidence about it: once it is shown there is hardly any more."""


def make_card(
    found: Sequence[Found], labels: int, target: float, delta: float = DELTA,
    *, begun: Collection[int] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """What validation found (JSON-able). found: by class. labels: labeled pictures, all of them.
    begun: classes of which people are shown boxes already (None: all); the others begin only once
    it is worth it.

    Of one class: `threshold` (the score from which its boxes are shown, or null), `precision` and
    `lower_bound` (of the boxes above it), `recall` (share of people's boxes that are among them),
    `n` (boxes that people drew), `pictures` (that are evidence about it: their people saw no
    predicted box of it), `n_above`, `ap50`, `waits` (enough is proven, but they
    would be too few). Of all: `map50`, `evidence` (pictures of the class with most).
    What cards of classes have, too: `threshold` is the lowest, `lower_bound` the worst class's,
    `model_accuracy` mAP50.
    """
    rows = []
    for c, some in enumerate(found):
        threshold = find_threshold(some, target, delta)
        row: dict[str, Any] = {
            "class": c, "n": some.truth, "pictures": some.pictures,
            "ap50": some.average_precision, "threshold": threshold,
            "precision": None, "lower_bound": None, "recall": None, "n_above": 0, "waits": False,
        }  # fmt: skip
        if threshold is not None:
            row |= at_threshold(some, threshold, delta)
            early = begun is not None and c not in begun and some.pictures < PLENTY
            row["waits"] = early and row["recall"] < WORTH
        rows.append(row)
    late = [row for row in rows if row["waits"]]
    for row in late:
        row["threshold"] = None
    passed = [row for row in rows if row["threshold"] is not None]
    above = sum(row["n_above"] for row in passed)
    right = sum(row["precision"] * row["n_above"] for row in passed)
    map50 = mean_average_precision(found)
    evidence = max((some.pictures for some in found), default=0)
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
    if late and not passed:
        card["labels_needed"] = PLENTY - max(row["pictures"] for row in late)
        card["reason"] = (
            "No predicted boxes yet, because they would be too few:"
            f" {max(row['recall'] for row in late):.0%} of people's boxes of a class at most."
            " Pictures on which boxes are shown prove nothing, so they begin when at least"
            f" {WORTH:.0%} would be, or {PLENTY} pictures are evidence."
        )
    elif not passed:
        needed = [pictures_needed(some, target, delta) for some in found]
        card["labels_needed"] = min((n for n in needed if n is not None), default=None)
        card["reason"] = _reason(found, target, delta)
    return card


def _recall(rows: Sequence[dict[str, Any]], passed: Sequence[dict[str, Any]]) -> float | None:
    """Share of all boxes that people drew which would have been shown, if each class's evidence
    were as many pictures."""
    drawn = sum(row["n"] / row["pictures"] for row in rows if row["n"])
    hits = sum(row["recall"] * row["n"] / row["pictures"] for row in passed if row["n"])
    return hits / drawn if drawn and passed else None


def _reason(found: Sequence[Found], target: float, delta: float) -> str:
    """What is missing: boxes that people drew, precision, or pictures that prove it."""
    least = least_n(target, delta)
    most = max((some.truth for some in found), default=0)
    if most < least:
        return (
            f"No predicted boxes yet: proving {target:.0%} takes at least {least} boxes of a class"
            f" on pictures labeled without the model's help, and there are {most} at most."
        )
    tried = [
        (tests.bound(n), int(tests.found.right[:n].sum()), n)
        for some in found
        for tests in sequences(some, target, delta)
        for n in tests.counts[:1]
    ]
    bound, right, n = max(tried, default=(0.0, 0, 0))
    if right <= target * n:
        precision = right / n if n else 0.0
        return (
            f"No predicted boxes yet, because the detector is not precise enough: of the {n:,}"
            f" surest boxes of the best class {precision:.1%} are among those that people drew; the"
            f" target is {target:.0%}."
        )
    return (
        f"No predicted boxes yet, because there is too little evidence: of the {n:,} surest boxes"
        f" of the best class {right / n:.1%} are among those that people drew, but so few prove"
        f" only that at least {bound:.1%} are; the target is {target:.0%}."
    )
