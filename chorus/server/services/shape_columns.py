"""A project's standing answers of shapes as columns, for what is counted over all of them.

Between people an item is not one question but as many as there are things that anybody drew: which
class each is, or that there is nothing. So the coefficients of agreement are those of classes, over
these; that is how Krippendorff's alpha is used for boxes by Tschirschwitz and Rodehorst ("Label
convergence", WACV 2025).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, groupby
from time import monotonic

import msgspec
import numpy as np
from numpy.typing import NDArray

from chorus.server.consensus.shapes import merge_values
from chorus.server.geometry import load
from chorus.server.matching import ALIKE_IOU, Score, pair, score, score_of
from chorus.server.services.vote_columns import UNKNOWN, Columns
from chorus.server.storage.tx import Tx
from chorus.server.storage.tx.shapes import ShapeVote

CHUNK = 500
"""Items read at once."""
Cell = tuple[int | None, int | None]
"""(class in the label, class drawn); None: nothing there."""


class Seen(msgspec.Struct, frozen=True):
    """One person's answer on one picture, beside its label."""

    cells: list[Cell]
    """Of each shape of either; empty where no label can judge it."""
    score: Score
    wrong: int
    """Shapes that the page had filled in and the label does not have."""
    wrong_kept: int


class Picture(msgspec.Struct, frozen=True):
    """What one picture's answers say; people by their place in its votes."""

    things: list[list[int | None]]
    """Of each thing that anybody drew, the class each person chose; None: not drawn."""
    seen: list[Seen]
    f1: float
    """Sum, over every two people, of F1 at the project's overlap."""
    pairs: int


Known = dict[int, tuple[int, Picture]]
"""By item, what its answers hash to, and what they say: most pictures are as they were the last
time somebody looked."""


class ShapeColumns(Columns):
    """`value` and the rest are of (thing, person): the class, or `classes` for nothing."""

    def __init__(
        self, tx: Tx, project_id: str, classes: int, iou: float, known: Known, seconds: float
    ) -> None:
        """known: filled, and used the next time. seconds: to spend on looking at pictures; those
        that are left out count for nothing."""
        found: list[tuple[list[str], Picture]] = []
        spent = 0.0
        self.pictures = 0
        """With an answer."""
        after = 0
        while rows := tx.shape_votes(project_id, after, CHUNK):
            after = rows[-1].item_id
            for item_id, some in groupby(rows, key=lambda row: row.item_id):
                votes = list(some)
                digest = hash((iou, *votes))
                self.pictures += 1
                if item_id not in known or known[item_id][0] != digest:
                    if spent >= seconds:
                        continue
                    began = monotonic()
                    known[item_id] = (digest, look(votes, iou))
                    spent += monotonic() - began
                found.append(([v.user_id for v in votes], known[item_id][1]))
        self.looked = len(found)
        """Of these, the ones that the figures are about."""
        self.raters = sorted({user_id for people, _ in found for user_id in people})
        self.classes = classes
        number = {user_id: n for n, user_id in enumerate(self.raters)}
        n = len(self.raters)
        self.given = np.zeros(n, dtype=np.int64)
        """(raters,): answers."""
        self.cells = np.zeros((n, classes + 1, classes + 1), dtype=np.int64)
        """[rater][class in the label][class drawn], the last of each: nothing."""
        self.scores = [Score()] * n
        self._wrong = [(0, 0)] * n
        item: list[int] = []
        rater: list[int] = []
        value: list[int] = []
        f1, pairs, thing = 0.0, 0, 0
        for people, picture in found:
            places = [number[user_id] for user_id in people]
            for chosen in picture.things:
                item += [thing] * len(places)
                rater += places
                value += [classes if c is None else c for c in chosen]
                thing += 1
            for place, seen in zip(places, picture.seen, strict=True):
                self.given[place] += 1
                self.scores[place] += seen.score
                wrong, kept = self._wrong[place]
                self._wrong[place] = wrong + seen.wrong, kept + seen.wrong_kept
                for cell in seen.cells:
                    true, drawn = (classes if c is None else c for c in cell)
                    self.cells[place, true, drawn] += 1
            f1 += picture.f1
            pairs += picture.pairs
        self.f1 = f1 / pairs if pairs else None
        """Mean F1 of every two people's answers on the same picture."""
        self.item, self.rater, self.value = (
            np.array(column, dtype=np.int64) for column in (item, rater, value)
        )
        self.prelabel = np.full_like(self.value, UNKNOWN)
        self.label = self.prelabel
        self.again = np.zeros(len(self.item), dtype=np.bool_)

    def answers(self, rater: int) -> int:
        return int(self.given[rater])

    def wrong_prelabels(self, rater: int) -> tuple[int, int]:
        return self._wrong[rater]

    def confusion(self) -> NDArray[np.int64]:
        """(classes + 1, classes + 1): shapes by [class in the label][class drawn], the last of
        each: nothing. In its last column is what people missed, in its last row what is not
        there."""
        return np.asarray(self.cells.sum(axis=0), dtype=np.int64)

    def tags(self, rater: int | None = None) -> NDArray[np.int64]:
        """(classes, 3): shapes that are right, that are not in the label like this, that were
        missed (drawn as another class among them)."""
        table = self.confusion() if rater is None else self.cells[rater]
        right = np.diagonal(table)[:-1]
        return np.stack(
            [right, table.sum(axis=0)[:-1] - right, table.sum(axis=1)[:-1] - right], axis=1
        )


def look(votes: Sequence[ShapeVote], iou: float) -> Picture:
    """What the standing answers on one picture say (pure)."""
    drawn = [load(vote.value) for vote in votes]
    merged = merge_values(tuple(vote.value for vote in votes), iou)
    things = []
    for m in (*merged.shapes, *merged.disputed):
        chosen = dict(zip(m.by, m.classes, strict=True))
        things.append([chosen.get(n) for n in range(len(votes))])
    label = votes[0].label
    # A label that is nothing but one person's vote says nothing of them.
    judged = label is not None and (votes[0].label_source != "votes" or len(votes) > 1)
    truth = load(label) if label is not None and judged else None
    seen = []
    for vote, shapes in zip(votes, drawn, strict=True):
        if truth is None:
            seen.append(Seen([], Score(), 0, 0))
            continue
        pairs = pair(shapes, truth, ALIKE_IOU)
        cells: list[Cell] = [(truth[p.b].cls, shapes[p.a].cls) for p in pairs]
        mine, theirs = {p.a for p in pairs}, {p.b for p in pairs}
        cells += [(None, s.cls) for n, s in enumerate(shapes) if n not in mine]
        cells += [(s.cls, None) for n, s in enumerate(truth) if n not in theirs]
        wrong = kept = 0
        if vote.prelabel is not None:
            shown = load(vote.prelabel)
            right = {p.a for p in pair(shown, truth, ALIKE_IOU) if p.same_class}
            false = [s for n, s in enumerate(shown) if n not in right]
            wrong, kept = len(false), score(false, shapes, ALIKE_IOU).right
        seen.append(Seen(cells, score_of(pairs, len(shapes), len(truth)), wrong, kept))
    among = [score(a, b, iou).f1 for a, b in combinations(drawn, 2)]
    return Picture(things, seen, sum(among), len(among))
