"""Tasks as Label Studio's JSON, and the labeling interface that they are for.

An item is a task; every standing vote is an annotation of the person who cast it (a skipped item
one that was cancelled; flags have no counterpart there and are left out). The consensus is one more
annotation, of nobody, with `ground_truth`. What the model says is a prediction. Of the item,
`data` holds what Label Studio shows (`image` or `text`) and what finds it again here (`name`,
`content_hash`). Classes are choices; boxes are `rectanglelabels`, polygons `polygonlabels`, in
percent of the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import quoteattr

import msgspec

from chorus.server.formats.media import joined
from chorus.server.formats.rows import Drawing, ExportRow, Names, ShapeRow, VoteRow
from chorus.server.formats.texts import Fields

CONTROL = "label"
"""The name of the choices, or of the labels of shapes, in the labeling interface."""
TOOLS = {"boxes": "RectangleLabels", "polygons": "PolygonLabels"}
MODEL = "chorus"
_CHUNK = 64 * 1024
_encode = msgspec.json.Encoder().encode


def label_config(classes: Sequence[str], sets: bool, text: bool, drawn: str | None = None) -> bytes:
    """The labeling interface (XML) in which the tasks open. `drawn`: "boxes" or "polygons"."""
    if drawn is not None:
        lines = [
            "<View>",
            '  <Image name="image" value="$image" zoom="true"/>',
            f'  <{TOOLS[drawn]} name="{CONTROL}" toName="image">',
            *(f"    <Label value={quoteattr(name)}/>" for name in classes),
            f"  </{TOOLS[drawn]}>",
            "</View>",
        ]
        return ("\n".join(lines) + "\n").encode()
    shown = '<Text name="text" value="$text"/>' if text else '<Image name="image" value="$image"/>'
    choice = "multiple" if sets else "single"
    lines = [
        "<View>",
        f"  {shown}",
        f'  <Choices name="{CONTROL}" toName="{"text" if text else "image"}" choice="{choice}">',
        *(f"    <Choice value={quoteattr(name)}/>" for name in classes),
        "  </Choices>",
        "</View>",
    ]
    return ("\n".join(lines) + "\n").encode()


def tasks_json(
    rows: Iterable[ExportRow], text: Callable[[ExportRow], Fields | None] | None = None
) -> Iterator[bytes]:
    """The whole array, a task a line, in chunks of about 64 KiB. `text`: what gives an item's
    text; None: they are pictures."""
    buffer = bytearray(b"[")
    comma = b"\n"
    for row in rows:
        buffer += comma + _encode(_task(row, text))
        comma = b",\n"
        if len(buffer) >= _CHUNK:
            yield bytes(buffer)
            buffer.clear()
    yield bytes(buffer) + b"\n]\n"


def _task(row: ExportRow, text: Callable[[ExportRow], Fields | None] | None) -> dict[str, Any]:
    target = "image" if text is None else "text"
    data: dict[str, Any] = {"name": row.name, "content_hash": row.content_hash}
    if text is None:
        data["image"] = row.name
    else:
        fields = text(row) or []
        data |= {name: value for name, value in fields if name and name not in data}
        data["text"] = joined(fields)
    annotations = [
        _annotation(row, vote, target, n)
        for n, vote in enumerate((v for v in row.votes if v.standing and v.kind != "flag"), 1)
    ]
    if row.label is not None:
        annotations.append(
            {
                "id": len(annotations) + 1,
                # Its tools sort annotations by time: this one is the last.
                "created_at": _time(max((v.created_at for v in row.votes), default=0)),
                "ground_truth": True,
                "was_cancelled": False,
                "result": _results(row, row.label, target),
            }
        )
    task: dict[str, Any] = {"id": row.item_id, "data": data, "annotations": annotations}
    if row.model is not None:
        task["predictions"] = [
            {
                "model_version": MODEL,
                "score": row.model_score,
                "result": _results(row, row.model, target),
            }
        ]
    return task


def _annotation(row: ExportRow, vote: VoteRow, target: str, number: int) -> dict[str, Any]:
    return {
        "id": number,
        "unique_id": vote.vote_id,
        "completed_by": {"email": vote.labeler},
        "created_at": _time(vote.created_at),
        "lead_time": None if vote.duration_ms is None else vote.duration_ms / 1000,
        "ground_truth": False,
        "was_cancelled": vote.kind == "skip",
        "result": [] if vote.value is None else _results(row, vote.value, target),
    }


def _time(ms: int) -> str:
    at = datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")
    return at.replace("+00:00", "Z")


def _results(row: ExportRow, value: Names, target: str) -> list[dict[str, Any]]:
    head = {"from_name": CONTROL, "to_name": target}
    if isinstance(value, Drawing):
        return [head | _region(row, shape, n) for n, shape in enumerate(value.shapes, 1)]
    choices = [value] if isinstance(value, str) else value
    return [head | {"type": "choices", "value": {"choices": choices}}]


def _region(row: ExportRow, shape: ShapeRow, number: int) -> dict[str, Any]:
    size = {"original_width": row.width, "original_height": row.height, "image_rotation": 0}
    across, down = 100 / row.width, 100 / row.height
    if shape.points is not None:
        kind = "polygonlabels"
        value: dict[str, Any] = {
            "points": [[x * across, y * down] for x, y in shape.points],
            "closed": True,
        }
    else:
        x, y, width, height = shape.bounds
        kind = "rectanglelabels"
        value = {
            "x": x * across, "y": y * down, "width": width * across, "height": height * down,
            "rotation": 0,
        }  # fmt: skip
    score = {} if shape.score is None else {"score": shape.score}
    value[kind] = [shape.class_name]
    return {"id": f"{row.item_id}-{number}", "type": kind, **size, "value": value, **score}
