"""Workers that are killed at the worst moment cost their own job, and nothing that comes after."""

from __future__ import annotations

import asyncio
import operator
from typing import Any

import pytest

from chorus.server.jobs.pool import Pool, WorkerDied
from tests.server.deadly import KillsUnpacker


@pytest.mark.parametrize(
    ("workers", "call", "says"),
    [
        (1, ("tests.server.deadly.answer",), "-9"),
        (2, ("tests.server.deadly.answer",), "-9"),
        (1, ("operator.not_", KillsUnpacker()), ""),
    ],
)
async def test_a_worker_killed_while_it_holds_a_lock(
    workers: int, call: tuple[Any, ...], says: str
) -> None:
    """As it gives its answer, and as it takes a job: its pool would wait for the lock for a minute,
    and lose the next job by it."""
    pool = Pool(workers, 0)
    try:
        for _ in range(2):
            with pytest.raises(WorkerDied, match=says):
                await pool.call(*call)
            assert await pool.call("operator.add", 1, 2) == 3
    finally:
        await pool.close()


async def test_what_other_workers_are_at_goes_on() -> None:
    pool = Pool(2, 0)
    try:
        slow = asyncio.ensure_future(pool.call("operator.pow", 7, 400_000))
        with pytest.raises(WorkerDied):
            await pool.call("tests.server.deadly.die")
        assert await slow == operator.pow(7, 400_000)
    finally:
        await pool.close()
