"""`chorus import` and `chorus export`: data and labels in and out of a server, over REST."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import httpx
import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from chorus.client.doors import bring_in, exported, look_through
from chorus.client.errors import ApiError, ChorusError
from chorus.client.messages import Export, Job, LabelImport, Project
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
    as_: Annotated[
        Literal["labels", "votes", "prelabels"] | None,
        typer.Option("--as", help="The file has labels of items that are in the project already."),
    ] = None,
    person: Annotated[
        str | None, typer.Option(help="With --as votes: the login whose votes all of them are.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="With --as: other labels and votes give way.")
    ] = False,
    blind: Annotated[
        bool,
        typer.Option(
            "--blind",
            help="With --as: people gave them without a model's answer, on items drawn by chance;"
            " only then may they prove what the model can do.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --as: say what would happen, and do nothing.")
    ] = False,
    add_classes: Annotated[
        bool, typer.Option("--add-classes", help="With --as: make the classes that are missing.")
    ] = False,
    add_people: Annotated[
        bool, typer.Option("--add-people", help="With --as votes: let in whoever is missing.")
    ] = False,
    leave_out: Annotated[
        bool, typer.Option("--leave-out", help="With --as: go on without what cannot be used.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Bring pictures or texts into a project, or (--as) labels of those that are there.

    Faulty files and rows are listed with the reason.
    """
    shown = [name.strip() for name in columns.split(",")] if columns else None
    source = source.absolute()
    if not source.exists():
        _fail(f"there is no {source}")
    if as_ is not None:
        options: dict[str, Any] = {"existing": "replace" if replace else "keep", "blind": blind}
        if person is not None:
            options["person"] = person
        how = {"add_classes": add_classes, "add_people": add_people, "leave_out": leave_out}
        _labels(url, token, project, source, as_, options, how, dry_run, as_json)
        return
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
    if as_json:
        typer.echo(msgspec.json.encode(job))
        raise typer.Exit(1 if job.state == "failed" else 0)
    for fault in job.errors:
        typer.echo(f"{fault.name}: {fault.reason}", err=True)
    typer.echo(f"{job.added} added, {job.duplicates} there already, {job.faulty} faulty")
    if job.state == "failed":
        _fail(job.error or "the import failed")


def _labels(
    url: str, token: str, project: str, source: Path, kind: str, options: dict[str, Any],
    how: dict[str, bool], dry_run: bool, as_json: bool,
) -> None:  # fmt: skip
    async def run(rest: Rest) -> LabelImport:
        found = await _find(rest, project)
        with _progress() as progress:
            task = progress.add_task("looking through", total=None)

            def show(one: LabelImport) -> None:
                text = "bringing in" if one.state == "landing" else "looking through"
                at, total = one.landed, one.total or None
                if one.state == "checking":
                    at, total = round(100 * one.progress), 100
                progress.update(task, description=text, completed=at, total=total)

            one = await look_through(rest, found.project_id, source, kind, options, show)
            if dry_run or one.state == "failed":
                if one.state == "ready":
                    await rest.delete_label_import(found.project_id, one.import_id)
                return one
            try:
                return await bring_in(rest, found.project_id, one, how, show)
            except ApiError:
                _say_labels(one)
                await rest.delete_label_import(found.project_id, one.import_id)
                raise

    one = _with(url, token, run)
    if as_json:
        typer.echo(msgspec.json.encode(one))
    else:
        _say_labels(one)
    if one.state == "failed":
        _fail(one.error or "the import failed")


def _say_labels(one: LabelImport) -> None:
    for error in one.errors:
        typer.echo(f"{error['place']}: {error['name']}: {error['reason']}", err=True)
    for key in ("unknown_classes", "unknown_people", "conflicts"):
        for name, n in ((one.summary or {}).get(key) or {}).items():
            typer.echo(f"{key.replace('_', ' ')}: {name} ({n})", err=True)
    s = one.summary or {}
    if one.state == "done":
        typer.echo(f"{one.done} brought in, {s.get('same', 0)} there already")
    elif s:
        typer.echo(
            f"{s['entries']} in the file, {s['matched']} mean an item, {s['ready']} would go in,"
            f" {s['same']} there already, {s['unmatched']} unmatched, {s['faulty']} faulty"
        )


