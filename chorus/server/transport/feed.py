"""What happens in a project, for those who look: a few frames a second, however much it is.

A busy project has thousands of events a second. A dashboard shows the last few, so it is sent
those, and of votes only whose they were and how many.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chorus.server.domain.model import Event

EVENTS_MOST = 20
VOTERS_MOST = 9
PEOPLE_MOST = 500
QUIET = frozenset({"vote.cast", "page.opened", "label.decided", "label.withdrawn"})
"""Events that come with every page: a feed shows them as votes, or not at all."""


class Gathered:
    """What has happened in one project since the last frame."""

    def __init__(self) -> None:
        self.seq = 0
        self._events: list[Event] = []
        self._votes: dict[str, int] = {}
        self._people: set[str] = set()

    def add(self, events: Sequence[Event]) -> None:
        for event in events:
            self.seq = event.seq
            body: dict[str, Any] = event.body
            user_id = body.get("user_id")
            if isinstance(user_id, str):
                self._people.add(user_id)
                if event.type == "vote.cast":
                    # Whoever votes again is the newest again.
                    self._votes[user_id] = self._votes.pop(user_id, 0) + 1
            if event.type not in QUIET:
                self._events.append(event)

    def take(self) -> tuple[dict[str, Any], list[Event]]:
        """(the frame's body but for its events, the newest events), and begin anew."""
        body = {
            "seq": self.seq,
            "votes": [[user_id, n] for user_id, n in list(self._votes.items())[-VOTERS_MOST:]],
            "people": sorted(self._people)[:PEOPLE_MOST],
        }
        events = self._events[-EVENTS_MOST:]
        self._events, self._votes, self._people = [], {}, set()
        return body, events

    def __bool__(self) -> bool:
        return bool(self._events or self._votes or self._people)
