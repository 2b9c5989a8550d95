"""Durable votes per second over real websockets. What can be had at most: bench/ceilings.py."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

import msgspec
import numpy as np

from bench import pictures
from chorus.client import LabelerStream, Rest, Socket
from chorus.client.process import ServerProcess
from chorus.simulate.setup import add_person, import_pictures

SOCKETS = 64
PAGES = 8
"""Pages each labeler holds before a wave of votes; the votes are timed, the pages apart."""
ITEMS = 2000
"""Of each wave."""
VOTES_PER_ITEM = 3
WAVES = 3
AT_ONCE = (1, 9)
"""Votes that a labeler sends together: one after the other, as who labels one by one, and a page
of nine in one message, as the page of a grid does. Each way has its own ceilings."""

Cast = Callable[[Sequence[dict[str, Any]]], Awaitable[Any]]
"""Send votes together; returns when all of them are kept."""


class Timing(msgspec.Struct):
    """`per_s`: votes a second, all sockets together; acks in milliseconds."""

    votes: int
    per_s: float
    ack_p50_ms: float
    ack_p99_ms: float


async def timed(
    casts: Sequence[Cast], votes: Sequence[Sequence[dict[str, Any]]], at_once: int
) -> list[float]:
    """Each of `casts` sends its votes, so many together, and the next ones when these are kept; all
    side by side.

    Returns the seconds each vote waited for its acknowledgement, and first the whole time.
    """
    waits: list[float] = []

    async def one(cast: Cast, mine: Sequence[dict[str, Any]]) -> None:
        for start in range(0, len(mine), at_once):
            some = mine[start : start + at_once]
            sent = monotonic()
            await cast(some)
            waits.extend([monotonic() - sent] * len(some))

    started = monotonic()
    await asyncio.gather(*(one(c, v) for c, v in zip(casts, votes, strict=True)))
    return [monotonic() - started, *waits]


def summary(waves: Sequence[Sequence[float]]) -> Timing:
    seconds = sum(wave[0] for wave in waves)
    waits = np.concatenate([wave[1:] for wave in waves]) * 1000
    p50, p99 = np.percentile(waits, [50, 99])
    return Timing(
        len(waits),
        round(len(waits) / seconds, 1),
        round(float(p50), 2),
        round(float(p99), 2),
    )


class Prepared(msgspec.Struct):
    """One wave of votes on leases that are held, for the ceiling with the same statements: the
    first votes on an item cost less than its last, so each wave has its own."""

    database: Path
    people: list[tuple[str, str]]
    """(user_id, name)"""
    votes: list[list[dict[str, Any]]]
    at_once: int


class Watcher(Protocol):
    """Looks at the server while it is voted on."""

    def begin(self, pid: int) -> None: ...

    async def end(self) -> None: ...


async def over_sockets(
    folder: Path, at_once: int, count: int = WAVES, watcher: Watcher | None = None
) -> tuple[dict[str, Any], list[Prepared]]:
    """The real thing, `count` waves of votes that are sent `at_once` together. Returns the figures,
    and of each wave what the ceilings need."""
    process = ServerProcess(folder / "data")
    token = process.add_user("admin", "Admin", admin=True)
    waves: list[list[float]] = []
    handout: list[float] = []
    prepared: list[Prepared] = []
    async with AsyncExitStack() as stack:
        await process.start()
        stack.push_async_callback(process.stop)
        admin = await stack.enter_async_context(Rest(process.url, token))
        project = await admin.create_project(
            "Bench", ["yes", "no"], votes_min=VOTES_PER_ITEM, votes_max=VOTES_PER_ITEM,
            cluster=False, prelabel=False,
        )  # fmt: skip
        await import_pictures(
            admin,
            project.project_id,
            pictures.tiny(folder / "tiny", ITEMS * count),
            upload=False,
        )
        streams: list[LabelerStream] = []
        people: list[tuple[str, str]] = []
        for number in range(SOCKETS):
            login = f"labeler-{number}"
            user, own = await add_person(admin, project.project_id, login, login, "labeler")
            people.append((user.user_id, user.name))
            socket = await stack.enter_async_context(Socket(process.url, own))
            streams.append(await LabelerStream.open(socket, project.project_id, credit=0))
        if watcher is not None:
            watcher.begin(process.pid)
        for _ in range(count):
            started = monotonic()
            await asyncio.gather(*(_fill(stream) for stream in streams))
            pages = sum(len(stream.pages) for stream in streams)
            handout.append(pages / (monotonic() - started))
            votes = [
                [
                    stream.vote(item, "label", "yes", duration_ms=900)
                    for page in stream.pages.values()
                    for item in page.items
                ]
                for stream in streams
            ]
            copied = folder / f"same-{len(waves)}.sqlite"
            copy(process.data_dir / "chorus.sqlite", copied)
            prepared.append(Prepared(copied, people, votes, at_once))
            waves.append(await timed([sender(s.socket) for s in streams], votes, at_once))
            for stream in streams:
                for page in list(stream.pages.values()):
                    await stream.finish(page, credit=False)
        if watcher is not None:
            await watcher.end()
    figures = {**msgspec.to_builtins(summary(waves)), "pages_per_s": round(max(handout), 1)}
    return figures, prepared


def sender(socket: Socket) -> Cast:
    async def cast(votes: Sequence[dict[str, Any]]) -> Any:
        if len(votes) == 1:
            return await socket.cast(votes[0])
        return await asyncio.gather(*(socket.cast(vote) for vote in votes))

    return cast


async def _fill(stream: LabelerStream) -> None:
    """Hold PAGES pages."""
    await stream.credit(PAGES)
    while len(stream.pages) < PAGES:
        if stream.empty is not None:
            raise RuntimeError(f"too few items to measure with: {stream.empty}")
        await stream.change()


def copy(source: Path, target: Path) -> None:
    with sqlite3.connect(source) as live, sqlite3.connect(target) as copied:
        live.backup(copied)
