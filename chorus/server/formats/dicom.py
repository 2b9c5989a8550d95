"""DICOM: one frame of a file as a picture, by window and level. Runs in worker processes."""

from __future__ import annotations

import io
import warnings
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

DICOM_SUFFIXES = frozenset({".dcm", ".dicom"})
_COLOURS = (
    "RGB", "PALETTE COLOR", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_420", "YBR_ICT", "YBR_RCT",
)  # fmt: skip
_GREYS = ("MONOCHROME1", "MONOCHROME2")


class BadDicom(Exception):
    """The file has no picture that can be shown; the message says why."""


class View(msgspec.Struct, frozen=True):
    """How a DICOM file is shown."""

    frame: int
    """From 1: the middle one of `frames`."""
    frames: int
    center: float | None = None
    """The window, in the file's units after rescaling (of a CT: Hounsfield); None: in colour."""
    width: float | None = None
    low: float | None = None
    """The values there are."""
    high: float | None = None


class Slice(NamedTuple):
    """One frame, ready to be shown in any window."""

    values: NDArray[Any]
    """(rows, columns) float32 after rescaling, or (rows, columns, 3) uint8 RGB."""
    view: View
    inverted: bool
    """MONOCHROME1: the least is white."""

    def image(self, center: float | None = None, width: float | None = None) -> Image.Image:
        """RGB, of all values from `center - width / 2` to `center + width / 2`; by default as the
        file says."""
        if self.view.center is None or self.view.width is None:
            return Image.fromarray(self.values)
        middle = self.view.center if center is None else center
        # The standard's linear function (PS3.3 C.11.2.1.2): a window of width w has w - 1 steps,
        # and one of width 1 parts what is above from what is below.
        steps = (self.view.width if width is None else width) - 1
        above = self.values - np.float32(middle - 0.5)
        shades = above / steps + 0.5 if steps > 0 else (above > 0).astype(np.float32)
        bright: NDArray[np.uint8] = (np.nan_to_num(shades).clip(0, 1) * 255 + 0.5).astype(np.uint8)
        return Image.fromarray(255 - bright if self.inverted else bright).convert("RGB")


def read(data: bytes, pixels_max: int) -> Slice:
    """The middle frame of a DICOM file. Raises `BadDicom`; and nearly anything on hostile bytes."""
    import pydicom  # only where a file needs it: it takes a third of a second
    from pydicom.pixels.processing import apply_color_lut, apply_modality_lut
    from pydicom.pixels.utils import pixel_array

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file = pydicom.dcmread(io.BytesIO(data))
        rows, columns = int(file.get("Rows") or 0), int(file.get("Columns") or 0)
        kind = str(file.get("PhotometricInterpretation") or "")
        if "PixelData" not in file or not rows or not columns:
            what = str(file.get("Modality") or "no modality given")
            raise BadDicom(f"a DICOM file without a picture ({what})")
        if rows * columns > pixels_max:
            raise BadDicom(
                f"too large: {rows * columns / 1e6:,.0f} million pixels a frame;"
                f" the limit is {pixels_max / 1e6:.0f} million"
            )
        if kind not in _GREYS + _COLOURS:
            raise BadDicom(f"its colours are of a kind that is not known here: {kind or 'none'}")
        frames = max(1, int(file.get("NumberOfFrames") or 1))
        try:
            found = pixel_array(file, index=frames // 2)
        except (NotImplementedError, RuntimeError) as error:
            syntax = getattr(file.file_meta, "TransferSyntaxUID", None)
            if syntax is None or not syntax.is_compressed:
                raise
            raise BadDicom(
                f"its compression ({syntax.name}) cannot be read here; python-gdcm, installed"
                f" beside Chorus, reads more kinds"
            ) from error
        if kind in _COLOURS:
            if kind == "PALETTE COLOR":
                found = apply_color_lut(found, file)
            return Slice(_eight_bits(found), View(frames // 2 + 1, frames), False)
        values = apply_modality_lut(found, file).astype(np.float32)
    return Slice(values, _view(file, values, frames), kind == "MONOCHROME1")


def _eight_bits(colours: NDArray[Any]) -> NDArray[Any]:
    if colours.dtype == np.uint8:
        return colours
    top = np.iinfo(colours.dtype).max if colours.max(initial=0) > 255 else 255
    return (colours.astype(np.float32) * (255 / top)).clip(0, 255).astype(np.uint8)


def _view(file: Any, values: NDArray[Any], frames: int) -> View:
    padding = file.get("PixelPaddingValue")
    real = values[np.isfinite(values)]
    if padding is not None and file.get("RescaleSlope") is None:
        real = real[real != float(padding)]
    if not real.size:
        real = np.zeros(1, np.float32)
    low, high = float(real.min()), float(real.max())
    center, width = _first(file.get("WindowCenter")), _first(file.get("WindowWidth"))
    if center is None or width is None or width < 1:
        # Nearly all of it: a few specks of metal must not make the rest grey.
        first, last = (float(v) for v in np.percentile(real, (0.5, 99.5)))
        center, width = (first + last + 1) / 2, last - first + 1
    return View(frames // 2 + 1, frames, center, width, low, high)


def _first(value: Any) -> float | None:
    """A window may come as several, the first being the usual one."""
    several = hasattr(value, "__iter__") and not isinstance(value, str)
    try:
        number = float(value[0] if several else value)
    except (TypeError, ValueError, IndexError):
        return None
    return number if np.isfinite(number) else None
