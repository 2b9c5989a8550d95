"""Labels of whole images as COCO-style JSON.

COCO itself has boxes; for classification the same four lists are used without them:
`{"info", "images": [...], "categories": [...], "annotations": [...], "votes": [...]}`.
An annotation is an item's consensus (`score` is its confidence). `votes` holds every vote ever
cast, of items without a consensus too. Category ids are the class's place, from 1, as in COCO.
Where a label is a set of classes there is one annotation for each class in it, as COCO's readers
want it, and each image says in `category_ids` what its set is: an empty one says that none of the
classes applies, null that there is no label. Votes have `category_ids` (and `prelabel_ids`) in
place of the one id.
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
        number = 1
        for row in rows:
            buffer += comma + _ENCODE(_image(row, category, sets))
            comma = b",\n"
            for annotation in _annotations(row, category, number if sets else row.item_id):
                _append(annotations, annotation)
                number += sets
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


def _image(row: ExportRow, category: Mapping[str, int], sets: bool) -> dict[str, Any]:
    image = {
        "id": row.item_id,
        "file_name": row.name,
        "width": row.width,
        "height": row.height,
        "content_hash": row.content_hash,
        "state": row.state,
    }
    return image | _ids("category", row.label, category, sets) if sets else image


def _annotations(
    row: ExportRow, category: Mapping[str, int], first: int
) -> Iterator[dict[str, Any]]:
    """`first`: the id of the first one. Where labels are single an item has at most one, and its
    own id serves: it is the same every time."""
    if row.label is None:
        return
    for number, name in enumerate([row.label] if isinstance(row.label, str) else row.label, first):
        yield {
            "id": number,
            "image_id": row.item_id,
            "category_id": category[name],
            # Nobody has drawn anything; readers ask for these two.
            "area": 0,
            "iscrowd": 0,
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
