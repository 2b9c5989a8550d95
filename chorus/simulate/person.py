"""One simulated labeler: an account, a socket, a stream, and a way of answering."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from time import monotonic

import msgspec

from chorus.client import ApiError, LabelerStream, Socket
from chorus.client.messages import Page, PageItem, VoteAck
from chorus.simulate.answers import Answers
from chorus.simulate.labels import answer_of, shown_label, tags
from chorus.simulate.plan import cost, plan
from chorus.simulate.plan_sets import plan_sets
from chorus.simulate.tally import Tally

SKIP = "\0skip"
"""Stands for the skip key where a class would stand in a plan; no class can be named so."""


class Answer(msgspec.Struct):
    item: PageItem
    label: str | None
    """None: skip."""


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


class Person:
    def __init__(
        self,
        number: int,
        socket: Socket,
        project_id: str,
        answers: Answers,
        tally: Tally,
        budget: Budget,
        labeled: Callable[[], int],
        multilabel: bool = False,
    ) -> None:
        """`labeled`: how many items have a consensus now, as the supervisor sees it."""
        self.number = number
        self.socket = socket
        self.project_id = project_id
        self.stream: LabelerStream | None = None
        self._answers = answers
        self._tally = tally
        self._budget = budget
        self._labeled = labeled
        self._multilabel = multilabel

    def decide(self, page: Page, items: Sequence[PageItem]) -> list[Answer]:
        """Answers to the items of a page, counting what they cost in actions."""
        granted = self._budget.take(len(items))
        items = items[:granted]
        if not items:
            return []
        self._tally.page(page, items, self._labeled())
        shown = [shown_label(i.prelabel) for i in items]
        answers = [
            Answer(item, self._answers.answer(self.number, item.name, prelabel))
            for item, prelabel in zip(items, shown, strict=True)
        ]
        self._tally.actions += self._cost(shown, [a.label for a in answers], page.size)
        return answers

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

    async def cast(self, answers: Sequence[Answer], duration_ms: int) -> int:
        """Send all at once, as Enter does. Returns the highest seq once all are kept."""
        acks = await asyncio.gather(*(self._cast(a, duration_ms) for a in answers))
        return max((ack.seq for ack in acks if ack is not None), default=0)

    async def _cast(self, answer: Answer, duration_ms: int) -> VoteAck | None:
        assert self.stream is not None
        vote = self.stream.vote(
            answer.item,
            "skip" if answer.label is None else "label",
            None if answer.label is None else answer_of(answer.label, self._multilabel),
            duration_ms=duration_ms,
        )
        sent = monotonic()
        try:
            ack = await self.socket.cast(vote)
        except ApiError as error:
            self._tally.refused[error.code] += 1
            return None
        self._tally.ack_ms.append((monotonic() - sent) * 1000)
        self._tally.acked.add(vote["vote_id"])
        self._tally.answered.add(answer.item.item_id)
        self._tally.label_votes += answer.label is not None
        return ack


def open_items(page: Page) -> list[PageItem]:
    """Items of the page that still want this person's answer."""
    return [item for item in page.items if item.vote is None]
