"""The model is believed as far as people's blind votes bear it out."""

from __future__ import annotations

import numpy as np
import pytest

from chorus.server.consensus import live, model_voter, predict
from chorus.server.consensus.auto import auto
from chorus.server.consensus.live import params_of
from chorus.server.consensus.model_voter import with_model, witness_weights
from chorus.server.consensus.one_coin import one_coin
from chorus.server.consensus.score import score
from chorus.server.consensus.table import VoteTable
from tests.consensus.data import draw_votes


def fit(table: VoteTable, evidence=None):
    return one_coin(table, evidence=evidence)


def model(truth: np.ndarray, classes: int, accuracy: float, seed: int = 0) -> np.ndarray:
    """Calibrated probabilities: the class predicted is right with the chance it is given."""
    rng = np.random.default_rng(seed)
    right = rng.random(len(truth)) < accuracy
    wrong = (truth + rng.integers(1, classes, len(truth))) % classes
    probs = np.full((len(truth), classes), (1 - accuracy) / (classes - 1))
    probs[np.arange(len(truth)), np.where(right, truth, wrong)] = accuracy
    return probs


def test_a_good_model_counts_and_a_useless_one_does_not() -> None:
    table, truth, _ = draw_votes(500, 20, 4, 2, 1)
    alone = score(fit(table).posterior, truth)
    good = with_model(table, fit, model(truth, 4, 0.9))
    assert good.model_weight > 0.5
    assert score(good.posterior, truth).accuracy > alone.accuracy + 0.03
    assert score(good.posterior, truth).log_loss < alone.log_loss
    rng = np.random.default_rng(0)
    for useless in (
        np.full((500, 4), 0.25),
        rng.dirichlet(np.ones(4), 500),
        model((truth + 1) % 4, 4, 0.9),
        np.full((500, 4), np.nan),
        np.eye(4)[rng.integers(4, size=500)],
    ):
        found = with_model(table, fit, useless)
        assert found.model_weight <= 0.05
        np.testing.assert_allclose(found.posterior, fit(table).posterior, atol=0.1)


def test_an_overconfident_model_counts_less() -> None:
    table, truth, _ = draw_votes(800, 20, 4, 3, 2)
    honest = model(truth, 4, 0.8)
    boast = honest**4 / (honest**4).sum(axis=1, keepdims=True)
    weight = with_model(table, fit, boast).model_weight
    assert 0 < weight < with_model(table, fit, honest).model_weight


def test_votes_that_echo_the_model_prove_nothing() -> None:
    """People who let everything stand make neither the model nor themselves credible."""
    table, truth, _ = draw_votes(400, 10, 4, 3, 3)
    probs = model((truth + 1) % 4, 4, 0.9)  # nearly always wrong
    shown = probs.argmax(axis=1)[table.item]
    saw = np.random.default_rng(0).random(len(table)) < 0.5
    echo = VoteTable(table.item, table.worker, np.where(saw, shown, table.value), 400, 10, 4)
    fooled = with_model(echo, fit, probs)
    wary = with_model(echo, fit, probs, saw_prelabel=saw, shown=shown)
    assert wary.model_weight == 0
    assert score(wary.posterior, truth).accuracy > score(fooled.posterior, truth).accuracy + 0.1
    assert wary.accepted_weight < 0.2


def test_witness_weights() -> None:
    table, truth, _ = draw_votes(1000, 10, 4, 2, 4, accuracy=(85, 15))
    probs = model(truth, 4, 0.9)
    shown = probs.argmax(axis=1)[table.item]
    saw = np.arange(len(table)) % 2 == 0
    honest, high = witness_weights(table, probs, saw, shown)
    assert (honest[~saw] == 1).all()
    assert (honest[saw & (table.value != shown)] == 1).all()
    assert high > 0.6  # they agree as often as those who did not see it
    blindly = VoteTable(table.item, table.worker, np.where(saw, shown, table.value), 1000, 10, 4)
    assert witness_weights(blindly, probs, saw, shown)[1] < 0.25
    # No evidence: half of them are taken to have looked.
    assert 0.4 < witness_weights(table, None, saw, shown)[1] < 0.6


def test_live_equals_batch_with_the_model() -> None:
    table, truth, _ = draw_votes(200, 10, 3, 2, 5)
    probs = model(truth, 3, 0.9)
    probs[::7] = np.nan
    found = auto(table, probs=probs)
    assert found.model_weight > 0
    assert found.model_share is not None
    evidence = found.model_weight * model_voter.log_evidence(probs, found.model_share)
    np.testing.assert_allclose(predict.posterior(found, table, evidence), found.posterior)
    params = params_of(found, [str(n) for n in range(10)])
    for item in range(200):
        votes = [
            (str(table.worker[r]), int(table.value[r]), 1.0)
            for r in np.flatnonzero(table.item == item)
        ]
        np.testing.assert_allclose(
            live.posterior(params, votes, list(probs[item])), found.posterior[item], atol=1e-9
        )


def test_cleanlab_agrees_on_the_labels() -> None:
    """CROWDLAB's own implementation, where installed."""
    multi = pytest.importorskip("cleanlab.multiannotator")
    pd = pytest.importorskip("pandas")
    table, truth, _ = draw_votes(400, 12, 4, 3, 6)
    probs = model(truth, 4, 0.9)
    wide = np.full((400, 12), np.nan)
    wide[table.item, table.worker] = table.value
    theirs = multi.get_label_quality_multiannotator(pd.DataFrame(wide), probs, verbose=False)
    label = theirs["label_quality"]["consensus_label"].to_numpy().astype(int)
    ours = with_model(table, fit, probs)
    assert (label == ours.labels).mean() > 0.93
    assert score(ours.posterior, truth).accuracy >= (label == truth).mean() - 0.01


def test_probabilities_of_another_shape_are_refused() -> None:
    table, _, _ = draw_votes(10, 3, 3, 2, 1)
    with pytest.raises(ValueError, match="shape"):
        with_model(table, fit, np.ones((10, 2)) / 2)
