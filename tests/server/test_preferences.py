"""A person's own keys: whatever is asked for, each action has one key, and a refusal says why."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chorus.server.domain.preferences import (
    ACTIONS,
    GROUPS,
    RESERVED,
    Preferences,
    check,
    keys_of,
)

keys = st.one_of(
    st.sampled_from([*ACTIONS.values(), *sorted(RESERVED), "Enter", " ", "Escape", "Tab", ""]),
    st.text(min_size=1, max_size=2),
)
wishes = st.dictionaries(st.sampled_from([*ACTIONS, "dance"]), keys, max_size=6)


@given(wish=wishes)
def test_every_action_has_one_key_of_its_own(wish: dict[str, str]) -> None:
    try:
        kept = check(Preferences(keys=wish))
    except ValueError as reason:
        assert str(reason).startswith("keys: ")
        return
    now = keys_of(kept)
    assert set(now) == set(ACTIONS)
    # On one page no key means two things; the pages are apart.
    assert all(len({now[action] for action in group}) == len(group) for group in GROUPS)
    assert not set(now.values()) & RESERVED
    assert all(now[action] == key.lower() or len(key) > 1 for action, key in wish.items())
    # Kept in its shortest form, and the same when it is read again.
    assert all(ACTIONS[action] != key for action, key in kept.keys.items())
    assert check(kept) == kept


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        ({"skip": "f"}, "F is already the key of"),
        ({"shapes.lock": "m"}, "M is already the key of shapes.move"),
        ({"shapes.lock": " "}, "Space is taken"),
        ({"skip": "3"}, "digits are classes"),
        ({"skip": "Tab"}, "one character, Space or Enter"),
        ({"dance": "d"}, "no action 'dance'"),
    ],
)
def test_a_refusal_says_why(wish: dict[str, str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check(Preferences(keys=wish))


def test_keys_can_change_places() -> None:
    kept = check(Preferences(keys={"skip": "f", "flag": "s"}))
    assert (keys_of(kept)["skip"], keys_of(kept)["flag"]) == ("f", "s")


def test_pages_have_keys_of_their_own() -> None:
    kept = check(Preferences(keys={"skip": "r", "shapes.lock": "v"}))
    now = keys_of(kept)
    assert (now["skip"], now["shapes.draw"], now["shapes.skip"]) == ("r", "r", "s")


@pytest.mark.parametrize("minutes", [-1, 241])
def test_a_break_is_within_reason(minutes: int) -> None:
    with pytest.raises(ValueError, match="break_minutes"):
        check(Preferences(break_minutes=minutes))
