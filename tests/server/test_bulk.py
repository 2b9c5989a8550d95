"""One decision for everything a filter finds: progress, refusals, a stop, an undo, a repeat."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chorus.client.errors import ApiError
from chorus.client.messages import Frame
from chorus.server.services import bulk
from chorus.server.services.review import decide
from chorus.server.storage.tx import Tx
from tests.server.world import World
from tests.servers import PATIENCE, Bench, page_of, pictures, vote_page

ITEMS = 250
"""More than two chunks, and more than what a list shows at once."""


class Boss:
    """A supervisor's socket."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.project = {"project_id": bench.project.project_id}

    async def open(self) -> Boss:
        self.socket = await self.bench.socket(await self.bench.person("supervisor"))
        return self

    async def ask(self, type: str, **body: Any) -> dict[str, Any]:
        return await self.socket.ask(dict[str, Any], type, {**self.project, **body})

    async def all(self, **body: Any) -> dict[str, Any]:
        """Send a bulk and follow it to its end."""
        ended: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

        def take(found: dict[str, Any]) -> None:
            if found["state"] != "running" and not ended.done():
                ended.set_result(found)

        def push(frame: Frame) -> None:
            assert frame.type == "bulk"
            take(msgspec.json.decode(frame.body))

        body = {**self.project, "bulk_id": str(uuid.uuid4()), **body}
        await self.socket.subscribe(
            "review.decide_all", lambda: body, push, lambda raw: take(msgspec.json.decode(raw))
        )
        return await asyncio.wait_for(ended, PATIENCE)


