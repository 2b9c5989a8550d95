"""What Prometheus is told (the list is in docs/operations.md; a test compares them).

Counters are counted where things happen; what is a state (sockets, disk, jobs) is looked at when
somebody asks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from chorus.server.domain.model import Event
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
        self._acks = Histogram(
            "chorus_ack_seconds", "From a vote's frame to its acknowledgement.",
            buckets=SECONDS, registry=known,
        )  # fmt: skip
        self._votes = Counter("chorus_votes", "Votes kept, by kind.", ["kind"], registry=known)
        self._pages = Counter("chorus_pages", "Pages handed out.", ["kind"], registry=known)
        self._events = Counter("chorus_events", "Events of all logs.", registry=known)
        self._rounds = Counter(
            "chorus_rounds", "Rounds of the model that have ended.", ["outcome"], registry=known
        )
        self._commands = Counter(
            "chorus_commands", "Websocket commands; outcome: ok, or the error's code.",
            ["type", "outcome"], registry=known,
        )  # fmt: skip
        self._by_command: dict[tuple[str, str], Counter] = {}
        """Found before: to look one up by its labels takes as long as all else here."""
        self._requests = Histogram(
            "chorus_http_request_seconds", "HTTP requests, by route and status.",
            ["method", "route", "status"], buckets=SECONDS, registry=known,
        )  # fmt: skip
        self.overflows = Counter(
            "chorus_socket_overflows", "Sockets closed because their reader was too slow.",
            registry=known,
        )  # fmt: skip
        self._commit = Histogram(
            "chorus_commit_seconds", "COMMIT: what was written, to the disk.", buckets=SECONDS,
            registry=known,
        )  # fmt: skip
        self._group = Histogram(
            "chorus_commit_writes", "Writes that shared one commit.",
            buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256), registry=known,
        )  # fmt: skip
        self._waited = Histogram(
            "chorus_write_wait_seconds", "From asking for a write to its begin.", buckets=SECONDS,
            registry=known,
        )  # fmt: skip
        self._failed = Counter(
            "chorus_commit_failures", "Commits that failed: disk full, I/O error.", registry=known
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

    def acked(self, seconds: float) -> None:
        self._acks.observe(seconds)

    def commanded(self, type: str, outcome: str) -> None:
        """type: of a known command, or "unknown"."""
        child = self._by_command.get((type, outcome))
        if child is None:
            child = self._by_command[type, outcome] = self._commands.labels(type, outcome)
        child.inc()

    def requested(self, method: str, route: str, status: int, seconds: float) -> None:
        self._requests.labels(method, route, str(status)).observe(seconds)

    def on_events(self, events: Sequence[Event]) -> None:
        """Bus listener."""
        self._events.inc(len(events))
        votes: dict[str, int] = {}
        for event in events:
            body: dict[str, Any] = event.body
            if event.type in ("vote.cast", "check.cast"):
                votes[body["kind"]] = votes.get(body["kind"], 0) + 1
            elif event.type == "page.opened":
                self._pages.labels(body["kind"]).inc()
            elif event.type in ("round.finished", "round.failed", "round.cancelled"):
                self._rounds.labels(event.type.partition(".")[2]).inc()
        for kind, n in votes.items():
            self._votes.labels(kind).inc(n)

    # -- the store's Watch

    def context(self) -> Any:
        return self.tracing.here()

    def committed(self, commit: Commit) -> None:
        self._commit.observe((commit.kept - commit.ended) / NS)
        self._group.observe(len(commit.writes))
        if commit.failed:
            self._failed.inc()
        for write in commit.writes:
            self._waited.observe((write.began - write.asked) / NS)
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
