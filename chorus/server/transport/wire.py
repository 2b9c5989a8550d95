"""uvicorn's websocket with a short way for what nearly all frames are: whole texts.

The library behind uvicorn parses and builds each frame in Python with a dozen calls, and the layers
above it (ASGI, Starlette) take as many again. Handshake, pings, closing, fragments and everything
that breaks the protocol are left to it; a whole text frame is cut out of the data here, and what
waits to be sent to one socket leaves in one write, without copying what many are sent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request
from websockets.protocol import State
from websockets.speedups import apply_mask

from chorus.server.transport.bell import Bell
from chorus.server.transport.protocol import Frame

EXTENSION = "chorus.wire"
"""In the ASGI scope's extensions: the `Wire` of this socket."""
WAITING_MAX = 64
"""Texts not taken yet, from which on nothing more is read (TCP pushes back) …"""
WAITING_SIZE_MAX = 1 << 20
"""… and how large all of them are together, from which on likewise: a few large ones are enough."""

TEXT = 0x81
"""A whole text frame: final, without extensions."""
CONTROL = (0x88, 0x89, 0x8A)
"""Close, ping, pong."""
MASKED = 0x80
NO_MASK = b"\0\0\0\0"


class _Inbox:
    """In place of uvicorn's queue: ASGI messages, and texts that took the short way, in order."""

    def __init__(self) -> None:
        self.waiting: deque[dict[str, Any] | str | bytes] = deque()
        self.size = 0
        """Of all that wait: bytes, of what is not ASCII characters."""
        self._bell = Bell()

    def put_nowait(self, message: dict[str, Any] | str | bytes) -> None:
        self.waiting.append(message)
        self.size += len(_content(message))
        self._bell.ring()

    def take(self) -> dict[str, Any] | str | bytes:
        """The next of those that wait."""
        message = self.waiting.popleft()
        self.size -= len(_content(message))
        return message

    @property
    def full(self) -> bool:
        return len(self.waiting) >= WAITING_MAX or self.size >= WAITING_SIZE_MAX

    def empty(self) -> bool:
        return not self.waiting

    async def something(self) -> None:
        """Until there is something; one taker at a time."""
        while not self.waiting:
            await self._bell.rung()

    async def get(self) -> dict[str, Any]:
        """The next as an ASGI message."""
        await self.something()
        message = self.take()
        if isinstance(message, dict):
            return message
        return {"type": "websocket.receive", "text": _text(message)}


def _content(message: dict[str, Any] | str | bytes) -> str | bytes:
    """What a message says; of one without a text nothing."""
    if isinstance(message, dict):
        return message.get("text") or message.get("bytes") or b""
    return message


def _text(message: str | bytes) -> str:
    return message if isinstance(message, str) else message.decode()


class Gone(Exception):
    """The connection is over."""


class Wire(WebSocketsSansIOProtocol):
    """One websocket. After ASGI's accept, `texts` and `send_frames` are the short way in and out;
    closing goes by ASGI."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.inbox = _Inbox()
        self.queue = self.inbox  # type: ignore[assignment]
        self._rest: list[bytes] = []
        """The beginning of a frame whose end has not come, as it came in …"""
        self._missing = 0
        """… and how much of it must come before a look is worth it: who sends a large frame byte
        by byte costs no copy of it each time."""
        self._short: bool | None = None
        """Whether frames may take the short way; None: before the first one."""

    # -- the short way, for the application

    async def texts(self) -> list[str | bytes]:
        """All texts that have come since, at least one; bytes are ASCII. Raises `Gone`."""
        inbox = self.inbox
        if not inbox.waiting:
            await inbox.something()
        found: list[str | bytes] = []
        while inbox.waiting:
            message = inbox.waiting[0]
            if isinstance(message, dict) and message["type"] == "websocket.disconnect":
                if found:
                    break  # with the next call
                raise Gone
            found.append(_content(inbox.take()))
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        return found

    async def send_frames(self, frames: Iterable[Frame]) -> None:
        """Send some texts in one write; waits while the other side does not read. Raises `Gone`."""
        if not self.writable.is_set():
            await self.writable.wait()
        if self.disconnected or self.close_sent or self.conn.state is not State.OPEN:
            raise Gone
        parts: list[bytes] = []
        for pieces in frames:
            parts.append(_head(sum(map(len, pieces))))
            parts += pieces
        self.transport.writelines(parts)

    # -- uvicorn's

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.response.status_code == 101:
            # The application starts with the loop's next step.
            extensions = cast(dict[str, Any], self.scope["extensions"])
            extensions[EXTENSION] = self

    def data_received(self, data: bytes) -> None:
        if self._rest:
            self._rest.append(data)
            self._missing -= len(data)
            if self._missing > 0:
                return
            data, self._rest = b"".join(self._rest), []
        if self._short and self.close_sent:
            self._short = False  # nobody takes texts any more; the other side's close is waited for
        if not self._short:
            if not self._may_begin():
                super().data_received(data)
                return
            self._short = True
        rest = self._take(data)
        if self._short:
            if rest:
                self._rest.append(rest)
        elif rest:
            super().data_received(rest)
        if self.inbox.full and not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()

    def _may_begin(self) -> bool:
        """The library's parser is between two messages, and not for good in use."""
        return (
            self._short is None
            and self.handshake_complete
            and self.conn.state is State.OPEN
            and not self.conn.reader.buffer
        )

    def _take(self, data: bytes) -> bytes:
        """Take whole frames off `data`; returns what is left: the beginning of one (`_missing`
        says how much of it is), or, if it needs the library from here on (`_short` is False then),
        all of the rest."""
        at, end = 0, len(data)
        self._missing = 1
        put = self.inbox.put_nowait
        most = self.config.ws_max_size
        while end - at >= 2:
            kind, size, start = data[at], data[at + 1] ^ MASKED, at + 2
            if size >= 126:
                if size > 127 or kind != TEXT:  # not masked; or a control frame too long
                    self._short = False
                    break
                start += 2 if size == 126 else 8
                if end < start:
                    self._missing = start - end
                    break
                size = int.from_bytes(data[at + 2 : start], "big")
            stop = start + 4 + size
            if size > most or (kind != TEXT and kind not in CONTROL):
                self._short = False
                break
            if end < stop:
                self._missing = stop - end
                break
            if kind == TEXT:
                mask, text = data[start : start + 4], data[start + 4 : stop]
                if mask != NO_MASK:
                    text = apply_mask(text, mask)
                if text.isascii():
                    put(text)
                else:
                    try:
                        put(text.decode())
                    except UnicodeDecodeError:
                        self._short = False
                        break
            else:
                super().data_received(data[at:stop])
                if self.conn.state is not State.OPEN or self.close_sent:
                    self._short = False
                    at = stop
                    break
            at = stop
        return data[at:]


def _head(size: int) -> bytes:
    """Of a whole text frame, not masked."""
    if size < 126:
        return bytes((TEXT, size))
    if size < 1 << 16:
        return b"\x81\x7e" + size.to_bytes(2, "big")
    return b"\x81\x7f" + size.to_bytes(8, "big")
