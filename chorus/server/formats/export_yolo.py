"""Labels as YOLO has them (Ultralytics, "Object Detection Datasets Overview"): a text file for each
picture, a line for each shape, coordinates as shares of the picture.

- boxes: `class x_center y_center width height`;
- polygons: `class x1 y1 x2 y2 …`.

`data.yaml` names the classes. Only labeled pictures are in it, because a picture without a file of
labels is one without anything on it there; so is an empty file. A tenth of the pictures, drawn by
their content, is in `val.txt`, the others in `train.txt`. `index.csv` says which item a file is of.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from chorus.server.formats.export_csv import text_cell
from chorus.server.formats.export_names import stems
from chorus.server.formats.media import Media, suffix_of
from chorus.server.formats.rows import Drawing, ExportRow, ShapeRow

VAL_SHARE = 0.1
INDEX_COLUMNS = ("file", "item", "item_id", "content_hash", "width", "height", "state")


def drawn(rows: Iterable[ExportRow]) -> Iterator[tuple[ExportRow, str, Drawing]]:
    """(row, path without ending, label) of each labeled item."""
    for row, stem in stems(row for row in rows if row.label is not None):
        if isinstance(row.label, Drawing):
            yield row, stem, row.label


def data_yaml(classes: Sequence[str]) -> bytes:
    # A JSON string is a YAML string, too.
    names = "".join(f"  {n}: {_quoted(name)}\n" for n, name in enumerate(classes))
    return f"train: train.txt\nval: val.txt\nnames:\n{names}".encode()


def labels(rows: Iterable[ExportRow], classes: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """(path, content) of each file of labels."""
    index = {name: n for n, name in enumerate(classes)}
    for row, stem, label in drawn(rows):
        lines = "".join(_line(shape, index, row) for shape in label.shapes)
        yield f"labels/{stem}.txt", lines.encode()


def lists(rows: Iterable[ExportRow], media: Media | None, val: bool) -> Iterator[bytes]:
    """The pictures to train with, or (`val`) to judge by, a path a line."""
    for row, stem, _ in drawn(rows):
        if in_val(row.content_hash) == val:
            yield f"./images/{stem}{suffix(row, media)}\n".encode()


def index_csv(rows: Iterable[ExportRow], media: Media | None) -> Iterator[bytes]:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(INDEX_COLUMNS)
    for row, stem, _ in drawn(rows):
        file = f"images/{stem}{suffix(row, media)}"
        size = row.width, row.height
        names = text_cell(file), text_cell(row.name)
        writer.writerow([*names, row.item_id, row.content_hash, *size, row.state])
        yield buffer.getvalue().encode()
        buffer.seek(0)
        buffer.truncate()


def pictures(rows: Iterable[ExportRow], media: Media) -> Iterator[tuple[str, Path]]:
    """(path, file) of each picture that is here."""
    for row, stem, _ in drawn(rows):
        path = media.picture(row)
        if path is not None:
            yield f"images/{stem}{suffix(row, media)}", path


def suffix(row: ExportRow, media: Media | None, pixels: bool = False) -> str:
    """The ending of the picture that goes with the labels; the name's where none goes. `pixels`: as
    `Media.picture` has it."""
    path = None if media is None else media.picture(row, pixels)
    return (suffix_of(path) if path is not None else "") or Path(row.name).suffix or ".jpg"


def in_val(content_hash: str) -> bool:
    """The same picture is on the same side in every export."""
    return int(content_hash[:8], 16) < VAL_SHARE * 2**32


def _line(shape: ShapeRow, index: Mapping[str, int], row: ExportRow) -> str:
    if shape.points is not None:
        flat = [c for x, y in shape.points for c in (x / row.width, y / row.height)]
    else:
        x, y, width, height = shape.bounds
        flat = [
            (x + width / 2) / row.width,
            (y + height / 2) / row.height,
            width / row.width,
            height / row.height,
        ]
    return " ".join([str(index[shape.class_name]), *(_number(c) for c in flat)]) + "\n"


def _number(share: float) -> str:
    """Exact to a hundredth of a pixel of any picture that is let in."""
    return f"{share:.8f}".rstrip("0").rstrip(".")


def _quoted(name: str) -> str:
    quoted = msgspec.json.encode(name).decode()
    # YAML takes less than JSON as it is, and some of it for the end of a line.
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in quoted)
