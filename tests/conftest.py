"""Fixtures that every part of the tests shares."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests import servers
from tests.buckets import Buckets, buckets
from tests.servers import Bench, TestServer, running
from tests.sources import Sources

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "data"

# One backbone unless a test asks for more: the second needs many seconds to get ready in each of
# the many fresh data folders.
os.environ.setdefault("CHORUS_BACKBONE", "efficientnet_lite0")

# Processes share the tests, each with a server of its own: threads of theirs would only wait for
# each other. (Before anything imports numpy or torch.)
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# Folders of tests in memory, if there is room: a vote is then kept at once, however busy the disk
# is. (What a killed process has written stays there, too.)
MEMORY = Path("/dev/shm")
if "TMPDIR" not in os.environ and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 6 << 30:
    os.environ["TMPDIR"] = str(MEMORY)
    tempfile.tempdir = None

# How long an example takes is the machine's affair; what it finds must be repeatable.
settings.register_profile("chorus", deadline=None, derandomize=True)
settings.load_profile("chorus")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Processes that share the tests take them file by file, in this order: those that take long
    first, so that at the end none is left alone with one."""
    if hasattr(config, "workerinput"):
        slow = {item.path for item in items if item.get_closest_marker("slow")}
        served = {i.path for i in items if {"server", "run"} & set(getattr(i, "fixturenames", ()))}
        items.sort(key=lambda item: (item.path not in slow, item.path not in served))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test is reported, whatever happens on the way: Python 3.11 now and then fails to
    parse the source that pytest shows ("AST constructor recursion depth mismatch"), which would
    end the run of all tests."""
    try:
        return (yield)
    except SystemError:
        item.config.option.tbstyle = "native"
        return pytest.TestReport.from_item_and_call(item, call)


@pytest.fixture(scope="session", autouse=True)
def networks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The exported networks: made once in a run, whichever process needs them first."""
    base = tmp_path_factory.getbasetemp()
    # A worker of pytest-xdist has a folder of its own in that of the run.
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "models"
    folder.mkdir(exist_ok=True)
    servers.MODELS = folder
    return folder


@pytest.fixture
def models(networks: Path) -> Path:
    """The folder of networks that a test of the model works with."""
    return networks


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestServer]:
    """One server for all tests of this process; each has a project and people of its own.

    Whatever they did: at the end states, labels and counts follow from the votes and the log.
    """
    with running(tmp_path_factory.mktemp("server") / "data") as started:
        yield started
    checked = started.process.fsck()
    assert checked.returncode == 0, checked.stdout


@pytest.fixture
async def bench(server: TestServer) -> AsyncIterator[Bench]:
    """A bench on the `server`: everybody's, or that of the test's own module or folder."""
    async with Bench(server) as bench:
        yield bench


@pytest.fixture
async def project(bench: Bench) -> Sources:
    """The data sources of a project of one's own, on the test's server."""
    await bench.make()
    return Sources(bench)


@pytest.fixture(scope="session")
def s3() -> Iterator[Buckets]:
    """An S3 server; each test has buckets of its own in it."""
    with buckets() as found:
        yield found


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
