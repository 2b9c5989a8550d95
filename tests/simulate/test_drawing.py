"""Simulated people who draw boxes: as good as asked, at the cheapest cost; how they are judged."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chorus.simulate.boxes import (
    Box,
    GoldBoxes,
    GoldPicture,
    Score,
    is_right,
    map50,
    of_wire,
    overlaps,
    pairs,
    read_gold_boxes,
    to_wire,
)
from chorus.simulate.drawing import Drawers, Habits
from chorus.simulate.options import BadOptions, Options

CLASSES = ["a", "b", "c"]
N, THINGS = 200, 12


def gold(count: int = N) -> GoldBoxes:
    """Pictures with things on a grid, so that no two overlap."""
    random = Random(1)
    pictures = {}
    for n in range(count):
        boxes = tuple(
            Box(random.choice(CLASSES), (20.0 + 100 * (k % 4), 20.0 + 100 * (k // 4), 60.0, 50.0))
            for k in range(THINGS)
        )
        pictures[f"{n}.jpg"] = GoldPicture(420.0, 320.0, boxes)
    return GoldBoxes(pictures, CLASSES)


GOLD = gold()
ALL = [f"{n}.jpg" for n in range(N)]


def there(name: str) -> tuple[Box, ...]:
    picture = GOLD.get(name)
    assert picture is not None
    return picture.boxes


def drawn(habits: Habits, person: int = 0, seed: int = 1) -> list[list[Box]]:
    people = Drawers(GOLD, habits, seed)
    return [work.boxes for name in ALL if (work := people.work(person, name, None)) is not None]


def test_people_without_faults_draw_what_is_there() -> None:
    people = Drawers(GOLD, Habits(), 1)
    for name in ALL[:20]:
        work = people.work(0, name, None)
        assert work is not None
        assert sorted(work.boxes, key=str) == sorted(there(name), key=str)
    assert people.work(0, "unknown.jpg", None) is None
    assert people.work(0, "folder/0.jpg", None) is not None


def test_faults_are_as_frequent_as_asked() -> None:
    total = N * THINGS
    missed = sum(len(boxes) for boxes in drawn(Habits(miss=0.1)))
    assert 0.88 < missed / total < 0.92
    false = sum(len(boxes) for boxes in drawn(Habits(false_boxes=0.05)))
    assert 1.04 < false / total < 1.06
    confused = drawn(Habits(confuse=0.2))
    wrong = sum(
        one.name != thing.name
        for name, boxes in zip(ALL, confused, strict=True)
        for i, j, _ in pairs(boxes, there(name), classes=False)
        for one, thing in [(boxes[i], there(name)[j])]
    )
    assert 0.18 < wrong / total < 0.22
    jittered = drawn(Habits(jitter=0.08))
    edges = [
        (one.box[0] - thing.box[0]) / thing.box[2]
        for name, boxes in zip(ALL, jittered, strict=True)
        for i, j, _ in pairs(boxes, there(name), classes=False)
        for one, thing in [(boxes[i], there(name)[j])]
    ]
    assert len(edges) > 0.98 * total
    spread = (sum(e * e for e in edges) / len(edges)) ** 0.5
    assert 0.07 < spread < 0.09


def test_what_is_drawn_depends_on_seed_person_and_picture_only() -> None:
    habits = Habits(jitter=0.05, miss=0.1, false_boxes=0.1, confuse=0.1)
    one, two = Drawers(GOLD, habits, 7), Drawers(GOLD, habits, 7)
    first = {name: one.work(3, name, None) for name in ALL[:30]}
    second = {name: two.work(3, name, None) for name in reversed(ALL[:30])}
    assert {n: w.boxes for n, w in first.items() if w} == {
        n: w.boxes for n, w in second.items() if w
    }
    assert first["0.jpg"] != two.work(4, "0.jpg", None)


def test_what_is_drawn_can_be_sent() -> None:
    """Inside the picture, and large enough."""
    habits = Habits(jitter=0.5, miss=0.1, false_boxes=0.5, confuse=0.1)
    for boxes in drawn(habits):
        for one in boxes:
            x, y, width, height = one.box
            assert min(width, height) >= 2
            assert min(x, y) >= 0
            assert (x + width, y + height) <= (420.01, 320.01)


def test_by_hand_a_box_is_two_actions_and_a_class_one() -> None:
    picture = GoldPicture(200, 200, (Box("a", (0, 0, 50, 50)), Box("b", (100, 0, 50, 50))))
    people = Drawers(GoldBoxes({"x": picture, "y": picture}, CLASSES), Habits(), 1)
    first = people.work(0, "x", None)
    assert first is not None
    # The first class of the project is chosen at the start; then one key, and submit.
    assert (first.actions, first.drawn) == (2 * 2 + 1 + 1, 2)
    again = people.work(0, "y", None)
    assert again is not None
    # The class chosen last stays: again one change.
    assert again.actions == 2 * 2 + 1 + 1


THING = Box("a", (20.0, 20.0, 100.0, 100.0))
FAR = Box("a", (300.0, 150.0, 100.0, 100.0))
ONE = GoldBoxes({"x": GoldPicture(420, 320, (THING, FAR))}, CLASSES)


@pytest.mark.parametrize(
    ("shown", "actions", "what"),
    [
        # Two right ones: only submit.
        ([THING, FAR], 1, {"kept": 2}),
        # Nothing predicted: two boxes by hand.
        ([], 5, {"drawn": 2}),
        # One is missing.
        ([THING], 3, {"kept": 1, "drawn": 1}),
        # One overlaps by 0.6: moved.
        ([Box("a", (45.0, 20.0, 100.0, 100.0)), FAR], 2, {"kept": 1, "adjusted": 1}),
        # One has another class.
        ([Box("b", THING.box), FAR], 2, {"kept": 1, "reclassed": 1}),
        # Both at once.
        ([Box("b", (45.0, 20.0, 100.0, 100.0)), FAR], 3, {"adjusted": 1, "reclassed": 1}),
        # One around nothing.
        ([THING, FAR, Box("a", (200.0, 20.0, 40.0, 40.0))], 2, {"kept": 2, "deleted": 1}),
        # One that overlaps too little is deleted and drawn anew.
        ([Box("a", (80.0, 20.0, 100.0, 100.0)), FAR], 4, {"deleted": 1, "drawn": 1}),
        # A second one on the same thing.
        ([THING, Box("a", (21.0, 20.0, 100.0, 100.0)), FAR], 2, {"kept": 2, "deleted": 1}),
        # Nothing of it is any good: delete all is one key.
        ([Box("a", (200.0, 20.0, 30.0, 30.0)), Box("a", (200.0, 80.0, 30.0, 30.0))], 6,
         {"deleted": 2, "drawn": 2}),
    ],
)  # fmt: skip
def test_predicted_boxes_are_put_right_at_the_least_cost(
    shown: list[Box], actions: int, what: dict[str, int]
) -> None:
    work = Drawers(ONE, Habits(), 1).work(0, "x", shown)
    assert work is not None
    assert work.actions == actions
    for name, number in what.items():
        assert getattr(work, name) == number, name
    assert Score().add(work.boxes, (THING, FAR)).f1 == 1


def test_a_predicted_box_points_at_what_would_be_missed() -> None:
    work = Drawers(ONE, Habits(miss=1.0), 1).work(0, "x", [THING])
    assert work is not None
    assert [one.box for one in work.boxes] == [THING.box]


def test_wrong_boxes_are_waved_through_as_often_as_asked() -> None:
    shown = [Box("b", THING.box), FAR, Box("a", (200.0, 20.0, 40.0, 40.0))]
    work = Drawers(ONE, Habits(follow=1.0), 1).work(0, "x", shown)
    assert work is not None
    assert (work.actions, work.followed, work.kept) == (1, 2, 1)
    assert [(one.name, one.box) for one in work.boxes] == [(s.name, s.box) for s in shown]


# -- judging


boxes = st.builds(
    Box,
    st.sampled_from(CLASSES),
    st.tuples(
        st.floats(0, 300), st.floats(0, 200), st.floats(2, 100), st.floats(2, 100)
    ),
    st.floats(0.01, 1),
)  # fmt: skip


@given(st.lists(boxes, max_size=8), st.lists(boxes, max_size=8))
@settings(max_examples=50)
def test_pairs_are_one_to_one_and_overlap(found: list[Box], real: list[Box]) -> None:
    some = pairs(found, real)
    assert len({i for i, _, _ in some}) == len({j for _, j, _ in some}) == len(some)
    for i, j, overlap in some:
        assert overlap >= 0.5
        assert found[i].name == real[j].name
        assert overlaps([found[i]], [real[j]])[0, 0] == overlap
    assert is_right(real, real)
    assert of_wire(to_wire(found)) == [Box(b.name, b.box) for b in found]


def test_map50_of_what_is_there_is_one_and_of_nothing_zero() -> None:
    real = there("0.jpg")
    assert map50([(list(real), real)], CLASSES) == pytest.approx(1.0)
    assert map50([([], real)], CLASSES) == 0.0
    assert map50([([], ())], CLASSES) is None
    half = [b for b in real if b.name == "a"]
    assert map50([(half, real)], CLASSES) == pytest.approx(1 / len({b.name for b in real}))
    # One wrong box that is surer than the right ones costs precision.
    false = Box("a", (0.0, 300.0, 10.0, 10.0), 1.0)
    sure = [Box(b.name, b.box, 0.5) for b in real]
    worse = map50([([false, *sure], real)], CLASSES)
    assert worse is not None
    assert 0.5 < worse < 1
    assert map50([([Box("a", false.box, 0.1), *sure], real)], CLASSES) == pytest.approx(1.0)


def test_more_boxes_than_coco_looks_at(tmp_path: Path) -> None:
    real = tuple(Box("a", (5.0 * (n % 30), 5.0 * (n // 30), 4.0, 4.0)) for n in range(300))
    assert map50([(list(real), real)], ["a"]) == pytest.approx(1.0)


def test_scores_of_labels_are_how_many_drew_them() -> None:
    one = {"class": "a", "box": [1, 2, 3, 4]}
    value = {"boxes": [one | {"seen": 2, "of": 3}, one | {"score": 0.25}, one]}
    assert [b.score for b in of_wire(value)] == [2 / 3, 0.25, 1.0]


# -- the gold file


def test_gold_is_read_from_coco(tmp_path: Path) -> None:
    document = {
        "images": [{"id": 3, "file_name": "a.jpg", "width": 640, "height": 480}],
        "categories": [{"id": 2, "name": "b"}, {"id": 1, "name": "a"}],
        "annotations": [{"image_id": 3, "category_id": 2, "bbox": [1, 2, 3, 4]}],
    }
    path = tmp_path / "gold.coco.json"
    path.write_text(json.dumps(document))
    found = read_gold_boxes(path)
    assert found.classes == ["a", "b"]
    assert found.get("x/a.jpg") == GoldPicture(640, 480, (Box("b", (1, 2, 3, 4)),))
    for wrong in ("[]", "{", json.dumps(document | {"images": []}), json.dumps({"images": [{}]})):
        path.write_text(wrong)
        with pytest.raises(BadOptions, match=r"gold\.coco\.json"):
            read_gold_boxes(path)


def test_options_of_boxes_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "gold.coco.json"
    path.write_text("{}")
    options = Options(images=tmp_path, gold=path)
    options.check()
    assert (options.boxes, options.task_type, options.wanted_target) == (True, "boxes", 0.6)
    assert options.settings()["page_size"] == 1
    for change in ({"miss": 2.0}, {"jitter": -1.0}, {"keep_iou": 1.5}, {"votes": path}):
        with pytest.raises(BadOptions):
            Options(images=tmp_path, gold=path, **change).check()  # type: ignore[arg-type]
