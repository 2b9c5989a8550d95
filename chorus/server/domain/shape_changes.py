"""What a person did with the model's shapes: derived from what they were shown and what they sent.

Pure. A shape that was drawn anew in the place of another one is that one, moved: whoever looks at
the two answers cannot tell the difference.
"""

from __future__ import annotations

import msgspec

from chorus.server.geometry import load
from chorus.server.matching import pair

SAME_IOU = 0.2
"""From this overlap on a shape is one that was shown, moved."""


class ShapeChanges(msgspec.Struct, frozen=True):
    """Shapes of one answer, or of many."""

    kept: int = 0
    """As they were shown, to the hundredth of a pixel."""
    moved: int = 0
    """Of the same class, elsewhere or of another size."""
    reclassed: int = 0
    """Of another class, moved or not."""
    added: int = 0
    """That were not shown."""
    dropped: int = 0
    """Shown, and not in the answer."""

    @property
    def shown(self) -> int:
        """What the page had filled in."""
        return self.kept + self.moved + self.reclassed + self.dropped

    def __add__(self, other: ShapeChanges) -> ShapeChanges:
        return ShapeChanges(
            self.kept + other.kept,
            self.moved + other.moved,
            self.reclassed + other.reclassed,
            self.added + other.added,
            self.dropped + other.dropped,
        )


def changes(shown: str, answer: str) -> ShapeChanges:
    """Canonical strings: what the page had filled in (scores do not matter), and the answer."""
    before, after = [s.plain for s in load(shown)], load(answer)
    pairs = pair(before, after, SAME_IOU)
    same = [p for p in pairs if p.same_class]
    kept = sum(before[p.a] == after[p.b] for p in same)
    return ShapeChanges(
        kept=kept,
        moved=len(same) - kept,
        reclassed=len(pairs) - len(same),
        added=len(after) - len(pairs),
        dropped=len(before) - len(pairs),
    )
