"""Items as one Parquet file that Hugging Face `datasets` opens with its own features, and pandas,
Polars or DuckDB as a plain table. Used in worker processes alone: pyarrow is large."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, BinaryIO

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from chorus.server.formats.export_imagefolder import objects_of
from chorus.server.formats.media import Media, joined
from chorus.server.formats.rows import Drawing, ExportRow, Names

GROUP_ROWS = 1000
GROUP_BYTES = 16 << 20
"""A row group ends at whichever comes first: what is in memory at once."""


def write_parquet(
    out: BinaryIO, rows: Iterable[ExportRow], classes: Sequence[str], *, sets: bool, text: bool,
    media: Media | None, drawn: str | None = None,
) -> None:  # fmt: skip
    """Columns: item_id, name, content_hash, `label` (index of the class; of label sets `labels`, a
    list of them; of drawings `objects`, as in an image folder but categories by index), confidence,
    agreement, vote_count, state, source, gold, votes; with `media` also `image` (struct of bytes
    and path) or, of texts, `text` and `fields`. `drawn`: labels are "boxes" or "polygons"; those of
    votes are JSON then.

    `out` takes bytes in order; it need not be seekable.
    """
    schema = _schema(classes, sets, text, media is not None, drawn)
    index = {name: n for n, name in enumerate(classes)}
    with pq.ParquetWriter(pa.PythonFile(out, mode="w"), schema, compression="zstd") as writer:
        group: list[dict[str, Any]] = []
        size = 0
        for row in rows:
            line, weight = _line(row, index, text, media, drawn)
            group.append(line)
            size += weight
            if len(group) >= GROUP_ROWS or size >= GROUP_BYTES:
                writer.write_table(pa.Table.from_pylist(group, schema=schema))
                group, size = [], 0
        if group:
            writer.write_table(pa.Table.from_pylist(group, schema=schema))


def _schema(
    classes: Sequence[str], sets: bool, text: bool, content: bool, drawn: str | None
) -> Any:
    names = pa.list_(pa.string()) if sets else pa.string()
    vote = pa.struct(
        [
            ("vote_id", pa.string()), ("labeler", pa.string()), ("kind", pa.string()),
            ("value", names), ("created_at", pa.int64()), ("duration_ms", pa.int64()),
            ("prelabel", names), ("standing", pa.bool_()),
        ]
    )  # fmt: skip
    label = pa.field("labels", pa.list_(pa.int64())) if sets else pa.field("label", pa.int64())
    if drawn is not None:
        label = pa.field("objects", pa.struct(_objects(drawn)))
    fields = [
        pa.field("item_id", pa.int64()),
        pa.field("name", pa.string()),
        pa.field("content_hash", pa.string()),
    ]
    if content and text:
        pair = pa.struct([("name", pa.string()), ("text", pa.string())])
        fields += [pa.field("text", pa.string()), pa.field("fields", pa.list_(pair))]
    elif content:
        picture = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        fields.append(pa.field("image", picture))
    fields += [
        label,
        pa.field("confidence", pa.float64()),
        pa.field("agreement", pa.float64()),
        pa.field("vote_count", pa.int64()),
        pa.field("state", pa.string()),
        pa.field("source", pa.string()),
        pa.field("gold", pa.bool_()),
        pa.field("votes", pa.list_(vote)),
    ]
    features = {f.name: _feature(f.type) for f in fields}
    of_class = {"names": list(classes), "_type": "ClassLabel"}
    of_classes = {"feature": of_class, "_type": "List"}
    if drawn is not None:
        features["objects"]["categories"] = of_classes
    else:
        features[label.name] = of_classes if sets else of_class
    if "image" in features:
        features["image"] = {"_type": "Image"}
    about = msgspec.json.encode({"info": {"features": features}})
    return pa.schema(fields, metadata={"huggingface": about})


def _objects(drawn: str) -> list[tuple[str, Any]]:
    of_numbers = pa.list_(pa.list_(pa.float64()))
    return [
        ("bbox", of_numbers),
        ("categories", pa.list_(pa.int64())),
        *([("segmentation", of_numbers)] if drawn == "polygons" else []),
        ("seen", pa.list_(pa.int64())),
        ("of", pa.list_(pa.int64())),
        ("iou", pa.list_(pa.float64())),
    ]


def _feature(kind: Any) -> Any:
    """What `datasets` calls an Arrow type."""
    if pa.types.is_list(kind):
        return {"feature": _feature(kind.value_type), "_type": "List"}
    if pa.types.is_struct(kind):
        return {field.name: _feature(field.type) for field in kind}
    named = {"double": "float64"}.get(str(kind), str(kind))
    return {"dtype": named, "_type": "Value"}


def _line(
    row: ExportRow, index: dict[str, int], text: bool, media: Media | None, drawn: str | None
) -> tuple[dict[str, Any], int]:
    """(a row of the table, about its size in bytes)."""
    line: dict[str, Any] = {
        "item_id": row.item_id,
        "name": row.name,
        "content_hash": row.content_hash,
        "confidence": row.confidence,
        "agreement": row.agreement,
        "vote_count": row.vote_count,
        "state": row.state,
        "source": row.source,
        "gold": row.gold,
        "votes": [
            {
                "vote_id": v.vote_id, "labeler": v.labeler, "kind": v.kind, "value": _said(v.value),
                "created_at": v.created_at, "duration_ms": v.duration_ms,
                "prelabel": _said(v.prelabel),
                "standing": v.standing,
            }
            for v in row.votes if not v.check
        ],
    }  # fmt: skip
    if isinstance(row.label, Drawing):
        objects = objects_of(row.label, drawn or "boxes")
        line["objects"] = objects | {"categories": [index[n] for n in objects["categories"]]}
    elif isinstance(row.label, list):
        line["labels"] = [index[name] for name in row.label]
    elif row.label is not None:
        line["label"] = index[row.label]
    weight = 200 + 100 * len(row.votes)
    if media is None:
        return line, weight
    if text:
        fields = media.fields(row.content_hash) or []
        line["text"] = joined(fields)
        line["fields"] = [{"name": name, "text": part} for name, part in fields]
        return line, weight + 2 * len(line["text"])
    path = media.picture(row, pixels=True)
    if path is not None:
        data = path.read_bytes()
        line["image"] = {"bytes": data, "path": row.name}
        weight += len(data)
    return line, weight


def _said(value: Names | None) -> str | list[str] | None:
    return msgspec.json.encode(value).decode() if isinstance(value, Drawing) else value
