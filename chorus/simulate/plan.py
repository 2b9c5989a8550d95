"""The cheapest way of a person through a page, in key presses and clicks.

The page's rules (kept by chorus/web/static/js/page_state.js): the focus starts on the first item
without an answer (on the first of all if there is none). A class key labels the focused item and
the focus moves on, or, while items are selected, labels all of them, clears the selection and
leaves the focus where it is. With page size 1 labeling also submits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct


class Action(Struct, frozen=True):
    """One thing a person does. `item` is a position on the page, `label` a class name.

    label: press a class key. all: select all. toggle: select or unselect one item.
    change: focus one item and label it (two presses). submit: send the page.
    Where labels are sets of classes (see plan_sets): tag: press a class key. none: no class
    applies. skip: the skip key. next: move the focus on.
    """

    kind: Literal["label", "all", "toggle", "change", "submit", "tag", "none", "skip", "next"]
    item: int | None = None
    label: str | None = None

    @property
    def cost(self) -> int:
        return 2 if self.kind == "change" else 1


def cost(actions: Sequence[Action]) -> int:
    return sum(action.cost for action in actions)


def plan(shown: Sequence[str | None], answers: Sequence[str], page_size: int) -> list[Action]:
    """The cheapest actions after which the page holds `answers` and is submitted.

    `shown`: what each item is labeled as when the page appears (a prelabel), or None.
    Every item ends by one of: its prelabel, one "select all" key (some items unselected before),
    a key for a selected group, a change, or the run of the focus from where it starts, which comes
    last. Trying every length of that run with every class for "select all" finds the
    minimum (tests/simulate/test_plan.py compares with a search over all states of a page).
    """
    if len(shown) != len(answers):
        raise ValueError("one answer per item")
    if page_size == 1 and len(answers) == 1:
        done = shown[0] == answers[0]
        return [Action("submit") if done else Action("label", label=answers[0])]
    best: list[Action] | None = None
    first = focus(shown)
    for end in range(first, len(answers) + 1):
        rest = [*range(first), *range(end, len(answers))]
        for base in (None, *sorted(set(answers))):
            way = _groups(shown, answers, rest, base)
            way += [Action("label", label=answer) for answer in answers[first:end]]
            if best is None or cost(way) < cost(best):
                best = way
    assert best is not None
    return [*best, Action("submit")]


def focus(shown: Sequence[object]) -> int:
    """Where the focus is when the page appears."""
    return next((i for i, label in enumerate(shown) if label is None), 0)


def _groups(
    shown: Sequence[str | None], answers: Sequence[str], rest: Sequence[int], base: str | None
) -> list[Action]:
    """Actions that make the items `rest` right, by groups; `base`: select all first."""
    right = [i for i in rest if shown[i] == answers[i]]
    wrong: dict[str, list[int]] = {}
    for i in rest:
        if shown[i] != answers[i]:
            wrong.setdefault(answers[i], []).append(i)
    actions: list[Action] = []
    if base is not None:
        actions.append(Action("all"))
        actions += [Action("toggle", i) for i in right if answers[i] != base]
        actions.append(Action("label", label=base))
        wrong.pop(base, None)
    for label, items in wrong.items():
        if len(items) == 1:
            actions.append(Action("change", items[0], label))
        else:
            actions += [Action("toggle", i) for i in items]
            actions.append(Action("label", label=label))
    return actions
