"""When one item's votes on a set of classes are enough, and what they add up to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chorus.server.consensus.decide import Witness, decide
from chorus.server.consensus.decide_sets import SetWitness, belief_sets, decide_sets
from chorus.server.consensus.live import Params, default_params, set_params
from chorus.server.consensus.merged import Merged

NOBODY = default_params(3)
"""No estimate yet."""


def question(
    prior: float, overlooks: float, invents: float, **people: tuple[float, float]
) -> Params:
    """Of one class: how common it is, how often people leave it out, how often they tick it where
    it is not; `people`: the same two of some."""

    def confusion(misses: float, adds: float) -> list[list[float]]:
        return [[1 - adds, adds], [misses, 1 - misses]]

    known = {name: confusion(*errors) for name, errors in people.items()}
    return Params(
        "dawid_skene", [1 - prior, prior], confusion=known, population=confusion(overlooks, invents)
    )


def known(*by_class: Params) -> Params:
    return Params("auto", [1.0], sets=set_params(by_class))


def merged(params: Params, *votes: str, most: int = 3, target: float = 0.95) -> Merged:
    witnesses = [SetWitness(f"u{n}", vote) for n, vote in enumerate(votes)]
    return decide_sets(params, witnesses, votes_min=1, votes_max=most, target=target)


SETS = st.sets(st.integers(0, 2)).map(lambda s: ",".join(map(str, sorted(s))) or "-")


@given(st.lists(SETS, min_size=1, max_size=4), st.integers(1, 4))
def test_each_class_is_decided_as_a_question_of_its_own(votes: list[str], most: int) -> None:
    by_class = [question(0.1 * (c + 1), 0.2, 0.05) for c in range(3)]
    found = merged(known(*by_class), *votes, most=most)
    single = [
        decide(
            params,
            [Witness(f"u{n}", int(str(c) in vote)) for n, vote in enumerate(votes)],
            None, votes_min=1, votes_max=most, target=0.95,
        )
        for c, params in enumerate(by_class)
    ]  # fmt: skip
    assert found.reached == all(one.reached for one in single)
    assert found.confidence == pytest.approx(min(one.confidence for one in single), abs=2e-6)
    ticked = [str(c) for c, one in enumerate(single) if one.value == "1"]
    assert found.value == (",".join(ticked) or "-")


def test_strangers_are_asked_until_two_agree() -> None:
    for vote in ("0,2", "-"):
        assert not merged(NOBODY, vote).reached
        assert merged(NOBODY, vote, vote).reached
        assert merged(NOBODY, vote, most=1).reached, "with one vote each, every vote is the label"
    assert not merged(NOBODY, "0,2", "0").reached, "they agree on one of the two"


def test_a_class_that_is_often_overlooked_is_asked_for_although_nobody_ticked_it() -> None:
    common = known(question(0.01, 0.1, 0.01), question(0.6, 0.3, 0.01))
    rare = known(question(0.01, 0.1, 0.01), question(0.01, 0.3, 0.01))
    assert merged(rare, "-").reached
    assert not merged(common, "-").reached
    chances = belief_sets(common, [SetWitness("u0", "-")])
    assert chances[0] < 0.01
    assert 0.2 < chances[1] < 0.5


def test_who_ticks_too_much_counts_less() -> None:
    params = known(question(0.2, 0.1, 0.02, u0=(0.1, 0.4), u1=(0.02, 0.01)))
    assert merged(params, "0", "-").value == "-"
    assert merged(params, "-", "0").value == "0"


@given(st.lists(SETS, min_size=1, max_size=4))
def test_a_class_newer_than_the_estimate_is_one_of_strangers(votes: list[str]) -> None:
    old = known(question(0.2, 0.1, 0.02))
    found = merged(old, *votes)
    assert found.value is not None
    new = {c for vote in votes for c in vote.split(",")} & {"1", "2"}
    for c in new:
        votes_c = [Witness(f"u{n}", int(c in vote.split(","))) for n, vote in enumerate(votes)]
        alone = decide(default_params(2), votes_c, None, votes_min=1, votes_max=3, target=0.95)
        assert (c in found.value.split(",")) == (alone.value == "1")


def test_a_set_that_was_let_stand_says_less() -> None:
    params = known(question(0.3, 0.15, 0.05))

    def confidence(prelabel: str | None) -> float:
        votes = [SetWitness("u0", "0", prelabel)]
        return decide_sets(params, votes, votes_min=1, votes_max=3, target=0.95).confidence

    assert confidence("0") < confidence(None) == confidence("-")


def test_no_votes_are_no_label() -> None:
    assert merged(NOBODY) == Merged(None, 0.0, 0.0, 0, False, True, "auto")


@pytest.mark.parametrize(("votes", "agreement"), [(("0,1", "0"), 0.75), (("-", "-"), 1.0)])
def test_agreement_is_over_what_somebody_ticked(votes: tuple[str, ...], agreement: float) -> None:
    assert merged(NOBODY, *votes).agreement == agreement
