"""The boards' past, from the log: any moment, and the curve of the whole project.

Votes know nothing of it: this service follows the log in the background, folds it as the dashboards
do, and keeps a copy of the board every COPY_EVERY events, so that a moment of a project of any size
is one copy and a few events more. Where it has got to is its newest copy; what is missing after a
stop of the server is found again, and is the same.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Sequence
from time import thread_time
from typing import Any

import msgspec

from chorus.server.clock import now_ms
from chorus.server.domain.events import Board, apply, blank
from chorus.server.domain.model import Event
from chorus.server.domain.timeline import Marker, Point, point_of, thinned
from chorus.server.errors import ApiError
from chorus.server.services.background import Heard, Wakes, Woken
from chorus.server.services.spending import spread_of
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

COPY_EVERY = 2_000
"""Events between two copies."""
CHUNK = 1_000
"""Events read at once."""
FOLD_MAX = 20_000
"""Events that are folded while somebody waits; the past of an old log with fewer copies is there
once the background has been through it."""
EVERY_S = 1.0
"""What is new is looked at so often …"""
SHARE = 0.2
"""… and takes at most this share of one core."""
POINTS_MOST = 400
BOARD_REV = 1
"""Of `project.board_rev`: the log says all that the board has."""
REV = f"2-{zlib.crc32(msgspec.json.encode(msgspec.json.schema(Board))):08x}"
"""Copies of another revision are of no use: the board has other fields, or (the first number, to
be raised by hand) they are worked out in another way."""

_decode = msgspec.json.Decoder(Board).decode


class _Follower:
    """How far one project's log has been read."""

    def __init__(self, board: Board, at: int, marker: Marker, copied: int) -> None:
        self.board = board
        self.at = at
        self.marker = marker
        self.copied = copied


class _State(Woken):
    def __init__(self) -> None:
        super().__init__()
        self.follower: _Follower | None = None
        self.points: list[Point] | None = None
        """All that are kept, once somebody has asked; new ones are added."""
        self.heard = Heard()


class Timeline:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._wakes = Wakes(_State, self._run, "the past of %s is not kept")

    # -- life

    async def start(self) -> None:
        """Say what older logs do not, and go on with what a stop of the server cut off."""
        projects = await self._store.read(lambda tx: tx.projects())
        for project in projects:
            if project.board_rev < BOARD_REV:
                project_id = project.project_id
                await self._store.write(lambda tx, p=project_id: base(tx, p, now_ms()))  # type: ignore[misc]
            self._wakes.wake(project.project_id)

    async def stop(self) -> None:
        await self._wakes.stop()

    def on_events(self, events: Sequence[Event]) -> None:
        """Bus listener."""
        for event in events:
            self._wakes.of(event.project_id).heard.hear(event)
        for project_id in {e.project_id for e in events}:
            self._wakes.wake(project_id)

    # -- what is told

    async def moment(self, project_id: str, at: int | None, seq: int | None) -> tuple[Board, int]:
        """(the board as of event `seq`, or of the last event at time `at` (ms) or before; the time
        of that event). Raises not_found, and conflict while an old log is being read."""

        def fn(tx: Tx) -> tuple[Board, int]:
            project = tx.project(project_id)
            if project is None:
                raise ApiError("not_found", "no such project")
            wanted = tx.seq_at(project_id, at) if at is not None else seq or 0
            wanted = max(1, min(wanted, project.last_seq))
            found = as_of(tx, project_id, wanted)
            if found is None:
                raise ApiError(
                    "conflict", "the past of this project is still being read; try again later"
                )
            return found, tx.event_at(project_id, wanted) or project.created_at

        return await self._store.read(fn)

    async def curve(self, project_id: str, until: int | None = None) -> list[Point]:
        """The project's curve in at most POINTS_MOST points, up to event `until`."""
        points = await self.points(project_id)
        if until is not None:
            points = [p for p in points if p.seq <= until]
        return thinned(points, POINTS_MOST)

    async def points(self, project_id: str) -> list[Point]:
        """All that are kept, oldest first; the last seconds are not among them yet."""
        state = self._wakes.of(project_id)
        if state.points is None:
            found = await self._store.read(lambda tx: tx.points(project_id))
            if state.points is None:
                state.points = found
        return state.points

    # -- following the log

    async def _run(self, project_id: str, state: _State) -> None:
        try:
            while self._wakes.again(state):
                await asyncio.sleep(EVERY_S)
                while cost := await self._some(project_id, state):
                    await _rest(cost)
        except Exception:
            state.follower = None
            raise

    async def _some(self, project_id: str, state: _State) -> float:
        """Read a chunk of the log; seconds of a processor that it took, 0: it is at its end."""
        follower = state.follower
        heard = [] if follower is None else state.heard.after(follower.board.seq, CHUNK)

        def fn(tx: Tx) -> tuple[_Follower | None, list[Point], list[tuple[int, int, bytes]], float]:
            began = thread_time()
            known = follower or resume(tx, project_id)
            if known is None:
                return None, [], [], 0.0
            points, copies, more = follow(tx, known, heard)
            return known, points, copies, thread_time() - began if more else 0.0

        state.follower, points, copies, cost = await self._store.read(fn)
        if points or copies:

            def keep(tx: Tx) -> None:
                if tx.project(project_id) is None:
                    return
                tx.add_points(project_id, points)
                for seq, at, body in copies:
                    tx.add_board_copy(project_id, seq, at, REV, body)

            await self._store.persist(keep)
            if state.points is not None:
                last = state.points[-1].seq if state.points else 0
                state.points += [p for p in points if p.seq > last]
        return cost


