"""The model's turns: when one is due, and what people may do about it.

Rounds run beside the people: a vote only ever emits an event; this service listens, decides
whether a round is due and has its jobs run in other processes (round_run, through `run_job`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from chorus.server.clock import now_ms
from chorus.server.domain.events import Board
from chorus.server.domain.features import Backbones
from chorus.server.domain.model import Event, Project, Round, Tuning
from chorus.server.domain.rounds import input_old, replaced_already
from chorus.server.domain.tasks import is_text
from chorus.server.errors import ApiError, JobFailed
from chorus.server.services import round_stats
from chorus.server.services.background import end
from chorus.server.services.dashboard import Boards
from chorus.server.services.feature_passes import FeaturePasses
from chorus.server.services.round_records import end_jobs, finish, open_round
from chorus.server.services.round_run import RoundRun
from chorus.server.services.round_state import (
    Line,
    Paths,
    RoundState,
    RunJob,
    evidence_total,
    log_failure,
    obstacle,
    ready,
    seen_backbones,
    too_little,
    tuned_seen,
    why_disabled,
)  # fmt: skip
from chorus.server.services.tuning import Tunings
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

log = logging.getLogger(__name__)


class Rounds:
    def __init__(
        self, store: Store, boards: Boards, run_job: RunJob, paths: Paths, backbones: Backbones,
        threads: int, allow_download: bool = False,
    ) -> None:  # fmt: skip
        self._store = store
        self._boards = boards
        self._backbones = backbones
        self._states: dict[str, RoundState] = {}
        self._closed = False
        self._line = Line(run_job)
        self._no_round = asyncio.Event()
        self._no_round.set()
        self._features = FeaturePasses(
            store, self._line, paths, threads, allow_download, self._no_round
        )
        self._run = RoundRun(store, boards, self._line, self._features, paths, backbones, threads)
        self._tunings = Tunings(
            store, boards, self._line, self._features, paths, threads, allow_download,
            self._no_round,
        )  # fmt: skip
        self.changed: Callable[[str], None] = lambda project_id: None
        """Called when a job's progress moved, which is in no event."""
        for part in (self._features, self._run, self._tunings):
            part.changed = lambda project_id: self.changed(project_id)

    # -- life

    async def start(self) -> None:
        """Rounds that a stop of the server cut off are marked so, and become due again."""

        def fn(tx: Tx) -> list[str]:
            now = now_ms()
            for record in tx.unfinished_rounds():
                end_jobs(tx, record, "failed", "the server was restarted", now)
                finish(tx, record, "interrupted", {"reason": "the server was restarted"}, now)
            return [p.project_id for p in tx.projects()]

        for project_id in await self._store.write(fn):
            await self._load(project_id)
            self._wake(project_id)

    async def stop(self) -> None:
        self._closed = self._features.closed = self._tunings.closed = True
        states = self._states.values()
        await end(task for s in states for task in (s.round, s.featurizing, s.tuning))

    async def _load(self, project_id: str) -> RoundState:
        def fn(tx: Tx) -> tuple[tuple[int | None, bool], bool, Project, list[Tuning], int]:
            project = tx.project(project_id)
            assert project is not None
            rounds = tx.rounds(project_id)
            ended = [r for r in rounds if r.state in ("done", "failed", "cancelled")]
            last, partial = None, False
            if ended:
                body = msgspec.json.decode(ended[-1].body)
                last = body.get("evidence", ended[-1].labels)
                partial = body.get("partial", False)
            replaced = replaced_already([r.state for r in rounds])
            tried = max((msgspec.json.decode(r.body).get("tuned", 0) for r in ended), default=0)
            return (last, partial), replaced, project, tx.tunings(project_id), tried

        await self._boards.get(project_id)
        state = self._states.setdefault(project_id, RoundState())
        before = state.round
        newest, replaced, project, tunings, tried = await self._store.read(fn)
        if before is None and state.round is None:
            # A round that runs has begun with what is newer than all that have ended.
            (state.last_evidence, state.partial), state.replaced = newest, replaced
        state.tuned_tried = max(tried, state.tuned_tried)
        state.disabled = why_disabled(project)
        state.boxes = project.task_type == "boxes"
        state.weighs, state.ordering = project.weighs, project.ordering
        state.backbones = (
            [] if project.shapes else self._backbones.of(project.task_type, project.networks)
        )
        state.fine_tune = project.fine_tune and not is_text(project.task_type)
        state.tuned = [
            (t.number, t.backbone)
            for t in tunings
            if state.fine_tune and t.state == "adopted" and t.backbone is not None
        ]
        return state

    # -- when

    def on_events(self, events: Sequence[Event]) -> None:
        """Bus listener; comes after the boards'."""
        for project_id in {e.project_id for e in events}:
            kinds = {e.type for e in events if e.project_id == project_id}
            if project_id not in self._states or kinds & {"project.changed", "tuning.changed"}:
                self._spawn_load(project_id)
            else:
                self._wake(project_id, features="items.added" in kinds)

    def _spawn_load(self, project_id: str) -> None:
        async def load() -> None:
            await self._load(project_id)
            self._wake(project_id)

        asyncio.ensure_future(load()).add_done_callback(log_failure)

    def _wake(self, project_id: str, *, features: bool = True) -> None:
        state = self._states.get(project_id)
        board = self._boards.peek(project_id)
        if state is None or board is None or self._closed or not state.enabled:
            return
        if features:
            self._features.wake(project_id, state, board)
        if self._outdated(board, state):
            self._replace(board, state)
        elif self._due(board, state):
            self._begin(project_id, state, board)
        else:
            self._tunings.wake(project_id, state, board)

    def _due(self, board: Board, state: RoundState) -> bool:
        if not state.enabled or state.running:
            return False
        if state.partial and board.open_items and seen_backbones(board, state) > 0:
            return True
        better = tuned_seen(board, state)
        if better is not None and better[0] > state.tuned_tried and board.open_items:
            return too_little(board, state) is None
        return ready(board, state, state.last_evidence)

    def _outdated(self, board: Board, state: RoundState) -> bool:
        if not state.running or state.work is None or state.landing:
            return False
        if state.cancelled_by is not None or state.outdated is not None:
            return False
        if state.boxes:
            return False  # minutes of work
        total = evidence_total(board, state)
        # Only if another one begins at once.
        return input_old(
            state.began_with, total, trained=state.trained, replaced=state.replaced
        ) and ready(board, state, state.began_with)

    def _replace(self, board: Board, state: RoundState) -> None:
        """End the running round; the next begins when it has ended."""
        assert state.work is not None
        more = evidence_total(board, state) - state.began_with
        things = "votes" if state.weighs else "labels"
        state.outdated = f"replaced: {more} {things} came since it began with {state.began_with}"
        state.replaced = True
        state.work.cancel()

    def _begin(self, project_id: str, state: RoundState, board: Board) -> None:
        state.last_evidence = evidence_total(board, state)
        state.running, state.cancelled_by, state.landing = True, None, False
        state.trained, state.outdated = False, None
        state.partial = False
        self._no_round.clear()
        state.round = asyncio.ensure_future(self._round(project_id, state))
        state.round.add_done_callback(log_failure)

    async def train_now(self, project_id: str) -> None:
        """A round on demand. Raises conflict with what is missing."""
        board = await self._boards.get(project_id)
        # Anew: a project's first look at its settings may still be under way.
        state = await self._load(project_id)
        missing = obstacle(board, state)
        if missing:
            raise ApiError("conflict", missing)
        self._begin(project_id, state, board)

    async def retry(self, project_id: str, number: int) -> None:
        """Another round in place of the newest one, which failed, was cancelled or cut off.
        Raises conflict."""
        board = await self._boards.get(project_id)
        last = board.rounds[-1] if board.rounds else None
        if last is None or last["number"] != number:
            raise ApiError("conflict", f"round {number} is not the newest one")
        if last["state"] in ("running", "done"):
            raise ApiError("conflict", f"round {number} did not fail: it is {last['state']}")
        await self.train_now(project_id)

    async def cancel(self, project_id: str, by: str) -> None:
        """End the running round: its job is killed, what earlier rounds gave stays, and the next
        one comes with new labels. Raises conflict when there is none, or it is as good as over.
        """
        state = self._states.get(project_id)
        if state is None or not state.running or state.round is None:
            raise ApiError("conflict", "no round is running")
        if state.landing:
            raise ApiError("conflict", "too late: the round's answers are being handed out")
        state.cancelled_by = by
        if state.work is not None:
            state.work.cancel()
        await asyncio.wait([state.round])

    async def tune(self, project_id: str) -> None:
        """A fine-tuning on demand. Raises conflict with what is missing."""
        await self._boards.get(project_id)
        await self._tunings.start(
            project_id, self._states.get(project_id) or await self._load(project_id)
        )

    async def cancel_tuning(self, project_id: str, by: str) -> None:
        """Raises conflict when none is running."""
        await self._tunings.cancel(self._states.get(project_id) or RoundState(), by)

    # -- a round

    async def _round(self, project_id: str, state: RoundState) -> None:
        record: Round | None = None
        try:
            evidence = evidence_total(await self._boards.still(project_id), state)
            state.last_evidence = state.began_with = evidence
            opened, jobs = await self._store.persist(lambda tx: open_round(tx, project_id))
            record = opened
            state.work = asyncio.ensure_future(
                self._run.run(project_id, state, opened, jobs, evidence)
            )
            if state.cancelled_by is not None:  # while it was being opened
                state.work.cancel()
            tuned = await state.work
            state.replaced = False
            await self._tunings.tidy(state.tuned, tuned)
        except JobFailed as error:
            if record is not None:
                await self._run.end(record, "failed", {"reason": str(error), "evidence": evidence})
        except asyncio.CancelledError:
            by, outdated = state.cancelled_by, state.outdated
            if record is None or (by is None and outdated is None) or self._closed:
                raise
            end, reason = (
                ("cancelled", f"cancelled by {by}") if by is not None else ("replaced", outdated)
            )
            await self._run.end(record, end, {"reason": reason, "evidence": evidence})
            state.replaced = state.replaced or end == "replaced"
        except Exception as error:
            log.exception("round of %s failed", project_id)
            if record is not None and not self._closed:
                reason = f"{type(error).__name__}: {error}"
                await self._run.end(record, "failed", {"reason": reason, "evidence": evidence})
        finally:
            state.running, state.work = False, None
            if not any(s.running for s in self._states.values()):
                self._no_round.set()
            state.progress.clear()
            self.changed(project_id)
            if not self._closed:
                self._wake(project_id)

    # -- what the dashboard shows

    def assist(self, board: Board) -> dict[str, Any]:
        state = self._states.get(board.project_id) or RoundState()
        return {
            **round_stats.assist(board, state, self._line, self._due(board, state)),
            "tuning": self._tunings.stats(board, state),
        }
