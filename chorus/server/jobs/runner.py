"""Runs one job: in a worker, with progress, again when the worker died or hangs."""

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
PATIENCE_S = 600.0
"""A worker hangs that for so long has neither come further …"""
IDLE_SHARE = 0.002
"""… nor used this share of a processor: less than the most neglected one gets, at the lowest
priority."""


class Runner:
    def __init__(self, pool: Pool, patience_s: float = PATIENCE_S) -> None:
        self._pool = pool
        self._patience_s = patience_s

    async def __call__(
        self, function: str, params: dict[str, Any], on_progress: Callable[[float, int], None]
    ) -> tuple[dict[str, Any], int]:
        """`function(params)` in a worker; (its result, attempts made).

        A job whose worker died or hangs is run again, up to ATTEMPTS times: jobs write whole files
        by rename, so a second run starts clean. An exception of the job itself would come again,
        so it fails at once. What it prints goes to a file beside its progress, `….log`.
        Cancelling the caller kills the worker. Raises JobFailed.
        """
        progress = Path(params["progress"])
        log_file, beat = progress.with_suffix(".log"), progress.with_suffix(".beat")
        for attempt in range(1, ATTEMPTS + 1):
            await asyncio.to_thread(_anew, progress, log_file, beat, attempt)
            on_progress(0.0, attempt)
            watcher = asyncio.ensure_future(
                _watch(progress, beat, self._patience_s, attempt, on_progress)
            )
            args = (function, str(log_file), str(beat), attempt, params)
            call = asyncio.ensure_future(self._pool.call("chorus.server.jobs.worker.logged", *args))
            try:
                await asyncio.wait((call, watcher), return_when=asyncio.FIRST_COMPLETED)
                if not call.done():
                    call.cancel()  # kills the worker
                    raise WorkerDied(f"it did nothing for {self._patience_s:g} s")
                return call.result(), attempt
            except WorkerDied as error:
                await asyncio.to_thread(_bury, log_file, beat, f"attempt {attempt}: {error}")
                log.warning("%s, attempt %d of %d: %s", function, attempt, ATTEMPTS, error)
                if attempt == ATTEMPTS:
                    raise JobFailed(f"its worker died {ATTEMPTS} times: {error}", attempt) from None
            except asyncio.CancelledError:
                call.cancel()
                # Whoever cancelled it finds it in the log.
                end = asyncio.to_thread(_bury, log_file, beat, f"attempt {attempt}: cancelled")
                await asyncio.shield(end)
                raise
            except Exception as error:
                log.exception("%s failed", function)
                raise JobFailed(f"{type(error).__name__}: {error}", attempt) from error
            finally:
                watcher.cancel()
        raise AssertionError("unreachable")


def _anew(progress: Path, log_file: Path, beat: Path, attempt: int) -> None:
    """A first attempt begins its log anew. Here and not in the worker, which may do so after the
    job was cancelled, and what `_bury` said of that would be gone."""
    progress.unlink(missing_ok=True)
    beat.unlink(missing_ok=True)
    if attempt == 1:
        log_file.unlink(missing_ok=True)


def _bury(log_file: Path, beat: Path, text: str) -> None:
    """What a dead worker could not do itself: say how it ended, and take its sign of life away."""
    with contextlib.suppress(OSError), log_file.open("a", encoding="utf-8") as out:
        out.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    with contextlib.suppress(OSError):
        beat.unlink()


async def _watch(
    progress: Path, beat: Path, patience_s: float, attempt: int,
    on_progress: Callable[[float, int], None],
) -> None:  # fmt: skip
    """The worker writes its progress (0..1) and what it has had of a processor to small files: one
    direction, nothing to break. Returns when it hangs, once it has begun; turns are counted and not
    time, so that a machine that slept is not taken for a worker that does."""
    enough = IDLE_SHARE * patience_s
    last, used, turns = 0.0, None, 0
    while turns * POLL_S < patience_s:
        await asyncio.sleep(POLL_S)
        turns += 1
        share = await asyncio.to_thread(_number, progress)
        if share is not None and share != last:
            last, turns = share, 0
            on_progress(share, attempt)
        had = await asyncio.to_thread(_number, beat)
        if had is None and used is None:
            turns = 0  # others are before it
        elif had is not None and (used is None or had - used >= enough):
            used, turns = had, 0


def _number(path: Path) -> float | None:
    with contextlib.suppress(OSError, ValueError):
        return float(path.read_text())
    return None
