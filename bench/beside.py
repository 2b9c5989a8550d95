"""Starting the servers that ours is compared with (bench.echo, bench.broadcast)."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from chorus.client.process import free_port


@asynccontextmanager
async def beside(module: str) -> AsyncIterator[tuple[str, int]]:
    """(URL, process id) of `python -m module PORT`, which answers by then and ends afterwards.
    Raises `TimeoutError` after half a minute."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", module, str(port)])  # noqa: ASYNC220
    url = f"http://127.0.0.1:{port}"
    try:
        await _ready(url)
        yield url, process.pid
    finally:
        process.terminate()
        process.wait()


async def _ready(url: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as http, asyncio.timeout(30):
        while True:
            try:
                await http.get(f"{url}/healthz")
            except httpx.TransportError:
                await asyncio.sleep(0.05)
            else:
                return
