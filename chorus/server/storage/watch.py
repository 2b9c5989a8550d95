"""What a database tells of itself to whoever measures it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol


class Written(NamedTuple):
    """One write of a commit; times by perf_counter_ns."""

    context: Any
    """What `Watch.context` said when it was asked for."""
    asked: int
    began: int
    ended: int


class Commit(NamedTuple):
    """One commit, after its events were published; times by perf_counter_ns."""

    writes: Sequence[Written]
    events: int
    ended: int
    """When its last write had run, and what is left is the commit itself."""
    kept: int
    """When it was on disk."""
    published: int
    failed: bool


class Watch(Protocol):
    """Called on the event loop."""

    def context(self) -> Any: ...

    def committed(self, commit: Commit) -> None: ...
