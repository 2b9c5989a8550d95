"""The files that a round's jobs share: read whole, written whole by rename."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chorus.ml.sets import from_text
from chorus.ml.store import Features, hashes_of

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
PROGRESS_EVERY_S = 0.3
BATCH = 4096
"""Rows of a thread in memory at once: 42 MB as float32 of 2,560 dimensions."""
FLAGS = ("trusted", "survivor", "open")
LINES = 50_000
"""Lines of a table in memory as text at once."""


@dataclass
class Items:
    """The rows of items.tsv that have features, as arrays of the same length."""

    ids: Ints
    labels: Ints
    """Class index, -1 where there is no label; of sets, 0 where there is one."""
    targets: Floats
    """(labeled rows, c): one-hot or soft, in order; of sets, the probability of each class."""
    sets: Bools
    """(labeled rows, c): the classes of each label, in order."""
    trusted: Bools
    survivor: Bools
    open: Bools
    fresh: Bools
    """Nobody has it or has had it: if it is open, it may be chosen to be labeled next."""
    rows: Ints
    """(parts of the store, n): where the features are."""
    store: Features
    tuned: Bools
    """The fine-tuned network among the backbones has learned from it: no evidence."""
    skipped: int
    """Rows without features (not featurized yet, or not readable)."""

    def features(self, rows: Bools | Ints) -> Floats:
        """(number of rows, dim): a mask or positions."""
        return self.store.read(self.rows[:, rows])

    def batches(self, rows: Bools) -> list[Ints]:
        """Positions of a mask, BATCH at a time: the features of all need not fit in memory."""
        at = np.flatnonzero(rows)
        return [at[start : start + BATCH] for start in range(0, len(at), BATCH)]


def read_items(
    round_dir: Path, store: Features, classes: int, multilabel: bool = False, tuned: int = 0
) -> Items:
    """items.tsv of a round, of `classes` classes; with `multilabel`, labels are sets of them.
    tuned: the number of the fine-tuning whose network is among the backbones."""
    ids: list[Ints] = []
    labels: list[Ints] = []
    targets: list[Floats] = []
    sets: list[Bools] = []
    flags: list[Bools] = []
    places: list[Ints] = []
    asked = 0
    for table in _tables(round_dir / "items.tsv"):
        rows = store.locate(hashes_of(table["content_hash"]))
        known: Bools = (rows >= 0).min(axis=0)
        asked += len(known)
        labeled = [i for i in np.flatnonzero(known).tolist() if table["label"][i]]
        label = np.full(len(known), -1, dtype=np.int64)
        target = np.zeros((len(labeled), classes), dtype=np.float32)
        applies = np.zeros((len(labeled), classes), dtype=bool)
        for at, i in enumerate(labeled):
            applies[at] = from_text(table["label"][i], classes)
            label[i] = 0 if multilabel else int(table["label"][i])
            if table["soft"][i]:
                for pair in table["soft"][i].split(","):
                    value, _, share = pair.partition(":")
                    target[at, int(value)] = float(share)
                if not multilabel:
                    target[at] /= target[at].sum()
            else:
                target[at] = applies[at]
        ids.append(np.array(list(map(int, table["item_id"])), dtype=np.int64)[known])
        labels.append(label[known])
        targets.append(target)
        sets.append(applies)
        columns = [table[name] for name in FLAGS] + [table.get("fresh", table["open"])]
        drawn = np.array(list(map(int, table.get("tuned", ["0"] * len(known)))), dtype=np.int64)
        masks = [np.array(c, dtype=str) == "1" for c in columns] + [(drawn > 0) & (drawn <= tuned)]
        flags.append(np.stack(masks)[:, known])
        places.append(rows[:, known])
    trusted, survivor, is_open, fresh, learned = np.concatenate(flags, axis=1)
    kept = np.concatenate(ids)
    return Items(
        kept, np.concatenate(labels), np.concatenate(targets), np.concatenate(sets), trusted,
        survivor, is_open, fresh, np.concatenate(places, axis=1), store, learned,
        asked - len(kept),
    )  # fmt: skip


def _tables(path: Path) -> Iterator[dict[str, list[str]]]:
    """A tab-separated file as columns, LINES lines at a time, at least once.

    Splitting whole blocks of text is several times faster than line by line, and half a million
    lines as dicts would take a gigabyte.
    """
    with path.open(encoding="ascii") as lines:
        names = next(lines).rstrip("\n").split("\t")
        while True:
            block = list(islice(lines, LINES))
            cells = "".join(block).replace("\n", "\t").split("\t")
            yield {name: cells[at :: len(names)][: len(block)] for at, name in enumerate(names)}
            if len(block) < LINES:
                return


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
