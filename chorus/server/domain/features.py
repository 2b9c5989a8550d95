"""Which backbones have looked at all pictures: a round never mixes rows of different ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def seen_by(featurized: Mapping[str, int], total: int, backbones: Sequence[str]) -> int:
    """How many of the backbones, the first ones, have been through all `total` items.

    featurized: items by backbone.
    """
    for n, backbone in enumerate(backbones):
        if featurized.get(backbone, 0) < total:
            return n
    return len(backbones)


def usable(featurized: Mapping[str, int], total: int, backbones: Sequence[str]) -> str:
    """The backbones to learn from now, joined by +: those that saw everything, or the first."""
    return "+".join(backbones[: max(1, seen_by(featurized, total, backbones))])


def backbones_of(task_type: str, pictures: str) -> list[str]:
    """The backbones that a project's items go through, in order.

    pictures: the server's setting for pictures, names joined by +.
    """
    return pictures.split("+")
