"""Labels pour in while a round has not begun to learn: it gives way to one that learns from them,
once. Real processes; the worker is stopped, as one that has too much to do."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chorus.client import LabelerStream
from chorus.client.messages import Frame
from tests.faults.test_worker_killed import workers
from tests.servers import PATIENCE, Bench, TestServer, page_of, pictures, vote_page

pytestmark = [pytest.mark.timeout(400), pytest.mark.slow]

PAGES = 14
"""Pages of four: 56 labels."""


class Follower:
    """Follows the events; stops the workers when the training of a round among `stop` begins."""

    def __init__(self, server: TestServer) -> None:
        self.server = server
        self.stop = {1, 2}
        self.stopped: list[int] = []
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.changed = asyncio.Event()

    def on_frame(self, frame: Frame) -> None:
        body = msgspec.json.decode(frame.body) if bytes(frame.body) else {}
        self.events.append((frame.type or "", body))
        job = body.get("job", {})
        if job.get("kind") == "train" and job["state"] == "running":
            number = int(job["job_id"].partition("-")[0].removeprefix("r"))
            if number in self.stop:
                self.stop.discard(number)
                self.stopped = workers(self.server)
                for pid in self.stopped:
                    os.kill(pid, signal.SIGSTOP)
        self.changed.set()

    def go_on(self) -> None:
        for pid in self.stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self.stopped = []

    async def until_stopped(self) -> None:
        async with asyncio.timeout(PATIENCE * 3):
            while not self.stopped:
                self.changed.clear()
                await self.changed.wait()

    async def until(self, kind: str, number: int) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE * 3):
            while True:
                for type, body in self.events:
                    if type == kind and body["round"]["number"] == number:
                        return body
                self.changed.clear()
                await self.changed.wait()


async def test_a_round_with_old_input_is_replaced_once(server: TestServer, tmp_path: Path) -> None:
    async with Bench(server) as bench:
        project = await bench.make(
            pictures(tmp_path / "pictures", 150), cluster=True, prelabel=True, page_size=4
        )
        watch = await bench.watch()
        await watch.until(lambda s: s.assist.featurized == s.assist.featurize_total > 0)
        follower = Follower(server)
        socket = await bench.socket(server.token)
        topic = f"project/{project.project_id}/events"
        await socket.subscribe("subscribe", lambda: {"topic": topic}, follower.on_frame)

        stream = await bench.labeler(credit=2)
        await label(stream, 5)
        await follower.until_stopped()
        await label(stream, PAGES)
        ended = await follower.until("round.cancelled", 1)
        follower.go_on()
        assert ended["round"]["state"] == "replaced"
        assert "since it began with 20" in ended["round"]["reason"]
        assert {job["kind"]: job["state"] for job in ended["jobs"]}["train"] == "cancelled"

        begun = await follower.until("round.started", 2)
        assert begun["round"]["labels"] >= 70
        follower.stopped = []
        await follower.until_stopped()
        await label(stream, PAGES)
        assert not [body for type, body in follower.events if type == "round.cancelled"][1:]
        follower.go_on()
        await follower.until("round.finished", 2)
        rounds = await bench.admin.rounds(project.project_id)
        assert [r.state for r in rounds][:2] == ["replaced", "done"]


async def label(stream: LabelerStream, pages: int) -> None:
    for _ in range(pages):
        await vote_page(stream, await page_of(stream))
