"""Votes to test with: drawn from known people, or by hypothesis."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from chorus.server.consensus.table import VoteTable


def draw_votes(
    items: int,
    workers: int,
    classes: int,
    votes: int,
    seed: int,
    accuracy: tuple[float, float] = (6.0, 2.0),
    shares: list[float] | None = None,
) -> tuple[VoteTable, np.ndarray, np.ndarray]:
    """(table, truth (items,), accuracies (workers,)): each item gets `votes` different people,
    right with a chance of their own (Beta(`accuracy`)), else any other class alike."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(classes, items, p=shares)
    skill = rng.beta(*accuracy, workers)
    worker = np.concatenate([rng.permutation(workers)[:votes] for _ in range(items)])
    item = np.repeat(np.arange(items), votes)
    right = rng.random(len(item)) < skill[worker]
    wrong = (truth[item] + rng.integers(1, max(classes, 2), len(item))) % classes
    value = np.where(right, truth[item], wrong)
    return VoteTable(item, worker, value, items, workers, classes), truth, skill  # fmt: skip


@st.composite
def tables(draw: st.DrawFn, min_classes: int = 2) -> VoteTable:
    """Few votes of any kind: items without votes, ties, one-vote workers, unseen classes."""
    items, workers = draw(st.integers(1, 6)), draw(st.integers(1, 5))
    classes = draw(st.integers(min_classes, 4))
    cells = st.tuples(st.integers(0, items - 1), st.integers(0, workers - 1))
    cast = draw(st.dictionaries(cells, st.integers(0, classes - 1), max_size=20))
    columns = np.array([(i, w, v) for (i, w), v in cast.items()], dtype=np.int64).reshape(-1, 3)
    return VoteTable(*columns.T.copy(), items, workers, classes)
