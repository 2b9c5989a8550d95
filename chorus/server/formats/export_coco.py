"""Labels of whole images as COCO-style JSON.

COCO itself has boxes; for classification the same four lists are used without them:
`{"info", "images": [...], "categories": [...], "annotations": [...], "votes": [...]}`.
An annotation is an item's consensus (`score` is its confidence). `votes` holds every vote ever
cast, of items without a consensus too. Category ids are the class's place, from 1, as in COCO.
Where a label is a set of classes, `category_ids` (and `prelabel_ids`) is a list in place of the
one id; an empty one says that none of the classes applies.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import msgspec

from chorus.server.formats.rows import ExportRow, Names

_CHUNK = 64 * 1024
_SPOOL = 256 * 1024
_ENCODE = msgspec.json.Encoder().encode


def coco_json(
    rows: Iterable[ExportRow], classes: Sequence[str], info: Mapping[str, Any],
    sets: bool = False,
) -> Iterator[bytes]:  # fmt: skip
    """The whole document, in chunks of about 64 KiB and constant memory.

    `rows` is read once, so what is written is of one piece while people go on labeling; the
    annotations and votes wait in a temporary file while the images are sent. `classes`: class
    names in the project's order. `info`: what goes under that key (name, date, version). `sets`: a
    label is a set of classes.
    """
    category = {name: number for number, name in enumerate(classes, start=1)}
    categories = [{"id": number, "name": name} for name, number in category.items()]
    with (
        tempfile.SpooledTemporaryFile(max_size=_SPOOL) as annotations,
        tempfile.SpooledTemporaryFile(max_size=_SPOOL) as votes,
    ):
        buffer = bytearray(b'{"info":' + _ENCODE(info))
        buffer += b',"categories":' + _ENCODE(categories) + b',"images":['
        comma = b"\n"
        for row in rows:
            buffer += comma + _ENCODE(_image(row))
            comma = b",\n"
            if row.label is not None:
                _append(annotations, _annotation(row, category, sets))
            for vote in _votes(row, category, sets):
                _append(votes, vote)
            if len(buffer) >= _CHUNK:
                yield bytes(buffer)
                buffer.clear()
        yield bytes(buffer) + b'],"annotations":['
        yield from _chunks(annotations)
        yield b'],"votes":['
        yield from _chunks(votes)
        yield b"]}\n"


def _image(row: ExportRow) -> dict[str, Any]:
    return {
        "id": row.item_id,
        "file_name": row.name,
        "width": row.width,
        "height": row.height,
        "content_hash": row.content_hash,
        "state": row.state,
    }


def _annotation(row: ExportRow, category: Mapping[str, int], sets: bool) -> dict[str, Any]:
    assert row.label is not None
    return {
        # An image has at most one annotation, so its id serves, and is the same every time.
        "id": row.item_id,
        "image_id": row.item_id,
        **_ids("category", row.label, category, sets),
        "score": row.confidence,
        "agreement": row.agreement,
        "vote_count": row.vote_count,
        "source": row.source,
    }


def _votes(row: ExportRow, category: Mapping[str, int], sets: bool) -> Iterator[dict[str, Any]]:
    for vote in row.votes:
        yield {
            "id": vote.vote_id,
            "image_id": row.item_id,
            "labeler": vote.labeler,
            "kind": vote.kind,
            **_ids("category", vote.value, category, sets),
            "created_at": vote.created_at,
            "duration_ms": vote.duration_ms,
            "page_kind": vote.page_kind,
            **_ids("prelabel", vote.prelabel, category, sets),
            "standing": vote.standing,
            "supersedes": vote.supersedes,
            "check": vote.check,
        }


def _ids(
    field: str, value: Names | None, category: Mapping[str, int], sets: bool
) -> dict[str, Any]:
    if isinstance(value, list):
        return {f"{field}_ids": [category[name] for name in value]}
    return {f"{field}_ids" if sets else f"{field}_id": None if value is None else category[value]}


def _append(file: BinaryIO | tempfile.SpooledTemporaryFile[bytes], entry: dict[str, Any]) -> None:
    file.write((b",\n" if file.tell() else b"\n") + _ENCODE(entry))


def _chunks(file: BinaryIO | tempfile.SpooledTemporaryFile[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while chunk := file.read(_CHUNK):
        yield chunk
