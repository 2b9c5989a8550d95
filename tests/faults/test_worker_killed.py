"""`kill -9` of an ML worker in the middle of a round: a retried job, nobody notices."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chorus.client import ApiError
from chorus.client.messages import Frame
from chorus.simulate import audit
from tests.servers import PATIENCE, Bench, TestServer, page_of, pictures, right

pytestmark = [pytest.mark.timeout(240), pytest.mark.slow]


class Killer:
    """Follows the events; kills the workers when a job starts to run, until one is hit."""

    def __init__(self, server: TestServer) -> None:
        self.server = server
        self.tried: set[str] = set()
        self.hit: dict[str, Any] | None = None
        self.rounds: list[dict[str, Any]] = []
        self.changed = asyncio.Event()

    def on_frame(self, frame: Frame) -> None:
        body = msgspec.json.decode(frame.body) if bytes(frame.body) else {}
        if frame.type == "job.changed":
            job = body["job"]
            if job["attempts"] > 1:
                self.hit = job
            elif self.hit is None and job["state"] == "running" and job["kind"] not in self.tried:
                self.tried.add(job["kind"])
                for pid in workers(self.server):
                    os.kill(pid, signal.SIGKILL)
        elif frame.type in ("round.finished", "round.failed"):
            self.rounds.append(body["round"])
        self.changed.set()

    async def until_round(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE * 2):
            while len(self.rounds) < count:
                self.changed.clear()
                await self.changed.wait()


def workers(server: TestServer) -> list[int]:
    found = []
    for pid in server.process.children():
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if b"spawn_main" in command:
            found.append(pid)
    return found


async def test_a_killed_worker_costs_a_retry_and_no_vote(
    server: TestServer, tmp_path: Path
) -> None:
    async with Bench(server) as bench:
        project = await bench.make(
            pictures(tmp_path / "pictures", 60), cluster=True, prelabel=True, page_size=4
        )
        watch = await bench.watch()
        # From here on a killed worker was at work on a round, not on the pictures ahead of it.
        await watch.until(lambda s: s.assist.featurized == s.assist.featurize_total > 0)
        killer = Killer(server)
        socket = await bench.socket(server.token)
        topic = f"project/{project.project_id}/events"
        await socket.subscribe("subscribe", lambda: {"topic": topic}, killer.on_frame)
        stream = await bench.labeler(credit=2)
        acked: set[str] = set()
        for _ in range(8):
            page = await page_of(stream)
            for item in page.items:
                vote = stream.vote(item, "label", right(item.name))
                await stream.socket.cast(vote)
                acked.add(vote["vote_id"])
            await stream.finish(page)
        await killer.until_round(1)
        while True:
            # The queues are in place a moment after the round's event.
            stats = await watch.until(lambda s: not s.assist.running and not s.assist.round_due)
            if killer.hit is not None:
                break
            # The job was over before the signal came: there are more jobs and rounds.
            killer.tried.clear()
            seen = len(killer.rounds)
            await bench.admin.train(project.project_id)
            await killer.until_round(seen + 1)
        assert killer.rounds[-1]["state"] == "done"
        assert stats.assist.round is not None
        assert killer.hit["attempts"] == 2
        assert stream.socket.connections == 1
        assert audit.check(await bench.votes(), acked, 1, 1).lost == 0
        assert (await bench.stats()).votes == len(acked)
        with pytest.raises(ApiError):
            await bench.admin.request("GET", "/api/projects/none")
