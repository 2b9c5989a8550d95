"""The threshold is where evidence, not hope, says that the model is accurate enough."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.promise import World, broken
from bench.promise_sets import SetWorld
from chorus.ml.card import make_card
from chorus.ml.validate import (
    RISK,
    accuracy_curve,
    class_thresholds,
    find_threshold,
    least_n,
    lower_bound,
    proven,
    sequences,
)

DELTA = 0.1
targets = st.sampled_from([0.8, 0.9, 0.95, 0.99])
seeds = st.integers(0, 2**32 - 1)


def scored(seed: int, n: int, skill: float) -> tuple[np.ndarray, np.ndarray]:
    """A calibrated model's confidences, and where it was right; more skill, more confidence."""
    random = np.random.default_rng(seed)
    scores = random.beta(1 + 20 * skill, 2, size=n)
    return scores, random.random(n) < scores


@given(n=st.integers(1, 400), share=st.floats(0, 1), target=st.floats(0.01, 0.99))
def test_lower_bound_is_clopper_pearson(n: int, share: float, target: float) -> None:
    """A true share below the bound would give so many hits with probability below delta."""
    right = round(n * share)
    bound = lower_bound(right, n, DELTA)
    assert 0.0 <= bound <= right / n
    tail = sum(comb(n, k) * target**k * (1 - target) ** (n - k) for k in range(right, n + 1))
    if right and abs(tail - DELTA) > 1e-6:
        assert (target < bound) == (tail < DELTA)


@given(n=st.integers(2, 300), right=st.integers(1, 300))
def test_more_evidence_never_lowers_the_bound(n: int, right: int) -> None:
    right = min(right, n - 1)
    assert lower_bound(right + 1, n, DELTA) >= lower_bound(right, n, DELTA)
    assert lower_bound(2 * right, 2 * n, DELTA) >= lower_bound(right, n, DELTA) - 1e-9


@given(target=targets)
def test_least_n_is_what_it_takes_without_a_mistake(target: float) -> None:
    n = least_n(target, DELTA)
    assert lower_bound(n, n, DELTA) >= target > lower_bound(n - 1, n - 1, DELTA)


@given(seed=seeds, n=st.integers(0, 600), skill=st.floats(0, 1), target=targets)
def test_threshold_meets_the_target_on_its_evidence(
    seed: int, n: int, skill: float, target: float
) -> None:
    scores, right = scored(seed, n, skill)
    threshold = find_threshold(scores, right, target, DELTA)
    curve = accuracy_curve(scores, right, target, DELTA)
    assert all(p["lower_bound"] <= p["accuracy"] for p in curve)
    assert [p["n"] for p in curve] == sorted({p["n"] for p in curve})
    if threshold is not None:
        above = scores >= threshold
        assert above.sum() >= least_n(target, DELTA)
        assert lower_bound(int(right[above].sum()), int(above.sum()), DELTA) >= target


@given(n=st.integers(1, 300), wrong=st.integers(0, 60), target=targets)
def test_proven_is_the_bound_without_computing_it(n: int, wrong: int, target: float) -> None:
    right = max(0, n - wrong)
    bound = lower_bound(right, n, DELTA)
    if abs(bound - target) > 1e-9:
        assert proven(right, n, target, DELTA) == (bound >= target)


@given(n=st.integers(0, 2000), target=targets)
def test_tests_are_fixed_by_the_amount_of_evidence_alone(n: int, target: float) -> None:
    tests = sequences(n, target, DELTA)
    assert bool(tests) == (n >= least_n(target, DELTA))
    assert sum(risk for risk, _ in tests) <= DELTA + 1e-12
    for risk, counts in tests:
        assert all(least_n(target, risk) <= count <= n for count in counts)
        assert counts == sorted(set(counts))


def test_the_chance_of_a_false_threshold_is_at_most_delta() -> None:
    """A model of exactly the target's accuracy at every confidence: each threshold is a mistake
    of half of the time, and hundreds are tried in one project."""
    random = np.random.default_rng(7)
    found = [
        find_threshold(random.random(800), random.random(800) < 0.9, 0.9, DELTA) is not None
        for _ in range(1500)
    ]
    assert np.mean(found) <= DELTA + 3 * np.sqrt(DELTA * (1 - DELTA) / 1500)


@given(seed=seeds, n=st.integers(50, 300), target=targets)
def test_order_of_the_items_does_not_matter(seed: int, n: int, target: float) -> None:
    scores, right = scored(seed, n, 0.9)
    order = np.random.default_rng(seed).permutation(n)
    shuffled = find_threshold(scores[order], right[order], target, DELTA)
    assert shuffled == find_threshold(scores, right, target, DELTA)


@given(n=st.integers(0, 500), target=targets)
def test_a_model_that_is_always_right_starts_when_the_evidence_suffices(
    n: int, target: float
) -> None:
    scores = np.linspace(0.5, 1.0, n)
    threshold = find_threshold(scores, np.ones(n, dtype=bool), target, DELTA)
    assert (threshold is not None) == (n >= least_n(target, DELTA))
    if threshold is not None and len(sequences(n, target, DELTA)) > 1:
        assert threshold == scores[0], "nothing speaks against showing all of them"


@given(seed=seeds, n=st.integers(10, 500))
def test_a_model_that_guesses_gets_no_threshold(seed: int, n: int) -> None:
    scores = np.random.default_rng(seed).random(n)
    assert find_threshold(scores, np.zeros(n, dtype=bool), 0.9, DELTA) is None


