"""Which items a reviewer asks for, the same to every layer."""

from __future__ import annotations

import msgspec

DOUBTFUL = ("needs_review", "skipped")
"""States listed by doubt unless asked otherwise; the others in order of item_id."""


class Filter(msgspec.Struct, frozen=True):
    """Values are canonical (as stored); on the wire it is docs/protocol.md, `review.list`."""

    state: str | None = "needs_review"
    """None: all but the removed ones."""
    value: str | None = None
    """Labeled so (or so far by its votes), as a whole."""
    part: str | None = None
    """A class index that the label set has in it, beside others perhaps."""
    guess: str | None = None
    """The model's answer, as a whole."""
    guess_part: str | None = None
    """A class index in it, as `part`."""
    labeler: str | None = None
    """user_id of somebody whose vote stands."""
    confidence_min: float | None = None
    confidence_max: float | None = None
    disagreement: str | None = None
    """'people': their votes differ; 'model': it contradicts them."""
    prelabel_changed: bool = False
    gold: bool = False
    """Only gold items."""
    flagged: bool = False
    """Only items that somebody flagged when they came as a check, and no decision has answered."""
    comments: str | None = None
    """'any': somebody has written about it; 'unread': so that `reader` has not read it yet."""
    reader: str = ""
    text: str = ""
    """Anywhere in the name, whatever the case."""
    item_ids: tuple[int, ...] | None = None
    order: str | None = None
    """'doubt', 'item', or None for the state's usual one."""

    @property
    def by_doubt(self) -> bool:
        return self.order == "doubt" if self.order else self.state in DOUBTFUL


class Answers(msgspec.Struct, frozen=True):
    """Which of their own answers a person looks for; values are canonical."""

    kind: str | None = None
    """'label', 'skip' or 'flag'."""
    value: str | None = None
    """Exactly this label."""
    part: str | None = None
    """A class index that the label set has in it."""
    text: str = ""
    """Anywhere in the item's name, whatever the case."""
    since: int | None = None
    until: int | None = None
    """Given at or after, and before, in ms."""
