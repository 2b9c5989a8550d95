"""`chorus import` and `chorus export`: data in and out of a running server, over REST."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from chorus.client.errors import ApiError
from chorus.client.messages import Job, Project
from chorus.client.rest import Rest
from chorus.client.upload import follow, upload_folder

FILES = {"csv": "export.csv", "votes": "votes.csv", "json": "export.json"}

Url = Annotated[str, typer.Option(help="The server.", envvar="CHORUS_URL")]
Token = Annotated[str, typer.Option(help="Bearer token.", envvar="CHORUS_TOKEN")]
Project_ = Annotated[str, typer.Argument(metavar="PROJECT", help="Name or id of the project.")]
DEFAULT_URL = "http://127.0.0.1:8000"


def import_(
    project: Project_,
    source: Annotated[
        Path,
        typer.Argument(
            help="A folder of pictures or texts, a CSV with paths of pictures, a table of texts"
            " (CSV, TSV, JSON Lines), or with --upload a zip of any of them."
        ),
    ],
    token: Token,
    url: Url = DEFAULT_URL,
    upload: Annotated[
        bool, typer.Option("--upload", help="Send the files; for a server on another machine.")
    ] = False,
    gold: Annotated[
        bool,
        typer.Option("--gold", help="The labels of the CSV are right: check people against them."),
    ] = False,
    columns: Annotated[
        str | None,
        typer.Option(
            help="Columns of texts to show, such as title,body (default: all but those with"
            " names, labels and gold).",
        ),
    ] = None,
) -> None:
    """Bring pictures or texts into a project. Faulty files and rows are listed with the reason."""
    shown = [name.strip() for name in columns.split(",")] if columns else None
    source = source.absolute()
    if not source.exists():
        _fail(f"there is no {source}")
    if gold and source.is_dir() and not upload:
        _fail("a folder brings no labels that could be gold; give a CSV")

    async def run(rest: Rest) -> Job:
        found = await _find(rest, project)
        with _progress() as progress:
            task = progress.add_task("importing", total=None)

            def show(job: Job) -> None:
                seen = job.added + job.duplicates + job.faulty
                progress.update(task, completed=seen, total=job.total or None)

            if upload and source.is_dir():
                return await upload_folder(
                    rest, found.project_id, source, show, gold=gold, columns=shown
                )
            if upload:
                with source.open("rb") as file:
                    job = await rest.upload(
                        found.project_id, {source.name: file}, gold=gold, columns=shown
                    )
            elif source.is_dir():
                job = await rest.import_folder(found.project_id, source, columns=shown)
            else:
                job = await rest.import_csv(found.project_id, source, gold=gold, columns=shown)
            return await follow(rest, found.project_id, job, show)

    job = _with(url, token, run)
    for fault in job.errors:
        typer.echo(f"{fault.name}: {fault.reason}", err=True)
    typer.echo(f"{job.added} added, {job.duplicates} there already, {job.faulty} faulty")
    if job.state == "failed":
        _fail(job.error or "the import failed")


def export(
    project: Project_,
    token: Token,
    url: Url = DEFAULT_URL,
    format: Annotated[
        Literal["csv", "votes", "json"],
        typer.Option(help="csv: items with consensus; votes: every vote; json: COCO style."),
    ] = "csv",
    out: Annotated[Path | None, typer.Option(help="File to write (default: the screen).")] = None,
) -> None:
    """Write a project's labels as they are now. Fine while people label."""

    async def run(rest: Rest) -> None:
        found = await _find(rest, project)
        async with rest.download(found.project_id, FILES[format]) as chunks:
            if out is None:
                async for chunk in chunks:
                    sys.stdout.buffer.write(chunk)
                sys.stdout.buffer.flush()
                return
            # Whole or not at all: a broken download must not look like an export.
            part = out.with_name(out.name + ".part")
            with part.open("wb") as file:
                async for chunk in chunks:
                    file.write(chunk)
            part.replace(out)

    _with(url, token, run)


async def _find(rest: Rest, project: str) -> Project:
    mine = await rest.projects()
    found = [p for p in mine if project in (p.project_id, p.name)]
    if len(found) == 1:
        return found[0]
    names = ", ".join(p.name for p in mine) or "none"
    message = (
        f"several projects are called {project!r}; give the id"
        if found
        else (f"no project {project!r} (there are: {names})")
    )
    raise ApiError("not_found", message)


def _with(url: str, token: str, run: Callable[[Rest], Awaitable[Any]]) -> Any:
    async def inside() -> Any:
        async with Rest(url, token) as rest:
            return await run(rest)

    try:
        return asyncio.run(inside())
    except ApiError as error:
        _fail(error.message)
    except (httpx.TransportError, OSError) as error:
        _fail(f"{url}: {error}")


def _fail(message: str) -> NoReturn:
    typer.echo(f"Error: {message}", err=True)
    raise typer.Exit(1)


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
