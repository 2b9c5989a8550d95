"""Worker processes that can be killed, can die and come back without the server noticing."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
from typing import Any

from pebble import ProcessExpired, ProcessPool

from chorus.server.jobs import worker


class WorkerDied(Exception):
    """The process running the job ended: killed, out of memory, crashed."""


class Pool:
    """A Pebble pool: unlike ProcessPoolExecutor, one dead child costs one job, not all."""

    def __init__(self, workers: int, niceness: int) -> None:
        self._pool = ProcessPool(
            max_workers=workers,
            initializer=worker.prepare,
            initargs=(niceness,),
            # spawn: a forked child would share the server's sockets and SQLite connections.
            context=multiprocessing.get_context("spawn"),
        )

    async def call(self, function: str, *args: Any) -> Any:
        """Run `function(*args)` in a worker. Raises WorkerDied, or what the function raised.

        Cancelling the caller kills the worker; the pool starts another.
        """
        future = self._pool.schedule(worker.call, args=(function, *args))
        try:
            return await asyncio.wrap_future(future)
        except ProcessExpired as error:
            raise WorkerDied(f"worker ended with exit code {error.exitcode}") from error
        except asyncio.CancelledError:
            future.cancel()  # type: ignore[no-untyped-call]
            raise

    async def close(self) -> None:
        self._pool.stop()  # type: ignore[no-untyped-call]
        with contextlib.suppress(TimeoutError):
            await asyncio.to_thread(self._pool.join, 10)
