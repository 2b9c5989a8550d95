"""Task types: what is labeled, and what a label is."""

from __future__ import annotations

TASK_TYPES = (
    "multiclass", "multilabel", "boxes", "polygons", "text-multiclass", "text-multilabel",
)  # fmt: skip
"""What this version labels."""


def is_text(task_type: str) -> bool:
    """Items are texts; otherwise pictures."""
    return task_type.startswith("text-")


def is_multilabel(task_type: str) -> bool:
    """A label is a set of classes, none included."""
    return task_type.endswith("multilabel")


def is_shapes(task_type: str) -> bool:
    """A label is any number of shapes on the picture, each with a class."""
    return task_type in ("boxes", "polygons")
