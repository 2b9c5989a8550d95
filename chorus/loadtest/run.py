"""The whole load test: server, project, people, the measured time, and what is stored then."""

from __future__ import annotations

import asyncio
import csv
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import msgspec

from chorus.client import Rest
from chorus.client.process import ServerFailed, ServerProcess
from chorus.client.upload import follow
from chorus.loadtest import watch
from chorus.loadtest.plan import CLASSES, SLOW_MS, Part, Plan, Told, Waits, slope
from chorus.machine import cores
from chorus.simulate.setup import add_person

PEOPLE_A_PROCESS = 700
ACCOUNTS_AT_ONCE = 12
ATTEMPTS = 3
SAMPLE_S = 2.0
LEAD_S = 5.0
"""From the last socket to the beginning."""
CONNECT_S = 600.0

Say = Callable[[str], None]


class Report(msgspec.Struct):
    """`server` and `clients`: processor time as a share of one core; memory in MB. `shares` of the
    server: until which second, of a core, of the time in which something waited for a disk."""

    plan: Plan
    items: int
    seconds: float
    votes: int
    votes_per_s: float
    wanted_per_s: float
    """What people at this pace send when nobody ever waits."""
    lost: int
    """Acknowledged, but not in the public export."""
    doubled: int
    """In the export twice, or a second standing vote of one person on one item."""
    refused: dict[str, int]
    failures: list[str]
    reconnects: int
    starved: int
    ack: dict[str, float | None]
    slow_share: float
    """Of all votes those that were kept after more than `SLOW_MS`."""
    ack_by_second: list[dict[str, float | None]]
    """Of the votes that were sent in each second, from the first on."""
    page_wait: dict[str, float | None]
    dashboards: dict[str, float | None]
    server: dict[str, Any]
    clients: dict[str, float]
    machine: dict[str, Any]

    @property
    def well(self) -> bool:
        return not (self.lost or self.doubled or self.refused or self.failures)


async def loadtest(plan: Plan, url: str | None, token: str | None, say: Say) -> Report:
    """Run it against a server of its own, or against `url` as the admin whose `token` this is."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chorus-load-")))
        process = None
        if url is None:
            process = ServerProcess(folder / "data")
            token = process.add_user("admin", "Admin", admin=True)
            stack.push_async_callback(process.stop)
            await process.start()
            url = process.url
        assert token is not None
        admin = await stack.enter_async_context(Rest(url, token, timeout=600.0))
        say(f"{plan.items:,} texts to label")
        project_id = await project(admin, plan, folder)
        say(f"{plan.labelers:,} labelers, {plan.dashboards} dashboards")
        labelers = await accounts(admin, project_id, plan.labelers)
        parts = _parts(plan, url, project_id, labelers, token, folder)
        say("connecting")
        return await _measure(plan, admin, project_id, process, parts, say)


async def project(admin: Rest, plan: Plan, folder: Path) -> str:
    name = f"Load test {time.strftime('%Y-%m-%d %H:%M:%S')}"
    n = plan.votes_per_item
    project = await admin.create_project(
        name, CLASSES, task_type="text-multiclass", votes_min=n, votes_max=n, cluster=False,
        prelabel=False, gold_rate=0, page_size=plan.page_size,
    )  # fmt: skip
    table = folder / "texts.csv"
    with table.open("w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["id", "text"])
        rows.writerows((f"{i:07}", f"Text {i} of the load test") for i in range(plan.items))
    with table.open("rb") as file:
        job = await admin.upload(project.project_id, {table.name: file})
    await follow(admin, project.project_id, job, lambda job: None)
    return project.project_id


async def accounts(admin: Rest, project_id: str, count: int) -> list[str]:
    """Bearer tokens of new people. By sign-in links: hashing passwords is slow on purpose."""
    gate = asyncio.Semaphore(ACCOUNTS_AT_ONCE)
    mark = f"{int(time.time()):x}"

    async def one(n: int) -> str:
        async with gate:
            for attempt in range(ATTEMPTS):
                login = f"load-{mark}-{n}-{attempt}"
                try:
                    made = await add_person(admin, project_id, login, f"Labeler {n}", "labeler")
                except httpx.TransportError:  # a connection that the server had just ended
                    continue
                return made[1]
        raise ServerFailed(f"{ATTEMPTS} times an account could not be made")

    return await asyncio.gather(*(one(n) for n in range(count)))


def _parts(
    plan: Plan, url: str, project_id: str, labelers: list[str], token: str, folder: Path
) -> list[Part]:
    count = max(1, -(-plan.labelers // PEOPLE_A_PROCESS))
    return [
        Part(
            url, project_id, labelers[n::count], [token] * len(range(n, plan.dashboards, count)),
            plan.think_s, plan.page_size, plan.minutes * 60, n, str(folder / f"acked-{n}"),
        )
        for n in range(count)
    ]  # fmt: skip


class _Crowd:
    """One process of people. It connects first; when all are ready they are told when to begin."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        path = Path(f"{self.part.acked}.json")
        await asyncio.to_thread(path.write_bytes, msgspec.json.encode(self.part))
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "chorus.loadtest.crowd", str(path),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, limit=1 << 26,
        )  # fmt: skip
        assert self._process.stdout is not None
        async with asyncio.timeout(CONNECT_S):
            line = await self._process.stdout.readline()
        if line.strip() != b"ready":
            raise RuntimeError("a process of people could not connect; it said why above")

    async def begin(self, at: float) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(f"{at}\n".encode())
        await self._process.stdin.drain()

    async def end(self) -> Told:
        assert self._process is not None
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        code = await self._process.wait()
        if code or not line.endswith(b"\n"):
            ended = f"signal {-code}" if code < 0 else f"exit {code}"
            raise RuntimeError(
                f"a process of people ended early ({ended}); what it could say is above"
            )
        return msgspec.json.decode(line, type=Told)

    def kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()


