"""Pictures as the detector gets them: whole, or as one of several random views to learn from."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from chorus.ml.detect_size import Fit
from chorus.ml.featurize import scaled_jpeg

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Pixels = NDArray[np.uint8]

EMPTY = 128
"""Grey of a canvas beside its picture."""
ZOOM = 1.3
"""Views are up to so much larger or smaller."""
LIGHT = 0.25
"""Brightness and contrast of views change by up to this share."""
VISIBLE = 0.4
"""Of a box that a view's edge cuts, as a share of its area; below, it is left out."""


@dataclass(frozen=True)
class Boxes:
    """What people say is on a picture. boxes (n, 4): left, top, right, bottom in pixels of the
    upright picture; weights (n,): share of those who looked that saw it."""

    boxes: Floats
    classes: Ints
    weights: Floats

    @property
    def agreed(self) -> Boxes:
        """Those that more than half of the people drew: the label."""
        kept = self.weights > 0.5
        return Boxes(self.boxes[kept], self.classes[kept], self.weights[kept])


def read(path: Path, least: tuple[int, int]) -> Image.Image:
    """A picture, upright, RGB; a JPEG perhaps smaller than it is, but at least (width, height).
    Raises `OSError` or `ValueError`."""
    data = path.read_bytes()
    image = scaled_jpeg(data, *least)
    if image is None:
        image = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    return image


def whole(image: Image.Image, size: tuple[int, int], fit: Fit) -> Pixels:
    """(height, width, 3) of the canvas. size: (width, height) of the upright picture."""
    wide, high = inside(size, fit)
    small = image.resize((wide, high), Image.Resampling.BILINEAR, reducing_gap=2.0)
    canvas = np.full((fit.height, fit.width, 3), EMPTY, dtype=np.uint8)
    canvas[:high, :wide] = np.asarray(small)
    return canvas


def inside(size: tuple[int, int], fit: Fit) -> tuple[int, int]:
    """(width, height) of the picture on its canvas."""
    return (
        min(fit.width, max(1, round(size[0] * fit.scale))),
        min(fit.height, max(1, round(size[1] * fit.scale))),
    )


def view(
    image: Image.Image, size: tuple[int, int], fit: Fit, boxes: Boxes, rng: np.random.Generator
) -> tuple[Pixels, Boxes]:
    """A random part at a random size, perhaps mirrored, lighter or darker, and what is on it, in
    pixels of the canvas. Where the canvas shows a small part only, half of the views are around one
    of the boxes."""
    scale = fit.scale * math.exp(rng.uniform(-math.log(ZOOM), math.log(ZOOM)))
    wide, high = (max(1, round(side * scale)) for side in size)
    small = image.resize((wide, high), Image.Resampling.BILINEAR, reducing_gap=2.0)
    around = len(boxes.classes) > 0 and rng.random() < 0.5
    chosen = boxes.boxes[int(rng.integers(len(boxes.classes)))] if around else None
    x, y = (
        _corner(
            side, length, None if chosen is None else scale * (chosen[i] + chosen[i + 2]) / 2, rng
        )
        for i, (side, length) in enumerate(((fit.width, wide), (fit.height, high)))
    )
    canvas = np.full((fit.height, fit.width, 3), EMPTY, dtype=np.uint8)
    part = np.asarray(small)[max(0, -y) : fit.height - y, max(0, -x) : fit.width - x]
    top, left = max(0, y), max(0, x)
    canvas[top : top + part.shape[0], left : left + part.shape[1]] = lit(part, rng)
    moved = boxes.boxes * np.array([wide / size[0], high / size[1]] * 2, dtype=np.float32)
    moved += np.array([x, y, x, y], dtype=np.float32)
    edge = np.array([left, top, left + part.shape[1], top + part.shape[0]])
    cut = np.concatenate(
        [np.maximum(moved[:, :2], edge[:2]), np.minimum(moved[:, 2:], edge[2:])], axis=1
    ).astype(np.float32)
    kept = (area(cut) >= VISIBLE * area(moved)) & (cut[:, 2:] - cut[:, :2] >= 1).all(axis=1)
    cut = cut[kept]
    if rng.random() < 0.5:
        canvas = canvas[:, ::-1]
        cut = np.stack([fit.width - cut[:, 2], cut[:, 1], fit.width - cut[:, 0], cut[:, 3]], axis=1)
    return np.ascontiguousarray(canvas), Boxes(cut, boxes.classes[kept], boxes.weights[kept])


def _corner(side: int, length: int, centre: float | None, rng: np.random.Generator) -> int:
    """Where, along one side of a canvas, the beginning of a picture comes to lie: any place where
    nothing is wasted, and where the point `centre` of the picture is on the canvas."""
    low, high = min(0, side - length), max(0, side - length)
    if centre is not None:
        low, high = max(low, math.ceil(-centre)), min(high, math.floor(side - centre))
    return int(rng.integers(low, max(low, high) + 1))


def lit(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """With another brightness and contrast."""
    contrast, brightness = 1 + rng.uniform(-LIGHT, LIGHT, 2)
    table = ((np.arange(256) - 128) * contrast + 128) * brightness
    found: Pixels = np.clip(table, 0, 255).astype(np.uint8)[pixels]
    return found


def area(boxes: Floats) -> Floats:
    """(n,)"""
    sides = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None)
    found: Floats = sides[:, 0] * sides[:, 1]
    return found
