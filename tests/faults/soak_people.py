"""Labelers of the soak: they answer, correct, leave and come back through a bad network, and write
down what they saw, for the checker of histories."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from time import monotonic
from typing import Any

import msgspec

from chorus.client import ApiError, LabelerStream, Socket
from chorus.client.errors import Closed, ConnectionLost
from chorus.client.messages import Frame, Page, PageItem
from tests.faults.histories import NEVER, Op
from tests.faults.soak_boss import CLASSES, answer_of
from tests.servers import right

SETTLED = {"item_closed", "already_voted", "conflict"}
"""Refusals that have a good reason: somebody else, or another tab, was first."""
EXPELLED = SETTLED | {"forbidden"}
"""Where people are taken out of the project, too."""


class Record:
    """What all clients of one project saw. may_be: refusals that have a good reason there."""

    def __init__(self, may_be: Collection[str] = SETTLED) -> None:
        self.may_be = may_be
        self.ops: list[Op] = []
        self.acked: dict[str, tuple[str, int]] = {}
        """vote_id -> (person, item)."""
        self.acks: list[tuple[float, float, int]] = []
        self.wrong: list[str] = []
        """What should never be answered."""
        self.frames = 0
        """Sent twice or in another order."""
        self.grown = asyncio.Event()

    def ack(self, vote: str, person: str, item: int) -> None:
        self.acked[vote] = (person, item)
        self.grown.set()


class BadSocket(Socket):
    """Some votes are sent twice, and some only after the next one."""

    def __init__(self, url: str, token: str, rng: random.Random, record: Record) -> None:
        super().__init__(url, token)
        self._rng = rng
        self._record = record
        self._late: list[Any] = []
        self.on_lost: Callable[[], None] = lambda: None

    def _send(self, votes: Sequence[Any]) -> None:
        for vote in votes:
            luck = self._rng.random()
            if luck < 0.05 and not self._late:
                self._record.frames += 1
                self._late.append(vote)  # reordered: it goes after others, in a message of its own
                asyncio.get_running_loop().call_later(0.3, self._send_late)
                continue
            super()._send([vote])
            if luck > 0.95:
                self._record.frames += 1
                if luck > 0.975:
                    super()._send([vote])  # twice in one message
                else:
                    self._late.append(vote)  # once more, later
                    asyncio.get_running_loop().call_later(0.05, self._send_late)

    def _send_late(self) -> None:
        late, self._late = self._late, []
        super()._send([vote for vote in late if not vote.done.done()])

    def _lost(self) -> None:
        super()._lost()
        self.on_lost()


class Tab(LabelerStream):
    """A stream that writes down which leases it got, and when they ended."""

    person = ""
    record: Record

    def __init__(self, socket: Socket, project_id: str, page_size: int | None) -> None:
        super().__init__(socket, project_id, page_size)
        self.opened_at = monotonic()
        """Nothing was granted before; what a lost connection had comes with a later one."""
        self.held: dict[str, tuple[int, float]] = {}
        """lease -> (item, when it may have been granted at the earliest)."""
        self.items_of: dict[str, set[str]] = {}
        """page -> its leases."""
        self.granted: set[str] = set()

    def _on_frame(self, frame: Frame) -> None:
        now = monotonic()
        if frame.type == "page":
            page = msgspec.json.decode(frame.body, type=Page)
            for item in page.items:
                if item.vote is None:
                    self._got(str(page.page_id), item, now)
        elif frame.type == "page.closed":
            page_id = str(msgspec.json.decode(frame.body)["page_id"])
            for lease in list(self.items_of.pop(page_id, ())):
                self.ended(lease, now)
        elif frame.type == "item.closed":
            body = msgspec.json.decode(frame.body)
            page_id, item_id = str(body["page_id"]), body["item_id"]
            for lease in list(self.items_of.get(page_id, ())):
                if self.held.get(lease, (None,))[0] == item_id:
                    self.ended(lease, now)
            if body["replacement"] is not None:
                self._got(page_id, msgspec.convert(body["replacement"], PageItem), now)
        super()._on_frame(frame)

    def _got(self, page_id: str, item: PageItem, now: float) -> None:
        lease = str(item.lease_id)
        self.items_of.setdefault(page_id, set()).add(lease)
        if lease in self.granted:
            return  # shown again after a reconnect
        self.granted.add(lease)
        self.held[lease] = (item.item_id, self.opened_at)
        self.record.ops.append(
            Op(item.item_id, self.opened_at, now, "grant", self.person, lease=lease)
        )

    def ended(self, lease: str, end: float, may: bool = False) -> None:
        """The server took it back, at some time since it was granted."""
        item, start = self.held.pop(lease, (None, 0.0))
        if item is not None:
            self.record.ops.append(Op(item, start, end, "release", lease=lease, may=may))

    def lost(self) -> None:
        """The connection is gone: from now on nobody tells us that a lease has ended."""
        for lease in list(self.held):
            self.ended(lease, NEVER, may=True)

    def answered(self, lease: str | None) -> None:
        self.held.pop(str(lease), None)


class Labeler:
    """One person at one tab, until `stop`."""

    def __init__(
        self, url: str, token: str, person: str, project_id: str, record: Record, seed: int
    ) -> None:
        self._url, self._token, self.person = url, token, person
        self.project_id = project_id
        self.record = record
        self.rng = random.Random(seed)
        self.socket: BadSocket
        self.tab: Tab
        self._mine: list[tuple[str, PageItem]] = []
        self.stopping = False
        self._here = asyncio.Event()

    async def flushed(self) -> None:
        """They are there, and all that they have answered is acknowledged."""
        await self._here.wait()
        await self.socket.flushed()

    async def run(self) -> None:
        """Raises whatever no labeler should ever see."""
        while not self.stopping:
            try:
                await self._session()
            except (Closed, ApiError) as error:
                # Taken out of the project, and soon back again: they come anew until they are in.
                if not any(word in str(error) for word in ("session_ended", "forbidden")):
                    raise
                self._here.clear()
                await asyncio.sleep(0.1)

    async def _session(self) -> None:
        async with BadSocket(self._url, self._token, self.rng, self.record) as self.socket:
            tab = type("Tab", (Tab,), {"person": self.person, "record": self.record})
            self.tab = await tab.open(self.socket, self.project_id, page_size=4, credit=2)
            self.socket.on_lost = self.tab.lost
            self._here.set()
            while not self.stopping:
                page = await self.tab.next_page()
                if page is None:
                    await self.tab.change()
                else:
                    await self._answer(page)
                    await self._sometimes()
            await self.socket.flushed()

    async def _answer(self, page: Page) -> None:
        todo = [item for item in page.items if item.vote is None]
        self.rng.shuffle(todo)
        await asyncio.gather(*(self._cast(item) for item in todo))
        if self._mine and self.rng.random() < 0.15:
            vote, item = self.rng.choice(self._mine)
            await self._cast(item, supersedes=vote)
        try:
            await self.tab.finish(page)
        except ApiError as error:
            if not error.retry:
                raise

    async def _cast(self, item: PageItem, supersedes: str | None = None) -> None:
        luck = self.rng.random()
        kind = "skip" if luck < 0.03 else "flag" if luck < 0.05 else "label"
        answer = right(item.name) if self.rng.random() < 0.9 else self.rng.choice(CLASSES)
        assert self.tab.project is not None
        said = answer_of(self.tab.project.task_type, answer) if kind == "label" else None
        body = self.tab.vote(item, kind, said, duration_ms=5, supersedes=supersedes)
        op = Op(
            item.item_id, monotonic(), NEVER, "vote", self.person, vote=body["vote_id"],
            label=kind == "label", supersedes=supersedes,
        )  # fmt: skip
        try:
            ack = await self.socket.cast(body)
        except ApiError as error:
            if error.code not in self.record.may_be:
                self.record.wrong.append(
                    f"{self.person}, item {item.item_id}: {error.code} {error}"
                )
            elif error.code == "already_voted":
                end = monotonic()
                self.record.ops.append(Op(op.item, op.start, end, "refused", self.person))
            return
        except (Closed, asyncio.CancelledError):
            self.record.ops.append(replace(op, may=True))
            raise
        now = monotonic()
        self.record.ops.append(replace(op, end=now))
        self.record.acks.append((op.start, now, ack.seq))
        self.record.ack(body["vote_id"], self.person, item.item_id)
        if supersedes is None:
            self.tab.answered(str(item.lease_id))
            self._mine.append((body["vote_id"], item))
        else:
            self._mine = [one for one in self._mine if one[0] != supersedes]
            self._mine.append((body["vote_id"], item))

    async def _sometimes(self) -> None:
        luck = self.rng.random()
        if luck < 0.03:
            self.socket.drop()
        elif luck < 0.05:
            await self._leave_and_come_back()

    async def _leave_and_come_back(self) -> None:
        held = dict(self.tab.held)
        try:
            await self.tab.close()
            told = self.socket.connected.is_set()
        except ApiError as error:
            if not error.retry:
                raise
            told = False
        for lease, (item, since) in held.items():
            if self.tab.held.pop(lease, None) is not None:
                end, may = (monotonic(), False) if told else (NEVER, True)
                self.record.ops.append(Op(item, since, end, "release", lease=lease, may=may))
        self.tab.items_of.clear()
        self.tab.opened_at = monotonic()
        while True:
            try:
                await self.tab.reopen()
                return
            except ApiError as error:
                if not error.retry:
                    raise
                await asyncio.sleep(0.2)
            except ConnectionLost:
                continue
