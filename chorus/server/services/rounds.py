"""The model's turns: when one is due, its five jobs, and where its answers go.

Rounds run beside the people: a vote only ever emits an event; this service listens, decides
whether a round is due and runs the jobs in other processes through `run_job`.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import shutil
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from chorus.server.clock import now_ms
from chorus.server.domain import audit
from chorus.server.domain.audit import Audit
from chorus.server.domain.events import Board
from chorus.server.domain.features import seen_by, usable
from chorus.server.domain.model import ROUND_JOBS, Event, Job, Project, Round
from chorus.server.domain.rounds import next_round_at, queue_for, round_due, too_few
from chorus.server.errors import ApiError, JobFailed
from chorus.server.services import landing, round_files
from chorus.server.services.dashboard import Boards
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

log = logging.getLogger(__name__)

FEATURE_CHUNK = 256
"""Items per background job: a round waits at most for one chunk, then goes before the others."""
FEATURE_RETRY_S = 60.0
ATTEMPTS = 3
"""As many as the runner makes when a worker dies (see jobs/runner)."""
KEEP_ROUNDS = 5
"""Finished rounds whose model can be downloaded, and rounds whose logs can be read."""
KEEP_WHOLE = 2
"""Rounds of which everything stays on disk; of older ones, what scores and clusters items goes."""
LASTING = {"model.npz", "params.json", "card.json", "model.zip"}

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


class _State:
    """What lasts only while the server runs, per project."""

    def __init__(self) -> None:
        self.running = False
        self.last_evidence: int | None = None
        """What there was to learn from when the last round began (see `_evidence`)."""
        self.weighs = False
        self.partial = False
        """The last round could not score some open items: nothing had looked at them yet."""
        self.total = 0
        self.enabled = True
        self.progress: dict[str, float] = {}
        self.attempts: dict[str, int] = {}
        self.featurizing: asyncio.Task[None] | None = None
        self.feature_error: str | None = None
        self.feature_retry_at = 0.0
        self.round: asyncio.Task[None] | None = None
        self.work: asyncio.Task[None] | None = None
        """The part of `round` that can be cancelled."""
        self.cancelled_by: str | None = None
        self.landing = False
        """The round's answers are on their way to the queues: too late to cancel."""
        self.call: object | None = None
        """The round's place in the line for the worker."""


