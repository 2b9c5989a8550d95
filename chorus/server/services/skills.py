"""Who is how good, estimated again and again in the background, and what that changes.

Votes only ever read the newest estimate (`recording.count`). This service listens, decides when a
new one is due, lets a worker process make it, and merges every item anew where that matters: a
label may change or open again, which is an event like any other. Decisions by review stand.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from chorus.server.clock import now_ms
from chorus.server.consensus.estimate import Estimate
from chorus.server.domain.events import Board
from chorus.server.domain.model import Event, Project
from chorus.server.errors import ApiError, JobFailed
from chorus.server.services.background import end
from chorus.server.services.dashboard import Boards
from chorus.server.services.remerging import Remerging
from chorus.server.services.round_state import RunJob
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

log = logging.getLogger(__name__)

FIRST_VOTES = 40
GROWTH = 0.15
"""A next estimate after this share more votes, and after every round of the model …"""
REST = 9
"""… and not before so many times the votes have come that came while the last one was made and
landed: while people vote, estimates take at most a tenth of the time. Where nobody votes meanwhile
(a small project, a simulation in lockstep) they follow each other as the share says."""
READ_CHUNK = 2000
AGAIN_S = 60.0
"""One that could not be made, however often its job was tried, is tried again after so long."""


class _State:
    def __init__(self) -> None:
        self.task: asyncio.Task[None] | None = None
        self.votes = 0
        """Standing label votes when the last estimate was made: skips say nothing of skills, and
        are not in it."""
        self.rested = 0
        """Standing label votes from which on there may be another one."""
        self.wanted = False
        self.enabled = False
        self.again: asyncio.TimerHandle | None = None


class Skills:
    def __init__(
        self, store: Store, boards: Boards, remerging: Remerging, run_job: RunJob, folder: Path
    ) -> None:
        self._store = store
        self._boards = boards
        self._remerging = remerging
        self._run_job = run_job
        self._folder = folder
        self._states: dict[str, _State] = {}
        self._closed = False
        self.changed: Callable[[str], None] = lambda project_id: None

    # -- life

    async def start(self) -> None:
        projects = await self._store.read(lambda tx: tx.projects())
        for project in projects:
            await self._load(project.project_id)

    async def stop(self) -> None:
        self._closed = True
        for state in self._states.values():
            if state.again is not None:
                state.again.cancel()
        await end(s.task for s in self._states.values())

    async def _load(self, project_id: str) -> _State:
        def fn(tx: Tx) -> tuple[bool, int]:
            project = tx.project(project_id)
            assert project is not None
            votes = tx.estimated_votes(project_id, project.estimate_rev)
            return _estimates(project), votes or 0

        board = await self._boards.get(project_id)
        begins = project_id not in self._states
        state = self._states.setdefault(project_id, _State())
        state.enabled, state.votes = await self._store.read(fn)
        if begins and board.label_votes < state.votes:
            # Some were taken back, and a stop came before the estimate that this asks for.
            state.wanted = state.enabled
        return state

    # -- when

    def on_events(self, events: Sequence[Event]) -> None:
        """Bus listener; comes after the boards'."""
        for project_id in {e.project_id for e in events}:
            kinds = {e.type for e in events if e.project_id == project_id}
            state = self._states.get(project_id)
            if state is None or "project.changed" in kinds:
                self._spawn_load(project_id)
                continue
            if kinds & {"round.finished", "votes.taken_back", "votes.restored", "gold.marked"}:
                state.wanted = state.enabled
            self._wake(project_id, state)

    def _spawn_load(self, project_id: str) -> None:
        async def load() -> None:
            self._wake(project_id, await self._load(project_id))

        asyncio.ensure_future(load()).add_done_callback(_log_failure)

    def due(self, board: Board) -> bool:
        """A new estimate should start now."""
        state = self._states.get(board.project_id)
        if state is None or not state.enabled or state.task is not None or state.again is not None:
            return False
        grown = state.votes + max(20, int(state.votes * GROWTH))
        enough = max(FIRST_VOTES, grown, state.rested)
        return board.label_votes >= enough or (state.wanted and board.label_votes > 0)

    def estimating(self, board: Board) -> bool:
        """A new estimate is due, or being made, or landing."""
        state = self._states.get(board.project_id)
        return state is not None and (state.task is not None or self.due(board))

    def _wake(self, project_id: str, state: _State) -> None:
        board = self._boards.peek(project_id)
        if board is None or self._closed or not self.due(board):
            return
        state.wanted = False
        state.task = asyncio.ensure_future(self._estimate(project_id, state))
        state.task.add_done_callback(_log_failure)

    # -- an estimate

    async def _estimate(self, project_id: str, state: _State) -> None:
        try:
            project = await self._store.read(lambda tx: tx.project(project_id))
            if project is None or project.state == "deleting":
                state.enabled = False
                return
            folder = self._folder / project_id / "skills"
            await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
            before = (await self._boards.still(project_id)).label_votes
            votes = await self._store.read(lambda tx: write_votes(tx, project_id, folder))
            state.votes = max(state.votes, before)
            result, _ = await self._run_job(
                "chorus.server.jobs.estimate.estimate",
                {"folder": str(folder), "progress": str(folder / "progress")},
                lambda share, attempt: None,
            )
            estimate = msgspec.convert(result, Estimate)
            # A stop may have cut the last one off before it had landed: it does so first, so that
            # labels follow this one or the one before, and no third.
            await self._remerging.wake(project_id)
            await self._store.persist(lambda tx: _keep(tx, project_id, votes, estimate))
            await self._remerging.wake(project_id)
            # As the board counts them, like what it is compared with: a difference that stays would
            # ask for another estimate for ever.
            state.votes = before
            now = (await self._boards.get(project_id)).label_votes
            state.rested = now + REST * max(0, now - before)
        except JobFailed as error:
            log.error("no estimate of %s: %s", project_id, error)
            self._try_again(project_id, state)
        except ApiError:
            return  # shutting down
        except Exception:
            log.exception("no estimate of %s", project_id)
            self._try_again(project_id, state)
        finally:
            state.task = None
            self.changed(project_id)
            if not self._closed:
                self._wake(project_id, state)

    def _try_again(self, project_id: str, state: _State) -> None:
        def again() -> None:
            state.again = None
            state.wanted = state.enabled
            self._wake(project_id, state)

        if not self._closed:
            state.again = asyncio.get_running_loop().call_later(AGAIN_S, again)


