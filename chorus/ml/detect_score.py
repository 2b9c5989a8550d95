"""How good detections are, and from which score on they may be shown to people.

What is found is matched with what people drew by pycocotools, at an overlap of one half.
"""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from scipy.special import betaincinv

from chorus.ml.detect_base import MOST, Detections
from chorus.ml.detect_views import Boxes
from chorus.ml.validate import DELTA, GRID, least_n

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

IOU = 0.5
STARTS = (0.2, 0.5)
"""Where the tests for a threshold start, as shares of the boxes that people drew; each start has
its share of the risk."""


@dataclass(frozen=True)
class Found:
    """The detections of one class on the pictures of the evidence, best first."""

    scores: Doubles
    right: Bools
    picture: Ints
    """Which picture each is on."""
    truth: int
    """Boxes of the class that people drew."""
    pictures: int
    """Pictures of the evidence, whatever is on them."""
    average_precision: float | None
    """AP50; None: people drew none."""


def match(truth: Sequence[Boxes], found: Sequence[Detections], classes: int) -> list[Found]:
    """By class: what was found on each picture, beside what people drew there.

    A detection is right when it overlaps a box of its class by IOU at least that no better one has
    taken (COCO's rule).
    """
    images = [{"id": i + 1} for i in range(len(truth))]
    categories = [{"id": c + 1} for c in range(classes)]
    drawn = [
        {
            "id": 0, "image_id": i + 1, "category_id": int(c) + 1, "bbox": _xywh(box),
            "area": float((box[2] - box[0]) * (box[3] - box[1])), "iscrowd": 0,
        }
        for i, boxes in enumerate(truth)
        for box, c in zip(boxes.boxes, boxes.classes, strict=True)
    ]  # fmt: skip
    for n, row in enumerate(drawn, 1):
        row["id"] = n
    seen = [
        {"image_id": i + 1, "category_id": int(c) + 1, "bbox": _xywh(box), "score": float(score)}
        for i, some in enumerate(found)
        for box, score, c in zip(some.boxes, some.scores, some.classes, strict=True)
    ]
    if not seen:
        counts = np.bincount(
            np.concatenate([b.classes for b in truth] or [np.zeros(0, dtype=np.int64)]),
            minlength=classes,
        )
        none = np.zeros(0)
        return [
            Found(none, none.astype(bool), none.astype(np.int64), int(n), len(truth),
                  0.0 if n else None)
            for n in counts
        ]  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):  # it tells how long each step took
        gold = COCO()
        gold.dataset = {"images": images, "categories": categories, "annotations": drawn}
        gold.createIndex()
        judge = COCOeval(gold, gold.loadRes(seen), "bbox")
        judge.params.iouThrs = np.array([IOU])
        judge.params.areaRng, judge.params.areaRngLbl = [[0.0, 1e10]], ["all"]
        judge.params.maxDets = [MOST]
        judge.evaluate()
        judge.accumulate()
    precision = judge.eval["precision"][0, :, :, 0, 0]
    return [_of_class(judge.evalImgs, precision[:, c], c, len(truth)) for c in range(classes)]


def _of_class(judged: list[Any], precision: Doubles, c: int, pictures: int) -> Found:
    # By class and picture, as COCOeval.evaluate goes through them; None: nothing of it there.
    mine = [(i, row) for i, row in enumerate(judged[c * pictures : (c + 1) * pictures]) if row]
    scores = np.concatenate([np.asarray(r["dtScores"], float) for _, r in mine] or [np.zeros(0)])
    right = np.concatenate([r["dtMatches"][0] > 0 for _, r in mine] or [np.zeros(0, dtype=bool)])
    at = np.concatenate([np.full(len(r["dtScores"]), i) for i, r in mine] or [np.zeros(0)])
    order = np.argsort(-scores, kind="stable")
    truth = sum(len(r["gtIds"]) for _, r in mine)
    return Found(
        scores[order], right[order], at[order].astype(np.int64), truth, pictures,
        float(precision.mean()) if truth else None,
    )  # fmt: skip


def _xywh(box: NDArray[np.float32]) -> list[float]:
    left, top, right, bottom = (float(c) for c in box)
    return [left, top, right - left, bottom - top]


def mean_average_precision(found: Sequence[Found]) -> float | None:
    """mAP50 over the classes that people drew."""
    known = [f.average_precision for f in found if f.average_precision is not None]
    return float(np.mean(known)) if known else None


# -- thresholds


def correlation(right: Bools, picture: Ints) -> float:
    """How much alike detections of one picture are in being right, 0..1: the intraclass correlation
    by analysis of variance (Fleiss, Levin & Paik, Statistical Methods for Rates and Proportions,
    2003, chapter 15)."""
    _, at, size = np.unique(picture, return_inverse=True, return_counts=True)
    n, k = len(right), len(size)
    if k < 2 or n <= k:
        return 0.0
    hits = np.bincount(at, weights=right)
    mean = right.mean()
    between = float((size * (hits / size - mean) ** 2).sum()) / (k - 1)
    within = float((hits * (1 - hits / size)).sum()) / (n - k)
    usual = (n - float((size**2).sum()) / n) / (k - 1)
    total = between + (usual - 1) * within
    return min(1.0, max(0.0, (between - within) / total)) if total > 0 else 0.0


