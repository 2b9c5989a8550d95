"""Shapes of several people, to one set: rules that hold whatever they draw."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chorus.server.consensus.shapes import ShapeConsensus, decide_shapes, merge_shapes
from chorus.server.geometry import Shape, around, dump, iou, load, plain, ring

IOU = 0.5


def box(cls: int, x: float, y: float, w: float, h: float) -> Shape:
    return Shape(cls, (x, y, w, h))


def triangle(cls: int, x: int, y: int, w: int, h: int) -> Shape:
    points = ring([(x, y), (x + w, y), (x + w / 2, y + h)])
    return Shape(cls, around(points), points)


side = st.integers(2, 12)
place = st.integers(0, 16)
boxes = st.builds(box, st.integers(0, 2), place, place, side, side)
polygons = st.builds(triangle, st.integers(0, 2), place, place, side, side)


def several(shape: st.SearchStrategy[Shape]) -> st.SearchStrategy[list[list[Shape]]]:
    """Up to four people's answers on a picture so small that much lies on much else."""
    return st.lists(st.lists(shape, max_size=5), max_size=4)


def said(found: ShapeConsensus) -> list[Any]:
    """All but who said it."""
    every = [*found.shapes, *found.disputed]
    unsaid = [msgspec.structs.replace(m, by=(), classes=()) for m in every]
    return [unsaid, found.agreement, found.confidence]


@given(several(boxes) | several(polygons), st.randoms(use_true_random=False))
def test_neither_the_order_of_people_nor_of_shapes_matters(
    votes: list[list[Shape]], random: Any
) -> None:
    found = merge_shapes(votes, IOU)
    mixed = [random.sample(vote, len(vote)) for vote in votes]
    random.shuffle(mixed)
    assert said(merge_shapes(mixed, IOU)) == said(found)


@given(several(boxes) | several(polygons))
def test_every_shape_is_in_one_cluster_and_no_person_twice(votes: list[list[Shape]]) -> None:
    found = merge_shapes(votes, IOU)
    every = [*found.shapes, *found.disputed]
    assert sum(m.seen for m in every) == sum(map(len, votes))
    for voter, vote in enumerate(votes):
        assert sum(voter in m.by for m in every) == len(vote)
    for m in every:
        assert len(set(m.by)) == len(m.by) == m.seen <= m.of == len(votes)
        assert (2 * m.seen > m.of) == (m in found.shapes)
        assert m.iou >= IOU - 0.01, "each overlaps what they add up to"
    assert 0 <= found.agreement <= 1
    assert 0 <= found.confidence < 1


@given(st.lists(boxes, max_size=6) | st.lists(polygons, max_size=4), st.integers(1, 4))
def test_people_who_say_the_same_are_right(vote: list[Shape], people: int) -> None:
    vote = list(dict.fromkeys(vote))
    merged = decide_shapes(
        [dump(vote)] * people, iou=IOU, share=1.0, votes_min=people, votes_max=people
    )
    assert merged.value == dump(vote)
    assert (merged.reached, merged.agreement) == (True, 1.0)


@given(st.lists(boxes, min_size=1, max_size=4), st.integers(2, 4))
def test_a_shape_that_one_of_several_drew_is_disputed(vote: list[Shape], people: int) -> None:
    found = merge_shapes([vote, *[[]] * (people - 1)], IOU)
    assert not found.shapes
    assert len(found.disputed) == len(vote)
    assert found.agreement == 0.0


def test_nothing_on_the_picture_is_an_answer() -> None:
    rules = {"iou": IOU, "share": 0.8, "votes_min": 2, "votes_max": 3}
    nothing = decide_shapes(["[]", "[]"], **rules)  # type: ignore[arg-type]
    assert (nothing.value, nothing.reached, nothing.agreement) == ("[]", True, 1.0)
    assert nothing.confidence == 0.75, "three of four, by Laplace's rule"
    assert not decide_shapes(["[]"], **rules).reached  # type: ignore[arg-type]
    none = decide_shapes([], **rules)  # type: ignore[arg-type]
    assert (none.value, none.reached, none.confidence) == (None, False, 0.0)
    with pytest.raises(ValueError, match="votes_min"):
        decide_shapes([], iou=IOU, share=0.8, votes_min=3, votes_max=2)


