"""A websocket that comes back by itself and never loses a vote.

Requests are answered by id. Subscriptions are opened again after a reconnect, in the order they
were made; then every vote without an acknowledgement is sent again, by its `vote_id`, so that the
server keeps it once. A plain request whose answer was lost raises `ConnectionLost`, because only
its caller knows whether asking twice is safe.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Self, TypeVar

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from chorus.client.errors import ApiError, Closed, ConnectionLost
from chorus.client.messages import Frame, User, VoteAck
from chorus.client.packing import NUMBER_MAX, encoded, packed

T = TypeVar("T")
WAIT_MIN = 0.25
WAIT_MAX = 10.0
VOTE_AGAIN = 1.0
"""Seconds after which a vote is sent again that the server could not keep (its disk was full …)."""
FOR_GOOD = frozenset({"replaced", "session_ended", "token_ended"})
"""Reasons of a `bye` after which connecting again would be wrong."""

_frame = msgspec.json.Decoder(Frame)


class Subscription:
    """One topic or stream; its number changes with each connection, this object does not."""

    def __init__(
        self,
        type: str,
        body: Callable[[], dict[str, Any]],
        on_frame: Callable[[Frame], None],
        on_open: Callable[[msgspec.Raw], None],
    ) -> None:
        self.type = type
        self.body = body
        self.on_frame = on_frame
        self.on_open = on_open
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class _Vote:
    __slots__ = ("body", "done")

    def __init__(self, body: dict[str, Any], done: asyncio.Future[VoteAck]) -> None:
        self.body = body
        self.done = done


class _Ack(msgspec.Struct):
    """Of one vote among several: kept, or why not."""

    seq: int = 0
    duplicate: bool = False
    practice: dict[str, Any] | None = None
    error: dict[str, Any] | None = None


class _Acks(msgspec.Struct):
    votes: list[_Ack]


class Socket:
    """One websocket of one person, by bearer token. Use as an async context manager."""

    def __init__(self, url: str, token: str) -> None:
        self._url = "ws" + url.rstrip("/").removeprefix("http") + "/ws"
        self._headers = {"Authorization": f"Bearer {token}"}
        self._ws: ClientConnection | None = None
        self._task: asyncio.Task[None] | None = None
        self._next_id = 1
        self._waiting: dict[int, asyncio.Future[msgspec.Raw]] = {}
        self._votes: dict[str, _Vote] = {}
        self._vote_ids: dict[int, list[str]] = {}
        """Of a command on its way: the votes that it has."""
        self._leaving: list[_Vote] = []
        """Cast in this step of the event loop: they are sent together at its end."""
        self._subscriptions: list[Subscription] = []
        self._by_number: dict[int, Subscription] = {}
        self._closed: Closed | None = None
        self._welcome: asyncio.Future[User] = asyncio.get_running_loop().create_future()
        self._background: set[asyncio.Task[None]] = set()
        self.on_closed: list[Callable[[], None]] = []
        self.connected = asyncio.Event()
        self.connections = 0
        self.version = ""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def unacked(self) -> int:
        """Votes that are not known to be on the server's disk."""
        return len(self._votes)

    @property
    def closed(self) -> Closed | None:
        """Why the socket is closed for good, or None."""
        return self._closed

    async def start(self) -> User:
        """Connect and return who we are. Raises `ApiError` if the server refuses us, `Closed` for
        an address that is none."""
        self._task = asyncio.create_task(self._heard(self._run()))
        return await asyncio.shield(self._welcome)

    async def close(self) -> None:
        self._end(Closed("closed"))
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        for task in self._background:
            task.cancel()

    def drop(self) -> None:
        """Cut the connection with no goodbye, as a bad network does. It comes back by itself."""
        if self._ws is not None:
            self._ws.transport.abort()

    # -- commands

    async def request(self, type: str, body: dict[str, Any] | None = None) -> msgspec.Raw:
        """Send a command and return the body of its reply, still encoded.

        Raises `ApiError` (too_large: it was not sent), `ConnectionLost` (outcome unknown),
        `Closed`.
        """
        self._check()
        await self.connected.wait()
        self._check()
        return await self._ask(type, body or {}, None)

    async def ask(self, reply: type[T], type: str, body: dict[str, Any] | None = None) -> T:
        """`request`, decoded as `reply`."""
        return msgspec.json.decode(await self.request(type, body), type=reply)

    async def cast(self, body: dict[str, Any]) -> VoteAck:
        """Send a vote and wait until it is on the server's disk. Votes that are cast together go
        in one message.

        Sent again after a lost connection, or when the server has trouble of its own, for as long
        as it takes; a correction follows the vote that it corrects. Raises `ApiError` when the
        server refuses it, or at once (too_large) what no message can hold, `Closed` when the socket
        is closed for good before.
        """
        self._check()
        encoded(NUMBER_MAX, "vote.cast", body)
        vote = _Vote(body, asyncio.get_running_loop().create_future())
        self._votes[body["vote_id"]] = vote
        if self.connected.is_set():
            self._send([vote])
        try:
            return await vote.done
        finally:
            self._votes.pop(body["vote_id"], None)

    async def flushed(self) -> None:
        """Wait until no vote is unacknowledged (refused ones count as answered)."""
        while self._votes:
            await asyncio.wait([vote.done for vote in self._votes.values()])
            await asyncio.sleep(0)  # let whoever cast them take them out of `_votes`

    async def subscribe(
        self,
        type: str,
        body: Callable[[], dict[str, Any]],
        on_frame: Callable[[Frame], None],
        on_open: Callable[[msgspec.Raw], None] = lambda _: None,
    ) -> Subscription:
        """Open a stream now and after every reconnect (`body` is asked again each time)."""
        self._check()
        subscription = Subscription(type, body, on_frame, on_open)
        self._subscriptions.append(subscription)
        if self.connected.is_set():
            try:
                await self._open(subscription)
            except ConnectionLost:
                pass
            except ApiError as error:
                if not error.retry:
                    self._subscriptions.remove(subscription)
                    raise
                self.drop()  # the server has trouble of its own: with the next connection
        await subscription.opened
        return subscription

    def forget(self, subscription: Subscription) -> None:
        """Do not open it again, and hear no more of it."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)
        self._by_number = {n: s for n, s in self._by_number.items() if s is not subscription}

    # -- inside

    def _check(self) -> None:
        if self._closed is not None:
            raise self._closed

    async def _ask(
        self, type: str, body: dict[str, Any], subscription: Subscription | None
    ) -> msgspec.Raw:
        ws = self._ws
        if ws is None:
            raise ConnectionLost(type)
        number = self._next_id
        frame = encoded(number, type, body)
        self._next_id += 1
        future: asyncio.Future[msgspec.Raw] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        if subscription is not None:
            self._by_number[number] = subscription
        try:
            await ws.send(frame, text=True)
            return await future
        except ConnectionClosed as error:
            raise ConnectionLost(type) from error
        finally:
            self._waiting.pop(number, None)

    async def _open(self, subscription: Subscription) -> None:
        reply = await self._ask(subscription.type, subscription.body(), subscription)
        subscription.on_open(reply)
        if not subscription.opened.done():
            subscription.opened.set_result(None)

    def _send(self, votes: Sequence[_Vote]) -> None:
        if not self._leaving:
            asyncio.get_running_loop().call_soon(lambda: self._spawn(self._send_all()))
        self._leaving += votes

    async def _send_all(self) -> None:
        leaving, self._leaving = self._leaving, []
        ws = self._ws
        if ws is None:
            return
        unkept = {vote_id for vote_id, vote in self._votes.items() if not vote.done.done()}
        for command in packed([vote.body for vote in leaving], unkept):
            number = self._next_id
            self._next_id += 1
            self._vote_ids[number] = command.vote_ids
            with contextlib.suppress(ConnectionClosed):
                await ws.send(encoded(number, command.type, command.body), text=True)

    async def _send_later(self, votes: Sequence[_Vote]) -> None:
        ws = self._ws
        await asyncio.sleep(VOTE_AGAIN)
        if ws is self._ws:  # else a new connection sends all of them
            self._send([vote for vote in votes if not vote.done.done()])

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._heard(work))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _heard(self, work: Coroutine[Any, Any, None]) -> None:
        """Whatever breaks here (an address that is none, a message that makes no sense, a callback
        of the program's) would leave all who wait waiting for ever."""
        try:
            await work
        except Exception as error:
            closed = Closed(f"{type(error).__name__}: {error}")
            closed.__cause__ = error
            self._end(closed)
            self.drop()

    async def _run(self) -> None:
        wait = WAIT_MIN
        while self._closed is None:
            try:
                ws = await connect(
                    self._url,
                    additional_headers=self._headers,
                    compression=None,
                    max_size=16 << 20,
                    ping_interval=20,
                    ping_timeout=20,
                    close_timeout=2,
                    proxy=None,
                )
            except InvalidStatus as refused:
                if refused.response.status_code in (400, 401, 403, 404):
                    self._end(_refusal(refused))
                    return
            except (OSError, TimeoutError, InvalidHandshake, ConnectionClosed):
                pass
            else:
                self._ws = ws
                self.connections += 1
                try:
                    if await self._read(ws):
                        wait = WAIT_MIN
                finally:
                    self._lost()
                    with contextlib.suppress(Exception):
                        await ws.close()
            if self.closed is not None:
                return
            # Full jitter: a thousand tabs that lost one server must not come back as one.
            await asyncio.sleep(random.uniform(WAIT_MIN / 2, wait))
            wait = min(WAIT_MAX, wait * 1.7)

    async def _read(self, ws: ClientConnection) -> bool:
        """Handle frames until the connection ends. True if the server ever welcomed us."""
        welcomed = False
        while True:
            try:
                frame = _frame.decode(await ws.recv(decode=False))
            except ConnectionClosed as end:
                code = end.rcvd.code if end.rcvd is not None else 0
                if code in (1008, 4401, 4403) and not welcomed:
                    self._end(ApiError("forbidden", end.rcvd.reason if end.rcvd else ""))
                return welcomed
            if frame.re is not None:
                self._reply(frame)
            elif frame.sub is not None:
                subscription = self._by_number.get(frame.sub)
                if subscription is not None:
                    subscription.on_frame(frame)
            elif frame.type == "welcome":
                welcomed = True
                self._on_welcome(frame)
            elif frame.type == "bye":
                reason = str(msgspec.json.decode(frame.body).get("reason"))
                if reason in FOR_GOOD:
                    self._end(Closed(reason))
                    return welcomed

    def _on_welcome(self, frame: Frame) -> None:
        body = msgspec.json.decode(frame.body)
        self.version = str(body.get("version", ""))
        if not self._welcome.done():
            self._welcome.set_result(msgspec.convert(body["user"], User))
        self._spawn(self._resume())

    async def _resume(self) -> None:
        """Open every subscription again, then send what was never acknowledged."""
        self._by_number.clear()
        before = list(self._subscriptions)
        try:
            for subscription in before:
                await self._open(subscription)
        except (ConnectionLost, Closed):
            return
        except ApiError as error:
            if error.retry:
                self.drop()  # the server has trouble of its own: later
            else:
                self._end(error)
            return
        self.connected.set()
        self._leaving.clear()
        self._send(list(self._votes.values()))
        for subscription in list(self._subscriptions):  # made while we were resuming
            if subscription not in before and not subscription.opened.done():
                try:
                    await self._open(subscription)
                except (ConnectionLost, Closed):
                    return
                except ApiError as error:
                    if error.retry:
                        self.drop()
                        return
                    self.forget(subscription)
                    if not subscription.opened.done():
                        subscription.opened.set_exception(error)

    def _reply(self, frame: Frame) -> None:
        assert frame.re is not None
        vote_ids = self._vote_ids.pop(frame.re, None)
        if vote_ids is not None:
            self._acked(vote_ids, frame)
            return
        future = self._waiting.get(frame.re)
        if future is None or future.done():
            return
        if frame.ok:
            future.set_result(frame.body)
        else:
            future.set_exception(_api_error(frame.error))

    def _acked(self, vote_ids: list[str], frame: Frame) -> None:
        later: list[_Vote] = []
        for vote_id, ack in zip(vote_ids, _acks(vote_ids, frame), strict=True):
            vote = self._votes.get(vote_id)
            if vote is None or vote.done.done():
                continue
            if isinstance(ack, VoteAck):
                vote.done.set_result(ack)
            elif ack.retry or self._waits(vote):
                later.append(vote)
            else:
                vote.done.set_exception(ack)
        if later:
            self._spawn(self._send_later(later))
        held = [v for v in self._votes.values() if v.body.get("supersedes") in vote_ids]
        if ready := [v for v in held if not (v.done.done() or v in later or self._waits(v))]:
            self._send(ready)

    def _waits(self, vote: _Vote) -> bool:
        """Does it correct one that is not acknowledged?"""
        before = self._votes.get(vote.body.get("supersedes", ""))
        return before is not None and not before.done.done()

    def _lost(self) -> None:
        self._ws = None
        self.connected.clear()
        self._vote_ids.clear()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(ConnectionLost("the connection was lost"))
                future.exception()  # whoever was still sending hears of it in another way
        self._waiting.clear()

    def _end(self, reason: Closed | ApiError) -> None:
        """Closed for good: everyone who waits is told."""
        if self._closed is not None:
            return
        self._closed = reason if isinstance(reason, Closed) else Closed(str(reason))
        self.connected.set()  # wakes those who wait for a connection; `_check` tells them
        waiting: list[asyncio.Future[Any]] = [v.done for v in self._votes.values()]
        waiting += [s.opened for s in self._subscriptions]
        waiting += [*self._waiting.values(), self._welcome]
        for future in waiting:
            if not future.done():
                future.set_exception(reason)
                future.exception()  # nobody may be listening any more
        for callback in self.on_closed:
            callback()


def _acks(vote_ids: list[str], frame: Frame) -> list[VoteAck | ApiError]:
    """Of each vote of a command what the server says of it."""
    if not frame.ok:
        return [_api_error(frame.error)] * len(vote_ids)
    if len(vote_ids) == 1:
        return [msgspec.json.decode(frame.body, type=VoteAck)]
    return [
        _api_error(one.error)
        if one.error is not None
        else VoteAck(one.seq, one.duplicate, one.practice)
        for one in msgspec.json.decode(frame.body, type=_Acks).votes
    ]


def _api_error(said: dict[str, Any] | None) -> ApiError:
    error = said or {}
    return ApiError(
        str(error.get("code", "internal")),
        str(error.get("message", "")),
        retry=bool(error.get("retry")),
    )


def _refusal(refused: InvalidStatus) -> ApiError:
    status = refused.response.status_code
    try:
        error = msgspec.json.decode(refused.response.body or b"")["error"]
        return ApiError(error["code"], error["message"], status=status)
    except (msgspec.DecodeError, KeyError, TypeError):
        # Before the upgrade there is one reason to refuse a program: it is not signed in.
        code = "not_signed_in" if status in (401, 403) else "not_found"
        return ApiError(code, f"the server refused the websocket ({status})", status=status)