@pytest.mark.parametrize("skill", [0.3, 0.7])
def test_thresholds_keep_their_promise_on_new_items(skill: float) -> None:
    """Over many projects, few show items of which fewer are right than the target says."""
    target, projects = 0.9, 300
    broken = 0
    for seed in range(projects):
        scores, right = scored(seed, 300, skill)
        threshold = find_threshold(scores, right, target, DELTA)
        if threshold is not None:
            fresh, truth = scored(seed + 10_000, 20_000, skill)
            broken += truth[fresh >= threshold].mean() < target
    assert broken / projects <= DELTA + 3 * np.sqrt(DELTA * (1 - DELTA) / projects)


def test_the_promise_holds_round_after_round() -> None:
    """What `python -m bench.promise` shows at length: with easy items gone after each round."""
    assert broken(World("slow", items=1000, skill=0.5), 0.95, 200)["broken"] <= RISK


@pytest.mark.slow
def test_the_promise_holds_for_sets_of_classes() -> None:
    """A little of `python -m bench.promise --multilabel`: cuts and scores are from the labels that
    the threshold is tested on."""
    assert broken(SetWorld("sets", items=600), 0.95, 24)["broken"] <= RISK


def card(n: int, right: int, *, evidence: int | None = None) -> dict[str, object]:
    """The card of a two-class model that was right for the first `right` of `n` items."""
    labels = np.arange(n) % 2
    predicted = np.where(np.arange(n) < right, labels, 1 - labels)
    seen = np.arange(n) < (n if evidence is None else evidence)
    return make_card(np.linspace(1.0, 0.5, n), predicted, labels, seen, 2, 0.95, DELTA)


def test_a_class_that_is_much_worse_or_hardly_seen_is_left_out() -> None:
    said = np.eye(4, dtype=bool)[np.repeat([0, 1, 2], [100, 20, 3])]
    right = np.ones(123, dtype=bool)
    right[100:106] = False  # six of twenty, where the target allows one
    limits = class_thresholds(np.full(123, 0.9), right, said, 0.8, 0.95)
    assert limits == [0.8, None, None, None]
    assert class_thresholds(np.full(123, 0.9), right, said, None, 0.95) == [None] * 4


@given(seed=seeds, n=st.integers(1, 400), target=targets)
def test_one_mistake_alone_excludes_no_class(seed: int, n: int, target: float) -> None:
    right = np.ones(n, dtype=bool)
    right[np.random.default_rng(seed).integers(n)] = False
    limits = class_thresholds(np.ones(n), right, np.ones((n, 1), dtype=bool), 0.5, target)
    if n >= 1 / (2 * (1 - target)):
        assert limits == [0.5 if n >= 4 else None]


def test_card_of_a_good_model() -> None:
    found = card(400, 400)
    assert found["threshold"] == pytest.approx(0.5)
    assert found["accuracy"] == found["model_accuracy"] == 1.0
    assert found["coverage"] == 1.0
    assert found["lower_bound"] == pytest.approx(lower_bound(400, 400, DELTA))
    assert found["reason"] is None
    assert found["labels_needed"] is None
    assert found["confusion"] == [[200, 0], [0, 200]]


def test_card_says_why_there_are_no_prelabels() -> None:
    few = card(30, 30)
    assert few["threshold"] is None
    assert f"at least {least_n(0.95, DELTA)} labels" in str(few["reason"])
    assert few["labels_needed"] is not None
    poor = card(400, 200)
    poor_scores = np.full(400, 0.5)
    again = make_card(
        poor_scores, np.zeros(400, int), np.arange(400) % 2, np.ones(400, bool), 2, 0.95, DELTA
    )
    assert again["threshold"] is None
    assert "the target is 95%" in str(again["reason"])
    assert poor["model_accuracy"] == 0.5


def test_the_luckiest_share_of_the_surest_answers_proves_nothing() -> None:
    """Mistakes among the very first, and too many later: in between it looks proven."""
    right = np.ones(700, dtype=bool)
    right[[3, 5, *range(160, 700, 2)]] = False
    labels = np.arange(700) % 2
    found = make_card(
        np.linspace(1.0, 0.5, 700), np.where(right, labels, 1 - labels), labels,
        np.ones(700, bool), 2, 0.95, DELTA,
    )  # fmt: skip
    assert found["threshold"] is None
    assert max(p["lower_bound"] for p in found["curve"]) >= 0.95
    assert str(found["reason"]).endswith("but these are still too few to prove 95%.")


def test_labels_given_with_the_models_help_are_no_evidence() -> None:
    assert card(200, 200, evidence=20)["threshold"] is None


@given(seed=seeds, n=st.integers(1, 300), classes=st.integers(2, 8))
def test_tables_of_the_card_count_every_label_once(seed: int, n: int, classes: int) -> None:
    random = np.random.default_rng(seed)
    labels, predicted = random.integers(classes, size=(2, n))
    found = make_card(
        random.random(n), predicted, labels, random.random(n) < 0.5, classes, 0.9, DELTA
    )
    assert sum(map(sum, found["confusion"])) == n
    assert sum(row["n"] for row in found["per_class"]) == n
    assert sum(b["n"] for b in found["reliability"]) == n
