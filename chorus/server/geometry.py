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
Places = NDArray[np.int64]
"""(n,): which of some shapes."""
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
    """Intersection over union (Jaccard 1901) of two shapes, 0..1; classes do not matter. Of boxes
    from their corners, as soon as a polygon is among them from the areas, by GEOS through shapely.
    """
    (ax, ay, aw, ah), (bx, by, bw, bh) = a.box, b.box
    width = min(ax + aw, bx + bw) - max(ax, bx)
    height = min(ay + ah, by + bh) - max(ay, by)
    if width <= 0 or height <= 0:
        return 0.0
    if a.points is None and b.points is None:
        common = width * height
        return common / (aw * ah + bw * bh - common)
    return float(_areas_iou([a], [b])[0])


def iou_matrix(a: Sequence[Shape], b: Sequence[Shape]) -> Matrix:
    """(len(a), len(b)): `iou` of every two shapes."""
    out = np.zeros((len(a), len(b)))
    for i, j, overlap in overlapping([*a, *b], 1e-12, [0] * len(a) + [1] * len(b)):
        out[i, j - len(a)] = overlap
    return out


MANY = 200
"""Shapes from which on a tree finds which of them touch; it takes longer for fewer."""
AT_ONCE = 256
"""Shapes whose neighbours are looked at together: of thousands that all lie on one another there
are millions of pairs."""


def overlapping(
    shapes: Sequence[Shape], least: float, group: Sequence[int]
) -> list[tuple[int, int, float]]:
    """(i, j, overlap) of every two shapes of different groups, i < j, whose `iou` is at least
    `least` > 0."""
    out: list[tuple[int, int, float]] = []
    groups, boxes = np.asarray(group), _boxes(shapes)
    for ours, theirs in _touching(shapes, boxes):
        apart = groups[ours] != groups[theirs]
        i, j = ours[apart], theirs[apart]
        overlaps = _ious(shapes, boxes, i, j)
        enough = overlaps >= least - 1e-9
        out += zip(i[enough].tolist(), j[enough].tolist(), overlaps[enough].tolist(), strict=True)
    return out


def heaped(shapes: Sequence[Shape], most: int) -> bool:
    """Are there more than so many pairs of shapes whose boxes overlap?"""
    n = len(shapes)
    if n * (n - 1) // 2 <= most:
        return False
    left = most
    for ours, _ in _touching(shapes, _boxes(shapes)):
        left -= len(ours)
        if left < 0:
            return True
    return False


def _boxes(shapes: Sequence[Shape]) -> Matrix:
    """(4, n): left edges, upper edges, widths, heights."""
    return np.array([shape.box for shape in shapes], dtype=np.float64).reshape(-1, 4).T


def _touching(shapes: Sequence[Shape], boxes: Matrix) -> Iterator[tuple[Places, Places]]:
    """(i, j) with i < j of every two whose boxes overlap, some at a time."""
    if len(shapes) < MANY:
        found = list(_swept(shapes))
        pairs = np.array(found, dtype=np.int64).reshape(-1, 2)
        yield pairs[:, 0], pairs[:, 1]
        return
    import shapely

    x, y, w, h = boxes
    right, bottom = x + w, y + h
    outlines = shapely.box(x, y, right, bottom)
    tree = shapely.STRtree(outlines)
    for start in range(0, len(shapes), AT_ONCE):
        i, j = tree.query(outlines[start : start + AT_ONCE])
        i = i + start
        # The tree also finds those that have an edge in common, and all twice.
        real = (
            (i < j)
            & (x[i] < right[j])
            & (x[j] < right[i])
            & (y[i] < bottom[j])
            & (y[j] < bottom[i])
        )
        yield i[real], j[real]


def _swept(shapes: Sequence[Shape]) -> Iterator[tuple[int, int]]:
    """The same of few, by a sweep from left to right."""
    active: list[int] = []
    for i in sorted(range(len(shapes)), key=lambda n: shapes[n].box[0]):
        left, top, _, height = shapes[i].box
        active = [j for j in active if shapes[j].box[0] + shapes[j].box[2] > left]
        for j in active:
            other = shapes[j].box
            if other[1] < top + height and top < other[1] + other[3]:
                yield (i, j) if i < j else (j, i)
        active.append(i)


def _ious(shapes: Sequence[Shape], boxes: Matrix, i: Places, j: Places) -> Matrix:
    """(n,): `iou` of shapes i[0] and j[0], i[1] and j[1] …, whose boxes overlap."""
    if any(shape.points is not None for shape in shapes):
        return _areas_iou([shapes[n] for n in i], [shapes[n] for n in j])
    x, y, w, h = boxes
    width = np.minimum(x[i] + w[i], x[j] + w[j]) - np.maximum(x[i], x[j])
    height = np.minimum(y[i] + h[i], y[j] + h[j]) - np.maximum(y[i], y[j])
    common = width * height
    out: Matrix = common / (w[i] * h[i] + w[j] * h[j] - common)
    return out


def _areas_iou(a: Sequence[Shape], b: Sequence[Shape]) -> Matrix:
    """(n,): overlap of the first two, the second two …"""
    import shapely

    ours, theirs = _polygons(a), _polygons(b)
    common = shapely.area(shapely.intersection(ours, theirs))
    union = shapely.area(ours) + shapely.area(theirs) - common
    out: Matrix = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return out


def _polygons(shapes: Sequence[Shape]) -> Any:
    """(n,) shapely polygons."""
    import shapely

    made: dict[int, Any] = {}
    for shape in shapes:
        if id(shape) not in made:
            x, y, w, h = shape.box
            corners = shape.points or ((x, y), (x + w, y), (x + w, y + h), (x, y + h))
            made[id(shape)] = shapely.Polygon(corners)
    return np.array([made[id(shape)] for shape in shapes], dtype=object)
