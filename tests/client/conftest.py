from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers import TestServer, running


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestServer]:
    with running(tmp_path_factory.mktemp("server")) as server:
        yield server
