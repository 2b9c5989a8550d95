"""From out-of-fold predictions to a threshold with a promise."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

RISK = 0.1
"""The stated risk: in at most so many projects the prelabels shown, all rounds taken together, may
be right less often than the target (`python -m bench.promise` measures it)."""
DELTA = 0.05
"""Risk of one round's threshold. Rounds share the project's risk, yet most of what is shown comes
from few of them."""
GRID = 60
CLASS_LEAST = 4
"""Evidence above the threshold that a class needs to be prelabeled at all."""
CLASS_WORSE = 2.0
"""A class that is wrong more than this many times as often as the target allows is left out …"""
CLASS_RISK = 0.1
"""… when so many mistakes would otherwise happen with this chance at most."""
STARTS = (0.15, 0.4)
"""Shares of the evidence that the tests start from, when it is enough for several tests."""


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


def proven(right: int, n: int, target: float, delta: float = DELTA) -> bool:
    """The exact binomial test: so many right of `n` would happen with chance `delta` at most if the
    true share were below `target`. The same as `lower_bound(right, n, delta) >= target`."""
    return n > 0 and binomial_upper_tail(right, n, target) <= delta


def sequences(n: int, target: float, delta: float = DELTA) -> list[tuple[float, list[int]]]:
    """(risk of each test, how many of the most confident items the tests take, in order), by start;
    fixed before any answer is seen, the risks of all starts are `delta` together.

    Too few items prove nothing, too many are not accurate enough, so there are several starts, each
    with its share of the risk. While the evidence is so little that the last of them could not
    forgive a single mistake, there is one test with all of the risk, of as many items as can prove
    anything: prelabels begin sooner, and only with what the model is surest of, since early rounds
    look at much the same evidence again and again (measured by `python -m bench.promise`).
    """
    each = delta / len(STARTS)
    starts = sorted({max(least_n(target, each), math.ceil(share * n)) for share in STARTS})
    last = starts[-1]
    if len(starts) > 1 and last <= n and proven(last - 1, last, target, each):
        return [(each, _points(start, n)) for start in starts]
    least = least_n(target, delta)
    return [(delta, [least])] if n >= least else []


def find_threshold(
    scores: Floats, right: Bools, target: float, delta: float = DELTA
) -> float | None:
    """The lowest confidence above which the accuracy provably meets `target`, or None.

    scores (n,): out-of-fold confidence; right (n,) bool. Fixed-sequence testing with several
    starts (Angelopoulos et al., Learn then Test, 2021, section 3.2): from each start the tests
    take in more and more items, and end at the first that fails. However many tests there are,
    the chance that the threshold found does not keep the target is `delta` at most, for items like
    these.
    """
    order = np.argsort(-scores, kind="stable")
    sorted_scores, hits = scores[order], np.cumsum(right[order])
    found = 0
    for risk, counts in sequences(len(scores), target, delta):
        for least in counts:
            # Items of the same confidence go together: a threshold cannot tell them apart.
            count = int(np.searchsorted(-sorted_scores, -sorted_scores[least - 1], side="right"))
            if not proven(int(hits[count - 1]), count, target, risk):
                break
            found = max(found, count)
    return float(sorted_scores[found - 1]) if found else None


def _points(start: int, n: int) -> list[int]:
    if start > n:
        return []
    points: list[int] = np.unique(np.round(np.geomspace(start, n, GRID)).astype(int)).tolist()
    return points


def class_thresholds(
    scores: Floats, right: Bools, said: Bools, threshold: float | None, target: float
) -> list[float | None]:
    """`threshold` for each class that may be prelabeled, None for the others: those with too little
    evidence above it (CLASS_LEAST), and those that are clearly much worse than the rest
    (CLASS_WORSE). scores, right (n,) and said (n, c): the evidence; of a set of classes, `right` is
    about all of it, and each of them answers for it.

    What is left out can only be classes that are worse, or rare: the accuracy that was proven for
    all together stays about what it is for the others.
    """
    out: list[float | None] = [None] * said.shape[1]
    if threshold is None:
        return out
    above = scores >= threshold
    for c in range(len(out)):
        mine = above & said[:, c]
        n, wrong = int(mine.sum()), int((mine & ~right).sum())
        allowed = min(1.0, CLASS_WORSE * (1 - target))
        worse = wrong > 0 and binomial_upper_tail(wrong, n, allowed) <= CLASS_RISK
        out[c] = None if n < CLASS_LEAST or worse else threshold
    return out


def accuracy_curve(
    scores: Floats, right: Bools, target: float, delta: float = DELTA
) -> list[dict[str, float]]:
    """Accuracy and coverage by threshold, for people to look at. The bound is of one test at
    confidence 1 - `delta`; what was tested is in `find_threshold`."""
    order = np.argsort(-scores, kind="stable")
    sorted_scores, hits = scores[order], np.cumsum(right[order])
    n = len(scores)
    return [
        {
            "threshold": float(sorted_scores[count - 1]),
            "coverage": count / n,
            "accuracy": float(hits[count - 1] / count),
            "lower_bound": lower_bound(int(hits[count - 1]), count, delta),
            "n": count,
        }
        for count in _points(least_n(target, delta), n)
    ]


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
        z = 1.96  # one-sided 2.5 %, as each start is tested
        need = max(least_n(target, delta), z * z * accuracy * (1 - accuracy) / gap**2)
        total = need / share
        best = total if best is None else min(best, total)
    if best is None:
        # The model is not good enough yet; error falls about with the root of the labels.
        top = (hits[max(5, len(scores) // 10) - 1] + 0.5) / (max(5, len(scores) // 10) + 1)
        error, wanted = 1 - top, (1 - target) * 0.8
        best = history_n * min(16.0, (error / wanted) ** 2)
    return max(10, int(round(best - len(scores), -1)))
