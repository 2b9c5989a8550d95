"""A supervisor lets the items of a filter come before all others, or in their usual order again.

Only where they lie in line changes: everything else keeps its random order, and what came first is
no evidence of the model any more (`Item.chosen`), since no chance has brought it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from chorus.server.clock import now_ms
from chorus.server.domain.filters import Filter
from chorus.server.services.bulk import Bulk, Bulks, Follow
from chorus.server.storage.tx import Tx

RAISE, LOWER = "raise", "lower"
"""Actions of a bulk."""


class Prioritizing:
    def __init__(self, bulks: Bulks) -> None:
        self._bulks = bulks

    def begin(
        self, project_id: str, bulk_id: str, wanted: Filter, raised: bool, user_id: str,
        follow: Follow | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Begin, or go on with it, for all open items that `wanted` finds now; returns a `Bulk`.

        wanted.state: 'unlabeled', 'in_progress', or None for both. Raises bad_value, conflict.
        """
        states = ("unlabeled", "in_progress") if wanted.state is None else (wanted.state,)
        filters = [msgspec.structs.replace(wanted, state=state) for state in states]
        bulk = Bulk(bulk_id, project_id, user_id, RAISE if raised else LOWER)
        return self._bulks.each(bulk, filters, change, follow)


def change(tx: Tx, bulk: Bulk, item_ids: Sequence[int], seen: Sequence[object]) -> None:
    """The transaction of a chunk. What has been labeled meanwhile stays as it is."""
    raised = bulk.action == RAISE
    changed = tx.set_priority(item_ids, raised)
    bulk.done += len(item_ids)
    if changed:
        user = tx.user(bulk.user_id)
        body = {
            "user_id": bulk.user_id, "name": user.name if user else bulk.user_id,
            "raised": raised, "count": changed, "urgent": changed if raised else -changed,
        }  # fmt: skip
        tx.emit(bulk.project_id, now_ms(), "priority.changed", body)