class Rounds:
    def __init__(
        self, store: Store, boards: Boards, run_job: RunJob, paths: Paths, backbone: str,
        threads: int, allow_download: bool = False,
    ) -> None:  # fmt: skip
        self._store = store
        self._boards = boards
        self._run_job = run_job
        self._paths = paths
        self._backbones = backbone.split("+")
        self._allow_download = allow_download
        self._threads = threads
        self._states: dict[str, _State] = {}
        self._closed = False
        self._line: list[object] = []
        """Calls that the one worker does or has still to do, first come first served."""
        self._no_round = asyncio.Event()
        self._no_round.set()
        self.changed: Callable[[str], None] = lambda project_id: None
        """Called when a job's progress moved, which is in no event."""

    # -- life

    async def start(self) -> None:
        """Rounds that a stop of the server cut off are marked so, and become due again."""

        def fn(tx: Tx) -> list[str]:
            now = now_ms()
            for record in tx.unfinished_rounds():
                _end_jobs(tx, record, "failed", "the server was restarted", now)
                _finish(tx, record, "interrupted", {"reason": "the server was restarted"}, now)
            return [p.project_id for p in tx.projects()]

        for project_id in await self._store.write(fn):
            await self._load(project_id)
            self._wake(project_id)

    async def stop(self) -> None:
        self._closed = True
        tasks = [
            t for s in self._states.values() for t in (s.round, s.featurizing) if t is not None
        ]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _load(self, project_id: str) -> _State:
        def fn(tx: Tx) -> tuple[int | None, bool, bool]:
            project = tx.project(project_id)
            assert project is not None
            ended = [r for r in tx.rounds(project_id) if r.state in ("done", "failed", "cancelled")]
            last = None
            if ended:
                last = msgspec.json.decode(ended[-1].body).get("evidence", ended[-1].labels)
            return last, project.cluster or project.prelabel, project.weighs

        await self._boards.get(project_id)
        last, enabled, weighs = await self._store.read(fn)
        state = self._states.setdefault(project_id, _State())
        state.last_evidence, state.enabled, state.weighs = last, enabled, weighs
        return state

    # -- when

    def on_events(self, events: Sequence[Event]) -> None:
        """Bus listener; comes after the boards'."""
        for project_id in {e.project_id for e in events}:
            kinds = {e.type for e in events if e.project_id == project_id}
            if project_id not in self._states or "project.changed" in kinds:
                self._spawn_load(project_id)
            else:
                self._wake(project_id, features="items.added" in kinds)

    def _spawn_load(self, project_id: str) -> None:
        async def load() -> None:
            await self._load(project_id)
            self._wake(project_id)

        asyncio.ensure_future(load()).add_done_callback(_log_failure)

    def _wake(self, project_id: str, *, features: bool = True) -> None:
        state = self._states.get(project_id)
        board = self._boards.peek(project_id)
        if state is None or board is None or self._closed or not state.enabled:
            return
        if (
            (features or state.feature_error)
            and state.featurizing is None
            and self._seen(board) < len(self._backbones)
            and time.monotonic() >= state.feature_retry_at
        ):
            state.featurizing = asyncio.ensure_future(self._featurize(project_id, state))
            state.featurizing.add_done_callback(_log_failure)
        if self._due(board, state):
            self._begin(project_id, state, board)

    def _due(self, board: Board, state: _State) -> bool:
        if not state.enabled or state.running:
            return False
        if state.partial and board.open_items and self._seen(board) > 0:
            return True
        return round_due(
            _evidence(board, state), state.last_evidence,
            open_items=board.open_items, running=state.running,
        )  # fmt: skip

    def _seen(self, board: Board) -> int:
        """Backbones that have looked at every picture."""
        return seen_by(board.featurized, _pictures(board), self._backbones)

    def _begin(self, project_id: str, state: _State, board: Board) -> None:
        state.last_evidence = sum(_evidence(board, state).values())
        state.running, state.cancelled_by, state.landing = True, None, False
        state.partial = False
        self._no_round.clear()
        state.round = asyncio.ensure_future(self._round(project_id, state))
        state.round.add_done_callback(_log_failure)

    async def train_now(self, project_id: str) -> None:
        """A round on demand. Raises conflict with what is missing."""
        board = await self._boards.get(project_id)
        state = self._states.get(project_id) or await self._load(project_id)
        missing = _obstacle(board, state)
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

    # -- features

    async def _featurize(self, project_id: str, state: _State) -> None:
        """Bring all items through one backbone after the other, chunk by chunk, from the moment
        of import: the first is soon done, and what it gives must not wait for the others."""
        try:
            while not self._closed:
                # People wait for a round; the workers are its alone while it runs.
                await self._no_round.wait()
                backbone, before, batch = await self._store.read(
                    lambda tx: _next_batch(tx, project_id, self._backbones)
                )
                if not batch:
                    return
                folder = self._paths.rounds / project_id / "features"
                try:
                    await self._feature_chunk(folder, backbone, [h for _, h in batch])
                except JobFailed as error:
                    # Not the pictures' fault (disk full, a broken install …): try again later.
                    state.feature_retry_at = time.monotonic() + FEATURE_RETRY_S
                    state.feature_error = str(error)
                    self.changed(project_id)
                    return
                state.feature_error = None
                last, count = batch[-1][0], before + len(batch)

                def fn(
                    tx: Tx, backbone: str = backbone, last: int = last, count: int = count
                ) -> None:
                    tx.set_feature_pass(project_id, backbone, last, count)
                    body = {"backbone": backbone, "featurized": count}
                    tx.emit(project_id, now_ms(), "items.featurized", body)

                await self._store.write(fn)
        finally:
            state.featurizing = None

    async def _feature_chunk(self, folder: Path, backbone: str, hashes: list[str]) -> None:
        """Features of some items. A picture that kills its worker again and again is found by
        halving and left out, so that one bad file never stops the rest."""
        try:
            await self._feature_job(folder, backbone, hashes, lambda share, attempt: None)
        except JobFailed as error:
            if error.attempts < ATTEMPTS:  # the job itself failed; halving would not help
                raise
            if len(hashes) == 1:
                log.error("no features of %s: %s", hashes[0], error)
                return
            half = len(hashes) // 2
            await self._feature_chunk(folder, backbone, hashes[:half])
            await self._feature_chunk(folder, backbone, hashes[half:])

    async def _feature_job(
        self, folder: Path, backbone: str, hashes: list[str], on_progress: OnProgress,
        state: _State | None = None,
    ) -> tuple[dict[str, Any], int]:  # fmt: skip
        rows = [(h, str(self._paths.original(h))) for h in hashes]
        items = folder / "features.tsv"
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        await asyncio.to_thread(round_files.write_feature_items, rows, items)
        return await self._call(
            "chorus.ml.run.featurize",
            {
                "store": str(self._paths.store),
                "models": str(self._paths.models),
                "backbone": backbone,
                "allow_download": self._allow_download,
                "items": str(items),
                "start": 0,
                "stop": len(rows),
                "progress": str(folder / "features.progress"),
                "threads": self._threads,
            },
            on_progress,
            state,
        )

    async def _call(
        self, function: str, params: dict[str, Any], on_progress: OnProgress,
        state: _State | None = None,
    ) -> tuple[dict[str, Any], int]:  # fmt: skip
        """`run_job`, with a place in the line. `state`: of the round whose job it is."""
        place = object()
        self._line.append(place)
        if state is not None:
            state.call = place
        try:
            return await self._run_job(function, params, on_progress)
        finally:
            self._line.remove(place)

    # -- a round

    async def _round(self, project_id: str, state: _State) -> None:
        record: Round | None = None
        try:
            evidence = sum(_evidence(await self._boards.still(project_id), state).values())
            state.last_evidence = evidence
            opened, jobs = await self._store.write(lambda tx: _open_round(tx, project_id))
            record = opened
            state.work = asyncio.ensure_future(self._run(project_id, state, opened, jobs, evidence))
            if state.cancelled_by is not None:  # while it was being opened
                state.work.cancel()
            await state.work
        except JobFailed as error:
            if record is not None:
                await self._end(record, "failed", {"reason": str(error), "evidence": evidence})
        except asyncio.CancelledError:
            if record is None or state.cancelled_by is None or self._closed:
                raise
            reason = f"cancelled by {state.cancelled_by}"
            await self._end(record, "cancelled", {"reason": reason, "evidence": evidence})
        except Exception as error:
            log.exception("round of %s failed", project_id)
            if record is not None and not self._closed:
                reason = f"{type(error).__name__}: {error}"
                await self._end(record, "failed", {"reason": reason, "evidence": evidence})
        finally:
            state.running, state.work = False, None
            if not any(s.running for s in self._states.values()):
                self._no_round.set()
            state.progress.clear()
            self.changed(project_id)
            if not self._closed:
                self._wake(project_id)

    async def _end(self, record: Round, end: str, figures: dict[str, Any]) -> None:
        await self._store.write(lambda tx: _finish(tx, record, end, figures, now_ms()))

    async def _run(
        self, project_id: str, state: _State, record: Round, jobs: dict[str, Job], evidence: int
    ) -> None:
        folder = self._paths.rounds / project_id / str(record.number)
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        await asyncio.to_thread(folder.mkdir, parents=True)
        project = await self._store.read(lambda tx: tx.project(project_id))
        assert project is not None
        classes = await self._store.read(lambda tx: len(tx.classes(project_id)))
        labels: int = await self._store.read(
            lambda tx: round_files.write_items(tx, project_id, folder / "items.tsv")
        )
        # All rows of a round have the same features: those of the backbones that saw everything.
        board = await self._boards.get(project_id)
        backbone = usable(board.featurized, _pictures(board), self._backbones)
        state.partial = self._seen(board) == 0
        # What the model learns from is what was written, not what was there at the trigger.
        record.labels = labels
        hashes = await asyncio.to_thread(_labeled_hashes, folder / "items.tsv")
        await self._job(
            state,
            jobs["featurize"],
            lambda on: self._feature_job(folder, backbone, hashes, on, state),
        )
        params = {
            "round_dir": str(folder),
            "store": str(self._paths.store),
            "backbone": backbone,
            "classes": classes,
            "target": project.target,
            "prelabel": project.prelabel,
            "seed": project.seed % 2**31,
            "threads": self._threads,
        }
        await asyncio.to_thread(
            (folder / "params.json").write_bytes,
            msgspec.json.encode({**params, "labels": labels, "models": str(self._paths.models)}),
        )
        results: dict[str, dict[str, Any]] = {}
        for kind in ("train", "validate", "infer", "cluster"):
            if kind == "cluster" and not project.cluster:
                await self._skip(jobs[kind])
                continue
            progress = str(folder / f"{kind}.progress")
            call = {**params, "progress": progress}
            results[kind] = await self._job(
                state,
                jobs[kind],
                lambda on, kind=kind, call=call: self._call(  # type: ignore[misc]
                    f"chorus.ml.run.{kind}", call, on, state
                ),
            )
            if kind == "validate":
                card = await asyncio.to_thread((folder / "card.json").read_text, "utf-8")
                await self._store.write(
                    lambda tx, card=card: tx.put_card(project_id, record.number, card)  # type: ignore[misc]
                )
        state.landing = True
        figures = await self._land(project_id, record.number, folder, project.prelabel, results)
        await self._end(record, "done", {**figures, "evidence": evidence, "backbone": backbone})
        ended = await self._store.read(lambda tx: tx.rounds(project_id))
        try:
            await asyncio.to_thread(_prune, folder.parent, [(r.number, r.state) for r in ended])
        except OSError:  # the round is over all the same
            log.exception("old rounds of %s could not be removed", project_id)

    async def _job(
        self,
        state: _State,
        job: Job,
        run: Callable[[OnProgress], Awaitable[tuple[dict[str, Any], int]]],
    ) -> dict[str, Any]:
        job.state, job.started_at = "running", now_ms()
        await self._keep_job(job)

        def on_progress(share: float, attempt: int) -> None:
            state.progress[job.job_id] = share
            state.attempts[job.job_id] = attempt
            self.changed(job.project_id)

        try:
            result, job.attempts = await run(on_progress)
        except JobFailed as error:
            job.state, job.error, job.attempts = "failed", str(error), error.attempts
            job.finished_at = now_ms()
            await self._keep_job(job)
            raise
        job.state, job.progress, job.finished_at = "done", 1.0, now_ms()
        await self._keep_job(job)
        return result

    async def _skip(self, job: Job) -> None:
        job.state = "skipped"
        await self._keep_job(job)

    async def _keep_job(self, job: Job) -> None:
        def fn(tx: Tx) -> None:
            tx.update_job(job)
            tx.emit(job.project_id, now_ms(), "job.changed", {"job": _job_fields(job)})

        await self._store.write(fn)

    async def _land(
        self, project_id: str, number: int, folder: Path, prelabel: bool,
        results: dict[str, dict[str, Any]],
    ) -> dict[str, Any]:  # fmt: skip
        card = await asyncio.to_thread(round_files.read_card, folder)
        project, found = await self._store.write(lambda tx: _audit(tx, project_id, now_ms()))
        if found.breached:
            card["threshold"], card["reason"] = None, _broken(found, project.target)
            card["labels_needed"] = None
        card["audit"] = msgspec.to_builtins(found)
        kept = msgspec.json.encode(card).decode()
        await self._store.write(lambda tx: tx.put_card(project_id, number, kept))
        open_items = await self._store.read(lambda tx: tx.open_items(project_id))
        clusters_worth = bool(results.get("cluster", {}).get("worth", False))
        plan, views = await asyncio.to_thread(
            _plan,
            number,
            folder,
            card,
            open_items,
            prelabel and not found.breached,
            clusters_worth,
        )
        plan.audit_share = project.audit_share
        ids = sorted(plan.predictions)
        prelabeled = 0
        for i in range(0, len(ids), landing.CHUNK):
            chunk = ids[i : i + landing.CHUNK]
            prelabeled += await self._store.write(
                lambda tx, chunk=chunk: landing.land_chunk(  # type: ignore[misc]
                    tx, project_id, plan, chunk, now_ms()
                )
            )
        for i in range(0, len(views), landing.CHUNK):
            some = views[i : i + landing.CHUNK]
            await self._store.write(
                lambda tx, some=some: landing.land_views(  # type: ignore[misc]
                    tx, project_id, some, number, plan.thresholds, now_ms()
                )
            )
        return {
            **{
                key: card.get(key)
                for key in (
                    "model_accuracy", "baseline", "threshold", "lower_bound", "accuracy",
                    "coverage", "n", "n_above", "target", "reason", "labels_needed",
                )
            },
            "audit": card["audit"],
            "prelabeled": prelabeled,
            "clustered": len(plan.clusters),
            "purity": results.get("cluster", {}).get("purity"),
        }  # fmt: skip

    # -- what the dashboard shows

    def assist(self, board: Board) -> dict[str, Any]:
        state = self._states.get(board.project_id) or _State()
        now = now_ms()
        last = board.rounds[-1] if board.rounds else None
        done = [r for r in board.rounds if r["state"] == "done"]
        due = self._due(board, state)
        evidence = _evidence(board, state)
        missing = too_few(evidence)
        reason: str | None = None
        needed: int | None = None
        if not state.enabled:
            reason = "Clustering and prelabels are switched off for this project."
        elif done:
            reason, needed = done[-1].get("reason"), done[-1].get("labels_needed")
            if reason and board.queue["prelabeled"]:
                # Those of an earlier round, with which the newest one still agrees.
                reason = reason.replace("No prelabels yet", "No further prelabels")
        elif state.feature_error:
            reason = f"The pictures could not be read by the model: {state.feature_error}"
        elif missing:
            reason = missing
        at = next_round_at(evidence, state.last_evidence) if state.enabled else None
        if not done and at is not None:
            needed = max(0, at - sum(evidence.values())) or None
            reason = reason or "The first round has not run yet."
        return {
            "enabled": state.enabled,
            "round_due": due,
            "running": state.running,
            "landing": state.landing and state.running,
            "train_blocked": _obstacle(board, state),
            "next_round_at": at if board.open_items else None,
            "next_round_of": "vote" if state.weighs else "label",
            **self._featurized(board, state.enabled),
            "prelabel_reason": reason,
            "labels_needed": needed,
            "round": last,
            "rounds": board.rounds[-100:],
            "jobs": [self._job_stats(j, state, now) for j in board.jobs],
        }

    def _featurized(self, board: Board, enabled: bool) -> dict[str, int]:
        """How far the pass at work is; as long as one is left to do, less than the total."""
        total = _pictures(board) if enabled else 0
        seen = seen_by(board.featurized, total, self._backbones)
        at = min(seen, len(self._backbones) - 1)
        done = min(board.featurized.get(self._backbones[at], 0), total)
        return {"featurized": done, "featurize_total": total, "featurize_pass": at + 1}

    def _ahead(self, state: _State) -> int:
        """Calls before the round's own in the line for the worker: other projects' rounds, and
        pictures that are looked at ahead of need."""
        return self._line.index(state.call) if state.call in self._line else 0

    def _job_stats(self, job: dict[str, Any], state: _State, now: int) -> dict[str, Any]:
        started = job["started_at"]
        ended = job["finished_at"] or now
        done = job["state"] == "done"
        return {
            "job_id": job["job_id"],
            "kind": job["kind"],
            "state": job["state"],
            "progress": 1.0 if done else state.progress.get(job["job_id"], 0.0),
            "attempts": max(job["attempts"], state.attempts.get(job["job_id"], 0)),
            "error": job["error"],
            "ahead": self._ahead(state) if job["state"] == "running" else 0,
            "seconds": None if started is None else round((ended - started) / 1000, 1),
        }


