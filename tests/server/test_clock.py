"""The time of day is set, forward or back: leases last as long as they were to last."""

from __future__ import annotations

import pytest

from chorus.server.clock import JUMP_MS, Jumps
from tests.server.world import World

DAY = 86_400_000


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
