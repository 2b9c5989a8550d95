"""What files say of boxes and polygons: in pixels or in shares of a picture whose size they may get
wrong, until the item that is meant is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

Kind = Literal["boxes", "polygons"]
ASPECT_MOST = 0.01
"""Two sizes have the same form when their ratios of width to height differ by no more."""


class ShapeIn(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One box or polygon."""

    name: str
    """Of its class."""
    box: tuple[float, float, float, float] | None = None
    """x, y, width, height; None: there are only corners."""
    points: list[tuple[float, float]] | None = None
    """Corners of a polygon; None: it has none, or none that can be used (see `why`)."""
    why: str | None = None
    """Why there are no corners although the file has an outline."""
    score: float | None = None


class Drawn(msgspec.Struct, kw_only=True, omit_defaults=True):
    """All that is drawn on one picture; no shapes: nothing is on it."""

    shapes: list[ShapeIn]
    shares: bool = False
    """Coordinates are shares of the picture's width and height."""
    width: float = 0.0
    height: float = 0.0
    """Of the picture that pixels are meant on; 0: the file does not say."""


class Misplaced(ValueError):
    """The shapes are on no such picture, or are not of the kind that is wanted."""


def placed(drawn: Drawn, kind: Kind, size: tuple[int, int]) -> dict[str, Any]:
    """The wire value of a label (`{"boxes": [...]}` or `{"polygons": [...]}`) in pixels of a
    picture of `size` (width, height, upright), not yet checked against it.

    A file's own size must have the same form; a smaller or larger copy's shapes are scaled. Boxes
    may come from polygons, polygons not from boxes. Raises `Misplaced`.
    """
    across, down = _scale(drawn, size)
    out = []
    for number, shape in enumerate(drawn.shapes, 1):
        one: dict[str, Any] = {"class": shape.name}
        if kind == "boxes":
            x, y, width, height = shape.box or around(shape.points or [])
            one["box"] = [x * across, y * down, width * across, height * down]
        elif shape.points is None:
            why = shape.why or "it is a box, and a polygon is wanted"
            raise Misplaced(f"polygon {number}: {why}")
        else:
            one["points"] = [[x * across, y * down] for x, y in shape.points]
        if shape.score is not None:
            one["score"] = shape.score
        out.append(one)
    return {kind: out}


def _scale(drawn: Drawn, size: tuple[int, int]) -> tuple[float, float]:
    width, height = size
    if drawn.shares:
        return width, height
    if drawn.width <= 0 or drawn.height <= 0:
        return 1.0, 1.0
    across, down = width / drawn.width, height / drawn.height
    if abs(across / down - 1) > ASPECT_MOST and max(
        abs(width - drawn.width), abs(height - drawn.height)
    ) > 1:  # fmt: skip
        raise Misplaced(
            f"the file has a picture of {drawn.width:g} × {drawn.height:g} pixels, and it is one of"
            f" {width} × {height} (upright)"
        )
    return across, down


def around(points: Sequence[tuple[float, float]]) -> tuple[float, float, float, float]:
    """x, y, width, height of the box around some points; of none at all an empty one."""
    if not points:
        return 0.0, 0.0, 0.0, 0.0
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)


def pairs(flat: Sequence[float]) -> list[tuple[float, float]]:
    """x1, y1, x2, y2, … as points. Raises `ValueError` for an odd number of them."""
    return list(zip(flat[::2], flat[1::2], strict=True))


def finite(values: object, count: int | None = None) -> list[float] | None:
    """A list of (`count`) numbers, maybe as text; None for anything else."""
    if not isinstance(values, list | tuple) or (count is not None and len(values) != count):
        return None
    out = []
    for value in values:
        if isinstance(value, bool):
            return None
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            return None
        if not math.isfinite(number):
            return None
        out.append(number)
    return out
