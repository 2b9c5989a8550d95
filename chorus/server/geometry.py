"""Shapes on pictures: boxes and polygons as people draw them, as they are stored, and how far two
of them are the same. Pure; below everything that knows of projects or people.

Coordinates are pixels of the upright picture, origin top left, x to the right, y down, as in COCO.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]
"""(x, y, width, height) in pixels."""
Points = tuple[tuple[float, float], ...]
Matrix = NDArray[np.float64]
ROWS = 256
"""Shapes compared with all others at a time: memory stays small with thousands of them."""
DECIMALS = 2
"""Coordinates are kept to a hundredth of a pixel."""


class Shape(msgspec.Struct, frozen=True):
    """One thing on a picture."""

    cls: int
    """Index of its class."""
    box: Box
    """The box itself; of a polygon, the one around it."""
    points: Points | None = None
    """Corners of a polygon, at least 3, without repeating the first; None: a box."""
    score: float | None = None
    """How sure the model is, 0..1; None: drawn by a person, or merged from what people drew."""

    @property
    def plain(self) -> Shape:
        """The same without a score."""
        return self if self.score is None else msgspec.structs.replace(self, score=None)


# -- as it is stored


def dump(shapes: Iterable[Shape]) -> str:
    """The canonical string: compact JSON, sorted, so that equal values are equal strings.

    `[[class, x, y, w, h], …]` for boxes, `[[class, [x1, y1, x2, y2, …]], …]` for polygons, each
    with its score at the end if it has one; `[]` for an empty picture.
    """
    return msgspec.json.encode(sorted(_row(shape) for shape in shapes)).decode()


def load(value: str) -> list[Shape]:
    """The shapes of a canonical string, in its order."""
    out: list[Shape] = []
    for row in msgspec.json.decode(value):
        if isinstance(row[1], list):
            points = tuple(zip(row[1][0::2], row[1][1::2], strict=True))
            out.append(Shape(row[0], around(points), points, row[2] if len(row) > 2 else None))
        else:
            out.append(Shape(row[0], tuple(row[1:5]), None, row[5] if len(row) > 5 else None))
    return out


def plain(value: str) -> str:
    """A canonical string without scores: what people would have sent had they let it stand."""
    return dump(shape.plain for shape in load(value))


def is_shapes(value: str) -> bool:
    """Is this canonical string one of shapes, rather than of classes?"""
    return value.startswith("[")


def number(value: float) -> float:
    """A coordinate as it is kept: an integer where it is one, so that "10" and "10.0" are equal."""
    rounded = round(float(value), DECIMALS)
    whole = int(rounded)
    return whole if whole == rounded else rounded


def _row(shape: Shape) -> list[Any]:
    score = [] if shape.score is None else [number_of_score(shape.score)]
    if shape.points is None:
        return [shape.cls, *map(number, shape.box), *score]
    return [shape.cls, [number(c) for point in shape.points for c in point], *score]


def number_of_score(score: float) -> float:
    """A score as it is kept."""
    return round(float(score), 4)


# -- polygons


def around(points: Sequence[tuple[float, float]]) -> Box:
    """The box around some points."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    x, y = min(xs), min(ys)
    return number(x), number(y), number(max(xs) - x), number(max(ys) - y)


def ring(points: Iterable[tuple[float, float]]) -> Points:
    """The one way to say a polygon: rounded, no corner twice in a row, clockwise as seen on the
    picture, beginning at the smallest corner. Fewer than 3 corners may be left."""
    out: list[tuple[float, float]] = []
    for x, y in points:
        point = (number(x), number(y))
        if not out or out[-1] != point:
            out.append(point)
    while len(out) > 1 and out[0] == out[-1]:
        out.pop()
    if len(out) < 3:
        return tuple(out)
    if _doubled_area(out) < 0:
        out.reverse()
    first = out.index(min(out))
    return tuple(out[first:] + out[:first])


def is_simple(points: Points) -> bool:
    """Does the polygon's outline neither cross nor touch itself, and hold an area?"""
    import shapely  # takes a while, and only polygons need it

    polygon = shapely.Polygon(points)
    return bool(polygon.is_valid and polygon.area > 0)


def _doubled_area(points: Sequence[tuple[float, float]]) -> float:
    """Twice the area by the shoelace formula; above 0: clockwise, as y runs down."""
    return sum(
        x1 * y2 - x2 * y1
        for (x1, y1), (x2, y2) in zip(points, [*points[1:], points[0]], strict=True)
    )


# -- how far two shapes are the same


def iou(a: Shape, b: Shape) -> float:
    """Intersection over union of two shapes, 0..1; classes do not matter."""
    return float(iou_matrix([a], [b])[0, 0])


def iou_matrix(a: Sequence[Shape], b: Sequence[Shape]) -> Matrix:
    """(len(a), len(b)): intersection over union (Jaccard 1901) of every two shapes, 0..1.

    Of boxes from their corners; as soon as a polygon is among them from the areas themselves, by
    GEOS through shapely.
    """
    if not a or not b:
        return np.zeros((len(a), len(b)))
    if any(s.points is not None for s in (*a, *b)):
        return _areas_iou(a, b)
    return _boxes_iou(_corners(a), _corners(b))


def overlapping(shapes: Sequence[Shape], least: float) -> Iterator[tuple[int, int, float]]:
    """(i, j, overlap) of every two shapes, i < j, that overlap by at least `least` > 0."""
    for at in range(0, len(shapes), ROWS):
        some = shapes[at : at + ROWS]
        overlaps = iou_matrix(some, shapes[at:])
        for i, j in zip(*np.nonzero(overlaps >= least - 1e-9), strict=True):
            if i < j:
                yield at + int(i), at + int(j), float(overlaps[i, j])


def _corners(shapes: Sequence[Shape]) -> Matrix:
    """(n, 4): x1, y1, x2, y2 of the boxes."""
    boxes = np.array([s.box for s in shapes], dtype=np.float64).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return boxes


def _overlaps(a: Matrix, b: Matrix) -> Matrix:
    """(len(a), len(b)): area common to every two boxes, given by corners."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    return np.asarray(np.prod(np.maximum(high - low, 0.0), axis=2), dtype=np.float64)


def _boxes_iou(a: Matrix, b: Matrix) -> Matrix:
    common = _overlaps(a, b)
    sizes = [np.prod(corners[:, 2:] - corners[:, :2], axis=1) for corners in (a, b)]
    union = sizes[0][:, None] + sizes[1][None, :] - common
    out: Matrix = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return out


def _areas_iou(a: Sequence[Shape], b: Sequence[Shape]) -> Matrix:
    import shapely

    out = np.zeros((len(a), len(b)))
    rows, columns = np.nonzero(_overlaps(_corners(a), _corners(b)) > 0)
    if len(rows):
        ours, theirs = _polygons(a)[rows], _polygons(b)[columns]
        common = shapely.area(shapely.intersection(ours, theirs))
        union = shapely.area(ours) + shapely.area(theirs) - common
        out[rows, columns] = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return out


def _polygons(shapes: Sequence[Shape]) -> Any:
    """(n,) shapely polygons."""
    import shapely

    def of(shape: Shape) -> Any:
        if shape.points is not None:
            return shapely.Polygon(shape.points)
        x, y, w, h = shape.box
        return shapely.box(x, y, x + w, y + h)

    return np.array([of(shape) for shape in shapes], dtype=object)
