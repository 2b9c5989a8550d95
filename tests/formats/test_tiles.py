"""Large pictures in pieces: together they are the picture, upright, on every level."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from chorus.server.formats.tiles import TILE, cut, grid, sizes, tile_path

HASH = "ab" * 32


def noise(width: int, height: int) -> Image.Image:
    """Large soft spots, which JPEG keeps."""
    rng = np.random.default_rng(3)
    small = rng.integers(0, 255, (9, 12, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


@given(width=st.integers(1, 9000), height=st.integers(1, 9000))
def test_the_pieces_cover_the_picture(width: int, height: int) -> None:
    levels = sizes(width, height)
    places = grid(width, height)
    assert len({level for level, _, _ in places}) == len(levels)
    for level, (w, h) in enumerate(levels):
        columns = {c for at, c, _ in places if at == level}
        rows = {r for at, _, r in places if at == level}
        assert (len(columns) - 1) * TILE < w <= len(columns) * TILE
        assert (len(rows) - 1) * TILE < h <= len(rows) * TILE
    assert not levels or max(levels[-1]) <= 2 * 1024


@pytest.mark.parametrize("orientation", [1, 6])
def test_they_are_the_picture_upright(tmp_path: Path, orientation: int) -> None:
    image = noise(2500, 1300)
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / "in.jpg", quality=95, exif=exif)
    size = cut(str(tmp_path / "in.jpg"), str(tmp_path), HASH)
    shown = image if orientation == 1 else image.transpose(Image.Transpose.ROTATE_270)
    assert size == shown.size
    for level, (w, h) in enumerate(sizes(*size)):
        whole = Image.new("RGB", (w, h))
        for at, column, row in grid(*size):
            if at == level:
                piece = Image.open(tile_path(tmp_path, HASH, level, column, row))
                whole.paste(piece, (column * TILE, row * TILE))
        wanted = shown.resize((w, h), Image.Resampling.BOX)
        off = np.abs(np.asarray(whole, np.int16) - np.asarray(wanted, np.int16))
        assert off.mean() < 3


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("words")
    with pytest.raises(ValueError, match="not an image"):
        cut(str(tmp_path / "in.txt"), str(tmp_path), HASH)
