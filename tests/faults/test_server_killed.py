"""`kill -9` of the server: what was acknowledged is kept, once, and people go on by themselves."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from chorus.client import ApiError, LabelerStream
from chorus.client.upload import follow
from chorus.server.storage.sqlite import connect
from chorus.simulate import audit
from tests.servers import PATIENCE, Bench, TestServer, ends_clean, pictures, right

pytestmark = pytest.mark.timeout(240)


class Crew:
    """Labelers who work without pause, and what the server acknowledged to them."""

    def __init__(self) -> None:
        self.acked: set[str] = set()
        self.grown = asyncio.Event()

    async def work(self, stream: LabelerStream) -> None:
        while True:
            page = await stream.next_page()
            if page is None:
                await stream.change()
                continue
            votes = [
                stream.vote(item, "label", right(item.name))
                for item in page.items
                if item.vote is None
            ]
            await asyncio.gather(*(self.cast(stream, vote) for vote in votes))
            await stream.finish(page)

    async def cast(self, stream: LabelerStream, vote: dict[str, object]) -> None:
        try:
            await stream.socket.cast(vote)
        except ApiError as error:
            raise AssertionError(f"a vote was refused: {error}") from error
        self.acked.add(str(vote["vote_id"]))
        self.grown.set()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while len(self.acked) < count:
                self.grown.clear()
                await self.grown.wait()


@pytest.mark.parametrize(("votes_min", "votes_max"), [(1, 1), (2, 3)])
async def test_acked_votes_survive_and_labelers_go_on(
    server: TestServer, tmp_path: Path, votes_min: int, votes_max: int
) -> None:
    count = 300
    crew = Crew()
    async with Bench(server) as bench:
        folder = pictures(tmp_path / "pictures", count)
        await bench.make(folder, page_size=4, votes_min=votes_min, votes_max=votes_max)
        streams = [await bench.labeler(credit=2) for _ in range(6)]
        tasks = [asyncio.ensure_future(crew.work(stream)) for stream in streams]
        for kills in (60, 150):
            await crew.until(kills)
            server.process.kill9()
            await server.process.restart()
        watch = await bench.watch()
        async with asyncio.timeout(PATIENCE * 2):
            done = asyncio.ensure_future(watch.until(lambda s: s.counts.labeled == count))
            await asyncio.wait([done, *tasks], return_when=asyncio.FIRST_COMPLETED)
        assert [task.exception() for task in tasks if task.done()] == []
        for stream in streams:
            await stream.socket.flushed()
            assert stream.socket.connections >= 2
        for task in tasks:
            task.cancel()
        rows = await bench.votes()
        found = audit.check(rows, crew.acked, votes_min, votes_max)
        given_back = run_out(server, bench.project.project_id)
    assert (found.lost, found.duplicate) == (0, 0)
    assert found.stored == len(crew.acked)
    # Whoever is back too late (a busy machine) finds their items with somebody else, and what they
    # answered is kept as well: one vote more for each lease that had run out, and none without.
    votes = Counter(row.item_id for row in rows if row.standing and row.kind == "label")
    assert len(votes) == count
    for item_id, n in votes.items():
        assert votes_min <= n <= votes_min + given_back[item_id]
    assert found.over <= given_back.total()
    await ends_clean(server)


def run_out(server: TestServer, project_id: str) -> Counter[int]:
    """item_id -> how many leases on it ended without an answer."""
    with closing(connect(server.process.data_dir / "chorus.sqlite", readonly=True)) as db:
        return Counter(
            item_id
            for (item_id,) in db.execute(
                "SELECT item_id FROM lease WHERE project_id = ? AND release_reason = 'expired'",
                (project_id,),
            )
        )


async def test_an_import_that_was_cut_off_can_be_repeated(
    server: TestServer, tmp_path: Path
) -> None:
    count = 1500
    folder = pictures(tmp_path / "pictures", count, size=32)
    async with Bench(server) as bench:
        project = await bench.make()
        job = await bench.admin.import_folder(project.project_id, folder)
        async with asyncio.timeout(PATIENCE):
            while not 0 < job.added < count:
                assert job.state not in ("done", "failed"), "the import was over too soon"
                job = await bench.admin.job(project.project_id, job.job_id)
        server.process.kill9()
        await server.process.restart()
        cut = await bench.admin.job(project.project_id, job.job_id)
        assert cut.state in ("failed", "running", "waiting", "done")
        if cut.state in ("failed", "done"):
            cut = await bench.admin.import_folder(project.project_id, folder)
        async with asyncio.timeout(PATIENCE):
            done = await follow(bench.admin, project.project_id, cut)
        assert done.faulty == 0
        assert (await bench.stats()).counts.items == count
        rows = await audit.items(bench.admin, project.project_id)
        assert len({row.name for row in rows}) == len(rows) == count
    await ends_clean(server)


async def test_an_orderly_stop_ends_every_child(server: TestServer, tmp_path: Path) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(tmp_path / "pictures", 20))
        children = server.process.children()
    await server.process.stop()
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*(_end_of(pid) for pid in children))


async def test_a_killed_server_leaves_no_worker_behind(server: TestServer, tmp_path: Path) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(tmp_path / "pictures", 20))
        children = server.process.children()
        assert children, "an import runs in worker processes"
    server.process.kill9()
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*(_end_of(pid) for pid in children))


async def _end_of(pid: int) -> None:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
