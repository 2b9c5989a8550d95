"""Simulated colleagues: real accounts and sockets, at human pace."""

from __future__ import annotations

import asyncio
from random import Random

from chorus.client import ApiError, LabelerStream, Socket
from chorus.client.messages import Page, PageItem
from chorus.simulate.answers import Answers
from chorus.simulate.plan import cost, plan

NAMES = ("Ada", "Bruno", "Chidi", "Dana", "Emre", "Freya")
ACCURACY = 0.97
LOOK_SECONDS = 0.7
"""To look at one picture; an action (a key, a click) takes the rest: about 2 s a picture."""
ACTION_SECONDS = 1.3


async def work(
    number: int, url: str, token: str, project_id: str, answers: Answers, seed: int
) -> None:
    """Label until cancelled; rest while there is nothing to do."""
    random = Random(f"{seed}/colleague/{number}")
    async with Socket(url, token) as socket:
        # They do not all sit down in the same second.
        await asyncio.sleep(random.uniform(0, 4))
        stream = await LabelerStream.open(socket, project_id, credit=2)
        while True:
            page = await stream.next_page()
            if page is None or stream.paused:
                await stream.change()
                continue
            await _label(number, stream, page, answers, random)


async def _label(
    number: int, stream: LabelerStream, page: Page, answers: Answers, random: Random
) -> None:
    items = _open(page)
    given = {item.item_id: answers.answer(number, item.name, _shown(item)) for item in items}
    actions = cost(
        plan([_shown(i) for i in items], [given[i.item_id] or "" for i in items], page.size)
    )
    seconds = (len(items) * LOOK_SECONDS + actions * ACTION_SECONDS) * random.uniform(0.7, 1.4)
    await asyncio.sleep(seconds)
    if page.page_id not in stream.pages:
        return
    votes = []
    for item in _open(page):  # an item may have been swapped while we looked
        label = given.get(item.item_id) or answers.answer(number, item.name, _shown(item))
        votes.append(
            stream.vote(
                item,
                "skip" if label is None else "label",
                label,
                duration_ms=int(seconds * 1000 / max(1, len(items))),
            )
        )
    # Sent as the page's Enter does; a refused one (closed meanwhile) is no harm.
    for done in await asyncio.gather(
        *(stream.socket.cast(vote) for vote in votes), return_exceptions=True
    ):
        if isinstance(done, BaseException) and not isinstance(done, ApiError):
            raise done
    await stream.finish(page)


def _open(page: Page) -> list[PageItem]:
    return [item for item in page.items if item.vote is None]


def _shown(item: PageItem) -> str | None:
    return None if item.prelabel is None else item.prelabel.class_name
