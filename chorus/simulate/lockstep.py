"""Lockstep: one person at a time holds a page, and nobody works while a round is due or running.

So the result depends on the seed alone, not on the speed of the machine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from chorus.client import ChorusError, LabelerStream, Rest, StatsWatch
from chorus.client.messages import Stats
from chorus.simulate.person import Budget, Person, open_items

PATIENCE = 1800.0
"""Seconds without any progress of a round (or the features of all items) before giving up. The
server runs a job that does nothing for ten minutes again, three times at most."""


class Stuck(ChorusError):
    """The model has not come further for `PATIENCE`; the message says what the server says."""


class Gate:
    """Lets people work only while the model has nothing to do."""

    def __init__(
        self, rest: Rest, watch: StatsWatch, project_id: str, *, assist: bool,
        patience: float = PATIENCE,
    ) -> None:  # fmt: skip
        self._rest = rest
        self._watch = watch
        self._project_id = project_id
        self._assist = assist
        self._patience = patience

    async def settled(self, seq: int) -> Stats:
        """Wait until the server has digested event `seq` and no round is due or running, however
        long that takes while the model comes further. Raises `Stuck`."""
        stats = await self._rest.stats(self._project_id)
        self._watch.offer(stats)
        while not self._quiet(stats, seq):
            stats = await self._further(stats, seq)
        return stats

    async def _further(self, stats: Stats, seq: int) -> Stats:
        """Wait for quiet, or for anything else to have changed."""
        before = _progress(stats)
        try:
            async with asyncio.timeout(self._patience):
                return await self._watch.until(
                    lambda s: self._quiet(s, seq) or _progress(s) != before
                )
        except TimeoutError:
            why = stats.assist.prelabel_reason or "the server does not say why"
            raise Stuck(
                f"the model has come no further for {self._patience:.0f} seconds: {why}"
            ) from None

    def _quiet(self, stats: Stats, seq: int) -> bool:
        assist = stats.assist
        featurized = not self._assist or assist.featurized >= assist.featurize_total
        rests = not (
            assist.round_due or assist.running or assist.tuning.running or stats.estimating
            or stats.measuring
        )  # fmt: skip
        return stats.seq >= seq and featurized and rests


def _progress(stats: Stats) -> object:
    """Changes while the model comes further."""
    assist = stats.assist
    jobs = [(job.job_id, job.state, job.progress, job.attempts) for job in assist.jobs]
    return stats.seq, assist.featurize_pass, assist.featurized, jobs, assist.tuning.newest


async def run(people: Sequence[Person], gate: Gate, budget: Budget) -> None:
    """Work in turns, a page each, until nobody gets one any more or the budget is spent."""
    await gate.settled(0)
    worked = True
    while worked:
        worked = False
        for person in people:
            if budget.spent:
                return
            seq = await _turn(person)
            if seq is not None:
                worked = True
                await gate.settled(seq)


async def _turn(person: Person) -> int | None:
    """One page. Returns the seq of its last vote, or None if there was no page."""
    if person.stream is None:
        person.stream = await LabelerStream.open(person.socket, person.project_id, credit=1)
    else:
        await person.stream.credit(1)
    page = await person.stream.next_page()
    if page is None:
        # Leave, so that no page is pushed to us out of turn.
        await person.stream.close()
        person.stream = None
        return None
    answers = person.decide(page, open_items(page))
    seq = await person.cast(answers, duration_ms=1000)
    await person.stream.finish(page, credit=False)
    return seq
