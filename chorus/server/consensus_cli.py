"""`chorus consensus`: labels and skills from a file of votes, without a server."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import numpy as np
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from chorus.server.consensus import agreement
from chorus.server.consensus.auto import auto
from chorus.server.consensus.dawid_skene import dawid_skene
from chorus.server.consensus.model_voter import with_model
from chorus.server.consensus.one_coin import one_coin
from chorus.server.consensus.score import Score, score
from chorus.server.consensus.shares import majority_table
from chorus.server.consensus.table import Fitted, Floats, Names, VoteTable, from_columns

METHODS = ("auto", "majority", "one_coin", "dawid_skene")
STEPS = 5
DRAWN = ('{"boxes"', '{"polygons"')
"""How a label that was drawn begins in a file of votes."""


class BadInput(Exception):
    """A file or an option that cannot be used; the message names file and line."""


def consensus(
    votes: Annotated[Path, typer.Argument(help="CSV with the columns item, worker, label.")],
    gold: Annotated[Path | None, typer.Option(help="CSV item,label: the true answers.")] = None,
    model_probs: Annotated[
        Path | None,
        typer.Option(help="CSV item and one column per class: out-of-fold probabilities."),
    ] = None,
    method: Annotated[str, typer.Option(help=f"One of {', '.join(METHODS)}.")] = "auto",
    out: Annotated[Path | None, typer.Option(help="CSV to write: item, label, confidence.")] = None,
    workers: Annotated[
        Path | None, typer.Option(help="CSV to write: worker, votes, skill, low, high.")
    ] = None,
) -> None:
    """Merge people's votes into one label each, with a confidence, and judge the people."""
    console = Console(stderr=True)
    try:
        if method not in METHODS:
            raise BadInput(f"--method: unknown {method!r}; known: {', '.join(METHODS)}")
        for option, path in (("--out", out), ("--workers", workers)):
            if path is not None and not path.absolute().parent.is_dir():
                raise BadInput(f"{option}: no folder {path.absolute().parent}")
        with _progress(console) as progress:
            task = progress.add_task(f"reading {votes.name}", total=STEPS)
            columns = read_columns(votes, ("item", "worker", "label"))
            if not columns[0]:
                raise BadInput(f"{votes}: no votes")
            if any(label.startswith(DRAWN) for label in columns[2]):
                raise BadInput(
                    f"{votes}: these votes are boxes or polygons; a server merges those alone,"
                    " see docs/boxes.md (an export of the project has them merged)"
                )
            truth = None if gold is None else read_columns(gold, ("item", "label"))
            classes = [] if truth is None else truth[1]
            probs = None
            if model_probs is not None:
                probs = read_probs(model_probs)
                classes = [*classes, *probs[0]]
            table, names = from_columns(*columns, more_classes=classes)
            progress.update(task, advance=1, description="measuring agreement")
            alpha = agreement.krippendorff_alpha(table.item, table.worker, table.value)
            progress.update(task, advance=1, description=f"fitting {method}")
            matrix = None if probs is None else _matrix(probs, names)
            fitted = _fit(method, table, matrix)
            progress.update(task, advance=1, description="writing")
            if out is not None:
                _write(out, ("item", "label", "confidence"), _label_rows(fitted, names))
            if workers is not None:
                columns_ = ("worker", "votes", "skill", "skill_low", "skill_high")
                _write(workers, columns_, _worker_rows(fitted, names))
            progress.update(task, advance=1, description="comparing with gold")
            result = None if truth is None else _score(fitted, names, truth)
            progress.update(task, advance=1, description="done")
    except (BadInput, OSError, UnicodeDecodeError) as error:
        _fail(str(error))
    Console().print(_summary(table, fitted, alpha, result))


def read_columns(path: Path, wanted: Sequence[str]) -> list[list[str]]:
    """Columns of a CSV with a header, by name; others are ignored.

    Raises `BadInput` naming the line for a missing column, a short row or an empty field.
    """
    out: list[list[str]] = [[] for _ in wanted]
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.reader(file)
        at = _places(path, next(rows, None), wanted)
        least = max(at) + 1
        for row in rows:
            if not row:
                continue
            if len(row) < least:
                raise BadInput(f"{path}, line {rows.line_num}: {len(row)} fields, need {least}")
            for column, place, name in zip(out, at, wanted, strict=True):
                field = row[place]
                if not field:
                    raise BadInput(f"{path}, line {rows.line_num}: empty {name}")
                column.append(field)
    return out


def _places(path: Path, header: list[str] | None, wanted: Sequence[str]) -> list[int]:
    if header is None:
        raise BadInput(f"{path}: the file is empty")
    for name in wanted:
        if name not in header:
            raise BadInput(f"{path}, line 1: no column {name!r} (there are: {', '.join(header)})")
    return [header.index(name) for name in wanted]


