"""A real Chromium on pages of a real server."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests.servers import TestServer, running


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestServer]:
    with running(tmp_path_factory.mktemp("browser-data")) as started:
        yield started


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    assert path is not None, "no Chromium: run `make chromium`"
    # Root has no user namespaces to build the sandbox from (CI in a container).
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(
            executable_path=path,
            args=[*sandbox, "--disable-background-networking", "--disable-component-update"],
        )
        yield started
        await started.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "pictures"
