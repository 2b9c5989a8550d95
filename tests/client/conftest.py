from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.servers import Bench, TestServer, running


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestServer]:
    with running(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
async def bench(server: TestServer) -> AsyncIterator[Bench]:
    async with Bench(server) as bench:
        yield bench
