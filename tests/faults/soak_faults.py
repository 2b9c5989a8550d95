"""What befalls a server in the soak. Each fault is over when its function returns, but for clocks
that stay wrong, and what processes and people have to do to come back from it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
import msgspec
from websockets.asyncio.client import connect

from chorus.client import ApiError
from chorus.client.process import ServerFailed
from chorus.server.formats.blobfiles import STAGING
from chorus.server.services import fsck
from chorus.server.storage.backup import making, restoring
from chorus.server.storage.backup.places import open_place
from chorus.server.storage.backup.shelf import Shelf
from chorus.server.storage.sqlite import connect as connect_database
from chorus.server.storage.tx import Tx
from tests.faults.proxy import Proxy
from tests.faults.shim import Shim
from tests.servers import TestServer

ORDERLY = (0, -signal.SIGTERM)
"""How a server ends that was asked to: uvicorn passes the signal on when all is done."""
HOUR, DAY = 3600, 86400
MOMENT_S = 0.4
"""How long something is out of order, at least."""
TRIES_S = 3.0
"""Longest wait for somebody to run into it."""
ANSWERS = ("vote", "check_vote", "practice_answer")
"""Tables with a row for each answer."""
Acked = dict[str, dict[str, tuple[str, int]]]
"""Answers by project: vote_id -> (person, item)."""


@dataclass
class Scene:
    """What faults can get at."""

    server: TestServer
    shim: Shim
    proxy: Proxy
    rng: random.Random
    """Of one fault alone: what it draws does not depend on what happens beside it."""
    projects: list[str]
    admin: Any
    acked: Callable[[], Acked]
    """Every answer that was acknowledged so far."""

    async def passing(self, seconds: float = MOMENT_S) -> None:
        await asyncio.sleep(seconds * self.rng.uniform(0.5, 1.5))

    async def until_hit(self) -> None:
        """Somebody has run into what the shim does, a few times; or nobody does."""
        before, end = self.shim.hits, monotonic() + TRIES_S
        wanted = self.rng.randint(1, 6)
        while self.shim.hits < before + wanted and monotonic() < end:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def kill_server(scene: Scene) -> None:
    scene.server.process.kill9()
    await scene.server.process.restart()


async def restart(scene: Scene) -> None:
    status = await scene.server.process.stop()
    if status not in ORDERLY:
        raise AssertionError(f"an orderly stop ended with {status}")
    await scene.server.process.restart()


async def kill_worker(scene: Scene) -> None:
    """Of imports, of the model: whatever there is."""
    pids = scene.server.process.children()
    if pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(scene.rng.choice(pids), signal.SIGKILL)
    await scene.passing()


async def full_disk(scene: Scene) -> None:
    scene.shim.full()
    await scene.until_hit()
    scene.shim.well()


async def read_only_disk(scene: Scene) -> None:
    scene.shim.read_only()
    await scene.until_hit()
    scene.shim.well()


async def failing_fsync(scene: Scene) -> None:
    scene.shim.losing()
    await scene.until_hit()
    scene.shim.well()


async def failing_fsync_then_killed(scene: Scene) -> None:
    """What was not brought onto the disk may be there after all."""
    scene.shim.losing()
    await scene.until_hit()
    scene.server.process.kill9()
    scene.shim.well()
    await scene.server.process.restart()


async def started_on_a_full_disk(scene: Scene) -> None:
    """It may start or not, but harms nothing."""
    scene.server.process.kill9()
    scene.shim.full()
    try:
        await scene.server.process.restart()
        await scene.passing()
    except ServerFailed:
        scene.shim.well()
        await scene.server.process.restart()
    scene.shim.well()


async def clock_jumps(scene: Scene) -> None:
    scene.shim.set_clock(scene.rng.choice([-2 * DAY, -HOUR, -30, -1, 0, 1, 30, HOUR, 2 * DAY]))
    await scene.passing()


async def disconnected(scene: Scene) -> None:
    scene.proxy.reset(scene.rng.choice([0.2, 0.5, 1.0]))
    await scene.passing(0.2)


async def slow_network(scene: Scene) -> None:
    scene.proxy.delay_s, scene.proxy.piece = scene.rng.choice([(0.05, 1 << 16), (0.01, 300)])
    await scene.passing()
    if scene.rng.random() < 0.5:
        scene.proxy.reset(0.5)
    scene.proxy.well()


async def asleep(scene: Scene) -> None:
    """Nothing arrives for a while, and nobody is told; then all of it, or the line is dead."""
    scene.proxy.passing.clear()
    await scene.passing()
    if scene.rng.random() < 0.5:
        scene.proxy.reset()
    scene.proxy.well()


async def server_hangs(scene: Scene) -> None:
    os.kill(scene.server.process.pid, signal.SIGSTOP)
    await scene.passing()
    os.kill(scene.server.process.pid, signal.SIGCONT)


async def slow_reader(scene: Scene) -> None:
    """Follows everything and reads nothing."""
    url = "ws" + scene.server.url.removeprefix("http") + "/ws"
    headers = {"Authorization": f"Bearer {scene.server.token}"}
    with contextlib.suppress(OSError, TimeoutError):
        ws = await connect(
            url, additional_headers=headers, proxy=None, max_queue=1, ping_interval=None
        )
        try:
            topics = [
                f"project/{one}/{what}" for one in scene.projects for what in ("events", "stats")
            ]
            for number, topic in enumerate(topics, 1):
                body: dict[str, Any] = {"topic": topic}
                if topic.endswith("events"):
                    body["since"] = 0
                frame = {"id": number, "type": "subscribe", "body": body}
                await ws.send(msgspec.json.encode(frame), text=True)
            ws.transport.pause_reading()
            await scene.passing()
        finally:
            ws.transport.abort()


async def nonsense(scene: Scene) -> None:
    """Frames that are none, and half a frame; ids that come again."""
    url = "ws" + scene.server.url.removeprefix("http") + "/ws"
    headers = {"Authorization": f"Bearer {scene.server.token}"}
    with contextlib.suppress(Exception):
        async with connect(url, additional_headers=headers, proxy=None) as ws:
            for text in ('{"id":1', "[]", '{"id":5,"type":"ping","body":{}}') * 2:
                await ws.send(text)
            await ws.send('{"id":4,"type":"vote.cast","body":{"project_id":1}}')
            await ws.send(scene.rng.randbytes(40))
            ws.transport.abort()


def _blob(scene: Scene) -> Path | None:
    root = scene.server.process.data_dir / "blobs"
    found = sorted(p for p in root.rglob("*") if p.is_file() and STAGING not in p.parts)
    return scene.rng.choice(found) if found else None


async def corrupt_picture(scene: Scene) -> None:
    await _with_picture(scene, lambda path: path.write_bytes(b"\x89PNG not really"))


async def missing_picture(scene: Scene) -> None:
    await _with_picture(scene, lambda path: path.unlink())


async def _with_picture(scene: Scene, harm: Callable[[Path], object]) -> None:
    path = _blob(scene)
    if path is None:
        return
    kept = path.read_bytes()
    harm(path)
    try:
        name = path.name.partition(".")[0]
        async with httpx.AsyncClient(trust_env=False, timeout=10) as http:
            for project_id in scene.projects:
                for size in "smo":
                    try:
                        answer = await http.get(
                            f"{scene.server.url}/media/{project_id}/{name}/{size}",
                            headers={"Authorization": f"Bearer {scene.server.token}"},
                        )
                    except httpx.TransportError:
                        continue  # another fault holds the server up for a moment
                    if answer.status_code >= 500:
                        raise AssertionError(f"{answer.status_code} for a harmed picture")
    finally:
        path.write_bytes(kept)


async def corrupt_artifact(scene: Scene) -> None:
    """Files of the model's rounds, or what it has seen of the pictures."""
    data = scene.server.process.data_dir
    found = [p for top in ("rounds", "features") for p in (data / top).rglob("*") if p.is_file()]
    if found:
        with contextlib.suppress(OSError):
            path = scene.rng.choice(sorted(found))
            if scene.rng.random() < 0.5:
                path.unlink()
            else:
                size = path.stat().st_size
                with path.open("r+b") as file:
                    file.seek(scene.rng.randrange(max(1, size)))
                    file.write(scene.rng.randbytes(64))
    with contextlib.suppress(ApiError, httpx.TransportError):
        await scene.admin.train(scene.projects[-1])
    await scene.passing()


