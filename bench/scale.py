"""`python -m bench.scale`: a round on 1,000 to 500,000 items, and the people who label meanwhile.

Everything is real but the pictures (bench/crowded.py): a server process with its database and its
worker, the feature store, labelers on websockets. First they label while nothing else happens,
then the assist is switched on, which begins a round. Prints a table; `--write` keeps it in
bench/results/scale.json.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Annotated, Any

import msgspec
import numpy as np
import typer
import uvloop
from rich.console import Console
from rich.table import Table

from bench import crowded, plots
from chorus.client import LabelerStream, Rest, Socket
from chorus.client.process import ServerProcess
from chorus.server.domain.queue import ORDER
from chorus.server.storage.sqlite import connect
from chorus.server.storage.tx import Tx
from chorus.simulate.setup import add_person

SIZES = (1_000, 10_000, 100_000, 500_000)
LABELED = 10_000
"""At most half of the items."""
LABELERS = 16
PACE_S = 0.4
"""Seconds from one vote of a labeler to the next: 40 votes a second from all of them. Slower where
that would label more than half of the open items in a minute."""
QUIET_S = 15.0
PATIENCE_S = 1800.0
JOBS = ("featurize", "train", "validate", "infer", "cluster")
PAGE = 9
RESULTS = Path(__file__).parent / "results" / "scale.json"


class Measured(msgspec.Struct):
    """Seconds, unless a name says otherwise."""

    items: int
    labels: int
    read: float
    """Writing items.tsv, from the database."""
    jobs: dict[str, float]
    processor: dict[str, float]
    """Processor time of each job, all threads."""
    round: float
    """Reading and all jobs."""
    landing: float
    """Bringing the answers to the queues of the database."""
    worker_mb: float
    server_mb: float
    page_ms: float
    """The query for a next page, the slowest queue, after the round."""
    quiet_ms: tuple[float, float]
    """Acknowledged votes, median and 99th percentile: before the round …"""
    busy_ms: tuple[float, float]
    """… and from its beginning until its answers have landed."""
    votes: tuple[int, int]
    prelabeled: int
    clustered: int


class Labelers:
    """People who vote at a steady pace, and are right. `waits`: seconds that each vote waited,
    since `reset`."""

    def __init__(self, known: crowded.Truth) -> None:
        self._known = known
        self.waits: list[float] = []
        self._pace = PACE_S
        self._tasks: list[asyncio.Task[None]] = []

    def reset(self) -> list[float]:
        waits, self.waits = self.waits, []
        return waits

    def begin(self, streams: list[LabelerStream], open_items: int) -> None:
        self._pace = max(PACE_S, 120.0 * len(streams) / open_items)
        self._tasks = [
            asyncio.ensure_future(self._label(stream, self._pace * n / len(streams)))
            for n, stream in enumerate(streams)
        ]

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        for outcome in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome

    async def _label(self, stream: LabelerStream, first: float) -> None:
        await asyncio.sleep(first)
        while (page := await stream.next_page()) is not None:
            for item in list(page.items):
                answer = f"class {self._known.classes[item.item_id - 1]}"
                vote = stream.vote(item, "label", answer, duration_ms=900)
                sent = perf_counter()
                await stream.socket.cast(vote)
                waited = perf_counter() - sent
                self.waits.append(waited)
                await asyncio.sleep(max(0.0, self._pace - waited))
            await stream.finish(page)


def percentiles(waits: list[float]) -> tuple[float, float]:
    p50, p99 = np.percentile(np.array(waits or [float("nan")]) * 1000, [50, 99])
    return round(float(p50), 1), round(float(p99), 1)


async def measure(folder: Path, items: int) -> Measured:
    process = ServerProcess(folder)
    token = process.add_user("admin", "Admin", admin=True)
    labeled = min(LABELED, items // 2)
    known = crowded.truth(items)
    async with AsyncExitStack() as stack:
        await process.start()
        stack.push_async_callback(process.stop)
        admin = await stack.enter_async_context(Rest(process.url, token))
        classes = [f"class {c}" for c in range(crowded.CLASSES)]
        project = await admin.create_project(
            "Scale", classes, votes_min=1, votes_max=1, page_size=PAGE, cluster=False,
            prelabel=False, ordering="random",
        )  # fmt: skip
        me = await admin.me()
        people = [
            await add_person(admin, project.project_id, f"l{n}", f"Labeler {n}", "labeler")
            for n in range(LABELERS)
        ]
        await process.stop()
        crowded.fill_features(folder / "features", known)
        database = folder / "chorus.sqlite"
        crowded.fill_project(database, project.project_id, me.user_id, known, labeled)
        await process.start()
        streams = []
        for _, own in people:
            socket = await stack.enter_async_context(Socket(process.url, own))
            streams.append(await LabelerStream.open(socket, project.project_id, page_size=PAGE))
        labelers = Labelers(known)
        labelers.begin(streams, items - labeled)
        await asyncio.sleep(2.0)
        labelers.reset()
        await asyncio.sleep(QUIET_S)
        quiet = labelers.reset()
        await admin.change_project(project.project_id, cluster=True, prelabel=True)
        async with asyncio.timeout(PATIENCE_S):
            number = await _round_over(admin, project.project_id)
        busy = labelers.reset()
        await labelers.end()
        logs = {kind: await admin.job_log(project.project_id, number, kind) for kind in JOBS}
        server_mb = _peak_mb(process.pid)
    seconds = _seconds(database, number)
    page = _page_ms(database, project.project_id, people[0][0].user_id)
    jobs = {kind: seconds[kind] for kind in JOBS}
    end = json.loads(seconds["body"])
    return Measured(
        items, labeled, seconds["read"], jobs,
        {kind: _found(r"\(([\d.]+) s of processor", logs[kind]) for kind in JOBS},
        round(seconds["read"] + sum(jobs.values()), 1), seconds["landing"],
        max(_found(r"up to (\d+) MB", log) for log in logs.values()), server_mb, page,
        percentiles(quiet), percentiles(busy), (len(quiet), len(busy)), end["prelabeled"],
        end["clustered"],
    )  # fmt: skip


async def _round_over(admin: Rest, project_id: str) -> int:
    """The number of the first round that is done. On a slow machine another one was replaced
    before it: so many votes came."""
    while True:
        for one in await admin.rounds(project_id):
            if one.state == "done":
                return one.number
            if one.state not in ("running", "replaced"):
                raise RuntimeError(f"round {one.number} is {one.state}")
        await asyncio.sleep(0.25)


def _seconds(database: Path, number: int) -> dict[str, Any]:
    """Of a round, from what the server has noted."""
    with sqlite3.connect(database) as db:
        jobs = db.execute(
            "SELECT kind, started_at, finished_at FROM job WHERE round_number = ?", (number,)
        )
        times = {kind: (began, ended) for kind, began, ended in jobs}
        began, ended, body = db.execute(
            "SELECT started_at, finished_at, body FROM round WHERE number = ?", (number,)
        ).fetchone()
    out: dict[str, Any] = {kind: round((b - a) / 1000, 1) for kind, (a, b) in times.items()}
    out["read"] = round((times["featurize"][0] - began) / 1000, 1)
    out["landing"] = round((ended - times["cluster"][1]) / 1000, 1)
    return {**out, "body": body}


def _page_ms(database: Path, project_id: str, user_id: str) -> float:
    """The median of many, of the slowest queue."""
    db = connect(database, readonly=True)
    out = []
    for queue in ORDER:
        took = []
        for _ in range(50):
            started = perf_counter()
            Tx(db).next_items(project_id, queue, user_id, 0, PAGE)
            took.append(1000 * (perf_counter() - started))
        out.append(median(took))
    db.close()
    return round(max(out), 2)


def _found(pattern: str, log: str) -> float:
    found = re.search(pattern, log)
    return float(found[1]) if found else float("nan")


def _peak_mb(pid: int) -> float:
    return round(_found(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text()) / 1024)


def table(found: list[Measured]) -> Table:
    out = Table(
        "items", "labels", "read", *JOBS[1:], "round", "landing", "worker MB", "server MB",
        "page ms", "ack p50/p99 ms before", "during", title="Seconds (of processor time)",
    )  # fmt: skip
    for m in found:
        jobs = [f"{m.jobs[kind]:.1f} ({m.processor[kind]:.1f})" for kind in JOBS[1:]]
        out.add_row(
            f"{m.items:,}", f"{m.labels:,}", f"{m.read}", *jobs, f"{m.round}", f"{m.landing}",
            f"{m.worker_mb:.0f}", f"{m.server_mb:.0f}", f"{m.page_ms}",
            f"{m.quiet_ms[0]}/{m.quiet_ms[1]}", f"{m.busy_ms[0]}/{m.busy_ms[1]}",
        )  # fmt: skip
    for less, more in pairwise(found):
        out.add_row(
            f"{more.items / less.items:g} ×", "", *[""] * 5, f"{more.round / less.round:.1f} ×",
            f"{more.landing / max(less.landing, 0.1):.1f} ×", *[""] * 5,
        )  # fmt: skip
    return out


GROWS: dict[str, Callable[[Measured], float]] = {
    "a vote, median": lambda m: m.quiet_ms[0],
    "a vote, 99 %": lambda m: m.quiet_ms[1],
    "a vote during a round, median": lambda m: m.busy_ms[0],
    "a next page": lambda m: m.page_ms,
    "reading": lambda m: m.read,
    "training": lambda m: m.processor["train"],
    "validating": lambda m: m.processor["validate"],
    "scoring": lambda m: m.processor["infer"],
    "clusters": lambda m: m.processor["cluster"],
    "landing": lambda m: m.landing,
    "server's memory": lambda m: m.server_mb,
    "worker's memory": lambda m: m.worker_mb,
}


def growth(less: Measured, more: Measured, figure: Callable[[Measured], float]) -> float | None:
    """The exponent k where the figure grows as items to the k: 0 flat, 1 in proportion. None: too
    small to tell."""
    a, b = figure(less), figure(more)
    if not (a > 0.05 and b > 0.05):
        return None
    return math.log(b / a) / math.log(more.items / less.items)


def growth_table(found: list[Measured]) -> Table:
    """n log n is at most 1.1 from 10,000 items on."""
    out = Table(
        "grows as items to the", *(f"{b.items:,}" for _, b in pairwise(found)), title="Growth"
    )
    for name, figure in GROWS.items():
        powers = [growth(a, b, figure) for a, b in pairwise(found)]
        out.add_row(name, *("" if k is None else f"{k:.2f}" for k in powers))
    return out


def main(
    size: Annotated[list[int] | None, typer.Option(help="Items; may be repeated.")] = None,
    sizes: Annotated[
        str | None, typer.Option(help="The same, with commas: 1000,10000,100000,500000.")
    ] = None,
    write: Annotated[bool, typer.Option(help="Write the results file.")] = False,
) -> None:
    """Measure rounds as a project grows."""
    console = Console(width=180)
    found: list[Measured] = []
    wanted = [*(size or []), *(int(one) for one in (sizes or "").split(",") if one)]
    for items in sorted(wanted) or SIZES:
        with tempfile.TemporaryDirectory(prefix="chorus-scale-") as folder:
            found.append(uvloop.run(measure(Path(folder), items)))
        console.print_json(json.dumps(msgspec.to_builtins(found[-1])), indent=None)
    console.print(table(found))
    if len(found) > 1:
        console.print(growth_table(found))
    if write:
        RESULTS.write_text(json.dumps(msgspec.to_builtins(found), indent=2) + "\n")
        plots.draw(RESULTS.parent)


if __name__ == "__main__":
    typer.run(main)
