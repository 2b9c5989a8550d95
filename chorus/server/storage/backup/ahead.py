"""Many things at once, in order, with few of them on their way."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

AHEAD = 64
THREADS = 8
A = TypeVar("A")
B = TypeVar("B")


def ahead(fn: Callable[[A], B], given: Iterable[A]) -> Iterator[tuple[A, B]]:
    """(what was given, what `fn` makes of it), in order: `map` of a pool of threads, but it takes
    at most AHEAD beforehand, so memory is bounded. What `fn` raises comes out here."""
    with ThreadPoolExecutor(THREADS) as pool:
        waiting: deque[tuple[A, Future[B]]] = deque()
        for one in given:
            waiting.append((one, pool.submit(fn, one)))
            if len(waiting) >= AHEAD:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
