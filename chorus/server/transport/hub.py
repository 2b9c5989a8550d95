"""From the bus to the sockets: bounded outboxes, frames encoded once and sent to all."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Any, TypeVar

from chorus.server.clock import now_ms
from chorus.server.domain.model import Event
from chorus.server.errors import ApiError
from chorus.server.services.accounts import CurrentUser
from chorus.server.services.comments import may_see
from chorus.server.transport.bell import Bell
from chorus.server.transport.feed import Gathered
from chorus.server.transport.protocol import Frame, plain_frame, shared_tail, with_sub

log = logging.getLogger(__name__)

T = TypeVar("T")
OUTBOX_MAX = 8 << 20
"""Bytes that may wait for one slow reader before its socket is closed."""
WRITE_MAX = 64 << 10
"""Bytes from which on a write is long enough."""
STATS_EVERY_S = 0.25
STATS_CHARS_S = 16_000_000
"""Characters of stats a second, to all who look at a project together: with thousands of labelers
and a hundred dashboards they come less often, rather than take the processor from the votes."""
STATS_AHEAD_S = 0.05
"""Sent in one go: as many as that rate allows in so long."""
FEED_EVERY_S = 0.5
SERVER_EVERY_S = 1.0
GOODBYE_S = 2.0
REPLAY_CHUNK = 500
REPLAY_MAX = 5000
REPLAY_BYTES = 2 << 20
"""A replay waits while more than so much waits for its reader: it must never be what closes it, or
whoever has missed many large events would come back to the same for ever."""
SUBS_MAX = 20
"""Subscriptions of one socket to one project, and as many to the server; a page has three at most.
(Not to all projects together: an overview has one to each, however many there are.)"""
SERVER = ""
"""Stands for a project where the server itself is followed."""

Key = tuple["Outbox", int]
"""A subscription: its socket, and its number there."""


class Outbox:
    """Frames on their way to one socket. Never blocks the sender: a reader that falls too far
    behind is closed and resumes from the log."""

    def __init__(self) -> None:
        self._frames: deque[tuple[str | None, Frame]] = deque()
        self._latest: dict[str, Frame] = {}
        self._size = 0
        self._bell = Bell()
        self._room = asyncio.Event()
        self.closing: str | None = None
        self.barred = False
        """What let it in has ended: whoever reads nothing, and so keeps the socket open, does
        nothing either."""
        self.projects: set[str] = set()
        """In which its person has used a role."""

    def put(self, frame: Frame) -> None:
        if self.closing is not None:
            return
        self._frames.append((None, frame))
        self._size += sum(map(len, frame))
        if self._size > OUTBOX_MAX:
            self._frames.clear()
            self._latest.clear()
            self.close("slow")
        self._bell.ring()

    @property
    def full(self) -> bool:
        """Is it too full for what can wait?"""
        return self.closing is None and self._size > REPLAY_BYTES

    async def room(self) -> None:
        """Wait until it is not `full`."""
        while self.full:
            self._room.clear()
            await self._room.wait()

    def put_latest(self, key: str, frame: Frame) -> None:
        """A newer frame of the same key takes the place of one not sent yet."""
        if self.closing is not None:
            return
        if key not in self._latest:
            self._frames.append((key, ()))
        self._latest[key] = frame
        self._bell.ring()

    def close(self, reason: str) -> None:
        """Say goodbye after what is queued; nothing is accepted any more."""
        if self.closing is None:
            self._frames.append((None, plain_frame("bye", {"reason": reason})))
            self.closing = reason
            self._room.set()
            self._bell.ring()

    async def drain(self, send: Callable[[list[Frame]], Awaitable[None]]) -> str:
        """Send frames, all that wait at once, until closed; returns the reason."""
        while True:
            while self._frames:
                await send(self._take())
                if not self.full:
                    self._room.set()
            if self.closing is not None:
                return self.closing
            await self._bell.rung()

    def _take(self) -> list[Frame]:
        """What is sent in one go: no more than a slow reader may take a while for."""
        taken: list[Frame] = []
        size = 0
        while self._frames and size < WRITE_MAX:
            key, frame = self._frames.popleft()
            if key is not None:
                frame = self._latest.pop(key)
            length = sum(map(len, frame))
            if key is None:
                self._size -= length
            size += length
            taken.append(frame)
        return taken


class EventSub:
    """One follower of a project's event log."""

    def __init__(self, outbox: Outbox, sub: int, since: int) -> None:
        self.outbox = outbox
        self.sub = sub
        self.last = since
        self.held: list[Event] | None = []
        """Events that came while the log is being replayed; None once live."""
        self.waiting = False
        """The replay waits for the reader: what comes meanwhile is read from the log."""


