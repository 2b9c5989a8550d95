"""The short way of a websocket: whatever the network cuts, the same texts in the same order."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from uvicorn.server import ServerState
from websockets.frames import Frame, Opcode

from chorus.server.transport.wire import EXTENSION, WAITING_MAX, WAITING_SIZE_MAX, Gone, Wire

HELLO = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
MOST = 2000


class Transport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False
        self.reading = True

    def write(self, data: Any) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


async def opened(most: int = MOST) -> tuple[Wire, Transport, asyncio.Future[None]]:
    """A socket whose application has accepted it; the future ends the application."""
    end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    accepted = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["extensions"][EXTENSION] is wire
        await receive()
        await send({"type": "websocket.accept"})
        accepted.set()
        await end

    config = uvicorn.Config(app, ws_max_size=most, ws_per_message_deflate=False, lifespan="off")
    config.load()
    wire, transport = Wire(config, ServerState(), {}), Transport()
    wire.connection_made(transport)
    wire.data_received(HELLO)
    await accepted.wait()
    transport.written = b""
    return wire, transport, end


def text_frames(text: str, fragments: int) -> bytes:
    """As a client sends it: masked, in one frame or several."""
    data, out = text.encode(), b""
    cuts = [len(data) * n // fragments for n in range(fragments + 1)]
    for n in range(fragments):
        opcode = Opcode.TEXT if n == 0 else Opcode.CONT
        frame = Frame(opcode, data[cuts[n] : cuts[n + 1]], fin=n == fragments - 1)
        out += frame.serialize(mask=True)
    return out


MESSAGES = st.lists(
    st.one_of(
        st.tuples(st.text(max_size=300), st.sampled_from([1, 1, 1, 1, 3])),
        st.just(("ping", 0)),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=25)
@given(MESSAGES, st.lists(st.integers(0, 4000), max_size=6), st.integers(0, 4))
def test_texts_come_whole_and_in_order(
    messages: list[tuple[str, int]], cuts: list[int], drip: int
) -> None:
    """drip 0: byte by byte."""

    async def run() -> None:
        wire, transport, end = await opened()
        sent = b""
        for text, fragments in messages:
            ping = Frame(Opcode.PING, b"p").serialize(mask=True)
            sent += text_frames(text, fragments) if fragments else ping
        places = sorted({0, *(cut % len(sent) for cut in cuts), len(sent)})
        if drip == 0:
            places = list(range(len(sent) + 1))
        for n, at in enumerate(places[:-1]):
            wire.data_received(sent[at : places[n + 1]])
        wanted = [text for text, fragments in messages if fragments]
        heard: list[str] = []
        while len(heard) < len(wanted):
            texts = await wire.texts()
            heard += [text if isinstance(text, str) else text.decode() for text in texts]
        assert heard == wanted
        pongs = sum(not fragments for _, fragments in messages)
        assert transport.written == Frame(Opcode.PONG, b"p").serialize(mask=False) * pongs
        await wire.send_frames([(b"a" * n, b"b") for n in (0, 124, 125, 70_000)])
        for n in (0, 124, 125, 70_000):
            frame = Frame(Opcode.TEXT, b"a" * n + b"b").serialize(mask=False)
            assert frame in transport.written
        wire.connection_lost(None)
        try:
            await wire.texts()
        except Gone:
            end.set_result(None)
        await end

    asyncio.run(run())


async def test_what_breaks_the_protocol_ends_the_connection() -> None:
    for bad, code in (
        (Frame(Opcode.TEXT, b"x" * (MOST + 1)).serialize(mask=True), 1009),
        (Frame(Opcode.TEXT, b"\xff\xfe").serialize(mask=True), 1007),
        (Frame(Opcode.TEXT, b"not masked").serialize(mask=False), 1002),
        (b"\xc1" + Frame(Opcode.TEXT, b"a bit too many").serialize(mask=True)[1:], 1002),
    ):
        wire, transport, end = await opened()
        wire.data_received(text_frames("good", 1) + bad)
        assert await wire.texts() == [b"good"]
        assert transport.written[2:4] == code.to_bytes(2, "big")
        assert transport.closed
        end.set_result(None)


async def test_a_frame_that_drips_in_is_not_put_together_for_each_drop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wire, _, end = await opened()
    looks = 0
    take = wire._take

    def counted(data: bytes) -> bytes:
        nonlocal looks
        looks += 1
        return take(data)

    monkeypatch.setattr(wire, "_take", counted)
    for byte in text_frames("x" * MOST, 1):
        wire.data_received(bytes([byte]))
    assert await wire.texts() == [b"x" * MOST]
    assert looks <= 5  # while the head was not whole, and when all was there
    end.set_result(None)


@pytest.mark.parametrize(
    ("size", "wait"), [(1, WAITING_MAX), (WAITING_SIZE_MAX // 4, 4), (2 * WAITING_SIZE_MAX, 1)]
)
async def test_nothing_more_is_read_while_as_much_waits_as_may(size: int, wait: int) -> None:
    wire, transport, end = await opened(4 * WAITING_SIZE_MAX)
    for _ in range(2):
        for _ in range(wait):
            assert transport.reading
            wire.data_received(text_frames("x" * size, 1))
        assert not transport.reading
        taken: list[str | bytes] = []
        while len(taken) < wait:
            taken += await wire.texts()
        assert [len(text) for text in taken] == [size] * wait
        assert transport.reading
    end.set_result(None)
