"""A person taken out of what is written about them. Pure.

Votes and decisions know a person by an id that says nothing. Names stand in the log beside it, and
in texts that people wrote; they are found here, and a pseudonym put in their place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

BESIDE = (("name", "user_id"), ("labeler", "labeler_id"))
"""(field with a name, field with the id of whose it is)."""
BY = "by"
"""Who did it: a name, in some events an id."""
TEXTS = frozenset({"text", "reason"})
"""What people or the server wrote, in which somebody may be named."""
OTHERS_NAME = frozenset({"project.changed"})
"""Events whose `name` is the project's and whose `user_id` is whoever changed it."""
SHORTEST = 3
"""Letters that a word in a text has at least to be taken for a name."""


class Erased(msgspec.Struct):
    """Whoever is erased: the id stays. `known`: names, login and address they had so far; those
    found beside their id are added."""

    user_id: str
    pseudonym: str
    known: set[str]

    def in_text(self, text: str) -> str:
        """With the pseudonym for every word that is theirs."""
        words = sorted((w for w in self.known if len(w) >= SHORTEST), key=len, reverse=True)
        if not words:
            return text
        either = "|".join(re.escape(word) for word in words)
        return re.sub(rf"(?<!\w)(?:{either})(?!\w)", self.pseudonym, text, flags=re.IGNORECASE)

    def concerns(self, raw: str) -> bool:
        """May a text in JSON have to do with them? (Names with other than ASCII letters are in it
        as they are: msgspec escapes only what it must.)"""
        lower = raw.lower()
        return self.user_id in raw or any(_quoted(word).lower() in lower for word in self.known)

    def out_of(self, type: str, body: dict[str, Any]) -> dict[str, Any]:
        """An event's body without them."""
        return self._dict(body, skip=type in OTHERS_NAME)

    def _dict(self, body: dict[str, Any], skip: bool = False) -> dict[str, Any]:
        out = {key: self._value(key, value) for key, value in body.items()}
        for name, whose in BESIDE:
            if skip or body.get(whose) != self.user_id or not isinstance(body.get(name), str):
                continue
            if body[name] != self.user_id:
                self.known.add(body[name])
            out[name] = self.pseudonym
        by = body.get(BY)
        changed_it = skip and body.get("user_id") == self.user_id
        if isinstance(by, str) and by != self.user_id and (changed_it or by in self.known):
            self.known.add(by)
            out[BY] = self.pseudonym
        return out

    def _value(self, key: str, value: Any) -> Any:
        if isinstance(value, dict):
            return self._dict(value)
        if isinstance(value, list):
            return [self._value(key, one) for one in value]
        if key in TEXTS and isinstance(value, str):
            return self.in_text(value)
        return value


def _quoted(word: str) -> str:
    return msgspec.json.encode(word).decode()[1:-1]


def names_of(*names: str | None) -> set[str]:
    """What somebody is known by."""
    return {name for name in _stripped(names) if name}


def _stripped(names: Iterable[str | None]) -> Iterable[str]:
    return (name.strip() for name in names if name is not None)
