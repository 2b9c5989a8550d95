"""A new server takes over from the old one behind a proxy, as in an upgrade: people are told, come
back by themselves, and lose nothing. One data folder never has two servers."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from chorus.client.process import ServerProcess, free_port
from chorus.simulate import audit
from tests.faults.proxy import Proxy
from tests.faults.soak_faults import ORDERLY
from tests.faults.test_server_killed import Crew
from tests.servers import PATIENCE, Bench, TestServer, eventually, pictures

pytestmark = [pytest.mark.timeout(240), pytest.mark.slow]


async def test_the_next_server_takes_over_behind_a_proxy(
    server: TestServer, tmp_path: Path
) -> None:
    count = 800
    async with Proxy(server.process.port) as proxy, Bench(server) as bench:
        await bench.make(pictures(tmp_path / "pictures", count), page_size=4)
        crew = Crew()
        # People come through the proxy.
        bench.server = TestServer(server.process, server.token)
        server.process.url = proxy.url
        streams = [await bench.labeler(credit=2) for _ in range(4)]
        tasks = [asyncio.ensure_future(crew.work(stream)) for stream in streams]
        await crew.until(60)
        # The next one is started first: it waits for the old one to end.
        following = ServerProcess(server.process.data_dir, free_port())
        starting = asyncio.ensure_future(following.start())
        try:
            stopped = asyncio.ensure_future(server.process.stop())
            await starting
            proxy.target = following.port
            assert await stopped in ORDERLY
            await crew.until(len(crew.acked) + 60)
            assert not any(task.done() for task in tasks)
            for stream in streams:
                await eventually(stream, lambda one=stream: one.socket.connections >= 2)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            found = audit.check(await bench_votes(bench, following), crew.acked, 1, 1)
            assert (found.lost, found.duplicate) == (0, 0)
        finally:
            await following.stop()
    checked = server.process.fsck()
    assert checked.returncode == 0, checked.stdout


async def bench_votes(bench: Bench, process: ServerProcess) -> list[audit.VoteRow]:
    async with Bench(TestServer(process, bench.server.token)) as other:
        other.project = bench.project
        return await other.votes()


async def test_a_data_folder_has_one_server(server: TestServer) -> None:
    second = ServerProcess(server.process.data_dir, free_port())
    second.log = server.process.data_dir / "second.log"
    starting = asyncio.ensure_future(second.start())
    try:
        async with asyncio.timeout(PATIENCE):
            while "waiting for it to end" not in second.log_tail():  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        server.process.kill9()  # a lock ends with its holder
        await asyncio.wait_for(starting, PATIENCE)
        async with Bench(TestServer(second, server.token)) as bench:
            assert await bench.admin.projects() == []
    finally:
        starting.cancel()
        await second.stop()
