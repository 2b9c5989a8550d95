"""Votes as the estimating job is given them: files of services/skills, and the table they make."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from chorus.server.consensus.table import Ints, VoteTable

UNSEEN = -1
TRUTH = 0.99
"""Chance that a gold item's label is right, where people did not make it themselves by voting."""


class VoteFiles:
    """A folder with votes.tsv, checks.tsv, gold.tsv, model.tsv and rules.json.

    `rows`: (item, user, value, shown or "") of votes and of answers on checks; `items`: their
    numbers; `workers`: user ids, each once, in an order that depends on the answers alone.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        rules = msgspec.json.decode((folder / "rules.json").read_bytes())
        self.classes = int(rules["classes"])
        self.method = str(rules["method"])
        self.sets = bool(rules.get("sets"))
        """A label is a set of classes."""
        checks = [[*row, ""] for row in _rows(folder / "checks.tsv")]
        self.rows = [*_rows(folder / "votes.tsv"), *checks]
        self.items = {
            item: n for n, item in enumerate(sorted({row[0] for row in self.rows}, key=int))
        }
        self.workers = _in_order_of_work(self.rows)
        number = {worker: n for n, worker in enumerate(self.workers)}
        self._item = np.array([self.items[row[0]] for row in self.rows], dtype=np.int64)
        self._worker = np.array([number[row[1]] for row in self.rows], dtype=np.int64)
        self._weight = _weights(self.rows) if checks else None

    def table(self, values: Sequence[int] | Ints, classes: int) -> VoteTable:
        """The votes as a table. `values` (n,): what each of `rows` says, below `classes`."""
        value = np.asarray(values, dtype=np.int64)
        sizes = len(self.items), len(self.workers), classes
        return VoteTable(self._item, self._worker, value, *sizes, self._weight)

    def gold(self) -> Iterator[tuple[int, str]]:
        """(number of the item, its label) of known truths that people have voted on."""
        return self._of_items("gold.tsv")

    def views(self) -> Iterator[tuple[int, str]]:
        """(number of the item, the model's view of it; see domain/probs)."""
        return self._of_items("model.tsv")

    def _of_items(self, name: str) -> Iterator[tuple[int, str]]:
        for row in _rows(self.folder / name):
            if row[0] in self.items:
                yield self.items[row[0]], row[1]


def _in_order_of_work(rows: list[list[str]]) -> list[str]:
    """User ids are random, and the same answers shall give the same estimate."""
    work: dict[str, list[tuple[int, str, str]]] = {}
    for row in rows:
        work.setdefault(row[1], []).append((int(row[0]), row[2], row[3]))
    return sorted(work, key=lambda user_id: sorted(work[user_id]))


def _weights(rows: list[list[str]]) -> Any:
    """(n,): what one person has said of one item, however often, is one witness."""
    times = Counter((row[0], row[1]) for row in rows)
    return np.array([1 / times[row[0], row[1]] for row in rows])


def _rows(path: Path) -> Iterator[list[str]]:
    with path.open(encoding="ascii") as lines:
        for line in lines:
            yield line.rstrip("\n").split("\t")
