"""`chorus project`: make projects, look at them and change them, over REST."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import typer

from chorus.client.cli import DEFAULT_URL, Project_, Token, Url, _fail, _with, _with_project
from chorus.client.messages import Project, Stats
from chorus.client.rest import Rest

project = typer.Typer(no_args_is_help=True, help="Projects.")

Json = Annotated[bool, typer.Option("--json", help="Print what the server answers.")]
Settings = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME=VALUE…",
        help="Settings as of REST: votes_min=2 target=0.97 instructions='Look twice.' …",
    ),
]
STATES = {"running": "runs", "paused": "is paused", "archived": "is archived"}


@project.command("list")
def list_(token: Token, url: Url = DEFAULT_URL, as_json: Json = False) -> None:
    """My projects; all of them for an admin."""
    found: list[Project] = _with(url, token, lambda rest: rest.projects())
    if as_json:
        typer.echo(msgspec.json.encode(found))
        return
    for one in found:
        typer.echo(f"{one.project_id}  {one.name}  {one.task_type}  {one.items} items  {one.state}")


@project.command()
def add(
    name: Annotated[str, typer.Argument(help="How it is called.")],
    token: Token,
    settings: Settings = None,
    classes: Annotated[
        str | None, typer.Option(help="Names of the classes, joined by commas.")
    ] = None,
    task: Annotated[
        Literal[
            "multiclass", "multilabel", "text-multiclass", "text-multilabel", "boxes", "polygons"
        ],
        typer.Option(help="What is labeled: pictures, unless it says text; and how."),
    ] = "multiclass",
    url: Url = DEFAULT_URL,
    as_json: Json = False,
) -> None:
    """Make a project; `chorus import` brings its data in."""
    names = [part.strip() for part in (classes or "").split(",") if part.strip()]
    how = {"task_type": task, **_read(settings)}
    _tell(_with(url, token, lambda rest: rest.create_project(name, names, **how)), as_json)


@project.command()
def show(project: Project_, token: Token, url: Url = DEFAULT_URL, as_json: Json = False) -> None:
    """How far a project is. With --json: its settings, too."""

    async def run(rest: Rest, project_id: str) -> tuple[Project, Stats]:
        return await rest.project(project_id), await rest.stats(project_id)

    answer: tuple[Project, Stats] = _with_project(url, token, project, run)
    found, stats = answer
    if as_json:
        typer.echo(msgspec.json.encode({"project": found, "stats": stats}))
        return
    counts: dict[str, int] = msgspec.structs.asdict(stats.counts)
    total = counts.pop("items")
    states = ", ".join(f"{n} {state.replace('_', ' ')}" for state, n in counts.items() if n)
    typer.echo(f"{found.name} {STATES[found.state]}, {total} items: {states or 'none yet'}")


@project.command()
def change(
    project: Project_, settings: Settings, token: Token, url: Url = DEFAULT_URL,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Change settings; state=paused, running or archived pauses, resumes or archives it."""
    changes = _read(settings)
    if not changes:
        _fail("say what to change: NAME=VALUE")
    changed = _with_project(url, token, project, lambda rest, i: rest.change_project(i, **changes))
    _tell(changed, as_json)


@project.command()
def clone(
    project: Project_,
    name: Annotated[str, typer.Argument(help="Name of the copy.")],
    token: Token,
    items: Annotated[
        bool, typer.Option("--items", help="With its pictures or texts, and without their labels.")
    ] = False,
    url: Url = DEFAULT_URL,
    as_json: Json = False,
) -> None:
    """Copy a project with its classes and settings."""
    copy = _with_project(
        url, token, project, lambda rest, i: rest.clone_project(i, name, items=items)
    )
    _tell(copy, as_json)


@project.command()
def delete(
    project: Project_,
    name: Annotated[str, typer.Option(help="The project's name, typed out.")],
    token: Token,
    url: Url = DEFAULT_URL,
) -> None:
    """Delete an archived project for good."""
    _with_project(url, token, project, lambda rest, i: rest.delete_project(i, name))
    typer.echo(f"{name} is deleted")


def _read(settings: list[str] | None) -> dict[str, Any]:
    """Values as JSON where they are, else as text: 2, 0.97, true, null, Look twice."""
    found = {}
    for one in settings or []:
        name, equals, value = one.partition("=")
        if not equals or not name.isidentifier():
            _fail(f"{one!r} is not NAME=VALUE")
        try:
            found[name] = msgspec.json.decode(value)
        except msgspec.DecodeError:
            found[name] = value
    return found


def _tell(found: Project, as_json: bool) -> None:
    if as_json:
        typer.echo(msgspec.json.encode(found))
    else:
        typer.echo(f"{found.project_id}  {found.name} {STATES[found.state]}")
