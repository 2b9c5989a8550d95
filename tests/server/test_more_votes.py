"""Items whose first votes did not suffice: when their next vote is asked for, and what the model
learns from them meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chorus.server.consensus.live import Params
from chorus.server.domain.queue import MORE_VOTES, more_votes_pos
from chorus.server.services import landing, round_files
from chorus.server.services.round_files import Place, Prediction
from chorus.server.storage.tx import Tx
from tests.server.world import World

RANKS = st.integers(0, 2**62 - 1)


@pytest.fixture
def world() -> Iterator[World]:
    made = World(votes_min=1, votes_max=3, consensus="auto")
    yield made
    made.close()


def answer_all(world: World, user: str, size: int, values: list[str]) -> list[int]:
    dealt = world.deal(user, size)
    assert dealt.page is not None
    ids = [item["item_id"] for item in dealt.page["items"]]
    for item_id, value in zip(ids, values, strict=True):
        world.cast(user, item_id, value)
    return ids


@given(a=st.floats(0, 1), b=st.floats(0, 1), one=RANKS, other=RANKS)
def test_the_doubtful_come_first_and_all_fit_a_database_integer(
    a: float, b: float, one: int, other: int
) -> None:
    first, second = more_votes_pos(a, one), more_votes_pos(b, other)
    assert MORE_VOTES <= first < 2**63
    if a < b - 1e-5:
        assert first < second


def test_first_votes_come_before_second_ones(world: World) -> None:
    world.add(4)
    voted = answer_all(world, "u0", 2, ["0", "1"])
    assert all(world.item(i).state == "in_progress" for i in voted), "one vote is not enough"
    dealt = world.deal("u1", 4)
    assert dealt.page is not None
    order = [item["item_id"] for item in dealt.page["items"]]
    assert set(order[:2]).isdisjoint(voted)
    assert set(order[2:]) == set(voted)


def test_among_contested_items_the_most_doubtful_is_first(world: World) -> None:
    world.add(2)
    one, other = answer_all(world, "u0", 2, ["0", "0"])
    params = Params("model", [1 / 3] * 3, default_accuracy=0.7, model_weight=1.0)
    world.estimate(params)
    world.model_says(one, "0:0.36,1:0.32")
    world.model_says(other, "1:0.60,0:0.30")
    sure, doubtful = world.item(one), world.item(other)
    assert (doubtful.confidence or 0) < (sure.confidence or 0) < 0.95
    dealt = world.deal("u1", 2)
    assert dealt.page is not None
    assert [item["item_id"] for item in dealt.page["items"]] == [other, one]


def test_a_round_leaves_contested_items_where_they_wait(world: World) -> None:
    world.add(2)
    (voted,) = answer_all(world, "u0", 1, ["0"])
    fresh = next(i.item_id for i in world.items() if i.item_id != voted)
    plan = landing.Plan(
        1, landing.Limits({"0": 0.9}), True,
        {i: Prediction("0", 0.99, "0:0.99") for i in (voted, fresh)},
        {voted: Place(0, 0, 0.0)}, {fresh: 0, voted: 1},
    )  # fmt: skip
    before = world.item(voted)
    tx = world.tx()
    assert landing.land_chunk(tx, "p", plan, [voted, fresh], world.now) == 1
    world.commit(tx)
    after = world.item(voted)
    assert (after.queue, after.queue_pos, after.pre_value) == ("manual", before.queue_pos, None)
    assert after.model_value == "0", "what the model says is kept all the same"
    assert world.item(fresh).queue == "prelabeled"
    assert world.findings() == []


def test_the_model_learns_from_items_that_wait(world: World, tmp_path: Path) -> None:
    """Taught and tested on settled items alone, it would only ever see the easy ones."""
    world.add(3)
    voted = answer_all(world, "u0", 2, ["0", "1"])
    path = tmp_path / "items.tsv"
    assert round_files.write_items(Tx(world.db), "p", path) == 2
    rows = [line.split("\t") for line in path.read_text("ascii").splitlines()[1:]]
    by_id = {int(row[0]): row for row in rows}
    for item_id, value in zip(voted, ["0", "1"], strict=True):
        _, _, label, soft, trusted, _, open_, _, _ = by_id[item_id]
        shares = dict(pair.split(":") for pair in soft.split(","))
        assert (label, trusted, open_) == (value, "1", "0")
        assert 0.8 < float(shares[value]) < 0.95, "one vote proves little: the target is soft"
    (fresh,) = set(by_id) - set(voted)
    assert (by_id[fresh][2], by_id[fresh][6]) == ("", "1")


def test_the_model_does_not_teach_itself(world: World, tmp_path: Path) -> None:
    """Its own view settles an item sooner, but is no part of what it learns."""
    world.add(1)
    (item_id,) = answer_all(world, "u0", 1, ["0"])
    path = tmp_path / "items.tsv"
    round_files.write_items(Tx(world.db), "p", path)
    alone = path.read_text("ascii").splitlines()[1].split("\t")[3]
    world.estimate(Params("model", [1 / 3] * 3, model_weight=1.0))
    world.model_says(item_id, "0:0.99,1:0.01")
    assert world.item(item_id).state == "labeled"
    round_files.write_items(Tx(world.db), "p", path)
    assert path.read_text("ascii").splitlines()[1].split("\t")[3] == alone
