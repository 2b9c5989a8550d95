"""Votes an hour from slots are those from every vote, but for the slot at the edge."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chorus.server.domain.speed import LEAST_MS, SLOT_MS, WINDOW_MS, Speed


@given(st.lists(st.integers(0, 30_000), max_size=300), st.integers(0, 2 * WINDOW_MS))
def test_it_is_that_of_the_votes_in_the_window(gaps: list[int], later: int) -> None:
    speed, times, at = Speed(), [], 1_700_000_000_000
    for gap in gaps:
        at += gap
        times.append(at)
        speed.add(at)
    now = at + later
    found = speed.per_hour(now)
    edge = now - WINDOW_MS
    surely = [t for t in times if t >= edge + SLOT_MS]
    maybe = [t for t in times if t >= edge]
    span = max(now - min(maybe, default=now), LEAST_MS)
    assert found <= len(maybe) * 3_600_000 / span * (1 + SLOT_MS / LEAST_MS) + 0.1
    longest = max(now - edge, LEAST_MS)
    assert found >= len(surely) * 3_600_000 / longest - 0.1


def test_somebody_fast_takes_no_more_memory_than_the_window_has_slots() -> None:
    speed = Speed()
    for at in range(0, 2 * WINDOW_MS, 50):
        speed.add(at)
        if at % 60_000 == 0:
            speed.per_hour(at)
    assert len(speed._slots) <= WINDOW_MS / SLOT_MS + 60_000 / SLOT_MS + 1


@given(st.integers(2 * SLOT_MS + 1000, 10**9), st.integers(1, 200))
def test_a_clock_that_is_set_back_makes_nobody_fast(back: int, votes: int) -> None:
    speed, at = Speed(), 1_700_000_000_000
    for _ in range(votes):
        speed.add(at := at + 1000)
    assert speed.per_hour(at - back) == 0
    for _ in range(votes):
        speed.add(at := at + 1000)
    at -= back
    for _ in range(votes):
        speed.add(at := at + 1000)
    assert speed.per_hour(at) <= max(3600, 60 * votes)