async def _rest(cost: float) -> None:
    """Let others have the machine, after work that took `cost` seconds of it."""
    await asyncio.sleep(cost * (1 / SHARE - 1))


def base(tx: Tx, project_id: str, now: int) -> None:
    """Say in the log what events of older versions do not tell."""
    project = tx.project(project_id)
    if project is None or project.board_rev >= BOARD_REV:
        return
    tx.emit(project_id, now, "board.based", {"base": figures_of(tx, project_id)})
    tx.set_board_rev(project_id, BOARD_REV)


def figures_of(tx: Tx, project_id: str) -> dict[str, Any]:
    """What `board.based` says: figures that events of older versions tell nothing of."""
    agreed = {u: [compared, agreed] for u, compared, agreed in tx.agreements(project_id)}
    return {
        "known": tx.count_known(project_id),
        "spread": spread_of(tx, project_id),
        "agreed": agreed,
    }


def newest(tx: Tx, project_id: str) -> Board | None:
    """The board as of the last event from the newest copy on; None: there is none at hand."""
    project = tx.project(project_id)
    if project is None or tx.board_copy(project_id, project.last_seq, REV) is None:
        return None
    return as_of(tx, project_id, project.last_seq)


def as_of(tx: Tx, project_id: str, seq: int) -> Board | None:
    """The board as of event `seq`, by the log; None: no copy is near enough."""
    project = tx.project(project_id)
    assert project is not None
    copy = tx.board_copy(project_id, seq, REV)
    if seq - (copy[0] if copy else 0) > FOLD_MAX:
        return None
    board = blank(project_id, project.epoch) if copy is None else _unpack(copy[2])
    while board.seq < seq:
        for event in tx.events_since(project_id, board.seq, min(CHUNK, seq - board.seq)):
            apply(board, event)
    return board


def resume(tx: Tx, project_id: str) -> _Follower | None:
    """Where following the log goes on; None: there is no such project any more."""
    project = tx.project(project_id)
    if project is None:
        return None
    copy = tx.board_copy(project_id, project.last_seq, REV)
    if copy is None:
        return _Follower(blank(project_id, project.epoch), project.created_at, Marker(), 0)
    seq, at, body = copy
    points = tx.points(project_id, seq)
    marker = Marker(points[0].at, points[-1].at) if points else Marker()
    return _Follower(_unpack(body), at, marker, seq)


def follow(
    tx: Tx, follower: _Follower, heard: Sequence[Event] = ()
) -> tuple[list[Point], list[tuple[int, int, bytes]], bool]:
    """Fold a chunk of the log: (points, copies (seq, at, body), whether there may be more).
    heard: the next events, where they are known."""
    board = follower.board
    points: list[Point] = []
    copies: list[tuple[int, int, bytes]] = []
    events = heard or tx.events_since(board.project_id, board.seq, CHUNK)
    for event in events:
        at = max(follower.at, event.at)
        before, after = follower.marker.due(follower.at, at)
        if before:
            points.append(point_of(board, follower.at))
        apply(board, event)
        follower.at = at
        if after:
            points.append(point_of(board, at))
        if board.seq - follower.copied >= COPY_EVERY:
            follower.copied = board.seq
            copies.append((board.seq, follower.at, _pack(board)))
    return points, copies, len(events) == CHUNK


def _pack(board: Board) -> bytes:
    return zlib.compress(msgspec.json.encode(board), 1)


def _unpack(body: bytes) -> Board:
    return _decode(zlib.decompress(body))
