"""How fast somebody labels now: votes an hour, over the last quarter of an hour."""

from __future__ import annotations

from collections import deque

WINDOW_MS = 15 * 60_000
LEAST_MS = 60_000
"""Somebody who has just begun is not judged by less."""
SLOT_MS = 30_000


class Speed:
    """Votes in slots of SLOT_MS: a fast person's take no more memory than a slow one's, and of two
    thousand people it is some megabytes."""

    __slots__ = ("_slots", "_votes")

    def __init__(self) -> None:
        self._slots: deque[list[int]] = deque()
        """[time of the first vote, how many], oldest first."""
        self._votes = 0

    def add(self, at: int) -> None:
        """A vote was given at that time, in ms; times rise, but for a little, or when the clock is
        set back: then it begins anew."""
        self._begin_anew(at)
        self._votes += 1
        if self._slots and at - self._slots[-1][0] < SLOT_MS:
            self._slots[-1][1] += 1
        else:
            self._slots.append([at, 1])

    def per_hour(self, now: int) -> float:
        """Over the window, or since the person began in it."""
        self._begin_anew(now)
        while self._slots and self._slots[0][0] < now - WINDOW_MS:
            self._votes -= self._slots.popleft()[1]
        if not self._slots:
            return 0.0
        span = max(now - self._slots[0][0], LEAST_MS)
        return round(self._votes * 3_600_000 / span, 1)

    def _begin_anew(self, now: int) -> None:
        """If the clock has been set back."""
        if self._slots and now < self._slots[-1][0] - SLOT_MS:
            self._slots.clear()
            self._votes = 0
