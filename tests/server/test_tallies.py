"""What the event loop counts reads like what Prometheus' own library would have said."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from chorus.server.services.instruments import SECONDS  # it also leaves out created times
from chorus.server.services.tallies import Count, Spread

VALUES = st.one_of(st.sampled_from(SECONDS), st.floats(0, 20, allow_nan=False))


@given(st.lists(st.tuples(VALUES, st.integers(1, 9))))
def test_a_histogram(values: list[tuple[float, int]]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    spread = Spread(ours, "waits_seconds", "How long.", SECONDS)
    told = Histogram("waits_seconds", "How long.", buckets=SECONDS, registry=theirs)
    for value, n in values:
        value = round(value * 1024) / 1024  # sums of these are exact in any order
        spread.add(value, n)
        for _ in range(n):
            told.observe(value)
    assert generate_latest(ours) == generate_latest(theirs)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xy"), st.integers(1, 9))))
def test_counters(counted: list[tuple[str, str, int]]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    count = Count(ours, "commands", "What.", ["type", "outcome"])
    told = Counter("commands", "What.", ["type", "outcome"], registry=theirs)
    plain, plainly = Count(ours, "all", "All."), Counter("all", "All.", registry=theirs)
    for type, outcome, n in counted:
        count.add((type, outcome), n)
        told.labels(type, outcome).inc(n)
        plain.add(n=n)
        plainly.inc(n)
    assert generate_latest(ours) == generate_latest(theirs)
