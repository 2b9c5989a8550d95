"""How many people drew what a label has, and how well theirs cover it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from chorus.server.geometry import Shape
from chorus.server.matching import pair


class Support(msgspec.Struct, frozen=True):
    """Of one shape."""

    seen: int
    """People who drew it, whatever class they gave it."""
    of: int
    """People who looked."""
    iou: float | None
    """Mean overlap of theirs with it, 0..1; None: nobody drew it."""


def support(label: Sequence[Shape], votes: Sequence[Sequence[Shape]], iou: float) -> list[Support]:
    """For each shape of a label, from the people's own.

    `iou`: from this overlap on two shapes are the same one. A person's shape stands for one shape
    of the label at most, by the best assignment (see `matching`).
    """
    overlaps: list[list[float]] = [[] for _ in label]
    for vote in votes:
        for found in pair(label, vote, iou):
            overlaps[found.a].append(found.iou)
    return [Support(len(o), len(votes), round(sum(o) / len(o), 4) if o else None) for o in overlaps]
