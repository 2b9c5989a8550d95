"""`chorus demo` as somebody runs it: their pictures, three links, colleagues at work, Ctrl-C."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from chorus.client.process import alive, descendants
from tests.servers import PATIENCE, pictures, right

ITEMS = 40
ROOMS = {"Label": "/label", "Supervise": "", "Administer": None}
"""Whom a link is for -> where it leads in the project; None: to all projects."""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    folder = pictures(tmp_path / "own" / "images", ITEMS).parent
    names = sorted(path.name for path in (folder / "images").iterdir())
    rows = [f"{name},{right(name)}" for name in names]
    (folder / "gold.csv").write_text("\n".join(["item,label", *rows, ""]))
    return folder


@asynccontextmanager
async def demo(own: Path, data: Path) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "chorus.server.cli", "demo", "--data", str(own),
        "--data-dir", str(data), stdout=PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def said(process: Process, pattern: str) -> re.Match[str]:
    """The first line from here on in which there is `pattern`."""
    assert process.stdout is not None
    seen = []
    async with asyncio.timeout(PATIENCE):
        async for line in process.stdout:
            seen.append(line.decode())
            if found := re.search(pattern, seen[-1]):
                return found
    raise AssertionError(f"it ended without {pattern!r}:\n{''.join(seen)}")


async def test_people_are_let_in_colleagues_label_and_it_goes_on_where_it_was(
    own: Path, tmp_path: Path
) -> None:
    async with demo(own, tmp_path / "data") as process:
        await said(process, f"^{ITEMS} pictures, 0 duplicates")
        project = None
        for who, room in ROOMS.items():
            link = (await said(process, rf"^\s+{who}\s+(http\S+)$"))[1]
            async with httpx.AsyncClient(trust_env=False, follow_redirects=True) as browser:
                answer = await browser.get(link)
            assert answer.status_code == 200
            if room is None:
                assert answer.url.path == "/"
            else:
                project = project or answer.url.path.removesuffix(room)
                assert answer.url.path == f"{project}{room}"
        labeled = int((await said(process, rf"^([1-9]\d*) of {ITEMS} labeled"))[1])
        started = descendants(process.pid)
        assert started
        process.send_signal(signal.SIGINT)
        await said(process, "^Stopped")
        assert await process.wait() == 0
        async with asyncio.timeout(PATIENCE):
            while any(map(alive, started)):  # noqa: ASYNC110 (other processes end)
                await asyncio.sleep(0.05)
    async with demo(own, tmp_path / "data") as process:
        assert int((await said(process, rf"^(\d+) of {ITEMS} labeled"))[1]) >= labeled
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
