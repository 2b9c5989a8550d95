"""How the server does, measured by itself: how long a vote waits for its acknowledgement, and how
much happens. The last minute, in slots, so that what is old falls out whole."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

from chorus.server.domain.histogram import Histogram, quantiles
from chorus.server.domain.model import Event

SLOT_S = 5.0
SLOTS = 12


class _Slot:
    def __init__(self, number: int) -> None:
        self.number = number
        self.acks = Histogram()
        self.events = 0
        self.votes = 0


class Meter:
    """`clock`: seconds that only rise."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._slots: deque[_Slot] = deque(maxlen=SLOTS)

    def _slot(self) -> _Slot:
        number = int(self._clock() / SLOT_S)
        if not self._slots or self._slots[-1].number != number:
            self._slots.append(_Slot(number))
        return self._slots[-1]

    def acked(self, seconds: float, votes: int = 1) -> None:
        """So many votes were acknowledged so long after their frame had come."""
        self._slot().acks.add(seconds, votes)

    def on_events(self, events: Sequence[Event]) -> None:
        """Bus listener."""
        slot = self._slot()
        slot.events += len(events)
        slot.votes += sum(e.type == "vote.cast" for e in events)

    def figures(self) -> dict[str, Any]:
        """Of the last minute: `{"acks", "p50_ms", "p99_ms", "events_per_s", "votes_per_s"}`; the
        quantiles are None without a vote."""
        now = self._clock()
        oldest = int(now / SLOT_S) - SLOTS
        slots = [s for s in self._slots if s.number > oldest]
        # The slot that is being filled is not over yet.
        span = min(now - (oldest + 1) * SLOT_S, max(1.0, now - self._began))
        p50, p99 = quantiles((s.acks for s in slots), (0.5, 0.99))
        return {
            "acks": sum(s.acks.n for s in slots),
            "p50_ms": None if p50 is None else round(p50 * 1000, 2),
            "p99_ms": None if p99 is None else round(p99 * 1000, 2),
            "events_per_s": round(sum(s.events for s in slots) / span, 2),
            "votes_per_s": round(sum(s.votes for s in slots) / span, 2),
        }