def _obstacle(board: Board, state: _State) -> str | None:
    """Why no round can start now; None: one can."""
    if not state.enabled:
        return "clustering and prelabels are both switched off"
    if state.running:
        return "a round is running already"
    missing = too_few(_evidence(board, state))
    if missing is None and board.open_items == 0:
        return "every item is settled: there is nothing left to help with"
    return missing


def _pictures(board: Board) -> int:
    """Every item ever added: featurize counts removed ones too."""
    return sum(board.counts.values())


def _next_batch(
    tx: Tx, project_id: str, backbones: Sequence[str]
) -> tuple[str, int, list[tuple[int, str]]]:
    """(backbone, items it has been through, the next (item_id, content_hash) rows for it): of the
    first backbone that has work left."""
    for backbone in backbones:
        last, count = tx.feature_pass(project_id, backbone)
        batch = tx.feature_batch(project_id, last, FEATURE_CHUNK)
        if batch:
            break
    return backbone, count, batch


def _log_failure(task: asyncio.Task[None]) -> None:
    if task.cancelled() or task.exception() is None:
        return
    if not isinstance(task.exception(), ApiError):
        log.error("rounds task failed", exc_info=task.exception())


def _job_fields(job: Job) -> dict[str, Any]:
    return {
        "job_id": job.job_id,
        "kind": job.kind,
        "state": job.state,
        "attempts": job.attempts,
        "error": job.error,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
    }


