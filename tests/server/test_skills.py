"""A new estimate of skills comes only when the last one has landed on every item: labels follow
that one or the one before, and no third."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chorus.server.clock import now_ms
from chorus.server.consensus.estimate import Estimate
from chorus.server.consensus.live import Params
from chorus.server.domain.model import Event, Project
from chorus.server.jobs.estimate import estimate
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
    tx.add_estimate(_project(tx), FIRST_VOTES, msgspec.json.encode(kept).decode(), world.now)
    world.commit(tx)
    return world


def _project(tx: Tx) -> Project:
    project = tx.project("p")
    assert project is not None
    return project


@pytest.mark.parametrize("lands", [True, False])
async def test_the_next_estimate_waits_for_the_last_one(
    tmp_path: Path, lands: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = _cut_off()
    first = _project(Tx(world.db))
    assert (first.landed_rev, first.estimate_rev) == (0, 1)
    landed: list[int] = []
    done = asyncio.Event()

    def publish(events: Sequence[Event]) -> None:
        boards.on_events(events)
        skills.on_events(events)
        for event in events:
            if event.type == "skills.estimated":
                landed.append(_project(Tx(world.db)).landed_rev)

    store = SqliteStore(world.path, publish, readers=1)
    remerging, boards = Remerging(store), Boards(store)
    skills = Skills(store, boards, remerging, _in_a_thread, tmp_path)
    skills.changed = lambda project_id: done.set()
    if not lands:
        # As when what it reads cannot be read.
        async def failing(project_id: str) -> bool:
            raise OSError("no such page")

        monkeypatch.setattr(remerging, "_pass", failing)
    await skills.start()
    skills.on_events([Event("p", first.last_seq, "gold.marked", {}, world.now)])
    async with asyncio.timeout(60):
        await done.wait()
    await skills.stop()
    await remerging.stop()
    await store.close()
    now = _project(Tx(world.db))
    assert landed == ([1] if lands else [])
    assert (now.landed_rev, now.estimate_rev) == ((2, 2) if lands else (0, 1))
    assert world.findings() == []
    world.close()
