"""How many people drew what a label has, and how well theirs cover it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from chorus.server.geometry import Shape, iou_matrix


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
    of the label at most: the pairs that overlap most are matched first, as COCO's evaluation does.
    """
    overlaps: list[list[float]] = [[] for _ in label]
    for vote in votes:
        if list(vote) == list(label):
            for found in overlaps:
                found.append(1.0)
            continue
        matrix = iou_matrix(label, vote)
        rows, columns = np.nonzero(matrix >= iou - 1e-9)
        free: set[int] = set(columns.tolist())
        left: set[int] = set(rows.tolist())
        for at in np.argsort(-matrix[rows, columns], kind="stable"):
            i, j = int(rows[at]), int(columns[at])
            if i in left and j in free:
                left.remove(i)
                free.remove(j)
                overlaps[i].append(float(matrix[i, j]))
    return [Support(len(o), len(votes), round(sum(o) / len(o), 4) if o else None) for o in overlaps]
