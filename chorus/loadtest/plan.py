"""What a load test is asked, what its processes are told, and what they tell."""

from __future__ import annotations

import math

from msgspec import Struct, field

CLASSES = ["cat", "dog", "horse", "other"]
SLOW_MS = 250.0
"""An acknowledgement that takes longer is one that people notice."""
SPARE = 1.15
"""More items than the people need at their pace: some label faster than others."""


class Plan(Struct):
    labelers: int = 2000
    dashboards: int = 100
    think_s: float = 12.0
    """Seconds from one page of a person to the next, on average."""
    page_size: int = 9
    minutes: float = 10.0
    votes_per_item: int = 5

    @property
    def votes_per_s(self) -> float:
        return self.labelers * self.page_size / self.think_s

    @property
    def items(self) -> int:
        """As many as are needed, and the pages that everybody holds."""
        votes = self.votes_per_s * self.minutes * 60 * SPARE
        held = self.labelers * self.page_size * 3
        # Nobody answers an item twice.
        alone = self.minutes * 60 / self.think_s * self.page_size * SPARE
        return math.ceil(max((votes + held) / self.votes_per_item, alone + 3 * self.page_size))


class Part(Struct):
    """What one process of people is told."""

    url: str
    project_id: str
    labelers: list[str]
    """Bearer tokens."""
    dashboards: list[str]
    think_s: float
    page_size: int
    seconds: float
    seed: int
    acked: str
    """File for the ids of the votes that were acknowledged, one a line."""


class Waits(Struct):
    """Durations in milliseconds, counted by rounded-up tenths: {tenths: how many}."""

    counts: dict[int, int] = field(default_factory=dict)

    def add(self, seconds: float) -> None:
        tenths = math.ceil(seconds * 10_000)
        self.counts[tenths] = self.counts.get(tenths, 0) + 1

    def merge(self, other: Waits) -> None:
        for tenths, n in other.counts.items():
            self.counts[tenths] = self.counts.get(tenths, 0) + n

    @property
    def n(self) -> int:
        return sum(self.counts.values())

    def quantile(self, share: float) -> float | None:
        """Milliseconds that `share` of them do not exceed; None: there are none."""
        left = math.ceil(share * self.n)
        for tenths in sorted(self.counts):
            left -= self.counts[tenths]
            if left <= 0:
                return tenths / 10
        return None

    def over(self, ms: float) -> int:
        """How many are longer than so many milliseconds."""
        return sum(n for tenths, n in self.counts.items() if tenths > ms * 10)

    def summary(self) -> dict[str, float | None]:
        return {
            "n": self.n,
            "p50_ms": self.quantile(0.5),
            "p99_ms": self.quantile(0.99),
            "max_ms": self.quantile(1.0),
        }


class Told(Struct):
    """What one process of people found."""

    acks: dict[int, Waits] = field(default_factory=dict)
    """By the second, from the beginning on, in which the votes were sent."""
    pages: Waits = field(default_factory=Waits)
    """From the end of a page until the next one was there."""
    lags: Waits = field(default_factory=Waits)
    """From an event's time to the dashboards' frame that tells of it (one clock)."""
    votes: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    """Votes by the error's code."""
    reconnects: int = 0
    frames: int = 0
    """To all dashboards."""
    frame_chars: int = 0
    events_told: int = 0
    """Votes and other events that the dashboards' feeds told of."""
    starved: int = 0
    """Times that there was no page for somebody."""
    cpu_s: float = 0.0
    failures: list[str] = field(default_factory=list)

    def acked(self, second: int, seconds: float) -> None:
        """A vote that was sent in that second was kept after so many."""
        self.acks.setdefault(second, Waits()).add(seconds)


def slope(points: list[tuple[float, float]]) -> float:
    """Of the line of least squares through (x, y); 0 with fewer than two."""
    n = len(points)
    if n < 2:
        return 0.0
    mean_x = sum(x for x, _ in points) / n
    mean_y = sum(y for _, y in points) / n
    across = sum((x - mean_x) ** 2 for x, _ in points)
    if not across:
        return 0.0
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / across