def _audit(tx: Tx, project_id: str, now: int) -> tuple[Project, Audit]:
    """What the blind audit says of the prelabels shown so far. Prelabels that are less accurate
    than promised end here: the model has to prove itself anew, on labels made from now on."""
    project = tx.project(project_id)
    assert project is not None
    found = audit.judge(*tx.audited(project_id, project.evidence_since), project.target)
    if found.breached:
        tx.begin_evidence_anew(project_id, now)
        body = {"n": found.n, "right": found.right, "target": project.target}
        tx.emit(project_id, now, "prelabels.suspended", body)
    return project, found


def _broken(found: Audit, target: float) -> str:
    return (
        f"Prelabels are suspended: of {found.n} pictures that people labeled without being shown"
        f" the model's answer it was right on {found.right}, less often than the {target:.0%} it"
        " had promised. It has to prove itself anew."
    )


def _evidence(board: Board, state: _State) -> dict[str, int]:
    """What a round can learn from, by value: labels, or single votes where few are decided
    before the model helps (see domain/rounds)."""
    return board.answers if state.weighs else board.labels


def _open_round(tx: Tx, project_id: str) -> tuple[Round, dict[str, Job]]:
    now = now_ms()
    known = tx.rounds(project_id)
    number = known[-1].number + 1 if known else 1
    labels = sum(tx.count_labels(project_id).values())
    body = {
        "number": number,
        "state": "running",
        "labels": labels,
        "started_at": now,
        "finished_at": None,
    }
    record = Round(
        project_id, number, "running", labels, now, None, msgspec.json.encode(body).decode()
    )
    tx.put_round(record)
    jobs = {}
    for n, kind in enumerate(ROUND_JOBS):
        # The id ends in the order, so that jobs list in the order they run.
        job = Job(
            f"r{number}-{n}-{secrets.token_hex(4)}",
            project_id, kind, number, "waiting", 0.0, 0, None, None, None, now, None, None,
        )  # fmt: skip
        tx.add_job(job)
        jobs[kind] = job
    tx.emit(
        project_id,
        now,
        "round.started",
        {"round": body, "jobs": [_job_fields(j) for j in jobs.values()]},
    )
    return record, jobs


