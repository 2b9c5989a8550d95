"""What the simulated people answer."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from random import Random
from typing import Protocol

from chorus.simulate.labels import classes_of, flipped, normal
from chorus.simulate.options import BadOptions, Options
from chorus.simulate.texts import labels_of


class Answers(Protocol):
    def answer(self, labeler: int, name: str, prelabel: str | None) -> str | None:
        """The label this labeler gives the item, or None: they skip it. Asked once per vote."""


class Truth:
    """Gold answers, by item name; a name in a folder is also found by its last part."""

    def __init__(self, labels: dict[str, str]) -> None:
        self._labels = labels

    def __len__(self) -> int:
        return len(self._labels)

    def get(self, name: str) -> str | None:
        found = self._labels.get(name)
        return found if found is not None else self._labels.get(PurePosixPath(name).name)

    @property
    def labels(self) -> set[str]:
        return set(self._labels.values())


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

    def _wrong(self, gold: str, random: Random) -> str:
        if self._multilabel:
            return flipped(gold, random.choice(self._classes))
        others = [c for c in self._classes if c != gold]
        return random.choice(others) if others else gold


class Recorded:
    """Answers of real people: the n-th person who answers an item gives its n-th answer."""

    def __init__(self, votes: dict[str, list[str]], follow: float, truth: Truth, seed: int) -> None:
        self._votes = votes
        self._given: dict[str, int] = {}
        self._follow = follow
        self._truth = truth
        self._seed = seed

    def answer(self, labeler: int, name: str, prelabel: str | None) -> str | None:
        votes = self._votes.get(name) or self._votes.get(PurePosixPath(name).name) or []
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


def load(options: Options) -> tuple[Truth, Answers, list[str]]:
    """(gold answers, what people answer, class names sorted). Raises `BadOptions`."""
    sets = options.multilabel
    gold: dict[str, str] = {}
    if options.gold is not None:
        gold = read_gold(options.gold)
    elif options.texts is not None and options.votes is None:
        gold = labels_of(options.texts, sets)
    truth = Truth({name: normal(label, sets) for name, label in gold.items()})
    recorded = _read_votes(options.votes) if options.votes is not None else {}
    recorded = {name: [normal(v, sets) for v in votes] for name, votes in recorded.items()}
    classes = sorted(classes_of(truth.labels.union(*recorded.values()), sets))
    if len(classes) < (1 if sets else 2):
        raise BadOptions(f"the answers hold {'no' if sets else 'fewer than two'} classes")
    people: Answers
    if options.votes is not None:
        people = Recorded(recorded, options.follow, truth, options.seed)
    else:
        people = Noisy(truth, classes, options.accuracy, options.follow, options.seed, sets)
    return truth, people, classes


def _rows(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [c for c in columns if c not in (reader.fieldnames or ())]
            if missing:
                raise BadOptions(f"{path.name}: no column {', '.join(missing)}")
            return list(reader)
    except (OSError, UnicodeDecodeError) as error:
        raise BadOptions(f"{path}: {error}") from error


def read_gold(path: Path) -> dict[str, str]:
    return {row["item"]: row["label"] for row in _rows(path, ("item", "label"))}


def _read_votes(path: Path) -> dict[str, list[str]]:
    numbered: dict[str, list[tuple[int, str]]] = {}
    for row in _rows(path, ("item", "nth", "label")):
        try:
            nth = int(row["nth"])
        except ValueError as error:
            raise BadOptions(f"{path.name}: nth is not a number: {row['nth']!r}") from error
        numbered.setdefault(row["item"], []).append((nth, row["label"]))
    return {item: [label for _, label in sorted(votes)] for item, votes in numbered.items()}
