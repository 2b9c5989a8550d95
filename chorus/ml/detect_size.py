"""How large pictures are for the detector: as large as its objects need, and no larger.

Pure. The cost of a picture grows with its area, and objects that the network sees at a few dozen
pixels are found as well as large ones, so what decides is the smallest kind of object.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

STEP = 32
"""Canvas sides are multiples of this, the network's coarsest stride."""
OBJECT = 24.0
"""A typical object of the smallest class should have this size (root of its area), in pixels …"""
AREA_MIN, AREA_MAX = 128 * 128, 1536 * 1024
"""… but pictures have an area between these, where they allow it …"""
LARGEST = 2.0
"""… and are not enlarged more than this."""
WINDOW = 448
"""Of larger pictures it learns from windows of about this side, so that learning costs the same."""
LEAST_OF_CLASS = 3
"""Classes with fewer boxes do not decide."""


@dataclass(frozen=True)
class Fit:
    """A picture on its canvas: scaled by `scale`, at the top left; the rest is empty."""

    scale: float
    width: int
    height: int
    """Canvas, multiples of STEP."""


def typical_size(classes: Sequence[int], sizes: Sequence[float]) -> float | None:
    """Median size (root of the area, in pixels) of the class whose objects are smallest; of all
    boxes, where no class has LEAST_OF_CLASS. None without boxes."""
    if not len(sizes):
        return None
    of, size = np.asarray(classes), np.asarray(sizes, dtype=np.float64)
    medians = [
        float(np.median(size[of == c])) for c in np.unique(of) if (of == c).sum() >= LEAST_OF_CLASS
    ]
    return min(medians) if medians else float(np.median(size))


def scale_for(
    pictures: Sequence[tuple[int, int]], smallest: float | None, thing: float = OBJECT
) -> float:
    """One scale for all pictures of a project (width, height), whose smallest objects have the size
    `smallest` (see `typical_size`) and are to have the size `thing`: the same object always has
    about the same size."""
    area = float(np.median([w * h for w, h in pictures])) if pictures else 640.0 * 480.0
    wanted = thing / smallest if smallest else 0.0
    least, most = (AREA_MIN / area) ** 0.5, (AREA_MAX / area) ** 0.5
    return float(min(LARGEST, most, max(wanted, least)))


def window(canvas: Fit) -> Fit:
    """What of a picture a view shows: all of it, or a part of the same scale."""
    wide, high = min(canvas.width, WINDOW), min(canvas.height, WINDOW)
    most = WINDOW * WINDOW
    wide = min(canvas.width, max(wide, most // high // STEP * STEP))
    high = min(canvas.height, max(high, most // wide // STEP * STEP))
    return Fit(canvas.scale, wide, high)


def fit(width: int, height: int, scale: float) -> Fit:
    """A picture at `scale`, or less where it is much larger than the others."""
    scale = min(scale, (2 * AREA_MAX / (width * height)) ** 0.5)
    wide, high = (max(STEP, round(side * scale / STEP) * STEP) for side in (width, height))
    scale = min(wide / width, high / height)
    wide, high = (-(-round(side * scale) // STEP) * STEP for side in (width, height))
    return Fit(scale, max(STEP, wide), max(STEP, high))