def _end_jobs(tx: Tx, record: Round, end: str, error: str | None, now: int) -> None:
    """Jobs of a round that were not over are, with the state `end`."""
    for job in tx.jobs_of_round(record.project_id, record.number):
        if job.state in ("waiting", "running"):
            job.state, job.finished_at, job.error = end, now, error
            tx.update_job(job)


def _finish(tx: Tx, record: Round, end: str, figures: dict[str, Any], now: int) -> None:
    record.state, record.finished_at = end, now
    if end != "done":
        # What was running is "failed" already, unless the round was cancelled.
        _end_jobs(tx, record, "cancelled", None, now)
    body = {
        "number": record.number,
        "state": end,
        "labels": record.labels,
        "started_at": record.started_at,
        "finished_at": now,
        "seconds": round((now - record.started_at) / 1000, 2),
        **figures,
    }
    record.body = msgspec.json.encode(body).decode()
    tx.put_round(record)
    jobs = [_job_fields(j) for j in tx.jobs_of_round(record.project_id, record.number)]
    kind = {"done": "round.finished", "cancelled": "round.cancelled"}.get(end, "round.failed")
    tx.emit(record.project_id, now, kind, {"round": body, "jobs": jobs})


def _labeled_hashes(path: Path) -> list[str]:
    with path.open(encoding="ascii") as lines:
        next(lines)
        rows = (line.split("\t") for line in lines)
        return [row[1] for row in rows if row[2]]


