"""What travels, what is stored, what a table says: the same label."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chorus.server.domain.model import LabelClass
from chorus.server.domain.shapes import POINTS_IN_ALL_MAX, POINTS_MAX, SHAPES_MAX, load
from chorus.server.domain.tasks import TASK_TYPES, is_multilabel, is_shapes
from chorus.server.domain.values import Schema, canonical, indices, parts
from chorus.server.errors import ApiError

CLASSES = [LabelClass(name, "#111111") for name in ("cat", "dog", "an owl", "a,b")]
ONE, SETS = Schema("multiclass", CLASSES), Schema("text-multilabel", CLASSES)
BOXES, POLYGONS = Schema("boxes", CLASSES), Schema("polygons", CLASSES)
SIZE = 200, 100


@given(st.sets(st.integers(0, 3)), st.randoms(use_true_random=False))
def test_a_set_comes_back_from_the_wire_and_from_a_table(chosen: set[int], random: Any) -> None:
    names = [CLASSES[c].name for c in chosen]
    random.shuffle(names)
    value = SETS.parse({"classes": names})
    assert set(indices(value)) == chosen
    assert value == canonical(chosen), "in whatever order it was ticked"
    ordered = [c.name for c in CLASSES if c.name in names]
    assert SETS.to_wire(value) == {"classes": ordered}
    assert SETS.names(value) == ordered
    assert SETS.read("|".join(names) or "|") == value
    assert SETS.read(" | ".join(["", *names])) == value


def test_one_class_is_as_it_was() -> None:
    assert ONE.parse({"class": "an owl"}) == ONE.read("an owl") == "2"
    assert ONE.to_wire("2") == {"class": "an owl"}
    assert ONE.names(None) is ONE.to_wire(None) is None
    assert indices("2") == (2,)


def test_a_set_counts_in_each_of_its_classes() -> None:
    assert parts("0,3") == ("0", "3")
    assert parts("-") == ("-",), "the set of none is counted, too"
    assert SETS.counted({"0": 2, "-": 1}) == {"cat": 2, "": 1}


def test_task_types_say_what_a_label_is() -> None:
    for task_type in TASK_TYPES:
        value: dict[str, Any] = {"classes": []} if is_multilabel(task_type) else {"class": "cat"}
        if is_shapes(task_type):
            value = {task_type: []}
        schema = Schema(task_type, CLASSES)
        assert schema.to_wire(schema.parse(value)) == value


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (ONE, {"classes": ["cat"]}), (ONE, {"class": ["cat"]}), (ONE, {"class": "cow"}),
        (ONE, None), (ONE, "cat"), (ONE, {"class": None}),
        (SETS, {"class": "cat"}), (SETS, {"classes": "cat"}), (SETS, {"classes": ["cow"]}),
        (SETS, {"classes": ["cat", "cat"]}), (SETS, {"classes": ["cat", 1]}), (SETS, None),
        (SETS, {"classes": None}), (SETS, []), (SETS, {}),
    ],
)  # fmt: skip
def test_anything_else_is_refused(schema: Schema, value: object) -> None:
    with pytest.raises(ApiError) as caught:
        schema.parse(value)
    assert caught.value.code == "bad_value"


def test_a_cell_with_an_unknown_class_is_refused() -> None:
    for cell in ("cow", "cat|cow", "cat|cat"):
        with pytest.raises(ApiError) as caught:
            SETS.read(cell)
        assert caught.value.code == "bad_value"


# -- shapes

pixels = st.floats(2, 90).map(lambda c: round(c, 3))
boxes = st.fixed_dictionaries(
    {
        "class": st.sampled_from([c.name for c in CLASSES]),
        "box": st.tuples(st.floats(0, 100), st.floats(0, 10), pixels, pixels).map(list),
    }
)


@given(st.lists(boxes, max_size=5), st.randoms(use_true_random=False))
def test_boxes_come_back_from_the_wire_and_from_a_table(
    drawn: list[dict[str, Any]], random: Any
) -> None:
    value = BOXES.parse({"boxes": drawn}, SIZE)
    wire = BOXES.to_wire(value)
    assert wire is not None
    told = wire["boxes"]
    assert BOXES.names(value) == told
    assert BOXES.parse(wire, SIZE) == value, "what was sent back unchanged is the same answer"
    mixed = random.sample(drawn, len(drawn))
    assert BOXES.parse({"boxes": mixed}, SIZE) == value, "in whatever order it was drawn"
    assert BOXES.read(json.dumps(told), SIZE) == value
    assert len(parts(value)) == max(1, len(told))
    assert {CLASSES[c].name for c in indices(value)} == {box["class"] for box in drawn}
    for x, y, w, h in (box["box"] for box in told):
        assert 0 <= x <= x + w <= SIZE[0] + 1e-9
        assert 0 <= y <= y + h <= SIZE[1] + 1e-9


def test_a_polygon_is_the_same_from_whichever_corner_it_is_drawn() -> None:
    corners = [[10, 10], [50.004, 10], [50, 40], [20, 60]]
    ways = [corners[n:] + corners[:n] for n in range(4)] + [corners[::-1], [*corners, corners[0]]]
    values = {POLYGONS.parse({"polygons": [{"class": "dog", "points": way}]}, SIZE) for way in ways}
    assert values == {"[[1,[10,10,50,10,50,40,20,60]]]"}
    assert parts("[]") == ("-",), "an empty picture is counted, too"
    assert parts("[[1,0,0,5,5],[1,9,9,5,5]]") == ("1", "1"), "each box counts"


def test_a_model_s_shapes_keep_their_scores_and_people_s_have_none() -> None:
    wire = {"boxes": [{"class": "cat", "box": [1, 2, 30, 40], "score": 0.87654}]}
    assert BOXES.parse(wire, SIZE, scored=True) == "[[0,1,2,30,40,0.8765]]"
    assert BOXES.parse(wire, SIZE) == "[[0,1,2,30,40]]"
    assert BOXES.names("[[0,1,2,30,40,0.8765]]") == [
        {"class": "cat", "box": [1, 2, 30, 40], "score": 0.8765}
    ]


def test_what_sticks_out_a_little_is_cut_off() -> None:
    value = BOXES.parse({"boxes": [{"class": "cat", "box": [-0.9, 50, 201.5, 50.4]}]}, SIZE)
    assert value == "[[0,0,50,200,50]]"
    twice = [{"class": "cat", "box": [1, 2, 30, 40]}] * 2
    assert BOXES.parse({"boxes": twice}, SIZE) == "[[0,1,2,30,40]]", "a slip of the hand"


def one(**shape: Any) -> dict[str, Any]:
    good = {"class": "cat", "box": [0, 0, 9, 9]}
    return {"boxes": [good, {"class": "cat", **shape}]}


def outline(*points: Any) -> dict[str, Any]:
    return {"polygons": [{"class": "cat", "points": list(points)}]}


def heap(count: int) -> dict[str, Any]:
    """So many boxes, each a little larger than the one before."""
    boxes = [{"class": "cat", "box": [0, 0, 20 + n / 10, 20]} for n in range(count)]
    return {"boxes": boxes}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (one(box=[0, 0, 1, 9]), "box 2: it is smaller than 2 pixels"),
        (one(box=[199, 0, 2, 9]), "box 2: it is smaller"),
        (one(box=[0, 0, -5, 9]), "box 2: it is smaller"),
        (one(box=[190, 0, 20, 9]), "box 2: it is outside of the picture (200 × 100)"),
        (one(box=[-2, 0, 20, 9]), "box 2: it is outside"),
        (one(box=[0, 0, float("nan"), 9]), "box 2: box must be"),
        (one(box=[0, 0, float("inf"), 9]), "box 2: box must be"),
        (one(box=[0, 0, 10**400, 9]), "box 2: box must be"),
        (one(box=[0, 0, True, 9]), "box 2: box must be"),
        (one(box=[0, 0, 9]), "box 2: box must be"),
        (one(box=None), "box 2: box must be"),
        (one(points=[[0, 0]]), "box 2: box must be"),
        ({"boxes": [{"class": "cow", "box": [0, 0, 9, 9]}]}, "box 1: unknown class 'cow'"),
        ({"boxes": [{"box": [0, 0, 9, 9]}]}, "box 1: it needs a class"),
        ({"boxes": [7]}, "box 1: it needs a class"),
        ({"boxes": {}}, '{"boxes": [{"class"'),
        ({"class": "cat"}, '{"boxes": [{"class"'),
        (None, '{"boxes": [{"class"'),
        ({"boxes": [one()["boxes"][0]] * (SHAPES_MAX + 1)}, "at most 2,000 shapes"),
        (heap(201), "too many shapes lie on one another"),
        (outline([0, 0], [20, 0]), "polygon 1: points must be 3"),
        (outline(*[[0, 0]] * (POINTS_MAX + 1)), "polygon 1: points must be 3 to 2,000"),
        (
            {"polygons": outline(*[[0, 0]] * (POINTS_MAX - 1))["polygons"] * 11},
            "at most 20,000 points together, and these 21,989",
        ),
        (outline([0, 0], [20, 0], [10, "9"]), "polygon 1: a point must be"),
        (outline([0, 0], [20, 0], [0, 0], [20, 0]), "polygon 1: its outline"),
        (outline([0, 0], [20, 20], [20, 0], [0, 20]), "polygon 1: its outline crosses"),
        (outline([0, 0], [50, 0], [25, 1]), "polygon 1: it is smaller"),
        (outline([0, 0], [50, 0], [25, 110]), "polygon 1: it is outside"),
    ],
)
def test_a_shape_that_cannot_be_is_refused_by_its_number(value: Any, told: str) -> None:
    schema = POLYGONS if isinstance(value, dict) and "polygons" in value else BOXES
    with pytest.raises(ApiError) as error:
        schema.parse(value, SIZE)
    assert error.value.code == "bad_value"
    assert told in error.value.message


def test_as_many_shapes_in_one_place_as_anybody_means_are_a_label() -> None:
    assert len(load(BOXES.parse(heap(200), SIZE))) == 200


def ribbon(down: float) -> dict[str, Any]:
    """A polygon of 200 points."""
    upper = [[2 * i, down + i % 2] for i in range(100)]
    lower = [[2 * i, down + 5] for i in reversed(range(100))]
    return outline(*upper, *lower)["polygons"][0]


def test_as_many_points_as_there_may_be_are_a_label() -> None:
    most = [ribbon(n / 10) for n in range(POINTS_IN_ALL_MAX // 200)]
    found = POLYGONS.names(POLYGONS.parse({"polygons": most}, SIZE))
    assert found is not None
    assert len(found) == len(most)
    with pytest.raises(ApiError, match="together"):
        POLYGONS.parse({"polygons": [*most, ribbon(50)]}, SIZE)


def test_shapes_are_not_said_without_a_picture() -> None:
    assert BOXES.parse({"boxes": []}) == "[]"
    with pytest.raises(ApiError, match="one picture"):
        BOXES.parse({"boxes": [{"class": "cat", "box": [0, 0, 9, 9]}]})
    with pytest.raises(ApiError, match="as JSON"):
        BOXES.read("cat", SIZE)
