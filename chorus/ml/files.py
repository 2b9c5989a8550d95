"""The files that a round's jobs share: read whole, written whole by rename."""

from __future__ import annotations

import csv
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chorus.ml.store import Features

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
PROGRESS_EVERY_S = 0.3
BATCH = 8192
"""Rows in memory at once: 84 MB as float32 of 2,560 dimensions."""


@dataclass
class Items:
    """The rows of items.tsv that have features, as arrays of the same length."""

    ids: Ints
    labels: Ints
    """Class index, -1 where there is no label."""
    targets: Floats
    """(n, c): one-hot or soft; zeros where there is no label."""
    trusted: Bools
    survivor: Bools
    open: Bools
    hashes: list[str]
    store: Features
    skipped: int
    """Rows without features (not featurized yet, or not readable)."""

    def features(self, rows: Bools | Ints) -> Floats:
        """(number of rows, dim): a mask or positions."""
        at = np.flatnonzero(rows) if rows.dtype == bool else rows
        return self.store.get([self.hashes[i] for i in at])[0]

    def batches(self, rows: Bools) -> Iterator[Floats]:
        """The same, BATCH rows at a time: all items need not fit in memory."""
        at = np.flatnonzero(rows)
        for start in range(0, len(at), BATCH):
            yield self.features(at[start : start + BATCH])


def read_items(round_dir: Path, store: Features, classes: int) -> Items:
    with (round_dir / "items.tsv").open(encoding="ascii", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    asked = len(rows)
    unknown = set(store.missing([r["content_hash"] for r in rows]))
    rows = [r for i, r in enumerate(rows) if i not in unknown]
    n = len(rows)
    labels = np.full(n, -1, dtype=np.int64)
    targets = np.zeros((n, classes), dtype=np.float32)
    for i, row in enumerate(rows):
        if row["label"]:
            labels[i] = int(row["label"])
            if row["soft"]:
                for pair in row["soft"].split(","):
                    value, _, share = pair.partition(":")
                    targets[i, int(value)] = float(share)
                targets[i] /= targets[i].sum()
            else:
                targets[i, labels[i]] = 1.0
    return Items(
        np.array([int(r["item_id"]) for r in rows], dtype=np.int64),
        labels,
        targets,
        np.array([r["trusted"] == "1" for r in rows], dtype=bool),
        np.array([r["survivor"] == "1" for r in rows], dtype=bool),
        np.array([r["open"] == "1" for r in rows], dtype=bool),
        [r["content_hash"] for r in rows],
        store,
        asked - n,
    )


def write_tsv(path: Path, header: str, rows: Iterable[Iterable[Any]]) -> None:
    """`header` is tab-separated; the file appears whole."""
    part = path.with_name(path.name + ".tmp")
    with part.open("w", encoding="ascii") as out:
        out.write(header + "\n")
        for row in rows:
            out.write("\t".join(str(cell) for cell in row) + "\n")
    os.replace(part, path)


def write_json(path: Path, body: dict[str, Any]) -> None:
    part = path.with_name(path.name + ".tmp")
    part.write_text(json.dumps(body), encoding="utf-8")
    os.replace(part, path)


def save_arrays(path: Path, **arrays: NDArray[Any]) -> None:
    part = path.with_name("part-" + path.name)
    np.savez(part, **arrays)  # type: ignore[arg-type]
    os.replace(part, path)


def reporter(path: Path) -> Callable[[float], None]:
    """A function that keeps the share done (0..1) in a small file, a few times a second."""
    last = 0.0

    def report(share: float) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < PROGRESS_EVERY_S and share < 1.0:
            return
        last = now
        part = path.with_name(path.name + ".tmp")
        part.write_text(f"{share:.4f}")
        os.replace(part, path)

    return report
