"""The checker accepts what a correct item did, however clients' views of it overlap, and finds each
kind of planted fault."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.faults.histories import (
    NEVER,
    Op,
    Room,
    TooHard,
    linearizable,
    out_of_order,
    violations,
)

PEOPLE = ("ann", "bob", "cy", "dee")


def history(seed: int, votes_min: int, votes_max: int, steps: int = 14) -> list[Op]:
    """What clients of a correct item may see: each operation's true moment is within its span."""
    rng = random.Random(seed)
    state, ops = Room(votes_min, votes_max), []
    for moment in range(steps):
        span = (moment - rng.random() * 3, moment + rng.random() * 3)
        user = rng.choice(PEOPLE)
        mine = next((lease for lease, who in state.leases if who == user), None)
        own = next((vote for who, vote, _ in state.standing if who == user), None)
        choices = [Op(1, *span, "grant", user, lease=f"l{moment}")]
        if mine is not None:
            choices.append(Op(1, *span, "vote", user, vote=f"v{moment}", label=rng.random() < 0.8))
            choices.append(Op(1, *span, "release", lease=mine))
        if own is not None:
            choices.append(Op(1, *span, "vote", user, vote=f"v{moment}", supersedes=own))
            choices.append(Op(1, *span, "refused", user))
        op = rng.choice(choices)
        after = state.step(op)
        if after is None:
            continue
        lost = op.kind == "vote" and rng.random() < 0.2
        ops.append(replace(op, end=NEVER, may=True) if lost else op)
        state = after
    standing = frozenset(vote for _, vote, _ in state.standing)
    return [*ops, Op(1, steps + 9, steps + 10, "read", standing=standing)]


@given(st.integers(0, 1 << 30), st.sampled_from([(1, 1), (2, 3), (1, 3)]))
@settings(max_examples=200)
def test_what_a_correct_item_did_is_accepted(seed: int, rules: tuple[int, int]) -> None:
    assert violations(history(seed, *rules), *rules) == []


@given(st.integers(0, 1 << 30))
@settings(max_examples=100)
def test_a_lost_vote_is_found(seed: int) -> None:
    ops = history(seed, 2, 3)
    acked = {op.vote for op in ops if op.kind == "vote" and not op.may}
    kept = ops[-1].standing & acked
    for vote in kept:
        lost = [*ops[:-1], replace(ops[-1], standing=ops[-1].standing - {vote})]
        assert violations(lost, 2, 3), "an acknowledged vote is not there"


def grant(user: str, start: float, end: float, item: int = 1) -> Op:
    return Op(item, start, end, "grant", user, lease=f"of {user}")


def vote(user: str, start: float, end: float, **more: object) -> Op:
    op = Op(1, start, end, "vote", user, vote=f"by {user}")
    return replace(op, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "planted",
    {
        "two hold the only lease": [grant("ann", 0, 1), grant("bob", 2, 3)],
        "given to whoever has answered": [
            grant("ann", 0, 1), vote("ann", 2, 3), grant("ann", 4, 5),
        ],
        "given although it is answered": [
            grant("ann", 0, 1), vote("ann", 2, 3), grant("bob", 4, 5),
        ],
        "kept twice": [
            grant("ann", 0, 1), vote("ann", 2, 3), vote("ann", 4, 5),
        ],
        "a vote that nobody sent": [Op(1, 0, 1, "read", standing=frozenset({"by ann"}))],
        "there, then gone": [
            vote("ann", 0, NEVER, may=True),
            Op(1, 1, 2, "read", standing=frozenset({"by ann"})),
            Op(1, 3, 4, "read"),
        ],
        "a correction of what does not stand": [
            grant("ann", 0, 1), vote("ann", 2, 3), vote("ann", 4, 5, vote="x", supersedes="y"),
        ],
        "refused for nothing": [grant("ann", 0, 1), Op(1, 2, 3, "refused", "ann")],
    }.items(),
    ids=lambda case: case[0],
)  # fmt: skip
def test_each_kind_of_fault_is_found(planted: tuple[str, list[Op]]) -> None:
    (line,) = violations(planted[1], 1, 1)
    assert "no order of these" in line


def test_what_may_have_happened_explains_but_is_not_needed() -> None:
    ends = Op(1, 1, NEVER, "release", lease="of ann", may=True)
    assert violations([grant("ann", 0, 1), ends, grant("bob", 2, 3)], 1, 1) == []
    assert violations([grant("ann", 0, 1), ends], 1, 1) == []
    assert violations([grant("ann", 0, 1), grant("bob", 2, 3, item=2)], 1, 1) == []
    # Their spans overlap: either could have been first, but not both hold it.
    both = [grant("ann", 0, 9), vote("ann", 1, 9), grant("bob", 1, 9)]
    assert violations(both, 1, 1), "after the vote it is answered, before it there is no room"
    assert violations(both, 2, 2) == []


def test_the_logs_order_is_that_of_time() -> None:
    assert out_of_order([(0, 1, 5), (2, 3, 6), (2, 4, 7), (3.5, 5, 8)]) == []
    assert out_of_order([(0, 9, 7), (1, 2, 5)]) == [], "both under way at once"
    assert len(out_of_order([(0, 1, 6), (2, 3, 5)])) == 1


def test_it_says_when_it_does_not_know() -> None:
    ops = [vote(f"u{n}", 0, 9, vote=f"v{n}") for n in range(12)]
    with pytest.raises(TooHard):
        linearizable([*ops, Op(1, 10, 11, "read")], Room(20, 20), Room.step, most=100)
