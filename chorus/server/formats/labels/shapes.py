"""Shapes in JSON: as they travel here, as Hugging Face's `objects`, as lines of Azure's AutoML."""

from __future__ import annotations

from typing import Any

from chorus.server.formats.labels.drawn import Drawn, ShapeIn, finite, pairs
from chorus.server.formats.labels.errors import Bad


def drawn_of(value: Any) -> Drawn | None:
    """What a JSON value draws; None: it is nothing drawn. Raises `Bad`."""
    if isinstance(value, dict):
        for kind in ("boxes", "polygons"):
            if isinstance(value.get(kind), list):
                return Drawn(shapes=[_wire(one, n) for n, one in enumerate(value[kind], 1)])
        if "bbox" in value:
            return _objects(value)
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        if all("topX" in one or "polygon" in one for one in value):
            return Drawn(shapes=[_azure(one, n) for n, one in enumerate(value, 1)], shares=True)
        if all("class" in one for one in value):
            return Drawn(shapes=[_wire(one, n) for n, one in enumerate(value, 1)])
    return None


def _wire(one: Any, number: int) -> ShapeIn:
    if not isinstance(one, dict) or not isinstance(one.get("class"), str):
        raise Bad(f"shape {number} has no class")
    score = one.get("score")
    return ShapeIn(
        name=one["class"],
        box=_box(one.get("box"), number) if one.get("box") is not None else None,
        points=_points(one.get("points"), number) if one.get("points") is not None else None,
        score=float(score) if isinstance(score, int | float) else None,
    )


def _objects(value: dict[str, Any]) -> Drawn | None:
    """Lists side by side: bbox, categories (or category), maybe segmentation."""
    boxes, names = value["bbox"], value.get("categories", value.get("category"))
    if boxes is None or names is None:
        return None
    outlines = value.get("segmentation") or [None] * len(boxes)
    if not isinstance(boxes, list) or not len(boxes) == len(names) == len(outlines):
        raise Bad("objects needs as many categories as bbox")
    shapes = []
    for number, (box, name, flat) in enumerate(zip(boxes, names, outlines, strict=True), 1):
        points = None
        if flat:
            numbers = finite(flat)
            if numbers is None or len(numbers) % 2:
                raise Bad(f"shape {number} has a segmentation that is no x1, y1, x2, y2, …")
            points = pairs(numbers)
        shapes.append(ShapeIn(name=str(name), box=_box(box, number), points=points))
    return Drawn(shapes=shapes)


def _azure(one: dict[str, Any], number: int) -> ShapeIn:
    """`{"label", "topX", "topY", "bottomX", "bottomY"}` or `{"label", "polygon": [[x1, y1, …]]}`,
    in shares of the picture, numbers as text."""
    name = one.get("label")
    if not isinstance(name, str):
        raise Bad(f"shape {number} has no label")
    if str(one.get("isCrowd", "false")).lower() in ("1", "true"):
        raise Bad(f"shape {number} is a crowd, which is no single thing")
    if "polygon" in one:
        points, why = outline(one["polygon"])
        if points is None:
            raise Bad(f"shape {number}: {why}")
        return ShapeIn(name=name, points=points)
    corners = finite([one.get(k) for k in ("topX", "topY", "bottomX", "bottomY")])
    if corners is None:
        raise Bad(f"shape {number} has no topX, topY, bottomX and bottomY")
    left, top, right, bottom = corners
    return ShapeIn(name=name, box=(left, top, right - left, bottom - top))


def outline(value: object) -> tuple[list[tuple[float, float]] | None, str | None]:
    """(the corners of a COCO segmentation, or why it has none that can be used)."""
    if value is None or value == []:
        return None, None
    if not isinstance(value, list):
        return None, "its outline is a mask, and corners are wanted"
    if len(value) != 1:
        return None, f"its outline is in {len(value)} parts"
    numbers = finite(value[0])
    if numbers is None or len(numbers) % 2 or len(numbers) < 6:
        return None, "its outline is no list of x1, y1, x2, y2, … of three corners or more"
    return pairs(numbers), None


def _box(value: object, number: int) -> tuple[float, float, float, float]:
    numbers = finite(value, 4)
    if numbers is None:
        raise Bad(f"the box of shape {number} is not x, y, width and height")
    return numbers[0], numbers[1], numbers[2], numbers[3]


def _points(value: object, number: int) -> list[tuple[float, float]]:
    points = [finite(point, 2) for point in value] if isinstance(value, list) else [None]
    if None in points:
        raise Bad(f"the points of shape {number} are not [[x, y], …]")
    return [(point[0], point[1]) for point in points if point is not None]
