"""What a job of features is given, who asks the disk for it, and what becomes of it where that
fails."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from chorus.server.services import feature_passes
from chorus.server.services.dashboard import Boards
from chorus.server.services.feature_passes import FeaturePasses
from chorus.server.services.round_state import Line, OnProgress, Paths, RoundState
from chorus.server.storage.sqlite import SqliteStore
from tests.server.world import World


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


async def test_what_the_disk_refused_is_done_when_it_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody does anything meanwhile: pictures come in the evening, and people in the morning."""
    monkeypatch.setattr(feature_passes, "FEATURE_RETRY_S", 0.01)
    world = World()
    world.add(3)
    told = asyncio.Event()

    async def ready(hashes: Sequence[str]) -> None: ...

    async def run_job(
        function: str, params: dict[str, Any], on_progress: OnProgress
    ) -> tuple[dict[str, Any], int]:
        return params, 1

    store = SqliteStore(world.path, lambda events: None, readers=1)
    paths = Paths(
        tmp_path / "store", tmp_path / "models", tmp_path / "rounds", tmp_path.joinpath, ready
    )
    no_round = asyncio.Event()
    no_round.set()
    passes = FeaturePasses(store, Line(run_job), paths, 1, False, no_round)
    passes.changed = lambda project_id: told.set()
    state = RoundState()
    state.backbones = ["lite0"]
    # A folder cannot be made where a file lies.
    in_the_way = paths.rounds
    in_the_way.write_text("")
    passes.wake("p", state, await Boards(store).get("p"))
    work = state.featurizing
    assert work is not None
    async with asyncio.timeout(60):
        await told.wait()
        assert state.feature_error is not None
        in_the_way.unlink()
        await work
    assert state.feature_error is None
    assert await store.read(lambda tx: tx.feature_pass("p", "lite0")[1]) == 3
    await store.close()
    world.close()
