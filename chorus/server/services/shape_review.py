"""What a reviewer sees of a picture's shapes: who drew which, what they add up to, what is left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chorus.server.consensus.shapes import MergedShape, merge_values
from chorus.server.domain.model import Item
from chorus.server.domain.shapes import wire_shape
from chorus.server.domain.values import Schema
from chorus.server.storage.tx import Tx


def merged_shapes(tx: Tx, items: Sequence[Item], schema: Schema) -> dict[int, dict[str, Any]]:
    """By item_id, `{"shapes", "disputed"}` of its standing votes (docs/protocol.md, `ReviewItem`).
    items: of one project."""
    project = tx.project(items[0].project_id)
    assert project is not None
    names = [c.name for c in schema.classes]
    out = {}
    for item in items:
        votes = [v for v in tx.standing(item.item_id) if v.kind == "label"]
        found = merge_values(tuple(v.value or "[]" for v in votes), project.iou)
        people = [v.user_id for v in votes]
        out[item.item_id] = {
            "shapes": [_public(m, people, names) for m in found.shapes],
            "disputed": [_public(m, people, names) for m in found.disputed],
        }
    return out


def _public(merged: MergedShape, people: Sequence[str], names: Sequence[str]) -> dict[str, Any]:
    return {
        **wire_shape(merged.shape, names),
        "seen": merged.seen,
        "of": merged.of,
        "iou": merged.iou,
        "class_share": round(merged.class_share, 4),
        "by": [people[n] for n in merged.by],
    }
