"""A labeler's stream: pages pushed ahead, swapped items, merges after a reconnect."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Callable
from time import monotonic
from typing import Any

import msgspec

from chorus.client.errors import ConnectionLost
from chorus.client.ids import new_id
from chorus.client.messages import (
    Answer,
    Frame,
    Id,
    Page,
    PageItem,
    Project,
    VoteAck,
    VoteKind,
    wire_value,
)
from chorus.client.socket import Socket, Subscription


class _Opened(msgspec.Struct):
    project: Project
    page_size: int
    state: str = "running"
    me: dict[str, int] = msgspec.field(default_factory=dict)


class _ItemClosed(msgspec.Struct):
    page_id: Id
    item_id: int
    replacement: PageItem | None = None


class LabelerStream:
    """What one tab of a labeler sees. `pages` are the pages in hand, oldest first.

    >>> async with Socket(url, token) as socket:                       # doctest: +SKIP
    ...     stream = await LabelerStream.open(socket, project_id, credit=2)
    ...     while (page := await stream.next_page()) is not None:
    ...         for item in list(page.items):
    ...             await stream.cast(item, "label", "cat", duration_ms=900)
    ...         await stream.finish(page)        # asks for one more page
    """

    def __init__(self, socket: Socket, project_id: str, page_size: int | None) -> None:
        self.socket = socket
        self.project_id = project_id
        self.tab = uuid.uuid4().hex
        self.page_size = page_size
        self.pages: dict[Id, Page] = {}
        self.arrived: dict[Id, float] = {}
        """When each page in hand was pushed (`time.monotonic`)."""
        self.project: Project | None = None
        self.empty: str | None = None
        """Why there is no page although there is credit: done, waiting, paused, no_items."""
        self.paused = False
        self.on_page: Callable[[Page], None] | None = None
        self.on_item: Callable[[Page, PageItem], None] | None = None
        """Called when a closed item is replaced on a page in hand."""
        self._credit = 0
        self._extra: set[Id] = set()
        """Pages in hand that came without credit."""
        self._unseen: set[Id] = set()
        """Leases of items that were put on a page in hand and have not been answered."""
        self._changed = asyncio.Event()
        self._subscription: Subscription | None = None
        socket.on_closed.append(self._changed.set)

    @classmethod
    async def open(
        cls,
        socket: Socket,
        project_id: str,
        *,
        page_size: int | None = None,
        credit: int = 2,
        on_page: Callable[[Page], None] | None = None,
        on_item: Callable[[Page, PageItem], None] | None = None,
    ) -> LabelerStream:
        """Open the stream. `credit`: pages the server may push before one is finished."""
        stream = cls(socket, project_id, page_size)
        stream.on_page, stream.on_item = on_page, on_item
        stream._credit = credit
        await stream.reopen()
        return stream

    async def reopen(self) -> None:
        """Open again on the same socket after `close`."""
        self.empty = None
        self._subscription = await self.socket.subscribe(
            "labeling.open", self._body, self._on_frame, self._on_open
        )

    async def close(self) -> None:
        """Leave: leases are returned now."""
        if self._subscription is not None:
            self.socket.forget(self._subscription)
            self._subscription = None
        self.pages.clear()
        self.arrived.clear()
        self._unseen.clear()
        # The server returns the leases of a lost socket by itself.
        with contextlib.suppress(ConnectionLost):
            await self.socket.request("labeling.close", {"project_id": self.project_id})

    async def credit(self, n: int = 1) -> None:
        """Let the server push `n` more pages."""
        self.empty = None
        self._credit += n
        # `labeling.open` after a reconnect asks for all credit anew.
        with contextlib.suppress(ConnectionLost):
            await self.socket.request("labeling.credit", {"project_id": self.project_id, "n": n})

    def vote(
        self,
        item: PageItem,
        kind: VoteKind,
        answer: Answer | None = None,
        *,
        duration_ms: int = 0,
        supersedes: str | None = None,
    ) -> dict[str, Any]:
        """A `vote.cast` body with a fresh vote_id, for `Socket.cast`.

        `answer`, of kind "label": a class's name, or a list of them where labels are sets.
        `supersedes`: the vote_id of the own vote that this one corrects.
        """
        body: dict[str, Any] = {
            "project_id": self.project_id,
            "vote_id": new_id(),
            "item_id": item.item_id,
            "lease_id": item.lease_id if supersedes is None else None,
            "kind": kind,
            "value": wire_value(answer) if kind == "label" and answer is not None else None,
            "duration_ms": duration_ms,
        }
        if supersedes is not None:
            body["supersedes"] = supersedes
        self._unseen.discard(item.lease_id)
        return body

    async def cast(
        self,
        item: PageItem,
        kind: VoteKind,
        answer: Answer | None = None,
        *,
        duration_ms: int = 0,
    ) -> VoteAck:
        """Cast one vote and wait until it is kept. Raises `ApiError`, `Closed`."""
        return await self.socket.cast(self.vote(item, kind, answer, duration_ms=duration_ms))

    async def finish(self, page: Page, *, credit: bool = True) -> None:
        """The page is done: forget it and (by default) ask for one more.

        What was put on it meanwhile and has not been answered comes as a page of its own.
        """
        known = self.pages.pop(page.page_id, None)
        self.arrived.pop(page.page_id, None)
        extra = page.page_id in self._extra
        self._extra.discard(page.page_id)
        if known is not None:
            self._credit -= 1
            for item in known.items:
                if item.lease_id in self._unseen:
                    self._put(page.page_id, item)
        # The credit of a page that the server has closed comes back by itself.
        if credit and known is not None and not extra:
            await self.credit(1)

    async def next_page(self) -> Page | None:
        """The oldest page in hand, or None once the server says that there is none now.

        While the project is paused this waits. Raises `Closed`.
        """
        while True:
            for page in self.pages.values():
                return page
            if self.empty not in (None, "paused"):
                return None
            await self.change()

    async def change(self) -> None:
        """Wait until something about this stream has changed (a page, `empty`, the project)."""
        if self.socket.closed is None:
            self._changed.clear()
            await self._changed.wait()
        if self.socket.closed is not None:
            raise self.socket.closed

    # -- inside

    def _body(self) -> dict[str, Any]:
        body: dict[str, Any] = {"project_id": self.project_id, "tab": self.tab}
        if self.page_size is not None:
            body["page_size"] = self.page_size
        # Pages in hand come back without costing credit, so only the rest is asked for.
        body["credit"] = max(0, self._credit - len(self.pages))
        return body

    def _on_open(self, reply: msgspec.Raw) -> None:
        opened = msgspec.json.decode(reply, type=_Opened)
        self.project = opened.project
        self.page_size = opened.page_size
        self.paused = opened.state == "paused"
        self._changed.set()

    def _on_frame(self, frame: Frame) -> None:
        match frame.type:
            case "page":
                self._on_page(msgspec.json.decode(frame.body, type=Page))
            case "item.closed":
                self._on_item_closed(msgspec.json.decode(frame.body, type=_ItemClosed))
            case "page.closed":
                page_id = msgspec.json.decode(frame.body)["page_id"]
                self.pages.pop(page_id, None)
                self.arrived.pop(page_id, None)
            case "empty":
                self.empty = str(msgspec.json.decode(frame.body)["reason"])
            case "project":
                self.project = msgspec.json.decode(frame.body, type=Project)
                self.paused = self.project.state == "paused"
        self._changed.set()

    def _on_page(self, page: Page) -> None:
        self.empty = None
        known = self.pages.get(page.page_id)
        if known is not None:  # sent again after a reconnect: whoever holds the page sees it
            held = {item.lease_id for item in known.items}
            self._unseen.update(i.lease_id for i in page.items if i.lease_id not in held)
            known.items, known.expires_at = page.items, page.expires_at
            return
        self.pages[page.page_id] = page
        self.arrived[page.page_id] = monotonic()
        if self.on_page is not None:
            self.on_page(page)

    def _on_item_closed(self, closed: _ItemClosed) -> None:
        page = self.pages.get(closed.page_id)
        if page is None:
            if closed.replacement is not None:
                self._put(closed.page_id, closed.replacement)
            return
        at = next((i for i, it in enumerate(page.items) if it.item_id == closed.item_id), None)
        if at is None:
            return
        if closed.replacement is None:
            del page.items[at]
        else:
            page.items[at] = closed.replacement
            self._unseen.add(closed.replacement.lease_id)
            if self.on_item is not None:
                self.on_item(page, closed.replacement)

    def _put(self, page_id: Id, item: PageItem) -> None:
        """An item that came onto a page when it was finished: on a page of its own."""
        self._unseen.discard(item.lease_id)
        page = self.pages.get(page_id)
        if page is not None:
            page.items.append(item)
            return
        self._extra.add(page_id)
        self._credit += 1
        self._on_page(Page(page_id, "manual", 1, [item]))
