"""Texts to vectors without any pretrained network: hashed n-grams.

The hashing trick (Weinberger et al. 2009): each word, pair of words, and piece of a word of 3 to 5
letters adds +-(1 + ln count) to one of DIM places, both by its hash; the whole is scaled to length
one. Knows no language, so it takes any; what it sees is which words and parts of words occur.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

NAME = "hashed_ngrams"
DIM = 4096
LETTERS = (3, 4, 5)
_WORD = re.compile(r"\w+")
Floats = NDArray[np.float32]


def embed(texts: Sequence[str]) -> Floats:
    """(len(texts), DIM), each of length one, or zero for a text without a word."""
    out = np.zeros((len(texts), DIM), dtype=np.float32)
    for row, text in zip(out, texts, strict=True):
        counts = Counter(_grams(text))
        if not counts:
            continue
        # crc32: the same on every machine and in every version, unlike hash().
        hashes = np.array([zlib.crc32(gram.encode()) for gram in counts], dtype=np.uint32)
        weights = 1 + np.log(np.array(list(counts.values()), dtype=np.float32))
        signs = 1.0 - 2.0 * (hashes >> 31)
        np.add.at(row, hashes % DIM, (signs * weights).astype(np.float32))
        length = np.linalg.norm(row)
        if length > 0:
            row /= length
    return out


def _grams(text: str) -> Iterator[str]:
    words = _WORD.findall(text.lower())
    yield from words
    yield from map(" ".join, pairwise(words))
    for word in words:
        # Bounded, so that beginnings and ends of words differ from their middles; "#" keeps
        # pieces apart from words.
        bounded = f" {word} "
        for n in LETTERS:
            for at in range(len(bounded) - n + 1):
                yield "#" + bounded[at : at + n]
