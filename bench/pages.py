"""`python -m bench.pages`: what a vote costs the server's processor, while people work by pages.

Some people at a time (`--at-once`) answer a page of nine and get the next; then the next of them.
The figure is processor time, of all the server's threads, so that it says little of who else uses
the machine. `--profile` looks with py-spy meanwhile at who holds the interpreter's lock.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from time import process_time
from typing import Annotated

import typer
import uvloop
from rich.console import Console

from bench.profile import Watched, table
from chorus.client import Rest
from chorus.client.process import ServerProcess
from chorus.loadtest.crowd import Labeler
from chorus.loadtest.plan import Part, Plan, Told
from chorus.loadtest.run import accounts, project
from chorus.loadtest.watch import cpu_s, rss_mb


async def _measure(
    people: int, at_once: int, pages: int, watched: Watched | None, console: Console
) -> None:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chorus-pages-")))
        process = ServerProcess(folder / "data")
        token = process.add_user("admin", "Admin", admin=True)
        stack.push_async_callback(process.stop)
        await process.start()
        admin = await stack.enter_async_context(Rest(process.url, token, timeout=600.0))
        # As many items as that takes.
        plan = Plan(people, 0, 60.0, 9, pages / people, 5)
        project_id = await project(admin, plan, folder)
        tokens = await accounts(admin, project_id, people)
        part = Part(process.url, project_id, tokens, [], 1.0, 9, 0.0, 0, "")
        told, chance = Told(), random.Random(1)
        labelers = [Labeler(part, told, one, chance) for one in tokens]
        for labeler in labelers:
            await labeler.connect()
            stack.callback(labeler.close)
            await labeler.opened.wait()
        if watched is not None:
            watched.begin(process.pid)
        server, mine, memory = cpu_s(process.pid), process_time(), rss_mb(process.pid)
        for first in range(0, pages, at_once):
            some = [labelers[n % people] for n in range(first, first + at_once)]
            await asyncio.gather(*map(_answer, some))
        server, mine = cpu_s(process.pid) - server, process_time() - mine
        console.print(
            f"{told.votes:,} votes, {at_once} people at a time: {1000 * server / told.votes:.2f} ms"
            f" of the server's processor each, {1000 * mine / told.votes:.2f} ms of the people's;"
            f" memory {memory} → {rss_mb(process.pid)} MB"
        )
        if watched is not None:
            await watched.end()


async def _answer(labeler: Labeler) -> None:
    while not labeler.pages:
        await labeler.change()
    labeler.finish(next(iter(labeler.pages.values())), 1300)
    await labeler.flushed()


def main(
    people: Annotated[int, typer.Option(help="People with an open socket.")] = 100,
    at_once: Annotated[int, typer.Option(help="Of them answer side by side.")] = 4,
    pages: Annotated[int, typer.Option(help="In all.")] = 1000,
    profile: Annotated[bool, typer.Option(help="Look who holds the lock.")] = False,
) -> None:
    """What a vote costs."""
    console = Console(width=150)
    with tempfile.TemporaryDirectory(prefix="chorus-profile-") as folder:
        stacks = Path(folder) / "stacks.txt"
        watched = Watched(stacks) if profile else None
        uvloop.run(_measure(people, at_once, pages, watched, console))
        if profile:
            console.print(table(stacks))


if __name__ == "__main__":
    typer.run(main)
