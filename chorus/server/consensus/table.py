"""Votes as arrays, and what a method makes of them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class VoteTable:
    """n votes of `workers` people on `items` items, each for one of `classes` classes.

    Raises `ValueError` for columns of unequal length, indices out of range or weights outside
    0..1.
    """

    item: Ints
    """(n,) 0..items-1."""
    worker: Ints
    """(n,) 0..workers-1."""
    value: Ints
    """(n,) 0..classes-1."""
    items: int
    workers: int
    classes: int
    weight: Floats | None = None
    """(n,) 0..1: how much of an independent witness each vote is; None: all are. A vote of
    weight w counts as w votes (its log-likelihood is multiplied by w)."""
    known: Bools | None = None
    """(items,): of which items something is known besides the votes, so that a vote on them has
    another witness (`em.witnesses`); None: of those with evidence."""

    def __post_init__(self) -> None:
        for name, size in (("item", self.items), ("worker", self.workers), ("value", self.classes)):
            column = getattr(self, name)
            if column.shape != (len(self.item),):
                raise ValueError(f"{name} has shape {column.shape}, item has {len(self.item)} rows")
            if len(column) and (column.min() < 0 or column.max() >= size):
                raise ValueError(f"{name} must lie in 0..{size - 1}")
        weight = self.weight
        if weight is not None:
            if weight.shape != (len(self.item),):
                raise ValueError(f"weight has shape {weight.shape}, need ({len(self.item)},)")
            if len(weight) and not (weight.min() >= 0 and weight.max() <= 1):
                raise ValueError("weights must lie in 0..1")
        if self.known is not None and self.known.shape != (self.items,):
            raise ValueError(f"known has shape {self.known.shape}, need ({self.items},)")

    def __len__(self) -> int:
        return len(self.item)

    def take(self, rows: Ints | Bools) -> VoteTable:
        """The table of some votes; items, workers and classes stay as they are."""
        weight = None if self.weight is None else self.weight[rows]
        return VoteTable(
            self.item[rows], self.worker[rows], self.value[rows],
            self.items, self.workers, self.classes, weight, self.known,
        )  # fmt: skip

    def counts(self) -> Floats:
        """(items, classes): weight of the votes for each class."""
        size = self.items * self.classes
        flat = np.bincount(self.item * self.classes + self.value, self.weight, minlength=size)
        return flat.astype(np.float64).reshape(self.items, self.classes)

    def votes_of_items(self) -> Ints:
        """(items,): number of votes, of any weight."""
        return np.bincount(self.item, minlength=self.items).astype(np.int64)

    def votes_of_workers(self) -> Ints:
        """(workers,): number of votes, of any weight."""
        return np.bincount(self.worker, minlength=self.workers).astype(np.int64)


@dataclass(frozen=True)
class Names:
    """What the indices of a table stand for; each sorted."""

    items: tuple[str, ...]
    workers: tuple[str, ...]
    classes: tuple[str, ...]


def from_columns(
    items: Sequence[str],
    workers: Sequence[str],
    labels: Sequence[str],
    *,
    more_items: Sequence[str] = (),
    more_classes: Sequence[str] = (),
) -> tuple[VoteTable, Names]:
    """Three columns of strings, one row a vote, to a table and its names.

    `more_items`, `more_classes`: names to know although nobody may have voted on or for them.
    Names are sorted, and so are the votes (by item, worker, label): the same votes in another
    order give the same table, bit for bit. A million votes take about two seconds.

    Raises `ValueError` for columns of unequal length.
    """
    if not len(items) == len(workers) == len(labels):
        raise ValueError("columns of unequal length")
    item_names, item = _index(items, more_items)
    worker_names, worker = _index(workers, ())
    class_names, value = _index(labels, more_classes)
    order = np.lexsort((value, worker, item))
    table = VoteTable(
        item[order], worker[order], value[order],
        len(item_names), len(worker_names), len(class_names),
    )  # fmt: skip
    return table, Names(item_names, worker_names, class_names)


def _index(column: Sequence[str], more: Sequence[str]) -> tuple[tuple[str, ...], Ints]:
    # A dict is several times faster than np.unique, which compares padded strings.
    names = tuple(sorted(set(column).union(more)))
    at: dict[Hashable, int] = {name: n for n, name in enumerate(names)}
    return names, np.fromiter(map(at.__getitem__, column), dtype=np.int64, count=len(column))


@dataclass(frozen=True)
class Fitted:
    """What a method found: a posterior for each item and the parameters that gave it."""

    method: str
    """majority, one_coin or dawid_skene."""
    posterior: Floats
    """(items, classes), rows sum to 1."""
    prior: Floats
    """(classes,), sums to 1: what is believed of an item without votes."""
    votes: Ints
    """(workers,): how many votes of each the estimates rest on."""
    skill: Floats
    """(workers,): chance that a vote of theirs is right, shrunk to the population's."""
    skill_low: Floats
    skill_high: Floats
    """(workers,): 95 % interval of `skill`. It takes the posterior as it is: an honest width
    for many votes per item, too narrow where items have one or two."""
    population_skill: float
    """The mean skill that people with few votes are shrunk to."""
    accuracy: Floats | None = None
    """(workers,) of `one_coin`."""
    confusion: Floats | None = None
    """(workers, classes, classes) of `dawid_skene`: [w, k, v] is the chance that w says v when
    the truth is k; rows sum to 1."""
    population: Floats | None = None
    """(classes, classes) of `dawid_skene`: the confusion of an unknown person."""
    model_weight: float = 0.0
    """0..2: how much the model's prediction counts (see `model_voter`)."""
    model_share: Floats | None = None
    """(classes,): the model's mean prediction, by which its predictions are divided."""
    accepted_weight: float = 0.5
    """0..1: weight of a vote that let the model's prelabel stand."""
    iterations: int = 0
    explanation: str = ""
    """One plain sentence for people; filled in by `auto`."""

    @property
    def labels(self) -> Ints:
        """(items,): the likeliest class of each; among equals the first."""
        best: Ints = self.posterior.argmax(axis=1).astype(np.int64)
        return best

    @property
    def confidence(self) -> Floats:
        """(items,): posterior of `labels`."""
        top: Floats = self.posterior.max(axis=1, initial=0.0)
        return top
