"""Items as JSON Lines: one object a line, everything there is of an item and its votes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec

from chorus.server.formats.rows import ExportRow
from chorus.server.formats.texts import Fields

_CHUNK = 64 * 1024
_encode = msgspec.json.Encoder().encode


def items_jsonl(
    rows: Iterable[ExportRow], text: Callable[[ExportRow], Fields | None] | None = None
) -> Iterator[bytes]:
    """The fields of `ExportRow`, votes as those of `VoteRow`, in chunks of about 64 KiB.

    `text`: what gives an item's text; then each object has `text`, a list of [name, text], too.
    """
    buffer = bytearray()
    for row in rows:
        buffer += _encode(row)
        if text is not None:
            buffer[-1:] = b',"text":' + _encode(text(row)) + b"}"
        buffer += b"\n"
        if len(buffer) >= _CHUNK:
            yield bytes(buffer)
            buffer.clear()
    yield bytes(buffer)
