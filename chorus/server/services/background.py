"""Work that goes on behind the votes: one task for each project, woken by its events."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator
from typing import Generic, TypeVar

from chorus.server.domain.model import Event
from chorus.server.errors import ApiError

log = logging.getLogger(__name__)

HEARD_MOST = 10_000
"""Events of one project that are kept at hand for one reader; where more come, it reads the log."""


AGAIN_S, AGAIN_MOST_S = 10.0, 600.0
"""How long work that has failed rests before it is tried again: so long at first, twice as long
each time, and so long at most."""


async def until_done(work: Callable[[], Awaitable[None]], failing: str, about: object) -> None:
    """Do `work`, which can begin again wherever it has stopped. When it raises (the disk cannot be
    read, a file cannot be removed) that is logged, as `failing` of `about`, and it is tried again;
    what a shutdown cuts off goes on at the next start."""
    rest = AGAIN_S
    while True:
        try:
            return await work()
        except ApiError:  # shutting down
            return
        except Exception:
            log.exception("%s; it is tried again", failing % about)
        await asyncio.sleep(rest)
        rest = min(2 * rest, AGAIN_MOST_S)


K = TypeVar("K", bound=Hashable)


class Tasks(Generic[K]):
    """Work that, once begun, goes on until it is done (`until_done`): one task a key at most.
    failing: what is logged of a key when it raises; ended: called with the key when it is over."""

    def __init__(self, failing: str, ended: Callable[[K], None] = lambda key: None) -> None:
        self._failing = failing
        self._ended = ended
        self._tasks: dict[K, asyncio.Task[None]] = {}
        self.closed = False

    def __iter__(self) -> Iterator[K]:
        return iter(self._tasks)

    def begin(self, key: K, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        """The task of the key: the one that runs, or one that begins with `work`."""
        task = self._tasks.get(key)
        if task is None:
            task = self._tasks[key] = asyncio.ensure_future(self._run(key, work))
        return task

    async def _run(self, key: K, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await until_done(work, self._failing, key)
        finally:
            del self._tasks[key]
            self._ended(key)

    async def cancel(self, key: K) -> None:
        """End the task of the key, if there is one, wherever it is."""
        await end([self._tasks.get(key)])

    async def finish(self) -> None:
        """Wait until nothing is left to be done."""
        while self._tasks:
            await asyncio.wait(self._tasks.values())

    async def stop(self) -> None:
        self.closed = True
        await end(self._tasks.values())


class Heard:
    """A project's events as they were published, so that who follows its log need not read and
    decode them again."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque()

    def hear(self, event: Event) -> None:
        if len(self._events) >= HEARD_MOST:
            self._events.clear()
        self._events.append(event)

    def after(self, seq: int, most: int) -> list[Event]:
        """The next ones after event `seq`, which are at hand no longer; none where some are
        missing."""
        events = self._events
        while events and events[0].seq <= seq:
            events.popleft()
        if not events or events[0].seq != seq + 1:
            return []
        return [events.popleft() for _ in range(min(most, len(events)))]


class Woken:
    """What is known of one project's work."""

    def __init__(self) -> None:
        self.wanted = False
        """There may be something to do."""
        self.task: asyncio.Task[None] | None = None


S = TypeVar("S", bound=Woken)


class Wakes(Generic[S]):
    """One task a project at most. `run` works while `again` says so; what comes in meanwhile makes
    it say so once more. failing: what is logged of a project (%s) when it raises; it is tried again
    then (`until_done`)."""

    def __init__(
        self, state: Callable[[], S], run: Callable[[str, S], Awaitable[None]], failing: str
    ) -> None:
        self._states: defaultdict[str, S] = defaultdict(state)
        self._run = run
        self._failing = failing
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
        async def work() -> None:
            try:
                await self._run(project_id, state)
            except Exception:
                state.wanted = True
                raise

        try:
            await until_done(work, self._failing, project_id)
        finally:
            state.task = None


async def end(tasks: Iterable[asyncio.Task[None] | None]) -> None:
    """Cancel tasks that there are, and wait until they are over."""
    running = [task for task in tasks if task is not None]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
