"""Blocking calls in threads that never keep the server from ending."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class Threads:
    """At most `most` calls at once; the others wait in line.

    Unlike the standard library's pool its threads are daemons: one that waits for a server which
    does not answer would hold up the end of ours for as long.
    """

    def __init__(self, most: int) -> None:
        self._free = asyncio.Semaphore(most)

    async def run(self, function: Callable[..., T], *args: Any) -> T:
        """`function(*args)`, or what it raises. Cancelled, the thread runs on to its end alone."""
        await self._free.acquire()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def finish(result: Any, error: BaseException | None) -> None:
            self._free.release()
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)

        def work() -> None:
            result, failure = None, None
            try:
                result = function(*args)
            except BaseException as error:
                failure = error
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                loop.call_soon_threadsafe(finish, result, failure)

        threading.Thread(target=work, name="source", daemon=True).start()
        return await future
