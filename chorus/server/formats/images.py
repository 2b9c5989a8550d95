"""Making pictures ready: validate, hash, measure, thumbnails. Runs in worker processes."""

from __future__ import annotations

import hashlib
import io
import math
import re
import uuid
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import simplejpeg
from PIL import Image, ImageCms, UnidentifiedImageError

from chorus.server.formats import dicom
from chorus.server.formats.blobfiles import THUMB_PX, Batch, Size, blob_path
from chorus.server.formats.patience import processor_seconds
from chorus.server.formats.sniff import BROWSER_SAFE, DICOM_TYPE, sniff

MAX_BYTES = 256 * 1024 * 1024
MAX_PIXELS = 100_000_000
"""A decoded picture takes 3 to 4 bytes per pixel in a worker."""
DECODE_S = 60.0
"""Seconds of processor time for one picture. The largest that is meant to be looked at takes three;
a small file can be made that takes days (a progressive JPEG of a million scans)."""
JPEG_QUALITY = 85
# An original may stand in for its thumbnail only when it also loads like one.
_STAND_IN_BYTES: dict[Size, int] = {"s": 128 * 1024, "m": 2 * 1024 * 1024}
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
_PLAIN_MODES = ("RGB", "RGBA", "L", "LA", "P", "1")
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation -> what makes it upright; 1 is upright, and anything else is not valid."""
_SIDEWAYS = {_TURNS[n] for n in (5, 6, 7, 8)}


class Prepared(msgspec.Struct, frozen=True):
    """One picture (or text, see `texts`), stored under its content hash."""

    name: str
    content_hash: str
    """SHA-256 of the file's bytes, 64 hex digits."""
    width: int
    """Pixels, upright (after EXIF orientation)."""
    height: int
    media_type: str
    bytes: int
    length: int = 0
    """Of a text, in characters."""
    view: dicom.View | None = None
    """Of a DICOM file: which frame and which window of it is shown."""


class Fault(msgspec.Struct, frozen=True):
    """One file that does not go in, and why, in words for the person who brought it."""

    name: str
    reason: str


class _Bad(Exception):
    """The reason, as the person reads it."""


def prepare_batch(
    items: Sequence[tuple[str, str]], blob_root: str, originals: bool = True
) -> list[Prepared | Fault]:
    """Store each (name, path) under `blob_root`; one answer per item, in the same order.

    When it returns, the originals and thumbnails of every `Prepared` are durably on disk. A
    thumbnail is an upright RGB JPEG; a small original that every browser shows has none. Without
    `originals` only thumbnails are stored, and every picture has both. Raises `OSError` only when
    the blob folder itself cannot be written (disk full).
    """
    root = Path(blob_root)
    answers: list[Prepared | Fault] = []
    with Batch(root) as batch:
        for name, path in items:
            try:
                answers.append(_prepare(name, Path(path), root, batch, originals))
            except _Bad as bad:
                answers.append(Fault(name, str(bad)))
        batch.commit()
    return answers


def render(original: str, target: str, size: Size, center: float, width: float) -> None:
    """Write a thumbnail of a DICOM file in another window. Raises `OSError`, `dicom.BadDicom`."""
    image = dicom.read(_read(Path(original)), MAX_PIXELS).image(center, width)
    if size != "o":
        image.thumbnail((THUMB_PX[size], THUMB_PX[size]), Image.Resampling.LANCZOS)
    path = Path(target)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"part-{uuid.uuid4().hex}")
    part.write_bytes(_jpeg(image, None))
    part.replace(path)


def _prepare(name: str, path: Path, root: Path, batch: Batch, originals: bool) -> Prepared:
    data = _read(path)
    media_type = sniff(data)
    if media_type is None:
        raise _Bad(
            "not an image, or not of a supported kind (JPEG, PNG, WebP, GIF, BMP, TIFF, DICOM)"
        )
    picture = _decode(data, media_type)
    content_hash = hashlib.sha256(data).hexdigest()
    if originals:
        batch.add(blob_path(root, content_hash, "o"), data)
    showable = originals and picture.plain and media_type in BROWSER_SAFE
    longest = max(picture.width, picture.height)
    image = picture.image
    sizes: tuple[Size, ...] = ("m", "s")
    for size in sizes:
        limit = THUMB_PX[size]
        if showable and longest <= limit and len(data) <= _STAND_IN_BYTES[size]:
            continue
        # From large to small: the next thumbnail is made of this one.
        image.thumbnail((limit, limit), Image.Resampling.LANCZOS, reducing_gap=2.0)
        batch.add(blob_path(root, content_hash, size), _jpeg(image, picture.profile))
    return Prepared(
        name, content_hash, picture.width, picture.height, media_type, len(data),
        view=picture.view,
    )  # fmt: skip


