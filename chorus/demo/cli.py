"""`chorus demo`."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from pathlib import Path
from typing import Annotated, NoReturn

import httpx
import typer
from rich.console import Console

from chorus.client import ChorusError
from chorus.client.process import ServerFailed
from chorus.demo.emoji import NoPictures
from chorus.demo.pictures import Pictures, emoji_pictures, own_pictures
from chorus.demo.run import run
from chorus.simulate.options import BadOptions


def demo(
    data: Annotated[
        Path | None,
        typer.Option(help="Your own pictures, with gold.csv in or beside them if you have it."),
    ] = None,
    data_dir: Annotated[Path, typer.Option(help="Where the demo keeps its data.")] = Path(".demo"),
    port: Annotated[int, typer.Option(help="Port; another is taken if it is in use.")] = 8000,
) -> None:
    """Try it: a server, pictures, six simulated colleagues, and sign-in links for you.

    Ctrl-C ends everything; starting again continues.
    """
    console = Console()
    try:
        if data is not None:
            pictures = own_pictures(data.absolute())
        else:
            with console.status("Preparing the emoji pictures …"):
                pictures = emoji_pictures((data_dir / "emoji").absolute())
        asyncio.run(_until_stopped(pictures, data_dir, port, console))
    except (BadOptions, ChorusError, NoPictures, ServerFailed, FileExistsError) as error:
        _fail(console, error)
    except ExceptionGroup as group:  # from those who work side by side: the first tells enough
        known, other = group.split((ChorusError, httpx.TransportError))
        if known is None or other is not None:
            raise
        _fail(console, known.exceptions[0])
    console.print("Stopped. Start again to continue where you were.")


def _fail(console: Console, error: Exception) -> NoReturn:
    console.print(f"Error: {error}", highlight=False, markup=False)
    raise typer.Exit(1)


async def _until_stopped(pictures: Pictures, data_dir: Path, port: int, console: Console) -> None:
    task = asyncio.ensure_future(run(pictures, data_dir, port, console))
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task
