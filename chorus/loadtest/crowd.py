"""A process of people: `python -m chorus.loadtest.crowd PART.json` connects them all and says
"ready"; on stdin comes when to begin (Unix seconds). Then they work in real time, and in the end it
prints what they saw (`Told`, as JSON)."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import math
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from time import monotonic, process_time
from typing import IO, Any

import msgspec
import uvloop

from chorus.client.ids import new_id
from chorus.loadtest.plan import CLASSES, Part, Told
from chorus.loadtest.wire import Refused, Wire

AT_ONCE = 20
"""Sockets being opened at the same time."""
AHEAD = 2
"""Pages that a tab holds: one in hand, one coming (as the browser's)."""
LAST_S = 30.0
"""How long answers that are on their way may still take."""
RETURN_S = 3.0
"""A lost socket comes back after at most so long."""
VOTE_AGAIN_S = 1.0
"""After the server had trouble of its own."""
SHORTEST, LONGEST = 0.5, 1.5
"""A page takes so many times the average, all alike often."""
LOOK_S = 1.0


class _Feed(msgspec.Struct):
    seq: int
    votes: list[tuple[str, int]] = []
    events: list[msgspec.Raw] = []


class _Stats(msgspec.Struct):
    at: int


class _Item(msgspec.Struct):
    item_id: int
    lease_id: int | str


class _Page(msgspec.Struct):
    page_id: int
    items: list[_Item]


class _ItemClosed(msgspec.Struct):
    page_id: int
    item_id: int
    replacement: _Item | None = None


class _PageClosed(msgspec.Struct):
    page_id: int


class _Frame(msgspec.Struct):
    """What is looked at of a server's frame (docs/protocol.md)."""

    re: int | None = None
    ok: bool | None = None
    type: str | None = None
    body: msgspec.Raw = msgspec.Raw(b"{}")
    error: dict[str, Any] | None = None


class _Kept(msgspec.Struct):
    error: dict[str, Any] | None = None


class _Votes(msgspec.Struct):
    votes: list[_Kept]


_decode = msgspec.json.Decoder(_Frame).decode
_votes = msgspec.json.Decoder(_Votes).decode
_encode = msgspec.json.Encoder().encode
_page = msgspec.json.Decoder(_Page).decode


class Seat:
    """A socket that comes back by itself when it is lost."""

    def __init__(self, part: Part, told: Told, token: str) -> None:
        self._part, self.told, self._token = part, told, token
        self.wire: Wire | None = None
        self.ended = False
        self._again: asyncio.Task[None] | None = None
        self._number = 0

    async def connect(self) -> None:
        """Raises `Refused`, `OSError`."""
        self.wire = await Wire.connect(self._part.url, self._token, self.hears)
        self.wire.lost = self._lost
        self._number = 0
        self.begin()

    def begin(self) -> None:
        """A new connection is open."""

    def hears(self, text: bytes) -> None:
        raise NotImplementedError

    def commands(self, *commands: tuple[str, dict[str, Any]]) -> range:
        """Send them in one write; their numbers."""
        first = self._number + 1
        self._number += len(commands)
        if self.wire is not None:
            self.wire.send(
                [
                    _encode({"id": first + n, "type": type, "body": body})
                    for n, (type, body) in enumerate(commands)
                ]
            )
        return range(first, self._number + 1)

    def close(self) -> None:
        self.ended = True
        if self._again is not None:
            self._again.cancel()
        if self.wire is not None:
            self.wire.close()

    def _lost(self) -> None:
        self.wire = None
        if not self.ended:
            self.told.reconnects += 1
            self._again = asyncio.ensure_future(self._return())

    async def _return(self) -> None:
        while True:
            await asyncio.sleep(random.uniform(0.5, RETURN_S))
            with contextlib.suppress(OSError, Refused):
                await self.connect()
                return


class Labeler(Seat):
    def __init__(self, part: Part, told: Told, token: str, chance: random.Random) -> None:
        super().__init__(part, told, token)
        self.pages: dict[int, _Page] = {}
        self.arrived: dict[int, float] = {}
        self.empty = False
        self.opened = asyncio.Event()
        self.chance = chance
        self.acked: IO[str] | None = None
        self.began = 0.0
        """When all of them began, by the monotonic clock."""
        self._tab = f"{chance.getrandbits(128):032x}"
        self._extra: set[int] = set()
        """Pages in hand that came without credit."""
        self._unacked: dict[str, tuple[float, dict[str, Any]]] = {}
        """vote_id: (when it was cast, its body)."""
        self._asked: dict[int, list[str]] = {}
        """Command: the votes that it has."""
        self._changed: asyncio.Future[None] | None = None

    async def change(self) -> None:
        self._changed = asyncio.get_running_loop().create_future()
        await self._changed

    async def flushed(self) -> None:
        while self._unacked:
            await self.change()

    def begin(self) -> None:
        self._asked.clear()
        body = {
            "project_id": self._part.project_id, "tab": self._tab,
            "page_size": self._part.page_size, "credit": max(0, AHEAD - len(self.pages)),
        }  # fmt: skip
        self.commands(("labeling.open", body))
        self._send([body for _, body in self._unacked.values()])

    def finish(self, page: _Page, each_ms: int) -> None:
        """Answer all of a page, and ask for one more."""
        now = monotonic()
        bodies = []
        for item in page.items:
            vote_id = new_id()
            body = {
                "vote_id": vote_id, "item_id": item.item_id, "lease_id": item.lease_id,
                "kind": "label", "value": {"class": self.chance.choice(CLASSES)},
                "duration_ms": each_ms,
            }  # fmt: skip
            self._unacked[vote_id] = now, body
            bodies.append(body)
        del self.pages[page.page_id]
        self.arrived.pop(page.page_id, None)
        more = page.page_id not in self._extra
        self._extra.discard(page.page_id)
        self.empty = False
        self._send(bodies, credit=more)

    def _send(self, bodies: Sequence[dict[str, Any]], credit: bool = False) -> None:
        project = {"project_id": self._part.project_id}
        commands: list[tuple[str, dict[str, Any]]] = []
        if bodies:
            commands.append(("votes.cast", {**project, "votes": bodies}))
        if credit:
            commands.append(("labeling.credit", {**project, "n": 1}))
        if not commands or self.wire is None:  # `begin` does it then
            return
        first = self.commands(*commands)[0]
        if bodies:
            self._asked[first] = [body["vote_id"] for body in bodies]

    def hears(self, text: bytes) -> None:
        frame = _decode(text)
        if frame.re is not None:
            self._reply(frame.re, frame)
        elif frame.type == "page":
            page = _page(frame.body)
            if page.page_id not in self.pages:
                self.arrived[page.page_id] = monotonic()
            self.pages[page.page_id] = page
            self.empty = False
        elif frame.type == "item.closed":
            self._item_closed(msgspec.json.decode(frame.body, type=_ItemClosed))
        elif frame.type == "page.closed":
            page_id = msgspec.json.decode(frame.body, type=_PageClosed).page_id
            self.pages.pop(page_id, None)
            self.arrived.pop(page_id, None)
        elif frame.type == "empty":
            self.empty = True
        else:
            return
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)

    def _reply(self, number: int, frame: _Frame) -> None:
        vote_ids = self._asked.pop(number, None)
        error = frame.error or {}
        if vote_ids is None:
            if frame.ok:
                self.opened.set()
            elif not error.get("retry"):
                self.told.failures.append(str(error.get("message", error)))
            return
        kept = _votes(frame.body).votes if frame.ok else [_Kept(frame.error)] * len(vote_ids)
        again: list[str] = []
        for vote_id, one in zip(vote_ids, kept, strict=True):
            self._answered(vote_id, one, again)
        if again:
            asyncio.get_running_loop().call_later(VOTE_AGAIN_S, self._send_again, again)

    def _answered(self, vote_id: str, kept: _Kept, again: list[str]) -> None:
        if kept.error is not None and kept.error.get("retry"):
            again.append(vote_id)
            return
        sent, _ = self._unacked.pop(vote_id, (0.0, None))
        if kept.error is not None:
            code = str(kept.error.get("code"))
            self.told.refused[code] = self.told.refused.get(code, 0) + 1
        elif sent:
            self.told.acked(max(0, int(sent - self.began)), monotonic() - sent)
            self.told.votes += 1
            if self.acked is not None:
                self.acked.write(f"{vote_id}\n")

    def _send_again(self, vote_ids: Sequence[str]) -> None:
        self._send([self._unacked[v][1] for v in vote_ids if v in self._unacked])

    def _item_closed(self, closed: _ItemClosed) -> None:
        page = self.pages.get(closed.page_id)
        if page is None:
            if closed.replacement is not None:
                # The page had been finished when this was put on it: a page of its own.
                self._extra.add(closed.page_id)
                self.pages[closed.page_id] = _Page(closed.page_id, [closed.replacement])
                self.arrived[closed.page_id] = monotonic()
            return
        replacement = [] if closed.replacement is None else [closed.replacement]
        at = next((n for n, i in enumerate(page.items) if i.item_id == closed.item_id), None)
        if at is not None:
            page.items[at : at + 1] = replacement


