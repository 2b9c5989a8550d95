"""A whole simulated project, from an empty server to report.json."""

from __future__ import annotations

import contextlib
import secrets
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

from chorus.client import Rest, Socket, StatsWatch
from chorus.client.messages import Job, Project, Stats
from chorus.client.process import ServerProcess
from chorus.simulate import audit, freerun, lockstep
from chorus.simulate.answers import Truth, load
from chorus.simulate.box_work import BoxWork
from chorus.simulate.boxes import read_gold_boxes
from chorus.simulate.options import BadOptions, Options
from chorus.simulate.person import Budget, Classifier, Person, Worker
from chorus.simulate.setup import add_person, import_pictures, import_texts
from chorus.simulate.tally import Tally, report


class Watcher:
    """What a simulation tells while it runs; does nothing by itself."""

    def phase(self, text: str) -> None:
        """A new part begins."""

    def importing(self, job: Job) -> None:
        """Pictures come in."""

    def note(self, text: str) -> None:
        """Something about the data that whoever reads the report should know."""

    def working(self, tally: Tally, stats: Stats) -> None:
        """The supervisor's numbers have changed."""


async def simulate(options: Options, watcher: Watcher | None = None) -> dict[str, Any]:
    """Run it and return the report. Raises `BadOptions`, `ApiError`, `ServerFailed`."""
    options.check()
    watcher = watcher or Watcher()
    sets = options.multilabel
    boxes: BoxWork | None = None
    worker: Worker
    known: Callable[[str], bool]
    if options.boxes and options.gold is not None:
        gold = read_gold_boxes(options.gold)
        truth, classes = Truth({}), gold.classes
        tally = Tally(truth)
        worker = boxes = BoxWork(gold, options, tally)
        known = boxes.knows
    else:
        truth, answers, classes = load(options)
        known = answers.knows
        tally = Tally(truth)
        worker = Classifier(answers, tally, sets)
    async with AsyncExitStack() as stack:
        watcher.phase("starting the server")
        url, token, process = await stack.enter_async_context(_server(options))
        admin = await stack.enter_async_context(Rest(url, token))
        project = await _make_project(admin, options, classes)
        watcher.phase("importing")
        job = await _import(admin, project, options, upload=process is None, watcher=watcher)
        for text in _left_out(job, await audit.names(admin, project.project_id), known):
            watcher.note(text)
        watcher.phase("making accounts")
        run = secrets.token_hex(3)
        _, supervisor = await add_person(
            admin, project.project_id, f"supervisor-{run}", "Supervisor", "supervisor"
        )
        watch = await StatsWatch.open(
            await stack.enter_async_context(Socket(url, supervisor)), project.project_id
        )
        rest = await stack.enter_async_context(Rest(url, supervisor))
        first = await rest.stats(project.project_id)
        watch.offer(first)
        budget = Budget(options.max_labels)
        people = []
        logins: dict[str, str] = {}
        for number in range(options.labelers):
            user, own = await add_person(
                admin,
                project.project_id,
                f"labeler-{run}-{number + 1}",
                f"Labeler {number + 1}",
                "labeler",
            )
            logins[user.user_id] = user.login
            socket = await stack.enter_async_context(Socket(url, own))
            people.append(
                Person(
                    number,
                    socket,
                    project.project_id,
                    worker,
                    tally,
                    budget,
                    labeled=lambda: (watch.stats or first).counts.labeled,
                )
            )
        watcher.phase("labeling")
        watch.on_stats = lambda stats: watcher.working(tally, stats)
        started = monotonic()
        if options.free_running:
            await freerun.run(people, tally, budget, options.think_ms)
        else:
            gate = lockstep.Gate(rest, watch, project.project_id, assist=project.assisted)
            await lockstep.run(people, gate, budget)
        seconds = monotonic() - started
        watcher.phase("reading the export")
        consensus = _consensus(project)
        for person in people:
            await person.socket.close()
        rows = await audit.votes(rest, project.project_id, sets)
        items = await audit.items(rest, project.project_id, sets)
        stats = await rest.stats(project.project_id)
        quality = await rest.quality(project.project_id)
        if project.prelabel and not tally.prelabels_shown and stats.assist.prelabel_reason:
            watcher.note(stats.assist.prelabel_reason)
        whole = report(
            tally,
            stats,
            audit.check(
                rows,
                tally.acked,
                options.votes_min,
                options.votes_max,
                consensus,
                {item.item_id for item in items if item.second_look},
            ),
            audit.accuracy(items, truth),
            tags_f1=audit.tags_f1(items, truth) if sets else None,
            second_looks=audit.second_looks(rows, items),
            majority_accuracy=audit.majority_accuracy(rows, truth, sets),
            labelers=audit.labelers(rows, truth, quality, logins),
            lockstep=not options.free_running,
            seconds=seconds,
            server_rss_mb=process.rss_mb() if process is not None else None,
            settings=options.settings(),
            version=people[0].socket.version,
        )
        return whole if boxes is None else boxes.report(whole, stats, items, rows, quality, logins)


