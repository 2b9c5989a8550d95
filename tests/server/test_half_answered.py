"""Who is in the middle of a page: what starts by itself waits for their last answers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chorus.server.storage.tx import Tx
from tests.server.world import World


@pytest.fixture
def world() -> Iterator[World]:
    made = World(gold_rate=0)
    yield made
    made.close()


def dealt(world: World, user: str) -> tuple[int, list[int]]:
    """(page_id, item_ids) of a new page of four."""
    page = world.deal(user, 4, tab=user).page
    assert page is not None
    return page["page_id"], [item["item_id"] for item in page["items"]]


def half(world: World, since: int = 0) -> set[int]:
    return Tx(world.db).half_answered("p", since)


def test_a_page_is_waited_for_from_its_first_answer_to_its_last(world: World) -> None:
    world.add(12)
    page, items = dealt(world, "u0")
    assert half(world) == set(), "nobody has begun"
    for item_id in items[:3]:
        world.cast("u0", item_id, "1" if item_id != items[1] else None,
                   "label" if item_id != items[1] else "skip")  # fmt: skip
        assert half(world) == {page}
    assert half(world, since=world.now) == set(), "they have stopped in the middle"
    world.cast("u0", items[3], "1")
    assert half(world) == set()


def test_pages_of_several_people_and_one_who_leaves(world: World) -> None:
    world.add(12)
    pages = {}
    for user in ("u0", "u1"):
        pages[user], items = dealt(world, user)
        world.cast(user, items[0], "0")
    dealt(world, "u2")
    assert half(world) == set(pages.values())
    world.leave("u0", tab="u0")
    assert half(world) == {pages["u1"]}
