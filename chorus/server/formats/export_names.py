"""What a picture's files are called in an export that names them after the item."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from chorus.server.formats.rows import ExportRow

_BAD = re.compile(r'[\0-\x1f<>:"|?*\x7f]')
"""What some file system does not take in a name."""
_LONG = 200
"""Bytes of a part of a path: most take 255, with what is put behind."""


def stems(rows: Iterable[ExportRow]) -> Iterator[tuple[ExportRow, str]]:
    """Each row with the item's name as a path of its own, without ending: "in/a.jpg" -> "in/a". A
    second item that would be called the same gets its id behind, "in/a-17". The same rows give the
    same paths. Keeps all of them in memory (about 100 bytes each)."""
    taken: set[str] = set()
    for row in rows:
        stem = _stem(row.name) or str(row.item_id)
        while _alike(stem) in taken:
            stem = f"{stem}-{row.item_id}"
        taken.add(_alike(stem))
        yield row, stem


def _alike(stem: str) -> str:
    """Equal for paths that are one on some file system."""
    return unicodedata.normalize("NFC", stem).lower()


def _stem(name: str) -> str:
    parts = [part for part in name.replace("\\", "/").split("/") if part.strip(". ")]
    # One that begins with a dot is hidden, and left out where the export is brought in again.
    parts = [re.sub(r"^\.", "_", _BAD.sub("_", part).strip()) for part in parts]
    if not parts:
        return ""
    last, dot, ending = parts[-1].rpartition(".")
    if dot and last and len(ending) <= 5:
        parts[-1] = last
    return "/".join(part.encode()[:_LONG].decode(errors="ignore").strip() for part in parts)
