"""Fixtures that every part of the tests shares."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.servers import Bench, TestServer

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "data"

# One backbone unless a test asks for more: the second needs many seconds to get ready in each of
# the many fresh data folders.
os.environ.setdefault("CHORUS_BACKBONE", "efficientnet_lite0")

# How long an example takes is the machine's affair; what it finds must be repeatable.
settings.register_profile("chorus", deadline=None, derandomize=True)
settings.load_profile("chorus")


@pytest.fixture
async def bench(server: TestServer) -> AsyncIterator[Bench]:
    """A bench on the `server` of the test's own module or folder."""
    async with Bench(server) as bench:
        yield bench


def shared_folder(name: str) -> Path:
    """Real data `name` beside the repository, or skip the test."""
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"real data is not here: ../shared/data/{name}")
    return folder


@pytest.fixture(scope="session")
def clothing() -> Path:
    """2,000 photos of 256 px in 10 classes: `images/` and `gold.csv`."""
    return shared_folder("clothing")


@pytest.fixture(scope="session")
def cifar10n() -> Path:
    """2,000 images of 32 px: `images/`, `gold.csv`, and `votes.csv` with three people's labels."""
    return shared_folder("cifar10n")
