"""Boxes on pictures as simulations have them: what is there, how far two sets of them agree.

Coordinates are pixels of the upright picture: x, y (upper left corner), width, height.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from chorus.simulate.names import ByName
from chorus.simulate.options import BadOptions

SAME = 0.5
"""Boxes of one class that overlap by this much (intersection over union) mean the same thing."""
PICTURE_F1 = 0.9
"""A picture is labeled right when the F1 of its boxes is at least this."""
MOST = 2000
"""Detections of a picture that mAP looks at; pycocotools' own limit is 100."""


class Box(msgspec.Struct, frozen=True):
    name: str
    """Of its class."""
    box: tuple[float, float, float, float]
    score: float = 1.0


class GoldPicture(msgspec.Struct, frozen=True):
    """What is on a picture of the gold file."""

    width: float
    height: float
    boxes: tuple[Box, ...]


class GoldBoxes(ByName[GoldPicture]):
    """A COCO file's boxes by item name."""

    def __init__(self, pictures: Mapping[str, GoldPicture], classes: Sequence[str]) -> None:
        super().__init__(pictures)
        self.classes = list(classes)


def read_gold_boxes(path: Path) -> GoldBoxes:
    """COCO: `images` with sizes, `annotations` with `bbox` in pixels, `categories`. Raises
    `BadOptions`."""
    try:
        document = json.loads(path.read_text("utf-8"))
        classes = {c["id"]: str(c["name"]) for c in document["categories"]}
        boxes: dict[Any, list[Box]] = {image["id"]: [] for image in document["images"]}
        for one in document["annotations"]:
            x, y, width, height = (float(c) for c in one["bbox"])
            boxes[one["image_id"]].append(Box(classes[one["category_id"]], (x, y, width, height)))
        pictures = {
            str(image["file_name"]): GoldPicture(
                float(image["width"]), float(image["height"]), tuple(boxes[image["id"]])
            )
            for image in document["images"]
        }
    except OSError as error:
        raise BadOptions(f"{path}: {error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise BadOptions(
            f"{path.name}: no COCO with images (file_name, width, height), annotations (bbox) and"
            f" categories: {error!r}"
        ) from error
    if not pictures or not classes:
        raise BadOptions(f"{path.name}: it has no images or no categories")
    return GoldBoxes(pictures, sorted(classes.values()))


# -- as they travel


def of_wire(value: Mapping[str, Any]) -> list[Box]:
    """`{"boxes": [{"class", "box", "score"?}]}`. A label's boxes have, as scores, how many of those
    who looked drew them."""
    boxes = []
    for one in value["boxes"]:
        x, y, width, height = (float(c) for c in one["box"])
        boxes.append(Box(one["class"], (x, y, width, height), _score(one)))
    return boxes


def _score(one: Mapping[str, Any]) -> float:
    if one.get("score") is not None:
        return float(one["score"])
    seen, of = one.get("seen"), one.get("of")
    return seen / of if seen and of else 1.0


def to_wire(boxes: Iterable[Box]) -> dict[str, list[dict[str, Any]]]:
    return {"boxes": [{"class": b.name, "box": list(b.box)} for b in boxes]}


def of_cell(cell: str | None) -> list[Box] | None:
    """A label's cell of an export; None: no label."""
    return of_wire(json.loads(cell)) if cell else None


# -- how far they agree


def overlaps(a: Sequence[Box], b: Sequence[Box]) -> NDArray[np.float64]:
    """(len(a), len(b)): intersection over union; classes do not matter."""
    if not a or not b:
        return np.zeros((len(a), len(b)))
    from pycocotools import mask

    left, right = (np.array([one.box for one in some], dtype=np.float64) for some in (a, b))
    return np.asarray(mask.iou(left, right, [0] * len(b)), dtype=np.float64)


def pairs(
    found: Sequence[Box], gold: Sequence[Box], least: float = SAME, *, classes: bool = True
) -> list[tuple[int, int, float]]:
    """(place in found, place in gold, overlap), one to one, the greatest overlap first, as COCO's
    evaluation matches; `classes`: only those of the same class."""
    matrix = overlaps(found, gold)
    rows, columns = np.nonzero(matrix >= least)
    out: list[tuple[int, int, float]] = []
    left, right = set(range(len(found))), set(range(len(gold)))
    for at in np.argsort(-matrix[rows, columns], kind="stable"):
        i, j = int(rows[at]), int(columns[at])
        if i in left and j in right and (not classes or found[i].name == gold[j].name):
            left.remove(i)
            right.remove(j)
            out.append((i, j, float(matrix[i, j])))
    return out


class Score(msgspec.Struct):
    """Boxes counted: right ones, those found, those that are there."""

    right: int = 0
    found: int = 0
    there: int = 0

    def add(self, found: Sequence[Box], gold: Sequence[Box]) -> Score:
        """Count one picture too; returns that picture's own score."""
        one = Score(len(pairs(found, gold)), len(found), len(gold))
        self.right += one.right
        self.found += one.found
        self.there += one.there
        return one

    @property
    def precision(self) -> float | None:
        return self.right / self.found if self.found else None

    @property
    def recall(self) -> float | None:
        return self.right / self.there if self.there else None

    @property
    def f1(self) -> float | None:
        """Of nothing found where nothing is: 1. None before anything was counted."""
        total = self.found + self.there
        return 2 * self.right / total if total else None


def is_right(found: Sequence[Box], gold: Sequence[Box]) -> bool:
    """Is a picture labeled right?"""
    f1 = Score().add(found, gold).f1
    return f1 is None or f1 >= PICTURE_F1


def map50(
    pictures: Iterable[tuple[Sequence[Box], Sequence[Box]]], classes: Sequence[str]
) -> float | None:
    """Mean over the classes of the average precision at an overlap of 0.5, by pycocotools.

    `pictures`: (found, gold) of each. None where no class has a gold box.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    category = {name: n for n, name in enumerate(classes, 1)}
    images: list[dict[str, Any]] = []
    there: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    for number, (some, gold) in enumerate(pictures, 1):
        images.append({"id": number})
        there += [_annotation(len(there) + n, number, b, category) for n, b in enumerate(gold, 1)]
        found += [_annotation(0, number, b, category) | {"score": b.score} for b in some]
    if not there:
        return None
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "images": images,
            "annotations": there,
            "categories": [{"id": n, "name": name} for name, n in category.items()],
        }
        coco.createIndex()
        if not found:
            return 0.0
        judge = COCOeval(coco, coco.loadRes(found), "bbox")
        judge.params.iouThrs = np.array([SAME])
        judge.params.maxDets = [MOST]
        judge.params.areaRng, judge.params.areaRngLbl = [[0, 1e10]], ["all"]
        judge.evaluate()
        judge.accumulate()
    precision = judge.eval["precision"][0, :, :, 0, 0]
    known = precision[:, precision[0] > -1]
    return float(known.mean()) if known.size else None


def _annotation(number: int, image: int, box: Box, category: Mapping[str, int]) -> dict[str, Any]:
    _, _, width, height = box.box
    return {
        "id": number,
        "image_id": image,
        "category_id": category[box.name],
        "bbox": list(box.box),
        "area": width * height,
        "iscrowd": 0,
    }
