"""The past of a board: when a point of its curve is due, and how many points a picture takes."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from chorus.server.domain.events import Board

CLOSEST_MS = 5_000
WIDEST_MS = 300_000
POINTS = 500
"""Points are so far apart that about this many cover the time so far; so there are a few thousand
of the longest project, and a new one has its first after seconds."""


class Point(NamedTuple):
    """What stood as of event `seq`; `votes` are those that count."""

    seq: int
    at: int
    votes: int
    unlabeled: int
    in_progress: int
    labeled: int
    needs_review: int
    skipped: int


def point_of(board: Board, at: int) -> Point:
    counts = board.counts
    return Point(
        board.seq, at, board.votes, counts["unlabeled"], counts["in_progress"], counts["labeled"],
        counts["needs_review"], counts["skipped"],
    )  # fmt: skip


class Marker:
    """Decides which moments become points, from the times of the events alone: whoever follows
    the log again finds the same ones."""

    def __init__(self, began: int | None = None, last: int | None = None) -> None:
        self._began = began
        self._last = last

    def due(self, before: int, at: int) -> tuple[bool, bool]:
        """Of an event at `at` that follows one at `before`: (the moment before it is a point, the
        moment after it is one)."""
        if self._began is None or self._last is None:
            self._began = self._last = at
            return False, True
        gap = min(WIDEST_MS, max(CLOSEST_MS, (self._last - self._began) // POINTS))
        if at - self._last < gap:
            return False, False
        # After a pause the curve must not rise slowly through it: it ends where work ended.
        paused = before > self._last and at - before >= gap
        self._last = at
        return paused, True


def thinned(points: Sequence[Point], most: int) -> list[Point]:
    """At most about `most` of them, evenly over their time: the last one of each part of it."""
    if len(points) <= most:
        return list(points)
    first = points[0].at
    span = max(1, points[-1].at - first)
    kept: dict[int, Point] = {}
    for point in points:
        kept[(point.at - first) * (most - 1) // span] = point
    return [points[0], *(p for p in kept.values() if p.seq != points[0].seq)]


def votes_at(points: Sequence[Point], at: int) -> int:
    """Votes that stood at a time: between two points evenly more, before the first none."""
    place = bisect_right(points, at, key=lambda p: p.at)
    if place == 0:
        return 0
    before = points[place - 1]
    if place == len(points) or points[place].at == before.at:
        return before.votes
    after = points[place]
    return before.votes + (after.votes - before.votes) * (at - before.at) // (after.at - before.at)
