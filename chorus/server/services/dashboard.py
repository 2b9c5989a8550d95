"""What supervisors see: one board per project, kept current by folding committed events.

`Boards` owns the fold (snapshot from SQL, then `apply`); `Dashboard` adds what is not in the
log because it lasts only a moment: who is here, speeds, progress of running jobs.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from chorus.server.clock import now_ms, running_ms
from chorus.server.domain.events import Board, LabelerStats, apply
from chorus.server.domain.forecast import Forecast, ends
from chorus.server.domain.model import Event
from chorus.server.domain.speed import WINDOW_MS, Speed
from chorus.server.domain.timeline import Point, votes_at
from chorus.server.domain.values import NONE
from chorus.server.errors import ApiError
from chorus.server.services import timeline
from chorus.server.services.fitting import fitting
from chorus.server.services.projects import Projects
from chorus.server.services.spending import Rules, spending
from chorus.server.services.timeline import Timeline, figures_of
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

log = logging.getLogger(__name__)

PACE_WINDOWS_MS = (3_600_000, 24 * 3_600_000, 7 * 24 * 3_600_000)
"""Of the forecast: the first in which there were enough votes."""

READ_CHUNK = 50
"""Events read together where they are taken as far as they fit an answer."""


def snapshot(tx: Tx, project_id: str) -> Board:
    """The board of a project straight from the tables, as of its last event."""
    project = tx.project(project_id)
    if project is None:
        raise ApiError("not_found", "no such project")
    board = Board(
        project_id=project_id,
        name=project.name,
        state=project.state,
        seq=project.last_seq,
        epoch=project.epoch,
        classes=[c.name for c in tx.classes(project_id)],
        featurized=tx.featurized(project_id),
        gold=tx.count_gold(project_id),
        urgent=tx.count_urgent(project_id),
        tunings=[msgspec.json.decode(t.body) for t in tx.tunings(project_id)],
    )
    board.counts.update(tx.count_states(project_id))
    board.labels.update(tx.count_labels(project_id))
    board.queue.update(tx.count_queues(project_id))
    base = figures_of(tx, project_id)
    board.known, board.spread = base["known"], base["spread"]
    board.answers.update(tx.count_answers(project_id))
    for member in tx.members(project_id):
        board.labelers[member["user_id"]] = LabelerStats(
            member["user_id"], member["name"], paused=member["paused"]
        )
    for user_id, at in tx.last_vote_at(project_id):
        if user_id not in board.labelers:
            user = tx.user(user_id)
            board.labelers[user_id] = LabelerStats(user_id, user.name if user else user_id)
        board.labelers[user_id].last_at = at
    for user_id, votes, labels, skips, seen, changed in tx.board_labelers(project_id):
        stats = board.labelers[user_id]
        stats.votes, stats.labels, stats.skips = votes, labels, skips
        stats.prelabels_seen, stats.prelabels_changed = seen, changed
        board.votes += votes
    for user_id, (compared, agreed) in base["agreed"].items():
        board.labelers[user_id].compared, board.labelers[user_id].agreed = compared, agreed
    rounds = tx.rounds(project_id)
    board.rounds = [msgspec.json.decode(r.body) for r in rounds]
    if rounds:
        board.jobs = [
            {
                "job_id": j.job_id,
                "kind": j.kind,
                "state": j.state,
                "attempts": j.attempts,
                "error": j.error,
                "started_at": j.started_at,
                "finished_at": j.finished_at,
            }
            for j in tx.jobs_of_round(project_id, rounds[-1].number)
        ]
    return board


def _newest(tx: Tx, project_id: str) -> Board:
    """From the log where a copy makes that quick at any size, else from the tables."""
    try:
        board = timeline.newest(tx, project_id)
    except Exception:
        log.exception("the board of %s cannot be had from the log", project_id)
        board = None
    return board or snapshot(tx, project_id)


STILL_S = 0.15
STILL_MAX_S = 1.5
PAGE_MAX_S = 10.0
"""Somebody in the middle of a page is waited for so long, not more."""


class Boards:
    """Boards in memory, loaded when first asked for."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._boards: dict[str, Board] = {}
        self._loading: dict[str, asyncio.Task[Board]] = {}
        self._pending: dict[str, list[Event]] = {}

    async def get(self, project_id: str) -> Board:
        """Raises `ApiError('not_found')`."""
        board = self._boards.get(project_id)
        if board is not None:
            return board
        task = self._loading.get(project_id)
        if task is None:
            task = self._loading[project_id] = asyncio.ensure_future(self._load(project_id))
        return await asyncio.shield(task)

    def peek(self, project_id: str) -> Board | None:
        return self._boards.get(project_id)

    async def still(self, project_id: str) -> Board:
        """The board once the pages that are being answered now are, and no vote has come for a
        moment, or after STILL_MAX_S (of which busy people would never leave any).

        The answers of a page come one right after the other. What starts at the first of them
        would learn from as many as happened to be there, and never the same again: on a slow
        machine the next one may take longer than a moment.
        """
        began = running_ms()
        since = now_ms() - round(PAGE_MAX_S * 1000)
        pages = await self._store.read(lambda tx: tx.half_answered(project_id, since))
        board = await self.get(project_id)
        while (waited := (running_ms() - began) / 1000) < PAGE_MAX_S:
            votes = board.votes
            await asyncio.sleep(STILL_S)
            if pages:
                pages &= await self._store.read(lambda tx: tx.half_answered(project_id, since))
            board = await self.get(project_id)
            if not pages and (board.votes == votes or waited >= STILL_MAX_S):
                break
        return board

    async def _load(self, project_id: str) -> Board:
        # Events committed while we read wait in `pending`; those the snapshot has are skipped.
        self._pending[project_id] = []
        try:
            board = await self._store.read(lambda tx: _newest(tx, project_id))
            for event in self._pending[project_id]:
                if event.seq > board.seq:
                    apply(board, event)
            self._boards[project_id] = board
            return board
        finally:
            del self._pending[project_id]
            del self._loading[project_id]

    def on_events(self, events: Sequence[Event]) -> None:
        """Bus listener; must come before listeners that read boards."""
        for event in events:
            board = self._boards.get(event.project_id)
            if board is None:
                if event.project_id in self._pending:
                    self._pending[event.project_id].append(event)
                continue
            if event.seq <= board.seq:
                continue
            try:
                apply(board, event)
            except Exception:
                # Never show a wrong number: drop the board, the next reader loads it anew.
                log.exception("board of %s dropped", event.project_id)
                del self._boards[event.project_id]