def read_probs(path: Path) -> tuple[list[str], list[str], Floats]:
    """(class names, items, probabilities (rows, classes)) of a CSV item,<class>,<class>,…

    Raises `BadInput` naming the line for a missing column, a value that is no probability, or a
    row that does not sum to 1 (within 0.01).
    """
    items: list[str] = []
    values: list[list[float]] = []
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.reader(file)
        header = next(rows, None)
        (place,) = _places(path, header, ("item",))
        assert header is not None
        classes = [name for n, name in enumerate(header) if n != place]
        for row in rows:
            if not row:
                continue
            where = f"{path}, line {rows.line_num}"
            if len(row) != len(header):
                raise BadInput(f"{where}: {len(row)} fields, need {len(header)}")
            try:
                chances = [float(field) for n, field in enumerate(row) if n != place]
            except ValueError as error:
                raise BadInput(f"{where}: {error}") from None
            if not all(0 <= p <= 1 for p in chances) or abs(sum(chances) - 1) > 0.01:
                raise BadInput(f"{where}: not probabilities that sum to 1")
            items.append(row[place])
            values.append(chances)
    return classes, items, np.array(values, dtype=np.float64).reshape(len(items), len(classes))


def _matrix(probs: tuple[list[str], list[str], Floats], names: Names) -> Floats:
    """(items, classes) in the table's order; NaN without a prediction."""
    classes, items, values = probs
    class_at = {name: n for n, name in enumerate(names.classes)}
    item_at = {name: n for n, name in enumerate(names.items)}
    out = np.full((len(names.items), len(names.classes)), np.nan)
    places = [class_at[name] for name in classes]
    for item, row in zip(items, values, strict=True):
        if (n := item_at.get(item)) is not None:
            out[n] = 0.0
            out[n, places] = row
    return out


def _fit(method: str, table: VoteTable, probs: Floats | None) -> Fitted:
    if method == "auto":
        return auto(table, probs=probs)
    if method == "majority":
        return majority_table(table)
    fit = one_coin if method == "one_coin" else dawid_skene
    if probs is None:
        return fit(table)
    return with_model(table, lambda t, evidence: fit(t, evidence=evidence), probs)


def _label_rows(fitted: Fitted, names: Names) -> Iterator[tuple[str, str, str]]:
    for item, label, sure in zip(names.items, fitted.labels, fitted.confidence, strict=True):
        yield item, names.classes[label], f"{sure:.6f}"


def _worker_rows(fitted: Fitted, names: Names) -> Iterator[tuple[str, str, str, str, str]]:
    for n, worker in enumerate(names.workers):
        skill, low, high = fitted.skill[n], fitted.skill_low[n], fitted.skill_high[n]
        yield worker, str(fitted.votes[n]), f"{skill:.4f}", f"{low:.4f}", f"{high:.4f}"


def _write(path: Path, header: Sequence[str], rows: Iterator[Sequence[str]]) -> None:
    # Whole or not at all.
    part = path.with_name(path.name + ".part")
    with part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    part.replace(path)


def _score(fitted: Fitted, names: Names, truth: list[list[str]]) -> Score:
    class_at = {name: n for n, name in enumerate(names.classes)}
    item_at = {name: n for n, name in enumerate(names.items)}
    pairs = [
        (item_at[i], class_at[label])
        for i, label in zip(truth[0], truth[1], strict=True)
        if i in item_at
    ]
    rows = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return score(fitted.posterior[rows[:, 0]], rows[:, 1])


def _summary(
    table: VoteTable, fitted: Fitted, alpha: agreement.Coefficient, result: Score | None
) -> Table:
    spread = "" if np.isnan(alpha.low) else f" ({alpha.low:.3f} to {alpha.high:.3f})"
    rows = [
        ("items", str(table.items)),
        ("votes", f"{len(table)} ({len(table) / table.items:.2f} per item)"),
        ("workers", str(table.workers)),
        ("classes", str(table.classes)),
        ("agreement (Krippendorff's alpha)", f"{alpha.value:.3f}{spread}"),
        ("method", fitted.method),
    ]
    if fitted.explanation:
        rows.append(("because", fitted.explanation))
    if result is not None:
        rows += [
            ("gold answers", str(result.items)),
            ("accuracy", f"{result.accuracy:.4f}"),
            ("log loss", f"{result.log_loss:.4f}"),
            ("calibration error (ECE)", f"{result.ece:.4f}"),
        ]
    out = Table(show_header=False, box=None)
    for name, value in rows:
        out.add_row(name, value)
    return out


def _fail(message: str) -> NoReturn:
    typer.echo(f"Error: {message}", err=True)
    raise typer.Exit(2)


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal and "FORCE_COLOR" not in os.environ,
    )
