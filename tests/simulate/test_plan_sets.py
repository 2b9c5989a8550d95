"""A page of label sets: the plan gives what was wanted, and wastes nothing obvious."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct, field

from chorus.simulate.plan import Action, cost, focus
from chorus.simulate.plan_sets import Said, Tags, keys, plan_sets

TAGS = "abcd"
SETS = st.frozensets(st.sampled_from(TAGS))
SKIPPED = "skipped"


class Page(Struct):
    """The labeler's page for label sets, as chorus/web/static/js/page_state.js has it."""

    said: list[Tags | str | None]
    focus: int
    size: int
    selected: list[int] = field(default_factory=list)
    spent: bool = False
    sent: bool = False

    def act(self, action: Action) -> None:
        assert not self.sent
        match action.kind:
            case "tag":
                assert action.label is not None
                self.tag(action.label)
            case "none":
                empty = all(self.said[i] == frozenset() for i in self.targets)
                self.complete(None if empty else frozenset())
            case "skip":
                self.complete(SKIPPED)
            case "next":
                self.unspent()
                self.focus = min(self.focus + 1, len(self.said) - 1)
            case "all":
                everything = list(range(len(self.said)))
                self.selected = [] if len(self.selected) == len(everything) else everything
                self.spent = False
            case "toggle":
                assert action.item is not None
                self.unspent()
                if action.item in self.selected:
                    self.selected.remove(action.item)
                else:
                    self.selected.append(action.item)
                self.focus = action.item
            case "submit":
                assert None not in self.said, "an item without an answer is not sent"
                self.sent = True
            case _:
                raise AssertionError(action)

    @property
    def targets(self) -> list[int]:
        return self.selected or [self.focus]

    def tag(self, tag: str) -> None:
        sets = {i: self.set_of(i) for i in self.targets}
        everywhere = all(tag in tags for tags in sets.values())
        for i, tags in sets.items():
            self.said[i] = (tags - {tag} or None) if everywhere else tags | {tag}
        self.spent = bool(self.selected)

    def complete(self, said: Tags | str | None) -> None:
        for i in self.targets:
            self.said[i] = said
        if self.selected:
            self.selected, self.spent = [], False
        elif said is not None:
            missing = [i for i, one in enumerate(self.said) if one is None]
            last = missing[0] if missing else self.focus
            self.focus = self.focus + 1 if self.focus + 1 < len(self.said) else last
        self.sent = self.size == 1 and None not in self.said

    def unspent(self) -> None:
        if self.spent:
            self.selected, self.spent = [], False

    def set_of(self, i: int) -> Tags:
        said = self.said[i]
        return said if isinstance(said, frozenset) else frozenset()


def after(shown: Sequence[Said], wanted: Sequence[Said], size: int) -> tuple[Page, list[Action]]:
    page = Page(list(shown), focus(shown), size)
    actions = plan_sets(shown, wanted, size)
    for action in actions:
        page.act(action)
    return page, actions


@given(st.lists(st.tuples(st.none() | SETS, st.none() | SETS), min_size=1, max_size=9))
def test_the_plan_leads_to_the_answers(items: list[tuple[Said, Said]]) -> None:
    shown, wanted = zip(*items, strict=True)
    page, actions = after(shown, wanted, 9)
    assert page.sent
    assert page.said == [SKIPPED if want is None else want for want in wanted]
    # Never more than to go to each item that is to be changed and to press its keys there.
    each = sum(1 + len(k) for s, w in items if (k := keys(s, w)))
    assert cost(actions) <= each + 1


@given(st.none() | SETS, st.none() | SETS)
def test_a_page_of_one_item(shown: Said, wanted: Said) -> None:
    page, actions = after([shown], [wanted], 1)
    assert page.sent
    assert page.said == [SKIPPED if wanted is None else wanted]
    assert len(actions) <= max(1, len(keys(shown, wanted)) + 1)


def sets(text: str) -> list[Said]:
    """ "ab - . c": {a, b}, the set of none, no answer (wanted: a skip), {c}."""
    marks: dict[str, Said] = {"-": frozenset(), ".": None}
    return [marks[word] if word in marks else frozenset(word) for word in text.split()]


@pytest.mark.parametrize(
    ("shown", "wanted", "size", "actions"),
    [
        (". . . .", "ab ab ab ab", 4, 4),  # all, a, b, submit
        (". . . .", "- - - -", 4, 3),  # all, none, submit
        ("ab - c a", "ab - c a", 4, 1),  # all prelabels right: submit
        ("ab - c a", "ab - c ad", 4, 3),  # one lacks a tag: select it, tag it
        (". . . .", "a b c d", 4, 8),  # tag, next, tag, next, tag, next, tag, submit
        (". . . .", "- b - d", 4, 6),  # none goes on by itself
        (". . . .", "a a ab a", 4, 5),  # all, a, select one, b, submit
        (". . . .", "a a - a", 4, 5),  # all, without one, a, then none
        ("a a a .", "ab ab ab .", 4, 6),  # the focus waits at the one to be skipped
        (".", "ab", 1, 3),
        (".", "-", 1, 1),  # none submits by itself
        ("a", "a", 1, 1),
    ],
)
def test_known_pages(shown: str, wanted: str, size: int, actions: int) -> None:
    page, taken = after(sets(shown), sets(wanted), size)
    assert page.sent
    assert cost(taken) == actions
