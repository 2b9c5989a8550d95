"""What looks like an item: neighbours by the model's features, found in a worker process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from chorus.server.domain.features import Backbones
from chorus.server.domain.model import OPEN_STATES
from chorus.server.errors import ApiError
from chorus.server.services.fitting import fitting
from chorus.server.services.labeling import media
from chorus.server.services.projects import Projects
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

LIMIT_MAX = 60
FIRST_LOOK, LONG_LOOK = 400, 5000
"""Neighbours asked for at first, and when too few of those are of the wanted kind."""
KEPT_S = 60.0
KEPT_MOST = 200
PATIENCE_S = 20.0

Call = Callable[..., Awaitable[Any]]


class Similar:
    """`call(function, params)` runs in a pool of workers that rounds do not occupy."""

    def __init__(
        self, store: Store, projects: Projects, call: Call, features: Path, backbones: Backbones
    ) -> None:
        self._store = store
        self._projects = projects
        self._call = call
        self._features = features
        self._backbones = backbones
        self._kept: dict[tuple[str, int], tuple[float, dict[str, Any]]] = {}

    async def items(
        self, project_id: str, item_id: int, settled: bool, limit: int
    ) -> dict[str, Any]:
        """`{"items": [...], "ready", "reason"}`: labeled items (`settled`) or those that people
        or reviewers still have to settle, most alike first. Raises not_found."""
        limit = max(1, min(limit, LIMIT_MAX))
        # The first knows an item soonest.
        backbone = self._backbones.of(self._projects.schema(project_id).task_type)[0]

        def look(tx: Tx) -> tuple[str, int, int]:
            item, project = tx.item(item_id), tx.project(project_id)
            if item is None or project is None or item.project_id != project_id:
                raise ApiError("not_found", f"no item {item_id} in this project")
            items = sum(tx.count_states(project_id).values())
            done = tx.feature_pass(project_id, backbone)
            return item.content_hash, done[1], items

        content, featurized, total = await self._store.read(look)
        found: list[dict[str, Any]] = []
        for top in (FIRST_LOOK, LONG_LOOK):
            try:
                near = await asyncio.wait_for(self._near(content, backbone, top), PATIENCE_S)
            except TimeoutError:
                return _not_ready("The search took too long; try again in a moment.")
            if not near["known"]:
                return _not_ready(_missing(featurized, total))
            found = await self._of_kind(project_id, near, settled, limit)
            if len(found) == limit or near["rows"] <= top:
                break
        return {"items": found, "ready": True, "reason": None}

    async def _near(self, content: str, backbone: str, top: int) -> dict[str, Any]:
        """Features never change once they are there, so an answer holds for a while."""
        key, now = (content, top), time.monotonic()
        kept = self._kept.get(key)
        if kept is not None and kept[0] > now:
            return kept[1]
        near: dict[str, Any] = await self._call(
            "chorus.ml.similar.similar",
            {
                "store": str(self._features),
                "backbone": backbone,
                "content_hash": content,
                "top": top,
            },
        )
        if near["known"]:
            while len(self._kept) >= KEPT_MOST:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = (now + KEPT_S, near)
        return near

    async def _of_kind(
        self, project_id: str, near: dict[str, Any], settled: bool, limit: int
    ) -> list[dict[str, Any]]:
        scores = dict(zip(near["hashes"], near["scores"], strict=True))
        states = ("labeled",) if settled else (*OPEN_STATES, "needs_review", "skipped")
        schema = self._projects.schema(project_id)

        def fn(tx: Tx) -> list[dict[str, Any]]:
            hashes = list(scores)
            items = [
                item
                for start in range(0, len(hashes), 500)
                for item in tx.items_by_content(project_id, hashes[start : start + 500])
                if item.state in states
            ]
            items.sort(key=lambda i: (-scores[i.content_hash], i.item_id))
            rows = (
                {
                    **media(item),
                    "state": item.state,
                    "label": schema.names(item.label),
                    "provisional": schema.names(item.provisional),
                    "source": item.label_source,
                    "similarity": scores[item.content_hash],
                }
                for item in items[:limit]
            )
            return list(fitting(rows))

        return await self._store.read(fn)


def _missing(featurized: int, total: int) -> str:
    if featurized == 0:
        return (
            "The model has not looked at the items yet (it does when clustered or prelabeled"
            " pages are switched on)."
        )
    return f"The model has not looked at this item yet: {featurized:,} of {total:,} are done."


def _not_ready(reason: str) -> dict[str, Any]:
    return {"items": [], "ready": False, "reason": reason}
