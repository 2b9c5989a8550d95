"""What every export format writes: one row per item, with all its votes."""

from __future__ import annotations

import msgspec


class ShapeRow(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename={"class_name": "class"}
):
    """One box or polygon. Coordinates are pixels of the upright picture, origin top left."""

    class_name: str
    box: tuple[float, float, float, float] | None = None
    """x, y, width, height; None: a polygon."""
    points: list[tuple[float, float]] | None = None
    score: float | None = None
    """Of a model's: how sure it is, 0..1."""
    seen: int | None = None
    """Of a label's: how many people drew it, …"""
    of: int | None = None
    """… of how many who looked, …"""
    iou: float | None = None
    """… and how well theirs cover it (mean intersection over union)."""

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """x, y, width, height of the box around it."""
        if self.box is not None:
            return self.box
        assert self.points is not None
        xs, ys = [x for x, _ in self.points], [y for _, y in self.points]
        left, top = min(xs), min(ys)
        return left, top, round(max(xs) - left, 2), round(max(ys) - top, 2)


class Drawing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is drawn on a picture, as it travels (docs/boxes.md): boxes or polygons, maybe none."""

    boxes: list[ShapeRow] | None = None
    polygons: list[ShapeRow] | None = None

    @property
    def shapes(self) -> list[ShapeRow]:
        return (self.polygons if self.boxes is None else self.boxes) or []


Names = str | list[str] | Drawing
"""A label: a class name, the names of a set of classes in the project's order, or a drawing."""


def classes_in(label: Names) -> list[str]:
    """The classes of a label, as often as they are in it."""
    if isinstance(label, str):
        return [label]
    return [s.class_name for s in label.shapes] if isinstance(label, Drawing) else label


class VoteRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One vote as exported. Times are milliseconds since 1970 UTC."""

    vote_id: str
    labeler: str
    """The person's login, or what stands for it where people are not to be known."""
    kind: str
    """label, skip or flag."""
    value: Names | None
    """None unless kind is label."""
    created_at: int
    duration_ms: int | None
    page_kind: str | None
    """manual, clustered or prelabeled."""
    prelabel: Names | None
    """What the person was shown, if anything."""
    standing: bool
    """Counts now: neither superseded by a correction nor set aside by a requeue."""
    supersedes: str | None
    check: bool = False
    """An answer on a check (a gold item served blind): no vote, so never standing."""


class ExportRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One item as exported."""

    item_id: int
    name: str
    content_hash: str
    width: int
    height: int
    state: str
    label: Names | None
    """The consensus (or the review's decision); None while there is none."""
    provisional: Names | None
    """The best guess from the votes, consensus or not; None without votes."""
    confidence: float | None
    agreement: float | None
    vote_count: int
    """Standing label votes."""
    source: str | None
    """votes or review."""
    gold: bool = False
    length: int = 0
    """Of a text, in characters; 0: a picture."""
    model: Names | None = None
    """What the model's last round said of the item …"""
    model_score: float | None = None
    """… and how sure it was."""
    second_look: bool = False
    """The model contradicted its only vote, so others were asked."""
    votes: list[VoteRow]
    """All votes ever cast on the item, oldest first; then all answers on checks."""
