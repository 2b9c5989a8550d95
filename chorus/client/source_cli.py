"""`chorus source`: the places that a project's data is read from, again and again, over REST."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import typer

from chorus.client.answers import Refresh, Source, SourceTest
from chorus.client.cli import (
    DEFAULT_URL,
    Project_,
    Token,
    Url,
    _fail,
    _find,
    _progress,
    _with,
    _with_project,
)
from chorus.client.rest import Rest

source = typer.Typer(no_args_is_help=True, help="Data sources: buckets and folders read again.")
POLL_S = 0.5

Source_ = Annotated[str, typer.Argument(metavar="SOURCE", help="Name or id of the source.")]
Json = Annotated[bool, typer.Option("--json", help="Print what the server answers.")]
Credentials = Annotated[
    Path | None,
    typer.Option(
        help="A JSON file: access_key and secret_key (s3), service_account (gs), account_key or"
        " sas_token (az); - reads it from the input. Kept encrypted, never shown again."
    ),
]


@source.command("list")
def list_(project: Project_, token: Token, url: Url = DEFAULT_URL, as_json: Json = False) -> None:
    """The sources, and what the last refresh of each brought."""
    found: list[Source] = _with_project(url, token, project, lambda rest, i: rest.sources(i))
    if as_json:
        typer.echo(msgspec.json.encode(found))
        return
    for one in found:
        every = f"every {one.every_minutes} min" if one.every_minutes else "on request"
        typer.echo(f"{one.source_id}  {one.name}  {one.url}  {every}  {_words(one.last)}")


@source.command()
def add(
    project: Project_,
    address: Annotated[str, typer.Argument(help="s3://, gs://, az:// or file:// and a folder.")],
    token: Token,
    url: Url = DEFAULT_URL,
    name: Annotated[str, typer.Option(help="How it is called (default: its address).")] = "",
    mode: Annotated[
        Literal["copy", "reference"], typer.Option(help="Copied in, or shown from there.")
    ] = "copy",
    every: Annotated[int, typer.Option(help="Minutes between two refreshes; 0: on request.")] = 0,
    endpoint: Annotated[str, typer.Option(help="Of a server of one's own.")] = "",
    region: Annotated[str, typer.Option(help="Of s3.")] = "",
    account: Annotated[str, typer.Option(help="The storage account, of az.")] = "",
    credentials: Credentials = None,
    test: Annotated[
        bool, typer.Option("--test", help="Only say whether it could be read.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Add a source and read it, or with --test only say whether that would work."""
    body: dict[str, Any] = {
        "url": address, "name": name, "mode": mode, "endpoint": endpoint, "region": region,
        "account": account, "every_minutes": every or None, "credentials": _read(credentials),
    }  # fmt: skip

    async def run(rest: Rest, project_id: str) -> SourceTest | Source:
        if test:
            return await rest.test_source(project_id, body)
        made = await rest.add_source(project_id, body)
        if not every:  # one with a schedule begins by itself
            await rest.refresh_source(project_id, made.source_id)
        return await _followed(rest, project_id, made.source_id)

    _tell(_with_project(url, token, project, run), as_json)


@source.command("test")
def check(
    project: Project_, which: Source_, token: Token, url: Url = DEFAULT_URL, as_json: Json = False
) -> None:
    """Say whether a source can be read; fails if not."""

    async def run(rest: Rest) -> SourceTest:
        project_id, one = await _one(rest, project, which)
        return await rest.test_source(project_id, one.source_id)

    _tell(_with(url, token, run), as_json)


@source.command()
def refresh(
    project: Project_, which: Source_, token: Token, url: Url = DEFAULT_URL, as_json: Json = False
) -> None:
    """Read a source now and wait for it."""

    async def run(rest: Rest) -> Source:
        project_id, one = await _one(rest, project, which)
        await rest.refresh_source(project_id, one.source_id)
        return await _followed(rest, project_id, one.source_id)

    _tell(_with(url, token, run), as_json)


async def _one(rest: Rest, project: str, which: str) -> tuple[str, Source]:
    project_id = (await _find(rest, project)).project_id
    found = [s for s in await rest.sources(project_id) if which in (s.source_id, s.name)]
    if len(found) != 1:
        _fail(f"no source {which!r}" if not found else f"several are called {which!r}; give the id")
    return project_id, found[0]


async def _followed(rest: Rest, project_id: str, source_id: str) -> Source:
    """The source once its refresh has ended."""
    with _progress() as progress:
        task = progress.add_task("reading", total=100)
        while True:
            one = await rest.source(project_id, source_id)
            if one.last is not None:
                progress.update(task, completed=round(100 * one.last.progress))
                if one.last.state != "running":
                    return one
            await asyncio.sleep(POLL_S)


def _read(file: Path | None) -> Any:
    if file is None:
        return {}
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text("utf-8")
        return msgspec.json.decode(text)
    except (OSError, ValueError) as error:
        _fail(f"{file}: {error}")


def _tell(found: SourceTest | Source, as_json: bool) -> None:
    good = found.ok if isinstance(found, SourceTest) else _went_well(found)
    if as_json:
        typer.echo(msgspec.json.encode(found))
    elif isinstance(found, SourceTest):
        typer.echo(found.message)
    else:
        typer.echo(f"{found.name}: {_words(found.last)}")
    if not good:
        raise typer.Exit(1)


def _went_well(one: Source) -> bool:
    return one.last is not None and one.last.state == "done"


def _words(last: Refresh | None) -> str:
    if last is None:
        return "not read yet"
    if last.state == "failed":
        return f"failed: {last.error}"
    counts = {"added": last.added, "known already": last.duplicates, "faulty": last.faulty,
              "changed": last.changed, "gone": last.gone}  # fmt: skip
    said = ", ".join(f"{n} {what}" for what, n in counts.items() if n or what == "added")
    return f"{last.state}: {said}"
