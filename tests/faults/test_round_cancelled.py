"""A supervisor ends a round: its job dies, the pages of the last one stay, and nothing begins
by itself; a retry then goes through. Real processes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chorus.client import ApiError
from chorus.client.messages import Frame, Stats
from tests.faults.test_worker_killed import workers
from tests.servers import PATIENCE, Bench, TestServer, page_of, pictures, vote_page

pytestmark = [pytest.mark.timeout(240), pytest.mark.slow]


class Ender:
    """Follows the events; cancels the round over REST as soon as one of its jobs runs."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.armed = False
        self.asked: asyncio.Task[Any] | None = None
        self.workers: list[int] = []
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.changed = asyncio.Event()

    def on_frame(self, frame: Frame) -> None:
        body = msgspec.json.decode(frame.body) if bytes(frame.body) else {}
        self.events.append((frame.type or "", body))
        job = body.get("job", {})
        if self.armed and job.get("kind") == "train" and job["state"] == "running":
            self.armed = False
            self.workers = workers(self.bench.server)
            cancel = self.bench.admin.cancel_round(self.bench.project.project_id)
            self.asked = asyncio.ensure_future(cancel)
        self.changed.set()

    async def until(self, kind: str, number: int) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE * 2):
            while True:
                for type, body in self.events:
                    if type == kind and body["round"]["number"] == number:
                        return body
                self.changed.clear()
                await self.changed.wait()


def state_of(stats: Stats) -> str | None:
    return stats.assist.round.state if stats.assist.round is not None else None


def queues(stats: Stats) -> dict[str, int]:
    return dict(stats.queue)


async def test_a_cancelled_round_ends_and_waits_for_new_labels(
    server: TestServer, tmp_path: Path
) -> None:
    async with Bench(server) as bench:
        project = await bench.make(
            pictures(tmp_path / "pictures", 60), cluster=True, prelabel=True, page_size=4
        )
        admin, pid = bench.admin, project.project_id
        watch = await bench.watch()
        await watch.until(lambda s: s.assist.featurized == s.assist.featurize_total > 0)
        ender = Ender(bench)
        socket = await bench.socket(server.token)
        topic = f"project/{project.project_id}/events"
        await socket.subscribe("subscribe", lambda: {"topic": topic}, ender.on_frame)
        with pytest.raises(ApiError, match="no round is running"):
            await admin.cancel_round(pid)
        with pytest.raises(ApiError, match="two classes"):
            await admin.train(pid)

        stream = await bench.labeler(credit=2)
        for _ in range(6):
            await vote_page(stream, await page_of(stream))
        await ender.until("round.finished", 1)
        before = await watch.until(lambda s: not s.assist.running and not s.assist.round_due)
        with pytest.raises(ApiError, match="did not fail"):
            await admin.retry_round(pid, 1)

        ender.armed = True
        await admin.train(pid)
        ended = await ender.until("round.cancelled", 2)
        assert ender.asked is not None
        await ender.asked
        assert ended["round"]["state"] == "cancelled"
        assert ended["round"]["reason"] == "cancelled by Admin"
        states = {job["kind"]: job["state"] for job in ended["jobs"]}
        assert states == {
            "featurize": "done", "train": "cancelled", "validate": "cancelled",
            "infer": "cancelled", "cluster": "cancelled",
        }  # fmt: skip
        after = await watch.until(lambda s: state_of(s) == "cancelled" and not s.assist.running)
        assert queues(after) == queues(before)
        assert not after.assist.round_due
        assert after.assist.next_round_at is not None
        assert after.assist.next_round_at > sum(after.labels.values())

        # The killed worker is replaced, and a retry is a round like any other.
        await admin.retry_round(pid, 2)
        await ender.until("round.finished", 3)
        gone = set(ender.workers) - set(workers(server))
        assert gone, "the worker that trained is still there"
        begun = [body["round"]["number"] for type, body in ender.events if type == "round.started"]
        assert begun == [1, 2, 3]

        card = await admin.round_card(pid, 3)
        assert card["card"]["curve"] is not None
        assert card["model"] == {"available": True, "reason": None}
        no_card = await admin.round_card(pid, 2)
        assert no_card["card"] is None
        assert "cancelled" in no_card["model"]["reason"]
        assert "train done in" in await admin.job_log(pid, 3, "train")
        assert "cancelled" in await admin.job_log(pid, 2, "train")
        one = f"/api/projects/{pid}"
        with pytest.raises(ApiError, match="cancelled"):
            await admin.request("GET", f"{one}/rounds/2/model.zip")
        model = await admin.request("GET", f"{one}/rounds/3/model.zip")
        assert model.content[:2] == b"PK"
        again = await admin.request("GET", f"{one}/rounds/3/model.zip")
        assert again.content == model.content
        features = await admin.request("GET", f"{one}/features.zip")
        assert features.content[:2] == b"PK"
        assert [r.state for r in await admin.rounds(pid)] == ["done", "cancelled", "done"]


async def test_a_failed_round_is_had_again_and_a_restart_begins_none(
    server: TestServer, tmp_path: Path
) -> None:
    async with Bench(server) as bench:
        project = await bench.make(pictures(tmp_path / "pictures", 60), prelabel=True, page_size=4)
        admin, pid = bench.admin, project.project_id
        watch = await bench.watch()
        await watch.until(lambda s: s.assist.featurized == s.assist.featurize_total > 0)
        # A file where the round's folder should be: it cannot be made.
        in_the_way = server.process.data_dir / "rounds" / pid / "1"
        in_the_way.write_text("in the way")
        stream = await bench.labeler(credit=2)
        for _ in range(5):
            await vote_page(stream, await page_of(stream))
        failed = await watch.until(lambda s: state_of(s) == "failed" and not s.assist.running)
        assert not failed.assist.round_due, "it does not fail again and again by itself"
        assert {job.state for job in failed.assist.jobs} == {"cancelled"}

        ender = Ender(bench)
        socket = await bench.socket(server.token)
        topic = f"project/{pid}/events"
        await socket.subscribe("subscribe", lambda: {"topic": topic}, ender.on_frame)
        ender.armed = True
        await admin.retry_round(pid, 1)
        await ender.until("round.cancelled", 2)
        await server.process.stop()
        await server.process.restart()
        after = await watch.until(lambda s: state_of(s) == "cancelled" and not s.assist.running)
        assert not after.assist.round_due
        assert [r.state for r in await admin.rounds(pid)] == ["failed", "cancelled"]
        await admin.retry_round(pid, 2)
        await watch.until(lambda s: state_of(s) == "done" and not s.assist.running)
