"""One-coin, Dawid-Skene and auto: what must hold whatever the votes."""

from __future__ import annotations

import csv
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chorus.server.consensus import live, predict
from chorus.server.consensus.auto import auto
from chorus.server.consensus.dawid_skene import dawid_skene
from chorus.server.consensus.live import Params, default_params, params_of
from chorus.server.consensus.one_coin import one_coin
from chorus.server.consensus.score import score
from chorus.server.consensus.shares import majority_table
from chorus.server.consensus.table import VoteTable, from_columns
from tests.consensus.data import draw_votes, tables

CROWD = Path(__file__).parents[3] / "shared" / "data" / "crowd"
METHODS = {
    "majority": majority_table,
    "one_coin": one_coin,
    "one_coin_estimated": lambda t: one_coin(t, prior="estimated"),
    "dawid_skene": dawid_skene,
    "dawid_skene_equal": lambda t: dawid_skene(t, prior="equal"),
    "auto": auto,
}
each_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS.keys())
seeds = st.integers(0, 2**31 - 1)


@each_method
@settings(max_examples=25, deadline=None)
@given(table=tables(min_classes=1))
def test_posteriors_are_distributions_whatever_the_votes(method, table: VoteTable) -> None:
    found = method(table)
    assert found.posterior.shape == (table.items, table.classes)
    assert np.isfinite(found.posterior).all()
    np.testing.assert_allclose(found.posterior.sum(axis=1), 1)
    np.testing.assert_allclose(found.prior.sum(), 1)
    assert found.skill.shape == found.skill_low.shape == (table.workers,)
    assert ((found.skill_low >= 0) & (found.skill_low <= found.skill)).all()
    assert ((found.skill <= found.skill_high) & (found.skill_high <= 1)).all()
    without = table.votes_of_items() == 0
    if without.any():
        np.testing.assert_allclose(
            found.posterior[without], found.prior[None] + 0 * found.posterior[without]
        )


@each_method
@settings(max_examples=15, deadline=None)
@given(seed=seeds)
def test_the_order_of_votes_does_not_matter(method, seed: int) -> None:
    table, _, _ = draw_votes(40, 6, 3, 4, seed)
    shuffled = table.take(np.random.default_rng(seed).permutation(len(table)))
    np.testing.assert_allclose(method(table).posterior, method(shuffled).posterior, atol=1e-6)


@each_method
@settings(max_examples=15, deadline=None)
@given(seed=seeds)
def test_renamed_classes_change_nothing(method, seed: int) -> None:
    table, _, _ = draw_votes(40, 6, 3, 4, seed)
    new = np.random.default_rng(seed).permutation(3)
    renamed = VoteTable(table.item, table.worker, new[table.value], 40, 6, 3)
    np.testing.assert_allclose(
        method(table).posterior, method(renamed).posterior[:, new], atol=1e-6
    )


@settings(max_examples=60, deadline=None)
@given(table=tables())
def test_one_coin_with_equal_workers_is_majority(table: VoteTable) -> None:
    counts = table.counts()
    found = one_coin(table, strength=np.inf).posterior
    # People who are on the whole worse than chance are another matter.
    if one_coin(table, strength=np.inf).population_skill <= 1.05 / table.classes:
        return
    best = counts == counts.max(axis=1, keepdims=True)
    np.testing.assert_array_equal(np.isclose(found, found.max(axis=1, keepdims=True)), best)


@pytest.mark.parametrize("method", [majority_table, one_coin, dawid_skene, auto])
def test_no_votes_at_all(method) -> None:
    nothing = np.zeros(0, dtype=np.int64)
    assert method(VoteTable(nothing, nothing, nothing, 0, 0, 0)).posterior.shape == (0, 0)
    np.testing.assert_allclose(
        method(VoteTable(nothing, nothing, nothing, 2, 0, 4)).posterior, 0.25
    )


