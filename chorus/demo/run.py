"""The demo: a server, a project with pictures, colleagues, and links for you."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from chorus.client import Rest, Socket, StatsWatch
from chorus.client.messages import Job, Role
from chorus.client.process import ServerProcess, free_port
from chorus.demo import colleagues, status
from chorus.demo.pictures import Pictures
from chorus.demo.state import Account, DemoProject, State, load, save
from chorus.simulate.answers import Noisy
from chorus.simulate.setup import add_person, import_pictures

SEED = 1


async def run(pictures: Pictures, data_dir: Path, port: int, console: Console) -> None:
    """Runs until cancelled; then everything it started has ended."""
    process = ServerProcess(data_dir, free_port(port))
    path = data_dir / "demo.json"
    state = load(path)
    if state is None:
        login = f"admin-{secrets.token_hex(2)}"
        state = State(process.add_user(login, "Demo admin", admin=True))
        save(path, state)
    try:
        with console.status("Starting the server …"):
            await process.start()
        async with Rest(process.url, state.admin) as admin:
            project = await _project(admin, pictures, state, path)
            if not project.imported:
                await _import(admin, project, pictures, console)
                project.imported = True
                save(path, state)
            await _people(admin, project, pictures, state, path)
            await _greet(admin, project, pictures, console, process.url)
            await _live(process.url, state, project, pictures, console)
    finally:
        await process.stop()


async def _project(admin: Rest, pictures: Pictures, state: State, path: Path) -> DemoProject:
    key = str(pictures.folder)
    if key not in state.projects:
        made = await admin.create_project(
            pictures.name, pictures.classes, instructions=pictures.instructions, seed=SEED
        )
        state.projects[key] = DemoProject(made.project_id)
        save(path, state)
    return state.projects[key]


async def _import(admin: Rest, project: DemoProject, pictures: Pictures, console: Console) -> None:
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    ) as progress:
        task = progress.add_task("Importing pictures", total=None)

        def show(job: Job) -> None:
            seen = job.added + job.duplicates + job.faulty
            progress.update(task, completed=seen, total=job.total or None)

        job = await import_pictures(
            admin, project.project_id, pictures.folder, upload=False, on_progress=show
        )
    console.print(
        f"{job.added} pictures, {job.duplicates} duplicates left out, {job.faulty} faulty"
    )
    for fault in job.errors[:5]:
        console.print(f"  {fault.name}: {fault.reason}", style="dim", highlight=False)


async def _people(
    admin: Rest, project: DemoProject, pictures: Pictures, state: State, path: Path
) -> None:
    wanted: dict[str, tuple[str, Role]] = {
        "labeler": ("You, the labeler", "labeler"),
        "supervisor": ("You, the supervisor", "supervisor"),
    }
    if pictures.truth is not None:
        for number, name in enumerate(colleagues.NAMES, 1):
            wanted[f"colleague-{number}"] = (name, "labeler")
    for key, (name, role) in wanted.items():
        if key not in project.people:
            login = f"{key}-{secrets.token_hex(2)}"
            user, token = await add_person(admin, project.project_id, login, name, role)
            project.people[key] = Account(user.user_id, name, token)
            save(path, state)


async def _greet(
    admin: Rest, project: DemoProject, pictures: Pictures, console: Console, url: str
) -> None:
    me = (await admin.me()).user_id
    room = f"/p/{project.project_id}"
    people = [
        ("Label", project.people["labeler"].user_id, f"{room}/label"),
        ("Supervise", project.people["supervisor"].user_id, room),
        ("Administer", me, "/"),
    ]
    console.print(f"\n[bold]Chorus is running on {url}[/]\n")
    for what, user_id, begin in people:
        link = await admin.signin_link(user_id)
        console.print(f"  {what:<11}{link}&next={begin}", soft_wrap=True, highlight=False)
    console.print(
        "\nEach link signs you in once; open them in different browsers (or private windows)."
    )
    if pictures.truth is None:
        console.print(
            f"No gold.csv with these pictures, so no simulated colleagues. The classes are"
            f" {', '.join(pictures.classes)}; change them in the project's settings.",
            highlight=False,
        )
    else:
        console.print(f"{', '.join(colleagues.NAMES)} label with you. Ctrl-C ends everything.")
    console.print()


async def _live(
    url: str, state: State, project: DemoProject, pictures: Pictures, console: Console
) -> None:
    async with Socket(url, state.admin) as socket, asyncio.TaskGroup() as group:
        watch = await StatsWatch.open(socket, project.project_id)
        if pictures.truth is not None:
            answers = Noisy(
                pictures.truth, pictures.classes, [colleagues.ACCURACY], follow=0.0, seed=SEED
            )
            for number in range(1, len(colleagues.NAMES) + 1):
                token = project.people[f"colleague-{number}"].token
                group.create_task(
                    colleagues.work(number, url, token, project.project_id, answers, SEED)
                )
        group.create_task(status.show(watch, console))
