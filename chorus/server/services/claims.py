"""Who has which item open for review, so that two reviewers never work on the same one.

A claim is a courtesy, held in memory: it steers what is offered next and is shown to the others,
but it blocks nobody. What must not go wrong is checked when a decision is written (see review).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from chorus.server.clock import running_ms

LASTS_MS = 30_000
"""A claim ends so long after its last heartbeat: a page that hangs holds nothing back."""

Push = Callable[[list[dict[str, Any]]], None]


class Reviewer:
    """One socket with the review room of one project open."""

    def __init__(self, project_id: str, user_id: str, name: str, push: Push) -> None:
        self.project_id = project_id
        self.user_id = user_id
        self.name = name
        self.push = push
        self.item_id: int | None = None
        self.expires_at = 0


class Claims:
    """At most one claimed item per reviewer, at most one reviewer per item."""

    def __init__(self, clock: Callable[[], int] = running_ms) -> None:
        self._clock = clock
        self._rooms: dict[str, list[Reviewer]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def join(self, reviewer: Reviewer) -> list[dict[str, Any]]:
        """Watch the claims of the others; returns those there are now."""
        self._rooms.setdefault(reviewer.project_id, []).append(reviewer)
        return self.of_others(reviewer)

    def leave(self, reviewer: Reviewer) -> None:
        room = self._rooms.get(reviewer.project_id, [])
        if reviewer in room:
            room.remove(reviewer)
            self._set(reviewer, None)
        if not room:
            self._rooms.pop(reviewer.project_id, None)

    def claim(self, reviewer: Reviewer, item_ids: Sequence[int]) -> int | None:
        """Claim the first of these items that nobody else has open, and let go of the last one.

        Claiming the same item again is the heartbeat. None: all are taken (or none was given).
        """
        self.sweep()
        taken = {c["item_id"] for c in self.of_others(reviewer)}
        free = next((i for i in item_ids if i not in taken), None)
        reviewer.expires_at = self._clock() + LASTS_MS
        self._set(reviewer, free)
        self._plan()
        return free

    def of_others(self, reviewer: Reviewer) -> list[dict[str, Any]]:
        return [
            {"item_id": r.item_id, "user_id": r.user_id, "name": r.name}
            for r in self._rooms.get(reviewer.project_id, ())
            if r is not reviewer and r.item_id is not None
        ]

    def sweep(self) -> None:
        """End the claims whose reviewer has not been heard of."""
        now = self._clock()
        for room in list(self._rooms.values()):
            for reviewer in room:
                if reviewer.item_id is not None and reviewer.expires_at <= now:
                    self._set(reviewer, None)

    def _set(self, reviewer: Reviewer, item_id: int | None) -> None:
        if reviewer.item_id == item_id:
            return
        reviewer.item_id = item_id
        for other in self._rooms.get(reviewer.project_id, ()):
            if other is not reviewer:
                other.push(self.of_others(other))

    def _plan(self) -> None:
        """One timer for all, at the first moment something can expire."""
        if self._timer is not None:
            return
        ends = [r.expires_at for room in self._rooms.values() for r in room if r.item_id]
        if ends:
            wait = max(0, min(ends) - self._clock()) / 1000
            self._timer = asyncio.get_running_loop().call_later(wait, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self.sweep()
        self._plan()
