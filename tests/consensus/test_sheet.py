"""The quick sums of an EM iteration against slow ones, and what is estimated from them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chorus.server.consensus import em, sheet
from chorus.server.consensus.dawid_skene import dawid_skene, strength_of
from chorus.server.consensus.sheet import Sheet
from chorus.server.consensus.table import VoteTable
from tests.consensus.data import draw_votes, tables


@pytest.mark.parametrize(("turns", "flat"), [(64, 10**6), (1, 0)])
@settings(max_examples=40, deadline=None)
@given(table=tables(), weighted=st.booleans(), seed=st.integers(0, 99))
def test_sums_are_those_of_a_loop(turns: int, flat: int, table, weighted, seed) -> None:
    rng = np.random.default_rng(seed)
    weight = rng.random(len(table)) if weighted else None
    table = VoteTable(
        table.item, table.worker, table.value, table.items, table.workers, table.classes, weight
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sheet, "TURNS", turns)
        patch.setattr(sheet, "FLAT_MAX", flat)
        quick = Sheet(table, em.witnesses(table))
    k = table.classes
    posterior, log = rng.random((table.items, k)), rng.normal(size=(table.workers, k, k))
    counts, likelihood = np.zeros((table.workers, k, k)), np.zeros((table.items, k))
    for n, (i, w, v) in enumerate(zip(table.item, table.worker, table.value, strict=True)):
        once = 1.0 if weight is None else weight[n]
        likelihood[i] += once * log[w, v]
        if (table.item == i).sum() > 1:
            counts[w, v] += once * posterior[i]
    np.testing.assert_allclose(quick.counts(quick.inward(posterior)), counts)
    np.testing.assert_allclose(quick.outward(quick.likelihood(log)), likelihood, atol=1e-12)


def test_jumping_ahead_ends_where_steps_do() -> None:
    table, _, _ = draw_votes(300, 20, 3, 4, 1)
    found = dawid_skene(table)
    again = dawid_skene(table, start=found.posterior)
    np.testing.assert_allclose(found.posterior, again.posterior, atol=5e-3)
    assert found.iterations < em.ITERATIONS / 2


def test_strength_is_high_where_people_are_alike() -> None:
    rng = np.random.default_rng(0)
    truth = np.full((60, 3, 3), 0.15) + 0.55 * np.eye(3)

    def counts(rows: np.ndarray) -> np.ndarray:
        said = np.array([[rng.multinomial(80, row) for row in person] for person in rows])
        return said.transpose(0, 2, 1).astype(np.float64)

    alike = strength_of(counts(truth))
    apart = rng.standard_gamma(5 * truth)
    differ = strength_of(counts(apart / apart.sum(axis=2, keepdims=True)))
    assert 1 <= differ < 5 < 40 < alike
