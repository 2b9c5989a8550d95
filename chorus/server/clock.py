"""The one clock: integer milliseconds since 1970 UTC."""

from __future__ import annotations

import time


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def midnight() -> int:
    """The start of today where the server runs, in ms."""
    return int(time.mktime((*time.localtime()[:3], 0, 0, 0, 0, 0, -1)) * 1000)