class Watcher(Seat):
    """A dashboard: the figures, the feed and the server, as the page subscribes to them."""

    def begin(self) -> None:
        topic = f"project/{self._part.project_id}"
        self.commands(
            *(("subscribe", {"topic": t}) for t in (f"{topic}/stats", f"{topic}/feed", "server"))
        )

    def hears(self, text: bytes) -> None:
        told = self.told
        frame = _decode(text)
        if frame.type is None or frame.type == "welcome":
            return
        told.frames += 1
        told.frame_chars += len(frame.body)
        if frame.type == "feed":
            body = msgspec.json.decode(frame.body, type=_Feed)
            told.events_told += len(body.events) + sum(n for _, n in body.votes)
        elif frame.type == "stats":
            at = msgspec.json.decode(frame.body, type=_Stats).at
            told.lags.add(max(0.0, time.time() - at / 1000))


def left_of_first(think_s: float, chance: random.Random) -> float:
    """Seconds that somebody who has been at it for long still needs for their page: so that as many
    pages come in the first seconds as later.

    A moment falls into a long page more often than into a short one, by its length (the waiting
    time paradox: Feller, An Introduction to Probability Theory and Its Applications II, I.4).
    With `uniform(0, think_s)` for everybody a wave of half as many again came after `think_s`.
    """
    its_length = math.sqrt(chance.uniform(SHORTEST**2, LONGEST**2))
    return think_s * chance.uniform(0, its_length)


