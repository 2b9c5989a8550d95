"""In-process bus: after each commit, tells listeners what happened, in order.

The event log is the truth; a listener that misses something replays the log.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from chorus.server.domain.model import Event

log = logging.getLogger(__name__)
Listener = Callable[[Sequence[Event]], None]


class Bus:
    """Synchronous fan-out on the event loop; a failing listener never stops the others."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def publish(self, events: Sequence[Event]) -> None:
        for listener in self._listeners:
            try:
                listener(events)
            except Exception:
                log.exception("bus listener %r failed", listener)
