"""Labels as COCO JSON, of whole pictures or of what is drawn on them.

`{"info", "images": [...], "categories": [...], "annotations": [...], "votes": [...]}`. `votes`
holds every vote ever cast, of items without a consensus too. Category ids are the class's place,
from 1, as in COCO.

- Boxes and polygons: COCO's detection format. An annotation is a shape of an item's consensus:
  `bbox`, `area`, `segmentation` (of a box none), `iscrowd` 0; beside them `seen` (how many people
  drew it), `of` (how many looked), `iou` (how well theirs cover it) and the item's `confidence`.
  To a reader of COCO an image without annotations has nothing on it, so what nobody has settled yet
  is not in `images` but in a list of its own, `unlabeled`. Votes have `shapes` and
  `prelabel_shapes`.
- One class: the same lists without boxes. An annotation is an item's consensus (`score` is its
  confidence).
- A set of classes: one annotation for each class in it, as COCO's readers want it, and each image
  says in `category_ids` what its set is: an empty one says that none of the classes applies, null
  that there is no label. Votes have `category_ids` (and `prelabel_ids`) in place of the one id.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import msgspec

from chorus.server.formats.rows import Drawing, ExportRow, Names, ShapeRow

_CHUNK = 64 * 1024
_SPOOL = 256 * 1024
_ENCODE = msgspec.json.Encoder().encode


def coco_json(
    rows: Iterable[ExportRow], classes: Sequence[str], info: Mapping[str, Any],
    sets: bool = False, drawn: bool = False,
) -> Iterator[bytes]:  # fmt: skip
    """The whole document, in chunks of about 64 KiB and constant memory.

    `rows` is read once, so what is written is of one piece while people go on labeling; the
    annotations and votes wait in temporary files while the images are sent. `classes`: class
    names in the project's order. `info`: what goes under that key (name, date, version). `sets`: a
    label is a set of classes; `drawn`: it is a drawing.
    """
    category = {name: number for number, name in enumerate(classes, start=1)}
    categories = [{"id": number, "name": name} for name, number in category.items()]
    with (
        tempfile.SpooledTemporaryFile(max_size=_SPOOL) as annotations,
        tempfile.SpooledTemporaryFile(max_size=_SPOOL) as votes,
        tempfile.SpooledTemporaryFile(max_size=_SPOOL) as unlabeled,
    ):
        buffer = bytearray(b'{"info":' + _ENCODE(info))
        buffer += b',"categories":' + _ENCODE(categories) + b',"images":['
        comma = b"\n"
        number = 1
        for row in rows:
            if drawn and row.label is None:
                _append(unlabeled, _image(row, category, sets))
            else:
                buffer += comma + _ENCODE(_image(row, category, sets))
                comma = b",\n"
            # Where labels are single an item has at most one annotation, and its own id serves: it
            # is the same every time.
            for annotation in _annotations(row, category, number if sets or drawn else row.item_id):
                _append(annotations, annotation)
                number += 1
            for vote in _votes(row, category, sets, drawn):
                _append(votes, vote)
            if len(buffer) >= _CHUNK:
                yield bytes(buffer)
                buffer.clear()
        yield bytes(buffer) + b'],"annotations":['
        yield from _chunks(annotations)
        if drawn:
            yield b'],"unlabeled":['
            yield from _chunks(unlabeled)
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
    return image | _value("category", row.label, category, sets) if sets else image


def _annotations(
    row: ExportRow, category: Mapping[str, int], first: int
) -> Iterator[dict[str, Any]]:
    """`first`: the id of the first one."""
    if row.label is None:
        return
    whole = {"agreement": row.agreement, "vote_count": row.vote_count, "source": row.source}
    if isinstance(row.label, Drawing):
        for number, shape in enumerate(row.label.shapes, first):
            yield {
                "id": number,
                "image_id": row.item_id,
                **_shape(shape, category),
                "iscrowd": 0,
                "seen": shape.seen,
                "of": shape.of,
                "iou": shape.iou,
                "confidence": row.confidence,
                **whole,
            }
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
            **whole,
        }


def _shape(shape: ShapeRow, category: Mapping[str, int]) -> dict[str, Any]:
    x, y, width, height = shape.bounds
    area = width * height if shape.points is None else area_of(shape.points)
    flat = [] if shape.points is None else [[c for point in shape.points for c in point]]
    return {
        "category_id": category[shape.class_name],
        "bbox": [x, y, width, height],
        "area": round(area, 4),
        "segmentation": flat,
        **({} if shape.score is None else {"score": shape.score}),
    }


def area_of(points: Sequence[tuple[float, float]]) -> float:
    """Of a simple polygon (the shoelace formula)."""
    following = [*points[1:], points[0]]
    return abs(sum(x * v - u * y for (x, y), (u, v) in zip(points, following, strict=True))) / 2


def _votes(
    row: ExportRow, category: Mapping[str, int], sets: bool, drawn: bool
) -> Iterator[dict[str, Any]]:
    for vote in row.votes:
        yield {
            "id": vote.vote_id,
            "image_id": row.item_id,
            "labeler": vote.labeler,
            "kind": vote.kind,
            **_value("shapes" if drawn else "category", vote.value, category, sets),
            "created_at": vote.created_at,
            "duration_ms": vote.duration_ms,
            "page_kind": vote.page_kind,
            **_value("prelabel_shapes" if drawn else "prelabel", vote.prelabel, category, sets),
            "standing": vote.standing,
            "supersedes": vote.supersedes,
            "check": vote.check,
        }


def _value(
    field: str, value: Names | None, category: Mapping[str, int], sets: bool
) -> dict[str, Any]:
    """A label under `field`, by category ids: `{field}_id`, of sets `{field}_ids`, of drawings
    `field` itself."""
    if isinstance(value, Drawing):
        return {field: [_shape(shape, category) for shape in value.shapes]}
    if isinstance(value, list):
        return {f"{field}_ids": [category[name] for name in value]}
    if field.endswith("shapes"):
        return {field: None}
    return {f"{field}_ids" if sets else f"{field}_id": None if value is None else category[value]}


def _append(file: BinaryIO | tempfile.SpooledTemporaryFile[bytes], entry: dict[str, Any]) -> None:
    file.write((b",\n" if file.tell() else b"\n") + _ENCODE(entry))


def _chunks(file: BinaryIO | tempfile.SpooledTemporaryFile[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while chunk := file.read(_CHUNK):
        yield chunk
