"""One simulated labeler: an account, a socket, a stream, and a way of answering."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Protocol

import msgspec

from chorus.client import ApiError, LabelerStream, Socket
from chorus.client.messages import Answer, Page, PageItem, VoteAck
from chorus.simulate.answers import Answers
from chorus.simulate.labels import answer_of, shown_label, tags
from chorus.simulate.plan import cost, plan
from chorus.simulate.plan_sets import plan_sets
from chorus.simulate.tally import Tally

SKIP = "\0skip"
"""Stands for the skip key where a class would stand in a plan; no class can be named so."""


class Given(msgspec.Struct):
    """What a person answers to one item."""

    item: PageItem
    answer: Answer | None
    """As the client sends it; None: skip."""


class Budget:
    """How many more answers may be given (`--max-labels`), shared by all."""

    def __init__(self, limit: int | None) -> None:
        self._left = limit

    @property
    def spent(self) -> bool:
        return self._left is not None and self._left <= 0

    def take(self, wanted: int) -> int:
        if self._left is None:
            return wanted
        granted = max(0, min(wanted, self._left))
        self._left -= granted
        return granted


class Worker(Protocol):
    """What thinks of the answers to a page, and of what they cost."""

    def answer(self, person: int, page: Page, items: Sequence[PageItem]) -> list[Given]:
        """Counts the actions."""


class Classifier:
    """Answers with classes, or sets of them."""

    def __init__(self, answers: Answers, tally: Tally, multilabel: bool = False) -> None:
        self._answers = answers
        self._tally = tally
        self._multilabel = multilabel

    def answer(self, person: int, page: Page, items: Sequence[PageItem]) -> list[Given]:
        shown = [shown_label(i.prelabel) for i in items]
        labels = [
            self._answers.answer(person, item.name, prelabel)
            for item, prelabel in zip(items, shown, strict=True)
        ]
        self._tally.actions += self._cost(shown, labels, page.size)
        return [
            Given(item, None if label is None else answer_of(label, self._multilabel))
            for item, label in zip(items, labels, strict=True)
        ]

    def _cost(
        self, shown: Sequence[str | None], wanted: Sequence[str | None], page_size: int
    ) -> int:
        if not self._multilabel:
            classes = [SKIP if label is None else label for label in wanted]
            return cost(plan(shown, classes, page_size))
        before, after = (
            [None if label is None else tags(label) for label in labels]
            for labels in (shown, wanted)
        )
        return cost(plan_sets(before, after, page_size))


class Person:
    def __init__(
        self,
        number: int,
        socket: Socket,
        project_id: str,
        worker: Worker,
        tally: Tally,
        budget: Budget,
        labeled: Callable[[], int],
    ) -> None:
        """`labeled`: how many items have a consensus now, as the supervisor sees it."""
        self.number = number
        self.socket = socket
        self.project_id = project_id
        self.stream: LabelerStream | None = None
        self._worker = worker
        self._tally = tally
        self._budget = budget
        self._labeled = labeled

    def decide(self, page: Page, items: Sequence[PageItem]) -> list[Given]:
        """Answers to the items of a page, counting what they cost in actions."""
        granted = self._budget.take(len(items))
        items = items[:granted]
        if not items:
            return []
        self._tally.page(page, items, self._labeled())
        return self._worker.answer(self.number, page, items)

    async def cast(self, answers: Sequence[Given], duration_ms: int) -> int:
        """Send all at once, as Enter does. Returns the highest seq once all are kept. Raises
        `ApiError` for an answer that the project does not have."""
        acks = await asyncio.gather(*(self._cast(a, duration_ms) for a in answers))
        return max((ack.seq for ack in acks if ack is not None), default=0)

    async def _cast(self, given: Given, duration_ms: int) -> VoteAck | None:
        assert self.stream is not None
        vote = self.stream.vote(
            given.item,
            "skip" if given.answer is None else "label",
            given.answer,
            duration_ms=duration_ms,
        )
        sent = monotonic()
        try:
            ack = await self.socket.cast(vote)
        except ApiError as error:
            if error.code == "bad_value":
                raise  # no race with others: no answer like this is ever taken
            self._tally.refused[error.code] += 1
            return None
        self._tally.ack_ms.append((monotonic() - sent) * 1000)
        self._tally.acked.add(vote["vote_id"])
        self._tally.answered.add(given.item.item_id)
        self._tally.label_votes += given.answer is not None
        return ack


def open_items(page: Page) -> list[PageItem]:
    """Items of the page that still want this person's answer."""
    return [item for item in page.items if item.vote is None]
