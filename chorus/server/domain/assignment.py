"""Items that go to some people first, or to them only: which items, and in which order somebody
gets what is theirs and what is not.

An item belongs to one assignment at most, or is everybody's. How many votes it gets does not
depend on it: it only says who may give them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from chorus.server.domain.values import parts

ASSIGNMENTS_MAX = 30
"""Of a project: a page is looked for in each of them."""
EVERYBODYS = 0
"""The number of what is in no assignment."""


class Wanted(msgspec.Struct, frozen=True):
    """Which items an assignment takes, of those that nobody else has been given."""

    text: str = ""
    """Anywhere in the name, whatever the case."""
    guess: str | None = None
    """The model says so, as a whole (canonical value)."""
    guess_part: str | None = None
    """The model says this class index among others."""
    share: float = 1.0
    """Of what matches, drawn by chance; over 0, at most 1."""
    later: bool = False
    """Also of what comes into the project later."""

    @property
    def by_chance(self) -> bool:
        """Nothing of an item decides whether it is taken."""
        return not self.text and self.guess is None and self.guess_part is None

    def takes(self, number: int, rank: int, name: str, guess: str | None) -> bool:
        """rank: the item's random order key; guess: what the model says of it, canonical. The same
        item is always taken or never, however often it is asked about."""
        if self.text and self.text.casefold() not in name.casefold():
            return False
        if self.guess is not None and guess != self.guess:
            return False
        if self.guess_part is not None and (guess is None or self.guess_part not in parts(guess)):
            return False
        if self.share >= 1:
            return True
        # Mixed with the number, by more than a checksum: two halves are not the same half.
        digest = hashlib.blake2b(f"{number}:{rank}".encode(), digest_size=4).digest()
        return int.from_bytes(digest, "big") / 2**32 < self.share


class Pool(msgspec.Struct, frozen=True):
    """An assignment as one person sees it."""

    number: int
    only: bool
    """Nobody else gets its items."""
    mine: bool


def tiers(pools: Sequence[Pool]) -> list[tuple[int, ...]]:
    """Numbers of what a person may be given, what comes first first: what is theirs, what is
    everybody's, then what goes to others first. What is others' only is in none."""
    mine = tuple(p.number for p in pools if p.mine)
    others = tuple(p.number for p in pools if not p.mine and not p.only)
    return [tier for tier in (mine, (EVERYBODYS,), others) if tier]
