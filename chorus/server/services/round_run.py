"""A round from its items to the queues: five jobs, then landing."""

from __future__ import annotations

import asyncio
import logging
import math
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from chorus.server.clock import now_ms
from chorus.server.domain.features import Backbones, usable
from chorus.server.domain.model import Round
from chorus.server.domain.ordering import CHOSEN_SHARE, chooses
from chorus.server.domain.rounds import queue_for
from chorus.server.domain.tasks import is_multilabel
from chorus.server.domain.values import NONE
from chorus.server.services import choosing, clusters, landing, round_files
from chorus.server.services.dashboard import Boards
from chorus.server.services.detector_run import DetectorRun
from chorus.server.services.doubting import doubt
from chorus.server.services.feature_passes import FeaturePasses
from chorus.server.services.round_folders import prune
from chorus.server.services.round_jobs import Jobs, RoundJobs
from chorus.server.services.round_records import audit_round, finish, why_suspended
from chorus.server.services.round_state import (
    Line,
    Paths,
    RoundState,
    pictures,
    seen_backbones,
    tuned_seen,
)  # fmt: skip
from chorus.server.storage.store import Store
from chorus.server.storage.tx.items import OpenItem

log = logging.getLogger(__name__)

PARTIAL = (
    "No prelabels yet: the model has not looked at all items. The next round begins by itself when"
    " it has."
)


class RoundRun:
    def __init__(
        self, store: Store, boards: Boards, line: Line, features: FeaturePasses, paths: Paths,
        backbones: Backbones, threads: int,
    ) -> None:  # fmt: skip
        self._store = store
        self._boards = boards
        self._features = features
        self._paths = paths
        self._threads = threads
        self._jobs = RoundJobs(store, line)
        self._jobs.changed = lambda project_id: self.changed(project_id)
        self._detector = DetectorRun(store, self._jobs, paths, backbones, threads)
        self.changed: Callable[[str], None] = lambda project_id: None
        """Called when a job's progress moved, which is in no event."""

    async def run(
        self, project_id: str, state: RoundState, record: Round, jobs: Jobs, evidence: int
    ) -> int:
        """Returns the number of the fine-tuning whose network was used; 0: none."""
        folder = self._paths.rounds / project_id / str(record.number)
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        await asyncio.to_thread(folder.mkdir, parents=True)
        project = await self._store.read(lambda tx: tx.project(project_id))
        assert project is not None
        if project.shapes:
            figures = await self._detector.run(project, state, record, jobs, folder)
            await self._done(record, {**figures, "evidence": evidence}, folder)
            return 0
        labels: int = await self._store.read(
            lambda tx: round_files.write_items(tx, project_id, folder / "items.tsv")
        )
        # After the rows: a class that is added meanwhile must not be in them and not counted.
        classes = await self._store.read(lambda tx: len(tx.classes(project_id)))
        # All rows of a round have the same features: those of the backbones that saw everything.
        board = await self._boards.get(project_id)
        backbone, tuned = usable(board.featurized, pictures(board), state.backbones), 0
        found = tuned_seen(board, state)
        if found is not None:
            tuned, name = found
            backbone = f"{backbone}+{name}"
        state.tuned_tried = tuned
        state.partial = seen_backbones(board, state) == 0
        # What the model learns from is what was written, not what was there at the trigger.
        record.labels = labels
        hashes = await asyncio.to_thread(_labeled_hashes, folder / "items.tsv")
        await self._jobs.one(
            state,
            jobs["featurize"],
            lambda on: self._features.job(folder, backbone, hashes, on, state),
        )
        params = {
            "round_dir": str(folder),
            "store": str(self._paths.store),
            "backbone": backbone,
            "tuned": tuned,
            "classes": classes,
            "multilabel": is_multilabel(project.task_type),
            "target": project.target,
            "prelabel": project.prelabel,
            "ordering": project.ordering,
            "block": clusters.page_items(project),
            "seed": project.seed % 2**31,
            "threads": self._threads,
            "models": str(self._paths.models),
        }
        kinds = ["train", "validate", "infer"]
        if project.cluster:
            kinds.append("cluster")
        else:
            await self._jobs.skip(jobs["cluster"])
        results = await self._jobs.run(state, record, jobs, "chorus.ml.run", kinds, params, folder)
        state.landing = True
        figures = await self._land(record, folder, project.prelabel, results, state.partial)
        figures |= {"evidence": evidence, "backbone": backbone, "tuned": tuned}
        if state.partial:
            figures["partial"] = True
        await self._done(record, figures, folder)
        return tuned

    async def _done(self, record: Round, figures: dict[str, Any], folder: Path) -> None:
        """The round is over; of older ones, what nobody needs any more goes."""
        await self.end(record, "done", figures)
        ended = await self._store.read(lambda tx: tx.rounds(record.project_id))
        try:
            await asyncio.to_thread(prune, folder.parent, [(r.number, r.state) for r in ended])
        except OSError:  # the round is over all the same
            log.exception("old rounds of %s could not be removed", record.project_id)

    async def end(self, record: Round, end: str, figures: dict[str, Any]) -> None:
        await self._store.persist(lambda tx: finish(tx, record, end, figures, now_ms()))

    async def _land(
        self, record: Round, folder: Path, prelabel: bool,
        results: dict[str, dict[str, Any]], partial: bool,
    ) -> dict[str, Any]:  # fmt: skip
        project_id = record.project_id
        card = await asyncio.to_thread(round_files.read_card, folder)
        project, found, stay = await self._store.persist(
            lambda tx: audit_round(tx, project_id, now_ms())
        )
        withheld = None
        if stay == "none":
            withheld = why_suspended(found, project)
        elif partial and card["threshold"] is not None:
            # It would reach some of the items only, and use up the proof for the others: labels
            # of sure items count no more once prelabels began, and such items are still open.
            withheld = PARTIAL
        if withheld is not None:
            card["threshold"], card["reason"], card["labels_needed"] = None, withheld, None
        card["audit"] = msgspec.to_builtins(found)
        begun = any(r.get("prelabeled") for r in (await self._boards.get(project_id)).rounds)
        if card["reason"] and begun:
            card["reason"] = card["reason"].replace("No prelabels yet", "No further prelabels")
        choosing_now = chooses(
            project.ordering, prelabel=prelabel, threshold=card["threshold"],
            labels=card["labels"], labels_needed=card["labels_needed"],
        )  # fmt: skip
        if choosing_now and card["labels_needed"] is not None:
            # Of the labels to come, only those that chance brings prove anything.
            card["labels_needed"] = math.ceil(card["labels_needed"] / (1 - CHOSEN_SHARE))
        await self._jobs.keep_card(record, msgspec.json.encode(card).decode())
        open_items = await self._store.read(lambda tx: tx.open_items(project_id))
        clusters_worth = bool(results.get("cluster", {}).get("worth", False))
        plan, views = await asyncio.to_thread(
            _plan,
            record.number,
            folder,
            card,
            open_items,
            prelabel and stay != "none",
            stay == "all",
            clusters_worth,
        )
        plan.audit_share = project.audit_share
        correction = await self._store.read(lambda tx: clusters.gap(tx, project_id))
        plan.clusters, served = clusters.choose(plan.clusters, project.page_size, correction)
        ordering = project.ordering if choosing_now else "random"
        chosen = await asyncio.to_thread(choosing.read, folder, ordering)
        plan.clusters, plan.choice = await asyncio.to_thread(
            lambda: choosing.arrange(
                open_items, plan.places, plan.clusters, *chosen,
                purest=served.served < served.blocks,
            )
        )  # fmt: skip
        prelabeled = await landing.land(self._store, project_id, plan, views)
        doubted = await doubt(self._store, project_id)
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
            "doubted": msgspec.to_builtins(doubted),
            "clustered": len(plan.clusters),
            "ordering": project.ordering,
            "chosen": len(plan.choice.manual) + len(plan.choice.clustered),
            "chosen_share": await self._store.read(lambda tx: tx.chosen_share(project_id)),
            "purity": results.get("cluster", {}).get("purity"),
            "clusters": msgspec.to_builtins(served) if served.blocks else None,
        }  # fmt: skip


