"""When the model's next round is due, and which queue an open item goes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chorus.server.domain.model import PageKind
from chorus.server.domain.values import NONE

GROWTH = 0.15
"""A next round after this share more labels: often enough to matter, rare enough to be cheap.

"Labels" are what the model learns from: the labels of settled items, or, where skills and the model
decide how many votes an item needs, people's votes. By class, a label set counts in each of its
classes (or as "-"), so that the sum may be more than there are."""
FIRST_MIN = 20
FIRST_PER_CLASS = 3
MIN_STEP = 10
REPLACE_GROWTH = 0.5
"""A round whose input has grown by this share before it was trained on is replaced …"""
REPLACE_LEAST = 50
"""… unless it is fewer labels: a round on so few takes seconds."""


BOXES_GROWTH = 0.4
"""A detector's round takes minutes: the next one after this share more labeled pictures …"""
BOXES_STEP_MOST = 2000
"""… or so many, since that is about what it looks at ahead (`open_most`)."""
BOXES_MIN = 8
"""Boxes of one class that a detector needs."""
OPEN_LEAST, OPEN_MOST = 800, 3000


def too_few_boxes(labels: Mapping[str, int]) -> str | None:
    """Why no detector can be trained from `labels` (class index -> boxes), or None if it can."""
    if max((n for value, n in labels.items() if value != NONE), default=0) < BOXES_MIN:
        return f"The detector needs at least {BOXES_MIN} boxes of one class."
    return None


def next_detector_at(last_round_labels: int | None) -> int:
    """The number of labeled pictures at which a detector's next round is due."""
    if last_round_labels is None:
        return FIRST_MIN
    step = max(MIN_STEP, int(last_round_labels * BOXES_GROWTH))
    return last_round_labels + min(BOXES_STEP_MOST, step)


def open_most(labeled: int) -> int:
    """How many open pictures a detector's round looks at: about those that come to people before
    the next round's answers do."""
    return min(OPEN_MOST, max(OPEN_LEAST, 2 * (next_detector_at(labeled) - labeled)))


def too_few(labels: Mapping[str, int]) -> str | None:
    """Why no model can be trained from `labels` (class index -> count), or None if it can."""
    seen = {value: n for value, n in labels.items() if n > 0}
    if len(seen) < 2:
        return "The model needs labels of at least two classes."
    enough = [n for n in seen.values() if n >= FIRST_PER_CLASS]
    if len(enough) < 2:
        return f"The model needs at least {FIRST_PER_CLASS} labels in each of two classes."
    return None


def next_round_at(labels: Mapping[str, int], last_round_labels: int | None) -> int:
    """The number of labels at which the next round is due."""
    if last_round_labels is None:
        seen = sum(1 for n in labels.values() if n > 0)
        return max(FIRST_MIN, FIRST_PER_CLASS * seen)
    return last_round_labels + max(MIN_STEP, int(last_round_labels * GROWTH))


def input_old(began_with: int, total: int, *, trained: bool, replaced: bool) -> bool:
    """True when a running round should give way to a new one, which learns from more.

    began_with, total: what there was to learn from at its beginning, and is now. trained: its heads
    are trained. From there on it is sooner done than another one, which begins right after it
    anyway. replaced: see `replaced_already`; whoever labels faster than the model learns gets the
    second one.
    """
    if trained or replaced:
        return False
    return total - began_with >= max(REPLACE_LEAST, REPLACE_GROWTH * began_with)


def replaced_already(states: Sequence[str]) -> bool:
    """Has a round been replaced since the last one that was done? Then none is again before one is.
    states: of a project's rounds, oldest first."""
    for state in reversed(states):
        if state in ("done", "replaced"):
            return state == "replaced"
    return False


def queue_for(
    *,
    value: str,
    score: float,
    threshold: float | None,
    prelabel: bool,
    clustered: bool,
    was_prelabeled: bool,
    was_value: str | None,
) -> PageKind:
    """The queue of one open item after a round.

    A prelabel stays while the newer model gives the same answer: the promise of the round that
    made it covers the whole set it covered, and later rounds are proven only on items that no
    earlier round would have prelabeled ("survivors"), so they may only add to that set.
    """
    if prelabel:
        if threshold is not None and score >= threshold:
            return "prelabeled"
        if was_prelabeled and was_value == value:
            return "prelabeled"
    return "clustered" if clustered else "manual"
