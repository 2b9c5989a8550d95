"""Workers that are killed at the worst moment cost their own job, and nothing that comes after."""

from __future__ import annotations

import asyncio
import operator
import os
from pathlib import Path
from typing import Any

import pytest

from chorus.server.errors import JobFailed
from chorus.server.jobs.pool import Pool, WorkerDied
from chorus.server.jobs.runner import Runner
from tests.server.deadly import KillsUnpacker


@pytest.mark.parametrize(
    ("workers", "call"),
    [
        (1, ("tests.server.deadly.answer",)),
        (2, ("tests.server.deadly.answer",)),
        (1, ("operator.not_", KillsUnpacker())),
    ],
)
async def test_a_worker_killed_while_it_holds_a_lock(workers: int, call: tuple[Any, ...]) -> None:
    """As it gives its answer, and as it takes a job: its pool would wait for the lock for a minute,
    and lose the next job by it."""
    pool = Pool(workers, 0)
    try:
        for _ in range(2):
            with pytest.raises(WorkerDied, match="worker ended"):
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


@pytest.mark.parametrize("how", ["stops", "waits"])
async def test_a_job_whose_worker_hangs_is_run_again(how: str, tmp_path: Path) -> None:
    pool = Pool(1, 0)
    try:
        params = {"progress": str(tmp_path / "job.progress"), "how": how}
        run = Runner(pool, patience_s=3)
        result = await run("tests.server.deadly.hang_at_first", params, lambda share, attempt: None)
        assert result == ({"well": True}, 2)
        assert "attempt 1: it did nothing for 3 s" in (tmp_path / "job.log").read_text()
        assert await pool.call("operator.add", 1, 2) == 3
    finally:
        await pool.close()


async def test_a_job_whose_worker_dies_in_every_attempt_leaves_only_its_log(tmp_path: Path) -> None:
    pool = Pool(1, 0)
    try:
        params = {"progress": str(tmp_path / "job.progress")}
        with pytest.raises(JobFailed, match="died 3 times"):
            await Runner(pool)("tests.server.deadly.dies", params, lambda share, attempt: None)
        assert os.listdir(tmp_path) == ["job.log"]
    finally:
        await pool.close()


async def test_a_job_at_work_is_left_alone_however_long_it_says_nothing(tmp_path: Path) -> None:
    pool = Pool(1, 0)
    try:
        run = Runner(pool, patience_s=3)
        # The second waits for its turn, longer than anybody may do nothing.
        jobs = [
            run(
                "tests.server.deadly.work",
                {"progress": str(tmp_path / f"{n}.progress"), "seconds": 4},
                lambda share, attempt: None,
            )
            for n in range(2)
        ]
        assert await asyncio.gather(*jobs) == [({"well": True}, 1)] * 2
    finally:
        await pool.close()
