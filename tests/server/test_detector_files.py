"""What a detector learns from and shows: the input that is written, and the answers that land."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chorus.ml.detect_files import read_pictures
from chorus.server.domain.model import Round
from chorus.server.domain.rounds import (
    BOXES_STEP_MOST,
    FIRST_MIN,
    OPEN_LEAST,
    next_detector_at,
    open_most,
    too_few_boxes,
)
from chorus.server.services import detector_files, landing
from chorus.server.services.detector_run import NOTHING, ShownLimits
from chorus.server.services.round_files import Prediction
from chorus.server.services.round_records import audit_round
from chorus.server.storage.tx import Tx
from tests.server.world import World

CELL, OTHER = [0, 10, 10, 20, 20], [1, 60, 60, 20, 20]
SHOWN = "[[0,10,10,20,20,0.9]]"


@pytest.fixture
def world() -> Iterator[World]:
    made = World(votes_min=3, votes_max=3, task_type="boxes")
    made.db.execute("UPDATE project SET shape_agreement = 0.4")
    yield made
    assert made.findings() == []
    made.close()


def written(world: World, folder: Path) -> dict[int, dict[str, Any]]:
    tx = Tx(world.db)
    project = tx.project("p")
    assert project is not None
    path = folder / detector_files.PICTURES
    detector_files.write_pictures(tx, project, lambda h: folder / h, path)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(read_pictures(folder)) == len(rows), "the jobs read what was written"
    return {row["item_id"]: row for row in rows}


def land(world: World, number: int, found: dict[int, str], share: float = 0.0) -> None:
    """A round shows these boxes by item."""
    guess = {i: Prediction(value, 0.9) for i, value in found.items()}
    places = {i: at for at, i in enumerate(found)}
    plan = landing.Plan(number, ShownLimits({}), True, guess, {}, places, share)
    tx = world.tx()
    landing.land_chunk(tx, "p", plan, sorted(found), world.now)
    world.commit(tx)


def test_a_box_weighs_as_many_as_saw_it_and_what_few_saw_is_in_doubt(
    world: World, tmp_path: Path
) -> None:
    world.add(1)
    for user_id, boxes in (("u0", [CELL, OTHER]), ("u1", [CELL]), ("u2", [CELL])):
        page = world.deal(user_id, 1).page
        assert page is not None
        value = json.dumps(boxes, separators=(",", ":"))
        world.cast(user_id, page["items"][0]["item_id"], value)
    (row,) = written(world, tmp_path).values()
    assert row["label"] == [CELL, OTHER]
    assert row["weights"] == [1.0, pytest.approx(1 / 3)]
    assert (row["trusted"], row["open"]) == (True, False)
    (read,) = read_pictures(tmp_path)
    assert read.boxes is not None
    assert read.boxes.agreed.boxes.tolist() == [[10, 10, 30, 30]]
    world.decide(row["item_id"], "change", "[[1,5,5,30,30]]")
    (row,) = written(world, tmp_path).values()
    assert (row["label"], row["weights"]) == ([[1, 5, 5, 30, 30]], [1.0]), "as the reviewer says"


def test_who_saw_boxes_proves_nothing_and_who_was_audited_does(tmp_path: Path) -> None:
    world = World(task_type="boxes")
    world.add(40)
    items = [i.item_id for i in world.items()]
    land(world, 1, dict.fromkeys(items[:30], SHOWN), share=0.3)
    hidden = {i.item_id for i in world.items() if i.audit}
    while (page := world.deal("u0", 1).page) is not None:
        world.cast("u0", page["items"][0]["item_id"], "[[0,10,10,20,20]]")
    rows = written(world, tmp_path)
    assert hidden
    assert len(hidden) < 30
    assert {i for i, row in rows.items() if row["trusted"]} == hidden | set(items[30:])
    assert world.findings() == []
    world.close()


def test_who_saw_other_things_predicted_is_evidence_about_a_class_not_shown_yet(
    tmp_path: Path,
) -> None:
    world = World(task_type="boxes")
    world.add(6)

    def showing(number: int, classes: list[int], items: list[int]) -> None:
        """A round that lands on these pictures, with thresholds for these classes."""
        tx = world.tx()
        body = json.dumps({"number": number, "prelabeled": len(items)})
        tx.put_round(Round("p", number, "done", 20, world.now, world.now, body))
        rows = [{"class": k, "threshold": 0.5 if k in classes else None} for k in range(3)]
        tx.put_card("p", number, json.dumps({"per_class": rows}))
        world.commit(tx)
        land(world, number, dict.fromkeys(items, SHOWN))

    def answer(some: int) -> None:
        for _ in range(some):
            world.now += 1000
            page = world.deal("u0", 1).page
            assert page is not None
            world.cast("u0", page["items"][0]["item_id"], "[[0,10,10,20,20]]")

    answer(1)
    world.now += 1000
    rest = [i.item_id for i in world.items() if i.state == "unlabeled"]
    showing(1, [0], rest)
    answer(2)
    world.now += 1000
    showing(2, [0, 1], [i.item_id for i in world.items() if i.state == "unlabeled"])
    answer(3)
    rows = written(world, tmp_path).values()
    assert sorted((row["trusted"], row["unseen"]) for row in rows) == [
        (False, [1, 2]), (False, [1, 2]), (False, [2]), (False, [2]), (False, [2]),
        (True, [0, 1, 2]),
    ]  # fmt: skip
    (about,) = [p for p in read_pictures(tmp_path) if p.trusted]
    assert (about.proves(0), about.proves(1)) == (True, True)
    assert sum(p.proves(1) for p in read_pictures(tmp_path)) == 3
    world.close()


def test_the_next_round_shows_its_own_boxes_or_takes_them_back() -> None:
    world = World(task_type="boxes")
    world.add(3)
    a, b, c = (i.item_id for i in world.items())
    land(world, 1, {a: SHOWN, b: SHOWN, c: NOTHING.value})
    assert [i.queue for i in world.items()] == ["prelabeled", "prelabeled", "manual"]
    newer = "[[1,60,60,20,20,0.8]]"
    land(world, 2, {a: newer, b: NOTHING.value})
    assert [(i.queue, i.pre_value) for i in world.items()] == [
        ("prelabeled", newer), ("manual", None), ("manual", None),
    ]  # fmt: skip
    assert world.findings() == []
    world.close()


@pytest.mark.parametrize("wrong", [False, True])
def test_hidden_boxes_that_are_often_wrong_end_the_promise(wrong: bool) -> None:
    world = World(task_type="boxes")
    world.db.execute("UPDATE project SET target = 0.8")
    world.add(40)
    both = "[[0,10,10,20,20,0.9],[1,60,60,20,20,0.9]]"
    land(world, 1, {i.item_id: both for i in world.items()}, share=0.5)
    drawn = "[[0,11,10,20,20]]" if wrong else "[[0,11,10,20,20],[1,60,60,20,20]]"
    while (page := world.deal("u0", 1).page) is not None:
        world.cast("u0", page["items"][0]["item_id"], drawn)
    audited = sum(i.audit for i in world.items())
    tx = world.tx()
    _, found, _ = audit_round(tx, "p", world.now)
    world.commit(tx)
    assert found.n == audited, "pictures, not boxes"
    assert found.right == pytest.approx(audited * (0.5 if wrong else 1))
    assert found.breached == wrong
    world.close()


def test_what_a_job_found_is_read_as_canonical_values(tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    assert detector_files.read_found(path) == {}
    path.write_text(
        '{"item_id": 3, "shapes": [[1, 5.0, 6.25, 7, 8, 0.5], [0, 1, 2, 3, 4, 0.9]]}\n'
        '{"item_id": 4, "shapes": []}\n'
    )
    assert detector_files.read_found(path) == {
        3: Prediction("[[0,1,2,3,4,0.9],[1,5,6.25,7,8,0.5]]", 0.7), 4: NOTHING,
    }  # fmt: skip
    assert ShownLimits({})[NOTHING.value] is None
    assert ShownLimits({})["[[0,1,2,3,4,0.9]]"] == 0.0


def test_when_a_detector_is_due_and_how_far_it_looks() -> None:
    assert next_detector_at(None) == FIRST_MIN
    assert [next_detector_at(n) for n in (20, 60, 100_000)] == [30, 84, 100_000 + BOXES_STEP_MOST]
    assert open_most(20) == OPEN_LEAST
    assert open_most(2500) >= next_detector_at(2500) - 2500
    assert too_few_boxes({"0": 7, "-": 500}) is not None
    assert too_few_boxes({"0": 8}) is None