async def _measure(
    plan: Plan, admin: Rest, project_id: str, process: ServerProcess | None, parts: list[Part],
    say: Say,
) -> Report:  # fmt: skip
    crowds = [_Crowd(part) for part in parts]
    try:
        await asyncio.gather(*(crowd.start() for crowd in crowds))
        begin = time.time() + LEAD_S
        await asyncio.gather(*(crowd.begin(begin) for crowd in crowds))
        await asyncio.sleep(LEAD_S)
        say(f"labeling for {plan.minutes:g} minutes")
        usage = asyncio.ensure_future(_usage(process, plan.minutes * 60))
        told = await asyncio.gather(*(crowd.end() for crowd in crowds))
        server = await usage
    finally:
        for crowd in crowds:
            crowd.kill()
    say("comparing with the export")
    lost, doubled = await _compare(admin, project_id, [Path(p.acked) for p in parts])
    return _report(plan, told, server, lost, doubled)


async def _usage(process: ServerProcess | None, seconds: float) -> dict[str, Any]:
    """Of the server, if it is ours: memory and processor time over time, and what the machine's
    disk let wait meanwhile."""
    if process is None:
        return {}
    began, cpu = time.monotonic(), watch.cpu_s(process.pid)
    workers = watch.workers_cpu_s(process.pid)
    memory: list[tuple[float, float]] = []
    shares: list[tuple[float, float, float | None]] = []
    last, used, stalled = 0.0, cpu, watch.disk_stalled_s()
    while (now := time.monotonic() - began) < seconds:
        if (mb := watch.rss_mb(process.pid)) is not None:
            memory.append((round(now, 1), round(mb, 1)))
        if now - last >= SAMPLE_S / 2:
            more, waited = watch.cpu_s(process.pid), watch.disk_stalled_s()
            disk = None if stalled is None or waited is None else (waited - stalled) / (now - last)
            share = (more - used) / (now - last)
            shares.append((round(now, 1), round(share, 3), disk and round(disk, 3)))
            last, used, stalled = now, more, waited
        await asyncio.sleep(min(SAMPLE_S, seconds - now))
    span = time.monotonic() - began
    later = [(x / 60, y) for x, y in memory if x >= seconds / 2]
    return {
        "cpu_share": round((watch.cpu_s(process.pid) - cpu) / span, 3),
        "workers_cpu_share": round((watch.workers_cpu_s(process.pid) - workers) / span, 3),
        "rss_mb_first": memory[0][1] if memory else None,
        "rss_mb_half": later[0][1] if later else None,
        "rss_mb_last": memory[-1][1] if memory else None,
        "rss_mb_max": max((mb for _, mb in memory), default=None),
        "rss_mb_per_minute_last_half": round(slope(later), 3),
        "rss_mb": memory,
        "shares": shares,
    }


