"""The order of work within a queue: `queue_pos`, a 63-bit integer.

Items that nobody has answered lie in order of rank (manual) or of the round's pages (clustered and
prelabeled), below MORE_VOTES; those whose first votes did not suffice lie above it, and those whose
only vote the model contradicts above SECOND_LOOK.
"""

from __future__ import annotations

from chorus.server.domain.model import PageKind

ORDER: tuple[PageKind, ...] = ("prelabeled", "clustered", "manual")
"""Cheapest work first: reviewing costs less than correcting a cluster, that less than typing."""
ROUND_SPAN = 10**9
"""queue_pos of clustered and prelabeled items = round * ROUND_SPAN + place."""
RANK_BITS = 62
"""Ranks are below 2 ** RANK_BITS (see services/adding.rank_of)."""
MORE_VOTES = 1 << RANK_BITS
SECOND_LOOK = MORE_VOTES + (1 << 61)
_STEPS = 1 << 20
_TIE_BITS = 40


def floor_key(queue: str, assigned: int) -> str:
    """Of a queue, as far as it belongs to one assignment (0: to none); see `dealing.Floors`."""
    return f"{queue} {assigned}"


def more_votes_pos(confidence: float, rank: int) -> int:
    """The place of an item that asks for another vote; least confident first, then by rank.

    confidence: 0..1. Returns MORE_VOTES..2**63-1.
    """
    step = min(_STEPS - 1, int(max(0.0, confidence) * _STEPS))
    return MORE_VOTES + (step << _TIE_BITS) + (rank >> (RANK_BITS - _TIE_BITS))


def second_look_pos(rank: int) -> int:
    """The place of an item that is looked at again. Returns SECOND_LOOK..2**63-1."""
    return SECOND_LOOK + (rank >> 1)
