"""Free-running: everyone works at their own pace, as in a browser with pages pushed ahead."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import monotonic

from chorus.client import ChorusError, LabelerStream
from chorus.client.messages import Page
from chorus.simulate.person import Budget, Person, open_items
from chorus.simulate.tally import Tally

CREDIT = 2
"""As browsers open: one page in work, one ahead."""


class _Crew:
    """Knows when all are done: everyone was told twice that there is nothing, and no vote between.

    "Nothing now" alone does not do: the last vote of a colleague can open an item again.
    """

    def __init__(self, people: Sequence[Person], tally: Tally) -> None:
        self._size = len(people)
        self._tally = tally
        self._idle: set[int] = set()
        self._votes_before = -1
        self.again = asyncio.Event()
        self.done = asyncio.Event()

    def works(self, person: Person) -> None:
        self._idle.discard(person.number)

    def idles(self, person: Person) -> None:
        self._idle.add(person.number)
        if len(self._idle) < self._size:
            return
        votes = len(self._tally.acked) + self._tally.refused.total()
        if votes == self._votes_before:
            self.done.set()
            return
        self._votes_before = votes
        self._idle.clear()
        self.again.set()
        self.again = asyncio.Event()


async def run(people: Sequence[Person], tally: Tally, budget: Budget, think_ms: int) -> None:
    """Work until nothing is left to hand out or the budget is spent. Raises `ChorusError`."""
    crew = _Crew(people, tally)
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_work(p, crew, tally, budget, think_ms)) for p in people]
            await crew.done.wait()
            for person in people:
                await person.socket.flushed()
            for task in tasks:
                task.cancel()
    except BaseExceptionGroup as failed:
        found = failed.subgroup(ChorusError)
        if found is None:
            raise
        raise _first(found) from failed


def _first(group: BaseExceptionGroup[ChorusError]) -> ChorusError:
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner


async def _work(person: Person, crew: _Crew, tally: Tally, budget: Budget, think_ms: int) -> None:
    stream = await LabelerStream.open(person.socket, person.project_id, credit=CREDIT)
    person.stream = stream
    last_vote: float | None = None
    async with asyncio.TaskGroup() as casts:
        while not budget.spent:
            page = await stream.next_page()
            if page is None:
                last_vote = None  # no work is no wait
                await _rest(stream, casts, crew, person)
                continue
            crew.works(person)
            if last_vote is not None:
                wait = max(0.0, stream.arrived[page.page_id] - last_vote) * 1000
                tally.page_wait_ms.append(wait)
                last_vote = None
            await _think(stream, page, think_ms)
            if page.page_id not in stream.pages:
                continue  # closed by the server meanwhile
            answers = person.decide(page, open_items(page))
            if answers:
                casts.create_task(person.cast(answers, think_ms))
                last_vote = monotonic()
            await stream.finish(page)
    crew.done.set()


async def _think(stream: LabelerStream, page: Page, think_ms: int) -> None:
    """Time passes, item by item; nothing to wait for, so this is a real sleep."""
    if think_ms > 0:
        await asyncio.sleep(think_ms * len(open_items(page)) / 1000)
    else:
        await asyncio.sleep(0)


async def _rest(
    stream: LabelerStream, casts: asyncio.TaskGroup, crew: _Crew, person: Person
) -> None:
    """Wait for work; when everybody waits, ask the server once more."""
    again = crew.again
    await stream.socket.flushed()
    crew.idles(person)
    change = asyncio.create_task(stream.change())
    ask = asyncio.create_task(again.wait())
    try:
        await asyncio.wait({change, ask}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (change, ask):
            task.cancel()
    if again.is_set() and not stream.pages:
        await stream.close()
        await stream.reopen()
