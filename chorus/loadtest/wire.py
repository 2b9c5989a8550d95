"""A websocket with nothing around it: text frames in and out, many in one write.

The people of a load test share the machine with the server they load. The client library
(`chorus.client`) spends on a vote about what the server does: a future, a task and a dozen calls of
its websocket library. Here a page's votes are one write, and its answers one read.
"""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import Callable, Sequence
from typing import cast
from urllib.parse import urlsplit

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
FINAL = 0x80
NO_MASK = b"\0\0\0\0"
"""A client must mask what it sends; by zeros it stays as it is. Masks guard caches of proxies
against what pages of strangers send (RFC 6455, 10.3): we are none."""


class Refused(Exception):
    """The server did not let us in; the first line of its answer."""


class Wire(asyncio.Protocol):
    """`hears(text)` is called for each text frame, `lost()` once when the connection is over."""

    def __init__(self, host: str, token: str, hears: Callable[[bytes], None]) -> None:
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.lost: Callable[[], None] = lambda: None
        self._host, self._token, self._hears = host, token, hears
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def connect(cls, url: str, token: str, hears: Callable[[bytes], None]) -> Wire:
        """Raises `Refused`, `OSError`."""
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        _, wire = await asyncio.get_running_loop().create_connection(
            lambda: cls(parts.netloc, token, hears), parts.hostname or "", port,
            ssl=True if parts.scheme == "https" else None,
        )  # fmt: skip
        await wire.opened
        return wire

    def send(self, texts: Sequence[bytes]) -> None:
        """All of them in one write; nothing, if the connection is over."""
        if self._transport is not None:
            self._transport.write(b"".join([part for text in texts for part in _framed(text)]))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is not derived from it
        key = base64.b64encode(os.urandom(16)).decode()
        self._transport.write(
            f"GET /ws HTTP/1.1\r\nHost: {self._host}\r\nConnection: Upgrade\r\n"
            f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
            f"Authorization: Bearer {self._token}\r\n\r\n".encode()
        )

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        if not self.opened.done():
            self.opened.set_exception(error or Refused("the connection was closed"))
            return
        self.lost()

    def data_received(self, data: bytes) -> None:
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        if not self.opened.done():
            head, found, rest = data.partition(b"\r\n\r\n")
            if not found:
                self._buffer = data
                return
            first = head.split(b"\r\n")[0]
            if b" 101 " not in first:
                self.opened.set_exception(Refused(first.decode("latin-1")))
                self.close()
                return
            self.opened.set_result(None)
            data = rest
        at, end = 0, len(data)
        while end - at >= 2:
            size, start = data[at + 1], at + 2
            if size >= 126:
                start += 2 if size == 126 else 8
                if end < start:
                    break
                size = int.from_bytes(data[at + 2 : start], "big")
            if end < start + size:
                break
            kind, at = data[at], start + size
            if kind == FINAL | TEXT:
                self._hears(data[start:at])
            elif kind == FINAL | PING:
                self._control(PONG, data[start:at])
            elif kind == FINAL | CLOSE:
                self.close()
        if at < end:
            self._buffer = data[at:]

    def _control(self, kind: int, body: bytes) -> None:
        if self._transport is not None:
            head = bytes([FINAL | kind, FINAL | len(body)])
            self._transport.write(head + NO_MASK + body)


def _framed(text: bytes) -> tuple[bytes, bytes, bytes]:
    """(head, mask, text) of a text frame."""
    size = len(text)
    if size < 126:
        return bytes((FINAL | TEXT, FINAL | size)), NO_MASK, text
    if size < 1 << 16:
        return b"\x81\xfe" + size.to_bytes(2, "big"), NO_MASK, text
    return b"\x81\xff" + size.to_bytes(8, "big"), NO_MASK, text
