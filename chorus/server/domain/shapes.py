"""Shapes as they come in: what can be a label, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chorus.server.errors import ApiError
from chorus.server.geometry import (
    Shape,
    around,
    dump,
    heaped,
    iou,
    iou_matrix,
    is_shapes,
    is_simple,
    load,
    number,
    plain,
    ring,
)

__all__ = [
    "HEAPED_MAX",
    "POINTS_IN_ALL_MAX",
    "POINTS_MAX",
    "SHAPES_MAX",
    "SIDE_MIN",
    "Shape",
    "dump",
    "iou",
    "iou_matrix",
    "is_shapes",
    "load",
    "plain",
    "read_shapes",
    "wire_shapes",
]  # fmt: skip

SHAPES_MAX = 2_000
"""On one picture."""
POINTS_MAX = 2_000
"""Corners of one polygon."""
POINTS_IN_ALL_MAX = 20_000
"""Corners of all polygons on one picture. With this an answer fits one message (`FRAME_MAX` of
transport/protocol.py), and can be drawn on, compared and merged while somebody waits."""
HEAPED_MAX = 20_000
"""Pairs of shapes of one answer that lie on one another (200 shapes in one place come to as many):
each is compared with all that others drew there, while nobody else's answer is kept."""
SIDE_MIN = 2.0
"""Pixels: whatever is smaller is a slip of the hand."""
FAR = 1e9
"""No picture is that large: neither are infinities, nor what is no number."""
OVER_PX = 1.0
OVER_SHARE = 0.005
"""A shape may stick out of the picture by this much, whichever is more; it is cut off there."""

Size = tuple[int, int]
"""Width and height of the upright picture."""
KEYS = {"boxes": "box", "polygons": "points"}
"""By task type: what of a shape on the wire says where it is."""
EXAMPLES = {
    "boxes": '{"boxes": [{"class": "name", "box": [x, y, width, height]}, …]}',
    "polygons": '{"polygons": [{"class": "name", "points": [[x, y], …]}, …]}',
}


def read_shapes(
    value: object, task_type: str, index: Callable[[str], str], size: Size, *, scored: bool = False
) -> str:
    """Wire value -> canonical string.

    `index` gives a class's index by its name (`Schema.index`). `scored`: a model's answer, whose
    shapes keep their scores. Raises `ApiError('bad_value')` that names the shape by its number,
    from 1.
    """
    rows = value.get(task_type) if isinstance(value, dict) else None
    if not isinstance(rows, list):
        raise ApiError("bad_value", f"a label needs a value like {EXAMPLES[task_type]}")
    if len(rows) > SHAPES_MAX:
        raise ApiError("bad_value", f"a picture has at most {SHAPES_MAX:,} shapes")
    if (points := sum(map(_corners, rows))) > POINTS_IN_ALL_MAX:
        most = f"all polygons of a picture have at most {POINTS_IN_ALL_MAX:,} points together"
        raise ApiError("bad_value", f"{most}, and these {points:,}")
    shapes = []
    for n, row in enumerate(rows, 1):
        try:
            shapes.append(_shape(row, task_type, index, size, scored))
        except ApiError as error:
            raise ApiError("bad_value", f"{_NOUN[task_type]} {n}: {error.message}") from None
    shapes = list(dict.fromkeys(shapes))  # one that lies exactly on another is a slip of the hand
    if heaped(shapes, HEAPED_MAX):
        raise ApiError("bad_value", "too many shapes lie on one another")
    return dump(shapes)


def _corners(row: object) -> int:
    """How many points it says it has."""
    points = row.get("points") if isinstance(row, Mapping) else None
    return len(points) if isinstance(points, list | tuple) else 0


_NOUN = {"boxes": "box", "polygons": "polygon"}


def wire_shapes(value: str, names: Sequence[str]) -> list[dict[str, Any]]:
    """Canonical string -> the list on the wire. names: of the classes, by index."""
    return [wire_shape(shape, names) for shape in load(value)]


def wire_shape(shape: Shape, names: Sequence[str]) -> dict[str, Any]:
    """`{"class", "box" | "points", "score"?}`."""
    out: dict[str, Any] = {"class": names[shape.cls]}
    if shape.points is None:
        out["box"] = [number(c) for c in shape.box]
    else:
        out["points"] = [list(point) for point in shape.points]
    if shape.score is not None:
        out["score"] = shape.score
    return out


def _shape(
    row: object, task_type: str, index: Callable[[str], str], size: Size, scored: bool
) -> Shape:
    if not isinstance(row, Mapping) or not isinstance(row.get("class"), str):
        raise ApiError("bad_value", "it needs a class")
    cls = int(index(row["class"]))
    score = _score(row.get("score")) if scored else None
    given = row.get(KEYS[task_type])
    if task_type == "boxes":
        x, y, w, h = _numbers(given, 4, "box must be [x, y, width, height]")
        if w < SIDE_MIN or h < SIDE_MIN:
            raise ApiError("bad_value", f"it is smaller than {SIDE_MIN:g} pixels")
        (x1, y1), (x2, y2) = _inside((x, y), size), _inside((x + w, y + h), size)
        x, y = number(x1), number(y1)
        box = (x, y, number(x2 - x), number(y2 - y))
        points = None
    else:
        if not isinstance(given, list | tuple) or not 3 <= len(given) <= POINTS_MAX:
            raise ApiError("bad_value", f"points must be 3 to {POINTS_MAX:,} of [x, y]")
        corners = [_numbers(point, 2, "a point must be [x, y]") for point in given]
        points = ring(_inside((x, y), size) for x, y in corners)
        if len(points) < 3 or not is_simple(points):
            raise ApiError("bad_value", "its outline crosses or touches itself, or has no area")
        box = around(points)
    if box[2] < SIDE_MIN or box[3] < SIDE_MIN:
        raise ApiError("bad_value", f"it is smaller than {SIDE_MIN:g} pixels")
    return Shape(cls, box, points, score)


def _numbers(given: object, count: int, message: str) -> list[float]:
    if not isinstance(given, list | tuple) or len(given) != count:
        raise ApiError("bad_value", message)
    for c in given:
        if isinstance(c, bool) or not isinstance(c, int | float) or not abs(c) < FAR:
            raise ApiError("bad_value", f"{message}, finite numbers")
    return [float(c) for c in given]


def _inside(point: tuple[float, float], size: Size) -> tuple[float, float]:
    """The point, moved to the picture's edge where it is a little outside. Raises bad_value."""
    out = []
    for c, side in zip(point, size, strict=True):
        over = max(OVER_PX, OVER_SHARE * side)
        if not -over <= c <= side + over:
            raise ApiError("bad_value", f"it is outside of the picture ({size[0]} × {size[1]})")
        out.append(min(max(c, 0.0), float(side)))
    return out[0], out[1]


def _score(given: object) -> float | None:
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given <= 1:
        raise ApiError("bad_value", "a score is a number from 0 to 1")
    return float(given)