STREAMS = ("csv", "votes", "json")


def export(
    project: Project_,
    token: Token,
    url: Url = DEFAULT_URL,
    format: Annotated[
        Literal[
            "csv", "votes", "json", "tables", "jsonl", "coco", "yolo", "voc", "label-studio",
            "imagefolder", "parquet",
        ],
        typer.Option(
            help="csv: items with consensus; votes: every vote; json: COCO style. The others are"
            " kept on the server, too, of one moment and with a manifest, as a zip: tables (both"
            " CSVs), jsonl, coco, yolo and voc (of boxes and polygons), label-studio, imagefolder,"
            " parquet."
        ),
    ] = "csv",
    out: Annotated[
        Path | None, typer.Option(help="File to write (default: the screen; of a zip its name).")
    ] = None,
    state: Annotated[str, typer.Option(help="Of a zip: items in this state.")] = "all",
    class_: Annotated[str | None, typer.Option("--class", help="Of a zip: of this class.")] = None,
    text: Annotated[str | None, typer.Option(help="Of a zip: with this in the name.")] = None,
    pseudonyms: Annotated[
        bool, typer.Option("--pseudonyms", help="Of a zip: people under other names.")
    ] = False,
    content: Annotated[
        bool, typer.Option(help="Of parquet, yolo, voc, texts: with pictures or texts themselves.")
    ] = True,
    as_json: Annotated[
        bool, typer.Option("--json", help="Of a zip: print what it is, manifest and all.")
    ] = False,
) -> None:  # fmt: skip
    """Write a project's labels as they are now. Fine while people label."""
    if format not in STREAMS:
        wanted: dict[str, Any] = {"state": state}
        wanted |= {} if class_ is None else {"class": class_}
        wanted |= {} if text is None else {"text": text}
        people = "pseudonyms" if pseudonyms else "logins"
        order = {"filter": wanted, "people": people, "content": content}
        kind = "csv" if format == "tables" else format
        _export_zip(url, token, project, kind, order, out, as_json)
        return

    async def run(rest: Rest) -> None:
        found = await _find(rest, project)
        if out is not None:
            await _save(rest, found.project_id, FILES[format], out)
            return
        async with rest.download(found.project_id, FILES[format]) as chunks:
            async for chunk in chunks:
                sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()

    _with(url, token, run)


def _export_zip(
    url: str, token: str, project: str, format: str, order: dict[str, Any], out: Path | None,
    as_json: bool,
) -> None:  # fmt: skip
    async def run(rest: Rest) -> tuple[Export, Path]:
        found = await _find(rest, project)
        with _progress() as progress:
            task = progress.add_task("exporting", total=100)

            def show(one: Export) -> None:
                progress.update(task, completed=round(100 * one.progress))

            one = await exported(rest, found.project_id, format, order, show)
        target = out or Path(f"{found.project_id}-{format}-{one.export_id}.zip")
        await _save(rest, found.project_id, f"exports/{one.export_id}/file", target)
        return one, target

    one, target = _with(url, token, run)
    if as_json:
        typer.echo(msgspec.json.encode(one))
    else:
        typer.echo(f"{target}: {one.items} items, {one.labeled} labeled, {one.votes} votes")


async def _save(rest: Rest, project_id: str, name: str, out: Path) -> None:
    """Whole or not at all: a broken download must not look like an export."""
    part = out.with_name(out.name + ".part")
    async with rest.download(project_id, name) as chunks:
        with part.open("wb") as file:
            async for chunk in chunks:
                file.write(chunk)
    part.replace(out)


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
    except ChorusError as error:
        _fail(str(error))
    except (httpx.TransportError, OSError) as error:
        _fail(f"{url}: {error}")


def _with_project(
    url: str, token: str, project: str, run: Callable[[Rest, str], Awaitable[Any]]
) -> Any:
    """As `_with`; `run` also gets the id of the project that has this name or id."""

    async def inside(rest: Rest) -> Any:
        return await run(rest, (await _find(rest, project)).project_id)

    return _with(url, token, inside)


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