class Hub:
    """`stats` and `public_event` come from the dashboard service."""

    def __init__(
        self,
        stats: Callable[[str], Awaitable[dict[str, Any]]],
        public_event: Callable[[Event], dict[str, Any]],
        events_since: Callable[[str, int, int], Awaitable[tuple[list[Event], int, str]]],
        server: Callable[[], dict[str, Any]],
        card: Callable[[str], Awaitable[dict[str, Any]]],
    ) -> None:
        self._figures = {"stats": stats, "card": card}
        self._public_event = public_event
        self._events_since = events_since
        self._subs: dict[Outbox, dict[int, tuple[str, dict[Key, Any]]]] = {}
        """By socket: of each subscription the project, and which of the following it is in."""
        self._stats_subs: dict[str, dict[Key, str]] = {}
        """By project: which figures a subscription wants, "stats" or "card"."""
        self._event_subs: dict[str, dict[Key, EventSub]] = {}
        self._comment_subs: dict[str, dict[Key, tuple[str, str]]] = {}
        self._feed_subs: dict[str, dict[Key, None]] = {}
        self._gathered: dict[str, Gathered] = {}
        self._feeding: dict[str, asyncio.Task[None]] = {}
        self._flushing: dict[str, asyncio.Task[None]] = {}
        self._dirty: set[str] = set()
        self._server = server
        self._server_subs: dict[Key, None] = {}
        self._server_ticker: asyncio.Task[None] | None = None
        self._outboxes: dict[Outbox, CurrentUser] = {}
        """Of every open socket: whose it is."""
        self._roles: dict[Outbox, str] = {}
        """The highest that its person had when it opened."""
        self._nobody = asyncio.Event()
        self._nobody.set()

    # -- coming (all that is called watch_… raises conflict: there are enough) and going

    def _subscribe(
        self, project_id: str, subs: dict[Key, T], outbox: Outbox, sub: int, wanted: T
    ) -> None:
        mine = self._subs.setdefault(outbox, {})
        if sum(one == project_id for one, _ in mine.values()) >= SUBS_MAX:
            to = "one project" if project_id else "the server"
            raise ApiError("conflict", f"at most {SUBS_MAX} subscriptions of one socket to {to}")
        mine[sub] = project_id, subs
        subs[outbox, sub] = wanted

    def unsubscribe(self, outbox: Outbox, sub: int | None = None) -> None:
        """Forget one subscription of a socket, or all of them."""
        mine = self._subs.get(outbox, {})
        for one in list(mine) if sub is None else [sub]:
            if (found := mine.pop(one, None)) is not None:
                found[1].pop((outbox, one), None)
        if not mine:
            self._subs.pop(outbox, None)

    # -- stats: conflated

    async def watch_stats(
        self, project_id: str, outbox: Outbox, sub: int, kind: str = "stats"
    ) -> dict[str, Any]:
        """Subscribe to the "stats", or to the few figures of a "card"; returns those of now, to be
        sent as the first frame."""
        subs = self._stats_subs.setdefault(project_id, {})
        self._subscribe(project_id, subs, outbox, sub, kind)
        return await self._figures[kind](project_id)

    def stats_changed(self, project_id: str) -> None:
        if not self._stats_subs.get(project_id):
            return
        self._dirty.add(project_id)
        if project_id not in self._flushing:
            task = asyncio.ensure_future(self._flush(project_id))
            self._flushing[project_id] = task

    async def _flush(self, project_id: str) -> None:
        """Send at once, then not again for STATS_EVERY_S or longer, however much happens."""
        try:
            while project_id in self._dirty:
                self._dirty.discard(project_id)
                subs = self._stats_subs.get(project_id)
                if not subs:
                    return
                tails = {
                    kind: shared_tail(kind, await self._figures[kind](project_id))
                    for kind in sorted(set(subs.values()))
                }
                began, sent = monotonic(), 0
                for (outbox, sub), kind in list(subs.items()):
                    # Who has come meanwhile has been told, and who has gone has not to be.
                    if kind not in tails or (outbox, sub) not in subs:
                        continue
                    outbox.put_latest(f"{kind}{sub}", with_sub(sub, tails[kind]))
                    sent += len(tails[kind])
                    # One after the other: all at once they would hold up every vote.
                    if (ahead := sent / STATS_CHARS_S - (monotonic() - began)) > STATS_AHEAD_S:
                        await asyncio.sleep(ahead)
                rest = max(STATS_EVERY_S, sent / STATS_CHARS_S) - (monotonic() - began)
                await asyncio.sleep(max(0.0, rest))
        except ApiError as error:
            log.debug("no stats: %s", error)
        except Exception:
            log.exception("stats of %s failed", project_id)
        finally:
            del self._flushing[project_id]
            if project_id in self._dirty:
                self.stats_changed(project_id)

    # -- feed: what a dashboard shows of the events, gathered

    def watch_feed(self, project_id: str, outbox: Outbox, sub: int) -> None:
        subs = self._feed_subs.setdefault(project_id, {})
        self._subscribe(project_id, subs, outbox, sub, None)

    def _feed(self, project_id: str, events: Sequence[Event]) -> None:
        if not self._feed_subs.get(project_id):
            return
        self._gathered.setdefault(project_id, Gathered()).add(events)
        if project_id not in self._feeding:
            self._feeding[project_id] = asyncio.ensure_future(self._send_feed(project_id))

    async def _send_feed(self, project_id: str) -> None:
        gathered = self._gathered[project_id]
        try:
            while gathered and self._feed_subs.get(project_id):
                body, events = gathered.take()
                body["events"] = [
                    {"seq": e.seq, "type": e.type, "body": self._public_event(e)} for e in events
                ]
                tail = shared_tail("feed", body)
                for outbox, sub in list(self._feed_subs[project_id]):
                    outbox.put_latest(f"feed{sub}", with_sub(sub, tail))
                await asyncio.sleep(FEED_EVERY_S)
        except Exception:
            log.exception("feed of %s failed", project_id)
        finally:
            del self._feeding[project_id], self._gathered[project_id]

    # -- comments: to those who may see them

    def watch_comments(
        self, project_id: str, outbox: Outbox, sub: int, user_id: str, role: str
    ) -> None:
        subs = self._comment_subs.setdefault(project_id, {})
        self._subscribe(project_id, subs, outbox, sub, (user_id, role))

    def _comment(self, event: Event) -> None:
        body: dict[str, Any] = {**event.body, "seq": event.seq, "at": event.at}
        tail = shared_tail("comment", body)
        for (outbox, sub), reader in self._comment_subs.get(event.project_id, {}).items():
            if may_see(body, *reader):
                outbox.put(with_sub(sub, tail))

    def _member_changed(self, event: Event) -> None:
        """Whoever left, or has another role now, asks anew: their sockets with anything of this
        project close, and with them all that they follow."""
        project_id, body = event.project_id, event.body
        if event.type == "member.joined" and "was" not in body:
            return
        for outbox, user in list(self._outboxes.items()):
            if user.user_id != body["user_id"] or user.sees_all:
                continue
            if project_id not in outbox.projects:
                continue
            self.unsubscribe(outbox)
            alone = event.type == "member.left" and outbox.projects == {project_id}
            outbox.close("session_ended" if alone else "role_changed")

    # -- the server itself: every second, while somebody looks

    def server(self) -> dict[str, Any]:
        """The protocol's Server."""
        sockets = len(self._outboxes)
        return {"at": now_ms(), "people": self.people(), "sockets": sockets, **self._server()}

    def watch_server(self, outbox: Outbox, sub: int) -> dict[str, Any]:
        """Subscribe; returns the figures of now, to be sent as the first frame."""
        self._subscribe(SERVER, self._server_subs, outbox, sub, None)
        if self._server_ticker is None:
            self._server_ticker = asyncio.ensure_future(self._tick_server())
        return self.server()

    async def _tick_server(self) -> None:
        try:
            while self._server_subs:
                await asyncio.sleep(SERVER_EVERY_S)
                tail = shared_tail("server", self.server())
                for outbox, sub in list(self._server_subs):
                    outbox.put_latest(f"server{sub}", with_sub(sub, tail))
        finally:
            self._server_ticker = None

    # -- events: every one, in order

    async def watch_events(
        self, project_id: str, outbox: Outbox, sub: int, since: int | None, epoch: str | None
    ) -> tuple[EventSub, int, str, bool]:
        """Subscribe first, replay after: (subscription, seq, epoch, whether a snapshot is due)."""
        follower = EventSub(outbox, sub, 0)
        subs = self._event_subs.setdefault(project_id, {})
        self._subscribe(project_id, subs, outbox, sub, follower)
        _, seq, known_epoch = await self._events_since(project_id, 0, 0)
        if since is None:
            follower.last = seq
            return follower, seq, known_epoch, False
        fresh = (epoch is not None and epoch != known_epoch) or not 0 <= seq - since <= REPLAY_MAX
        follower.last = seq if fresh else since
        return follower, seq, known_epoch, fresh

    async def replay(self, project_id: str, follower: EventSub) -> None:
        """Send what happened since the follower's last event, then go live."""
        outbox = follower.outbox
        while outbox.closing is None:
            follower.held, waited = [], False
            events, seq, _ = await self._events_since(project_id, follower.last, REPLAY_CHUNK)
            for event in events:
                if outbox.full:
                    follower.waiting = waited = True
                    await outbox.room()
                    follower.waiting = False
                self._send_event(follower, event, self._tail(event))
            if not waited and (not events or follower.last >= seq):
                break
        held, follower.held = follower.held or [], None
        for event in held:
            if event.seq > follower.last:
                self._send_event(follower, event, self._tail(event))

    def _tail(self, event: Event) -> bytes:
        return shared_tail(event.type, self._public_event(event), event.seq)

    def _send_event(self, follower: EventSub, event: Event, tail: bytes) -> None:
        follower.last = event.seq
        follower.outbox.put(with_sub(follower.sub, tail))

    def on_events(self, events: Sequence[Event]) -> None:
        """Bus listener; comes after the boards'."""
        for event in events:
            if event.type == "comment.added":
                self._comment(event)
            elif event.type in ("member.left", "member.joined"):
                self._member_changed(event)
            followers = self._event_subs.get(event.project_id)
            if followers:
                tail = self._tail(event)
                for follower in followers.values():
                    if follower.held is not None:
                        if not follower.waiting:
                            follower.held.append(event)
                    elif event.seq > follower.last:
                        self._send_event(follower, event, tail)
        for project_id in {e.project_id for e in events}:
            self.stats_changed(project_id)
            self._feed(project_id, [e for e in events if e.project_id == project_id])

    # -- sockets

    def join(self, outbox: Outbox, user: CurrentUser, role: str) -> None:
        """A socket has opened. role: the highest its person has."""
        self._outboxes[outbox] = user
        self._roles[outbox] = role
        self._nobody.clear()

    def users(self) -> list[CurrentUser]:
        """Of each open socket: whose it is."""
        return list(self._outboxes.values())

    def sockets_of(self, user_id: str) -> int:
        return sum(user.user_id == user_id for user in self._outboxes.values())

    def leave(self, outbox: Outbox) -> None:
        self.unsubscribe(outbox)
        self._outboxes.pop(outbox, None)
        self._roles.pop(outbox, None)
        if not self._outboxes:
            self._nobody.set()

    def by_role(self) -> dict[tuple[str, ...], float]:
        """(role,) -> open sockets."""
        return {(role,): float(n) for role, n in Counter(self._roles.values()).items()}

    def people(self) -> int:
        return len({user.user_id for user in self._outboxes.values()})

    def end_door(self, door: str) -> None:
        """Close what was opened by this token or session (see `CurrentUser.door`)."""
        reason = "token_ended" if door.startswith("token:") else "session_ended"
        self._bar([o for o, user in self._outboxes.items() if user.door == door], reason)

    def end_sessions(self, user_id: str) -> None:
        """Close what a person has opened, but for what a token of theirs has."""
        theirs = [(o, u) for o, u in self._outboxes.items() if u.user_id == user_id]
        self._bar([o for o, user in theirs if user.grant is None], "session_ended")

    def end_person(self, user_id: str) -> None:
        """Close all that a person has open: they may do less than when they opened it."""
        mine = [o for o, user in self._outboxes.items() if user.user_id == user_id]
        self._bar(mine, "session_ended")

    def _bar(self, outboxes: Sequence[Outbox], reason: str) -> None:
        for outbox in outboxes:
            self.unsubscribe(outbox)
            outbox.barred = True
            outbox.close(reason)

    async def say_goodbye(self, reason: str) -> None:
        """Close every socket after what is queued for it; waits until they have gone, or
        GOODBYE_S for those that do not read."""
        for outbox in list(self._outboxes):
            outbox.close(reason)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._nobody.wait(), GOODBYE_S)
