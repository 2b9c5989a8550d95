"""Pictures to measure with, made on the spot from a seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def tiny(folder: Path, count: int) -> Path:
    """`count` PNG files of 8 × 8 pixels, no two alike."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(1)
    for i, pixels in enumerate(random.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)):
        Image.fromarray(pixels).save(folder / f"{i:06}.png")
    return folder


def photos(folder: Path, count: int) -> Path:
    """`count` JPEG files of 256 × 192 pixels with the detail (and so the bytes) of photos."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(2)
    for i in range(count):
        coarse = Image.fromarray(random.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize((256, 192), Image.Resampling.BICUBIC), dtype=np.int16)
        grain = random.normal(0, 6, smooth.shape).astype(np.int16)
        pixels = np.clip(smooth + grain, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{i:05}.jpg", quality=85)
    return folder
