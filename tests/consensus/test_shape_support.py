"""How many people drew what a label has."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from chorus.server.consensus.shape_support import Support, support
from chorus.server.consensus.shapes import merge_shapes
from chorus.server.geometry import Shape, iou


def box(x: float, y: float = 0, cls: int = 0, side: float = 10) -> Shape:
    return Shape(cls, (x, y, side, side))


def test_who_drew_it_and_how_well() -> None:
    label = [box(0), box(100)]
    votes = [[box(0), box(100)], [box(1, cls=1)], [box(50)], []]
    first, second = support(label, votes, 0.5)
    assert (first.seen, first.of) == (2, 4)  # whatever class they gave it
    assert first.iou == round((1 + iou(box(0), box(1))) / 2, 4)
    assert second == Support(1, 4, 1.0)
    assert support(label, [], 0.5) == [Support(0, 0, None)] * 2
    assert support([], votes, 0.5) == []


def test_one_shape_stands_for_one_of_the_label() -> None:
    label = [box(0), box(2)]
    assert [s.seen for s in support(label, [[box(0.5)]], 0.5)] == [1, 0]
    assert [s.seen for s in support(label, [[box(2), box(1)]], 0.5)] == [1, 1]


def test_polygons_by_their_area() -> None:
    triangle = Shape(0, (0, 0, 10, 10), ((0, 0), (10, 0), (0, 10)))
    other = Shape(0, (0, 0, 10, 10), ((10, 0), (10, 10), (0, 10)))
    assert [s.seen for s in support([triangle], [[triangle], [other]], 0.5)] == [1]


apart = st.lists(st.integers(0, 30), max_size=6, unique=True)


@given(st.lists(st.tuples(apart, st.floats(0, 2)), min_size=1, max_size=4))
@settings(max_examples=40)
def test_of_a_merged_label_it_is_what_the_merge_counted(
    votes: list[tuple[list[int], float]],
) -> None:
    drawn = [[box(20 * place + shift) for place in places] for places, shift in votes]
    merged = merge_shapes(drawn, 0.5)
    found = support([m.shape for m in merged.shapes], drawn, 0.5)
    assert [(s.seen, s.of) for s in found] == [(m.seen, m.of) for m in merged.shapes]
