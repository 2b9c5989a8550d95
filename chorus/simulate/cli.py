"""`chorus simulate`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from chorus.client import ChorusError
from chorus.client.messages import Job, Stats
from chorus.client.process import ServerFailed
from chorus.simulate.options import BadOptions, Options
from chorus.simulate.run import Watcher
from chorus.simulate.run import simulate as run_simulation
from chorus.simulate.tally import Tally


class _Bar(Watcher):
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=None)

    def phase(self, text: str) -> None:
        self._progress.reset(self._task, description=text, total=None, completed=0)

    def importing(self, job: Job) -> None:
        self._progress.update(
            self._task, completed=job.added + job.duplicates + job.faulty, total=job.total or None
        )

    def note(self, text: str) -> None:
        self._progress.console.print(f"note: {text}", highlight=False, soft_wrap=True, markup=False)

    def working(self, tally: Tally, stats: Stats) -> None:
        counts, assist = stats.counts, stats.assist
        model = f"round {assist.round.number}" if assist.round is not None else "no model yet"
        if assist.running or assist.round_due:
            model += ", training"
        elif assist.featurized < assist.featurize_total:
            model += f", features {assist.featurized}/{assist.featurize_total}"
        settled = counts.labeled + counts.needs_review + counts.skipped
        self._progress.update(
            self._task,
            description=f"labeling · {model} · {tally.prelabels_shown} prelabels",
            completed=settled,
            total=counts.items,
        )


def simulate(
    report: Annotated[Path, typer.Option(help="Where to write report.json.")],
    images: Annotated[Path | None, typer.Option(help="Folder of pictures.")] = None,
    texts: Annotated[
        Path | None,
        typer.Option(help="CSV of texts: item, any columns, and label unless --gold has them."),
    ] = None,
    gold: Annotated[
        Path | None,
        typer.Option(
            help="CSV item,label: the true answers; or a COCO file (.json), then people draw boxes."
        ),
    ] = None,
    votes: Annotated[
        Path | None,
        typer.Option(help="CSV item,nth,label: recorded answers of real people."),
    ] = None,
    labelers: Annotated[int, typer.Option(help="How many simulated people.")] = 8,
    accuracy: Annotated[
        str, typer.Option(help="Chance of the right label: one number, or one each (A,A,…).")
    ] = "0.95",
    follow: Annotated[
        float, typer.Option(help="Chance that a wrong prelabel, or predicted box, is let through.")
    ] = 0.0,
    jitter: Annotated[
        float,
        typer.Option(
            help="Boxes: standard deviation of each edge, as a share of the box's width or height."
        ),
    ] = 0.05,
    miss: Annotated[float, typer.Option(help="Boxes: chance that a thing is not seen.")] = 0.05,
    false_boxes: Annotated[
        float, typer.Option(help="Boxes: boxes around nothing, as a share of the things there.")
    ] = 0.02,
    confuse: Annotated[float, typer.Option(help="Boxes: chance of another class.")] = 0.02,
    keep_iou: Annotated[
        float,
        typer.Option(
            help="Boxes: a predicted one that overlaps the thing by so much is left as it is."
        ),
    ] = 0.7,
    iou: Annotated[
        float, typer.Option(help="Boxes: from this overlap on, two people's are the same one.")
    ] = 0.5,
    shape_agreement: Annotated[
        float, typer.Option(help="Boxes: share people must agree on, else it goes to review.")
    ] = 0.8,
    votes_min: Annotated[int, typer.Option(help="Fewest labels an item gets.")] = 1,
    votes_max: Annotated[int, typer.Option(help="Most labels an item gets.")] = 1,
    consensus: Annotated[
        str | None, typer.Option(help="Consensus method (the project's default).")
    ] = None,
    task: Annotated[
        str,
        typer.Option(
            help="multiclass, or multilabel: a label is a set, a|b|c in the CSV (empty: none)."
        ),
    ] = "multiclass",
    set_rule: Annotated[
        str, typer.Option(help="Consensus of label sets: by class, or exact.")
    ] = "class",
    target: Annotated[
        float | None,
        typer.Option(help="Accuracy that prelabels must reach (0.95; precision of boxes: 0.6)."),
    ] = None,
    page_size: Annotated[int, typer.Option(help="1, 4, 6 or 9.")] = 9,
    no_assist: Annotated[bool, typer.Option("--no-assist", help="No help by the model.")] = False,
    no_cluster: Annotated[bool, typer.Option("--no-cluster", help="No clustered pages.")] = False,
    no_prelabel: Annotated[bool, typer.Option("--no-prelabel", help="No prelabels.")] = False,
    ordering: Annotated[
        str | None,
        typer.Option(
            help="What is labeled next by hand: random, uncertain or auto (the project's default)."
        ),
    ] = None,
    no_second_look: Annotated[
        bool,
        typer.Option(
            "--no-second-look", help="Nobody is asked again where the model contradicts a vote."
        ),
    ] = False,
    fine_tune: Annotated[
        bool,
        typer.Option("--fine-tune", help="The network's last stages learn from the labels, too."),
    ] = False,
    detector: Annotated[
        str | None,
        typer.Option(help="Detector of our own server, as chorus serve takes it (fcos)."),
    ] = None,
    detector_weights: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="File with its weights for COCO."),
    ] = None,
    free_running: Annotated[
        bool, typer.Option("--free-running", help="People work at their own pace.")
    ] = False,
    think_ms: Annotated[
        int, typer.Option(help="Milliseconds of thought per item, when free-running.")
    ] = 0,
    max_labels: Annotated[int | None, typer.Option(help="Stop after so many labels.")] = None,
    seed: Annotated[int, typer.Option(help="Everything random follows from it.")] = 0,
    url: Annotated[
        str | None, typer.Option(help="A running server, instead of one of our own.")
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(help="Bearer token of an admin there.", envvar="CHORUS_TOKEN"),
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Keep the data of our own server here.")
    ] = None,
) -> None:
    """Run a whole project with simulated labelers against a real server, and judge it."""
    console = Console(stderr=True)
    try:
        chances = [float(a) for a in accuracy.split(",")]
    except ValueError:
        _fail(console, f"--accuracy: not a number in {accuracy!r}")
    options = Options(
        images=images,
        texts=texts,
        gold=gold,
        votes=votes,
        labelers=labelers,
        accuracy=chances,
        follow=follow,
        jitter=jitter,
        miss=miss,
        false_boxes=false_boxes,
        confuse=confuse,
        keep_iou=keep_iou,
        iou=iou,
        shape_agreement=shape_agreement,
        votes_min=votes_min,
        votes_max=votes_max,
        consensus=consensus,
        task=task,
        set_rule=set_rule,
        target=target,
        page_size=page_size,
        # Pages of texts are not clustered (docs/texts.md).
        cluster=not (no_assist or no_cluster) and texts is None,
        prelabel=not (no_assist or no_prelabel),
        ordering="random" if no_assist else ordering,
        second_look=not (no_second_look or no_assist),
        fine_tune=fine_tune and not no_assist,
        detector=detector,
        detector_weights=detector_weights,
        free_running=free_running,
        think_ms=think_ms,
        max_labels=max_labels,
        seed=seed,
        url=url,
        token=token,
        data_dir=data_dir,
    )
    try:
        if not report.resolve().parent.is_dir():
            raise BadOptions(f"--report: no folder {report.parent}")
        with _progress(console) as progress:
            result = asyncio.run(_until_stopped(options, _Bar(progress)))
    except httpx.TransportError as error:
        _fail(console, f"{url or 'the server'}: {error or repr(error)}")
    except (BadOptions, ChorusError, ServerFailed) as error:
        _fail(console, str(error) or repr(error))
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print("stopped")
        raise typer.Exit(130) from None
    report.write_text(json.dumps(result, indent=2) + "\n")
    Console().print(_table(result))


async def _until_stopped(options: Options, watcher: Watcher) -> dict[str, Any]:
    """SIGTERM ends it as Ctrl-C does, so that our server ends with us."""
    task = asyncio.ensure_future(run_simulation(options, watcher))
    with contextlib.suppress(NotImplementedError):
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


def _fail(console: Console, message: str) -> Any:
    # Paths are copied from it: no line breaks of ours.
    console.print(f"[red]error:[/] {message}", highlight=False, soft_wrap=True)
    raise typer.Exit(2)


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal and "FORCE_COLOR" not in os.environ,
    )


def _table(result: dict[str, Any]) -> Table:
    table = Table(show_header=False, box=None)
    prelabels, pages, looks = result["prelabels"], result["pages"], result["second_looks"]
    rows: list[tuple[str, object]] = [
        ("labeled", f"{result['labeled']} of {result['items']}"),
        ("needs review, skipped", f"{result['needs_review']}, {result['skipped']}"),
        ("accuracy (all)", f"{result['accuracy']} ({result['accuracy_all']})"),
        *([("F1 of the tags", tags)] if (tags := result["accuracy_tags"]) is not None else []),
        *(_boxes(result) if "map50" in result else _classes(result)),
        ("votes (per item)", f"{result['votes']} ({result['votes_per_item']})"),
        (
            "lost, over, duplicate votes",
            f"{result['lost_votes']}, {result['over_votes']}, {result['duplicate_votes']}",
        ),
        ("looked at again, changed", f"{looks['items']}, {looks['changed']}"),
        ("actions per item", result["actions_per_item"]),
        ("pages", ", ".join(f"{n} {kind}" for kind, n in pages.items())),
        (
            "prelabels",
            f"{prelabels['shown']} shown, accuracy {prelabels['accuracy']},"
            f" first after {prelabels['first_after_labels']} labels",
        ),
        ("rounds", len(result["rounds"])),
        ("ack ms p50, p99", f"{result['ack_ms']['p50']}, {result['ack_ms']['p99']}"),
        ("page wait: zero share", result["page_wait_ms"]["zero_share"]),
        ("seconds", result["seconds"]),
        ("server memory MB", result["server_rss_mb"]),
    ]
    for name, value in rows:
        table.add_row(name, "–" if value is None else str(value))
    return table


def _classes(result: dict[str, Any]) -> list[tuple[str, object]]:
    """What a report has of classes alone."""
    purity = f"{result['cluster_purity']}, {result['manual_purity']}"
    return [
        ("majority of the same votes", result["accuracy_majority"]),
        ("purity clustered, manual", purity),
    ]


def _boxes(result: dict[str, Any]) -> list[tuple[str, object]]:
    """What a report has of boxes alone."""
    prelabels = result["prelabels"]
    each = prelabels["actions_per_image"]
    rounds = ", ".join(f"{r['map50']} after {r['labels']}" for r in result["rounds"])
    return [
        ("mAP50 of the consensus", result["map50"]),
        ("F1: consensus, labeled, one person's",
         f"{result['f1']}, {result['f1_labeled']}, {result['person_f1']}"),
        ("boxes (there)", f"{result['boxes']} ({result['boxes_gold']})"),
        ("actions per box drawn", result["actions_per_box"]),
        ("actions per picture by hand, predicted", f"{each['manual']}, {each['prelabeled']}"),
        ("predicted boxes: precision, recall",
         f"{prelabels['precision']}, {prelabels['recall']} on {prelabels['images']} pictures"),
        ("the model's mAP50", rounds or None),
    ]  # fmt: skip
