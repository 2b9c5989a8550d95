"""What a round's parts share: the worker and the line for it, folders, a project's state."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from chorus.server.domain.events import Board
from chorus.server.domain.features import newest_seen, seen_by
from chorus.server.domain.model import Project
from chorus.server.domain.rounds import next_detector_at, next_round_at, too_few, too_few_boxes
from chorus.server.errors import ApiError

log = logging.getLogger(__name__)

OnProgress = Callable[[float, int], None]
"""(share done 0..1, attempt)"""


class RunJob(Protocol):
    def __call__(
        self, function: str, params: dict[str, Any], on_progress: OnProgress
    ) -> Awaitable[tuple[dict[str, Any], int]]:
        """Run `function(params)` in a worker process; (result, attempts) or `JobFailed`."""
        ...


class Paths(msgspec.Struct):
    """Where jobs read and write."""

    store: Path
    models: Path
    rounds: Path
    original: Callable[[str], Path]
    """content_hash -> path of the picture."""
    ready: Callable[[Sequence[str]], Awaitable[None]]
    """(content hashes): have those here that lie elsewhere. Raises `JobFailed`."""


OFF = "clustering and prelabels are both switched off"
ARCHIVED = "the project has been put away"
NO_POLYGONS = "polygons are not predicted: the detector finds boxes"


class RoundState:
    """What lasts only while the server runs, per project."""

    def __init__(self) -> None:
        self.backbones: list[str] = []
        self.tuned: list[tuple[int, str]] = []
        """Networks tuned for the project and found better: (number, name), oldest first."""
        self.fine_tune = False
        self.tuned_tried = 0
        """The newest of them that a round has begun with."""
        self.tuning: asyncio.Task[None] | None = None
        self.tuning_cancelled_by: str | None = None
        self.tuning_share = 0.0
        """How far the fine-tuning is, 0..1."""
        self.running = False
        self.last_evidence: int | None = None
        """What there was to learn from when the last round began (see `_evidence`)."""
        self.weighs = False
        self.ordering = "random"
        self.partial = False
        """The last round could not score some open items: nothing had looked at them yet."""
        self.total = 0
        self.boxes = False
        """The model is a detector: it learns from pictures, and looks at them when it needs to."""
        self.disabled: str | None = None
        """Why the model does not help; None: it does."""
        self.progress: dict[str, float] = {}
        self.attempts: dict[str, int] = {}
        self.featurizing: asyncio.Task[None] | None = None
        self.feature_error: str | None = None
        self.round: asyncio.Task[None] | None = None
        self.work: asyncio.Task[int] | None = None
        """The part of `round` that can be cancelled."""
        self.cancelled_by: str | None = None
        self.began_with = 0
        """What the running round has to learn from, as `last_evidence`."""
        self.trained = False
        """The running round's heads are trained."""
        self.outdated: str | None = None
        """Why the running round gives way to a new one."""
        self.replaced = False
        """One has been replaced since the last that was done (see domain/rounds)."""
        self.landing = False
        """The round's answers are on their way to the queues: too late to cancel."""
        self.call: object | None = None
        """The round's place in the line for the worker."""

    @property
    def enabled(self) -> bool:
        return self.disabled is None

    @property
    def passes(self) -> list[str]:
        """The backbones that all items go through, in order."""
        return self.backbones + [name for _, name in self.tuned[-1:]]


class Line:
    """Calls that the one worker does or has still to do, first come first served."""

    def __init__(self, run_job: RunJob) -> None:
        self._run_job = run_job
        self._calls: list[object] = []

    async def call(
        self, function: str, params: dict[str, Any], on_progress: OnProgress,
        state: RoundState | None = None,
    ) -> tuple[dict[str, Any], int]:  # fmt: skip
        """`run_job`, with a place in the line. `state`: of the round whose job it is."""
        place = object()
        self._calls.append(place)
        if state is not None:
            state.call = place
        try:
            return await self._run_job(function, params, on_progress)
        finally:
            self._calls.remove(place)

    def ahead(self, state: RoundState) -> int:
        """Calls before the round's own in the line for the worker: other projects' rounds, and
        pictures that are looked at ahead of need."""
        return self._calls.index(state.call) if state.call in self._calls else 0


def why_disabled(project: Project) -> str | None:
    """Why the model does not help in a project, as it is set up; None: it does."""
    if project.task_type == "polygons":
        return NO_POLYGONS
    if project.state == "archived":
        return ARCHIVED
    if project.cluster or project.prelabel or project.ordering != "random":
        return None
    return OFF


def evidence_of(board: Board, state: RoundState) -> dict[str, int]:
    """What a round can learn from, by class: labels, or single votes where few are decided
    before the model helps (see domain/rounds)."""
    return board.answers if state.weighs else board.labels


def evidence_total(board: Board, state: RoundState) -> int:
    """How much there is to learn from: a label set counts once, whatever is in it."""
    if state.weighs:
        return board.label_votes
    return board.counts["labeled"]


def too_little(board: Board, state: RoundState) -> str | None:
    """Why no model can be trained from what there is, or None if it can."""
    return (too_few_boxes if state.boxes else too_few)(evidence_of(board, state))


def next_at(board: Board, state: RoundState, last: int | None) -> int:
    """How much there must be to learn from for the next round to be due (see `evidence_total`),
    after one that had `last`; None: there was none."""
    if state.boxes:
        return next_detector_at(last)
    return next_round_at(evidence_of(board, state), last)


def ready(board: Board, state: RoundState, last: int | None) -> bool:
    """Is there enough new to learn from, and somebody left to help? last: as of `next_at`."""
    if not board.open_items or too_little(board, state) is not None:
        return False
    return evidence_total(board, state) >= next_at(board, state, last)


def obstacle(board: Board, state: RoundState) -> str | None:
    """Why no round can start now; None: one can."""
    if state.disabled is not None:
        return state.disabled
    if state.running:
        return "a round is running already"
    missing = too_little(board, state)
    if missing is None and board.open_items == 0:
        return "every item is settled: there is nothing left to help with"
    return missing


def pictures(board: Board) -> int:
    """Every item ever added: featurize counts removed ones too."""
    return sum(board.counts.values())


def seen_backbones(board: Board, state: RoundState) -> int:
    """Backbones that have looked at every picture, the newest tuned one last."""
    return seen_by(board.featurized, pictures(board), state.passes)


def tuned_seen(board: Board, state: RoundState) -> tuple[int, str] | None:
    """The newest tuned network that a round can use: (number, name)."""
    total = pictures(board)
    if seen_by(board.featurized, total, state.backbones) < len(state.backbones):
        return None
    return newest_seen(board.featurized, total, state.tuned)


def log_failure(task: asyncio.Task[None]) -> None:
    if task.cancelled() or task.exception() is None:
        return
    if not isinstance(task.exception(), ApiError):
        log.error("rounds task failed", exc_info=task.exception())
