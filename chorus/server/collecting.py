"""When Python looks for garbage that refers to itself.

A full look goes over every object that there is: with thousands of sockets a third of a second, in
which no vote moves. By itself Python does that in the middle of the work; here it is done when
nobody waits for the writer, and never oftener than every few minutes. Young objects are looked
through as always, only less often; what has outlived one such look far less often: two thousand
sockets that have come are half a second, ten looks later.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from time import monotonic

YOUNG = 50_000
"""Objects more than were let go of, from which on the young ones are looked through."""
MIDDLE = 200
"""Looks at the young ones, from which on those that outlived one are looked through again."""
EVERY_S = 300.0
LATEST_S = 1800.0
"""A server that is never idle looks all the same."""
LOOK_S = 1.0


async def run(busy: Callable[[], bool]) -> None:
    """Until cancelled. `busy`: whether somebody waits now."""
    gc.collect()
    gc.freeze()  # modules, routes, services: they stay
    young, middle, old = gc.get_threshold()
    gc.set_threshold(YOUNG, MIDDLE, 1_000_000)
    last = monotonic()
    try:
        while True:
            await asyncio.sleep(LOOK_S)
            waited = monotonic() - last
            if waited >= LATEST_S or (waited >= EVERY_S and not busy()):
                gc.collect()
                last = monotonic()
    finally:
        gc.set_threshold(young, middle, old)
        gc.unfreeze()
