"""A supervisor's view: the newest stats of a project, pushed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from chorus.client.messages import Frame, Stats
from chorus.client.socket import Socket


class StatsWatch:
    """Subscribed to `project/…/stats`; `stats` is always the newest known."""

    def __init__(self, socket: Socket, project_id: str) -> None:
        self._socket = socket
        self._topic = f"project/{project_id}/stats"
        self._changed = asyncio.Event()
        self.stats: Stats | None = None
        self.on_stats: Callable[[Stats], None] | None = None
        socket.on_closed.append(self._changed.set)

    @classmethod
    async def open(cls, socket: Socket, project_id: str) -> StatsWatch:
        watch = cls(socket, project_id)
        await socket.subscribe("subscribe", lambda: {"topic": watch._topic}, watch._on_frame)
        return watch

    async def until(self, condition: Callable[[Stats], bool]) -> Stats:
        """Wait for stats that fulfil `condition`. Raises `Closed`."""
        while True:
            if self.stats is not None and condition(self.stats):
                return self.stats
            if self._socket.closed is not None:
                raise self._socket.closed
            self._changed.clear()
            await self._changed.wait()

    def offer(self, stats: Stats) -> None:
        """Take stats that came by another way (REST); the newer ones win.

        Not all that they say is in an event (a job's end, say): of the same event the later ones
        are newer, whichever came first.
        """
        if self.stats is None or (stats.seq, stats.at) >= (self.stats.seq, self.stats.at):
            self.stats = stats
            self._changed.set()
            if self.on_stats is not None:
                self.on_stats(stats)

    def _on_frame(self, frame: Frame) -> None:
        if frame.type == "stats":
            self.offer(msgspec.json.decode(frame.body, type=Stats))
