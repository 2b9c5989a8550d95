"""Votes of people who do not exist, of every kind that the literature on crowds names.

A family to choose a method on, so that it is tuned to no data set: few and many items, people and
classes; equal, lopsided and very lopsided classes; people who differ in care, in taste (a threshold
of their own), in what they mix up; who guess, always say the same, or lie; who all overlook the
rare class; items that most people get wrong in the same way; a few people who cast most votes;
everybody on every item, or three votes each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from chorus.server.consensus.table import Floats, Ints, VoteTable

Rng = np.random.Generator
People = Callable[[Rng, int, int], Floats]
"""(rng, workers, classes) -> confusion (workers, classes, classes), [who, truth, said]."""


def _coins(accuracy: Floats, classes: int) -> Floats:
    out = np.empty((len(accuracy), classes, classes))
    out[:] = ((1 - accuracy) / (classes - 1))[:, None, None]
    out[:, np.arange(classes), np.arange(classes)] = accuracy[:, None]
    return out


def coin(rng: Rng, workers: int, classes: int) -> Floats:
    """Of unequal care: right with a chance of their own, else any class."""
    return _coins(rng.beta(6, 2.5, workers), classes)


def alike(rng: Rng, workers: int, classes: int) -> Floats:
    """All the same: right 70 times in 100."""
    return _coins(rng.beta(140, 60, workers), classes)


def mixups(rng: Rng, workers: int, classes: int) -> Floats:
    """Some classes are hard for everybody and taken for certain others; people vary around."""
    accuracy = rng.uniform(0.5, 0.95, classes)
    common = np.zeros((classes, classes))
    for k in range(classes):
        wrong = rng.dirichlet(np.full(classes - 1, 0.5)) * (1 - accuracy[k])
        common[k] = np.insert(wrong, k, accuracy[k])
    rows = rng.standard_gamma(np.maximum(8 * common, 1e-2), (workers, classes, classes)) + 1e-9
    out: Floats = rows / rows.sum(axis=2, keepdims=True)
    return out


def _by_logits(care: Floats, taste: Floats) -> Floats:
    """Evidence of strength `care` (workers,) for the truth, plus a liking (workers, classes)."""
    classes = taste.shape[1]
    logits = care[:, None, None] * np.eye(classes) + taste[:, None, :]
    rows = np.exp(logits - logits.max(axis=2, keepdims=True))
    out: Floats = rows / rows.sum(axis=2, keepdims=True)
    return out


def taste(rng: Rng, workers: int, classes: int) -> Floats:
    """Each likes some classes more than others."""
    care = rng.normal(1.2 + np.log(classes), 0.6, workers)
    return _by_logits(care, rng.normal(0, 1.0, (workers, classes)))


def overlook(rng: Rng, workers: int, classes: int) -> Floats:
    """Most people miss the later (rarer) classes, more or less; a few see them everywhere."""
    care = rng.normal(1.8 + np.log(classes), 0.6, workers)
    slope = np.arange(classes) / (classes - 1)
    return _by_logits(care, rng.normal(-0.8, 1.0, workers)[:, None] * slope)


def eager(rng: Rng, workers: int, classes: int) -> Floats:
    """Most people see the later (rarer) classes too often, more or less."""
    care = rng.normal(1.8 + np.log(classes), 0.6, workers)
    slope = np.arange(classes) / (classes - 1)
    return _by_logits(care, rng.normal(0.8, 1.0, workers)[:, None] * slope)


def spam(rng: Rng, workers: int, classes: int) -> Floats:
    """Four in ten guess or always say the same; the rest are good."""
    out = _coins(rng.beta(12, 3, workers), classes)
    kind = rng.random(workers)
    out[kind < 0.2] = 1 / classes
    for w in np.flatnonzero((kind >= 0.2) & (kind < 0.4)):
        out[w] = 0.02 / classes
        out[w, :, rng.integers(classes)] += 0.98
    return out


def liars(rng: Rng, workers: int, classes: int) -> Floats:
    """One in seven says another class than the one they see."""
    out = _coins(rng.beta(10, 3, workers), classes)
    for w in np.flatnonzero(rng.random(workers) < 1 / 7):
        out[w] = out[w, :, np.roll(np.arange(classes), int(rng.integers(1, classes)))].T
    return out


@dataclass(frozen=True)
class Set:
    """What a set of votes is drawn from."""

    people: People
    items: int
    workers: int
    classes: int
    votes: int
    """For each item; no more than `workers`."""
    first: float | None = None
    """Share of the first class, the others following geometrically; None: all alike."""
    hard: float = 0.0
    """Share of the items that everybody who errs takes for the same other class, and where
    two in three votes err."""
    tail: float = 0.0
    """Exponent of people's activity by rank: 0 all alike, 1 Zipf's law."""

    @property
    def name(self) -> str:
        skew = "" if self.first is None else f", {self.first:.0%} first"
        more = f", {self.hard:.0%} hard" if self.hard else ""
        return (
            f"{self.people.__name__}: {self.items} × {self.votes}, {self.workers} people,"
            f" {self.classes} classes{skew}{more}"
        )

    def draw(self, seed: int) -> tuple[VoteTable, Ints]:
        """(votes sorted by item and worker, truth (items,))."""
        rng = np.random.default_rng([seed, self.items, self.workers, self.classes])
        confusion = self.people(rng, self.workers, self.classes)
        truth = rng.choice(self.classes, self.items, p=shares(self.classes, self.first))
        worker = _who(rng, self.items, self.workers, self.votes, self.tail)
        item = np.repeat(np.arange(self.items), self.votes)
        cumulative = confusion[worker, truth[item]].cumsum(axis=1)
        value = (rng.random((len(item), 1)) > cumulative[:, :-1]).sum(axis=1)
        # Hard items look like another class, to whoever looks; who guesses or lies goes on.
        looks = (truth + rng.integers(1, self.classes, self.items)) % self.classes
        fooled = (rng.random(self.items) < self.hard)[item] & (rng.random(len(item)) < 2 / 3)
        value = np.where(fooled & (value == truth[item]), looks[item], value)
        return VoteTable(item, worker, value, self.items, self.workers, self.classes), truth


def shares(classes: int, first: float | None) -> Floats:
    """(classes,): `first`, and the rest halving from class to class."""
    if first is None:
        return np.full(classes, 1 / classes)
    rest = 0.5 ** np.arange(classes - 1)
    return np.r_[first, (1 - first) * rest / rest.sum()]


def _who(rng: Rng, items: int, workers: int, votes: int, tail: float) -> Ints:
    """(items * votes,): different people for each item, the active more often."""
    weight = (1 + np.arange(workers)) ** -tail
    # The largest of Gumbel-perturbed log weights: a draw without replacement.
    keys = np.log(weight) + rng.gumbel(size=(items, workers))
    chosen = np.argpartition(-keys, votes - 1, axis=1)[:, :votes]
    return np.sort(chosen, axis=1).reshape(-1).astype(np.int64)


FAMILY: tuple[Set, ...] = (
    # Everybody on every item.
    Set(taste, 100, 39, 2, 39),
    Set(overlook, 100, 39, 2, 39, first=0.6),
    Set(coin, 100, 39, 2, 39, hard=0.2),
    Set(mixups, 60, 20, 5, 20),
    Set(spam, 50, 12, 3, 12),
    # Many items, few votes, a rare class.
    Set(overlook, 8000, 180, 2, 3, first=0.88, tail=1.0),
    Set(eager, 8000, 180, 2, 3, first=0.88, tail=1.0),
    Set(taste, 8000, 180, 2, 3, first=0.88, tail=1.0),
    Set(mixups, 8000, 180, 2, 3, first=0.88, tail=1.0),
    Set(coin, 4000, 100, 2, 5, first=0.9, tail=1.0),
    Set(spam, 4000, 100, 2, 5, first=0.9, tail=1.0),
    Set(taste, 1500, 60, 2, 5, first=0.9),
    Set(overlook, 600, 40, 2, 6, first=0.8, tail=0.7),
    # Two classes, alike.
    Set(taste, 1000, 80, 2, 5, tail=0.7),
    Set(coin, 1000, 200, 2, 5, tail=1.0),
    Set(alike, 1000, 80, 2, 5),
    Set(liars, 600, 30, 2, 7),
    Set(mixups, 300, 25, 2, 8, first=0.6, hard=0.1),
    # Several classes.
    Set(mixups, 800, 100, 4, 10, tail=1.0, hard=0.1),
    Set(taste, 600, 30, 4, 9, hard=0.2),
    Set(coin, 500, 20, 4, 6),
    Set(alike, 500, 50, 4, 5, hard=0.1),
    Set(mixups, 2000, 150, 4, 5, first=0.7, tail=1.0),
    Set(spam, 1000, 60, 5, 6, tail=0.7),
    Set(liars, 800, 40, 6, 6, first=0.5),
    Set(taste, 1500, 100, 10, 5, tail=1.0),
    Set(mixups, 1000, 40, 10, 6, first=0.4),
    Set(overlook, 3000, 50, 3, 4, first=0.8, tail=0.7),
    Set(eager, 1000, 30, 5, 5, first=0.5, hard=0.1),
)  # fmt: skip


def random_set(seed: int) -> Set:
    """A set drawn up by chance."""
    rng = np.random.default_rng(seed)
    kinds = (coin, alike, mixups, taste, overlook, eager, spam, liars)
    people = kinds[int(rng.integers(len(kinds)))]
    items = int(np.exp(rng.uniform(np.log(50), np.log(8000))))
    workers = int(np.exp(rng.uniform(np.log(5), np.log(200))))
    classes = int(rng.choice([2, 2, 2, 3, 4, 5, 8, 10]))
    most = max(3, min(workers, 40, 30_000 // items))
    votes = int(np.exp(rng.uniform(np.log(3), np.log(most + 0.5))))
    first = float(rng.uniform(1 / classes, 0.92)) if rng.random() < 0.6 else None
    hard = float(rng.choice([0.0, 0.0, 0.1, 0.2]))
    return Set(people, items, workers, classes, min(votes, workers), first, hard,
               float(rng.choice([0.0, 0.7, 1.0])))  # fmt: skip
