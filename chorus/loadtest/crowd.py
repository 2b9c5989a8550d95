"""A process of people: `python -m chorus.loadtest.crowd PART.json` connects them all and says
"ready"; on stdin comes when to begin (Unix seconds). Then they work in real time, and in the end it
prints what they saw (`Told`, as JSON)."""

from __future__ import annotations

import asyncio
import gc
import random
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from time import monotonic, process_time
from typing import IO

import msgspec
import uvloop

from chorus.client import ApiError, Closed, LabelerStream, Socket
from chorus.client.messages import Frame
from chorus.loadtest.plan import CLASSES, Part, Told

AT_ONCE = 20
"""Sockets being opened at the same time."""
AHEAD = 2
"""Pages that a tab holds: one in hand, one coming (as the browser's)."""
LAST_S = 30.0
"""How long answers that are on their way may still take."""


class _Feed(msgspec.Struct):
    seq: int
    votes: list[tuple[str, int]] = []
    events: list[dict[str, object]] = []


class _Stats(msgspec.Struct):
    at: int


class Crowd:
    def __init__(self, part: Part, acked: IO[str]) -> None:
        self._part = part
        self._acked = acked
        self._random = random.Random(part.seed)
        self._end = 0.0
        self.told = Told()

    async def run(self) -> Told:
        async with AsyncExitStack() as stack:
            gate = asyncio.Semaphore(AT_ONCE)

            async def socket(token: str) -> Socket:
                async with gate:
                    return await stack.enter_async_context(Socket(self._part.url, token))

            sockets = await asyncio.gather(*map(socket, self._part.labelers))
            streams = await asyncio.gather(*(self._open(gate, one) for one in sockets))
            watching = await asyncio.gather(*map(socket, self._part.dashboards))
            for one in watching:
                await self._watch(one)
            gc.collect()
            gc.freeze()
            print("ready", flush=True)
            begin_at = float(await asyncio.to_thread(sys.stdin.readline))
            await asyncio.sleep(max(0.0, begin_at - time.time()))
            began = process_time()
            self._end = begin_at + self._part.seconds
            people = [asyncio.ensure_future(self._label(stream)) for stream in streams]
            async with asyncio.timeout(self._part.seconds + 2 * self._part.think_s + LAST_S):
                for outcome in await asyncio.gather(*people, return_exceptions=True):
                    if isinstance(outcome, Exception):
                        self.told.failures.append(f"{type(outcome).__name__}: {outcome}")
            self.told.cpu_s = process_time() - began
            self.told.reconnects = sum(s.connections - 1 for s in (*sockets, *watching))
        return self.told

    async def _open(self, gate: asyncio.Semaphore, socket: Socket) -> LabelerStream:
        async with gate:
            return await LabelerStream.open(
                socket, self._part.project_id, credit=AHEAD, page_size=self._part.page_size
            )

    async def _label(self, stream: LabelerStream) -> None:
        """One person: look at a page, send it, and go on with the next, which is there already."""
        # Everybody begins somewhere in the middle of a page.
        left = self._random.uniform(0, self._part.think_s)
        waiting_since = None
        while time.time() < self._end:
            page = await stream.next_page()
            if page is None:
                self.told.starved += 1
                await stream.change()
                continue
            if waiting_since is not None:
                self.told.pages.add(max(0.0, stream.arrived[page.page_id] - waiting_since))
            await asyncio.sleep(left)
            if time.time() >= self._end:
                return
            each = int(1000 * left / max(1, len(page.items)))
            bodies = [
                stream.vote(item, "label", self._random.choice(CLASSES), duration_ms=each)
                for item in page.items
            ]
            sent = monotonic()
            cast = [asyncio.ensure_future(self._cast(stream.socket, body)) for body in bodies]
            await stream.finish(page)
            waiting_since = sent
            await asyncio.gather(*cast)
            left = self._part.think_s * self._random.uniform(0.5, 1.5)

    async def _cast(self, socket: Socket, body: dict[str, object]) -> None:
        sent = monotonic()
        try:
            await socket.cast(body)
        except ApiError as error:
            self.told.refused[error.code] = self.told.refused.get(error.code, 0) + 1
            return
        except Closed:
            return  # nobody was told that it is kept
        self.told.acks.add(monotonic() - sent)
        self.told.votes += 1
        self._acked.write(f"{body['vote_id']}\n")

    async def _watch(self, socket: Socket) -> None:
        """A dashboard: the figures, the feed and the server, as the page subscribes to them."""
        topic = f"project/{self._part.project_id}"
        for name in (f"{topic}/stats", f"{topic}/feed", "server"):
            await socket.subscribe("subscribe", lambda name=name: {"topic": name}, self._frame)  # type: ignore[misc]

    def _frame(self, frame: Frame) -> None:
        told = self.told
        told.frames += 1
        told.frame_chars += len(frame.body)
        if frame.type == "feed":
            body = msgspec.json.decode(frame.body, type=_Feed)
            told.events_told += len(body.events) + sum(n for _, n in body.votes)
        elif frame.type == "stats":
            at = msgspec.json.decode(frame.body, type=_Stats).at
            told.lags.add(max(0.0, time.time() - at / 1000))


def main(part: Part) -> Told:
    with Path(part.acked).open("w") as acked:
        return uvloop.run(_crowd(part, acked))


async def _crowd(part: Part, acked: IO[str]) -> Told:
    return await Crowd(part, acked).run()


if __name__ == "__main__":
    found = main(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Part))
    print(msgspec.json.encode(found).decode(), flush=True)