async def test_all_of_a_filter_is_decided_and_taken_back(bench: Bench, tmp_path: Path) -> None:
    await bench.make(pictures(tmp_path, ITEMS), page_size=9)
    stream = await bench.labeler(page_size=9, credit=1)
    await vote_page(stream, await page_of(stream))
    boss = await (Boss(bench)).open()
    before = await bench.stats()
    done = await boss.all(action="change", value={"class": "red"}, state="all", text="green-")
    assert (done["state"], done["done"], done["of"]) == ("done", ITEMS // 2, ITEMS // 2)
    assert done["refused"] == []
    after = await bench.stats()
    assert after.labels["red"] >= ITEMS // 2
    undone = await boss.all(undoes=done["bulk_id"])
    assert (undone["done"], undone["refused"]) == (ITEMS // 2, [])
    restored = await bench.stats()
    assert (restored.counts, restored.labels) == (before.counts, before.labels)
    again = await boss.all(undoes=done["bulk_id"])
    assert again["done"] == 0
    assert sum(r["count"] for r in again["refused"]) == ITEMS // 2


async def test_what_was_decided_meanwhile_is_refused_and_says_why(
    bench: Bench, tmp_path: Path
) -> None:
    await bench.make(pictures(tmp_path, 6), page_size=9)
    stream = await bench.labeler(page_size=9, credit=1)
    await vote_page(stream, await page_of(stream))
    boss, other = await Boss(bench).open(), await Boss(bench).open()
    seq = (await bench.stats()).seq
    item = (await other.ask("review.list", state="labeled"))["items"][0]["item_id"]
    await other.ask("review.decide", item_id=item, action="approve")
    done = await boss.all(action="approve", state="labeled", as_of=seq)
    assert done["done"] == 5
    (refused,) = done["refused"]
    assert refused["count"] == 1
    assert "approved it meanwhile" in refused["message"]
    # Taken back, the other's decision stands as it did.
    await boss.all(undoes=done["bulk_id"])
    (kept,) = (await boss.ask("review.list", state="labeled", item_ids=[item]))["items"]
    assert kept["source"] == "review"


async def test_the_same_id_decides_nothing_twice_and_rest_can_do_it_too(
    bench: Bench, tmp_path: Path
) -> None:
    await bench.make(pictures(tmp_path, 8))
    boss = await Boss(bench).open()
    path = f"/api/projects/{bench.project.project_id}/bulks"
    body = {"bulk_id": str(uuid.uuid4()), "action": "remove", "state": "all", "text": "red-"}
    begun = (await bench.admin.request("POST", path, json=body)).json()
    assert begun["state"] in ("running", "done")
    again = await boss.all(**body)
    assert again["done"] == 4
    got = (await bench.admin.request("GET", f"{path}/{body['bulk_id']}")).json()
    assert got == again
    assert (await bench.stats()).counts.removed == 4
    assert (await bench.admin.request("DELETE", f"{path}/{body['bulk_id']}")).json() == again
    for wrong in ({"bulk_id": "short"}, {"action": "nonsense"}, {"class": "blue"}):
        with pytest.raises(ApiError) as error:
            await boss.all(**{**body, "bulk_id": str(uuid.uuid4()), **wrong})
        assert error.value.code == "bad_value"
    with pytest.raises(ApiError) as error:
        await boss.ask("review.cancel_all", bulk_id="of-nobody-at-all")
    assert error.value.code == "not_found"


async def test_a_stopped_bulk_leaves_the_rest_alone(bench: Bench, tmp_path: Path) -> None:
    await bench.make(pictures(tmp_path, 700, size=8))
    boss = await Boss(bench).open()
    bulk_id = str(uuid.uuid4())
    body = {"bulk_id": bulk_id, "action": "remove", "state": "all"}
    await boss.ask("review.decide_all", **body)
    await boss.ask("review.cancel_all", bulk_id=bulk_id)
    ended = await boss.all(**body)
    # A quick server can be through before it is told: test_cut_off.py stops it in the middle.
    assert (ended["state"] == "cancelled") == (ended["done"] < 700)
    assert (await bench.stats()).counts.removed == ended["done"]
    undone = await boss.all(undoes=bulk_id)
    assert undone["done"] == ended["done"]
    assert (await bench.stats()).counts.removed == 0


def test_after_a_restart_the_same_bulk_goes_on() -> None:
    """What was decided before is counted, not decided again; its undo is repeatable too."""
    world = World()
    world.add(4)
    ids = [i.item_id for i in world.items()]
    wanted = bulk.Filter(state=None)

    def some(item_ids: list[int]) -> bulk.Bulk:
        run = bulk.Bulk("the-bulk", "p", "u0", "change")
        tx = world.tx()
        seen = [bulk.NO_ANSWER] * len(item_ids)
        bulk._decide_some(tx, run, wanted, item_ids, seen, "1", None)
        world.commit(tx)
        return run

    def undo(item_ids: list[int], seqs: list[int]) -> bulk.Bulk:
        run = bulk.Bulk("its-undo", "p", "u0", "undo")
        tx = world.tx()
        bulk._undo_some(tx, run, item_ids, seqs)
        world.commit(tx)
        return run

    assert some(ids[:2]).done == 2
    reviews = sum(e.type == "review.decided" for e in world.events)
    again = some(ids)
    assert (again.done, again.refused) == (4, {})
    assert sum(e.type == "review.decided" for e in world.events) - reviews == 2
    tx = world.tx()
    decided = tx.bulk_reviews("the-bulk", 0, 10)
    world.commit(tx)
    seqs = [seq for _, seq in decided]
    assert undo(ids[:2], seqs[:2]).done == 2
    assert undo(ids, seqs).done == 4
    assert {i.state for i in world.items()} == {"unlabeled"}
    assert world.findings() == []
    world.close()


def test_a_take_back_is_not_taken_back() -> None:
    """Or what was decided before the bulk would go, which was no part of it."""
    world = World()
    world.add(1)
    (item,) = world.items()
    world.decide(item.item_id, "change", "0")
    for bulk_id, action, value in (("the-bulk", "change", "1"), ("its-undo", "undo", None)):
        tx = world.tx()
        found = tx.item(item.item_id)
        assert found is not None
        decide(tx, found, "u0", action, value, world.now, bulk_id=bulk_id)
        world.commit(tx)
    tx = Tx(world.db)
    assert [row[0] for row in tx.bulk_reviews("the-bulk", 0, 10)] == [item.item_id]
    assert tx.bulk_reviews("its-undo", 0, 10) == []
    assert world.item(item.item_id).label == "0"
    world.close()
