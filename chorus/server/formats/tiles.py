"""Large pictures in pieces, to be looked at closely: a pyramid of JPEG tiles, as maps have it on
the web. Runs in worker processes."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from chorus.server.formats.blobfiles import STAGING, THUMB_PX, blob_path
from chorus.server.formats.images import upright

TILE = 1024
"""Pixels; those at the right and lower border are smaller."""
QUALITY = 90
Place = tuple[int, int, int]
"""(level, column, row)."""


def sizes(width: int, height: int) -> list[tuple[int, int]]:
    """The picture's size (pixels) on each level: 0 is the full one, each further one half of it,
    as long as it is larger than the large thumbnail."""
    found = []
    while max(width, height) > THUMB_PX["m"]:
        found.append((width, height))
        width, height = max(1, (width + 1) // 2), max(1, (height + 1) // 2)
    return found


def grid(width: int, height: int) -> set[Place]:
    """All pieces of a picture of this size."""
    return {
        (level, column, row)
        for level, (w, h) in enumerate(sizes(width, height))
        for column in range(-(-w // TILE))
        for row in range(-(-h // TILE))
    }


def tile_path(root: Path, content_hash: str, level: int, column: int, row: int) -> Path:
    """Where a piece lies, whether it exists or not."""
    return blob_path(root, content_hash, "o").with_name(
        f"{content_hash}.t{level:d}_{column:d}_{row:d}.jpg"
    )


def cut(original: str, root: str, content_hash: str) -> tuple[int, int]:
    """Write all pieces of a picture; its size. Raises `ValueError` if it cannot be read, `OSError`
    if there is no room for them."""
    image = upright(Path(original))
    full = image.size
    for level, size in enumerate(sizes(*full)):
        if level:
            image = image.resize(size, Image.Resampling.BOX)
        for column, row, piece in _pieces(image):
            _write(tile_path(Path(root), content_hash, level, column, row), Path(root), piece)
    return full


def _pieces(image: Image.Image) -> Iterator[tuple[int, int, Image.Image]]:
    width, height = image.size
    for column, x in enumerate(range(0, width, TILE)):
        for row, y in enumerate(range(0, height, TILE)):
            box = (x, y, min(width, x + TILE), min(height, y + TILE))
            yield column, row, image.crop(box)


def _write(path: Path, root: Path, piece: Image.Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = root / STAGING / uuid.uuid4().hex
    part.parent.mkdir(parents=True, exist_ok=True)
    piece.save(part, "JPEG", quality=QUALITY)
    part.replace(path)
