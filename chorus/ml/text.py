"""Texts to feature vectors: which encoders there are, and what of a text they are given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np

from chorus.ml import minilm, ngrams
from chorus.ml.store import Floats

WORDS = 128
"""Of a text, from its beginning, its fields one after the other. A word is what stands between
white space; minilm_l6 then cuts words into pieces and reads at most 256 of those."""
DIMS = {minilm.NAME: minilm.DIM, ngrams.NAME: ngrams.DIM}
BATCH = 32
READ = 512
"""Texts in memory at once, put into batches by length."""


class _Stored(msgspec.Struct):
    fields: list[tuple[str, str]]


def is_text(backbone: str) -> bool:
    """Whether a backbone encodes texts; else pictures."""
    return backbone in DIMS


def read(path: Path) -> str:
    """The beginning of a stored text (formats/texts of the server: `{"fields": [[name, text]]}`).

    Raises `OSError` or `msgspec.DecodeError` for a file that is none.
    """
    found = msgspec.json.decode(path.read_bytes(), type=_Stored)
    return beginning("\n".join(text for _, text in found.fields))


def beginning(text: str) -> str:
    """The first WORDS words."""
    return " ".join(text.split(maxsplit=WORDS)[:WORDS])


def embed(texts: Sequence[str], backbone: str, models: Path, threads: int) -> Floats:
    """(len(texts), DIMS[backbone]) float32, each row of length one."""
    if backbone == ngrams.NAME:
        return ngrams.embed(texts)
    # A batch is filled up to its longest text: alike lengths together cost the least.
    order = sorted(range(len(texts)), key=lambda n: len(texts[n]))
    out = np.zeros((len(texts), DIMS[backbone]), dtype=np.float32)
    for at in range(0, len(order), BATCH):
        some = order[at : at + BATCH]
        out[some] = minilm.embed([texts[n] for n in some], models, threads)
    return out


def features_of(
    paths: Sequence[Path], backbone: str, models: Path, threads: int
) -> Iterator[tuple[list[int], Floats, list[tuple[int, str]]]]:
    """As of featurize.features_of: (positions in `paths`, features, [(position, reason)] of the
    files that are no texts)."""
    for first in range(0, len(paths), READ):
        at: list[int] = []
        texts: list[str] = []
        bad: list[tuple[int, str]] = []
        for n in range(first, min(first + READ, len(paths))):
            try:
                texts.append(read(paths[n]))
                at.append(n)
            # A hostile file may raise nearly anything; it is that file's fault alone.
            except Exception as error:
                bad.append((n, f"{type(error).__name__}: {error}"))
        yield at, embed(texts, backbone, models, threads), bad
