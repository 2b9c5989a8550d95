"""A short soak (soak.py; `make soak` is the long one), and that its checks find planted harm."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.shim import needed
from tests.faults.soak import Episode, Failed, Plan, survive
from tests.faults.soak_people import Record
from tests.server.world import World
from tests.servers import TestServer


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_nothing_is_lost() -> None:
    needed()
    survived = await survive(Plan(20261125, 12, model=False, people=3))
    assert survived.kinds.total() == 12
    assert survived.acked > 0


class _Process:
    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("DELETE FROM vote WHERE vote_id = (SELECT MIN(vote_id) FROM vote)", "not there"),
        ("UPDATE vote SET item_id = item_id + 1", "not there"),
        ("UPDATE item SET state = 'unlabeled'", "fsck"),
        ("DELETE FROM event WHERE seq = (SELECT MAX(seq) - 1 FROM event)", "is missing"),
    ],
)
def test_its_checks_find_harm(tmp_path: Path, harm: str, said: str) -> None:
    world = World()
    world.add(4)
    dealt = world.deal("u0")
    assert dealt.page is not None
    record = Record()
    for number, item in enumerate(dealt.page["items"][:3]):
        world.cast("u0", item["item_id"], "1", vote_id=f"vote-number-{number}")
        record.ack(f"vote-number-{number}", "u0", item["item_id"])
    (tmp_path / "chorus.sqlite").write_bytes(world.db.serialize())
    world.close()
    episode = Episode(tmp_path, 1, 1, False, 1)
    episode.server = TestServer(_Process(tmp_path), "")  # type: ignore[arg-type]
    episode.records["p"] = record
    episode._check()
    with closing(sqlite3.connect(tmp_path / "chorus.sqlite")) as db:
        db.execute(harm)
        db.commit()
    with pytest.raises(Failed, match=said):
        episode._check()
