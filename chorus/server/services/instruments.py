"""What Prometheus is told (the list is in docs/operations.md; a test compares them).

Counters are counted where things happen; what is a state (sockets, disk, jobs) is looked at when
somebody asks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from chorus.server.domain.model import Event
from chorus.server.services.tallies import Count, Spread
from chorus.server.storage.watch import Commit
from chorus.server.tracing import Tracing

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
NS = 1e9

disable_created_metrics()  # type: ignore[no-untyped-call]  # one more figure for each, of no use


class Instruments:
    """Also the store's `Watch`: of each commit it notes how long, and its writes' spans."""

    def __init__(self, version: str, tracing: Tracing) -> None:
        self.tracing = tracing
        self.registry = known = CollectorRegistry()
        ProcessCollector(registry=known)
        PlatformCollector(registry=known)
        GCCollector(registry=known)
        build = Gauge("chorus_build_info", "1, with the version.", ["version"], registry=known)
        build.labels(version).set(1)
        self._acks = Spread(
            known, "chorus_ack_seconds", "From a vote's frame to its acknowledgement.", SECONDS
        )
        self._votes = Count(known, "chorus_votes", "Votes kept, by kind.", ["kind"])
        self._pages = Count(known, "chorus_pages", "Pages handed out.", ["kind"])
        self._events = Count(known, "chorus_events", "Events of all logs.")
        self._rounds = Count(
            known, "chorus_rounds", "Rounds of the model that have ended.", ["outcome"]
        )
        self._commands = Count(
            known, "chorus_commands", "Websocket commands; outcome: ok, or the error's code.",
            ["type", "outcome"],
        )  # fmt: skip
        self._requests = Histogram(
            "chorus_http_request_seconds", "HTTP requests, by route and status.",
            ["method", "route", "status"], buckets=SECONDS, registry=known,
        )  # fmt: skip
        self._overflows = Count(
            known, "chorus_socket_overflows", "Sockets closed because their reader was too slow."
        )
        self._commit = Spread(
            known, "chorus_commit_seconds", "COMMIT: what was written, to the disk.", SECONDS
        )
        self._group = Spread(
            known, "chorus_commit_writes", "Writes that shared one commit.",
            (1, 2, 4, 8, 16, 32, 64, 128, 256),
        )  # fmt: skip
        self._waited = Spread(
            known, "chorus_write_wait_seconds", "From asking for a write to its begin.", SECONDS
        )
        self._failed = Count(
            known, "chorus_commit_failures", "Commits that failed: disk full, I/O error."
        )
        self._jobs = Gauge(
            "chorus_jobs", "Jobs of the model, by kind and state.", ["kind", "state"],
            registry=known,
        )  # fmt: skip
        self._asked: list[Callable[[], None]] = []

    # -- looked at when asked

    def gauge(self, name: str, says: str, look: Callable[[], float]) -> None:
        """A figure without labels; `look` may raise `OSError`: then it is left as it was."""
        found = Gauge(name, says, registry=self.registry)

        def ask() -> None:
            try:
                found.set(look())
            except OSError:
                return

        self._asked.append(ask)

    def gauges(
        self, name: str, says: str, labels: Sequence[str],
        look: Callable[[], Mapping[tuple[str, ...], float]],
    ) -> None:  # fmt: skip
        """A figure for each set of labels; one that `look` no longer names is gone."""
        found = Gauge(name, says, labels, registry=self.registry)

        def ask() -> None:
            found.clear()
            for values, n in look().items():
                found.labels(*values).set(n)

        self._asked.append(ask)

    def exposition(self, jobs: Mapping[tuple[str, str], int]) -> bytes:
        """In Prometheus' text format. jobs: by (kind, state), which the database knows."""
        self._jobs.clear()
        for (kind, state), n in jobs.items():
            self._jobs.labels(kind, state).set(n)
        for ask in self._asked:
            ask()
        return generate_latest(self.registry)

    # -- counted where it happens

    def acked(self, seconds: float, votes: int) -> None:
        """So many votes were acknowledged so long after their frame had come."""
        self._acks.add(seconds, votes)

    def commanded(self, type: str, outcome: str) -> None:
        """type: of a known command, or "unknown"."""
        self._commands.add((type, outcome))

    def overflowed(self) -> None:
        """A socket is closed because its reader was too slow."""
        self._overflows.add()

    def requested(self, method: str, route: str, status: int, seconds: float) -> None:
        self._requests.labels(method, route, str(status)).observe(seconds)

    def on_events(self, events: Sequence[Event]) -> None:
        """Bus listener."""
        self._events.add(n=len(events))
        for event in events:
            if event.type in ("vote.cast", "check.cast"):
                self._votes.add((str(event.body["kind"]),))
            elif event.type == "page.opened":
                self._pages.add((str(event.body["kind"]),))
            elif event.type in ("round.finished", "round.failed", "round.cancelled"):
                self._rounds.add((event.type.partition(".")[2],))

    # -- the store's Watch

    def context(self) -> Any:
        return self.tracing.here()

    def committed(self, commit: Commit) -> None:
        self._commit.add((commit.kept - commit.ended) / NS)
        self._group.add(len(commit.writes))
        if commit.failed:
            self._failed.add()
        for write in commit.writes:
            self._waited.add((write.began - write.asked) / NS)
            if write.context is not None:
                self._spans(commit, write.context, (write.asked, write.began, write.ended))

    def _spans(self, commit: Commit, context: Any, times: tuple[int, int, int]) -> None:
        asked, began, ended = times
        past = self.tracing.past
        below = past("write", context, (asked, commit.published), failed=commit.failed)
        past("queued", below, (asked, began))
        past("run", below, (began, ended))
        past("commit", below, (commit.ended, commit.kept), writes=len(commit.writes))
        past("publish", below, (commit.kept, commit.published), events=commit.events)