def _labeled_hashes(path: Path) -> list[str]:
    with path.open(encoding="ascii") as lines:
        next(lines)
        rows = (line.split("\t") for line in lines)
        return [row[1] for row in rows if row[2]]


def _plan(
    number: int, folder: Path, card: dict[str, Any],
    open_items: Sequence[OpenItem], prelabel: bool, all_stay: bool, clusters_worth: bool,
) -> tuple[landing.Plan, list[tuple[int, round_files.Prediction]]]:  # fmt: skip
    """(where each open item goes, what the model says of each labeled one)."""
    predictions = round_files.read_predictions(folder / "predictions.tsv")
    clusters = round_files.read_clusters(folder / "clusters.tsv") if clusters_worth else {}
    limits = landing.Limits({} if card["threshold"] is None else _thresholds(card))
    prelabeled = [
        item_id
        for item_id, queue, pre_value, _, _ in open_items
        if (guess := predictions.get(item_id)) is not None
        and queue_for(
            value=guess.value,
            score=guess.score,
            threshold=limits[guess.value],
            prelabel=prelabel,
            clustered=False,
            was_prelabeled=all_stay and queue == "prelabeled",
            was_value=pre_value,
        )
        == "prelabeled"
    ]
    places = landing.prelabel_places(predictions, prelabeled, number)
    views = sorted(round_files.read_predictions(folder / "oof.tsv").items())
    plan = landing.Plan(number, limits, prelabel, predictions, clusters, places)
    return plan, views


def _thresholds(card: dict[str, Any]) -> dict[str, float]:
    """Class index -> the confidence from which it is prelabeled; the set of none of the classes
    goes by the whole card's."""
    limits = {str(row["class"]): row["threshold"] for row in card["per_class"]}
    limits[NONE] = card["threshold"]
    return {part: limit for part, limit in limits.items() if limit is not None}
