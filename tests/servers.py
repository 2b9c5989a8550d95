"""Real servers for tests: a child process, real pictures, real people, real sockets."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image
from typer import Typer
from typer.testing import CliRunner

from chorus.client import LabelerStream, Rest, Socket, StatsWatch
from chorus.client.messages import Export, Page, Project, Role, Stats
from chorus.client.process import ServerProcess
from chorus.server import admin
from chorus.server.cli import app, mount_others
from chorus.simulate import audit
from chorus.simulate.setup import add_person, import_pictures

PATIENCE = 60.0
"""Seconds within which something that must happen has happened, on a busy machine."""


MODELS: Path | None = None
"""Where all servers keep exported networks, of which each would make its own: seconds of work."""


class Process(ServerProcess):
    """What needs no server runs in the test's process: to start Python for it takes a second."""

    def fsck(self) -> subprocess.CompletedProcess[str]:
        done = CliRunner().invoke(app, ["fsck", "--data-dir", str(self.data_dir)])
        return subprocess.CompletedProcess("fsck", done.exit_code, done.stdout, done.stderr)

    async def add_admin(self) -> str:
        """The first admin's bearer token. No password: to hash one takes long, on purpose."""
        token = await admin.add_user(self.data_dir, "admin", "Admin", None, True, True)
        assert token is not None
        return token


class TestServer:
    """A running `chorus serve` and the token of its first admin."""

    __test__ = False

    def __init__(self, process: ServerProcess, token: str) -> None:
        self.process = process
        self.token = token

    @property
    def url(self) -> str:
        return self.process.url


@contextmanager
def running(data_dir: Path, **env: str) -> Iterator[TestServer]:
    """A server of its own in `data_dir`, stopped at the end."""
    process = Process(data_dir, env=env)
    data_dir.mkdir(parents=True, exist_ok=True)
    if MODELS is not None:
        (data_dir / "models").symlink_to(MODELS)
    token = asyncio.run(process.add_admin())
    try:
        asyncio.run(process.start())
        yield TestServer(process, token)
    finally:
        asyncio.run(process.stop())


async def ends_clean(server: TestServer) -> None:
    """Stop it: then `chorus fsck` must find nothing."""
    await server.process.stop()
    checked = server.process.fsck()
    assert checked.returncode == 0, checked.stdout + checked.stderr


def pictures(folder: Path, count: int, size: int = 16, start: int = 0) -> Path:
    """`count` PNG files, no two alike; their class ("red", "green") shows in the name."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(start, start + count):
        strong = 255 - i % 64
        colour = (strong, i // 64 % 256, 0) if i % 2 else (0, strong, i // 64 % 256)
        image = Image.new("RGB", (size, size), colour)
        image.putpixel((i % size, i // size % size), (0, 0, 255))
        image.save(folder / f"{'red' if i % 2 else 'green'}-{i:05}.png")
    return folder


class Bench:
    """A project on a test server, with as many people and sockets as a test wants."""

    def __init__(self, server: TestServer) -> None:
        self.server = server
        self.stack = AsyncExitStack()
        self.admin = Rest(server.url, server.token)
        self.stack.push_async_callback(self.admin.close)
        self.project: Project

    async def __aenter__(self) -> Bench:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stack.aclose()

    async def make(self, folder: Path | None = None, **settings: Any) -> Project:
        """A project of red and green pictures; without the model unless asked for."""
        settings = {"cluster": False, "prelabel": False, **settings}
        classes = settings.pop("classes", ["green", "red"])
        name = f"Test {secrets.token_hex(3)}"
        self.project = await self.admin.create_project(name, classes, **settings)
        if folder is not None:
            await import_pictures(self.admin, self.project.project_id, folder, upload=False)
        return self.project

    async def person(self, role: Role = "labeler") -> str:
        """A new member's bearer token."""
        login = f"{role}-{secrets.token_hex(4)}"
        _, token = await add_person(self.admin, self.project.project_id, login, login, role)
        return token

    async def socket(self, token: str) -> Socket:
        return await self.stack.enter_async_context(Socket(self.server.url, token))

    async def labeler(self, token: str | None = None, **options: Any) -> LabelerStream:
        """A labeler (a new one by default) with an open stream."""
        socket = await self.socket(token or await self.person())
        return await LabelerStream.open(socket, self.project.project_id, **options)

    async def watch(self) -> StatsWatch:
        socket = await self.socket(self.server.token)
        return await StatsWatch.open(socket, self.project.project_id)

    async def stats(self) -> Stats:
        return await self.admin.stats(self.project.project_id)

    async def votes(self) -> list[audit.VoteRow]:
        return await audit.votes(self.admin, self.project.project_id)


def right(name: str) -> str:
    """The class of a picture made by `pictures`."""
    return name.rpartition("/")[2].partition("-")[0]


async def command(bench: Bench, *words: str) -> tuple[int, str, str]:
    """(exit code, output, errors) of `chorus` with the admin's token, in this process."""
    env = {"CHORUS_URL": bench.server.url, "CHORUS_TOKEN": bench.server.token}
    done = await asyncio.to_thread(CliRunner().invoke, others(), words, env=env)
    return done.exit_code, done.stdout, done.stderr


@cache
def others() -> Typer:
    """`chorus` with all of its commands."""
    mount_others()
    return app


async def page_of(stream: LabelerStream) -> Page:
    """The next page; fails if the server says that there is none. What others hold, or have just
    let go, may come yet."""
    async with asyncio.timeout(PATIENCE):
        while (page := await stream.next_page()) is None:
            assert stream.empty in (None, "waiting"), f"no page: {stream.empty}"
            await stream.change()
    return page


async def eventually(stream: LabelerStream, condition: Callable[[], bool]) -> None:
    """Wait until something about the stream makes `condition` true."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await stream.change()


async def finished(bench: Bench, export: Export) -> Export:
    """A past export, once it is made or has failed."""
    async with asyncio.timeout(PATIENCE):
        while export.state in ("waiting", "running"):
            await asyncio.sleep(0.02)
            export = await bench.admin.past_export(bench.project.project_id, export.export_id)
    return export


async def vote_page(
    stream: LabelerStream, page: Page, answer: str | None = None, duration_ms: int = 5
) -> list[str]:
    """Answer all of a page (rightly by default), finish it; the acknowledged vote ids."""
    bodies = [
        stream.vote(i, "label", answer or right(i.name), duration_ms=duration_ms)
        for i in page.items
    ]
    await asyncio.gather(*(stream.socket.cast(body) for body in bodies))
    await stream.finish(page)
    return [body["vote_id"] for body in bodies]
