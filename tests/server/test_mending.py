"""`chorus fsck --mend`: labels that are not what the votes say become so, and the log tells."""

from __future__ import annotations

import asyncio

import msgspec
from typer.testing import CliRunner

from chorus.server.cli import app
from chorus.server.consensus.estimate import Estimate
from chorus.server.consensus.live import Params
from chorus.server.domain.events import apply, blank
from chorus.server.services import fsck
from chorus.server.services.dashboard import snapshot
from chorus.server.storage.tx import Tx, estimates
from tests.server.world import World
from tests.servers import TestServer


def test_items_follow_their_votes_again() -> None:
    world = World(2, 2, consensus="one_coin")
    world.add(6)
    items = [item.item_id for item in world.items()]
    for user_id in ("u0", "u1"):
        world.deal(user_id, 6)
    for n, item_id in enumerate(items[:4]):
        world.cast("u0", item_id, "0")
        world.cast("u1", item_id, "01"[n % 2])
    world.skills_are({"u0": 0.9, "u1": 0.6}, 0.0)
    assert [item.label for item in world.items()[:4]] == ["0"] * 4
    # As if they had been merged by other skills than those that are kept.
    kept = Estimate(Params("one_coin", [1 / 3] * 3, {"u0": 0.6, "u1": 0.9}), {}, "a test")
    world.db.execute("UPDATE estimate SET body = ?", (msgspec.json.encode(kept).decode(),))
    estimates._cache.clear()  # what another process has
    assert world.findings()

    tx = world.tx()
    assert fsck.mend(tx, world.now) == 2
    world.commit(tx)
    assert world.findings() == []
    assert [item.label for item in world.items()[:4]] == ["0", "1", "0", "1"]
    board = blank("p", "")
    for event in world.events:
        apply(board, event)
    assert board.labels == snapshot(Tx(world.db), "p").labels
    tx = world.tx()
    assert fsck.mend(tx, world.now) == 0
    world.commit(tx)
    world.close()


async def test_only_without_a_server(server: TestServer) -> None:
    words = ["fsck", "--mend", "--data-dir", str(server.process.data_dir)]
    done = await asyncio.to_thread(CliRunner().invoke, app, words)
    assert done.exit_code == 1
    assert "stop it first" in done.output
