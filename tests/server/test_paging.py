"""Going through all items of a project page by page takes time in proportion to them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chorus.server.storage.tx import Tx
from tests.server.world import World


@pytest.mark.parametrize(
    "ask",
    [
        lambda tx: tx.round_rows("p", 0, 5),
        lambda tx: tx.feature_batch("p", 0, 5),
        lambda tx: tx.items_in_state("p", None, 0, 5),
        lambda tx: tx.items_in_state("p", "labeled", 0, 5),
        lambda tx: tx.items_with_votes("p", 0, 5),
    ],
    ids=["round", "features", "all", "of a state", "with votes"],
)
def test_a_page_is_found_without_sorting_the_rest(ask: Callable[[Tx], object]) -> None:
    world = World()
    world.add(3)
    statements: list[str] = []
    world.db.set_trace_callback(statements.append)
    ask(Tx(world.db))
    world.db.set_trace_callback(None)
    (sql,) = (s for s in statements if s.startswith("SELECT"))
    plan = "; ".join(row[3] for row in world.db.execute(f"EXPLAIN QUERY PLAN {sql}"))
    assert "item_id>?" in plan, plan
    assert "TEMP B-TREE" not in plan, plan
    world.close()
