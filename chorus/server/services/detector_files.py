"""What a detector's jobs read and leave on disk: JSON lines, in the round's folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from chorus.server.consensus.shapes import merge_shapes
from chorus.server.domain.model import Project, StandingVote
from chorus.server.domain.rounds import open_most
from chorus.server.geometry import Shape, dump, load
from chorus.server.services.round_files import Prediction, by_chance, is_trusted
from chorus.server.storage.tx import Tx
from chorus.server.storage.tx.rounds import ShapeRow

CHUNK = 1000
PICTURES = "pictures.jsonl"


class PictureRow(msgspec.Struct):
    """A line of pictures.jsonl (see chorus/ml/detect_files)."""

    item_id: int
    content_hash: str
    path: str
    width: int
    height: int
    label: list[list[float]] | None
    weights: list[float]
    trusted: bool
    open: bool
    unseen: list[int] = []


def write_pictures(
    tx: Tx, project: Project, original: Callable[[str], Path], path: Path
) -> tuple[int, list[str]]:
    """Write the detector's input; returns (labeled pictures, content hashes of all).

    All labeled pictures with their boxes, then the open ones that come next. weights: the share of
    those who looked that drew a box. What half of them or fewer drew is there, too: it is in no
    label, and yet no proof that there is nothing.

    trusted: nobody saw a predicted box. unseen: classes of which nobody can have seen one, since no
    round had shown any yet; the label is evidence about those, whatever else was shown.
    """
    first = first_shown(tx, project)
    classes = len(tx.classes(project.project_id))
    hashes: list[str] = []
    labeled = 0
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as out:

        def write(row: PictureRow) -> None:
            hashes.append(row.content_hash)
            out.write(msgspec.json.encode(row) + b"\n")

        after = 0
        while rows := tx.labeled_shapes(project.project_id, after, CHUNK):
            after = rows[-1].item_id
            standing = tx.standing_between(project.project_id, rows[0].item_id, after)
            for row in rows:
                boxes, weights = _weighed(project, row.label, standing.get(row.item_id, ()))
                write(
                    PictureRow(
                        row.item_id, row.content_hash, str(original(row.content_hash)), row.width,
                        row.height, boxes, weights, is_trusted(row, project), False,
                        _unseen(row, project, standing.get(row.item_id, ()), first, classes),
                    )
                )  # fmt: skip
                labeled += 1
        for item_id, content_hash, width, height in tx.open_pictures(
            project.project_id, open_most(labeled)
        ):
            where = str(original(content_hash))
            write(PictureRow(item_id, content_hash, where, width, height, None, [], False, True))
    os.replace(temporary, path)
    return labeled, hashes


def first_shown(tx: Tx, project: Project) -> dict[int, int]:
    """By class, when the first round began that has shown boxes of it, since the evidence began."""
    first: dict[int, int] = {}
    for one in tx.rounds(project.project_id):
        if (one.finished_at or one.started_at) < project.evidence_since:
            continue
        # One that did not end well may have landed in part.
        if one.state == "done" and not msgspec.json.decode(one.body).get("prelabeled"):
            continue
        card = msgspec.json.decode(tx.card(project.project_id, one.number) or "{}")
        for row in card.get("per_class", ()):
            if row["threshold"] is not None:
                first.setdefault(row["class"], one.started_at)
    return first


def _unseen(
    row: ShapeRow, project: Project, votes: Sequence[StandingVote], first: Mapping[int, int],
    classes: int,
) -> list[int]:  # fmt: skip
    if row.preset is not None or not by_chance(row, project):
        return []
    shown = {shape.cls for v in votes if v.prelabel for shape in load(v.prelabel)}
    at = row.label_at or 0
    return [c for c in range(classes) if c not in shown and at < first.get(c, at + 1)]


def _weighed(
    project: Project, label: str, votes: Sequence[StandingVote]
) -> tuple[list[list[float]], list[float]]:
    """(boxes as rows of class, x, y, width, height, how much each counts)."""
    said = [load(v.value) for v in votes if v.kind == "label" and v.value is not None]
    shapes = load(label)
    if len(said) > 1:
        found = merge_shapes(said, project.iou)
        if dump(m.shape for m in found.shapes) == label:  # no reviewer has said otherwise
            both = [*found.shapes, *found.disputed]
            return [_row(m.shape) for m in both], [m.seen / m.of for m in both]
    return [_row(shape) for shape in shapes], [1.0] * len(shapes)


def _row(shape: Shape) -> list[float]:
    return [shape.cls, *shape.box]


class _Line(msgspec.Struct):
    item_id: int
    shapes: list[list[float]]


def read_found(path: Path) -> dict[int, Prediction]:
    """What the detector would show on each picture, canonical with scores; score: their mean."""
    out: dict[int, Prediction] = {}
    if not path.exists():
        return out
    with path.open("rb") as lines:
        for line in lines:
            found = msgspec.json.decode(line, type=_Line)
            shapes = [
                Shape(int(cls), (x, y, w, h), None, score)
                for cls, x, y, w, h, score in found.shapes
            ]
            mean = sum(s.score or 0.0 for s in shapes) / len(shapes) if shapes else 0.0
            out[found.item_id] = Prediction(dump(shapes), round(mean, 4))
    return out


def card_of(folder: Path) -> dict[str, Any]:
    card: dict[str, Any] = msgspec.json.decode((folder / "card.json").read_bytes())
    return card
