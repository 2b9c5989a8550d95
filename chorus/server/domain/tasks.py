"""Task types: what is labeled, and what a label is."""

from __future__ import annotations

TASK_TYPES = ("multiclass", "multilabel", "text-multiclass", "text-multilabel")
"""What this version labels; DESIGN knows `boxes` and `polygons` as well."""


def is_text(task_type: str) -> bool:
    """Items are texts; otherwise pictures."""
    return task_type.startswith("text-")


def is_multilabel(task_type: str) -> bool:
    """A label is a set of classes, none included; otherwise exactly one class."""
    return task_type.endswith("multilabel")
