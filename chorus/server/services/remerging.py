"""Items whose votes are the same but weigh differently now: merged anew, and what that changes."""

from __future__ import annotations

from collections.abc import Sequence

from chorus.server.services.labeling import announce
from chorus.server.services.recording import Before, Delta, count, keep
from chorus.server.storage.tx import Tx


def remerge(tx: Tx, project_id: str, item_ids: Sequence[int], now: int) -> None:
    """Merge some items anew in one transaction and say what became of them."""
    project = tx.project(project_id)
    assert project is not None
    params = tx.params(project)
    delta = Delta()
    said = []
    for item in tx.items_by_id(item_ids):
        before, revision = Before.of(item), item.revision
        count(item, tx.standing(item.item_id), project, params)
        keep(tx, project, item, before, delta, now)
        said.append((item, before, revision))
    body = delta.body()
    if body:
        tx.emit(project_id, now, "labels.remerged", {"count": len(said), **body})
    for item, before, revision in said:
        announce(tx, item, before, revision, now)