async def _import(
    admin: Rest, project: Project, options: Options, *, upload: bool, watcher: Watcher
) -> Job:
    if options.texts is not None:
        return await import_texts(
            admin, project.project_id, options.texts, upload=upload, on_progress=watcher.importing
        )
    assert options.images is not None
    return await import_pictures(
        admin, project.project_id, options.images, upload=upload, on_progress=watcher.importing
    )


def _left_out(job: Job, names: Sequence[str], known: Callable[[str], bool]) -> list[str]:
    """What of the data is not in the report, for people. Raises `BadOptions` where no item has an
    answer: everybody would skip everything, and the report would be of nothing."""
    first = f", as {job.errors[0].name!r}: {job.errors[0].reason}" if job.errors else ""
    if not names:
        raise BadOptions(
            f"nothing to label was found; files that were refused: {job.faulty}{first}"
        )
    unknown = [name for name in names if not known(name)]
    if len(unknown) == len(names):
        raise BadOptions(
            f"no answer is to any of the items (they are called {names[0]!r} and so on): do the"
            " names differ?"
        )
    out = []
    if job.faulty:
        out.append(f"could not be imported: {job.faulty}{first}")
    if job.duplicates:
        out.append(f"duplicates left out: {job.duplicates}")
    if unknown:
        out.append(f"without an answer, so skipped: {len(unknown)}, as {unknown[0]!r}")
    return out


def _consensus(project: Project) -> str:
    """As `audit.over_votes` knows it."""
    if project.shapes:
        return "shapes"
    if not project.multilabel:
        return project.consensus
    if project.set_rule == "exact":
        return "majority"
    return "by_class" if project.consensus == "majority" else project.consensus


async def _make_project(admin: Rest, options: Options, classes: list[str]) -> Project:
    name = f"Simulation {secrets.token_hex(3)}"
    if options.boxes:
        return await admin.create_project(
            name,
            classes,
            task_type="boxes",
            votes_min=options.votes_min,
            votes_max=options.votes_max,
            target=options.wanted_target,
            iou=options.iou,
            shape_agreement=options.shape_agreement,
            prelabel=options.prelabel,
            seed=options.seed,
        )
    settings: dict[str, Any] = {
        "votes_min": options.votes_min,
        "votes_max": options.votes_max,
        "task_type": options.task_type,
        "set_rule": options.set_rule,
        "target": options.wanted_target,
        "page_size": options.page_size,
        "cluster": options.cluster,
        "prelabel": options.prelabel,
        **({} if options.ordering is None else {"ordering": options.ordering}),
        "second_look": options.second_look,
        "fine_tune": options.fine_tune,
        "seed": options.seed,
    }
    if options.consensus is not None:
        settings["consensus"] = options.consensus
    return await admin.create_project(name, classes, **settings)


@asynccontextmanager
async def _server(options: Options) -> AsyncIterator[tuple[str, str, ServerProcess | None]]:
    """(url, admin's token, the process if it is ours)."""
    if options.url is not None and options.token is not None:
        yield options.url, options.token, None
        return
    with contextlib.ExitStack() as stack:
        folder = options.data_dir
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chorus-")))
        process = ServerProcess(folder, env=options.server_env)
        login = f"admin-{secrets.token_hex(3)}"
        token = process.add_user(login, "Admin", admin=True)
        try:
            await process.start()
            yield process.url, token, process
        finally:
            await process.stop()
