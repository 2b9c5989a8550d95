"""When a network goes, all its tabs are lost at once: what they hold ends soon, in a few writes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from chorus.server.clock import now_ms
from chorus.server.domain.model import Event
from chorus.server.services import review
from chorus.server.services.accounts import CurrentUser
from chorus.server.services.assigning import LOST_SOCKET_MS, Assigning
from chorus.server.services.projects import Projects
from chorus.server.services.remerging import Remerging
from chorus.server.services.streams import Stream
from chorus.server.storage.sqlite import SqliteStore
from chorus.server.storage.tx import Tx
from tests.server.world import World

TABS = 60


class Counted(SqliteStore):
    writes = 0

    def write(self, *args: Any, **more: Any) -> Any:
        self.writes += 1
        return super().write(*args, **more)


async def test_tabs_lost_at_once_share_writes() -> None:
    world = World(people=3)
    world.now = now_ms()
    world.add(2 * TABS)
    tabs = [(world.people[n % 3], f"tab-{n}") for n in range(TABS)]
    for user, tab in tabs:
        world.deal(user, 1, tab)
    store = Counted(world.path, lambda events: None, readers=1)
    assigning = Assigning(store, Projects(store, Remerging(store)))
    streams = []
    for user, tab in tabs:
        person = CurrentUser(user, user, user, False)
        stream = Stream("p", person, tab, 1, "labeler", lambda type, body: None, lambda why: None)
        assigning.begin(stream, [])
        stream.pages[1] = "manual"
        streams.append(stream)
    before, latest = store.writes, now_ms() + LOST_SOCKET_MS
    await asyncio.gather(*map(assigning.lost, streams))
    assert store.writes - before <= 2
    await store.close()
    held = Tx(world.db).leases_of_project("p")
    assert len(held) == TABS
    assert all(lease.expires_at < latest + 60_000 for lease in held)
    world.close()


async def test_what_is_dealt_to_a_tab_that_is_lost_meanwhile_ends_soon_too() -> None:
    world = World(people=1)
    world.now = now_ms()
    world.add(9)
    lost: list[asyncio.Task[None]] = []
    dealt = asyncio.Event()

    def publish(events: Sequence[Event]) -> None:
        if any(event.type == "page.opened" for event in events):  # the page is kept, not yet told
            lost.append(asyncio.ensure_future(assigning.lost(stream)))

    def push(type: str, body: dict[str, Any]) -> None:
        dealt.set()

    store = SqliteStore(world.path, publish, readers=1)
    assigning = Assigning(store, Projects(store, Remerging(store)))
    person = CurrentUser("u0", "u0", "u0", False)
    stream = Stream("p", person, "tab", 4, "labeler", push, lambda why: None)
    stream.credit = 1
    assigning.begin(stream, [])
    async with asyncio.timeout(30):
        await dealt.wait()
    await asyncio.gather(*lost)
    await store.close()
    latest = now_ms() + LOST_SOCKET_MS
    held = Tx(world.db).leases_of_project("p")
    assert len(held) == 4
    assert all(lease.expires_at <= latest for lease in held)
    world.close()


async def test_nothing_is_dealt_in_place_of_a_closed_item_to_a_tab_that_is_lost() -> None:
    world = World(votes_min=1, votes_max=2, people=2)
    world.now = now_ms()
    world.add(3)
    page = world.deal("u0", 4, "tab").page
    assert page is not None
    shared = page["items"][0]["item_id"]
    world.add(3)
    lost: list[asyncio.Task[None]] = []

    def publish(events: Sequence[Event]) -> None:
        if any(event.body.get("closed") for event in events):
            lost.append(asyncio.ensure_future(assigning.lost(stream)))
        assigning.on_events(events)

    store = SqliteStore(world.path, publish, readers=1)
    assigning = Assigning(store, Projects(store, Remerging(store)))
    person = CurrentUser("u0", "u0", "u0", False)
    stream = Stream("p", person, "tab", 4, "labeler", lambda type, body: None, lambda why: None)
    assigning.begin(stream, [page])
    await store.write(lambda tx: _remove(tx, shared))
    await asyncio.gather(*lost, *assigning._tasks)
    await store.close()
    held = Tx(world.db).leases_of_project("p")
    assert len(held) == 2
    assert all(lease.expires_at <= now_ms() + LOST_SOCKET_MS for lease in held)
    world.close()


def _remove(tx: Tx, item_id: int) -> None:
    item = tx.item(item_id)
    assert item is not None
    review.decide(tx, item, "u1", "remove", None, now_ms())
