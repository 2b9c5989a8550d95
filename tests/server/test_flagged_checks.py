"""A flag on a check is no vote, and the supervisor sees it all the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from chorus.server.domain.filters import Filter
from chorus.server.services import pace
from chorus.server.storage.tx import Tx
from tests.server.world import World
from tests.servers import Bench, TestServer, page_of, pictures, right

FLAGGED = Filter(state=None, flagged=True)


@pytest.fixture
def world() -> Iterator[World]:
    made = World(gold_rate=0.5)
    made.add(40, label="0", gold=True)
    made.add(40)
    yield made
    assert made.findings() == []
    made.close()


def flag_a_check(world: World, user_id: str) -> tuple[int, str]:
    """(item, vote_id) of a check that the person has flagged."""
    while True:
        page = world.deal(user_id, 4).page
        assert page is not None
        for item in page["items"]:
            item_id = item["item_id"]
            if world.item(item_id).gold:
                vote_id = f"flag-of-{user_id}-{item_id}"
                world.cast(user_id, item_id, None, kind="flag", vote_id=vote_id)
                return item_id, vote_id
            world.cast(user_id, item_id, "0")


def listed(world: World) -> list[int]:
    tx = Tx(world.db)
    rows = tx.review_items("p", FLAGGED, (None, 0), 50)
    assert tx.count_review_items("p", FLAGGED) == len(rows)
    assert pace.figures(tx, "p")["flagged"] == len(rows)
    return [item.item_id for _, item in rows]


def test_a_flag_on_a_check_is_listed_until_it_is_decided(world: World) -> None:
    assert listed(world) == []
    item_id, _ = flag_a_check(world, "u0")
    other, _ = flag_a_check(world, "u1")
    assert set(listed(world)) == {item_id, other}
    item = world.item(item_id)
    assert (item.state, item.n_flags) == ("labeled", 0), "it is no vote, and changes nothing"
    world.decide(item_id, "change", "1")
    left = [other] if other != item_id else []
    assert listed(world) == left
    told = Tx(world.db).flagged_checks([item_id, other])
    assert [(i, name) for i, name, _ in told] == [(i, "U1") for i in left]


def test_a_flag_that_its_author_corrects_is_none(world: World) -> None:
    item_id, vote_id = flag_a_check(world, "u0")
    assert listed(world) == [item_id]
    world.cast("u0", item_id, "0", supersedes=vote_id)
    assert listed(world) == []


def test_the_list_of_flags_is_found_by_its_own_small_index(world: World) -> None:
    plan = world.db.execute(
        "EXPLAIN QUERY PLAN SELECT c.item_id FROM check_vote c"
        " WHERE c.project_id = ? AND c.kind = 'flag'",
        ("p",),
    ).fetchall()
    assert any("check_flag" in str(row) for row in plan)


async def test_a_supervisor_hears_of_it_and_a_labeler_does_not(
    server: TestServer, tmp_path: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(tmp_path / "pictures", 60), gold_rate=0.5, page_size=4)
        project_id = bench.project.project_id
        boss = await bench.socket(server.token)
        first = await bench.labeler(credit=1)
        gold = []
        for _ in range(6):
            page = await page_of(first)
            for item in page.items:
                await first.cast(item, "label", right(item.name))
                gold.append(item.item_id)
            await first.finish(page)
        await boss.request("gold.mark", {"project_id": project_id, "item_ids": gold})
        watch = await bench.watch()
        second = await bench.labeler(credit=1)
        flagged = None
        while flagged is None:
            page = await page_of(second)
            for item in page.items:
                check = item.item_id in gold
                kind, answer = ("flag", None) if check else ("label", right(item.name))
                await second.cast(item, kind, answer)  # type: ignore[arg-type]
                flagged = item.item_id if check else flagged
            await second.finish(page)
        stats = await watch.until(lambda s: s.pace.flagged > 0 and not s.measuring)
        wanted = {"project_id": project_id, "state": "all", "flagged": True}
        found = msgspec.json.decode(await boss.request("review.list", wanted))
        assert found["total"] == stats.pace.flagged
        (told,) = [i for i in found["items"] if i["item_id"] == flagged]
        assert len(told["flagged"]) == 1
        assert told["votes"], "what it was labeled before is there to compare"
        assert all(vote["kind"] == "label" for vote in told["votes"])
        # To the person who flagged it, it is an item like all others.
        history = {"project_id": project_id, "limit": 200}
        mine = msgspec.json.decode(await second.socket.request("labeling.history", history))
        (row,) = [v for v in mine["votes"] if v["item_id"] == flagged]
        assert set(row) == {key for v in mine["votes"] for key in v}
        for item in found["items"]:
            await bench.admin.review(project_id, item["item_id"], "approve")
        await watch.until(lambda s: s.pace.flagged == 0)
