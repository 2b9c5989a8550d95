"""Fine-tuning in the background: turn by turn between the rounds, then judged, then in use.

When and on which items is in domain/tuning. A stop of the server loses one turn at most: what was
running goes on when it starts again.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from chorus.server.clock import now_ms
from chorus.server.domain import tuning as rules
from chorus.server.domain.events import Board
from chorus.server.domain.model import Project, Round, Tuning
from chorus.server.domain.tasks import is_multilabel
from chorus.server.errors import ApiError, JobFailed
from chorus.server.services import tuning_files
from chorus.server.services.dashboard import Boards
from chorus.server.services.feature_passes import FeaturePasses
from chorus.server.services.round_state import Line, Paths, RoundState, log_failure, pictures
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

log = logging.getLogger(__name__)

TURN_S = 4.0
"""A round waits for one turn at most."""
DRAWN = "drawn"
"""In a fine-tuning's folder: its number and how many classes there were, once its items are drawn
and marked."""
STATE = "state.pt"
"""There, too: where the training stands. Until all is over, so that what a stop cuts off after the
last turn does not train anew."""
MARK_CHUNK = 2000
LASTING = ("backbone", "pictures", "steps", "losses", "device")
"""Of what the training said."""
TRAINING_SHARE = 0.9
"""Of the whole, by its time; the rest is the judging."""


class Tunings:
    def __init__(
        self, store: Store, boards: Boards, line: Line, features: FeaturePasses, paths: Paths,
        threads: int, allow_download: bool, no_round: asyncio.Event,
    ) -> None:  # fmt: skip
        self._store = store
        self._boards = boards
        self._line = line
        self._features = features
        self._paths = paths
        self._threads = threads
        self._allow_download = allow_download
        self._no_round = no_round
        self.closed = False
        self.changed: Callable[[str], None] = lambda project_id: None
        """Called when its progress moved, which is in no event."""

    # -- when

    def wake(self, project_id: str, state: RoundState, board: Board) -> None:
        """Go on with what a stop of the server cut off, or begin if it is time."""
        if self.closed or state.tuning is not None or state.running:
            return
        last = board.tunings[-1] if board.tunings else None
        cut_off = last is not None and last["state"] == "running"
        before = None if last is None else last["labels"]
        if cut_off or (state.fine_tune and rules.due(_labels(board), before, board.open_items)):
            self._spawn(project_id, state)

    async def start(self, project_id: str, state: RoundState) -> None:
        """Begin on demand. Raises conflict with what is missing."""
        board = await self._boards.get(project_id)
        reason = self.obstacle(state, board)
        if reason is not None:
            raise ApiError("conflict", reason)
        self._spawn(project_id, state)

    def obstacle(self, state: RoundState, board: Board) -> str | None:
        """Why none can begin now; None: one can."""
        if not state.fine_tune:
            return "fine-tuning is switched off"
        if state.disabled is not None:
            return state.disabled
        if state.tuning is not None:
            return "a fine-tuning is running already"
        if state.running:
            return "a round is running; it comes first"
        return rules.obstacle(_labels(board), board.open_items)

    async def cancel(self, state: RoundState, by: str) -> None:
        """End it; what is in use stays in use. Raises conflict when none is running."""
        if state.tuning is None:
            raise ApiError("conflict", "no fine-tuning is running")
        state.tuning_cancelled_by = by
        state.tuning.cancel()
        await asyncio.wait([state.tuning])

    def _spawn(self, project_id: str, state: RoundState) -> None:
        state.tuning_cancelled_by, state.tuning_share = None, 0.0
        state.tuning = asyncio.ensure_future(self._run(project_id, state))
        state.tuning.add_done_callback(log_failure)

    # -- one of them

    async def _run(self, project_id: str, state: RoundState) -> None:
        record: Tuning | None = None
        try:
            opened, fresh = await self._store.write(
                lambda tx: _open(tx, project_id, state.backbones[0])
            )
            record = opened
            folder = self._paths.rounds / project_id / "tuning"
            project = await self._store.read(lambda tx: tx.project(project_id))
            assert project is not None
            classes = None if fresh else await asyncio.to_thread(_drawn, opened, folder)
            if classes is None:
                classes = await self._draw(opened, project, folder)
            params = self._params(project, state, folder, classes)
            figures = await self._train(opened, state, params)
            await self._judge(opened, state, folder, params, figures)
        except JobFailed as error:
            if record is not None:
                await self._end(record, "failed", {"reason": str(error)})
        except asyncio.CancelledError:
            by = state.tuning_cancelled_by
            if record is None or by is None or self.closed:
                raise  # the server stops: it goes on with the next start
            await self._end(record, "cancelled", {"reason": f"cancelled by {by}"})
        except Exception as error:
            log.exception("fine-tuning of %s failed", project_id)
            if record is not None and not self.closed:
                await self._end(record, "failed", {"reason": f"{type(error).__name__}: {error}"})
        finally:
            state.tuning = None
            self.changed(project_id)

    async def _draw(self, record: Tuning, project: Project, folder: Path) -> int:
        """Returns how many classes there are now: it goes on with these, whatever is added."""

        def read(tx: Tx) -> tuple[Round, int]:
            done = [r for r in tx.rounds(record.project_id) if r.state == "done"]
            return done[-1], len(tx.classes(record.project_id))

        newest, classes = await self._store.read(read)
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        await asyncio.to_thread(folder.mkdir, parents=True)
        drawn = await asyncio.to_thread(
            tuning_files.draw,
            self._paths.rounds / record.project_id / str(newest.number) / "items.tsv",
            folder / "items.tsv",
            project.seed,
            self._paths.original,
        )
        for at in range(0, len(drawn.marked), MARK_CHUNK):
            some = drawn.marked[at : at + MARK_CHUNK]
            await self._store.persist(
                lambda tx, some=some: tx.mark_tuned(some, record.number)  # type: ignore[misc]
            )
        # Last: what a stop cuts off before this is drawn anew, so that nothing is learned from an
        # item that is not marked.
        await asyncio.to_thread((folder / DRAWN).write_text, f"{record.number} {classes}")
        return classes

    async def _train(
        self, record: Tuning, state: RoundState, params: dict[str, Any]
    ) -> dict[str, Any]:
        while True:
            # People wait for a round; the worker is its alone while it runs.
            await self._no_round.wait()
            found, _ = await self._line.call(
                "chorus.ml.finetune_jobs.turn", params, lambda share, attempt: None
            )
            state.tuning_share = TRAINING_SHARE * found["step"] / found["steps"]
            self.changed(record.project_id)
            if found["done"]:
                return found

    async def _judge(
        self, record: Tuning, state: RoundState, folder: Path, params: dict[str, Any],
        figures: dict[str, Any],
    ) -> None:  # fmt: skip
        """Is it better, on items that it has not seen? Then all items go through it."""
        before = "+".join(state.backbones)
        hashes = await asyncio.to_thread(tuning_files.judged, folder / "items.tsv")
        for backbone in (before, figures["backbone"]):
            await self._no_round.wait()
            await self._features.job(folder, backbone, hashes, lambda share, attempt: None)
        await self._no_round.wait()
        after = f"{before}+{figures['backbone']}"
        found, _ = await self._line.call(
            "chorus.ml.finetune_jobs.compare",
            {**params, "before": before, "after": after},
            lambda share, attempt: None,
        )
        figures = {**{key: figures[key] for key in LASTING}, **found}
        better = figures.pop("better")
        if not better:
            figures["reason"] = (
                f"it was no better on {found['judged_on']} items that it had not seen"
            )
        record.backbone = figures["backbone"] if better else None
        await self._end(record, "adopted" if better else "declined", figures)
        if better:
            # At once, so that nobody finds the model with nothing to do in between.
            state.tuned = [*state.tuned, (record.number, figures["backbone"])]
        else:
            await asyncio.to_thread(self._forget, figures["backbone"])

    def _params(
        self, project: Project, state: RoundState, folder: Path, classes: int
    ) -> dict[str, Any]:
        return {
            "folder": str(folder),
            "state": str(folder / STATE),
            "store": str(self._paths.store),
            "models": str(self._paths.models),
            "base": state.backbones[0],
            "allow_download": self._allow_download,
            "classes": classes,
            "multilabel": is_multilabel(project.task_type),
            "seed": project.seed % 2**31,
            "seconds": TURN_S,
            "threads": self._threads,
            "progress": str(folder / "tuning.progress"),
        }

    def _forget(self, backbone: str) -> None:
        """Remove a network that is of no use, and what it saw."""
        shutil.rmtree(self._paths.store / backbone.replace("/", "_"), ignore_errors=True)
        digest = backbone.rpartition("@")[2]
        for file in (self._paths.models / "weights").glob(f"{digest}.*"):
            file.unlink(missing_ok=True)
        for file in self._paths.models.glob(f"*@{digest}-*.onnx"):
            file.unlink(missing_ok=True)

    async def tidy(self, tuned: list[tuple[int, str]], used: int) -> None:
        """After a round with the network of fine-tuning `used`: features of older ones go. Their
        weights stay, for the rounds whose model can be downloaded."""
        for number, name in tuned:
            if number < used:
                folder = self._paths.store / name.replace("/", "_")
                await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def _end(self, record: Tuning, end: str, figures: dict[str, Any]) -> None:
        record.state, record.finished_at = end, now_ms()
        await self._store.persist(lambda tx: _put(tx, record, figures))
        state = self._paths.rounds / record.project_id / "tuning" / STATE
        await asyncio.to_thread(state.unlink, missing_ok=True)

    # -- what the dashboard shows

    def stats(self, board: Board, state: RoundState) -> dict[str, Any]:
        """The newest fine-tuning and what can be done."""
        last = dict(board.tunings[-1]) if board.tunings else None
        if last is not None:
            if last["state"] == "running":
                last["progress"] = state.tuning_share
            elif last["state"] == "adopted":
                total = pictures(board)
                seen = min(total, board.featurized.get(last["backbone"], 0))
                last["progress"] = seen / total if total else 1.0
        return {
            "enabled": state.fine_tune,
            "blocked": self.obstacle(state, board),
            "running": state.tuning is not None,
            "newest": last,
        }


def _labels(board: Board) -> int:
    """What the newest finished round learned from: only that can be drawn from."""
    done = [r for r in board.rounds if r["state"] == "done"]
    return int(done[-1]["labels"]) if done else 0


def _drawn(record: Tuning, folder: Path) -> int | None:
    """How many classes there were when its items were drawn; None: they are not yet, or not all are
    marked (or those that are, are of the one before, or of an older version, which did not say)."""
    try:
        number, _, classes = (folder / DRAWN).read_text().partition(" ")
    except FileNotFoundError:
        return None
    return int(classes) if number == str(record.number) and classes.isdigit() else None


def _open(tx: Tx, project_id: str, base: str) -> tuple[Tuning, bool]:
    """The one that is running, or a new one; is it new?"""
    known = tx.tunings(project_id)
    if known and known[-1].state == "running":
        return known[-1], False
    done = [r for r in tx.rounds(project_id) if r.state == "done"]
    record = Tuning(
        project_id=project_id,
        number=known[-1].number + 1 if known else 1,
        state="running",
        labels=done[-1].labels,
        backbone=None,
        started_at=now_ms(),
        finished_at=None,
        body="",
    )
    _put(tx, record, {"base": base})
    return record, True


def _put(tx: Tx, record: Tuning, figures: dict[str, Any]) -> None:
    known = msgspec.json.decode(record.body) if record.body else {}
    ended = record.finished_at
    body = {
        **known,
        "number": record.number,
        "state": record.state,
        "labels": record.labels,
        "started_at": record.started_at,
        "finished_at": ended,
        "seconds": None if ended is None else round((ended - record.started_at) / 1000, 1),
        **figures,
    }
    record.body = msgspec.json.encode(body).decode()
    tx.put_tuning(record)
    tx.emit(record.project_id, now_ms(), "tuning.changed", {"tuning": body})