async def backed_up(scene: Scene) -> None:
    """A backup beside all that goes wrong: what was acknowledged before is in it, and what it holds
    is right."""
    before = scene.acked()
    findings = await asyncio.to_thread(_back_up, scene.server.process.data_dir, before)
    if findings:
        raise AssertionError("the backup:\n" + "\n".join(findings))


def lost(db: sqlite3.Connection, acked: Acked) -> list[str]:
    """vote_id of those that the database does not have, or has of somebody or something else."""
    out = []
    for project_id, answers in acked.items():
        kept = {
            vote: (user, item)
            for table in ANSWERS
            for vote, user, item in db.execute(
                f"SELECT vote_id, user_id, item_id FROM {table} WHERE project_id = ?", (project_id,)
            )
        }
        out += [vote for vote, what in answers.items() if kept.get(vote) != what]
    return out


def _back_up(data_dir: Path, acked: Acked) -> list[str]:
    folder = data_dir.parent / "backups"
    shelf = Shelf(open_place(str(folder)))
    made = making.make(data_dir, shelf, 3, False, lambda what, done, of: None)
    copy = folder.with_name(f"copy-{made.snapshot_id}.sqlite")
    restoring.database(shelf, made, copy, lambda what, done, of: None)
    try:
        with closing(connect_database(copy)) as db:
            missing = [f"not there: answer {vote_id}" for vote_id in lost(db, acked)]
            return missing + list(fsck.check(Tx(db)))
    finally:
        for path in folder.parent.glob(f"{copy.name}*"):
            path.unlink()


Fault = Callable[[Scene], Awaitable[None]]
DISK: list[Fault] = [full_disk, read_only_disk, failing_fsync, corrupt_picture, missing_picture]
NETWORK: list[Fault] = [disconnected, slow_network, asleep]
ELSE: list[Fault] = [clock_jumps, server_hangs, slow_reader, nonsense, kill_worker, backed_up]
GROUPS = [DISK, NETWORK, ELSE]
"""One of each can go wrong at a time."""
DEAR: list[Fault] = [
    kill_server,
    failing_fsync_then_killed,
    restart,
    started_on_a_full_disk,
]
"""The server starts again."""


def draw(rng: random.Random, model: bool) -> list[Fault]:
    """What goes wrong next, all at once."""
    if rng.random() < 0.15:
        return [rng.choice([*DEAR, corrupt_artifact] if model else DEAR)]
    return [rng.choice(group) for group in rng.sample(GROUPS, rng.randint(1, len(GROUPS)))]
