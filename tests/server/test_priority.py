"""What a supervisor wants first comes first, whatever queue it lies in; all else keeps its order,
and no evidence comes of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chorus.server.domain.model import BY_HAND
from chorus.server.services.dashboard import snapshot
from chorus.server.services.landing import Limits, Plan, land_chunk
from chorus.server.services.round_files import Place, Prediction, write_items
from chorus.server.storage.tx import Tx
from tests.server.world import World


@pytest.fixture
def w() -> Iterator[World]:
    world = World(gold_rate=0)
    world.add(40)
    yield world
    world.close()


def got(w: World, user: str, size: int = 4) -> list[int]:
    page = w.deal(user, size).page
    assert page is not None
    return [item["item_id"] for item in page["items"]]


def by_chance(w: World) -> list[int]:
    return [i.item_id for i in sorted(w.items(), key=lambda i: i.rank)]


def land(w: World, number: int, **plan: dict[int, Prediction] | dict[int, Place]) -> None:
    tx = w.tx()
    found: Plan = Plan(
        number,
        Limits({"1": 0.9}),
        True,
        plan.get("predictions", {}),
        plan.get("clusters", {}),
        {},  # type: ignore[arg-type]
    )
    land_chunk(tx, "p", found, [i.item_id for i in w.items()], w.now)
    w.commit(tx)


def test_they_come_first_and_the_others_as_chance_has_it(w: World) -> None:
    order = by_chance(w)
    first, wanted = order[:4], [order[30], order[12], order[25]]
    assert got(w, "u0") == first
    w.prioritize(wanted)
    assert snapshot(Tx(w.db), "p").urgent == 3
    # In random order among themselves; the page is filled with what is next.
    assert got(w, "u0") == [order[12], order[25], order[30], order[4]]
    assert got(w, "u0") == order[5:9]
    assert got(w, "u1") == [i for i in order[9:] if i not in wanted][:4]
    assert all(w.item(i).chosen == BY_HAND for i in wanted)
    assert w.findings() == []


def test_also_before_what_the_model_makes_easy(w: World) -> None:
    order = by_chance(w)
    easy = {i: Prediction("1", 0.99, "1:0.99") for i in order[:20]}
    land(w, 1, predictions=easy)
    w.prioritize([order[35], order[3]])
    page = w.deal("u0", 4).page
    assert page is not None
    assert (page["kind"], [i["item_id"] for i in page["items"]]) == ("prelabeled", [order[3]])
    page = w.deal("u0", 1).page
    assert page is not None
    assert (page["kind"], [i["item_id"] for i in page["items"]]) == ("manual", [order[35]])


def test_they_are_no_evidence_and_undone_they_are_again(w: World, tmp_path) -> None:  # type: ignore[no-untyped-def]
    order = by_chance(w)
    raised, lowered = order[20:24], order[24:28]
    w.prioritize([*raised, *lowered])
    land(w, 1)  # a round does not forget it
    w.prioritize(lowered, raised=False)
    for _ in range(2):
        for item_id in got(w, "u0"):
            w.cast("u0", item_id, "1")
    assert {i.item_id for i in w.items() if i.label} == {*raised, *order[:4]}
    assert all(w.item(i).chosen == 0 for i in lowered)
    write_items(Tx(w.db), "p", tmp_path / "items.tsv")
    rows = [line.split("\t") for line in (tmp_path / "items.tsv").read_text().splitlines()[1:]]
    trusted = {int(row[0]) for row in rows if row[4] == "1"}
    assert trusted == set(order[:4])
    assert snapshot(Tx(w.db), "p").urgent == 0
    assert w.findings() == []


def test_what_was_taken_back_goes_to_others_if_there_is_anything_else(w: World) -> None:
    order = by_chance(w)
    assert got(w, "u0") == order[:4]
    w.leave("u0")
    page = w.deal("u0", 4, not_yet=order[:4]).page
    assert page is not None
    assert [i["item_id"] for i in page["items"]] == order[4:8]
    assert got(w, "u1") == order[:4]
    w.leave("u1")
    everything = [i.item_id for i in w.items()]
    page = w.deal("u0", 4, not_yet=everything).page
    assert page is not None, "rather the same again than nothing"


def test_finding_them_does_not_look_at_the_others(w: World) -> None:
    sql = (
        "EXPLAIN QUERY PLAN SELECT item_id FROM item WHERE project_id = 'p' AND assigned = 0"
        " AND queue = 'manual' AND room > 0 AND priority = 1 AND queue_pos >= 0"
        " ORDER BY queue_pos LIMIT 9"
    )
    (plan,) = [row[3] for row in w.db.execute(sql)]
    assert "item_priority" in plan
    assert "queue_pos>" in plan
