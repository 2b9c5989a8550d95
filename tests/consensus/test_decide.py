"""When one item's votes are enough."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chorus.server.consensus.decide import Witness, decide
from chorus.server.consensus.live import Params, default_params, widened
from chorus.server.consensus.merged import Merged

CLASSES = 10
STRANGERS = default_params(CLASSES)


def merged(*votes: int, params: Params = STRANGERS, most: int = 3, **more: object) -> Merged:
    witnesses = [Witness(f"u{n}", value) for n, value in enumerate(votes)]
    model = more.get("model")
    return decide(
        params,
        witnesses,
        model,
        votes_min=1,
        votes_max=most,
        target=0.95,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("prelabel", [None, 4, 5])
def test_with_one_vote_each_every_vote_is_the_label(prelabel: int | None) -> None:
    """Also one that let a prelabel stand, which says less than one given unasked."""
    found = decide(
        STRANGERS, [Witness("u", 4, prelabel)], None, votes_min=1, votes_max=1, target=0.95
    )
    assert (found.value, found.reached) == ("4", True)


def test_strangers_are_asked_until_two_agree() -> None:
    assert not merged(4).reached
    assert merged(4, 4).reached
    assert not merged(4, 5).reached
    assert merged(4, 5, 4).reached
    assert not merged(4, 5, 6).reached, "three people, three answers: a supervisor decides"


def test_a_person_known_to_be_good_needs_no_second() -> None:
    params = Params("one_coin", [0.1] * CLASSES, {"u0": 0.99})
    assert merged(4, params=params).reached


def test_the_model_may_confirm_but_never_decide() -> None:
    params = Params("auto", [0.1] * CLASSES, model_weight=1.0)
    sure = [0.01] * CLASSES
    sure[4] = 0.91
    assert merged(4, params=params, model=sure).reached
    sure[4], sure[7] = 0.001, 0.919
    found = merged(4, params=params, model=sure)
    assert (found.value, found.reached) == ("4", False)
    assert not merged(4, params=params, model=[1e-9] * 7 + [1.0, 0, 0], most=1).reached


@given(st.lists(st.integers(0, CLASSES - 1), min_size=1, max_size=5))
def test_the_label_is_one_that_somebody_gave(votes: list[int]) -> None:
    found = merged(*votes)
    assert found.value in {str(v) for v in votes}
    assert 0 <= found.confidence <= 1
    assert found.vote_count == len(votes)


@given(st.lists(st.integers(0, 2), min_size=1, max_size=5), st.randoms())
def test_the_order_of_votes_decides_nothing(votes: list[int], random: object) -> None:
    mixed = list(votes)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    one, other = merged(*votes, most=5), merged(*mixed, most=5)
    assert one.reached == other.reached
    if one.reached:
        assert one.value == other.value


@pytest.mark.parametrize("weight", [0.5, 1.0, 2.0])
def test_a_class_that_is_added_takes_no_label_away(weight: float) -> None:
    """The model, which has not been taught it yet, says a little of it all the same."""
    share = [0.1] * CLASSES
    params = Params("one_coin", share, {"u0": 0.9}, model_weight=weight, model_share=share)
    model = [0.95 if c == 4 else 0.05 / (CLASSES - 1) for c in range(CLASSES)]
    assert merged(4, params=params, model=model).reached
    assert merged(4, params=widened(params, CLASSES + 1), model=[*model, 1e-4]).reached
    assert merged(4, params=widened(params, CLASSES + 3), model=[*model, *[1e-4] * 3]).reached


def mixing_up(skill: float) -> Params:
    """Three people, of whom confusion matrices are known."""
    wrong = (1 - skill) / (CLASSES - 1)
    rows = [
        [skill if said == true else wrong for said in range(CLASSES)] for true in range(CLASSES)
    ]
    known = {f"u{n}": rows for n in range(3)}
    return Params(
        "dawid_skene", [1 / CLASSES] * CLASSES, confusion=known, default_accuracy=skill,
        population=rows,
    )  # fmt: skip


@pytest.mark.parametrize("skill", [0.7, 0.9, 0.99])
def test_a_class_that_is_added_is_voted_for_as_any_other(skill: float) -> None:
    """Nobody's mix-ups are known of it yet; that is no reason to think it impossible."""
    params = widened(mixing_up(skill), CLASSES + 1)
    found, other = merged(CLASSES, CLASSES, 4, params=params), merged(5, 5, 4, params=params)
    assert (found.value, found.reached) == (str(CLASSES), True)
    assert found.confidence == pytest.approx(other.confidence, abs=0.01)


def test_classes_that_are_added_take_no_label_of_mixed_up_ones_away() -> None:
    params = mixing_up(0.951)
    assert merged(4, params=params).reached
    assert merged(4, params=widened(params, CLASSES + 5)).reached
