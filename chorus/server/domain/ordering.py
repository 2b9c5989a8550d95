"""The order of work by hand: items the model would like labeled, and items drawn at random.

Two streams are worked off by turns. One is the model's choice, best first; the other goes through
all open items in the order that chance gave them at import, whatever the model wants. Only what
chance has brought is evidence for the promise. It stands for what is still open, or for something
harder: an item that chance brings is evidence even if the model would have liked it later, while
of what stays open the choice has taken difficult ones (measured in docs/ordering.md).
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

ORDERINGS = ("random", "uncertain", "auto")
CHOSEN_SHARE = 0.5
"""Of the places in the order, so many are the model's: every second one."""

T = TypeVar("T", bound=Hashable)


def chooses(
    ordering: str,
    *,
    prelabel: bool,
    threshold: float | None,
    labels: int,
    labels_needed: int | None,
) -> bool:
    """Whether a round's choice is handed out, or what comes next is left to chance.

    With `auto`, while prelabels are wanted and within reach (`labels_needed`, the forecast until
    the first ones, is no more than the labels there are), every label is wanted as proof. If they
    are out of reach, it is a better model that is missing. None: the promise was broken, and all
    evidence is to be gathered anew.
    """
    if ordering != "auto" or not prelabel or threshold is not None:
        return ordering != "random"
    return labels_needed is not None and labels_needed > labels


def interleave(by_chance: Iterable[T], chosen: Iterable[T]) -> list[tuple[T, bool]]:
    """The order of work, each with whether it has its place by choice: one by choice, one by
    chance, and so on until no choice is left; then what remains of `by_chance` is not listed.

    Both are worked through in their order; what the other stream has brought already is passed
    over. `by_chance` has all of `chosen`, or goes on for twice as many. In any beginning of the
    order there are as many of one kind as of the other, or one more chosen.
    """
    out: list[tuple[T, bool]] = []
    taken: set[T] = set()
    chance = iter(by_chance)
    for item in chosen:
        if item in taken:
            continue
        taken.add(item)
        out.append((item, True))
        for other in chance:
            if other not in taken:
                taken.add(other)
                out.append((other, False))
                break
    return out


def manual_places(ranks: Mapping[int, int], chosen: Sequence[int]) -> dict[int, int]:
    """item_id -> place in the manual queue, of those that have theirs by choice.

    ranks: of the open items there; chosen: item_ids, best first, those of them that lie elsewhere
    are passed over. Everything else stays at its rank: a chosen item comes right before the item by
    chance that follows it. Ranks are 62 random bits, so that two neighbours leave room between
    them.
    """
    known = [item_id for item_id in chosen if item_id in ranks]
    # Chance is asked as often as choice; what it has been asked for may have been taken already.
    first = heapq.nsmallest(2 * len(known), ranks, key=ranks.__getitem__)
    order = interleave(first, known)
    places: dict[int, int] = {}
    for at, (item_id, by_choice) in enumerate(order):
        if by_choice:
            after = order[at + 1][0] if at + 1 < len(order) else item_id
            places[item_id] = max(0, ranks[after] - 1)
    return places


def block_places(blocks: Sequence[int], chosen: Sequence[int]) -> tuple[dict[int, int], set[int]]:
    """(place of each block from 0 on, blocks that have theirs by choice).

    blocks: numbers in the order that chance gave them; chosen: the same, best first, those that are
    no blocks are passed over.
    """
    there = set(blocks)
    order = interleave(blocks, [block for block in chosen if block in there])
    front = {block: place for place, (block, _) in enumerate(order)}
    rest = [block for block in blocks if block not in front]
    places = front | {block: len(front) + place for place, block in enumerate(rest)}
    return places, {block for block, by_choice in order if by_choice}
