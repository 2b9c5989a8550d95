"""What follows from people's boxes: gold, skill, agreement, what they changed, the blind audit."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chorus.server.domain.shape_changes import ShapeChanges, changes
from chorus.server.domain.values import alike
from chorus.server.geometry import Shape, dump
from chorus.server.services import landing, previewing, quality
from chorus.server.services.practising import judged
from chorus.server.services.round_files import Prediction
from chorus.server.services.shape_columns import Known
from chorus.server.storage.tx import Tx
from chorus.server.storage.tx.base import has_part, part_args
from tests.consensus.test_shapes import boxes
from tests.server.world import World

CLASSES = ["cat", "dog", "cow"]
CELL = "[0,10,10,20,20]"
OTHER = "[1,60,60,20,20]"
BOTH = f"[{CELL},{OTHER}]"
NEARLY = "[[0,11,10,20,20],[1,60,61,20,20]]"
ONE = f"[{CELL}]"


@pytest.fixture
def world() -> Iterator[World]:
    made = World(votes_min=2, votes_max=2, task_type="boxes")
    yield made
    assert made.findings() == []
    made.close()


def ask(world: World) -> dict[str, Any]:
    return quality.quality(Tx(world.db), "p", CLASSES)[0]


def person(whole: dict[str, Any], user_id: str) -> dict[str, Any]:
    (found,) = (p for p in whole["labelers"] if p["user_id"] == user_id)
    return dict(found)


def answer(world: World, user_id: str, value: str) -> int:
    """Draw the same on all that there is for the person; how many."""
    n = 0
    while (dealt := world.deal(user_id, 1)).page is not None:
        world.cast(user_id, dealt.page["items"][0]["item_id"], value)
        n += 1
    return n


def prelabel(world: World, value: str, share: float = 0.0, number: int = 1) -> None:
    """A round has found `value` on all open items."""
    ids = [i.item_id for i in world.items() if i.state == "unlabeled"]
    guess = {i: Prediction(value, 0.99, "") for i in ids}
    places = {i: at for at, i in enumerate(ids)}
    limits = landing.Limits({"0": 0.5, "1": 0.5, "-": 0.5})
    plan = landing.Plan(number, limits, True, guess, {}, places, share)
    tx = world.tx()
    tx.run(
        "INSERT INTO round (project_id, number, state, labels, started_at, finished_at, body)"
        " VALUES ('p', ?, 'done', 0, 0, 0, ?)",
        (number, f'{{"number":{number}}}'),
    )
    tx.emit("p", world.now, "round.finished", {"round": {"number": number}})
    landing.land_chunk(tx, "p", plan, ids, world.now)
    world.commit(tx)


@given(st.lists(boxes, max_size=5), st.lists(boxes, max_size=5))
def test_what_was_changed_accounts_for_every_box(shown: list[Shape], sent: list[Shape]) -> None:
    found = changes(dump(shown), dump(sent))
    stayed = found.kept + found.moved + found.reclassed
    assert stayed + found.dropped == len(shown)
    assert stayed + found.added == len(sent)
    scored = [msgspec.structs.replace(s, score=0.9) for s in shown]
    assert changes(dump(scored), dump(sent)) == found, "scores do not matter"
    assert changes(dump(shown), dump(shown)) == ShapeChanges(kept=len(shown))


def test_what_was_changed_is_told_by_kind() -> None:
    shown = "[[0,0,0,20,20,0.9],[0,40,0,20,20,0.9],[1,80,0,20,20,0.8],[1,0,60,20,20,0.7]]"
    sent = "[[0,0,0,20,20],[0,43,0,20,20],[2,80,1,20,20],[1,60,60,20,20]]"
    assert changes(shown, sent) == ShapeChanges(1, 1, 1, 1, 1)


def test_answers_are_alike_from_a_stated_likeness_on() -> None:
    four = "[[0,0,0,9,9],[0,20,0,9,9],[0,40,0,9,9],[0,60,0,9,9]]"
    five = "[[0,0,0,9,9],[0,20,0,9,9],[0,40,0,9,9],[0,60,0,9,9],[0,80,0,9,9]]"
    three = "[[0,0,0,9,9],[0,20,0,9,9],[0,40,0,9,9]]"
    two = "[[0,0,0,9,9],[0,20,0,9,9]]"
    assert alike(four, five)
    assert alike(three, four)
    assert not alike(three, five), "F1 is 0.75"
    assert not alike(two, four)
    assert not alike(four, four.replace("[0,", "[1,")), "of another class"
    assert alike("[]", "[]")
    assert not alike("[]", "[[0,0,0,9,9]]")
    assert not alike(None, "[]")


def test_nearly_the_gold_boxes_is_right(world: World) -> None:
    world.add(1, BOTH, gold=True)
    world.add(30)
    while (dealt := world.deal("u0", 1)).page is not None:
        item_id = dealt.page["items"][0]["item_id"]
        world.cast("u0", item_id, NEARLY)
    (checks,) = Tx(world.db).rows("SELECT COUNT(*) FROM check_vote")
    assert checks[0] >= 1
    gold = person(ask(world), "u0")["gold"]
    assert (gold["n"], gold["value"]) == (checks[0], 1.0)
    assert judged("label", NEARLY, BOTH) is True
    assert judged("label", ONE, BOTH) is False
    assert judged("skip", None, BOTH) is False


def test_skill_is_what_was_missed_and_what_is_not_there(world: World) -> None:
    world.add(4)
    assert answer(world, "u0", BOTH) == 4
    assert answer(world, "u1", ONE) == 4
    # They agree on half of the shapes: to be decided.
    assert {i.state for i in world.items()} == {"needs_review"}
    for item in world.items():
        world.decide(item.item_id, "change", f"[{CELL},[0,90,10,20,20]]")
    whole = ask(world)
    first, second = person(whole, "u0"), person(whole, "u1")
    # With no time for more than one picture it is told what is known so far.
    known: Known = {}
    for looked in range(1, 5):
        part, _ = quality.quality(Tx(world.db), "p", CLASSES, known, 1e-9)
        assert (part["shapes"]["looked"], part["shapes"]["pictures"]) == (looked, 4)
        assert person(part, "u0")["labels"] == looked
    assert part == whole
    assert first["labels"] == second["labels"] == 4
    assert first["shapes"] == {
        "right": 4, "false": 4, "missed": 4, "precision": 0.5, "recall": 0.5, "iou": 1.0,
        "changes": {"kept": 0, "moved": 0, "reclassed": 0, "added": 0, "dropped": 0},
    }  # fmt: skip
    assert (second["shapes"]["precision"], second["shapes"]["recall"]) == (1.0, 0.5)
    assert second["skill"]["value"] > first["skill"]["value"]
    assert whole["shapes"]["f1"] == pytest.approx(2 / 3, abs=1e-4)
    assert whole["tags"][0]["missed"] == 8
    assert whole["tags"][1]["wrong"] == 4
    # [label][drawn], nothing last: both missed the second cell, one saw a dog that is not there.
    assert whole["shapes"]["confusion"] == [
        [8, 0, 0, 8], [0, 0, 0, 0], [0, 0, 0, 0], [0, 4, 0, 0],
    ]  # fmt: skip
    assert -1 <= whole["agreement"]["alpha"]["value"] < 1


def test_people_who_draw_nearly_the_same_agree(world: World) -> None:
    world.add(3)
    answer(world, "u0", BOTH)
    answer(world, "u1", NEARLY)
    assert {i.state for i in world.items()} == {"labeled"}
    whole = ask(world)
    assert whole["agreement"]["alpha"]["value"] == 1.0
    assert whole["shapes"]["f1"] == 1.0
    assert person(whole, "u1")["agreement"] == 1.0
    assert person(whole, "u1")["shapes"]["iou"] > 0.95
    own, agreed = Tx(world.db).own_agreement("p", "u0", world.now + 1, 100)
    assert (own, agreed) == (3, 3)


def test_changes_of_the_model_s_boxes_are_summed_by_person_and_round(world: World) -> None:
    world.add(4)
    prelabel(world, "[[0,10,10,20,20,0.9],[1,60,60,20,20,0.8]]")
    for user_id, value in (("u0", BOTH), ("u1", NEARLY)):
        page = world.deal(user_id, 1).page
        assert page is not None
        shown = page["items"][0]["prelabel"]
        assert [box["score"] for box in shown["boxes"]] == [0.9, 0.8]
        world.cast(user_id, page["items"][0]["item_id"], value)
    whole = ask(world)
    assert person(whole, "u0")["shapes"] is not None
    assert person(whole, "u0")["shapes"]["changes"]["kept"] == 2
    assert person(whole, "u1")["shapes"]["changes"]["moved"] == 2
    (of_round,) = whole["shapes"]["rounds"]
    assert (of_round["round"], of_round["answers"]) == (1, 2)
    assert (of_round["kept"], of_round["moved"]) == (2, 2)
    people = {p["user_id"]: p for p in whole["labelers"]}
    assert people["u0"]["prelabels_changed"] == 0, "as it was shown, scores or not"
    assert people["u1"]["prelabels_changed"] == 1
    # A correction takes the place of the answer it corrects.
    (mine,) = [
        v for i in world.items() for v in Tx(world.db).standing(i.item_id) if v.user_id == "u1"
    ]
    world.cast("u1", mine.item_id, ONE, supersedes=mine.vote_id)
    (of_round,) = ask(world)["shapes"]["rounds"]
    assert (of_round["answers"], of_round["kept"], of_round["dropped"]) == (2, 3, 1)


def test_the_audit_counts_hidden_boxes_one_by_one() -> None:
    world = World(task_type="boxes")
    world.add(40)
    prelabel(world, "[[0,10,10,20,20,0.9],[1,60,60,20,20,0.8]]", share=0.5)
    hidden = [i.item_id for i in world.items() if i.audit]
    while (page := world.deal("u0", 1).page) is not None:
        (item,) = page["items"]
        assert (item["prelabel"] is None) == (item["item_id"] in hidden)
        world.cast("u0", item["item_id"], "[[0,11,10,20,20]]")
    assert Tx(world.db).audited("p", 0) == (2 * len(hidden), len(hidden))
    assert world.findings() == []
    world.close()


def test_wrong_boxes_that_were_shown_and_let_stand(world: World) -> None:
    world.add(2)
    prelabel(world, "[[0,10,10,20,20,0.9],[1,60,60,20,20,0.8]]")
    answer(world, "u0", BOTH)
    answer(world, "u1", ONE)
    for item in world.items():
        world.decide(item.item_id, "change", ONE)
    whole = ask(world)
    for user_id, stood in (("u0", 2), ("u1", 0)):
        found = person(whole, user_id)
        shown = found["prelabels_seen"]
        assert found["wrong_prelabels"] == shown
        assert found["wrong_let_through"] == min(shown, stood)


def test_new_rules_are_tried_before_they_hold(world: World) -> None:
    world.add(3)
    answer(world, "u0", BOTH)
    answer(world, "u1", ONE)
    tx = Tx(world.db)
    now = tx.project("p")
    assert now is not None
    for rules, settled in (({"shape_agreement": 0.5}, 3), ({"iou": 0.9}, 0)):
        found = previewing.Found()
        previewing.look(tx, now, msgspec.structs.replace(now, **rules), 0, found)
        assert found.public()["settle"] == 0, "they are not open"
        assert found.moves == ({("needs_review", "labeled"): settled} if settled else {})


@pytest.mark.parametrize(
    ("value", "classes"),
    [
        ("[[1,3,10,5,5],[12,1,1,5,5,0.9]]", {1, 12}),
        ("[[3,[10,10,50,10,50,40]],[10,[1,1,9,1,9,9],0.5]]", {3, 10}),
        ("[]", set()),
        ("1,12", {1, 12}),
        ("-", set()),
    ],
)
def test_a_class_is_found_by_its_place_and_not_by_a_number(value: str, classes: set[int]) -> None:
    """Coordinates are numbers, too."""
    with closing(sqlite3.connect(":memory:")) as db:
        for part in range(60):
            (found,) = db.execute(
                f"SELECT {has_part('v')} FROM (SELECT ? AS v)", (*part_args(str(part)), value)
            ).fetchone()
            assert bool(found) == (part in classes), part
