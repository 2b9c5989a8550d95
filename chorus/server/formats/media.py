"""The pictures and texts themselves, for exports that take them along. Used in worker processes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from chorus.server.formats.blobfiles import THUMB_PX, Size, blob_path
from chorus.server.formats.rows import Drawing, ExportRow
from chorus.server.formats.sniff import DICOM_TYPE, HEAD_BYTES, sniff

if TYPE_CHECKING:
    from chorus.server.formats import texts

_COPIES: tuple[Size, ...] = ("m", "s")
_SUFFIXES = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/webp": ".webp",
    "image/gif": ".gif",
    "image/bmp": ".bmp",
    "image/tiff": ".tif",
    DICOM_TYPE: ".dcm",
}


class Media:
    """What lies in the blob folders `roots`; the first that has it is asked."""

    def __init__(self, *roots: Path) -> None:
        self._roots = roots
        self.missing: set[str] = set()
        """Content hashes of what was asked for and is not here."""

    def picture(self, row: ExportRow, pixels: bool = False) -> Path | None:
        """The original, or the largest copy that is here; None: none is. Of a DICOM file, which few
        programs open, the copy. `pixels`: what is drawn on it is told in pixels, so a copy must
        have as many."""
        original = self._at(row.content_hash, "o")
        if original is not None and _kind(original) != DICOM_TYPE:
            return original
        longest = max(row.width, row.height) if pixels and isinstance(row.label, Drawing) else 0
        for size in _COPIES:
            if longest <= THUMB_PX[size] and (copy := self._at(row.content_hash, size)):
                return copy
        if original is None:
            self.missing.add(row.content_hash)
        return original

    def _at(self, content_hash: str, size: Size) -> Path | None:
        paths = (blob_path(root, content_hash, size) for root in self._roots)
        return next((path for path in paths if path.is_file()), None)

    def fields(self, content_hash: str) -> texts.Fields | None:
        """The (name, text) pairs of a text; None when it is not here or is none."""
        # Most exports take no texts along, and it brings NumPy: a sixth of a second.
        from chorus.server.formats import texts

        for root in self._roots:
            try:
                return texts.read(blob_path(root, content_hash, "o").read_bytes())
            except (OSError, msgspec.DecodeError):
                continue
        self.missing.add(content_hash)
        return None


def suffix_of(path: Path) -> str:
    """The ending that the content of a picture asks for."""
    return _SUFFIXES.get(_kind(path) or "", "")


def _kind(path: Path) -> str | None:
    with path.open("rb") as file:
        return sniff(file.read(HEAD_BYTES))


def joined(fields: texts.Fields) -> str:
    """A text of several fields as one."""
    return "\n\n".join(text for _, text in fields)
