"""A project's standing label votes as columns, for what is counted over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chorus.server.consensus import agreement
from chorus.server.consensus.agreement import NOTHING, Coefficient
from chorus.server.consensus.table import Floats, Ints
from chorus.server.domain.values import indices
from chorus.server.storage.tx import Tx

CHUNK = 20_000
UNKNOWN = -1


class Columns:
    """(n,) each: `item` ids, `rater` (place in `raters`), and codes of values: `value`, `prelabel`
    that was shown, `label` of the item; UNKNOWN without one. Made by `VoteColumns`, or
    `ShapeColumns`.

    A code is the class's index; of label sets, the place in `sets`.
    """

    raters: list[str]
    classes: int
    item: Ints
    rater: Ints
    value: Ints
    prelabel: Ints
    label: Ints
    again: NDArray[np.bool_]
    """(n,): of an item that several people answered because the model contradicted the first. No
    fair sample of how far people agree."""
    sets: NDArray[np.bool_] | None = None
    """(distinct sets, classes): what each ticks. None: a label is one class."""

    def answers(self, rater: int) -> int:
        """How many votes are the person's."""
        return int((self.rater == rater).sum())

    def wrong_prelabels(self, rater: int) -> tuple[int, int]:
        """(prelabels shown to the person that are not the label, those of them let stand)."""
        wrong = (self.rater == rater) & (self.prelabel != UNKNOWN) & (self.label != UNKNOWN)
        wrong &= self.prelabel != self.label
        return int(wrong.sum()), int((wrong & (self.value == self.prelabel)).sum())

    # -- how far people agree

    def alpha(self) -> Coefficient:
        return self._mean(agreement.krippendorff_alpha)

    def fleiss(self) -> Coefficient:
        return self._mean(agreement.fleiss_kappa)

    def kappa(self) -> tuple[Floats, Ints]:
        """(kappa, shared items) of every two raters, each (raters, raters)."""
        n = len(self.raters)
        item, rater = self.item[~self.again], self.rater[~self.again]
        found = [
            agreement.cohen_kappa_matrix(item, rater, answers, n) for answers in self._questions()
        ]
        if not found:
            return agreement.cohen_kappa_matrix(item, rater, item * 0, n)
        kappas = np.stack([kappa for kappa, _ in found])
        known = (~np.isnan(kappas)).sum(axis=0)
        total = np.nansum(kappas, axis=0)
        return np.where(known > 0, total / np.maximum(known, 1), np.nan), found[0][1]

    def with_others(self) -> Floats:
        """(raters,): share of the others' votes that are the same; sets only as a whole."""
        fair = ~self.again
        return agreement.with_others(
            self.item[fair], self.rater[fair], self.value[fair], len(self.raters)
        )

    def _questions(self) -> list[Ints]:
        """What was asked, as answers to what was not looked at again: which class; or of each class
        that anybody ticked, whether it applies."""
        value = self.value[~self.again]
        if self.sets is None:
            return [value]
        used = np.flatnonzero(self.sets.any(axis=0))
        return [self.sets[value, c].astype(np.int64) for c in used]

    def _mean(self, coefficient: Any) -> Coefficient:
        """The mean over the questions for which there is a coefficient. The mean of the intervals
        is at least as wide as the mean's own, however the questions hang together."""
        item, rater = self.item[~self.again], self.rater[~self.again]
        found = [coefficient(item, rater, answers) for answers in self._questions()]
        found = [one for one in found if not np.isnan(one.value)]
        if not found:
            return NOTHING
        if len(found) == 1:
            one: Coefficient = found[0]
            return one
        value, low, high = (float(np.mean([one[at] for one in found])) for at in range(3))
        return Coefficient(value, low, high, max(one.items for one in found))

    # -- votes against labels

    def confusion(self) -> NDArray[np.int64]:
        """(classes, classes): votes for [label of the item][class voted]."""
        known = self.label != UNKNOWN
        out = np.zeros((self.classes, self.classes), dtype=np.int64)
        np.add.at(out, (self.label[known], self.value[known]), 1)
        return out

    def confusion_of(self, rater: int) -> list[tuple[int, int, int]]:
        """The cells of one person's confusion that are not 0: (label, class voted, votes)."""
        mine = (self.rater == rater) & (self.label != UNKNOWN)
        pairs = np.stack([self.label[mine], self.value[mine]], axis=1)
        cells, counts = np.unique(pairs, axis=0, return_counts=True)
        return [(int(r), int(c), int(n)) for (r, c), n in zip(cells, counts, strict=True)]

    def tags(self, rater: int | None = None) -> NDArray[np.int64]:
        """(classes, 3) of label sets: votes, of one person or all, that ticked the class and the
        label has it; ticked it and the label does not have it; did not tick what the label has."""
        assert self.sets is not None
        known = self.label != UNKNOWN
        if rater is not None:
            known &= self.rater == rater
        said, true = self.sets[self.value[known]], self.sets[self.label[known]]
        return np.stack(
            [(said & true).sum(axis=0), (said & ~true).sum(axis=0), (~said & true).sum(axis=0)],
            axis=1,
        )


class VoteColumns(Columns):
    """Votes of one class or one set each."""

    def __init__(self, tx: Tx, project_id: str, classes: int, multilabel: bool) -> None:
        rows: list[tuple[int, str, str, str | None, str | None, int]] = []
        place = (-1, "")
        while some := tx.votes_and_labels(project_id, place, CHUNK):
            rows += some
            place = some[-1][:2]
        self.raters = sorted({row[1] for row in rows})
        number = {user_id: n for n, user_id in enumerate(self.raters)}
        self.classes = classes
        self.item = np.array([row[0] for row in rows], dtype=np.int64)
        self.rater = np.array([number[row[1]] for row in rows], dtype=np.int64)
        codes: dict[str, int] = {}
        if multilabel:
            found = {value for row in rows for value in row[2:5] if value is not None}
            codes = {value: n for n, value in enumerate(sorted(found))}
            self.sets = np.zeros((len(codes), classes), dtype=np.bool_)
            for value, n in codes.items():
                self.sets[n, list(indices(value))] = True

        def column(values: Sequence[str | None]) -> Ints:
            known = codes.__getitem__ if multilabel else int
            return np.array([UNKNOWN if v is None else known(v) for v in values], dtype=np.int64)

        self.value = column([row[2] for row in rows])
        self.prelabel = column([row[3] for row in rows])
        self.label = column([row[4] for row in rows])
        self.again = np.array([row[5] for row in rows], dtype=np.bool_)
