"""What a round has chosen to be labeled by hand next: where it lies among what chance brings.

The rules are in domain/ordering.py; which items the model would like, a job has
said (ml/acquire.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import msgspec

from chorus.server.domain.ordering import block_places, manual_places
from chorus.server.services import round_files
from chorus.server.services.round_files import Place
from chorus.server.storage.tx.items import OpenItem


class Choice(msgspec.Struct):
    """The order of work of a round: what lies elsewhere than chance would have it."""

    manual: dict[int, int] = {}
    """item_id -> queue_pos in the manual queue, of chosen items."""
    clustered: set[int] = set()
    """Items on clustered pages that are there by choice: all of a chosen block, or of all blocks
    where only the purest are served."""


def read(folder: Path, ordering: str) -> tuple[list[int], list[int]]:
    """(item_ids, blocks) that the round in `folder` has chosen, best first."""
    if ordering == "random":
        return [], []
    return (
        round_files.read_numbers(folder / "next.tsv", "item_id"),
        round_files.read_numbers(folder / "next_blocks.tsv", "block"),
    )


def arrange(
    open_items: Sequence[OpenItem],
    prelabeled: Collection[int],
    clusters: Mapping[int, Place],
    items: Sequence[int],
    blocks: Sequence[int],
    *,
    purest: bool = False,
) -> tuple[dict[int, Place], Choice]:
    """(clusters in the order of work, the choice). `items`, `blocks`: of `read`; prelabeled and
    clusters: where the open items go.

    purest: of all clusters only the better ones are served. Then all of them have their place by
    choice: they are easier than what stays open, and prove nothing of it.
    """
    fresh = {i.item_id: i.rank for i in open_items if i.fresh and i.item_id not in prelabeled}
    if not items and not blocks:
        return dict(clusters), Choice(clustered=fresh.keys() & clusters.keys() if purest else set())
    ranks = {item_id: rank for item_id, rank in fresh.items() if item_id not in clusters}
    places, chosen = block_places(sorted({p.block for p in clusters.values()}), blocks)
    return (
        {
            item_id: Place(places[place.block], place.pos, place.odd)
            for item_id, place in clusters.items()
        },
        Choice(
            manual_places(ranks, items),
            {
                i
                for i, place in clusters.items()
                if (purest or place.block in chosen) and i in fresh
            },
        ),
    )