def _read(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size == 0:
            raise _Bad("the file is empty (0 bytes)")
        if size > MAX_BYTES:
            raise _Bad(f"the file has {size / 1e6:.0f} MB; the limit is {MAX_BYTES / 1e6:.0f} MB")
        return path.read_bytes()
    except FileNotFoundError:
        raise _Bad("no such file") from None
    except OSError as error:
        raise _Bad(f"cannot be read: {error.strerror or error}") from None


class _Picture(NamedTuple):
    image: Image.Image
    """Upright RGB, all of it; a large JPEG reduced, but never below the larger thumbnail."""
    width: int
    """Upright, of the file."""
    height: int
    plain: bool
    """A browser shows the file itself the same way: not rotated by EXIF, animated, CMYK …"""
    profile: bytes | None
    view: dicom.View | None = None


def upright(path: Path) -> Image.Image:
    """All of a picture in full size: upright RGB. Raises `ValueError` if it is none, or damaged."""
    try:
        data = _read(path)
        media_type = sniff(data)
        if media_type is None:
            raise _Bad("not an image")
        return _decode(data, media_type, full=True).image
    except _Bad as bad:
        raise ValueError(str(bad)) from None


def _decode(data: bytes, media_type: str, full: bool = False) -> _Picture:
    try:
        with warnings.catch_warnings(), processor_seconds(DECODE_S):
            # Pillow warns of size and of odd metadata; ours is to take the picture or say why not.
            warnings.simplefilter("ignore")
            return _open_dicom(data) if media_type == DICOM_TYPE else _open(data, full)
    except _Bad:
        raise
    except dicom.BadDicom as error:
        raise _Bad(str(error)) from None
    except UnidentifiedImageError:
        raise _Bad("damaged: its header cannot be read") from None
    except Image.DecompressionBombError as error:
        # Pillow refuses the largest while reading the header; its message has the number.
        found = re.search(r"\((\d+) pixels\)", str(error))
        raise _Bad(_too_large(int(found[1]) if found else 2 * MAX_PIXELS)) from None
    except MemoryError:
        raise _Bad("too large for this machine's memory") from None
    # Pillow's decoders raise nearly anything on hostile bytes; each is this file's fault, and the
    # rest of the batch goes in.
    except Exception as error:
        if "truncated" in str(error).lower() or isinstance(error, EOFError):
            raise _Bad("damaged: the file ends before the picture does") from None
        raise _Bad(f"cannot be decoded: {str(error) or type(error).__name__}") from None


def _open_dicom(data: bytes) -> _Picture:
    frame = dicom.read(data, MAX_PIXELS)
    image = frame.image()
    return _Picture(image, image.width, image.height, False, None, frame.view)


def _open(data: bytes, full: bool) -> _Picture:
    file = Image.open(io.BytesIO(data), formats=_FORMATS)
    width, height = file.size
    if width * height > MAX_PIXELS:
        raise _Bad(_too_large(width * height))
    turn = _TURNS.get(file.getexif().get(_ORIENTATION, 1))
    profile = file.info.get("icc_profile") if file.mode.startswith(("RGB", "P")) else None
    plain = turn is None and file.mode in _PLAIN_MODES and getattr(file, "n_frames", 1) == 1
    raw = (None if full else _fast_jpeg(data, file)) or _slow(file)
    # What shows through depends on who looks: the model must see what people see, on white.
    plain = plain and not raw.has_transparency_data
    image = _inked(raw) if raw.mode == "CMYK" else _rgb(raw)
    if turn is not None:
        image = image.transpose(turn)
        if turn in _SIDEWAYS:
            width, height = height, width
    return _Picture(image, width, height, plain, profile)


def _too_large(pixels: int) -> str:
    limit = MAX_PIXELS / 1e6
    return f"too large: {pixels / 1e6:,.0f} million pixels; the limit is {limit:.0f} million"


def _fast_jpeg(data: bytes, file: Image.Image) -> Image.Image | None:
    """An ordinary JPEG by libjpeg-turbo, scaled while decoding; None leaves it to Pillow.

    Anything odd goes to Pillow, which has the last word on what is damage.
    """
    if file.format != "JPEG" or file.mode not in ("RGB", "L"):
        return None
    width, height = file.size
    scale = min(1.0, THUMB_PX["m"] / max(width, height))
    try:
        pixels = simplejpeg.decode_jpeg(
            data,
            colorspace="RGB" if file.mode == "RGB" else "GRAY",
            min_width=math.ceil(width * scale),
            min_height=math.ceil(height * scale),
        )
    except ValueError:
        return None
    return Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels)


def _slow(file: Image.Image) -> Image.Image:
    file.load()
    return file


def _rgb(image: Image.Image) -> Image.Image:
    """8-bit RGB; transparency on white; 16 bit and float by their range."""
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image).astype(np.float32)
        finite = values[np.isfinite(values)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
        # 16-bit pictures that use their whole range look as meant; faint ones become visible.
        scaled = (np.nan_to_num(values, nan=low) - low) * (255.0 / ((high - low) or 1.0))
        return Image.fromarray(scaled.clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def _inked(image: Image.Image) -> Image.Image:
    """CMYK by its own profile, where it has one that works."""
    profile = image.info.get("icc_profile")
    if profile:
        try:
            ink = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            shown = ImageCms.profileToProfile(
                image, ink, ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
            if shown is not None:
                return shown
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass  # a broken profile must not keep the picture out
    return image.convert("RGB")


def _jpeg(image: Image.Image, profile: bytes | None) -> bytes:
    out = io.BytesIO()
    try:
        image.save(out, "JPEG", quality=JPEG_QUALITY, icc_profile=profile)
    except (OSError, ValueError):
        # A broken or oversized profile must not keep the picture out.
        out = io.BytesIO()
        image.save(out, "JPEG", quality=JPEG_QUALITY)
    return out.getvalue()
