"""Whoever was told that all is done hears of it when there is something for them again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from chorus.server.clock import now_ms
from chorus.server.services import review, supervising
from chorus.server.services.accounts import CurrentUser
from chorus.server.services.assigning import Assigning
from chorus.server.services.dealing import Floors
from chorus.server.services.projects import Projects
from chorus.server.services.remerging import Remerging
from chorus.server.services.streams import Stream
from chorus.server.services.supervising import TakeBack
from chorus.server.storage.sqlite import SqliteStore
from chorus.server.storage.tx import Tx
from tests.server.world import World


def _send_back(tx: Tx) -> None:
    item = tx.item(1)
    assert item is not None
    review.decide(tx, item, "u1", "requeue", None, now_ms())


def _take_back(tx: Tx) -> None:
    supervising.take_back(tx, "p", TakeBack("u0"), "u1", now_ms())


@pytest.mark.parametrize("ask_again", [_send_back, _take_back])
async def test_an_item_that_is_asked_again_comes_at_once(ask_again: Callable[[Tx], None]) -> None:
    """It waited for somebody else's vote, so it has not reopened: it was open."""
    world = World(votes_min=2, votes_max=2, people=2)
    world.now = now_ms()
    world.add(1)
    world.deal("u0", 1, "before")
    world.cast("u0", 1, "0")
    told: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()
    store = SqliteStore(world.path, lambda events: assigning.on_events(events), readers=1)
    assigning = Assigning(store, Projects(store, Remerging(store)))
    person = CurrentUser("u0", "u0", "u0", False)
    stream = Stream(
        "p", person, "tab", 1, "labeler", lambda *push: told.put_nowait(push), lambda why: None
    )
    stream.credit = 1
    assigning.begin(stream, [])
    async with asyncio.timeout(30):
        assert await told.get() == ("empty", {"reason": "done"})
        await store.write(ask_again)
        kind, page = await told.get()
    assert kind == "page"
    assert [item["item_id"] for item in page["items"]] == [1]
    await store.close()
    assert world.findings() == []
    world.close()


def test_a_page_may_be_dealt_while_items_reopen() -> None:
    """On the writer's thread, which adds the floor of a queue that was not looked at before."""
    floors = Floors()
    mine = floors.get("p", "u0")

    class Key(str):
        def partition(self, sep: str) -> tuple[str, str, str]:
            mine["clustered 0"] = 3
            return super().partition(sep)

    mine[Key("manual 0")] = 9
    floors.reopened("p", [["manual", 4]])
    assert mine == {"manual 0": 4, "clustered 0": 3}
