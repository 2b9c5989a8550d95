"""Worker processes that can be killed, can die and come back without the server noticing."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor
from typing import Any

from pebble import ProcessExpired, ProcessPool

from chorus.server.jobs import worker


class WorkerDied(Exception):
    """The process running the job ended: killed, out of memory, crashed."""


class Pool:
    """A Pebble pool: unlike ProcessPoolExecutor, one dead child costs one job, not all."""

    def __init__(self, workers: int, niceness: int) -> None:
        self._workers = workers
        self._niceness = niceness
        self._closed = False
        # Workers inherit this. Threads of numpy's own wait for each other by spinning: on two cores
        # of which people use one, a round took three times the processor time. Jobs divide their
        # work among threads themselves.
        for library in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ.setdefault(library, "1")
        # Those that a job asks torch for: on cores that others are using, they spun away five times
        # what they worked.
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        self._pool = self._start()
        self._ending: set[ProcessPool] = set()
        """Those that were replaced, and have not ended yet."""

    def _start(self) -> ProcessPool:
        return ProcessPool(
            max_workers=self._workers,
            initializer=worker.prepare,
            initargs=(self._niceness,),
            # spawn: a forked child would share the server's sockets and SQLite connections.
            context=multiprocessing.get_context("spawn"),
        )

    def _schedule(self, function: str, args: tuple[Any, ...]) -> Any:
        # A worker killed while it starts breaks the whole pool for good: then a new one.
        if not self._pool.active and not self._closed:
            self._replace(self._pool, _stop)
        return self._pool.schedule(worker.call, args=(function, *args))

    def _replace(self, old: ProcessPool, end: Callable[[ProcessPool], None]) -> None:
        """What comes next gets a new pool; `end` ends the old one, beside the event loop: its
        threads may be busy with what broke it, or its workers with what they have begun."""
        if self._pool is old and not self._closed:
            self._pool = self._start()
            self._ending.add(old)
            threading.Thread(target=self._end, args=(old, end), daemon=True).start()

    def _end(self, old: ProcessPool, end: Callable[[ProcessPool], None]) -> None:
        with contextlib.suppress(Exception):
            end(old)
        self._ending.discard(old)

    @property
    def alive(self) -> bool:
        """Can it be given work? A pool that broke is, by being given some (`_schedule`)."""
        return not self._closed

    async def call(self, function: str, *args: Any) -> Any:
        """Run `function(*args)` in a worker. Raises WorkerDied, or what the function raised.

        Cancelling the caller kills the worker; the pool starts another.
        """
        future = self._schedule(function, args)
        pool = self._pool
        try:
            return await asyncio.wrap_future(future)
        except ProcessExpired as error:
            # A pool's workers share two locks. One that was killed may have held one, and the next
            # that needs it would wait for a minute and die of it. One that ran out of its processor
            # time was at work, and held none.
            if error.exitcode != -signal.SIGXCPU:
                self._replace(pool, _finish)
            raise WorkerDied(_ended(error.exitcode)) from error
        except BrokenExecutor as error:
            self._replace(pool, _stop)
            raise WorkerDied(f"a worker ended while it started: {error}") from error
        except asyncio.CancelledError:
            future.cancel()
            raise

    async def close(self) -> None:
        self._closed = True
        for pool in tuple(self._ending):  # each leaves by a thread of its own
            pool.stop()  # type: ignore[no-untyped-call]
        self._pool.stop()  # type: ignore[no-untyped-call]
        with contextlib.suppress(TimeoutError):
            await asyncio.to_thread(self._pool.join, 10)


def _ended(exitcode: int) -> str:
    if exitcode == -signal.SIGXCPU:
        return "it took more processor time than it may"
    return f"worker ended with exit code {exitcode}"


def _stop(pool: ProcessPool) -> None:
    pool.stop()  # type: ignore[no-untyped-call]
    pool.join(10)


def _finish(pool: ProcessPool) -> None:
    """What its other workers are at comes to its end."""
    pool.close()  # type: ignore[no-untyped-call]
    pool.join()
