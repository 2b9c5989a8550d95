"""What became of an item's label, said to those who follow the event log."""

from __future__ import annotations

from chorus.server.domain.model import Item
from chorus.server.services.recording import Before
from chorus.server.storage.tx import Tx


def announce(tx: Tx, item: Item, before: Before, revision: int, now: int) -> None:
    """Emit what a change has made of the label; `revision`: the one it had before."""
    if item.label is not None and item.revision != revision:
        tx.emit(
            item.project_id,
            now,
            "label.decided",
            {
                "item_id": item.item_id,
                "value": item.label,
                "confidence": item.confidence,
                "agreement": item.agreement,
                "source": item.label_source,
                "revision": item.revision,
            },
        )
    elif before.label is not None and item.label is None:
        tx.emit(item.project_id, now, "label.withdrawn", {"item_id": item.item_id})
    if item.state == "needs_review" and before.state != "needs_review":
        tx.emit(item.project_id, now, "item.needs_review", {"item_id": item.item_id})