def _estimates(project: Project) -> bool:
    """Whether skills can matter: one vote per item says nothing about anybody."""
    return not project.equal_votes and project.votes_max > 1


def write_votes(tx: Tx, project_id: str, folder: Path) -> int:
    """The job's input, whole files; returns the number of standing label votes."""
    project = tx.project(project_id)
    assert project is not None
    votes = folder / "votes.tsv"
    n = 0
    with votes.open("w", encoding="ascii") as out:
        place = (-1, "")
        while rows := tx.label_votes(project_id, place, READ_CHUNK):
            place = rows[-1][:2]
            for item_id, user_id, value, prelabel in rows:
                out.write(
                    f"{item_id}\t{user_id}\t{value}\t{'' if prelabel is None else prelabel}\n"
                )
                n += 1
    with (folder / "model.tsv").open("w", encoding="ascii") as out:
        after = 0
        while pairs := tx.merge_rows(project_id, after, READ_CHUNK):
            after = pairs[-1][0]
            for item_id, model in pairs:
                if model is not None:
                    out.write(f"{item_id}\t{model}\n")
    with (folder / "checks.tsv").open("w", encoding="ascii") as out:
        for item_id, user_id, _, value, label in tx.check_answers(project_id):
            if label is not None:
                out.write(f"{item_id}\t{user_id}\t{value}\n")
    with (folder / "gold.tsv").open("w", encoding="ascii") as out:
        for item_id, label in tx.gold_truths(project_id):
            out.write(f"{item_id}\t{label}\n")
    rules = {
        "classes": project.class_count,
        "method": project.consensus,
        "sets": project.multilabel,
    }
    (folder / "rules.json").write_bytes(msgspec.json.encode(rules))
    return n


def _keep(tx: Tx, project_id: str, votes: int, estimate: Estimate) -> None:
    project = tx.project(project_id)
    assert project is not None
    now = now_ms()
    rev = tx.add_estimate(project, votes, estimate, now)
    tx.emit(
        project_id, now, "skills.estimated", {"rev": rev, "votes": votes, "note": estimate.note}
    )


def _log_failure(task: asyncio.Task[None]) -> None:
    if task.cancelled() or task.exception() is None:
        return
    if not isinstance(task.exception(), ApiError):
        log.error("skills task failed", exc_info=task.exception())