def design_effect(picture: Ints, alike: float) -> float:
    """How many detections are worth one independent one (Kish, Survey Sampling, 1965): more, the
    more of them a picture has and the more alike (`correlation`) they are."""
    size = np.unique(picture, return_counts=True)[1]
    return 1 + (float((size**2).sum()) / len(picture) - 1) * alike


def lower_bound(right: int, n: int, effect: float, delta: float = DELTA) -> float:
    """One-sided Clopper-Pearson bound, at confidence 1 - delta, of the precision of `right` of `n`
    detections that are worth n / effect independent ones (Korn & Graubard, Confidence intervals for
    proportions with small expected number of positive counts estimated from survey data, 1998)."""
    if right <= 0:
        return 0.0
    hits, misses = right / effect, (n - right) / effect
    return float(betaincinv(hits, misses + 1, delta))


def find_threshold(found: Found, target: float, delta: float = DELTA) -> float | None:
    """The score from which on boxes help most, of those from which on the precision provably meets
    `target`; None: there is none.

    Fixed-sequence tests with several starts, as of classes (`validate.find_threshold`); how many
    independent detections the evidence is worth is estimated (`design_effect`). All of them that
    pass hold together, so any may be chosen: the one with the greatest `gain`.
    """
    proven = [n for tests in sequences(found, target, delta) for n in tests.proven()]
    best = max(proven, key=lambda n: (gain(found, n), n), default=None)
    return None if best is None else float(found.scores[best - 1])


def gain(found: Found, n: int) -> int:
    """What it is worth at least to show the best n, in a person's actions: a right box is one that
    need not be drawn (two actions), but perhaps moved (one), a wrong one has to be deleted (one).

    So a box is worth showing that is right at least every second time.
    """
    right = int(found.right[:n].sum())
    return right - (n - right)


@dataclass(frozen=True)
class FixedSequence:
    """A fixed sequence of tests: of more and more of the surest detections, until one fails."""

    found: Found
    counts: list[int]
    target: float
    alike: float
    risk: float

    def bound(self, n: int) -> float:
        """Of the precision of the best n."""
        effect = design_effect(self.found.picture[:n], self.alike)
        return lower_bound(int(self.found.right[:n].sum()), n, effect, self.risk)

    def proven(self) -> Iterator[int]:
        """How many of the best meet the target, for each test before the first that fails."""
        for n in self.counts:
            if self.bound(n) < self.target:
                return
            yield n


def sequences(found: Found, target: float, delta: float = DELTA) -> list[FixedSequence]:
    """The tests for a threshold; none where there is too little to prove anything."""
    most = min(len(found.scores), math.ceil(found.truth / target))
    least = least_n(target, delta)
    if most < least:
        return []
    alike = correlation(found.right[:most], found.picture[:most])
    each = delta / len(STARTS)
    starts = sorted({max(least_n(target, each), math.ceil(share * most)) for share in STARTS})
    last = starts[-1]
    # While that could not forgive a single mistake there is one sequence, with all of the risk.
    if last > most or lower_bound(last - 1, last, 1.0, each) < target:
        starts, each = [least], delta
    out = []
    for start in starts:
        steps = np.unique(np.round(np.geomspace(start, most, GRID)).astype(int))
        # Detections of the same score go together: a threshold cannot tell them apart.
        ends = np.searchsorted(-found.scores, -found.scores[steps - 1], side="right")
        out.append(FixedSequence(found, np.unique(ends).tolist(), target, alike, each))
    return out


def at_threshold(found: Found, threshold: float, delta: float = DELTA) -> dict[str, float]:
    """{precision, lower_bound, recall, n_above} of what is shown from a threshold on."""
    n = int((found.scores >= threshold).sum())
    right = int(found.right[:n].sum())
    most = max(n, min(len(found.scores), found.truth))
    alike = correlation(found.right[:most], found.picture[:most])
    effect = design_effect(found.picture[:n], alike) if n else 1.0
    return {
        "precision": right / n if n else 0.0,
        "lower_bound": lower_bound(right, n, effect, delta),
        "recall": right / found.truth if found.truth else 0.0,
        "n_above": n,
    }


def pictures_needed(found: Found, target: float, delta: float = DELTA) -> int | None:
    """About how many more labeled pictures until the class has a threshold, if the detector stayed
    as good as it is; None: too little is known, or it must get better first."""
    if found.truth < 5 or not len(found.scores):
        return None
    most = min(len(found.scores), found.truth)
    alike = correlation(found.right[:most], found.picture[:most])
    hits = np.cumsum(found.right)
    best: float | None = None
    for share in (0.1, 0.2, 0.3, 0.5, 0.7, 0.9):
        n = max(1, int(most * share))
        # Shrunk a little towards the pessimistic side: few boxes flatter.
        precision = (hits[n - 1] + 0.5) / (n + 1)
        gap = precision - target
        if gap <= 0.005:
            continue
        boxes = max(least_n(target, delta), 1.96**2 * precision * (1 - precision) / gap**2)
        boxes *= design_effect(found.picture[:n], alike)
        pictures = boxes * found.pictures / n
        best = pictures if best is None else min(best, pictures)
    return None if best is None else max(5, math.ceil(best - found.pictures))
