"""Votes laid out so that an iteration over all of them is a handful of array operations."""

from __future__ import annotations

import numpy as np

from chorus.server.consensus.table import Floats, Ints, VoteTable

TURNS = 64
"""Columns of first votes, second votes, ...; of items with more, the rest is summed otherwise."""
FLAT_MAX = 4_000_000
"""Votes times classes up to which they are summed in one go (16 bytes each), not by class."""


class Sheet:
    """A `VoteTable`, items in the order of their number of votes, the fullest first.

    So the items with an nth vote are the first so many, and the sum over an item's votes is a sum
    of columns of unequal length: several times faster than a bincount by class. The order of the
    votes in the table does not matter.
    """

    def __init__(self, table: VoteTable, witnesses: Ints) -> None:
        """`witnesses` (items,): how many say something of each item; see `em.informative`."""
        k = table.classes
        self.items, self.workers, self.classes = table.items, table.workers, k
        votes = table.votes_of_items()
        self.order: Ints = np.argsort(-votes, kind="stable")
        """(items,): the table's number of the nth item here."""
        rank = np.empty_like(self.order)
        rank[self.order] = np.arange(self.items)
        # One key instead of three: people's and classes' numbers are below the table's sizes.
        cell = table.worker * k + table.value
        item = rank[table.item]
        rows = np.argsort(item * max(self.workers * k, 1) + cell, kind="stable")
        item, cell = item[rows], cell[rows]
        weight = None if table.weight is None else table.weight[rows]
        per_item = votes[self.order]
        nth = np.arange(len(item)) - np.repeat(np.cumsum(per_item) - per_item, per_item)
        turn = np.argsort(nth, kind="stable")
        ends = np.cumsum(np.bincount(nth, minlength=1))[:TURNS]
        parts = np.split(turn, ends)
        self._columns = [
            (cell[part], None if weight is None else weight[part][:, None]) for part in parts[:-1]
        ]
        rest = parts[-1]
        self._rest = (item[rest], cell[rest], None if weight is None else weight[rest])
        known = witnesses[self.order][item] > 1
        self.item, self.cell = item[known], cell[known]
        """(m,) item here, and worker * classes + value, of the votes that tell of their voters."""
        self.weight = None if weight is None else weight[known]
        self._flat: Ints | None = None
        if len(self.item) * k <= FLAT_MAX:
            self._flat = (self.cell[:, None] * k + np.arange(k)).ravel()

    def counts(self, posterior: Floats) -> Floats:
        """(workers, classes, classes): expected number of votes [who, said, truth]."""
        k = self.classes
        cells = self.workers * k
        shape = (self.workers, k, k)
        if self._flat is not None:
            share = posterior.take(self.item, axis=0)
            if self.weight is not None:
                share *= self.weight[:, None]
            flat = np.bincount(self._flat, share.ravel(), minlength=cells * k)
            return flat.astype(np.float64, copy=False).reshape(shape)
        out = np.empty((cells, k))
        for truth in range(k):
            share = np.ascontiguousarray(posterior[:, truth]).take(self.item)
            if self.weight is not None:
                share *= self.weight
            out[:, truth] = np.bincount(self.cell, share, minlength=cells)
        return out.reshape(shape)

    def likelihood(self, log: Floats) -> Floats:
        """(items, classes): the sum over each item's votes of `log` (workers, classes, classes),
        [who, said, truth]."""
        rows = log.reshape(self.workers * self.classes, self.classes)
        out = np.zeros((self.items, self.classes))
        for cell, weight in self._columns:
            column = rows.take(cell, axis=0)
            if weight is not None:
                column *= weight
            out[: len(cell)] += column
        item, cell, weight = self._rest
        if len(item):
            column = rows.take(cell, axis=0)
            if weight is not None:
                column *= weight[:, None]
            np.add.at(out, item, column)
        return out

    def inward(self, rows: Floats) -> Floats:
        """(items, ...) in the table's order -> in the order here."""
        return rows[self.order]

    def outward(self, rows: Floats) -> Floats:
        """(items, ...) in the order here -> in the table's order."""
        out = np.empty_like(rows)
        out[self.order] = rows
        return out
