"""Who gets which page: streams of pages pushed ahead of need, and leases that come back.

A stream is one open labeler's page (one browser tab). The server pushes pages as long as the
stream has credit, so that the next page is there before the last one is sent.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from functools import partial
from time import monotonic
from typing import Any

from chorus.server.clock import Jumps, day_of, now_ms
from chorus.server.domain.model import PAGE_SIZES, Event, Lease
from chorus.server.errors import ApiError
from chorus.server.services import dealing
from chorus.server.services.accounts import CurrentUser
from chorus.server.services.projects import Projects
from chorus.server.services.recording import Delta, give_back
from chorus.server.services.remerging import remerge
from chorus.server.services.streams import Push, Stream, Streams, Tab
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx
from chorus.server.storage.tx.known import PageAhead

log = logging.getLogger(__name__)

CREDIT_MAX = 8
AHEAD_S = 0.2
"""How long a page ahead of need may be behind answers that came later, for each item of it: nobody
is done with the page in hand sooner."""
LOST_SOCKET_MS = 20_000
"""How long a lost tab keeps its pages: a reload or a change of network takes less."""
RESTART_MS = 30_000
"""The same after a restart of the server, when everybody reconnects at once."""
TICK_S = 0.5
TAKEN_MS = 15 * 60_000
"""How long what was taken back from a person goes to others, if there is anything else for them."""


class Assigning:
    def __init__(self, store: Store, projects: Projects) -> None:
        self._store = store
        self._projects = projects
        self._streams = Streams()
        self._floors = dealing.Floors()
        self._taken: dict[tuple[str, str], dict[int, int]] = {}
        """(project, person) -> item_id -> until when it does not come to them again."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._jumps = Jumps()
        self._jumped: list[int] = []
        """By how many ms the clock has jumped, which the leases are still to be told."""
        self._left: set[Tab] = set()
        """Tabs that are gone, whose leases are still to be told."""
        self._hastening = self._lost_more = False
        self.presence_changed: Callable[[str], None] = lambda project_id: None

    async def start(self) -> None:
        """After a restart nobody is connected: leases end soon unless their tab comes back."""
        now = now_ms()
        self._jumps.seen(now, monotonic())  # from here on: the clock may be set before a first tick
        latest = now + RESTART_MS
        await self._store.write(lambda tx: tx.hasten_expiry(latest))

    async def run(self) -> None:
        """The ticker: expired leases, waiting labelers, changed counts."""
        while True:
            await asyncio.sleep(TICK_S)
            try:
                await self.tick()
            except ApiError:
                return  # shutting down
            except Exception:
                log.exception("tick failed")

    # -- what a labeler's tab asks for

    async def open(
        self, user: CurrentUser, role: str, project_id: str, tab: str, page_size: int | None,
        credit: int, push: Push, bye: Callable[[str], None],
    ) -> tuple[Stream, dict[str, Any], list[dict[str, Any]]]:  # fmt: skip
        """Returns the stream, the reply's fields, and the pages the tab still holds.

        The caller sends the reply, then calls `begin`.
        """
        if page_size is not None:
            check_size(page_size)
        self._replace((project_id, user.user_id, tab))

        now = now_ms()
        today = day_of(user.time_zone, now)

        def fn(tx: Tx) -> tuple[int, list[dict[str, Any]], tuple[int, int], str]:
            project = tx.project(project_id)
            assert project is not None
            if page_size is not None:
                tx.set_member_page_size(project_id, user.user_id, page_size)
            size = page_size or tx.member_page_size(project_id, user.user_id) or project.page_size
            if project.shapes:
                size = 1  # whatever is asked for: they are drawn on one picture at a time
            tx.set_tab_expiry(project_id, user.user_id, tab, now + project.lease_ms)
            pages = dealing.held_pages(tx, project, user.user_id, tab)
            counts = tx.count_votes(project_id, user.user_id, today[0])
            return size, pages, counts, project.state

        size, pages, counts, state = await self._store.write(fn)
        stream = Stream(project_id, user, tab, size, role, push, bye)
        stream.today, stream.total = counts
        stream.day_ends = today[1]
        stream.credit = max(0, min(credit, CREDIT_MAX))
        reply = {
            "page_size": size,
            "me": {"today": counts[0], "total": counts[1]},
            "state": state,
        }
        return stream, reply, pages

    def _replace(self, key: Tab) -> None:
        """The same tab begins anew: what it had opened before ends."""
        old = self._streams.at(key)
        if old is not None:
            self._forget(old)
            old.bye("replaced")

    def begin(self, stream: Stream, pages: list[dict[str, Any]]) -> None:
        """Register the stream and push what it holds; new pages follow by credit."""
        if stream.closed:
            return
        if stream not in self._streams:
            self._replace(stream.key)  # the tab was reloaded while it was opened
        self._streams.add(stream)
        self._left.discard(stream.key)
        for page in pages:
            stream.pages[page["page_id"]] = page["kind"]
            stream.in_hand += 1
            stream.push("page", page)
        self.presence_changed(stream.project_id)
        self._pump(stream)

    def give_credit(self, stream: Stream, n: int) -> int:
        stream.credit = max(0, min(stream.credit + n, CREDIT_MAX))
        if n > 0:
            stream.in_hand = max(0, stream.in_hand - n)
            stream.told = None
        self._pump(stream)
        return stream.credit

    async def resize(self, stream: Stream, size: int, keep: Sequence[int]) -> int:
        """Remember the page size; untouched pages go back and come again in the new size."""
        check_size(size)
        project = await self._store.read(lambda tx: tx.project(stream.project_id))
        if project is not None and project.shapes:
            size = 1
        stream.size = size
        drop = [page_id for page_id in stream.pages if page_id not in keep]

        def fn(tx: Tx) -> list[int]:
            tx.set_member_page_size(stream.project_id, stream.user_id, size)
            leases = [
                x
                for x in tx.leases_of_tab(stream.project_id, stream.user_id, stream.tab)
                if x.page_id in drop
            ]
            return release(tx, stream.project_id, stream.user_id, leases, "returned")

        withdrawn = await self._store.write(fn)
        for page_id in withdrawn:
            self._drop_page(stream, page_id, "withdrawn")
        stream.told = None
        self._pump(stream)
        return size

    async def close(self, stream: Stream) -> None:
        """The labeler leaves on purpose: everything held goes back now."""
        self._forget(stream)
        await self._store.write(
            lambda tx: release(
                tx,
                stream.project_id,
                stream.user_id,
                tx.leases_of_tab(stream.project_id, stream.user_id, stream.tab),
                "returned",
            )
        )

    async def lost(self, stream: Stream) -> None:
        """The socket is gone: the tab has a little time to come back."""
        if stream.closed:
            return
        self._forget(stream)
        if stream.pages:
            self._left.add(stream.key)
            await self._hasten()

    async def _hasten(self) -> None:
        """What lost tabs hold ends soon. Not done at once if the disk is full …: the ticker tries
        again. When a network goes, a thousand tabs are lost at once: those that are lost while
        one write is on its way share the next."""
        self._lost_more = True
        if self._hastening:
            return
        self._hastening = True
        try:
            while self._lost_more:
                self._lost_more = False
                latest, left = now_ms() + LOST_SOCKET_MS, self._left - self._streams.tabs()
                await self._store.write(partial(_hasten, latest=latest, left=left))
                self._left -= left
        finally:
            self._hastening = False

    def touch(self, stream: Stream) -> None:
        """Somebody is at this tab."""
        stream.active_at = now_ms()
        if stream.idle:
            stream.idle = False
            stream.told = None
            self._pump(stream)

    def present(self, project_id: str) -> dict[str, str | None]:
        """user_id -> kind of the page they answered last, or have got, for all who are here."""
        return {
            s.user_id: s.kind or next(iter(s.pages.values()), None)
            for s in self._streams.of_project(project_id)
        }

    def expel(self, project_id: str, user_id: str) -> None:
        """A removed member's tabs close; their leases run out as after a lost socket."""
        for stream in self._streams.of_person(project_id, user_id):
            stream.bye("session_ended")

    # -- what a supervisor sees and does of one person's pages

    async def look(self, project_id: str, user_id: str) -> dict[str, Any]:
        """`{"here", "active_at", "pages"}`: the pages a person holds, oldest first, with the
        answers given so far; the first one with anything left to answer is what they see."""
        streams = self._streams.of_person(project_id, user_id)

        def fn(tx: Tx) -> list[dict[str, Any]]:
            project = tx.project(project_id)
            assert project is not None
            tabs = sorted({lease.tab for lease in tx.leases_of_user(project_id, user_id)})
            return [
                page for tab in tabs for page in dealing.held_pages(tx, project, user_id, tab)
            ]  # fmt: skip

        pages = await self._store.read(fn)
        return {
            "here": bool(streams),
            "active_at": max((s.active_at for s in streams), default=None),
            "pages": sorted(pages, key=lambda page: int(page["page_id"])),
        }

    async def take_page(
        self, project_id: str, user_id: str, page_id: int | None, by: str
    ) -> dict[str, Any]:
        """Take a page back, or all that the person holds: others get its items, and they another
        page. What they have answered stays. Returns `{"page_ids", "items"}`. Raises conflict."""

        def fn(tx: Tx) -> tuple[list[int], list[int]]:
            leases = [
                lease
                for lease in tx.leases_of_user(project_id, user_id)
                if page_id in (None, lease.page_id)
            ]
            page_ids = release(tx, project_id, user_id, leases, "taken_back", by)
            return page_ids, [lease.item_id for lease in leases]

        page_ids, item_ids = await self._store.write(fn)
        if not page_ids:
            raise ApiError("conflict", "this person holds no such page any more")
        until = now_ms() + TAKEN_MS
        self._taken.setdefault((project_id, user_id), {}).update(dict.fromkeys(item_ids, until))
        for stream in self._streams.of_person(project_id, user_id):
            for one in page_ids:
                self._drop_page(stream, one, "taken_back")
            stream.told = None
            self._pump(stream)
        return {"page_ids": page_ids, "items": len(item_ids)}

    def _not_yet(self, stream: Stream) -> frozenset[int]:
        key = (stream.project_id, stream.user_id)
        taken = self._taken.get(key)
        if taken is None:
            return frozenset()
        now = now_ms()
        left = {item_id: until for item_id, until in taken.items() if until > now}
        if left:
            self._taken[key] = left
        else:
            del self._taken[key]
        return frozenset(left)

    # -- dealing

    def _pump(self, stream: Stream) -> None:
        stream.again = stream.dealing
        if stream.dealing or stream.closed or stream.idle or stream.credit <= 0:
            return
        stream.dealing = True
        self._spawn(self._deal(stream))

    async def _deal(self, stream: Stream) -> None:
        try:
            while stream.credit > 0 and not stream.closed and not stream.idle:
                floors = self._floors.get(stream.project_id, stream.user_id)
                avoid = self._not_yet(stream)
                stream.again = False
                dealt = await self._store.write(
                    partial(_next_page, stream=stream, floors=floors, avoid=avoid),
                    repeatable=True,  # `floors` are hints
                    ahead=PageAhead(stream.project_id, stream.user_id, stream.size, floors),
                    patience_s=AHEAD_S * stream.size if stream.in_hand else 0,
                )
                if dealt is None:
                    return
                if dealt.page is None:
                    if stream.again:
                        continue
                    if stream.told != dealt.reason:
                        stream.told = dealt.reason
                        stream.push("empty", {"reason": dealt.reason})
                    return
                stream.told = None
                stream.credit -= 1
                stream.in_hand += 1
                stream.pages[dealt.page["page_id"]] = dealt.page["kind"]
                while len(stream.pages) > 4 * CREDIT_MAX:  # long finished ones
                    del stream.pages[next(iter(stream.pages))]
                stream.push("page", dealt.page)
                if stream not in self._streams:  # lost meanwhile
                    # What it was dealt ends as what it held.
                    self._left.add(stream.key)
                    await self._hasten()
        except ApiError as error:
            log.debug("no page dealt: %s", error)
        except Exception:
            # The disk is full …: the ticker tries again, or this person would sit there for good.
            log.exception("no page dealt")
            stream.failed = True
        finally:
            stream.dealing = False

    def _pump_project(self, project_id: str) -> None:
        for stream in self._streams.of_project(project_id):
            self._pump(stream)

    # -- what happens elsewhere

    def on_events(self, events: Sequence[Event]) -> None:
        """Bus listener."""
        pump: set[str] = set()
        for event in events:
            body: dict[str, Any] = event.body
            if event.type in ("vote.cast", "check.cast"):
                self._count(event.project_id, body)
            if event.type in ("practice.answered", "practice.ordered"):
                self._practised(event.project_id, str(body["user_id"]))
            if reopened := body.get("reopened"):
                self._floors.reopened(event.project_id, reopened)
                pump.add(event.project_id)
            if event.type in REORDERING:
                self._floors.reset(event.project_id)
                pump.add(event.project_id)
            if event.type == "votes.taken_back" or body.get("set_aside"):
                # Open already, it has not reopened; but whoever had answered it may be asked again.
                pump.add(event.project_id)
            if event.type == "project.changed":
                self._spawn(self._tell_project(event.project_id))
            if event.type == "member.paused":
                self._person_paused(event.project_id, str(body["user_id"]))
            if event.type == "note.added":
                self._tell_note(event)
            for closed in body.get("closed", ()):
                key = (event.project_id, closed["user_id"], closed["tab"])
                stream = self._streams.at(key)
                if stream is not None:
                    self._spawn(self._item_closed(stream, closed["page_id"], closed["item_id"]))
        for project_id in pump:
            self._pump_project(project_id)

    def regrouped(self, user_id: str) -> None:
        """They have come into a team, or left one: items may be theirs now."""
        for stream in self._streams.all():
            if stream.user_id == user_id:
                self._pump(stream)

    def _practised(self, project_id: str, user_id: str) -> None:
        """What comes next may have waited for this."""
        for stream in self._streams.of_person(project_id, user_id):
            stream.told = None
            self._pump(stream)

    def _person_paused(self, project_id: str, user_id: str) -> None:
        """What they hold has gone back, or they may have pages again."""
        for stream in self._streams.of_person(project_id, user_id):
            for page_id in list(stream.pages):
                self._drop_page(stream, page_id, "withdrawn")
            stream.told = None
            self._pump(stream)

    def _count(self, project_id: str, body: dict[str, Any]) -> None:
        for stream in self._streams.of_person(project_id, body["user_id"]):
            stream.kind = body["page_kind"]
            if "superseded" not in body:
                stream.today += 1
                stream.total += 1
                stream.counts_changed = True

    async def _tell_project(self, project_id: str) -> None:
        for stream in self._streams.of_project(project_id):
            user = CurrentUser(stream.user_id, "", "", stream.role == "admin")
            try:
                stream.push("project", await self._projects.get_for(user, project_id))
            except ApiError:
                stream.bye("session_ended")

    def _tell_note(self, event: Event) -> None:
        to: Any = event.body.get("to")
        for stream in self._streams.of_project(event.project_id):
            if to is not None and stream.user_id != to["user_id"]:
                continue
            stream.push("note", {"seq": event.seq, "at": event.at, **event.body})

    async def _item_closed(self, stream: Stream, page_id: int, item_id: int) -> None:
        avoid = self._not_yet(stream)

        def fn(tx: Tx) -> tuple[dict[str, Any] | None, bool]:
            replacement = None
            if not stream.closed:  # else nobody would see it, and it would be held for long
                replacement = dealing.replace(
                    tx, stream.project_id, stream.user_id, stream.tab, page_id, item_id, now_ms(),
                    avoid,
                )  # fmt: skip
            alive = any(
                x.released_at is None or x.release_reason in ("voted", "skipped")
                for x in tx.leases_of_page(page_id)
            )
            return replacement, alive

        replacement, alive = await self._store.write(fn)
        stream.push(
            "item.closed", {"page_id": page_id, "item_id": item_id, "replacement": replacement}
        )
        if not alive:
            self._drop_page(stream, page_id, "withdrawn")
            self._pump(stream)

    def _drop_page(self, stream: Stream, page_id: int, reason: str) -> None:
        if stream.pages.pop(page_id, None) is not None:
            stream.in_hand = max(0, stream.in_hand - 1)
            stream.credit = min(stream.credit + 1, CREDIT_MAX)
            stream.push("page.closed", {"page_id": page_id, "reason": reason})

    # -- time

    async def tick(self) -> None:
        now = now_ms()
        jump = self._jumps.seen(now, monotonic())
        if jump:
            log.warning("the clock has jumped by %.0f s", jump / 1000)
            for stream in self._streams.all():
                stream.active_at += jump
            self._jumped.append(jump)
        while self._jumped:  # what a failing disk does not keep is told again
            first = self._jumped[0]
            await self._store.write(lambda tx, first=first: tx.clock_jumped(first, now))  # type: ignore[misc]
            del self._jumped[0]
        for stream in self._streams.all():
            if now >= stream.day_ends:
                stream.day_ends = day_of(stream.time_zone, now)[1]
                stream.today, stream.counts_changed = 0, True
            if stream.counts_changed:
                stream.counts_changed = False
                stream.push("me", {"today": stream.today, "total": stream.total})
            if stream.failed or stream.told in ("waiting", "practice"):
                stream.failed = False
                self._pump(stream)
        if self._left:
            await self._hasten()
        if await self._store.read(lambda tx: bool(tx.expired_leases(now, 1))):
            await self._expire(now)

    async def _expire(self, now: int) -> None:
        def fn(tx: Tx) -> dict[Tab, list[int]]:
            out: dict[Tab, list[int]] = {}
            by_tab: defaultdict[Tab, list[Lease]] = defaultdict(list)
            for lease in tx.expired_leases(now, 2000):
                by_tab[lease.project_id, lease.user_id, lease.tab].append(lease)
            for key, leases in by_tab.items():
                stream = self._streams.at(key)
                project = tx.project(key[0])
                assert project is not None
                busy = stream is not None and (
                    now - stream.active_at < project.lease_ms or project.state != "running"
                )
                if busy:
                    tx.set_tab_expiry(*key, now + project.lease_ms)
                else:
                    out[key] = release(tx, key[0], key[1], leases, "expired")
            return out

        for key, page_ids in (await self._store.write(fn)).items():
            stream = self._streams.at(key)
            if stream is not None:
                stream.idle = True
                for page_id in page_ids:
                    self._drop_page(stream, page_id, "expired")
                stream.push("empty", {"reason": "idle"})

    # -- upkeep

    def _forget(self, stream: Stream) -> None:
        stream.closed = True
        self._streams.drop(stream)
        self.presence_changed(stream.project_id)

    def _spawn(self, coroutine: Any) -> None:
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, ApiError):
            log.error("assigning task failed", exc_info=error)