class Crowd:
    def __init__(self, part: Part, acked: IO[str]) -> None:
        self._part = part
        self._acked = acked
        self._random = random.Random(part.seed)
        self._end = 0.0
        self.told = Told()

    async def run(self) -> Told:
        part = self._part
        labelers = [Labeler(part, self.told, t, self._random) for t in part.labelers]
        watchers = [Watcher(part, self.told, t) for t in part.dashboards]
        seats: list[Seat] = [*labelers, *watchers]
        gate = asyncio.Semaphore(AT_ONCE)

        async def seated(seat: Seat) -> None:
            async with gate:
                await seat.connect()

        try:
            await asyncio.gather(*map(seated, seats))
            for one in labelers:
                one.acked = self._acked
                await one.opened.wait()
            gc.collect()
            gc.freeze()
            print("ready", flush=True)
            begin_at = float(await asyncio.to_thread(sys.stdin.readline))
            await asyncio.sleep(max(0.0, begin_at - time.time()))
            began, start = process_time(), monotonic()
            for one in labelers:
                one.began = start
            self._end = begin_at + part.seconds
            people = [asyncio.ensure_future(self._label(one)) for one in labelers]
            async with asyncio.timeout(part.seconds + 2 * part.think_s + LAST_S):
                for outcome in await asyncio.gather(*people, return_exceptions=True):
                    if isinstance(outcome, Exception):
                        self.told.failures.append(f"{type(outcome).__name__}: {outcome}")
            self.told.cpu_s = process_time() - began
        finally:
            for seat in seats:
                seat.close()
        return self.told

    async def _label(self, one: Labeler) -> None:
        """One person: look at a page, send it, and go on with the next, which is there already."""
        think_s = self._part.think_s
        left = left_of_first(think_s, self._random)
        waiting_since = None
        while time.time() < self._end:
            page = next(iter(one.pages.values()), None)
            if page is None:
                self.told.starved += one.empty
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(one.change(), LOOK_S)  # so that the end is seen
                continue
            if waiting_since is not None:
                self.told.pages.add(max(0.0, one.arrived[page.page_id] - waiting_since))
            await asyncio.sleep(left)
            if time.time() >= self._end:
                break
            if page.page_id not in one.pages:  # it was taken back meanwhile
                continue
            waiting_since = monotonic()
            one.finish(page, int(1000 * left / max(1, len(page.items))))
            left = think_s * self._random.uniform(SHORTEST, LONGEST)
        await one.flushed()


def main(part: Part) -> Told:
    with Path(part.acked).open("w") as acked:
        return uvloop.run(_crowd(part, acked))


async def _crowd(part: Part, acked: IO[str]) -> Told:
    return await Crowd(part, acked).run()


if __name__ == "__main__":
    found = main(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Part))
    print(msgspec.json.encode(found).decode(), flush=True)
