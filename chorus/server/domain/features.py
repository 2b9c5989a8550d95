"""Which backbones look at which items, and which have seen all: a round never mixes rows of
different ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from chorus.server.domain.tasks import is_text


class Backbones(msgspec.Struct, frozen=True):
    """The server's settings: names joined by +."""

    pictures: str
    texts: str
    boxes: str = "fcos"
    """Detectors, of which a project has one."""

    def of(self, task_type: str, most: int = 0) -> list[str]:
        """The backbones that a project's items go through, in order. most: only so many, the first
        ones; 0: all that the server has."""
        names = (self.texts if is_text(task_type) else self.pictures).split("+")
        return names[:most] if most else names

    def detector(self, most: int = 0) -> str:
        """The detector of a project of boxes: the last of so many, the first ones; 0: of all."""
        names = self.boxes.split("+")
        return (names[:most] if most else names)[-1]


def seen_by(featurized: Mapping[str, int], total: int, backbones: Sequence[str]) -> int:
    """How many of the backbones, the first ones, have been through all `total` items.

    featurized: items by backbone.
    """
    for n, backbone in enumerate(backbones):
        if featurized.get(backbone, 0) < total:
            return n
    return len(backbones)


def newest_seen(
    featurized: Mapping[str, int], total: int, tuned: Sequence[tuple[int, str]]
) -> tuple[int, str] | None:
    """The newest fine-tuned network that has been through all items; None: there is none.

    tuned: (number of the fine-tuning, name), oldest first.
    """
    seen = [(n, name) for n, name in tuned if featurized.get(name, 0) >= total]
    return seen[-1] if seen else None


def usable(featurized: Mapping[str, int], total: int, backbones: Sequence[str]) -> str:
    """The backbones to learn from now, joined by +: those that saw everything, or the first."""
    return "+".join(backbones[: max(1, seen_by(featurized, total, backbones))])
