"""When a running round gives way to a new one: the rule, and that it never starves a project."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chorus.server.domain.rounds import (
    REPLACE_GROWTH,
    REPLACE_LEAST,
    input_old,
    replaced_already,
)

counts = st.integers(0, 5000)
steps = st.lists(st.tuples(st.sampled_from(["label", "train", "end", "fail"]), counts), max_size=60)


@given(counts, counts)
def test_only_much_new_input_replaces(began_with: int, more: int) -> None:
    old = input_old(began_with, began_with + more, trained=False, replaced=False)
    assert old == (more >= REPLACE_LEAST and more >= REPLACE_GROWTH * began_with)
    assert not input_old(began_with, began_with + more, trained=True, replaced=False)
    assert not input_old(began_with, began_with + more, trained=False, replaced=True)


@given(counts, counts, counts)
def test_more_labels_never_make_input_younger(began_with: int, more: int, yet: int) -> None:
    if input_old(began_with, began_with + more, trained=False, replaced=False):
        assert input_old(began_with, began_with + more + yet, trained=False, replaced=False)


@given(steps)
def test_between_two_rounds_that_are_done_one_is_replaced_at_most(
    happens: list[tuple[str, int]],
) -> None:
    """However fast labels come and whatever fails: a round that began after a replaced one ends as
    itself, and what replaces a round learns from half as much again."""
    states: list[str] = []
    began: list[int] = [100]
    total, trained = 100, False
    for what, count in happens:
        if what == "label":
            total += count
        elif what == "train":
            trained = True
        else:
            states.append("done" if what == "end" else "failed")
            began.append(total)
            trained = False
        replaced = replaced_already(states)
        if input_old(began[-1], total, trained=trained, replaced=replaced):
            assert total >= began[-1] * (1 + REPLACE_GROWTH)
            states.append("replaced")
            began.append(total)
            trained = False
            assert not input_old(total, total + 10**6, trained=False, replaced=True)
    since = 0
    for state in states:
        since = 0 if state == "done" else since + (state == "replaced")
        assert since <= 1
