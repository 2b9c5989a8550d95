"""Label sets: the same methods, class by class, on votes of yes (1) or no (0)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from chorus.server.consensus.table import Bools, Fitted, Floats, Ints, VoteTable


def binary_tables(
    item: Ints, worker: Ints, chosen: Bools, items: int, workers: int
) -> list[VoteTable]:
    """A table for each class. `chosen` (n, classes): what each vote ticked; an empty set is a
    vote of no for every class."""
    return [
        VoteTable(item, worker, chosen[:, k].astype(np.int64), items, workers, 2)
        for k in range(chosen.shape[1])
    ]


def per_class(
    tables: Sequence[VoteTable], method: Callable[[VoteTable], Fitted]
) -> tuple[Floats, list[Fitted]]:
    """((items, classes) chance that an item has each class, and each class's fit).

    Classes are taken to be independent given the votes. Items without votes have each class's
    prior. No table: an array (0, 0).
    """
    fits = [method(table) for table in tables]
    if not fits:
        return np.zeros((0, 0)), []
    return np.stack([fitted.posterior[:, 1] for fitted in fits], axis=1), fits
