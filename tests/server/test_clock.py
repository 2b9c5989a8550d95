"""The time of day is set, forward or back: leases last as long as they were to last."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from sqlite3 import OperationalError
from typing import Any
from unittest.mock import patch

import pytest

from chorus.server import clock
from chorus.server.clock import JUMP_MS, Jumps
from chorus.server.services import assigning as module
from chorus.server.services import dashboard
from chorus.server.services.assigning import Assigning
from chorus.server.services.dashboard import Boards
from chorus.server.services.projects import Projects
from chorus.server.services.remerging import Remerging
from chorus.server.storage.sqlite import SqliteStore
from chorus.server.storage.tx import Tx
from tests.server.world import World

DAY = 86_400_000
HOUR = 3_600_000


def test_a_jump_is_told_once_and_drifting_is_none() -> None:
    jumps = Jumps()
    now, running = 1_000_000_000, 50.0
    for step in (0, 0, DAY, 0, -2 * DAY, 0, JUMP_MS // 2, 0, -JUMP_MS // 2):
        now, running = now + 500 + step, running + 0.5
        jump = jumps.seen(now, running)
        assert abs(jump - step) <= 1 if abs(step) > JUMP_MS else jump == 0
    # The process was stopped for an hour: both clocks went on.
    assert jumps.seen(now + 3_600_000, running + 3600) == 0


@pytest.mark.parametrize("jump", [DAY, -DAY])
def test_leases_last_as_long_as_before(jump: int) -> None:
    world = World()
    try:
        world.add(8)
        world.deal("u0")
        left = {lease.expires_at - world.now for lease in world.leases("u0")}
        world.now += jump
        world.deal("u1")  # before anybody has noticed
        tx = world.tx()
        tx.clock_jumped(jump, world.now)
        world.commit(tx)
        for user in ("u0", "u1"):
            leases = world.leases(user)
            assert len(leases) == 4
            assert {lease.expires_at - world.now for lease in leases} == left
        assert world.findings() == []
    finally:
        world.close()


def test_a_lease_that_had_run_out_still_has() -> None:
    world = World()
    try:
        world.add(4)
        world.deal("u0")
        (expires_at,) = {lease.expires_at for lease in world.leases("u0")}
        world.now = expires_at + DAY + 1
        tx = world.tx()
        tx.clock_jumped(DAY, world.now)
        assert len(tx.expired_leases(world.now, 10)) == 4
        world.commit(tx)
    finally:
        world.close()


class Failing(SqliteStore):
    fails = False

    def write(self, *args: Any, **more: Any) -> Any:
        if self.fails:
            raise OperationalError("disk I/O error")
        return super().write(*args, **more)


@pytest.fixture
async def held() -> AsyncIterator[tuple[World, Failing, Assigning]]:
    """Leases given in one life of a server, which ends; and the next one, which has just begun. Its
    time is the world's."""
    world = World()
    world.now += DAY
    world.add(4)
    world.deal("u0")
    store = Failing(world.path, lambda events: None, readers=1)
    assigning = Assigning(store, Projects(store, Remerging(store)))
    with patch.object(module, "now_ms", lambda: world.now):
        await assigning.start()
        yield world, store, assigning
    await store.close()
    world.close()


def longest(world: World) -> int:
    leases = Tx(world.db).leases_of_project("p")
    assert len(leases) == 4
    return max(lease.expires_at for lease in leases) - world.now


async def test_set_back_between_a_start_and_the_first_tick(
    held: tuple[World, Failing, Assigning],
) -> None:
    """As when a machine starts with a wrong clock, which is put right a moment later."""
    world, _, assigning = held
    world.now -= HOUR
    await assigning.tick()
    assert longest(world) <= 600_000


async def test_a_jump_that_could_not_be_written_is_not_forgotten(
    held: tuple[World, Failing, Assigning],
) -> None:
    world, store, assigning = held
    await assigning.tick()
    world.now -= HOUR
    store.fails = True
    with pytest.raises(OperationalError):
        await assigning.tick()
    store.fails = False
    await assigning.tick()
    assert longest(world) <= 600_000


@pytest.fixture
def set_back(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Sets this process's time of day back by an hour."""

    def now() -> None:
        true = time.time_ns
        monkeypatch.setattr(clock.time, "time_ns", lambda: true() - HOUR * 1_000_000)

    return now


async def test_a_round_does_not_wait_for_the_time_to_come_again(
    set_back: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor for somebody who never ends their page."""
    monkeypatch.setattr(dashboard, "PAGE_MAX_S", 1.0)
    world = World()
    world.now = clock.now_ms()
    world.add(4)
    page = world.deal("u0", 4).page
    assert page is not None
    world.cast("u0", page["items"][0]["item_id"], "0")
    store = SqliteStore(world.path, lambda events: None, readers=1)
    waiting = asyncio.ensure_future(Boards(store).still("p"))
    await store.read(lambda tx: None)
    set_back()
    await asyncio.wait_for(waiting, 60)
    await store.close()
    world.close()
