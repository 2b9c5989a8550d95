"""The pictures and texts themselves, for exports that take them along. Used in worker processes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from chorus.server.formats.blobfiles import Size, blob_path
from chorus.server.formats.sniff import sniff

if TYPE_CHECKING:
    from chorus.server.formats import texts

_SIZES: tuple[Size, ...] = ("o", "m", "s")
_SUFFIXES = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/webp": ".webp",
    "image/gif": ".gif",
    "image/bmp": ".bmp",
    "image/tiff": ".tif",
}


class Media:
    """What lies in the blob folders `roots`; the first that has it is asked."""

    def __init__(self, *roots: Path) -> None:
        self._roots = roots
        self.missing: set[str] = set()
        """Content hashes of what was asked for and is not here."""

    def picture(self, content_hash: str) -> Path | None:
        """The original, or the largest size that is here; None: none is."""
        for size in _SIZES:
            for root in self._roots:
                path = blob_path(root, content_hash, size)
                if path.is_file():
                    return path
        self.missing.add(content_hash)
        return None

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
    with path.open("rb") as file:
        return _SUFFIXES.get(sniff(file.read(64)) or "", "")


def joined(fields: texts.Fields) -> str:
    """A text of several fields as one."""
    return "\n\n".join(text for _, text in fields)
