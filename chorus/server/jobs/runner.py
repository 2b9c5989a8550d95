"""Runs one job: in a worker, with progress, again when the worker died."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chorus.server.errors import JobFailed
from chorus.server.jobs.pool import Pool, WorkerDied

log = logging.getLogger(__name__)

ATTEMPTS = 3
POLL_S = 0.3


class Runner:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def __call__(
        self, function: str, params: dict[str, Any], on_progress: Callable[[float, int], None]
    ) -> tuple[dict[str, Any], int]:
        """`function(params)` in a worker; (its result, attempts made).

        A job whose worker died is run again, up to ATTEMPTS times: jobs write whole files by
        rename, so a second run starts clean. An exception of the job itself would come again,
        so it fails at once. What it prints goes to a file beside its progress, `….log`.
        Cancelling the caller kills the worker. Raises JobFailed.
        """
        progress = Path(params["progress"])
        log_file = progress.with_suffix(".log")
        for attempt in range(1, ATTEMPTS + 1):
            await asyncio.to_thread(_anew, progress, log_file, attempt)
            on_progress(0.0, attempt)
            watcher = asyncio.ensure_future(_watch(progress, attempt, on_progress))
            try:
                call = (function, str(log_file), attempt, params)
                return await self._pool.call("chorus.server.jobs.worker.logged", *call), attempt
            except WorkerDied as error:
                await asyncio.to_thread(_note, log_file, f"attempt {attempt}: {error}")
                log.warning("%s, attempt %d of %d: %s", function, attempt, ATTEMPTS, error)
                if attempt == ATTEMPTS:
                    raise JobFailed(f"its worker died {ATTEMPTS} times: {error}", attempt) from None
            except asyncio.CancelledError:
                # Whoever cancelled it finds it in the log.
                note = asyncio.to_thread(_note, log_file, f"attempt {attempt}: cancelled")
                await asyncio.shield(note)
                raise
            except Exception as error:
                log.exception("%s failed", function)
                raise JobFailed(f"{type(error).__name__}: {error}", attempt) from error
            finally:
                watcher.cancel()
        raise AssertionError("unreachable")


def _anew(progress: Path, log_file: Path, attempt: int) -> None:
    """A first attempt begins its log anew. Here and not in the worker, which may do so after the
    job was cancelled, and what `_note` said of that would be gone."""
    progress.unlink(missing_ok=True)
    if attempt == 1:
        log_file.unlink(missing_ok=True)


def _note(path: Path, text: str) -> None:
    """What a dead worker could not write itself."""
    with contextlib.suppress(OSError), path.open("a", encoding="utf-8") as out:
        out.write(f"{time.strftime('%H:%M:%S')} {text}\n")


async def _watch(path: Path, attempt: int, on_progress: Callable[[float, int], None]) -> None:
    """The worker writes its progress (0..1) to a small file: one direction, nothing to break."""
    last = 0.0
    while True:
        await asyncio.sleep(POLL_S)
        with contextlib.suppress(OSError, ValueError):
            share = float(await asyncio.to_thread(path.read_text))
            if share != last:
                last = share
                on_progress(share, attempt)
