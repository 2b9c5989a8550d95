"""A TCP proxy that does what networks do, as toxiproxy does: delays, trickles, resets, swallows,
and sends new connections to another server."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from types import TracebackType

CHUNK = 64 << 10


class Proxy:
    """Listens on 127.0.0.1 and passes everything on to `target`, a port."""

    def __init__(self, target: int, seed: int = 0) -> None:
        self.target = target
        self.port = 0
        self.delay_s = 0.0
        """Everything comes so much later, give or take half of it."""
        self.piece = CHUNK
        """Bytes that arrive together."""
        self.passing = asyncio.Event()
        """Cleared: what is sent does not arrive, and nobody is told (a sleeping laptop)."""
        self.passing.set()
        self.open = True
        """False: new connections are refused."""
        self.connections = 0
        self._random = random.Random(seed)
        self._server: asyncio.Server | None = None
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        assert self._server is not None
        self._server.close()
        self.well()
        self.reset()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def reset(self, share: float = 1.0) -> int:
        """Cut this share of the connections, in the middle of whatever was on its way."""
        cut = [pair for pair in list(self._pairs) if self._random.random() < share]
        for pair in cut:
            for writer in pair:
                with contextlib.suppress(OSError):
                    sock = writer.get_extra_info("socket")
                    linger = (1).to_bytes(4, "little") + bytes(4)
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                writer.transport.abort()
        return len(cut)

    def well(self) -> None:
        self.delay_s, self.piece, self.open = 0.0, CHUNK, True
        self.passing.set()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if not self.open:
            writer.transport.abort()
            return
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        self.connections += 1
        pair = (writer, back)
        self._pairs.add(pair)
        try:
            await asyncio.gather(self._pass(reader, back), self._pass(there, writer))
        finally:
            self._pairs.discard(pair)
            for one in pair:
                one.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(self.piece):
                if self.delay_s:
                    await asyncio.sleep(self.delay_s * self._random.uniform(0.5, 1.5))
                await self.passing.wait()
                writer.write(data)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()
