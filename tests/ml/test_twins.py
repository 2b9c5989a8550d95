"""Near-twins are in one fold where open items have none, and nothing changes where they have."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.bursts import World, rounds
from chorus.ml.folds import make_folds, make_set_folds, together
from chorus.ml.twins import twin_groups

seeds = st.integers(0, 2**31 - 1)


def bursts(things: int, each: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(rows (things * each, 16), the thing that each shows), in random order."""
    random = np.random.default_rng(seed)
    thing = random.permutation(np.repeat(np.arange(things), each))
    rows = random.normal(size=(things, 16))[thing] + 0.05 * random.normal(size=(len(thing), 16))
    return rows.astype(np.float32), thing


@given(each=st.integers(2, 12), seed=seeds)
@settings(max_examples=40)
def test_whole_bursts_are_groups(each: int, seed: int) -> None:
    rows, thing = bursts(20, each, seed)
    fresh, _ = bursts(40, each, seed + 1)
    groups = twin_groups(rows, np.ones(len(rows), dtype=bool), fresh, len(rows) // 5)
    assert (thing[groups] == thing).all(), "nothing else is among them"
    assert (np.bincount(groups)[groups] > 1).all(), "nobody is scored by all of their twins"
    assert (groups[groups] == groups).all()
    assert (groups <= np.arange(len(rows))).all()


@given(each=st.integers(2, 12), most=st.integers(1, 12), seed=seeds)
@settings(max_examples=40)
def test_no_group_is_larger_than_it_may_be(each: int, most: int, seed: int) -> None:
    rows, _ = bursts(20, each, seed)
    fresh, _ = bursts(40, 1, seed + 1)
    groups = twin_groups(rows, np.ones(len(rows), dtype=bool), fresh, most)
    assert np.bincount(groups).max() <= most


@pytest.mark.parametrize("each", [1, 2, 9])
def test_labels_by_chance_stay_alone(each: int) -> None:
    """However many twins there are: open items have as many among the labeled ones."""
    grouped = 0
    for seed in range(50):
        rows, _ = bursts(900 // each, each, seed)
        groups = twin_groups(rows[:200], np.ones(200, dtype=bool), rows[200:], 40)
        grouped += bool((groups != np.arange(200)).any())
    assert grouped <= 2, "one in a hundred would do"


def test_only_the_evidence_has_to_be_like_open_items() -> None:
    """What was easy is labeled, each beside another; the rest, open or not, is far from all."""
    easy, _ = bursts(50, 2, 1)
    rest, _ = bursts(200, 1, 2)
    rows = np.concatenate([easy, rest[:60]])
    evidence = np.arange(len(rows)) >= len(easy)
    alone = np.arange(len(rows))
    assert (twin_groups(rows, evidence, rest[60:], 30) == alone).all()
    assert (twin_groups(rows, ~evidence, rest[60:], 30) != alone).any()


def test_groups_are_no_larger_than_it_takes() -> None:
    """Pictures without bursts, labeled by pages of neighbours: open ones are a little farther from
    labeled ones, not without any near ones."""
    random = np.random.default_rng(3)
    rows = random.normal(size=(1800, 6)).astype(np.float32)
    far = ((rows[:, None] - rows[None]) ** 2).sum(axis=-1)
    labeled = np.zeros(len(rows), dtype=bool)
    while labeled.sum() < 500:
        page = np.argsort(far[random.integers(len(rows))])[:9]
        labeled[page] = True
    seen = rows[labeled]
    groups = twin_groups(seen, np.ones(len(seen), dtype=bool), rows[~labeled], len(seen) // 5)
    assert 1 < np.bincount(groups).max() < 40, "not everything that is near to what is near"
    between = far[labeled][:, labeled].copy()
    np.fill_diagonal(between, np.inf)
    before = between.min(axis=1)
    between[groups[:, None] == groups] = np.inf
    after, open_ = between.min(axis=1), far[~labeled][:, labeled].min(axis=1)
    reach = np.quantile(open_, 0.4)
    own, left, theirs = ((some <= reach).mean() for some in (before, after, open_))
    assert left < (own + theirs) / 2
    assert left > theirs / 2


@pytest.mark.parametrize(
    ("labeled", "evidence", "fresh"), [(0, 0, 9), (2, 2, 9), (40, 0, 9), (40, 40, 0)]
)
def test_too_little_to_tell(labeled: int, evidence: int, fresh: int) -> None:
    rows = np.zeros((labeled, 4), dtype=np.float32)
    far = np.ones((fresh, 4), dtype=np.float32)
    groups = twin_groups(rows, np.arange(labeled) < evidence, far, labeled // 5)
    assert (groups == np.arange(labeled)).all()


def test_thousands_that_are_all_the_same() -> None:
    rows, fresh = np.zeros((3000, 8), dtype=np.float32), np.ones((50, 8), dtype=np.float32)
    groups = twin_groups(rows, np.ones(3000, dtype=bool), fresh, 600)
    assert np.bincount(groups).max() == 600


@given(
    labels=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 15)), min_size=1, max_size=60),
    seed=seeds,
)
def test_a_group_is_in_one_fold(labels: list[tuple[int, int]], seed: int) -> None:
    classes, key = np.array(labels).T
    _, first, which = np.unique(key, return_index=True, return_inverse=True)
    groups, sets = first[which], classes[:, None] == np.arange(4)
    alone = np.arange(len(classes))
    one, many = (
        together(make_folds, classes, groups, seed),
        together(make_set_folds, sets, groups, seed),
    )
    assert (one.fold == one.fold[:, groups]).all()
    assert (many.fold == many.fold[:, groups]).all()
    assert (together(make_folds, classes, alone, seed).fold == make_folds(classes, seed).fold).all()
    single = make_set_folds(sets, seed)
    assert (together(make_set_folds, sets, alone, seed).fold == single.fold).all()


def test_the_card_does_not_promise_what_open_items_lack() -> None:
    """One project of `python -m bench.bursts`."""
    one_by_one, kept = rounds(World("bursts"), 300, 0.95, seed=0, pages=True)
    assert one_by_one.own > one_by_one.true + 0.08
    assert kept.own - kept.true < (one_by_one.own - one_by_one.true) / 2
