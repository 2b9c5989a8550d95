"""What the simulated people answer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Protocol

from chorus.simulate.labels import classes_of, flipped, normal
from chorus.simulate.names import ByName
from chorus.simulate.options import BadOptions, Options
from chorus.simulate.tables import rows_of
from chorus.simulate.texts import labels_of


class Answers(Protocol):
    def answer(self, labeler: int, name: str, prelabel: str | None) -> str | None:
        """The label this labeler gives the item, or None: they skip it. Asked once per vote."""

    def knows(self, name: str) -> bool:
        """Is there an answer to this item?"""


class Truth(ByName[str]):
    """Gold answers, by item name."""

    @property
    def labels(self) -> set[str]:
        return set(self.values())


class Noisy:
    """People who are right with a given chance; wrong answers are spread evenly. A wrong label
    set has one class too many, or lacks one of those it should have.

    An answer depends only on the seed, the labeler and the item, not on the order of work.
    """

    def __init__(
        self, truth: Truth, classes: Sequence[str], accuracy: Sequence[float], follow: float,
        seed: int, multilabel: bool = False,
    ) -> None:  # fmt: skip
        self._truth = truth
        self._classes = list(classes)
        self._multilabel = multilabel
        self._accuracy = accuracy
        self._follow = follow
        self._seed = seed

    def answer(self, labeler: int, name: str, prelabel: str | None) -> str | None:
        gold = self._truth.get(name)
        if gold is None:
            return None
        random = Random(f"{self._seed}/{labeler}/{name}")
        own = gold
        if random.random() >= self._accuracy[labeler % len(self._accuracy)]:
            own = self._wrong(gold, random)
        if prelabel is not None and prelabel != gold and random.random() < self._follow:
            return prelabel
        return own

    def knows(self, name: str) -> bool:
        return self._truth.get(name) is not None

    def _wrong(self, gold: str, random: Random) -> str:
        if self._multilabel:
            return flipped(gold, random.choice(self._classes))
        others = [c for c in self._classes if c != gold]
        return random.choice(others) if others else gold


class Recorded:
    """Answers of real people: the n-th person who answers an item gives its n-th answer."""

    def __init__(self, votes: dict[str, list[str]], follow: float, truth: Truth, seed: int) -> None:
        self._votes = ByName(votes)
        self._given: dict[str, int] = {}
        self._follow = follow
        self._truth = truth
        self._seed = seed

    def answer(self, labeler: int, name: str, prelabel: str | None) -> str | None:
        votes = self._votes.get(name) or []
        nth = self._given.get(name, 0)
        if nth >= len(votes):
            return None
        self._given[name] = nth + 1
        gold = self._truth.get(name)
        if prelabel is not None and gold is not None and prelabel != gold:
            random = Random(f"{self._seed}/{labeler}/{name}")
            if random.random() < self._follow:
                return prelabel
        return votes[nth]

    def knows(self, name: str) -> bool:
        return bool(self._votes.get(name))


def load(options: Options) -> tuple[Truth, Answers, list[str]]:
    """(gold answers, what people answer, class names sorted). Raises `BadOptions`."""
    sets = options.multilabel
    gold: dict[str, str] = {}
    if options.gold is not None:
        gold = read_gold(options.gold, sets)
    elif options.texts is not None and options.votes is None:
        texts = labels_of(options.texts, sets)
        gold = {item: normal(label, sets) for item, label in texts.items()}
    truth = Truth(gold)
    recorded = _read_votes(options.votes, sets) if options.votes is not None else {}
    classes = sorted(classes_of(truth.labels.union(*recorded.values()), sets))
    if len(classes) < (1 if sets else 2):
        raise BadOptions(f"the answers hold {'no' if sets else 'fewer than two'} classes")
    people: Answers
    if options.votes is not None:
        people = Recorded(recorded, options.follow, truth, options.seed)
    else:
        people = Noisy(truth, classes, options.accuracy, options.follow, options.seed, sets)
    return truth, people, classes


def read_gold(path: Path, sets: bool = False) -> dict[str, str]:
    """Item -> label, by the columns `item` and `label`. An empty label is none at all, or where
    labels are `sets` the set of no class. Raises `BadOptions`."""
    found: dict[str, str] = {}
    for item, label in rows_of(path, ("item", "label")):
        label = normal(label, sets)
        if found.setdefault(item, label) != label:
            raise BadOptions(f"{path.name}: two labels of {item!r}: {found[item]!r}, {label!r}")
    return {item: label for item, label in found.items() if label or sets}


def _read_votes(path: Path, sets: bool) -> dict[str, list[str]]:
    """Item -> its answers in order; an empty one as in `read_gold`."""
    numbered: dict[str, list[tuple[int, str]]] = {}
    for item, number, label in rows_of(path, ("item", "nth", "label")):
        try:
            nth = int(number)
        except ValueError as error:
            raise BadOptions(f"{path.name}: nth is not a number: {number!r}") from error
        if label or sets:
            numbered.setdefault(item, []).append((nth, normal(label, sets)))
    return {item: [label for _, label in sorted(votes)] for item, votes in numbered.items()}
