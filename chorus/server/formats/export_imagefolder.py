"""Pictures and a `metadata.jsonl` as Hugging Face `datasets` opens them: `imagefolder`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from chorus.server.formats.media import Media, suffix_of
from chorus.server.formats.rows import Drawing, ExportRow

FOLDER = "train"
_CHUNK = 64 * 1024
_encode = msgspec.json.Encoder().encode


def metadata_jsonl(
    rows: Iterable[ExportRow], media: Media, sets: bool, drawn: str | None = None
) -> Iterator[bytes]:
    """A line for every picture that is here: file_name, label (of label sets `labels`; of drawings
    `objects`), name, item_id, content_hash, confidence, state, source.

    `objects`: bbox (x, y, width, height in pixels), categories (names), of polygons `segmentation`
    (x1, y1, x2, y2, …), and seen, of, iou of each; null where there is no label.
    """
    buffer = bytearray()
    for row, path in _here(rows, media):
        line: dict[str, Any] = {
            "file_name": _name(row, path),
            **_label(row, sets, drawn),
            "name": row.name,
            "item_id": row.item_id,
            "content_hash": row.content_hash,
            "confidence": row.confidence,
            "state": row.state,
            "source": row.source,
        }
        buffer += _encode(line) + b"\n"
        if len(buffer) >= _CHUNK:
            yield bytes(buffer)
            buffer.clear()
    yield bytes(buffer)


def objects_of(label: Drawing, drawn: str) -> dict[str, list[Any]]:
    """A drawing as `datasets` has it: a list for each thing that is said of the shapes."""
    shapes = label.shapes
    flat = [[c for point in s.points or () for c in point] for s in shapes]
    return {
        "bbox": [list(shape.bounds) for shape in shapes],
        "categories": [shape.class_name for shape in shapes],
        **({"segmentation": flat} if drawn == "polygons" else {}),
        "seen": [shape.seen for shape in shapes],
        "of": [shape.of for shape in shapes],
        "iou": [shape.iou for shape in shapes],
    }


def _label(row: ExportRow, sets: bool, drawn: str | None) -> dict[str, Any]:
    if drawn is None:
        return {"labels" if sets else "label": row.label}
    label = row.label
    return {"objects": objects_of(label, drawn) if isinstance(label, Drawing) else None}


def pictures(rows: Iterable[ExportRow], media: Media) -> Iterator[tuple[str, Path]]:
    """(path in the folder, file) of each of them."""
    for row, path in _here(rows, media):
        yield f"{FOLDER}/{_name(row, path)}", path


def _here(rows: Iterable[ExportRow], media: Media) -> Iterator[tuple[ExportRow, Path]]:
    for row in rows:
        path = media.picture(row, pixels=True)
        if path is not None:
            yield row, path


def _name(row: ExportRow, path: Path) -> str:
    """Two items may have one name, and a name may be no path: the id is neither."""
    return f"{row.item_id:08}{suffix_of(path) or Path(row.name).suffix or '.jpg'}"
