"""A short run of every target, the same each time; `make fuzz` runs for as long as one likes."""

from __future__ import annotations

import importlib
import pkgutil
import random

import pytest

from chorus.server.formats import labels
from tests.fuzz.mutate import mutated
from tests.fuzz.targets import LABEL_SEEDS, SEEDS, TARGETS

INPUTS = {"pictures": 300, "protocol": 1500, "people": 1500}


def test_every_reader_of_labels_has_a_seed() -> None:
    """Whoever adds one to formats/labels puts something it reads among the seeds."""
    readers = set()
    for module in pkgutil.iter_modules(labels.__path__):
        found = importlib.import_module(f"{labels.__name__}.{module.name}")
        own = [
            name for name, value in vars(found).items()
            if name.startswith("read_") and getattr(value, "__module__", "") == found.__name__
        ]  # fmt: skip
        if own and module.name != "read":
            readers.add(module.name)
    assert readers == set(LABEL_SEEDS)


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_are_taken(name: str) -> None:
    for seed in SEEDS[name]:
        TARGETS[name](seed)


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_crashes_hangs_or_stays_half_written(name: str) -> None:
    rng = random.Random(name)
    for _ in range(INPUTS.get(name, 600)):
        data = mutated(SEEDS[name], rng)
        try:
            TARGETS[name](data)
        except Exception as error:
            raise AssertionError(f"{name}: {data!r}") from error
