"""Items and votes as CSV (RFC 4180: comma, CR LF, quoted where needed; UTF-8).

A cell of text that starts with `=`, `+`, `-`, `@`, a tab or a carriage return gets a leading
apostrophe: a spreadsheet would take it for a formula and run it (OWASP, "CSV injection"). Reading
such a name back, take that apostrophe off; `cell_text` does it. An apostrophe that was there
already is doubled when one of those characters follows, so nothing is lost.

A set of classes is one cell, the names joined by "|", which no class of a set has in its name;
"|" alone is the set of none of the classes, an empty cell no label. A drawing (boxes, polygons) is
one cell of JSON, as it travels (docs/boxes.md); in `shapes.csv` each box or polygon has a line.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import msgspec

from chorus.server.formats.rows import Drawing, ExportRow, Names, classes_in

ITEM_COLUMNS = (
    "item",
    "item_id",
    "state",
    "label",
    "provisional",
    "confidence",
    "agreement",
    "votes",
    "source",
    "width",
    "height",
    "content_hash",
    "label_counts",
    "gold",
    "second_look",
)
VOTE_COLUMNS = (
    "vote_id",
    "item",
    "item_id",
    "labeler",
    "kind",
    "label",
    "page_kind",
    "prelabel",
    "created_at",
    "duration_ms",
    "standing",
    "supersedes",
    "check",
    "content_hash",
)
SHAPE_COLUMNS = (
    "item",
    "item_id",
    "content_hash",
    "image_width",
    "image_height",
    "state",
    "class",
    "x",
    "y",
    "width",
    "height",
    "points",
    "seen",
    "of",
    "iou",
)
_CHUNK = 64 * 1024
_BETWEEN = "|"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_FIRST = frozenset("'").union(_FORMULA)
_AT_ONCE = 200
"""Lines between two looks at how much is in the buffer."""


def items_csv(rows: Iterable[ExportRow], classes: Sequence[str]) -> Iterator[bytes]:
    """One line per item, in chunks of about 64 KiB; columns `ITEM_COLUMNS`.

    `classes`: class names in the project's order. `label_counts` is a JSON object, class name ->
    standing votes that have it (of drawings: how many of it they have), in that order: what soft
    labels are made of. Empty cells: no value.
    """
    place = {name: n for n, name in enumerate(classes)}
    return _lines(ITEM_COLUMNS, (_item(row, place) for row in rows))


def votes_csv(rows: Iterable[ExportRow]) -> Iterator[bytes]:
    """One line per vote ever cast, by item and oldest first; columns `VOTE_COLUMNS`.

    `standing` is 1 for a vote that counts now, else 0. `check` is 1 for an answer on a gold item
    served blind, which never counts as a vote. Times are ms since 1970 UTC.
    """
    return _lines(VOTE_COLUMNS, (line for row in rows for line in _votes(row)))


def shapes_csv(rows: Iterable[ExportRow]) -> Iterator[bytes]:
    """One line per box or polygon of the labels; columns `SHAPE_COLUMNS`.

    In pixels of the upright picture, `x` and `y` the upper left corner; of a polygon those of the
    box around it, and its corners as JSON, [[x, y], …], in `points`. A picture on which nothing is
    has no line here; in the file of items its label says so.
    """
    return _lines(SHAPE_COLUMNS, (line for row in rows for line in _shapes(row)))


def cell_text(cell: str) -> str:
    """The text that a cell of these files stands for."""
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(_FORMULA) else cell


def text_cell(value: str | None) -> str:
    """The cell for a text, as `cell_text` reads it."""
    if not value:
        return ""
    if value[0] not in _FIRST:  # nearly always
        return value
    return "'" + value if value.lstrip("'").startswith(_FORMULA) else value


def _label(value: Names | None) -> str:
    if value is None or isinstance(value, str):
        return text_cell(value)
    if isinstance(value, Drawing):
        return msgspec.json.encode(value).decode()
    return text_cell(_BETWEEN.join(value) or _BETWEEN)


def _counts(row: ExportRow, place: Mapping[str, int]) -> dict[str, int]:
    """Class name -> the standing votes that have it, as `place` orders the classes."""
    cast: dict[str, int] = {}
    for vote in row.votes:
        if vote.standing and vote.kind == "label" and vote.value is not None:
            for name in classes_in(vote.value):
                cast[name] = cast.get(name, 0) + 1
    if len(cast) < 2:
        return cast
    return {name: cast[name] for name in sorted(cast, key=place.__getitem__)}


def _item(row: ExportRow, place: Mapping[str, int]) -> list[Any]:
    counts = _counts(row, place)
    return [
        text_cell(row.name),
        row.item_id,
        row.state,
        _label(row.label),
        _label(row.provisional),
        _number(row.confidence),
        _number(row.agreement),
        row.vote_count,
        row.source,
        row.width,
        row.height,
        row.content_hash,
        msgspec.json.encode(counts).decode() if counts else "",
        int(row.gold),
        int(row.second_look),
    ]


def _votes(row: ExportRow) -> Iterator[list[Any]]:
    item = text_cell(row.name)
    for vote in row.votes:
        yield [
            vote.vote_id,
            item,
            row.item_id,
            text_cell(vote.labeler),
            vote.kind,
            _label(vote.value),
            vote.page_kind,
            _label(vote.prelabel),
            vote.created_at,
            vote.duration_ms,
            int(vote.standing),
            vote.supersedes,
            int(vote.check),
            row.content_hash,
        ]


def _shapes(row: ExportRow) -> Iterator[list[Any]]:
    if not isinstance(row.label, Drawing):
        return
    for shape in row.label.shapes:
        points = "" if shape.points is None else msgspec.json.encode(shape.points).decode()
        yield [
            text_cell(row.name),
            row.item_id,
            row.content_hash,
            row.width,
            row.height,
            row.state,
            text_cell(shape.class_name),
            *shape.bounds,
            points,
            shape.seen,
            shape.of,
            _number(shape.iou),
        ]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _lines(columns: Sequence[str], lines: Iterable[list[Any]]) -> Iterator[bytes]:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(columns)
    waiting = iter(lines)
    # In C as far as it goes: a call of `writerow` for each line takes half as long again.
    while some := list(islice(waiting, _AT_ONCE)):
        writer.writerows(some)
        if buffer.tell() >= _CHUNK:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode()
