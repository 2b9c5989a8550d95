"""Strict majority: what a project's rules make of the votes."""

from __future__ import annotations

import csv
import statistics
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chorus.server.consensus import METHODS, merge

votes_of = st.lists(st.sampled_from(["0", "1", "2", "3"]), max_size=12)


@st.composite
def rules_of(draw: st.DrawFn) -> tuple[int, int]:
    low = draw(st.integers(1, 5))
    return low, draw(st.integers(low, 9))


def majority(votes: list[str], votes_min: int = 1, votes_max: int = 99):
    return merge("majority", votes, votes_min=votes_min, votes_max=votes_max)


@pytest.mark.parametrize(
    ("votes", "votes_min", "value", "reached"),
    [
        ([], 1, None, False),
        (["3"], 1, "3", True),
        (["3"], 2, "3", False),  # one vote too few
        (["3", "1"], 2, "3", False),  # a tie: the first cast, provisionally
        (["3", "1", "1"], 2, "1", True),
        (["3", "1", "2"], 2, "3", False),
        (["3", "3", "1", "1", "2"], 2, "3", False),  # more than half, not merely the most
        (["1", "2", "2"], 3, "2", True),
        (["1", "2", "2"], 4, "2", False),
    ],
)
def test_examples(votes: list[str], votes_min: int, value: str | None, reached: bool) -> None:
    merged = majority(votes, votes_min)
    assert (merged.value, merged.reached) == (value, reached)


def test_confidence_grows_with_votes_that_agree_and_falls_with_dissent() -> None:
    agreeing = [majority(["3"] * n).confidence for n in range(1, 8)]
    assert agreeing == sorted(set(agreeing))
    assert majority(["3"]).confidence == pytest.approx(2 / 3)
    assert majority(["3", "3", "1"]).confidence < majority(["3", "3"]).confidence
    assert majority(["3", "3", "1"]).agreement == pytest.approx(2 / 3)


@given(votes_of, rules_of())
def test_reached_means_enough_votes_and_more_than_half(
    votes: list[str], rules: tuple[int, int]
) -> None:
    merged = majority(votes, *rules)
    count = votes.count(merged.value) if merged.value is not None else 0
    assert merged.reached == (len(votes) >= rules[0] and 2 * count > len(votes))
    assert merged.provisional != merged.reached
    assert merged.vote_count == len(votes)
    assert merged.method == "majority"


@given(votes_of)
def test_value_is_a_most_common_vote_the_first_cast_among_equals(votes: list[str]) -> None:
    # statistics.multimode lists the most common values in the order first seen.
    assert majority(votes).value == next(iter(statistics.multimode(votes)), None)


@given(votes_of, rules_of(), st.randoms())
def test_order_matters_only_between_equals(
    votes: list[str], rules: tuple[int, int], random
) -> None:
    shuffled = list(votes)
    random.shuffle(shuffled)
    one, other = majority(votes, *rules), majority(shuffled, *rules)
    assert (one.reached, one.confidence, one.agreement) == (
        other.reached,
        other.confidence,
        other.agreement,
    )
    if one.reached:
        assert one.value == other.value


@given(votes_of, rules_of())
def test_one_more_vote_for_a_reached_label_keeps_it(
    votes: list[str], rules: tuple[int, int]
) -> None:
    merged = majority(votes, *rules)
    if merged.reached:
        assert merged.value is not None
        again = majority([*votes, merged.value], *rules)
        assert again.reached
        assert again.value == merged.value
        assert again.confidence > merged.confidence


@given(votes_of)
def test_figures_are_shares(votes: list[str]) -> None:
    merged = majority(votes)
    assert 0.0 <= merged.confidence <= 1.0
    assert 0.0 <= merged.agreement <= 1.0


@pytest.mark.parametrize("rules", [(0, 1), (3, 2), (-1, -1)])
def test_rules_out_of_order_are_refused(rules: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="votes_min"):
        majority(["1"], *rules)


def test_unknown_method_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="majority"):
        merge("telepathy", ["1"], votes_min=1, votes_max=1)
    assert "majority" in METHODS


def test_real_people_on_cifar10n(cifar10n: Path) -> None:
    """Three real votes per image; the majority is right for 91.9 % (ties: the first cast)."""
    with (cifar10n / "gold.csv").open() as file:
        gold = {row["item"]: row["label"] for row in csv.DictReader(file)}
    votes: dict[str, list[str]] = defaultdict(list)
    with (cifar10n / "votes.csv").open() as file:
        for row in sorted(csv.DictReader(file), key=lambda row: int(row["nth"])):
            votes[row["item"]].append(row["label"])
    assert votes.keys() == gold.keys()
    right = sum(majority(votes[item], 3, 3).value == gold[item] for item in gold)
    assert right / len(gold) == pytest.approx(0.919, abs=0.005)
