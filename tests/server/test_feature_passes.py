"""What a job of features is given, and who asks the disk for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chorus.server.services.feature_passes import FeaturePasses
from chorus.server.services.round_state import Line, OnProgress, Paths
from chorus.server.storage.sqlite import SqliteStore


async def test_people_never_wait_while_pictures_are_looked_for(tmp_path: Path) -> None:
    """Where each of ten thousand pictures lies is asked of the disk: not on the event loop."""
    asked_by: list[int] = []

    def original(content_hash: str) -> Path:
        asked_by.append(threading.get_ident())
        return tmp_path / content_hash

    async def ready(hashes: Sequence[str]) -> None: ...

    async def run_job(
        function: str, params: dict[str, Any], on_progress: OnProgress
    ) -> tuple[dict[str, Any], int]:
        return params, 1

    store = SqliteStore(tmp_path / "db.sqlite", lambda events: None)
    paths = Paths(tmp_path / "store", tmp_path / "models", tmp_path / "rounds", original, ready)
    passes = FeaturePasses(store, Line(run_job), paths, 1, False, asyncio.Event())
    folder = paths.rounds / "p" / "1"
    told, _ = await passes.job(folder, "lite0", ["aa", "bb"], lambda share, attempt: None)
    await store.close()
    assert told["stop"] == 2
    lines = (folder / "features.tsv").read_text().splitlines()
    assert lines == [f"{name}\t{tmp_path / name}" for name in ("aa", "bb")]
    assert len(asked_by) == 2
    assert threading.get_ident() not in asked_by
