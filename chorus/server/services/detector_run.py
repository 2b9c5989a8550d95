"""A round of a project of boxes: the detector learns, is judged, looks at what comes next."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec

from chorus.server.clock import now_ms
from chorus.server.domain.features import Backbones
from chorus.server.domain.model import Project, Round
from chorus.server.services import detector_files, landing
from chorus.server.services.round_files import Prediction
from chorus.server.services.round_jobs import Jobs, RoundJobs
from chorus.server.services.round_records import audit_round, why_suspended
from chorus.server.services.round_state import Paths, RoundState
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx
from chorus.server.storage.tx.items import OpenItem

JOBS = ("train", "validate", "infer")
KEPT = (
    "map50", "model_accuracy", "baseline", "threshold", "lower_bound", "accuracy", "recall",
    "coverage", "n", "n_above", "target", "reason", "labels_needed", "shapes",
)  # fmt: skip
"""Of the card, among a round's figures."""
NOTHING = Prediction("[]", 0.0)


class ShownLimits(landing.Limits):
    """By value: 0 where there are shapes to show, None where there are none. Which of them are good
    enough was decided shape by shape, before."""

    def __missing__(self, value: str) -> float | None:
        return None if value == NOTHING.value else 0.0


class DetectorRun:
    def __init__(
        self, store: Store, jobs: RoundJobs, paths: Paths, backbones: Backbones, threads: int
    ) -> None:
        self._store = store
        self._jobs = jobs
        self._paths = paths
        self._backbones = backbones
        self._threads = threads

    async def run(
        self, project: Project, state: RoundState, record: Round, jobs: Jobs, folder: Path
    ) -> dict[str, Any]:
        """The round's figures."""
        record.labels, hashes = await self._store.read(
            lambda tx: detector_files.write_pictures(
                tx, project, self._paths.original, folder / detector_files.PICTURES
            )
        )
        await self._paths.ready(hashes)
        params = {
            "round_dir": str(folder),
            "models": str(self._paths.models),
            "detector": self._backbones.detector(project.networks),
            "classes": await self._store.read(lambda tx: len(tx.classes(project.project_id))),
            "target": project.target,
            "seed": project.seed % 2**31,
            "warm": await self._store.read(lambda tx: _before(tx, record, folder)),
            "shown": await self._store.read(
                lambda tx: sorted(detector_files.first_shown(tx, project))
            ),
            "threads": self._threads,
        }
        await self._jobs.skip(jobs["featurize"], jobs["cluster"])
        await self._jobs.run(state, record, jobs, "chorus.ml.detect_run", JOBS, params, folder)
        state.landing = True
        return await self._land(project, record, folder)

    async def _land(self, project: Project, record: Round, folder: Path) -> dict[str, Any]:
        project_id = project.project_id
        card = await asyncio.to_thread(detector_files.card_of, folder)
        project, found, stay = await self._store.persist(
            lambda tx: audit_round(tx, project_id, now_ms())
        )
        suspended = stay == "none"
        if suspended:
            card["threshold"], card["labels_needed"] = None, None
            card["reason"] = why_suspended(found, project)
        card["audit"] = msgspec.to_builtins(found)
        await self._jobs.keep_card(record, msgspec.json.encode(card).decode())
        open_items: list[OpenItem] = await self._store.read(lambda tx: tx.open_items(project_id))
        predictions, views = await asyncio.to_thread(
            lambda: tuple(
                detector_files.read_found(folder / name)
                for name in ("predictions.jsonl", "oof.jsonl")
            )
        )
        if suspended:
            # What is shown now keeps no promise either.
            shown = [item.item_id for item in open_items if item.queue == "prelabeled"]
            predictions = dict.fromkeys([*predictions, *shown], NOTHING)
            views = {}
        places = {
            item.item_id: at
            for at, item in enumerate(sorted(open_items, key=lambda item: item.rank))
            if predictions.get(item.item_id, NOTHING).value != NOTHING.value
        }
        plan = landing.Plan(
            number=record.number,
            limits=ShownLimits({}),
            prelabel=project.prelabel,
            predictions=predictions,
            clusters={},
            places=places,
            audit_share=project.audit_share,
        )
        prelabeled = await landing.land(self._store, project_id, plan, sorted(views.items()))
        return {
            **{key: card.get(key) for key in KEPT},
            "backbone": card["detector"],
            "audit": card["audit"],
            "prelabeled": prelabeled,
            "clustered": 0,
            "ordering": project.ordering,
            "chosen": 0,
            "chosen_share": None,
            "purity": None,
            "clusters": None,
        }


def _before(tx: Tx, record: Round, folder: Path) -> str | None:
    """The folder of the newest round that was done before; its weights may be gone."""
    done = [r for r in tx.rounds(record.project_id) if r.state == "done"]
    return str(folder.parent / str(done[-1].number)) if done else None
