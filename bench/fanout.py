"""One event to a thousand dashboards: frames a second, beside a server that only broadcasts.

The listeners count frames without decoding them, so that what is measured is the server. Both are
also compared by the processor time that they spend on a frame, which others on the machine, and
the listeners, have no part in.
"""

from __future__ import annotations

import asyncio
import base64
import os
import resource
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from time import perf_counter
from typing import Any, cast
from urllib.parse import urlsplit

import httpx

from bench.beside import beside
from chorus.client import Rest
from chorus.client.process import ServerProcess
from chorus.loadtest.watch import cpu_s

DASHBOARDS = 1000
EVENTS = 60
TEXT = 300
"""Characters of what is told, about those of a vote's event."""


class Listener(asyncio.Protocol):
    """A websocket that counts the frames it gets. `opened`: the handshake is over."""

    def __init__(self, host: str, token: str, hears: Callable[[], None]) -> None:
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._host, self._token, self._hears = host, token, hears
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is not derived from it
        transport = self._transport
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            f"GET /ws HTTP/1.1\r\nHost: {self._host}\r\nConnection: Upgrade\r\n"
            f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
            f"Authorization: Bearer {self._token}\r\n\r\n".encode()
        )

    def send(self, text: str) -> None:
        """A text frame, masked with zeros."""
        assert self._transport is not None
        data = text.encode()
        assert len(data) < 1 << 16
        head = bytes([0x81, 0x80 | 126]) + len(data).to_bytes(2, "big")
        self._transport.write(head + b"\0\0\0\0" + data)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self.opened.done():
            head, found, self._buffer = self._buffer.partition(b"\r\n\r\n")
            if not found:
                self._buffer = head
                return
            if b" 101 " not in head.split(b"\r\n")[0]:
                self.opened.set_exception(RuntimeError(head.decode()))
                return
            self.opened.set_result(None)
        while (size := _frame(self._buffer)) is not None:
            text = self._buffer[0] & 15 == 1  # else a ping
            self._buffer = self._buffer[size:]
            if text:
                self._hears()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


def _frame(data: bytes) -> int | None:
    """Bytes of the whole frame that `data` begins with; None: it is not all there."""
    if len(data) < 2:
        return None
    size, head = data[1] & 127, 2
    if size == 126:
        size, head = int.from_bytes(data[2:4], "big"), 4
    elif size == 127:
        size, head = int.from_bytes(data[2:10], "big"), 10
    return head + size if len(data) >= head + size else None


class Hall:
    """All listeners of one server, and how many frames they have got."""

    def __init__(self) -> None:
        self.heard = 0
        self._wanted = 0
        self._there = asyncio.Event()
        self.listeners: list[Listener] = []

    def _hear(self) -> None:
        self.heard += 1
        if self.heard >= self._wanted:
            self._there.set()

    async def fill(self, url: str, token: str, count: int) -> None:
        parts = urlsplit(url)
        loop = asyncio.get_running_loop()
        for _ in range(count):
            _, listener = await loop.create_connection(
                lambda: Listener(parts.netloc, token, self._hear), parts.hostname, parts.port
            )
            await listener.opened
            self.listeners.append(listener)

    async def until(self, heard: int) -> None:
        self._wanted = heard
        self._there.clear()
        if self.heard < heard:
            async with asyncio.timeout(120):
                await self._there.wait()

    async def timed(self, pid: int, tell: Callable[[int], Awaitable[Any]]) -> dict[str, float]:
        """Tell everybody something EVENTS times, the next when all have heard."""
        count = len(self.listeners)
        began, cpu, heard = perf_counter(), cpu_s(pid), self.heard
        for n in range(EVENTS):
            await tell(n)
            await self.until(heard + (n + 1) * count)
        frames = EVENTS * count
        seconds, spent = perf_counter() - began, cpu_s(pid) - cpu
        return {
            "frames_per_s": round(frames / seconds),
            "event_ms": round(seconds / EVENTS * 1000, 2),
            "cpu_us_per_frame": round(spent / frames * 1e6, 2),
        }

    def close(self) -> None:
        for listener in self.listeners:
            listener.close()


async def fanout(folder: Path, dashboards: int = DASHBOARDS) -> dict[str, Any]:
    _files(2 * dashboards + 512)
    ours = await _ours(folder, dashboards)
    bare = await _bare(dashboards)
    return {
        "dashboards": dashboards,
        "events": ours,
        "bare_broadcast": bare,
        "ratio": round(ours["frames_per_s"] / bare["frames_per_s"], 3),
        "ratio_by_processor": round(
            bare["cpu_us_per_frame"] / max(ours["cpu_us_per_frame"], 1e-9), 3
        ),
    }


async def _ours(folder: Path, dashboards: int) -> dict[str, float]:
    process = ServerProcess(folder / "fanout")
    token = process.add_user("admin", "Admin", admin=True)
    async with AsyncExitStack() as stack:
        await process.start()
        stack.push_async_callback(process.stop)
        admin = await stack.enter_async_context(Rest(process.url, token))
        project = await admin.create_project("Fan-out", ["a", "b"], cluster=False, prelabel=False)
        hall = Hall()
        stack.callback(hall.close)
        await hall.fill(process.url, token, dashboards)
        topic = f"project/{project.project_id}/events"
        for listener in hall.listeners:
            listener.send(f'{{"id":1,"type":"subscribe","body":{{"topic":"{topic}"}}}}')
        await hall.until(2 * dashboards)  # welcome, and the reply

        async def tell(n: int) -> None:
            text = f"{n:04}".ljust(TEXT, ".")
            await admin.change_project(project.project_id, description=text)

        return await hall.timed(process.pid, tell)


async def _bare(dashboards: int) -> dict[str, float]:
    async with beside("bench.broadcast") as (url, pid), AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx.AsyncClient(trust_env=False))
        hall = Hall()
        stack.callback(hall.close)
        await hall.fill(url, "none", dashboards)
        # As long as our frame is, with its number, type and time.
        body = "." * (TEXT + 170)
        return await hall.timed(pid, lambda n: http.post(f"{url}/send", content=body))


def _files(need: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < need:
        resource.setrlimit(resource.RLIMIT_NOFILE, (need, hard))
