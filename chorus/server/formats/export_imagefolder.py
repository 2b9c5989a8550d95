"""Pictures and a `metadata.jsonl` as Hugging Face `datasets` opens them: `imagefolder`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from chorus.server.formats.media import Media, suffix_of
from chorus.server.formats.rows import ExportRow

FOLDER = "train"
_CHUNK = 64 * 1024
_encode = msgspec.json.Encoder().encode


def metadata_jsonl(rows: Iterable[ExportRow], media: Media, sets: bool) -> Iterator[bytes]:
    """A line for every picture that is here: file_name, label (of label sets `labels`), name,
    item_id, content_hash, confidence, state, source."""
    buffer = bytearray()
    for row, path in _here(rows, media):
        line: dict[str, Any] = {
            "file_name": _name(row, path),
            "labels" if sets else "label": row.label,
            "name": row.name,
            "item_id": row.item_id,
            "content_hash": row.content_hash,
            "confidence": row.confidence,
            "state": row.state,
            "source": row.source,
        }
        buffer += _encode(line) + b"\n"
        if len(buffer) >= _CHUNK:
            yield bytes(buffer)
            buffer.clear()
    yield bytes(buffer)


def pictures(rows: Iterable[ExportRow], media: Media) -> Iterator[tuple[str, Path]]:
    """(path in the folder, file) of each of them."""
    for row, path in _here(rows, media):
        yield f"{FOLDER}/{_name(row, path)}", path


def _here(rows: Iterable[ExportRow], media: Media) -> Iterator[tuple[ExportRow, Path]]:
    for row in rows:
        path = media.picture(row.content_hash)
        if path is not None:
            yield row, path


def _name(row: ExportRow, path: Path) -> str:
    """Two items may have one name, and a name may be no path: the id is neither."""
    return f"{row.item_id:08}{suffix_of(path) or Path(row.name).suffix or '.jpg'}"
