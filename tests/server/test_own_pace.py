"""What a person is told of their own work says nothing of a single item, and nothing of gold."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chorus.server.domain.own_pace import GAP_MS, PACE_LEAST, agreement, per_hour
from chorus.server.storage.tx import Tx
from tests.server.world import World


@given(step=st.integers(1, GAP_MS), n=st.integers(PACE_LEAST + 1, 60), pause=st.integers(1, 10))
def test_a_steady_pace_is_told_whatever_the_pauses(step: int, n: int, pause: int) -> None:
    first = [i * step for i in range(n)]
    later = [first[-1] + pause * 24 * 3_600_000 + i * step for i in range(n)]
    assert per_hour(first) == per_hour(first + later) == round(3_600_000 / step)
    assert per_hour(first[:PACE_LEAST]) is None


@given(answers=st.integers(0, 3000), data=st.data())
def test_agreement_is_coarse(answers: int, data: st.DataObject) -> None:
    same = data.draw(st.integers(0, answers))
    told = agreement(answers, same)
    if answers < 30:
        assert told is None
    else:
        assert told is not None
        assert abs(told - same / answers) <= 0.005 + 1e-9
        assert round(told * 100) == pytest.approx(told * 100)


@pytest.fixture
def world() -> Iterator[World]:
    world = World(votes_min=2, votes_max=2, people=2, gold_rate=0)
    yield world
    world.close()


def test_neither_gold_nor_what_is_fresh_counts(world: World) -> None:
    world.add(3)
    world.now = 2_000_000
    for user_id in ("u0", "u1"):
        for item in world.deal(user_id).page["items"]:  # type: ignore[index]
            world.cast(user_id, item["item_id"], "0")
    ids = [i.item_id for i in world.items()]
    tx = Tx(world.db)
    assert tx.own_agreement("p", "u0", world.now, 10) == (0, 0), "settled only now"
    assert tx.own_agreement("p", "u0", world.now + 1, 10) == (3, 3)
    world.decide(ids[0], "change", "1")
    assert Tx(world.db).own_agreement("p", "u0", world.now + 1, 10) == (3, 2)
    world.mark([ids[0]])
    assert Tx(world.db).own_agreement("p", "u0", world.now + 1, 10) == (2, 2)
