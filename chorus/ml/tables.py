"""Columns of numbers as text, for tables of half a million rows: whole columns at a time.

Formatting cell by cell costs several times as much: a round's predictions would take longer to
write down than to make.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

BLOCK = 50_000
"""Rows in memory as text at once."""
TEN_THOUSANDTHS = [f"{k / 10_000:.4f}" for k in range(10_001)]

Columns = Callable[[slice], Sequence[Iterable[str]]]
"""The columns of some rows."""


def decimals(values: NDArray[np.floating], places: int) -> list[str]:
    """(n,) numbers with so many places."""
    shape = f"%.{places}f"
    return [shape % value for value in values.tolist()]


def integers(values: NDArray[np.integer]) -> list[str]:
    return list(map(str, values.tolist()))


def likeliest(probabilities: NDArray[np.floating], most: int) -> list[str]:
    """(n, c) probabilities -> each row's `most` likeliest classes as "3:0.8100,5:0.1100,…"."""
    n, classes = probabilities.shape
    most = min(most, classes)
    if n == 0 or most == 0:
        return [""] * n
    best = np.argpartition(-probabilities, most - 1, axis=1)[:, :most]
    share = np.take_along_axis(probabilities, best, axis=1)
    # Equal ones by class, so that the same numbers give the same text everywhere.
    order = np.lexsort((best, -share), axis=1)
    best = np.take_along_axis(best, order, axis=1)
    ticks = np.rint(np.take_along_axis(share, order, axis=1).astype(np.float64) * 10_000)
    names = [f"{c}:" for c in range(classes)]
    pairs = [
        [names[c] + TEN_THOUSANDTHS[tick] for c, tick in zip(cs, ts, strict=True)]
        for cs, ts in zip(best.T.tolist(), ticks.astype(int).T.tolist(), strict=True)
    ]
    return list(map(",".join, zip(*pairs, strict=True)))


def write_table(path: Path, header: str, rows: int, columns: Columns) -> None:
    """A tab-separated file of so many rows; it appears whole. `header` is tab-separated."""
    part = path.with_name(path.name + ".tmp")
    with part.open("w", encoding="ascii") as out:
        out.write(header + "\n")
        for at in range(0, rows, BLOCK):
            some = columns(slice(at, min(at + BLOCK, rows)))
            out.write("\n".join(map("\t".join, zip(*some, strict=True))))
            out.write("\n")
    os.replace(part, path)
