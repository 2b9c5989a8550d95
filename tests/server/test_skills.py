"""Estimates of skills: one that cannot be made is tried again, and a new one comes only when the
last has landed on every item: labels follow that one or the one before, and no third."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from chorus.server.clock import now_ms
from chorus.server.consensus.estimate import Estimate
from chorus.server.consensus.live import Params
from chorus.server.domain.model import Event, Project
from chorus.server.errors import JobFailed
from chorus.server.jobs.estimate import estimate
from chorus.server.services import background, remerging, skills
from chorus.server.services.dashboard import Boards
from chorus.server.services.remerging import Remerging
from chorus.server.services.skills import FIRST_VOTES, Skills
from chorus.server.storage.sqlite import SqliteStore
from chorus.server.storage.tx import Tx
from tests.server.world import World


async def _in_a_thread(
    job: str, params: dict[str, Any], progress: Callable[[float, int], None]
) -> tuple[dict[str, Any], str]:
    return await asyncio.to_thread(estimate, params), ""


def _cut_off() -> World:
    """A server was killed after the first estimate was kept, and before any item followed it."""
    world = World(2, 3, people=3, consensus="one_coin")
    world.now = now_ms()
    world.add(FIRST_VOTES)
    for user_id in world.people[:2]:
        world.deal(user_id, FIRST_VOTES)
        for item in world.items():
            world.cast(user_id, item.item_id, "01"[user_id == "u1" and item.item_id % 3 == 0])
    kept = Estimate(Params("one_coin", [1 / 3] * 3, {"u0": 0.995, "u1": 0.55}), {}, "a test")
    tx = world.tx()
    tx.add_estimate(_project(tx), FIRST_VOTES, kept, world.now)
    world.commit(tx)
    return world


def _many_skips() -> World:
    """40 items that one person skipped and two have labeled."""
    world = World(2, 3, skips_max=2, people=3, consensus="one_coin")
    world.now = now_ms()
    world.add(FIRST_VOTES)
    for user_id, kind in (("u2", "skip"), ("u0", "label"), ("u1", "label")):
        world.deal(user_id, FIRST_VOTES)
        for item in world.items():
            world.cast(user_id, item.item_id, "0" if kind == "label" else None, kind)
    return world


def _project(tx: Tx) -> Project:
    project = tx.project("p")
    assert project is not None
    return project


class Server:
    """What of a server has to do with skills."""

    def __init__(self, world: World, folder: Path, run_job: Any) -> None:
        self._world = world
        self._store = SqliteStore(world.path, self._publish, readers=1)
        self._boards = Boards(self._store)
        self.remerging = Remerging(self._store)
        self.skills = Skills(self._store, self._boards, self.remerging, run_job, folder)
        self._done = asyncio.Event()
        self.skills.changed = lambda project_id: self._done.set()
        self.landed: list[int] = []
        """The estimate that all items followed when each new one was kept."""

    def _publish(self, events: Sequence[Event]) -> None:
        self._boards.on_events(events)
        self.skills.on_events(events)
        for event in events:
            if event.type == "skills.estimated":
                self.landed.append(_project(Tx(self._world.db)).landed_rev)

    async def start(self) -> None:
        await self.skills.start()
        self.skills.on_events([Event("p", 0, "gold.marked", {}, self._world.now)])

    async def asks_for_more(self) -> bool:
        return self.skills.estimating(await self._boards.get("p"))

    async def tried(self) -> None:
        """Until an estimate has come to its end, well or not."""
        async with asyncio.timeout(60):
            await self._done.wait()
        self._done.clear()

    async def stop(self) -> None:
        await self.skills.stop()
        await self.remerging.stop()
        await self._store.close()


async def test_what_could_not_be_made_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(skills, "AGAIN_S", 0.0)
    tries: list[str] = []

    async def fails_twice(job: str, *more: Any) -> tuple[dict[str, Any], str]:
        tries.append(job)
        if len(tries) <= 2:
            raise JobFailed("the disk is full", 3)
        return await _in_a_thread(job, *more)

    world = _cut_off()
    server = Server(world, tmp_path, fails_twice)
    await server.start()
    while not server.landed:
        await server.tried()
    await server.stop()
    assert len(tries) == 3
    assert world.findings() == []
    world.close()


@pytest.mark.parametrize("fails", [0, 2])
async def test_the_next_estimate_waits_for_the_last_one(
    tmp_path: Path, fails: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = _cut_off()
    first = _project(Tx(world.db))
    assert (first.landed_rev, first.estimate_rev) == (0, 1)
    server = Server(world, tmp_path, _in_a_thread)
    # As when what is to be merged cannot be read for a while.
    monkeypatch.setattr(background, "AGAIN_S", 0.0)
    reads, read = [], remerging.differing

    def differing(*about: Any) -> tuple[int | None, list[int]]:
        reads.append(about)
        if len(reads) <= fails:
            raise OSError("no such page")
        return read(*about)

    monkeypatch.setattr(remerging, "differing", differing)
    await server.start()
    await server.tried()
    await server.stop()
    now = _project(Tx(world.db))
    assert server.landed == [1]
    assert (now.landed_rev, now.estimate_rev) == (2, 2)
    assert world.findings() == []
    world.close()


async def test_skips_ask_for_no_other_estimate(tmp_path: Path) -> None:
    """They are in none, so that one would follow the other for ever."""
    world = _many_skips()
    server = Server(world, tmp_path, _in_a_thread)
    await server.start()
    await server.tried()
    assert server.landed == [0]
    assert not await server.asks_for_more()
    await server.stop()
    assert world.findings() == []
    world.close()
