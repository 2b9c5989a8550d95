"""A supervisor's view keeps the newest stats, by whichever way they come."""

from __future__ import annotations

from chorus.client import Socket, StatsWatch
from chorus.client.messages import Counts, Stats


def stats(seq: int, at: int, estimating: bool) -> Stats:
    return Stats("p", seq, "e", Counts(), at=at, estimating=estimating)


async def test_an_answer_that_was_overtaken_changes_nothing() -> None:
    watch = StatsWatch(Socket("http://nowhere", "token"), "p")
    watch.offer(stats(7, 1000, True))
    watch.offer(stats(7, 1200, False))  # pushed at the end of the estimate
    watch.offer(stats(7, 1100, True))  # asked for before that by REST, and only here now
    assert watch.stats is not None
    assert not watch.stats.estimating
    watch.offer(stats(6, 1300, True))
    assert watch.stats.seq == 7
    watch.offer(stats(8, 1300, True))
    assert watch.stats.estimating