def _plan(
    number: int, folder: Path, card: dict[str, Any],
    open_items: list[tuple[int, str, str | None]], prelabel: bool, clusters_worth: bool,
) -> tuple[landing.Plan, list[tuple[int, round_files.Prediction]]]:  # fmt: skip
    """(where each open item goes, what the model says of each labeled one)."""
    predictions = round_files.read_predictions(folder / "predictions.tsv")
    clusters = round_files.read_clusters(folder / "clusters.tsv") if clusters_worth else {}
    thresholds = {} if card["threshold"] is None else _thresholds(card)
    prelabeled = [
        item_id
        for item_id, queue, pre_value in open_items
        if (guess := predictions.get(item_id)) is not None
        and queue_for(
            value=guess.value,
            score=guess.score,
            threshold=thresholds.get(guess.value),
            prelabel=prelabel,
            clustered=False,
            was_prelabeled=queue == "prelabeled",
            was_value=pre_value,
        )
        == "prelabeled"
    ]
    places = landing.prelabel_places(predictions, prelabeled, number)
    views = sorted(round_files.read_predictions(folder / "oof.tsv").items())
    plan = landing.Plan(number, thresholds, prelabel, predictions, clusters, places)
    return plan, views


def _thresholds(card: dict[str, Any]) -> dict[str, float]:
    """Class as stored -> the confidence from which it is prelabeled."""
    return {
        str(row["class"]): row["threshold"]
        for row in card["per_class"]
        if row["threshold"] is not None
    }


def _prune(folder: Path, rounds: list[tuple[int, str]]) -> None:
    """Old rounds' files go; their figures and cards stay in the database.

    rounds: (number, state), oldest first. A model stays while its round is among the newest that
    finished, however many failed after it; the logs of the newest rounds stay whatever they came
    to.
    """
    done = [number for number, state in rounds if state == "done"]
    newest = {number for number, _ in rounds[-KEEP_ROUNDS:]} | set(done[-KEEP_ROUNDS:])
    whole = set(done[-KEEP_WHOLE:]) | {number for number, _ in rounds[-1:]}
    for child in folder.iterdir():
        if not child.name.isdigit() or not child.is_dir() or int(child.name) in whole:
            continue
        if int(child.name) not in newest:
            shutil.rmtree(child, ignore_errors=True)
            continue
        for file in child.iterdir():
            if file.name not in LASTING and file.suffix != ".log":
                file.unlink(missing_ok=True)
