"""When Python looks for garbage that refers to itself.

A full look goes over every object that there is: with thousands of sockets a third of a second, in
which no vote moves. By itself Python does that in the middle of the work; here it is done when
nobody waits for the writer, every few minutes, and less often the longer it takes. Young objects
are looked through as always, only less often; what has outlived one such look far less often: two
thousand sockets that have come are half a second, ten looks later.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from time import monotonic, perf_counter

YOUNG = 50_000
"""Objects more than were let go of, from which on the young ones are looked through."""
MIDDLE = 200
"""Looks at the young ones, from which on those that outlived one are looked through again."""
EVERY_S = 300.0
SHARE = 1e-4
"""Of all time that full looks take at most: with thousands of sockets one comes twice an hour."""
LATEST_S = 1800.0
"""A server that is never idle looks all the same."""
LOOK_S = 1.0


def pause(took: float) -> float:
    """Seconds from a full look that took so many to the next one."""
    return min(max(EVERY_S, took / SHARE), LATEST_S)


def _look() -> float:
    """Seconds that it took."""
    began = perf_counter()
    gc.collect()
    return perf_counter() - began


async def run(busy: Callable[[], bool]) -> None:
    """Until cancelled. `busy`: whether somebody waits now."""
    gc.collect()
    gc.freeze()  # modules, routes, services: they stay
    young, middle, old = gc.get_threshold()
    gc.set_threshold(YOUNG, MIDDLE, 1_000_000)
    last, wait = monotonic(), EVERY_S
    try:
        while True:
            await asyncio.sleep(LOOK_S)
            waited = monotonic() - last
            if waited >= LATEST_S or (waited >= wait and not busy()):
                wait = pause(_look())
                last = monotonic()
    finally:
        gc.set_threshold(young, middle, old)
        gc.unfreeze()