REORDERING = {"items.added", "queue.changed", "project.changed", "priority.changed"}
"""Events after which there is something to hand out before what was handed out last."""


def check_size(size: int) -> None:
    if size not in PAGE_SIZES:
        raise ApiError("bad_value", "page_size must be 1, 4, 6 or 9")


def _next_page(
    tx: Tx, stream: Stream, floors: dict[str, int], avoid: Collection[int]
) -> dealing.Dealt | None:
    """None: its tab is gone meanwhile."""
    if stream.closed:
        return None
    return dealing.deal(
        tx, stream.project_id, stream.user_id, stream.tab, stream.size, floors, now_ms(), avoid
    )


def _hasten(tx: Tx, latest: int, left: Collection[Tab]) -> None:
    for key in left:
        tx.hasten_expiry(latest, key)


def release(
    tx: Tx, project_id: str, user_id: str, leases: Sequence[Lease], reason: str,
    by: str | None = None,
) -> list[int]:  # fmt: skip
    """Give leases back and say so; returns the pages they were on. by: whoever wanted that, if it
    was not the person."""
    if not leases:
        return []
    project = tx.project(project_id)
    assert project is not None
    now = now_ms()
    page_ids = sorted({x.page_id for x in leases})
    if project.remerge_due:
        # By the newest rules some of it may be asked for no more, of nobody.
        remerge(tx, project_id, [x.item_id for x in leases if not x.blind_check], now)
        still = {x.lease_id for x in tx.leases_of_user(project_id, user_id)}
        leases = [lease for lease in leases if lease.lease_id in still]
    delta: Delta = give_back(tx, project, leases, reason, now)
    tx.emit(
        project_id,
        now,
        "page.closed",
        {
            "page_ids": page_ids,
            "user_id": user_id,
            "reason": reason,
            **({} if by is None else {"by": by}),
            **delta.body(),
        },
    )
    return page_ids