def test_the_merged_box_is_the_median_of_the_edges() -> None:
    votes = [[box(0, 10, 10, 20, 20)], [box(0, 11, 10, 20, 22)], [box(0, 14, 9, 20, 20)]]
    (merged,) = merge_shapes(votes, IOU).shapes
    assert merged.shape == box(0, 11, 10, 20, 20)
    assert (merged.seen, merged.of, merged.by) == (3, 3, (0, 1, 2))
    assert merged.iou == pytest.approx(
        sum(iou(merged.shape, vote[0]) for vote in votes) / 3, abs=1e-4
    )


def test_the_merged_polygon_is_the_one_most_like_the_others() -> None:
    a, b, c = (triangle(1, x, 0, 40, 40) for x in (0, 2, 9))
    (merged,) = merge_shapes([[c], [a], [b]], IOU).shapes
    assert merged.shape == b


def test_the_class_is_what_most_of_those_who_drew_it_say() -> None:
    here = (10, 10, 20, 20)
    (merged,) = merge_shapes([[box(2, *here)], [box(1, *here)], [box(2, *here)]], IOU).shapes
    assert (merged.shape.cls, merged.seen) == (2, 3)
    assert merged.class_share == pytest.approx(2 / 3)
    assert merged.agreed
    found = merge_shapes([[box(2, *here)], [box(1, *here)]], IOU)
    assert (found.shapes[0].shape.cls, found.shapes[0].agreed) == (1, False)
    assert found.agreement == 0.0, "where it is they agree, what it is they do not"


def test_what_lies_on_one_another_is_paired_with_its_like() -> None:
    """A small cell on a large one of about its size: of either class there is one."""
    big, small = box(0, 0, 0, 20, 20), box(1, 1, 1, 18, 18)
    found = merge_shapes([[big, small], [box(0, 1, 1, 18, 18), box(1, 0, 0, 20, 20)]], IOU)
    assert [(m.shape.cls, m.seen, m.class_share) for m in found.shapes] == [(0, 2, 1), (1, 2, 1)]


def test_a_crowd_is_assigned_as_a_whole_not_each_to_its_nearest() -> None:
    """Greedily A's second box would take B's first, and leave two boxes without a partner."""
    a = [box(0, 0, 0, 10, 10), box(0, 4, 0, 10, 10)]
    b = [box(0, 3, 0, 10, 10), box(0, 7, 0, 10, 10)]
    found = merge_shapes([a, b], IOU)
    assert [m.seen for m in found.shapes] == [2, 2]
    assert not found.disputed


@settings(max_examples=40)
@given(st.lists(boxes, max_size=5))
@example([box(0, 0, 0, 10, 10), box(0, 0, 0, 10, 10)])
def test_a_model_s_scores_take_no_part(shapes: list[Shape]) -> None:
    scored = [msgspec.structs.replace(s, score=0.5) for s in shapes]
    assert plain(dump(scored)) == dump(shapes)
    assert load(dump(scored)) == sorted(scored, key=lambda s: (s.cls, s.box)), (
        "what is stored comes back"
    )
    assert said(merge_shapes([scored, shapes], IOU)) == said(merge_shapes([shapes, shapes], IOU))


def test_who_follows_a_chain_too_far_goes_out_again() -> None:
    """Each overlaps the next, the ends do not overlap the middle of all."""
    votes = [[box(0, x, 0, 30, 10)] for x in (0, 10, 20, 30)]
    found = merge_shapes(votes, IOU)
    assert sum(m.seen for m in [*found.shapes, *found.disputed]) == 4
    for m in [*found.shapes, *found.disputed]:
        assert all(iou(m.shape, votes[v][0]) >= IOU for v in m.by)


def test_what_one_of_many_invents_weighs_less() -> None:
    cell, odd = box(0, 10, 10, 20, 20), box(0, 60, 60, 20, 20)
    shares = [
        merge_shapes([[cell, odd], *[[cell]] * (people - 1)], IOU).agreement
        for people in (2, 3, 5, 10)
    ]
    assert shares == pytest.approx([1 / 2, 3 / 5, 5 / 7, 5 / 6])
