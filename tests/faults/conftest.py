from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import TestServer, running


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TestServer]:
    """A server of the test's own, to be killed."""
    with running(tmp_path / "data") as server:
        yield server
