"""What rounds leave behind: threshold cards, logs of jobs, models and features to take away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

import msgspec

from chorus.server.domain.features import Backbones, usable
from chorus.server.domain.model import ROUND_JOBS, Round
from chorus.server.errors import ApiError, JobFailed
from chorus.server.services.projects import Projects
from chorus.server.services.round_folders import KEEP_ROUNDS
from chorus.server.services.round_state import Paths
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

LOG_BYTES = 16_384
"""Of the end of a job's log: what people read of it."""
CHUNK = 5000
LOG_NAMES = {"featurize": "features"}
"""Logs lie beside the progress of their job; featurize keeps its files under another name."""


class RunJob(Protocol):
    def __call__(
        self, function: str, params: dict[str, Any], on_progress: Callable[[float, int], None]
    ) -> Awaitable[tuple[dict[str, Any], int]]:
        """As of `rounds.RunJob`, by workers that rounds do not occupy."""
        ...


class Artifacts:
    def __init__(
        self, store: Store, projects: Projects, run_job: RunJob, paths: Paths, backbones: Backbones
    ) -> None:
        self._store = store
        self._projects = projects
        self._run_job = run_job
        self._paths = paths
        self._backbones = backbones
        self._locks: dict[Path, asyncio.Lock] = {}

    async def rounds(self, project_id: str) -> list[dict[str, Any]]:
        """The figures of every round, oldest first."""
        rounds = await self._store.read(lambda tx: tx.rounds(project_id))
        return [msgspec.json.decode(r.body) for r in rounds]

    async def card(self, project_id: str, number: int) -> dict[str, Any]:
        """`{"round", "jobs", "card": threshold card | null, "classes", "model"}` of one round;
        `model`: `{"available", "reason"}`. Raises not_found."""

        def fn(tx: Tx) -> tuple[Round, list[dict[str, Any]], str | None]:
            record = _round(tx, project_id, number)
            jobs = [
                {
                    "kind": j.kind,
                    "state": j.state,
                    "attempts": j.attempts,
                    "error": j.error,
                    "seconds": None
                    if j.started_at is None or j.finished_at is None
                    else round((j.finished_at - j.started_at) / 1000, 1),
                }
                for j in tx.jobs_of_round(project_id, number)
            ]
            return record, jobs, tx.card(project_id, number)

        record, jobs, card = await self._store.read(fn)
        reason = await asyncio.to_thread(self._no_model, record)
        return {
            "round": msgspec.json.decode(record.body),
            "jobs": jobs,
            "card": None if card is None else msgspec.json.decode(card),
            "classes": [
                {"name": c.name, "color": c.color} for c in self._projects.classes(project_id)
            ],
            "model": {"available": reason is None, "reason": reason},
        }

    async def log(self, project_id: str, number: int, kind: str) -> dict[str, Any]:
        """`{"log": the end of what the job printed, "reason": why there is none | null}`.
        Raises not_found."""
        if kind not in ROUND_JOBS:
            raise ApiError("not_found", f"no job {kind!r}; there are {', '.join(ROUND_JOBS)}")
        await self._store.read(lambda tx: _round(tx, project_id, number))
        path = self._folder(project_id, number) / f"{LOG_NAMES.get(kind, kind)}.log"
        found = await asyncio.to_thread(_tail, path)
        reason = None
        if found is None:
            kept = await asyncio.to_thread(path.parent.is_dir)
            reason = (
                "It has not begun." if kept else f"Logs of {_kept()} are kept; this one is gone."
            )
        return {"log": found or "", "reason": reason}

    async def model(self, project_id: str, number: int) -> Path:
        """The zip with the model of a finished round, made at the first call. Raises not_found
        when there is none (any more)."""

        def fn(tx: Tx) -> tuple[Round, str]:
            project = tx.project(project_id)
            assert project is not None
            return _round(tx, project_id, number), project.name

        record, name = await self._store.read(fn)
        reason = await asyncio.to_thread(self._no_model, record)
        if reason is not None:
            raise ApiError("not_found", reason)
        folder = self._folder(project_id, number)
        target = folder / "model.zip"
        async with self._locks.setdefault(target, asyncio.Lock()):
            if not await asyncio.to_thread(target.exists):
                used = msgspec.json.decode(
                    await asyncio.to_thread((folder / "params.json").read_bytes)
                )
                labels = [c.name for c in self._projects.classes(project_id)]
                await self._make(
                    "model_zip",
                    {
                        "round_dir": str(folder),
                        "models": str(self._paths.models),
                        "backbone": used["backbone"],
                        "project": name,
                        "number": number,
                        "labels": labels[: used["classes"]],
                        "progress": str(folder / "model.zip.progress"),
                    },
                )
        return target

    async def features(self, project_id: str) -> Path:
        """The zip with the features of all items, made anew. Raises not_found before there are
        any."""

        def look(tx: Tx) -> tuple[dict[str, int], int]:
            return tx.featurized(project_id), sum(tx.count_states(project_id).values())

        done, total = await self._store.read(look)
        if not done:
            raise ApiError("not_found", "nothing has been through the model yet")
        backbones = self._backbones.of(self._projects.schema(project_id).task_type)
        folder = self._paths.rounds / project_id / "download"
        target = folder / "features.zip"
        async with self._locks.setdefault(target, asyncio.Lock()):
            items = folder / "items.tsv"
            await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
            await self._store.read(lambda tx: _write_items(tx, project_id, items))
            await self._make(
                "features_zip",
                {
                    "store": str(self._paths.store),
                    "backbone": usable(done, total, backbones),
                    "items": str(items),
                    "target": str(target),
                    "progress": str(folder / "features.zip.progress"),
                },
            )
        return target

    async def _make(self, name: str, params: dict[str, Any]) -> None:
        try:
            await self._run_job(f"chorus.ml.export.{name}", params, lambda share, attempt: None)
        except JobFailed as error:
            raise ApiError("internal", f"the file could not be made: {error}") from error

    def _folder(self, project_id: str, number: int) -> Path:
        return self._paths.rounds / project_id / str(number)

    def _no_model(self, record: Round) -> str | None:
        """Why a round's model cannot be downloaded; None: it can. Touches the disk."""
        if record.state != "done":
            return f"Round {record.number} has no model: it is {record.state}."
        folder = self._folder(record.project_id, record.number)
        if self._projects.schema(record.project_id).shapes:
            return "Detectors cannot be downloaded in this version."
        if all((folder / name).exists() for name in ("model.npz", "card.json", "params.json")):
            return None
        return f"The model of round {record.number} is gone: those of {_kept()} are kept."


def _kept() -> str:
    return f"the {KEEP_ROUNDS} newest rounds"


def _round(tx: Tx, project_id: str, number: int) -> Round:
    record = tx.round(project_id, number)
    if record is None:
        raise ApiError("not_found", f"no round {number} in this project")
    return record


def _tail(path: Path) -> str | None:
    """The last whole lines of a file within LOG_BYTES; None: no such file."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - LOG_BYTES))
            data = file.read()
    except FileNotFoundError:
        return None
    text = data.decode("utf-8", "replace")
    return text.partition("\n")[2] if size > LOG_BYTES else text


def _write_items(tx: Tx, project_id: str, path: Path) -> None:
    """item_id, content_hash, name of every item that is not removed, one a line."""
    with path.open("w", encoding="utf-8") as out:
        after = 0
        while items := tx.items_in_state(project_id, None, after, CHUNK):
            after = items[-1].item_id
            for item in items:
                if item.state != "removed":
                    # csv.reader reads it back: a quoted name may hold anything.
                    name = '"' + item.name.replace('"', '""') + '"'
                    out.write(f"{item.item_id}\t{item.content_hash}\t{name}\n")
