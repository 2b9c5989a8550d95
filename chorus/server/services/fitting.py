"""How many rows one answer has: as many as were asked for, while they fit a message."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

ANSWER_BYTES = 2 << 20
"""Of an answer's rows, as JSON. A socket is closed when several times that waits for it
(`OUTBOX_MAX` of transport/hub.py): whoever asks for many large drawings gets a few at a time."""

_encode = msgspec.json.Encoder().encode


def fitting(rows: Iterable[dict[str, Any]], most: int = ANSWER_BYTES) -> Iterator[dict[str, Any]]:
    """The first rows, of at most so many bytes together; one at least, however large. No more rows
    are made than one that no longer fits."""
    left, first = most, True
    for row in rows:
        left -= len(_encode(row))
        if left < 0 and not first:
            return
        yield row
        first = False
