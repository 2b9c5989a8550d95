"""Worker processes that can be killed, can die and come back without the server noticing."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import signal
import threading
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
        self._retired: set[ProcessPool] = set()
        """They finish what they had begun when one of their workers was killed."""

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
            self._replace(self._pool)
        return self._pool.schedule(worker.call, args=(function, *args))

    def _replace(self, broken: ProcessPool) -> None:
        if self._pool is broken and not self._closed:
            self._pool = self._start()
            # Its manager threads may still be busy with what broke it.
            threading.Thread(target=_stop, args=(broken,), daemon=True).start()

    def _retire(self, pool: ProcessPool) -> None:
        """A worker was killed. Its pool's workers share two locks, and it may have held one: the
        next that needs it would wait for a minute, and die of it. So what comes next gets a new
        pool; what other workers are at comes to its end."""
        if self._pool is pool and not self._closed:
            self._pool = self._start()
            self._retired.add(pool)
            threading.Thread(target=self._finish, args=(pool,), daemon=True).start()

    def _finish(self, pool: ProcessPool) -> None:
        with contextlib.suppress(Exception):
            pool.close()  # type: ignore[no-untyped-call]
            pool.join()
        self._retired.discard(pool)

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
            # One that ran out of its processor time was at work, and held no lock.
            if error.exitcode != -signal.SIGXCPU:
                self._retire(pool)
            raise WorkerDied(_ended(error.exitcode)) from error
        except BrokenExecutor as error:
            self._replace(pool)
            raise WorkerDied(f"a worker ended while it started: {error}") from error
        except asyncio.CancelledError:
            future.cancel()
            raise

    async def close(self) -> None:
        self._closed = True
        for pool in self._retired:
            pool.stop()  # type: ignore[no-untyped-call]
        self._pool.stop()  # type: ignore[no-untyped-call]
        with contextlib.suppress(TimeoutError):
            await asyncio.to_thread(self._pool.join, 10)


def _ended(exitcode: int) -> str:
    if exitcode == -signal.SIGXCPU:
        return "it took more processor time than it may"
    return f"worker ended with exit code {exitcode}"


def _stop(pool: ProcessPool) -> None:
    with contextlib.suppress(Exception):
        pool.stop()  # type: ignore[no-untyped-call]
        pool.join(10)
