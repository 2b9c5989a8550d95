"""What the event loop counts for Prometheus with each vote: plain numbers, told when asked.

The client library's own counters take a lock and several calls each time, which is as much as all
else that the loop does with a vote's answer. Only one thread may count with these.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry
from prometheus_client.utils import floatToGoString


class Count(Collector):
    """Prometheus' counter, with `labels` or without."""

    def __init__(
        self, registry: CollectorRegistry, name: str, says: str, labels: Sequence[str] = ()
    ) -> None:
        self._name, self._says, self._labels = name, says, labels
        self._counts: dict[tuple[str, ...], int] = {} if labels else {(): 0}
        registry.register(self)

    def add(self, values: tuple[str, ...] = (), n: int = 1) -> None:
        """Count `n` more; `values`: of the labels, in their order."""
        self._counts[values] = self._counts.get(values, 0) + n

    def collect(self) -> Iterable[Metric]:
        found = CounterMetricFamily(self._name, self._says, labels=self._labels)
        for values, n in self._counts.items():
            found.add_metric(values, n)
        yield found


class Spread(Collector):
    """Prometheus' histogram without labels. edges: the largest value of each bucket, rising; what
    is larger than the last goes to one more."""

    def __init__(
        self, registry: CollectorRegistry, name: str, says: str, edges: Sequence[float]
    ) -> None:
        self._name, self._says, self._edges = name, says, edges
        self._counts = [0] * (len(edges) + 1)
        self._sum = 0.0
        registry.register(self)

    def add(self, value: float, n: int = 1) -> None:
        """Count `value`, `n` times."""
        self._counts[bisect_left(self._edges, value)] += n
        self._sum += value * n

    def collect(self) -> Iterable[Metric]:
        edges = [*map(floatToGoString, self._edges), "+Inf"]
        buckets = list(zip(edges, map(float, accumulate(self._counts)), strict=True))
        yield HistogramMetricFamily(self._name, self._says, buckets=buckets, sum_value=self._sum)