async def _compare(admin: Rest, project_id: str, acked: list[Path]) -> tuple[int, int]:
    """(votes that were acknowledged and are not there, votes that are there twice)."""
    ids: Counter[str] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()
    async with admin.download(project_id, "votes.csv") as chunks:
        lines = _lines(chunks)
        header = next(csv.reader([await anext(lines)]))
        at = {name: header.index(name) for name in ("vote_id", "item_id", "labeler", "standing")}
        async for line in lines:
            row = next(csv.reader([line]))
            ids[row[at["vote_id"]]] += 1
            if row[at["standing"]].strip().lower() in ("1", "true"):
                pairs[row[at["item_id"]], row[at["labeler"]]] += 1
    lost = await asyncio.to_thread(_missing, acked, ids)
    doubled = sum(n - 1 for n in ids.values()) + sum(n - 1 for n in pairs.values())
    return lost, doubled


def _missing(acked: list[Path], ids: Counter[str]) -> int:
    missing = 0
    for path in acked:
        with path.open() as votes:
            missing += sum(vote.strip() not in ids for vote in votes)
    return missing


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """Nothing that we made has a line break in a cell."""
    rest = b""
    async for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.decode().rstrip("\r")
    if rest:
        yield rest.decode().rstrip("\r")


def _report(
    plan: Plan, told: list[Told], server: dict[str, Any], lost: int, doubled: int
) -> Report:
    whole, acks = Told(), Waits()
    refused: Counter[str] = Counter()
    for one in told:
        whole.pages.merge(one.pages)
        whole.lags.merge(one.lags)
        for second, waits in one.acks.items():
            whole.acks.setdefault(second, Waits()).merge(waits)
            acks.merge(waits)
        refused.update(one.refused)
        whole.failures += one.failures
    seconds = plan.minutes * 60
    frames, chars, events = (
        sum(getattr(one, name) for one in told) for name in ("frames", "frame_chars", "events_told")
    )
    each = max(1, plan.dashboards) * seconds
    votes = sum(one.votes for one in told)
    return Report(
        plan=plan,
        items=plan.items,
        seconds=seconds,
        votes=votes,
        votes_per_s=round(votes / seconds, 1),
        wanted_per_s=round(plan.votes_per_s, 1),
        lost=lost,
        doubled=doubled,
        refused=dict(refused),
        failures=whole.failures[:20],
        reconnects=sum(one.reconnects for one in told),
        starved=sum(one.starved for one in told),
        ack=acks.summary(),
        slow_share=round(acks.over(SLOW_MS) / max(1, votes), 5),
        ack_by_second=[
            {"second": second, **waits.summary()} for second, waits in sorted(whole.acks.items())
        ],
        page_wait=whole.pages.summary(),
        dashboards={
            "frames_per_s_each": round(frames / each, 2),
            "kb_per_s_each": round(chars / each / 1000, 1),
            "events_per_s_each": round(events / each, 1),
            "stats_lag_p50_ms": whole.lags.quantile(0.5),
            "stats_lag_p99_ms": whole.lags.quantile(0.99),
        },
        server=server,
        clients={
            "processes": len(told),
            "cpu_share": round(sum(one.cpu_s for one in told) / seconds, 3),
        },
        machine={"cores": cores(), "load": list(os.getloadavg())},
    )