def test_a_vote_of_no_weight_changes_nothing_and_a_table_checks_itself() -> None:
    table, _, _ = draw_votes(30, 5, 3, 4, 1)
    keep = np.arange(len(table)) % 4 > 0
    muted = VoteTable(table.item, table.worker, table.value, 30, 5, 3, keep.astype(np.float64))
    for method in (one_coin, dawid_skene):
        np.testing.assert_allclose(
            method(muted).posterior, method(table.take(keep)).posterior, atol=1e-3
        )
    with pytest.raises(ValueError, match="value must lie"):
        VoteTable(table.item, table.worker, table.value, 30, 5, 2)
    with pytest.raises(ValueError, match="shape"):
        VoteTable(table.item, table.worker[1:], table.value, 30, 5, 3)


def test_bad_people_are_found_and_outvoted() -> None:
    rng = np.random.default_rng(3)
    truth = rng.integers(4, size=300)
    skill = np.array([0.95] * 3 + [0.1] * 4)
    item, worker = np.repeat(np.arange(300), 7), np.tile(np.arange(7), 300)
    wrong = (truth[item] + 1) % 4  # the same wrong answer of all: a plurality lies
    value = np.where(rng.random(2100) < skill[worker], truth[item], wrong)
    keep = rng.random(2100) < 0.7
    table = VoteTable(item[keep], worker[keep], value[keep], 300, 7, 4)
    assert score(majority_table(table).posterior, truth).accuracy < 0.6
    # Nobody can know that from votes alone; six against four is another matter.
    honest = VoteTable(
        np.r_[table.item, np.arange(300), np.arange(300)],
        np.r_[table.worker, np.full(300, 7), np.full(300, 8)],
        np.r_[table.value, truth, truth], 300, 9, 4,
    )  # fmt: skip
    for method in (one_coin, dawid_skene, auto):
        found = method(honest)
        assert score(found.posterior, truth).accuracy > 0.99
        assert (found.skill_high[3:7] < 0.3).all()
        assert (found.skill_low[:3] > 0.85).all()


def test_items_with_one_vote_do_not_make_people_infallible() -> None:
    rng = np.random.default_rng(5)
    table, _, _ = draw_votes(60, 8, 3, 3, 5, accuracy=(70, 30))
    lone = VoteTable(
        np.r_[table.item, np.arange(60, 2060)], np.r_[table.worker, rng.integers(8, size=2000)],
        np.r_[table.value, rng.integers(3, size=2000)], 2060, 8, 3,
    )  # fmt: skip
    assert np.abs(one_coin(table).skill - one_coin(lone).skill).max() < 1e-3


def test_auto_finds_lopsided_classes_and_leaves_balanced_ones_alone() -> None:
    table, truth, _ = draw_votes(3000, 60, 2, 3, 1, (6, 1.5), [0.9, 0.1])
    found = auto(table)
    assert found.prior[0] > 0.85
    assert "commoner" in found.explanation
    assert (
        score(found.posterior, truth).accuracy
        > score(majority_table(table).posterior, truth).accuracy
    )
    balanced = auto(draw_votes(300, 20, 4, 3, 1)[0])
    np.testing.assert_allclose(balanced.prior, 0.25, atol=0.06)
    assert "commoner" not in balanced.explanation
    assert balanced.explanation.endswith(".")


def test_auto_is_no_worse_than_majority_where_people_are_equal() -> None:
    gain = []
    for seed in range(5):
        table, truth, _ = draw_votes(400, 150, 4, 4, seed, accuracy=(700, 300))
        base = score(majority_table(table).posterior, truth).accuracy
        gain.append(score(auto(table).posterior, truth).accuracy - base)
    assert np.mean(gain) > -0.005


