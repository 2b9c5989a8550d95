"""The cheapest way through a page: right, and truly the cheapest."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chorus.simulate.plan import Action, cost, focus, plan

CLASSES = ("cat", "dog", "eel")
Labels = tuple[str | None, ...]
PageState = tuple[Labels, frozenset[int], int]
"""(labels, selection, focus)"""


def act(state: PageState, action: Action) -> PageState:
    """The labeler's page, as a function."""
    labels, selection, focus = state
    match action.kind:
        case "all":
            return labels, frozenset(range(len(labels))), focus
        case "toggle":
            assert action.item is not None
            return labels, selection ^ {action.item}, focus
        case "change":
            assert action.item is not None
            # Clicking an item to focus it and pressing a key, with nothing selected.
            assert not selection
            changed = list(labels)
            changed[action.item] = action.label
            return tuple(changed), selection, focus
        case "label" if selection:
            return (
                tuple(action.label if i in selection else old for i, old in enumerate(labels)),
                frozenset(),
                focus,
            )
        case "label":
            changed = list(labels)
            changed[focus] = action.label
            return tuple(changed), selection, focus + 1
        case "submit":
            return state
    raise AssertionError(action)


def cheapest(shown: Labels, answers: Sequence[str]) -> int:
    """Search over all states of a page (Dijkstra)."""
    start: PageState = (shown, frozenset(), focus(shown))
    best = {start: 0}
    queue: list[tuple[int, int, PageState]] = [(0, 0, start)]
    tie = 0
    while queue:
        spent, _, state = heapq.heappop(queue)
        if spent > best[state]:
            continue
        if state[0] == tuple(answers):
            return spent + 1
        for action in possible(state, sorted(set(answers))):
            reached = act(state, action)
            total = spent + action.cost
            if total < best.get(reached, 1 << 30):
                best[reached] = total
                tie += 1
                heapq.heappush(queue, (total, tie, reached))
    raise AssertionError("unreachable")


def possible(state: PageState, classes: Sequence[str]) -> Iterator[Action]:
    labels, selection, focus = state
    yield Action("all")
    for item in range(len(labels)):
        yield Action("toggle", item)
        if not selection:
            for label in classes:
                yield Action("change", item, label)
    if selection or focus < len(labels):
        for label in classes:
            yield Action("label", label=label)


pages = st.lists(
    st.tuples(st.sampled_from((None, *CLASSES)), st.sampled_from(CLASSES)), min_size=2, max_size=5
)


@settings(max_examples=150, deadline=None)
@given(pages)
def test_no_way_is_cheaper(page: list[tuple[str | None, str]]) -> None:
    shown, answers = zip(*page, strict=True)
    assert cost(plan(shown, answers, 6)) == cheapest(shown, answers)


@given(
    st.lists(
        st.tuples(st.sampled_from((None, *"abcdef")), st.sampled_from("abcdef")),
        min_size=1,
        max_size=9,
    )
)
def test_the_plan_leads_to_the_answers(page: list[tuple[str | None, str]]) -> None:
    shown, answers = zip(*page, strict=True)
    actions = plan(shown, answers, 9)
    state: PageState = (shown, frozenset(), focus(shown))
    for action in actions:
        state = act(state, action)
    assert state[0] == answers
    assert actions[-1].kind == "submit"
    # One press each and the page; those before the focus take two.
    assert cost(actions) <= len(answers) + focus(shown) + 1


@pytest.mark.parametrize(
    ("shown", "answers", "size", "actions"),
    [
        ([None] * 9, ["cat"] * 9, 9, 3),  # select all, key, submit
        ([None] * 9, list("abcabcabc"), 9, 10),  # one by one, submit
        (["cat"] * 9, ["cat"] * 9, 9, 1),  # all prelabels right: submit
        (["cat"] * 9, ["cat"] * 8 + ["dog"], 9, 3),  # one wrong: change it
        ([None] * 9, ["dog", *["cat"] * 8], 9, 4),  # odd one first: all, key, key, submit
        ([None] * 9, ["cat"] * 8 + ["dog"], 9, 5),
        (["cat"] * 4 + [None] + ["cat"] * 4, ["cat"] * 9, 9, 2),  # the blind one has the focus
        ([None], ["cat"], 1, 1),  # labeling submits
        (["dog"], ["cat"], 1, 1),
        (["cat"], ["cat"], 1, 1),
    ],
)
def test_known_pages(shown: list[str | None], answers: list[str], size: int, actions: int) -> None:
    assert cost(plan(shown, answers, size)) == actions
