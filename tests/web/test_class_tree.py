"""Lists of classes as text, and as groups."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.conftest import Run

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("cat\ndog\n\ncat", ["cat", "dog"]),
        ("cat, dog; cow", ["cat", "dog", "cow"]),
        ("A\n  Cat\n  Dog\n    Puppy\nOther", ["A", "A/Cat", "A/Dog", "A/Dog/Puppy", "Other"]),
        ("Animals\n\tCat\n\tDog", ["Animals", "Animals/Cat", "Animals/Dog"]),
        ("a / b\n- c", ["a/b", "c"]),
    ],
)  # fmt: skip
def test_a_pasted_list(run: Run, text: str, names: list[str]) -> None:
    found = run("(text, {class_tree}) => class_tree.parseClasses(text)", text)
    assert [c["name"] for c in found] == names


def test_a_colour_may_follow(run: Run) -> None:
    found = run("(text, {class_tree}) => class_tree.parseClasses(text)", "cat #b5820c\ndog")
    assert found == [{"name": "cat", "color": "#b5820c"}, {"name": "dog", "color": None}]


def test_groups_come_before_what_is_in_them(run: Run) -> None:
    classes = [{"name": n} for n in ("A/B/c", "d", "A/e", "A/B")]
    found: list[dict[str, Any]] = run("(c, {class_tree}) => class_tree.treeOf(c)", classes)
    assert [(line["path"], line["depth"], line["index"]) for line in found] == [
        ("A", 0, None), ("A/B", 1, 3), ("A/B/c", 2, 0), ("A/e", 1, 2), ("d", 0, 1),
    ]  # fmt: skip
    missing = run("(n, {class_tree}) => class_tree.missingGroups(n)", [c["name"] for c in classes])
    assert missing == ["A"]
