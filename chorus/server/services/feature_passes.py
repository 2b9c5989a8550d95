"""Features in the background: every picture through every backbone, from the moment of import."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from chorus.server.clock import now_ms
from chorus.server.domain.events import Board
from chorus.server.errors import JobFailed
from chorus.server.services import round_files
from chorus.server.services.round_state import (
    Line,
    OnProgress,
    Paths,
    RoundState,
    log_failure,
    seen_backbones,
)  # fmt: skip
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

log = logging.getLogger(__name__)

CHUNK_MIN, CHUNK_MAX = 16, 256
"""Items per background job …"""
CHUNK_S = 3.0
"""… which is to take about so long: a round waits for one chunk at most. Pictures fill the largest;
an encoder of texts is ten times as slow."""
FEATURE_RETRY_S = 60.0
"""What could not be done (disk full, a broken install …) is tried again after so long."""
ATTEMPTS = 3
"""As many as the runner makes when a worker dies (see jobs/runner)."""


class FeaturePasses:
    def __init__(
        self, store: Store, line: Line, paths: Paths, threads: int, allow_download: bool,
        no_round: asyncio.Event,
    ) -> None:  # fmt: skip
        """`no_round`: set while no round runs."""
        self._store = store
        self._line = line
        self._paths = paths
        self._threads = threads
        self._allow_download = allow_download
        self._no_round = no_round
        self.closed = False
        self.changed: Callable[[str], None] = lambda project_id: None
        """Called when the pictures could not be read, which is in no event."""

    def wake(self, project_id: str, state: RoundState, board: Board) -> None:
        """Begin, unless everything has been seen."""
        if state.featurizing is None and seen_backbones(board, state) < len(state.passes):
            state.featurizing = asyncio.ensure_future(self._featurize(project_id, state))
            state.featurizing.add_done_callback(log_failure)

    async def _featurize(self, project_id: str, state: RoundState) -> None:
        """Bring all items through one backbone after the other, chunk by chunk, from the moment
        of import: the first is soon done, and what it gives must not wait for the others."""
        size = CHUNK_MIN
        try:
            while not self.closed:
                # People wait for a round; the workers are its alone while it runs.
                await self._no_round.wait()
                backbone, before, batch = await self._store.read(
                    lambda tx, size=size: _next_batch(tx, project_id, state.passes, size)  # type: ignore[misc]
                )
                if not batch:
                    return
                folder = self._paths.rounds / project_id / "features"
                began = time.monotonic()
                try:
                    await self._paths.ready([h for _, h in batch])
                    await self._feature_chunk(folder, backbone, [h for _, h in batch])
                except (JobFailed, OSError) as error:
                    # Not the pictures' fault.
                    log.warning("features of %s: %s", project_id, error)
                    state.feature_error = str(error)
                    self.changed(project_id)
                    await asyncio.sleep(FEATURE_RETRY_S)
                    if not state.enabled:
                        return
                    continue
                state.feature_error = None
                pace = len(batch) / max(1e-3, time.monotonic() - began)
                # Not more than twice as many: the first chunk also loads the model.
                size = max(CHUNK_MIN, min(CHUNK_MAX, 2 * size, int(pace * CHUNK_S)))
                last, count = batch[-1][0], before + len(batch)

                def fn(
                    tx: Tx, backbone: str = backbone, last: int = last, count: int = count
                ) -> None:
                    tx.set_feature_pass(project_id, backbone, last, count)
                    body = {"backbone": backbone, "featurized": count}
                    tx.emit(project_id, now_ms(), "items.featurized", body)

                await self._store.persist(fn)
        finally:
            state.featurizing = None

    async def _feature_chunk(self, folder: Path, backbone: str, hashes: list[str]) -> None:
        """Features of some items. A picture that kills its worker again and again is found by
        halving and left out, so that one bad file never stops the rest."""
        try:
            await self.job(folder, backbone, hashes, lambda share, attempt: None)
        except JobFailed as error:
            if error.attempts < ATTEMPTS:  # the job itself failed; halving would not help
                raise
            if len(hashes) == 1:
                log.error("no features of %s: %s", hashes[0], error)
                return
            half = len(hashes) // 2
            await self._feature_chunk(folder, backbone, hashes[:half])
            await self._feature_chunk(folder, backbone, hashes[half:])

    async def job(
        self, folder: Path, backbone: str, hashes: list[str], on_progress: OnProgress,
        state: RoundState | None = None,
    ) -> tuple[dict[str, Any], int]:  # fmt: skip
        items = folder / "features.tsv"
        # Asks the disk of every picture: half a second for ten thousand, minutes where it is slow.
        await asyncio.to_thread(
            round_files.write_feature_items, hashes, self._paths.original, items
        )
        return await self._line.call(
            "chorus.ml.run.featurize",
            {
                "store": str(self._paths.store),
                "models": str(self._paths.models),
                "backbone": backbone,
                "allow_download": self._allow_download,
                "items": str(items),
                "start": 0,
                "stop": len(hashes),
                "progress": str(folder / "features.progress"),
                "threads": self._threads,
            },
            on_progress,
            state,
        )


def _next_batch(
    tx: Tx, project_id: str, backbones: Sequence[str], size: int
) -> tuple[str, int, list[tuple[int, str]]]:
    """(backbone, items it has been through, the next (item_id, content_hash) rows for it): of the
    first backbone that has work left. size: rows at most."""
    for backbone in backbones:
        last, count = tx.feature_pass(project_id, backbone)
        batch = tx.feature_batch(project_id, last, size)
        if batch:
            break
    return backbone, count, batch
