"""Work that goes on behind the votes: one task for each project, woken by its events."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from typing import Generic, TypeVar


class Woken:
    """What is known of one project's work."""

    def __init__(self) -> None:
        self.wanted = False
        """There may be something to do."""
        self.task: asyncio.Task[None] | None = None


S = TypeVar("S", bound=Woken)


class Wakes(Generic[S]):
    """One task a project at most. `run` works while `again` says so; what comes in meanwhile makes
    it say so once more."""

    def __init__(self, state: Callable[[], S], run: Callable[[str, S], Awaitable[None]]) -> None:
        self._states: defaultdict[str, S] = defaultdict(state)
        self._run = run
        self._closed = False

    def of(self, project_id: str) -> S:
        return self._states[project_id]

    def wake(self, project_id: str) -> None:
        state = self._states[project_id]
        state.wanted = True
        if state.task is None and not self._closed:
            state.task = asyncio.ensure_future(self._work(project_id, state))

    def again(self, state: S) -> bool:
        """Whether to go on; whoever asks has taken up all that came in before."""
        wanted, state.wanted = state.wanted, False
        return wanted and not self._closed

    async def stop(self) -> None:
        self._closed = True
        await end(s.task for s in self._states.values())

    async def _work(self, project_id: str, state: S) -> None:
        try:
            await self._run(project_id, state)
        finally:
            state.task = None


async def end(tasks: Iterable[asyncio.Task[None] | None]) -> None:
    """Cancel tasks that there are, and wait until they are over."""
    running = [task for task in tasks if task is not None]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
