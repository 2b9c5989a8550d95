"""Which shapes of one answer are which of another, and how good one is beside the other. Pure.

The assignment one to one with the greatest sum of overlaps (the Hungarian method: Kuhn 1955; in
scipy as Crouse, "On implementing 2D rectangular assignment algorithms", 2016).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

import msgspec
import numpy as np

from chorus.server.geometry import Shape, load, overlapping

OTHER_CLASS = 0.5
"""What an overlap is worth beside the same between shapes of the same class: where things lie on
one another, each is paired with its like."""
ALIKE_IOU = 0.5
ALIKE_F1 = 0.8
"""Two answers on a whole picture are alike from this F1 on, with shapes that overlap by ALIKE_IOU
and have the same class. (That a project takes people's shapes for one thing from another overlap
on changes nothing here: figures of different projects can be compared.)"""


SOLVED_MAX = 300
"""Shapes of one answer that hang together by overlaps, up to which the best assignment is looked
for. (Nothing that people mean comes near; for thousands it would take seconds.)"""


class Pair(msgspec.Struct, frozen=True):
    """Two shapes that are the same thing."""

    a: int
    b: int
    """Places in the two answers."""
    iou: float
    same_class: bool


class Score(msgspec.Struct, frozen=True):
    """Counts of an answer beside the truth. `right`: of the same class and place."""

    right: int = 0
    false: int = 0
    """Shapes that the truth does not have, of another class among them."""
    missed: int = 0
    overlap: float = 0.0
    """Sum of the overlaps of those that are right."""

    def __add__(self, other: Score) -> Score:
        return Score(
            self.right + other.right,
            self.false + other.false,
            self.missed + other.missed,
            self.overlap + other.overlap,
        )

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall, 0..1; 1: both say that there is nothing."""
        total = 2 * self.right + self.false + self.missed
        return 2 * self.right / total if total else 1.0


def pair(a: Sequence[Shape], b: Sequence[Shape], least: float) -> list[Pair]:
    """The best assignment of shapes that overlap by at least `least` > 0, by place in `a`."""
    n = len(a)
    group = [0] * n + [1] * len(b)
    found = {(i, j - n): overlap for i, j, overlap in overlapping([*a, *b], least, group)}
    return [
        Pair(i, j, found[i, j], a[i].cls == b[j].cls)
        for i, j in sorted(
            assigned({(i, j): worth(iou, a[i], b[j]) for (i, j), iou in found.items()})
        )
    ]


def worth(overlap: float, a: Shape, b: Shape) -> float:
    """What it is worth to pair the two."""
    return overlap if a.cls == b.cls else OTHER_CLASS * overlap


def score(answer: Sequence[Shape], truth: Sequence[Shape], least: float) -> Score:
    """How good an answer is, shape by shape."""
    return score_of(pair(answer, truth, least), len(answer), len(truth))


def score_of(pairs: Sequence[Pair], drawn: int, true: int) -> Score:
    """`score`, where the pairs are known already. drawn, true: how many shapes each has."""
    right = [p for p in pairs if p.same_class]
    return Score(len(right), drawn - len(right), true - len(right), sum(p.iou for p in right))


@lru_cache(maxsize=512)
def alike(answer: str, truth: str) -> bool:
    """Are two canonical strings of shapes much the same answer (see ALIKE_F1)?"""
    if answer == truth:
        return True
    return score(load(answer), load(truth), ALIKE_IOU).f1 >= ALIKE_F1 - 1e-9


def shapes_right(answer: str | None, truth: str | None) -> int | None:
    """How many shapes of a canonical string another has, too: of the same class, overlapping by
    ALIKE_IOU."""
    if answer is None or truth is None:
        return None
    return score(load(answer), load(truth), ALIKE_IOU).right


def assigned(worth: Mapping[tuple[int, int], float]) -> list[tuple[int, int]]:
    """The assignment of rows to columns with the greatest sum; worth: of the pairs there may be,
    each above 0. Parts that do not hang together are assigned each by itself, which is the same and
    takes no time for most pictures."""
    pairs = list(worth)
    if len({row for row, _ in pairs}) == len(pairs) == len({column for _, column in pairs}):
        return pairs  # most pictures: nothing competes
    rows = {row: n for n, row in enumerate(sorted({row for row, _ in pairs}))}
    columns = {column: len(rows) + n for n, column in enumerate(sorted({c for _, c in pairs}))}
    part_of = {
        node: n
        for n, part in enumerate(
            components(len(rows) + len(columns), [(rows[r], columns[c]) for r, c in pairs])
        )
        for node in part
    }
    parts: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    for row, column in pairs:
        parts[part_of[rows[row]]].append((row, column))
    return [found for some in parts.values() for found in _solved(some, worth)]


def _solved(
    pairs: Sequence[tuple[int, int]], worth: Mapping[tuple[int, int], float]
) -> list[tuple[int, int]]:
    rows, columns = sorted({r for r, _ in pairs}), sorted({c for _, c in pairs})
    if len(rows) == 1 or len(columns) == 1:
        return [min(pairs, key=lambda p: (-worth[p], p))]
    if max(len(rows), len(columns)) > SOLVED_MAX:
        return _greedy(pairs, worth)
    from scipy.optimize import linear_sum_assignment  # takes a while, and is rarely needed

    table = np.array([[worth.get((r, c), 0.0) for c in columns] for r in rows])
    found = zip(*linear_sum_assignment(table, maximize=True), strict=True)
    return [(rows[r], columns[c]) for r, c in found if table[r, c] > 0]


def _greedy(
    pairs: Iterable[tuple[int, int]], worth: Mapping[tuple[int, int], float]
) -> list[tuple[int, int]]:
    """The surest first: at least half of the greatest sum."""
    rows: set[int] = set()
    columns: set[int] = set()
    found = []
    for row, column in sorted(pairs, key=lambda p: (-worth[p], p)):
        if row not in rows and column not in columns:
            found.append((row, column))
            rows.add(row)
            columns.add(column)
    return found


def warm() -> None:
    """Load what takes up to a second, before somebody waits for it."""
    import shapely  # noqa: F401


def components(count: int, edges: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Nodes 0 … count-1 that hang together by any edges, each list ascending."""
    near: list[list[int]] = [[] for _ in range(count)]
    for i, j in edges:
        near[i].append(j)
        near[j].append(i)
    seen = [False] * count
    out = []
    for start in range(count):
        if seen[start]:
            continue
        seen[start] = True
        members, todo = [], [start]
        while todo:
            at = todo.pop()
            members.append(at)
            for other in near[at]:
                if not seen[other]:
                    seen[other] = True
                    todo.append(other)
        out.append(sorted(members))
    return out
