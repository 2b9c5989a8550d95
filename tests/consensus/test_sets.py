"""Label sets by the votes alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chorus.server.consensus.majority import majority
from chorus.server.consensus.merged import Merged
from chorus.server.consensus.sets import by_class, merge_sets, shares

SETS = st.sets(st.integers(0, 4)).map(lambda s: ",".join(map(str, sorted(s))) or "-")
VOTES = st.lists(SETS, min_size=1, max_size=7)
RULE = st.sampled_from(["class", "exact"])


def merged(votes: list[str], rule: str, votes_min: int = 1, votes_max: int = 9) -> Merged:
    return merge_sets(votes, rule=rule, votes_min=votes_min, votes_max=votes_max)


@given(SETS, st.integers(1, 6), RULE)
def test_unanimous_votes_give_their_set(vote: str, n: int, rule: str) -> None:
    found = merged([vote] * n, rule)
    assert (found.value, found.reached, found.agreement) == (vote, True, 1.0)
    # As sure as of one class that everybody named.
    assert found.confidence == majority(["7"] * n).confidence


@given(VOTES, st.randoms(use_true_random=False), RULE)
def test_the_order_of_votes_matters_only_where_there_is_a_tie(
    votes: list[str], random: object, rule: str
) -> None:
    other = list(votes)
    random.shuffle(other)  # type: ignore[attr-defined]
    a, b = merged(votes, rule), merged(other, rule)
    assert (a.reached, a.confidence, a.agreement) == (b.reached, b.confidence, b.agreement)
    if a.reached:
        assert a.value == b.value


@given(VOTES)
def test_each_class_is_a_majority_of_its_own(votes: list[str]) -> None:
    found = by_class(votes)
    label = set(found.value.split(",")) - {"-"} if found.value is not None else set()
    single = {}
    for c in "01234":
        single[c] = majority(["yes" if c in vote.split(",") else "no" for vote in votes])
        assert (c in label) == (single[c].value == "yes")
    assert found.decided == all(one.decided for one in single.values())
    assert found.confidence == min(one.confidence for one in single.values())


@given(VOTES)
def test_a_class_that_nobody_ticked_changes_nothing(votes: list[str]) -> None:
    # The classes that are ticked may have any numbers: those between them are not there.
    moved = [",".join(str(10 * int(c)) for c in v.split(",")) if v != "-" else v for v in votes]
    a, b = by_class(votes), by_class(moved)
    assert (a.decided, a.confidence, a.agreement) == (b.decided, b.confidence, b.agreement)


@given(VOTES)
def test_what_the_exact_rule_decides_each_class_decides_too(votes: list[str]) -> None:
    exact = merged(votes, "exact")
    if exact.reached:
        found = merged(votes, "class")
        assert (found.value, found.reached) == (exact.value, True)


@given(VOTES, RULE)
def test_never_a_label_below_votes_min(votes: list[str], rule: str) -> None:
    found = merged(votes, rule, votes_min=len(votes) + 1, votes_max=len(votes) + 2)
    assert not found.reached
    assert found.value is not None


@pytest.mark.parametrize(
    ("votes", "by_class_", "exact"),
    [
        (["0,1", "0", "0,2"], ("0", True), ("0,1", False)),  # all agree on 0, nobody on a set
        (["0,1", "0,1", "2"], ("0,1", True), ("0,1", True)),
        (["0,1", "0"], ("0,1", False), ("0,1", False)),  # 1 is tied: what the first one says
        (["0", "0,1"], ("0", False), ("0", False)),
        (["-", "-", "3"], ("-", True), ("-", True)),
        (["0", "1", "2"], ("-", True), ("0", False)),  # no class has more than half
    ],
)
def test_known_votes(
    votes: list[str], by_class_: tuple[str, bool], exact: tuple[str, bool]
) -> None:
    for rule, expected in (("class", by_class_), ("exact", exact)):
        found = merged(votes, rule)
        assert (found.value, found.reached) == expected


def test_no_votes_are_no_label() -> None:
    for rule in ("class", "exact"):
        assert merged([], rule) == Merged(None, 0.0, 0.0, 0, False, True, "majority")


def test_shares_are_by_class() -> None:
    assert shares([("0,2", 2), ("-", 1), ("2", 1)]) == {0: 0.5, 2: 0.75}
    assert shares([("-", 3)]) == {}


def test_unknown_rules_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown rule"):
        merged(["0"], "both")
    with pytest.raises(ValueError, match="votes_min"):
        merged(["0"], "class", votes_min=2, votes_max=1)
