"""What travels, what is stored, what a table says: the same label."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chorus.server.domain.model import LabelClass
from chorus.server.domain.tasks import TASK_TYPES, is_multilabel
from chorus.server.domain.values import Schema, canonical, indices, parts
from chorus.server.errors import ApiError

CLASSES = [LabelClass(name, "#111111") for name in ("cat", "dog", "an owl", "a,b")]
ONE, SETS = Schema("multiclass", CLASSES), Schema("text-multilabel", CLASSES)


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
        value = {"classes": []} if is_multilabel(task_type) else {"class": "cat"}
        assert Schema(task_type, CLASSES).parse(value) in ("-", "0")


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
