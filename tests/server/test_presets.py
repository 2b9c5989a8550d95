"""Prelabels that were brought in are no round's, and stay until they are answered."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chorus.server.formats.labels.drawn import Drawn, ShapeIn
from chorus.server.formats.labels.rows import Said
from chorus.server.services import label_ops, landing, review
from chorus.server.services.dashboard import snapshot
from chorus.server.services.label_ops import Op, Options
from chorus.server.services.round_files import Prediction
from chorus.server.storage.tx import Tx
from tests.server.world import CLASSES, World


@pytest.fixture
def world() -> Iterator[World]:
    made = World(votes_min=2, votes_max=3)
    made.add(1)
    yield made
    assert made.findings() == []
    made.close()


def bring_in(world: World, value: Said) -> None:
    tx = world.tx()
    project = tx.project("p")
    assert project is not None
    coming = label_ops.Landing(
        import_id="an import", project=project, schema=tx.schema(project),
        classes={c.name: str(n) for n, c in enumerate(CLASSES)},
        options=Options(kind="prelabels", existing="replace"), user_id="boss", now=world.now,
    )  # fmt: skip
    label_ops.apply_op(tx, coming, Op(item_id=1, place="a line", value=value), {})
    world.commit(tx)


def round_says(world: World, value: str, audit_share: float = 0.0) -> None:
    plan = landing.Plan(
        1, landing.Limits({"0": 0.5, "1": 0.5, "2": 0.5}), True,
        {1: Prediction(value, 0.9, f"{value}:0.9")}, {}, {1: 0}, audit_share,
    )  # fmt: skip
    tx = world.tx()
    landing.land_chunk(tx, "p", plan, [1], world.now)
    world.commit(tx)


def shown(world: World, user_id: str) -> object:
    page = world.deal(user_id, 1).page
    assert page is not None
    return page["items"][0]["prelabel"]


def test_what_was_brought_in_outlives_a_decision_that_is_taken_back(world: World) -> None:
    bring_in(world, ["dog"])
    world.decide(1, "requeue")
    world.decide(1, "undo")
    assert shown(world, "u0") == {"class": "dog", "score": None}


def send_back(world: World) -> None:
    """As a start over does with "old labels filled in"."""
    tx = world.tx()
    item = tx.item(1)
    assert item is not None
    review.decide(tx, item, "boss", "requeue", None, world.now, preset=True)
    world.commit(tx)


def skip(world: World, user_id: str) -> object:
    """What they were shown."""
    found = shown(world, user_id)
    world.cast(user_id, 1, None, "skip")
    return found


def test_what_was_only_skipped_comes_back_with_nothing_filled_in(world: World) -> None:
    round_says(world, "2")
    assert skip(world, "u0") == {"class": "cow", "score": 0.9}
    send_back(world)
    assert snapshot(Tx(world.db), "p").queue == {"manual": 1, "clustered": 0, "prelabeled": 0}
    assert shown(world, "u1") is None


def test_an_old_label_that_was_only_skipped_is_still_an_old_label(world: World) -> None:
    for user_id in ("u0", "u1"):
        world.deal(user_id, 1)
        world.cast(user_id, 1, "1")
    send_back(world)
    assert skip(world, "u2") == {"class": "dog", "score": None}
    send_back(world)
    world.set(prelabel=False)  # it is no answer of the model's
    assert shown(world, "u2") == {"class": "dog", "score": None}


def test_what_was_brought_in_and_only_skipped_stays(world: World) -> None:
    bring_in(world, ["dog"])
    assert skip(world, "u0") == {"class": "dog", "score": None}
    send_back(world)
    assert shown(world, "u0") == {"class": "dog", "score": None}
    world.leave("u0")
    world.decide(1, "undo")
    world.decide(1, "requeue")
    world.set(prelabel=False)
    assert shown(world, "u1") == {"class": "dog", "score": None}


def test_boxes_that_were_brought_in_with_scores_are_no_round_s() -> None:
    world = World(task_type="boxes")
    world.add(1)
    bring_in(world, Drawn(shapes=[ShapeIn(name="cat", box=(0, 0, 4, 4), score=0.7)]))
    page = world.deal("u0", 1).page
    assert page is not None
    assert (page["kind"], page["round"]) == ("prelabeled", None)
    world.cast("u0", 1, "[[0,0,0,4,4]]")
    assert Tx(world.db).shape_changes("p") == []  # of what people did with the model's
    assert world.findings() == []
    world.close()


def test_once_answered_it_shows_nothing_that_the_project_does_not_want(world: World) -> None:
    bring_in(world, ["dog"])
    for user_id, value in (("u0", "0"), ("u1", "1")):
        world.deal(user_id, 1)
        world.cast(user_id, 1, value)
    world.decide(1, "requeue")  # so that the model may say something of it
    round_says(world, "2")
    world.set(prelabel=False)
    assert world.item(1).queue == "prelabeled"
    assert shown(world, "u2") is None


def test_the_audit_leaves_it_out(world: World) -> None:
    """Brought in while somebody held the item, whose prelabel was hidden from them."""
    world.set(votes_min=1, votes_max=1)
    round_says(world, "2", audit_share=1.0)
    assert world.item(1).audit
    assert shown(world, "u0") is None
    bring_in(world, ["dog"])
    world.cast("u0", 1, "0")
    assert world.item(1).label == "0"
    assert Tx(world.db).audited("p", 0) == (0, 0)
