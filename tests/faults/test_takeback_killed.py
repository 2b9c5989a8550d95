"""`kill -9` while votes are being taken back, while new rules reach the items: finished after."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from chorus.client import LabelerStream
from chorus.simulate.setup import add_person
from tests.servers import PATIENCE, Bench, TestServer, ends_clean, page_of, pictures, vote_page

pytestmark = pytest.mark.timeout(240)
COUNT = 1260
"""Seven chunks: enough that a server is killed before the last."""


async def voted(bench: Bench, folder: Path, answer: str | None = None) -> tuple[str, LabelerStream]:
    """A new person answers everything."""
    person, token = await add_person(
        bench.admin, bench.project.project_id, f"p-{answer}", "P", "labeler"
    )
    stream = await bench.labeler(token, page_size=9, credit=4)
    for _ in range(COUNT // 9):
        await vote_page(stream, await page_of(stream), answer)
    return person.user_id, stream


async def kill(server: TestServer) -> None:
    server.process.kill9()
    await server.process.restart()


async def settled(bench: Bench) -> None:
    """Wait until every item follows the facts."""
    watch = await bench.watch()
    await asyncio.wait_for(watch.until(lambda s: not s.remerging), PATIENCE)


async def test_a_takeback_and_its_undoing_survive_a_kill(
    server: TestServer, tmp_path: Path
) -> None:
    async with Bench(server) as bench:
        # By majority: an estimate of skills made meanwhile would change labels too.
        rules = {"votes_min": 2, "votes_max": 2, "consensus": "majority"}
        await bench.make(pictures(tmp_path / "in", COUNT, size=8), **rules)
        user_id, _ = await voted(bench, tmp_path, "red")
        _, other = await voted(bench, tmp_path)
        before = await bench.stats()
        path = f"/api/projects/{bench.project.project_id}/takebacks"
        done = (await bench.admin.request("POST", path, json={"user_id": user_id})).json()
        assert (done["items"], done["pending"]) == (COUNT, True)
        await kill(server)
        await settled(bench)
        after = await bench.stats()
        assert after.votes == COUNT
        assert after.counts.labeled == 0
        one = f"{path}/{done['takeback_id']}"
        assert (await bench.admin.request("DELETE", one)).json()["pending"]
        await kill(server)
        await settled(bench)
        again = await bench.stats()
        assert (again.counts, again.labels, again.votes) == (
            before.counts, before.labels, before.votes,
        )  # fmt: skip
        await other.socket.flushed()
    await ends_clean(server)


async def test_new_rules_survive_a_kill(server: TestServer, tmp_path: Path) -> None:
    async with Bench(server) as bench:
        project = await bench.make(pictures(tmp_path / "in", COUNT, size=8))
        await voted(bench, tmp_path)
        assert (await bench.stats()).counts.labeled == COUNT
        await bench.admin.change_project(project.project_id, votes_min=2, votes_max=3)
        await kill(server)
        watch = await bench.watch()
        stats = await watch.until(lambda s: not s.remerging)
        assert (stats.counts.labeled, stats.counts.in_progress) == (0, COUNT)
    await ends_clean(server)
