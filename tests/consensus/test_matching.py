"""Which shapes are which: overlaps and assignments, against slower ways to find them."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chorus.server.geometry import MANY, Shape, around, heaped, iou, iou_matrix, overlapping, ring
from chorus.server.matching import OTHER_CLASS, SOLVED_MAX, Score, alike, assigned, pair, score
from tests.consensus.test_shapes import boxes, polygons

some = st.lists(boxes | polygons, max_size=4)


def pixels(shape: Shape) -> set[tuple[float, float]]:
    """The middles of the quarter pixels in a box."""
    x, y, w, h = (round(2 * c) for c in shape.box)
    return {(a, b) for a in range(x, x + w) for b in range(y, y + h)}


@given(boxes, boxes)
def test_overlap_of_boxes_is_what_counting_pixels_gives(a: Shape, b: Shape) -> None:
    ours, theirs = pixels(a), pixels(b)
    assert iou(a, b) == pytest.approx(len(ours & theirs) / len(ours | theirs))


@given(boxes, boxes)
def test_a_box_is_also_a_polygon(a: Shape, b: Shape) -> None:
    x, y, w, h = b.box
    points = ring([(x, y), (x + w, y), (x + w, y + h), (x, y + h)])
    assert iou(a, Shape(b.cls, around(points), points)) == pytest.approx(iou(a, b))


@given(some, some)
def test_overlaps_are_the_same_from_either_side_and_by_the_sweep(
    a: list[Shape], b: list[Shape]
) -> None:
    matrix = iou_matrix(a, b)
    assert pytest.approx(iou_matrix(b, a)) == matrix.T
    for i, one in enumerate(a):
        for j, other in enumerate(b):
            assert matrix[i, j] == pytest.approx(iou(one, other))
            assert 0 <= matrix[i, j] <= 1 + 1e-9
    every = [*a, *b]
    found = {(i, j): o for i, j, o in overlapping(every, 0.3, range(len(every)))}
    for i, j in combinations(range(len(every)), 2):
        assert found.get((i, j), 0.0) == pytest.approx(
            o if (o := iou(every[i], every[j])) >= 0.3 else 0.0
        )


@settings(max_examples=10)
@given(st.integers(0, 2**32), st.booleans())
def test_overlaps_of_many_are_those_of_every_two(seed: int, outlined: bool) -> None:
    rng = np.random.default_rng(seed)
    every = [
        Shape(0, (int(x), int(y), int(w), int(h)))
        for x, y, w, h in rng.integers([0, 0, 2, 2], [40, 90, 12, 12], (MANY + 60, 4))
    ]
    if outlined:
        x, y, w, h = every[0].box
        every[0] = Shape(0, every[0].box, ((x, y), (x + w, y), (x, y + h)))
    group = rng.integers(0, 3, len(every)).tolist()
    found = {(i, j): overlap for i, j, overlap in overlapping(every, 0.3, group)}
    apart = [(i, j) for i, j in combinations(range(len(every)), 2) if group[i] != group[j]]
    exact = {(i, j): iou(every[i], every[j]) for i, j in apart}
    assert found == pytest.approx({pair: o for pair, o in exact.items() if o >= 0.3 - 1e-9})


def test_shapes_that_lie_on_one_another_are_counted() -> None:
    beside = [Shape(0, (2 * n, 0, 2, 5)) for n in range(MANY + 5)]
    assert not heaped(beside, 0), "an edge in common is nothing in common"
    chain = [Shape(0, (2 * n, 0, 3, 5)) for n in range(MANY + 5)]
    assert heaped(chain, MANY + 3)
    assert not heaped(chain, MANY + 4)
    assert heaped(chain[:3], 1)
    assert not heaped(chain[:3], 2)


def test_thousands_that_hang_together_are_paired_by_the_surest() -> None:
    chain: dict[tuple[int, int], float] = {}
    for n in range(SOLVED_MAX + 2):
        chain[n, n], chain[n, n + 1] = 0.7, 0.6
    assert assigned(chain) == [(n, n) for n in range(SOLVED_MAX + 2)]


@settings(max_examples=60)
@given(
    st.dictionaries(
        st.tuples(st.integers(0, 4), st.integers(0, 4)), st.floats(0.05, 1.0), max_size=12
    )
)
def test_an_assignment_is_the_best_there_is(worth: dict[tuple[int, int], float]) -> None:
    found = assigned(worth)
    assert len({r for r, _ in found}) == len({c for _, c in found}) == len(found)
    assert set(found) <= worth.keys()
    best = max(
        sum(worth.get((r, c), 0.0) for r, c in enumerate(way)) for way in permutations(range(5))
    )
    assert sum(worth[p] for p in found) == pytest.approx(best)


@given(some, some)
def test_pairs_overlap_and_nothing_is_paired_twice(a: list[Shape], b: list[Shape]) -> None:
    pairs = pair(a, b, 0.5)
    assert len({p.a for p in pairs}) == len({p.b for p in pairs}) == len(pairs)
    for p in pairs:
        assert p.iou == pytest.approx(iou(a[p.a], b[p.b]))
        assert p.iou >= 0.5 - 1e-9
        assert p.same_class == (a[p.a].cls == b[p.b].cls)
    back = pair(b, a, 0.5)

    def total(found: list[object]) -> float:
        return sum(p.iou * (1 if p.same_class else OTHER_CLASS) for p in found)  # type: ignore[attr-defined]

    assert total(pairs) == pytest.approx(total(back))  # type: ignore[arg-type]


@given(some, some)
def test_a_score_accounts_for_every_shape(answer: list[Shape], truth: list[Shape]) -> None:
    found = score(answer, truth, 0.5)
    assert found.right + found.false == len(answer)
    assert found.right + found.missed == len(truth)
    assert 0 <= found.f1 <= 1
    assert score(truth, answer, 0.5).f1 == pytest.approx(found.f1)
    assert (found + found).f1 == pytest.approx(found.f1)
    assert score(truth, truth, 0.5).f1 == 1.0


def test_who_sees_nothing_where_nothing_is_is_right() -> None:
    assert Score().f1 == 1.0
    assert alike("[]", "[]")
    assert not alike("[[0,0,0,9,9]]", "[]")
