"""Bytes a little wrong: what a fuzzer does where nothing tells it which way to go."""

from __future__ import annotations

import random
from collections.abc import Sequence

ODD = (
    b"", b"\0", b"\xff", b"\xff\xfe", b"\xef\xbb\xbf", b"\r", b"\n", b",", b'"', b"'", b"{}", b"[]",
    b"null", b"true", b"-1", b"0", b"1e999", b"NaN", b"9" * 30, b"../", b"/etc/passwd", b"\\",
    b"<!DOCTYPE x [<!ENTITY a 'b'>]>", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80", b"A" * 300, b"[" * 300,
)  # fmt: skip


def mutated(seeds: Sequence[bytes], rng: random.Random, most: int = 1 << 16) -> bytes:
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 2, 4, 8))):
        at = rng.randrange(len(data) + 1)
        to = min(len(data), at + rng.choice((0, 1, 1, 4, 16, 64)))
        kind = rng.randrange(7)
        if kind == 0 and data:
            data[min(at, len(data) - 1)] ^= 1 << rng.randrange(8)
        elif kind == 1 and data:
            data[min(at, len(data) - 1)] = rng.choice((0, 1, 127, 128, 255))
        elif kind == 2:
            del data[at:to]
        elif kind == 3:
            data[at:to] = rng.choice(ODD)
        elif kind == 4:
            data[at:at] = data[at:to] * rng.choice((1, 2, 20))
        elif kind == 5:
            other = rng.choice(seeds)
            data[at:to] = other[rng.randrange(len(other) + 1) :][: rng.choice((1, 8, 64, 4096))]
        else:
            del data[at:]
    return bytes(data[:most])
