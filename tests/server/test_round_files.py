"""What a round is given to learn from, and where its answers go, where labels are sets."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chorus.server.consensus.live import Params, set_params
from chorus.server.services import landing, round_files
from chorus.server.services.round_files import Prediction
from tests.server.world import World


def inputs(world: World, folder: Path) -> dict[int, dict[str, str]]:
    """items.tsv by item."""
    tx = world.tx()
    round_files.write_items(tx, "p", folder / "items.tsv")
    world.commit(tx)
    header, *lines = (folder / "items.tsv").read_text().splitlines()
    rows = [dict(zip(header.split("\t"), line.split("\t"), strict=True)) for line in lines]
    return {int(row["item_id"]): row for row in rows}


def vote(world: World, by_person: list[list[str]]) -> list[int]:
    """Everybody answers the items in the same order; their ids."""
    world.add(len(by_person[0]))
    ids = [item.item_id for item in world.items()]
    for user, values in zip(world.people, by_person, strict=False):
        world.deal(user, 9)
        for item_id, value in zip(ids, values, strict=True):
            world.cast(user, item_id, value)
    return ids


def test_targets_are_the_share_of_votes_for_each_class(tmp_path: Path) -> None:
    world = World(3, 3, task_type="multilabel")
    ids = vote(world, [["0,2", "-", "1"], ["0", "-", "1"], ["0,2", "-", "-"]])
    rows = inputs(world, tmp_path)
    assert [rows[i]["label"] for i in ids] == ["0,2", "-", "1"]
    assert [rows[i]["soft"] for i in ids] == ["0:1.0000,2:0.6667", "", "1:0.6667"]
    # What a reviewer decides is no matter of shares.
    world.decide(ids[2], "change", "0,1")
    row = inputs(world, tmp_path)[ids[2]]
    assert (row["label"], row["soft"]) == ("0,1", "")
    world.close()


def test_targets_weigh_people_where_their_skill_is_known(tmp_path: Path) -> None:
    world = World(2, 3, task_type="multilabel", consensus="auto")
    good, bad = [[0.99, 0.01], [0.02, 0.98]], [[0.9, 0.1], [0.6, 0.4]]
    each = Params("dawid_skene", [0.7, 0.3], confusion={"u0": good, "u1": bad}, population=good)
    world.estimate(Params("auto", [1 / 3] * 3, sets=set_params([each] * 3)))
    (item_id,) = vote(world, [["0"], ["1"]])
    soft = dict(part.split(":") for part in inputs(world, tmp_path)[item_id]["soft"].split(","))
    assert float(soft["0"]) > 0.9, "who sees well has seen it"
    assert float(soft["1"]) < 0.1
    world.close()


LIMITS = st.dictionaries(st.sampled_from(["0", "1", "2", "-"]), st.floats(0.5, 1))


@given(LIMITS, st.sets(st.sampled_from(["0", "1", "2"]), min_size=1))
def test_a_set_is_prelabeled_by_its_most_demanding_class(
    limits: dict[str, float], classes: set[str]
) -> None:
    by_value = landing.Limits(limits)
    limit = by_value[",".join(sorted(classes))]
    if classes <= limits.keys():
        assert limit == max(limits[c] for c in classes)
    else:
        assert limit is None, "one of them has too little evidence"
    assert by_value["-"] == limits.get("-")


@given(
    st.lists(st.sampled_from(["0", "0,1", "1,2", "-", "0,2", "0,1,2"]), max_size=60),
    st.integers(0, 5),
)
def test_pages_of_prelabels_hold_like_sets(values: list[str], seed: int) -> None:
    guesses = {n: Prediction(value, 0.99) for n, value in enumerate(values)}
    places = landing.prelabel_places(guesses, list(guesses), seed)
    assert sorted(places.values()) == list(range(len(values)))
    assert places.keys() == guesses.keys()


@pytest.mark.parametrize(("score", "queue"), [(0.97, "prelabeled"), (0.93, "manual")])
def test_a_set_lands_as_a_prelabel(score: float, queue: str) -> None:
    world = World(task_type="multilabel")
    world.add(1)
    (item,) = world.items()
    guesses = {item.item_id: Prediction("0,2", score, "0:0.99,2:0.98")}
    limits = {"0": 0.9, "2": 0.95}
    plan = landing.Plan(1, landing.Limits(limits), True, guesses, {}, {item.item_id: 0})
    tx = world.tx()
    landing.land_chunk(tx, "p", plan, [item.item_id], world.now)
    world.commit(tx)
    assert world.item(item.item_id).queue == queue
    dealt = world.deal("u0", 1)
    assert dealt.page is not None
    shown = dealt.page["items"][0]["prelabel"]
    if queue == "prelabeled":
        assert shown == {"classes": ["cat", "cow"], "score": 0.97}
    else:
        assert shown is None
    assert world.findings() == []
    world.close()


def test_what_is_decided_with_the_models_answer_in_view_proves_nothing(tmp_path: Path) -> None:
    """Whoever decides has it on the screen, and may have looked for it: what nobody has answered
    teaches, and proves nothing. What a dispute came to does, or only easy items would."""
    world = World(2, 2)
    ids = vote(world, [["0", "1"], ["0", "0"]])
    world.add(1, label="2")
    (with_the_data,) = (i.item_id for i in world.items() if i.item_id not in ids)
    assert inputs(world, tmp_path)[with_the_data]["trusted"] == "1"
    ids.append(with_the_data)
    world.add(1)
    (untouched,) = (i.item_id for i in world.items() if i.item_id not in ids)
    world.decide(ids[1], "change", "1")
    world.decide(untouched, "change", "1")
    rows = inputs(world, tmp_path)
    assert [rows[i]["label"] for i in (*ids, untouched)] == ["0", "1", "2", "1"]
    assert [rows[i]["trusted"] for i in (*ids, untouched)] == ["1", "1", "1", "0"]
    # After a broken promise no old label proves anything again because somebody has approved it.
    world.now += 1000
    tx = world.tx()
    tx.begin_evidence_anew("p", world.now)
    world.commit(tx)
    world.now += 1000
    world.decide(ids[0], "approve")
    assert inputs(world, tmp_path)[ids[0]]["trusted"] == "0"
    world.close()
