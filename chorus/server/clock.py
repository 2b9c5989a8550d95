"""The one clock, integer milliseconds since 1970 UTC; and one for what lasts, which nobody sets."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def running_ms() -> int:
    """Of a clock that only runs on, for how long something has lasted in this process."""
    return time.monotonic_ns() // 1_000_000


def day_of(time_zone: str | None, now: int) -> tuple[int, int]:
    """(start, end) in ms of the day that `now` is in, in a time zone of the IANA database; None:
    where the server runs. A day has 23 or 25 hours when clocks change."""
    zone = ZoneInfo(time_zone) if time_zone else None
    at = datetime.fromtimestamp(now / 1000, zone)
    start = at.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    # By the calendar, not by 24 hours.
    tomorrow = (start + timedelta(days=1)).replace(fold=0)
    return int(start.timestamp() * 1000), int(tomorrow.timestamp() * 1000)


def midnight(time_zone: str | None) -> int:
    """The start of today there, in ms."""
    return day_of(time_zone, now_ms())[0]


JUMP_MS = 5_000
"""Less is what clocks do that are being put right slowly, or a computer that is busy."""


class Jumps:
    """Finds out that the time of day was set, by a clock that only runs on."""

    def __init__(self) -> None:
        self._offset: float | None = None

    def seen(self, now: int, running_s: float) -> int:
        """By how many ms the time of day has jumped since the last call; 0: it has not."""
        offset = now - running_s * 1000
        before, self._offset = self._offset, offset
        jump = 0 if before is None else offset - before
        return int(jump) if abs(jump) > JUMP_MS else 0
