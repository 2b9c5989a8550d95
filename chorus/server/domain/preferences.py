"""What a person sets for themselves, and which key does what on a labeler's pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

LANGUAGES = ("en", "zh-Hans")
"""Of the pages that a labeler sees; BCP 47 tags, as in chorus/web/locale/."""
BREAK_MINUTES_MAX = 240

KEYS = {
    "selectAll": "a",
    "clear": "x",
    "skip": "s",
    "flag": "f",
    "comment": "c",
    "undo": "u",
    "zoom": "z",
    "toggle": " ",
    "submit": "Enter",
}
"""The actions of pages with answers by key whose key can be changed, and the key that each has by
itself."""
SHAPE_KEYS = {
    "shapes.draw": "r",
    "shapes.move": "m",
    "shapes.template": "t",
    "shapes.polygon": "p",
    "shapes.points": "u",
    "shapes.lock": "l",
    "shapes.remove": "x",
    "shapes.copy": "d",
    "shapes.alone": "h",
    "shapes.accept": "a",
    "shapes.next": "j",
    "shapes.previous": "k",
    "shapes.fit": "z",
    "shapes.guides": "g",
    "shapes.light": "b",
    "shapes.skip": "s",
    "shapes.flag": "f",
    "shapes.comment": "c",
    "shapes.submit": "Enter",
}
"""The same of pages where shapes are drawn. No key of theirs is in the way of the others'."""
GROUPS = (KEYS, SHAPE_KEYS)
ACTIONS = {**KEYS, **SHAPE_KEYS}
NAMED = (" ", "Enter")
RESERVED = frozenset("0123456789?/-+=")
"""Digits are classes, the others help, search and the size of letters."""


class Preferences(msgspec.Struct, frozen=True, omit_defaults=True):
    language: Literal["en", "zh-Hans"] | None = None
    """None: what the browser asks for."""
    break_minutes: int = 50
    """Work without a pause after which a break is suggested; 0: never."""
    motion: Literal["auto", "less"] = "auto"
    """'auto': as the person's system says."""
    keys: dict[str, str] = {}
    """Action -> key, where it is another one than in ACTIONS."""


def keys_of(preferences: Preferences) -> dict[str, str]:
    """Action -> key, for all actions that have a changeable one."""
    return {**ACTIONS, **preferences.keys}


def check(preferences: Preferences) -> Preferences:
    """The preferences in their shortest form. Raises `ValueError` with a reason for people."""
    if not 0 <= preferences.break_minutes <= BREAK_MINUTES_MAX:
        raise ValueError(f"break_minutes must be 0 (no reminder) to {BREAK_MINUTES_MAX}")
    return msgspec.structs.replace(preferences, keys=_checked(preferences.keys))


def _checked(keys: Mapping[str, str]) -> dict[str, str]:
    changed: dict[str, str] = {}
    for action, key in keys.items():
        if action not in ACTIONS:
            raise ValueError(f"keys: there is no action {action!r}")
        key = key.lower() if len(key) == 1 else key
        if key in RESERVED:
            raise ValueError(f"keys: {name_of(key)} is taken: digits are classes, ? / - + = too")
        if key not in NAMED and (len(key) != 1 or not key.isprintable() or key.isspace()):
            raise ValueError("keys: a key is one character, Space or Enter")
        if action in SHAPE_KEYS and key == " ":
            raise ValueError("keys: Space is taken: it moves the picture")
        if key != ACTIONS[action]:
            changed[action] = key
    for group in GROUPS:
        owners: dict[str, str] = {}
        for action in group:
            key = changed.get(action, group[action])
            if key in owners:
                holder = action if owners[key] in changed else owners[key]
                raise ValueError(f"keys: {name_of(key)} is already the key of {holder}")
            owners[key] = action
    return changed


def name_of(key: str) -> str:
    """A key in words."""
    return "Space" if key == " " else key.upper() if len(key) == 1 else key
