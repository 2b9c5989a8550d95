"""What the model says of items: one class, or a set of them, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chorus.ml.sets import Doubles, Rule, Whole, joint_odds, to_text
from chorus.ml.tables import integers, likeliest

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
LIKELIEST = 5
DIGITS = 6
"""Of a score, wherever it is compared with a threshold: in memory as in the files that go to the
server, or the surest items of a very sure model would be on one side here and on the other there.
"""


@dataclass(frozen=True)
class Answers:
    """Of n items among c classes."""

    probabilities: NDArray[np.floating]
    """(n, c): of one class among all, rows sum to 1; or of each class by itself."""
    sets: Bools
    """(n, c): what is said; a single class is a set of one."""
    scores: NDArray[np.floating]
    """(n,): how likely it is that all of it is right, calibrated."""
    margins: NDArray[np.floating]
    """(n,): how far the answer is from being another one, in probability."""

    def part(self, at: slice) -> Answers:
        """Those of some of the items."""
        return Answers(self.probabilities[at], self.sets[at], self.scores[at], self.margins[at])

    def put(self, at: slice, some: Answers) -> None:
        """Fill in what is said of some of the items."""
        self.probabilities[at], self.sets[at] = some.probabilities, some.sets
        self.scores[at], self.margins[at] = some.scores, some.margins

    def values(self) -> list[str]:
        """Each answer as it is stored: "3", or a set as "0,3" or "-"."""
        if (self.sets.sum(axis=1) == 1).all():
            return integers(self.sets.argmax(axis=1))
        return [to_text(row) for row in self.sets]

    def likeliest(self) -> list[str]:
        """Each item's likeliest classes as "3:0.81,5:0.11,…": what votes are weighed with. Those of
        the answer are among them."""
        out = likeliest(self.probabilities, LIKELIEST)
        order = np.argsort(-self.probabilities, axis=1)
        # A class with a low cut may be in the set and not among the likeliest.
        beyond = np.take_along_axis(self.sets, order[:, LIKELIEST:], axis=1).any(axis=1)
        for i in np.flatnonzero(beyond).tolist():
            classes, row, said = order[i].tolist(), self.probabilities[i], self.sets[i]
            count = max(LIKELIEST, int(said.sum()))
            some = classes[:count] + [c for c in classes[count:] if said[c]]
            out[i] = ",".join(f"{c}:{row[c]:.4f}" for c in some)
        return out


def empty(n: int, classes: int, *, multilabel: bool) -> Answers:
    """To be filled in (`Answers.put`). Sets are worked out in float64."""
    kind = np.float64 if multilabel else np.float32
    return Answers(
        np.empty((n, classes), kind), np.empty((n, classes), bool), np.empty(n), np.empty(n, kind)
    )


def one_class(probabilities: Floats) -> Answers:
    """The likeliest class; rows of `probabilities` (n, c) sum to 1."""
    n, c = probabilities.shape
    said = np.zeros((n, c), dtype=bool)
    said[np.arange(n), probabilities.argmax(axis=1)] = True
    scores = probabilities.max(axis=1)
    second = np.partition(probabilities, -2, axis=1)[:, -2] if n else scores
    return Answers(probabilities, said, _rounded(scores), scores - second)


def class_sets(probabilities: Doubles, sets: Bools, rule: Rule, whole: Whole) -> Answers:
    """probabilities and sets (n, c) of `rule`, or of rules like it."""
    scores = whole.scores(joint_odds(probabilities, sets))
    margins = np.abs(probabilities - rule.cut).min(axis=1)
    return Answers(probabilities, sets, _rounded(scores), margins)


def _rounded(scores: NDArray[np.floating]) -> Doubles:
    return scores.astype(np.float64).round(DIGITS)