# ---- live ----------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(table=tables(), seed=seeds)
def test_live_equals_batch(table: VoteTable, seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = VoteTable(
        table.item, table.worker, table.value, table.items, table.workers, table.classes,
        rng.random(len(table)),
    )  # fmt: skip
    names = [f"w{n}" for n in range(table.workers)]
    for fitted in (one_coin(table), dawid_skene(table)):
        batch = predict.posterior(fitted, table)
        np.testing.assert_allclose(batch, fitted.posterior, atol=1e-12)
        params = params_of(fitted, names)
        for item in range(table.items):
            rows = np.flatnonzero(table.item == item)
            votes = [(names[table.worker[r]], int(table.value[r]), table.weight[r]) for r in rows]
            np.testing.assert_allclose(live.posterior(params, votes, None), batch[item], atol=1e-9)


def test_a_new_project_believes_two_but_not_one() -> None:
    for classes in (2, 3, 10):
        params = default_params(classes)
        assert max(live.posterior(params, [("a", 1, 1.0)], None)) < 0.95
        assert live.posterior(params, [("a", 1, 1.0), ("b", 1, 1.0)], None)[1] > 0.95
        np.testing.assert_allclose(live.posterior(params, [], None), 1 / classes)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.floats(0, 1)), max_size=6),
    st.lists(st.floats(0.3, 0.999), min_size=3, max_size=3),
    st.sampled_from("abc"),
)
def test_an_agreeing_vote_never_lowers_confidence(votes, accuracy, who) -> None:
    params = Params("one_coin", [0.25] * 4, dict(zip("abc", accuracy, strict=True)))
    before = live.posterior(params, votes, None)
    best = before.index(max(before))
    assert live.posterior(params, [*votes, (who, best, 1.0)], None)[best] >= before[best] - 1e-12


def test_live_is_quick() -> None:
    table, _, _ = draw_votes(50, 5, 10, 3, 1)
    params = params_of(dawid_skene(table), list("abcde"))
    votes = [("a", 1, 1.0), ("b", 1, 1.0), ("nobody", 2, 0.5)]
    began = time.process_time()
    for _ in range(1000):
        live.posterior(params, votes, [0.1] * 10)
    # 1 ms each, generously, of processor time: others may have the processor meanwhile
    assert time.process_time() - began < 1.0


# ---- tables, sets --------------------------------------------------------------------------------


def test_columns_of_strings() -> None:
    table, names = from_columns(["b", "a"], ["x", "x"], ["dog", "cat"], more_classes=["emu"])
    assert (names.items, names.workers, names.classes) == (
        ("a", "b"),
        ("x",),
        ("cat", "dog", "emu"),
    )
    assert (table.item.tolist(), table.value.tolist(), table.classes) == ([0, 1], [0, 1], 3)
    with pytest.raises(ValueError, match="unequal"):
        from_columns(["a"], [], ["cat"])


# ---- real votes ----------------------------------------------------------------------------------


def crowd(name: str) -> tuple[VoteTable, np.ndarray]:
    folder = CROWD / name
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    with (folder / "votes.csv").open() as file:
        votes = list(csv.DictReader(file))
    with (folder / "gold.csv").open() as file:
        gold = {row["item"]: row["label"] for row in csv.DictReader(file)}
    table, names = from_columns(
        [r["item"] for r in votes], [r["worker"] for r in votes], [r["label"] for r in votes]
    )
    return table, np.array([names.classes.index(gold[item]) for item in names.items])


@pytest.mark.parametrize(
    ("name", "published", "least"), [("dog", 0.8426, 0.842), ("face", 0.6404, 0.640)]
)
def test_published_figures_and_promises(name: str, published: float, least: float) -> None:
    """crowd-kit's Dawid-Skene has no priors; ours with almost none gives its figures."""
    table, gold = crowd(name)
    assert score(dawid_skene(table, strength=0.01).posterior, gold).accuracy == pytest.approx(
        published, abs=2e-3
    )
    assert score(auto(table).posterior, gold).accuracy >= least


def test_known_answers_teach_auto_who_is_right() -> None:
    """Evidence (gold) reaches whichever shape is chosen, with the model as a voter and without."""
    table, truth, _ = draw_votes(200, 10, 3, 3, 2, accuracy=(5, 4))
    gold = np.zeros((200, 3))
    gold[np.arange(100), truth[:100]] = 9.0
    probs = np.full((200, 3), np.nan)
    for found in (auto(table, evidence=gold), auto(table, evidence=gold, probs=probs)):
        assert (found.labels[:100] == truth[:100]).all()
        np.testing.assert_allclose(predict.posterior(found, table, gold), found.posterior)
