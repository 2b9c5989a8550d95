"""Ids that a client makes, so that what is sent twice is kept once."""

from __future__ import annotations

import time
import uuid
from secrets import randbits


def new_id() -> str:
    """A version 7 UUID (RFC 9562): the time in ms, then chance. Newer ones come later in order, so
    that the server's index of votes grows at its end rather than everywhere."""
    bits = (time.time_ns() // 1_000_000 & (1 << 48) - 1) << 80 | randbits(80)
    bits = bits & ~(0xF << 76) | 0x7 << 76
    bits = bits & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=bits))
