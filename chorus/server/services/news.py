"""Waiting for what is new in a project's log: the newest seq that was committed, and who waits."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence

from chorus.server.domain.model import Event


class News:
    def __init__(self) -> None:
        self._seq: dict[str, int] = {}
        self._waiting: defaultdict[str, set[asyncio.Future[None]]] = defaultdict(set)
        self._ended = False

    def on_events(self, events: Sequence[Event]) -> None:
        for event in events:
            self._seq[event.project_id] = event.seq
        for project_id in {event.project_id for event in events} & self._waiting.keys():
            self._wake(project_id)

    async def after(self, project_id: str, since: int, seconds: float | None = None) -> None:
        """Return as soon as an event after `since` is committed, or after that many seconds, or
        when the server ends. Ask the log before: what came earlier may not be known here."""
        if self._ended or self._seq.get(project_id, 0) > since:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[project_id].add(future)
        try:
            await asyncio.wait_for(future, seconds)
        except TimeoutError:
            pass
        finally:
            waiting = self._waiting[project_id]
            waiting.discard(future)
            if not waiting:
                del self._waiting[project_id]

    def end(self) -> None:
        """Nobody is to wait any more."""
        self._ended = True
        for project_id in list(self._waiting):
            self._wake(project_id)

    def _wake(self, project_id: str) -> None:
        for future in list(self._waiting[project_id]):
            if not future.done():
                future.set_result(None)