class Dashboard:
    """`presence(project_id)` and `assist(board)` come from the services that own them."""

    def __init__(
        self,
        store: Store,
        boards: Boards,
        projects: Projects,
        presence: Callable[[str], dict[str, str | None]],
        assist: Callable[[Board], dict[str, Any]],
        imports: Callable[[str], list[dict[str, Any]]],
        estimating: Callable[[Board], bool],
        remerging: Callable[[str], bool],
        rules: Callable[[str], Awaitable[Rules]],
        pace: Callable[[str], Awaitable[dict[str, Any]]],
        measuring: Callable[[str], bool],
        past: Timeline,
    ) -> None:
        self._store = store
        self._boards = boards
        self._projects = projects
        self._presence = presence
        self._assist = assist
        self._imports = imports
        self._estimating = estimating
        self._remerging = remerging
        self._rules = rules
        self._pace = pace
        self._measuring = measuring
        self._past = past
        self._recent: dict[str, defaultdict[str, Speed]] = {}

    async def stats(self, project_id: str) -> dict[str, Any]:
        """The protocol's Stats. Raises `ApiError('not_found')`."""
        board = await self._boards.get(project_id)
        await self._speeds(project_id, board)
        rules = await self._rules(project_id)
        pace = await self._pace(project_id)
        points = await self._past.points(project_id)
        # Read now: a wait may have let the board move on, or be replaced. From here on everything
        # is read from this one.
        board = self._boards.peek(project_id) or board
        now = now_ms()
        here = self._presence(project_id)
        spent = spending(board.spread, rules.votes_min, rules.votes_max)
        recent = self._recent[project_id]
        return {
            **self._figures(board, {u: t.per_hour(now) for u, t in recent.items()}, here),
            "at": now,
            "assist": self._assist(board),
            "spending": {**spent, **rules.consensus},
            "forecast": forecast(spent["left"], board.votes, points, now),
            "pace": pace,
            "measuring": self._measuring(project_id),
            "estimating": self._estimating(board),
            "remerging": self._remerging(project_id),
            "imports": self._imports(project_id),
        }

    async def card(self, project_id: str) -> dict[str, Any]:
        """The protocol's Card: the few figures that tell how a project does. Raises
        `ApiError('not_found')`."""
        board = await self._boards.get(project_id)
        await self._speeds(project_id, board)
        rules = await self._rules(project_id)
        points = await self._past.points(project_id)
        board = self._boards.peek(project_id) or board
        now = now_ms()
        left = spending(board.spread, rules.votes_min, rules.votes_max)["left"]
        stats = board.labelers.values()
        return {
            "project_id": project_id,
            "name": board.name,
            "state": board.state,
            "seq": board.seq,
            "epoch": board.epoch,
            "at": now,
            "counts": {**board.counts, "items": board.items},
            "queue": dict(board.queue),
            "votes": board.votes,
            "here": len(self._presence(project_id)),
            "per_hour": round(sum(t.per_hour(now) for t in self._recent[project_id].values()), 1),
            "compared": sum(s.compared for s in stats),
            "agreed": sum(s.agreed for s in stats),
            "forecast": forecast(left, board.votes, points, now),
        }

    async def moment(
        self, project_id: str, at: int | None = None, seq: int | None = None
    ) -> dict[str, Any]:
        """The protocol's Moment: what the dashboard showed at a time, or as of an event. Raises
        `ApiError`: not_found, conflict."""
        board, happened = await self._past.moment(project_id, at, seq)
        rules = await self._rules(project_id)
        when = at if at is not None else happened

        def fn(tx: Tx) -> list[tuple[str, int]]:
            after = tx.seq_at(project_id, when - WINDOW_MS)
            return tx.votes_of_people(project_id, list(board.labelers), after, board.seq)

        recent: defaultdict[str, Speed] = defaultdict(Speed)
        for user_id, cast_at in await self._store.read(fn):
            recent[user_id].add(cast_at)
        points = [p for p in await self._past.points(project_id) if p.seq <= board.seq]
        spent = spending(board.spread, rules.votes_min, rules.votes_max)
        return {
            **self._figures(board, {u: t.per_hour(when) for u, t in recent.items()}, {}),
            "at": when,
            "rounds": board.rounds[-100:],
            "spending": spent,
            "forecast": forecast(spent["left"], board.votes, points, when),
        }

    async def curve(self, project_id: str) -> dict[str, Any]:
        """The protocol's Curve: progress over time. Raises `ApiError('not_found')`."""
        board = await self._boards.get(project_id)
        return {
            "seq": board.seq,
            "fields": list(Point._fields),
            "points": await self._past.curve(project_id),
        }

    def _figures(
        self, board: Board, per_hour: Mapping[str, float], here: Mapping[str, str | None]
    ) -> dict[str, Any]:
        """What the board says, as it goes over the wire."""
        return {
            "project_id": board.project_id,
            "name": board.name,
            "state": board.state,
            "seq": board.seq,
            "epoch": board.epoch,
            "counts": {**board.counts, "items": board.items},
            "labels": self._named(board, board.labels),
            "known": self._named(board, board.known),
            "votes": board.votes,
            "queue": dict(board.queue),
            "gold": board.gold,
            "urgent": board.urgent,
            "labelers": [
                {
                    "user_id": s.user_id,
                    "name": s.name,
                    "votes": s.votes,
                    "labels": s.labels,
                    "skips": s.skips,
                    "prelabels_seen": s.prelabels_seen,
                    "prelabels_changed": s.prelabels_changed,
                    "compared": s.compared,
                    "agreed": s.agreed,
                    "per_hour": per_hour.get(s.user_id, 0.0),
                    "last_at": s.last_at or None,
                    "here": s.user_id in here,
                    "page_kind": here.get(s.user_id),
                    "paused": s.paused,
                }
                for s in sorted(board.labelers.values(), key=lambda s: (-s.votes, s.name))
            ],
        }

    def _named(self, board: Board, counts: Mapping[str, int]) -> dict[str, int]:
        """Items by class name, of shapes all of them; "" is the set of none, the empty picture."""
        named = {name: counts.get(str(i), 0) for i, name in enumerate(board.classes)}
        schema = self._projects.schema(board.project_id)
        if schema.multilabel or schema.shapes:
            named[""] = counts.get(NONE, 0)
        return named

    async def _speeds(self, project_id: str, board: Board) -> None:
        """Read once when people voted lately; from then on the events tell."""
        if project_id in self._recent:
            return

        def fn(tx: Tx) -> list[tuple[str, int]]:
            after = tx.seq_at(project_id, now_ms() - WINDOW_MS)
            return tx.votes_of_people(project_id, list(board.labelers), after, board.seq)

        rows = await self._store.read(fn)
        recent: defaultdict[str, Speed] = defaultdict(Speed)
        for user_id, at in rows:
            recent[user_id].add(at)
        self._recent.setdefault(project_id, recent)

    def on_events(self, events: Sequence[Event]) -> None:
        for event in events:
            recent = self._recent.get(event.project_id)
            if recent is None or event.type != "vote.cast" or "superseded" in event.body:
                continue
            recent[str(event.body["user_id"])].add(event.at)

    async def events_since(
        self, project_id: str, since: int, limit: int
    ) -> tuple[list[Event], int, str]:
        """(events, last seq, epoch)."""

        def fn(tx: Tx) -> tuple[list[Event], int, str]:
            project = tx.project(project_id)
            if project is None:
                raise ApiError("not_found", "no such project")
            return (
                tx.events_since(project_id, since, limit),
                project.last_seq,
                project.epoch,
            )

        return await self._store.read(fn)

    async def log(
        self, project_id: str, since: int, limit: int
    ) -> tuple[list[dict[str, Any]], str]:
        """(events after `since` as `{"seq", "type", "at", "body"}`, epoch): at most `limit`, and
        fewer if they are large. Raises not_found."""

        def fn(tx: Tx) -> tuple[list[dict[str, Any]], str]:
            project = tx.project(project_id)
            if project is None:
                raise ApiError("not_found", "no such project")
            found = _few_at_a_time(tx, project_id, since, limit)
            rows = (
                {"seq": e.seq, "type": e.type, "at": e.at, "body": self.public_event(e)}
                for e in found
            )
            return list(fitting(rows)), project.epoch

        return await self._store.read(fn)

    def public_event(self, event: Event) -> dict[str, Any]:
        """An event's body as it goes over the wire: class names in place of stored values."""
        schema = self._projects.schema(event.project_id)
        body: dict[str, Any] = dict(event.body)
        for field in ("value", "prelabel"):
            if isinstance(body.get(field), str):
                body[field] = schema.to_wire(body[field])
        if "labels" in body:
            body["labels"] = schema.counted(body["labels"])
        body["at"] = event.at
        return body


def _few_at_a_time(tx: Tx, project_id: str, since: int, limit: int) -> Iterator[Event]:
    """Events after `since`; few are read that are not taken, because one may be megabytes."""
    while limit > 0 and (events := tx.events_since(project_id, since, min(limit, READ_CHUNK))):
        yield from events
        since, limit = events[-1].seq, limit - len(events)


def forecast(
    left: Mapping[str, int] | None, votes: int, points: Sequence[Point], now: int
) -> dict[str, Any] | None:
    """When the votes that are `left` will have been given, at the pace of the last hour, or if
    nobody worked in it of the last day or week. None: too little is known."""
    if left is None or not points:
        return None
    for window in PACE_WINDOWS_MS:
        since = max(now - window, points[0].at)
        end = ends(now, Forecast(**left), votes - votes_at(points, since), now - since)
        if end is not None:
            return msgspec.to_builtins(end)  # type: ignore[no-any-return]
    return None
