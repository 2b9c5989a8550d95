"""Practice on gold before the first real page: what comes, what is told, and that it counts for
nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chorus.client import ApiError
from chorus.server.errors import ApiError as Refused
from chorus.server.services.quality import quality
from tests.server.raw import Raw, connect
from tests.server.test_blindness import with_gold
from tests.server.world import World
from tests.servers import Bench, right

CLASSES = ["cat", "dog", "cow"]


@pytest.fixture
def worlds() -> Iterator[list[World]]:
    made: list[World] = []
    yield made
    for world in made:
        assert world.findings() == []
        world.close()


def world_with(worlds: list[World], practice: int, gold: int, work: int = 12) -> World:
    world = World(people=2, gold_rate=0.5)
    worlds.append(world)
    world.add(work)
    if gold:
        world.add(gold, "1", gold=True)
    world.set(practice=practice)
    return world


def work(world: World, user: str, size: int = 4) -> list[tuple[str, list[int]]]:
    """Answer every page to the end: (kind, items)."""
    done = []
    while (dealt := world.deal(user, size)).page is not None:
        ids = [entry["item_id"] for entry in dealt.page["items"]]
        done.append((dealt.page["kind"], ids))
        for item_id in ids:
            world.cast(user, item_id, "1")
    return done


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 9), st.integers(0, 7), st.sampled_from([1, 4, 9]))
def test_so_many_gold_items_come_first_once_and_never_as_checks(
    practice: int, gold: int, size: int
) -> None:
    worlds: list[World] = []
    world = world_with(worlds, practice, gold)
    done = work(world, "u0", size)
    kinds = [kind for kind, _ in done]
    first = [ids for kind, ids in done if kind == "practice"]
    assert kinds == ["practice"] * len(first) + ["manual"] * (len(kinds) - len(first))
    practised = [item_id for ids in first for item_id in ids]
    assert len(practised) == len(set(practised)) == min(practice, gold)
    later = {item_id for kind, ids in done if kind != "practice" for item_id in ids}
    assert not later & set(practised), "what one was told is no blind check"
    golden = {item.item_id for item in world.items() if item.gold}
    assert set(practised) <= golden
    assert later >= {i.item_id for i in world.items()} - golden
    world.add(4)
    assert "practice" not in [kind for kind, _ in work(world, "u0", size)], "once is enough"
    assert world.findings() == []
    world.close()


def test_practice_counts_for_nothing(worlds: list[World]) -> None:
    world = world_with(worlds, 5, 5, work=0)
    before = [(i.item_id, i.state, i.label, i.n_labels, i.confidence) for i in world.items()]
    dealt = world.deal("u0", 9)
    assert dealt.page is not None
    assert dealt.page["practice"] == {"done": 0, "of": 5}
    ids = [entry["item_id"] for entry in dealt.page["items"]]
    for n, item_id in enumerate(ids):
        kind, value = [
            ("label", "1"),
            ("label", "0"),
            ("skip", None),
            ("label", "1"),
            ("flag", None),
        ][n]
        world.cast("u0", item_id, value, kind)
    assert [
        (i.item_id, i.state, i.label, i.n_labels, i.confidence) for i in world.items()
    ] == before
    tx = world.tx()
    assert tx.count_votes("p", "u0", 0) == (0, 0)
    assert tx.check_answers("p") == []
    assert tx.rows("SELECT * FROM vote") == []
    found, _ = quality(tx, "p", CLASSES)
    world.rollback()
    mine, other = sorted(found["labelers"], key=lambda p: p["user_id"])
    assert mine["practice"] == {
        "run": 1, "finished_at": None, "answered": 5, "judged": 5, "right": 2,
    }  # fmt: skip
    assert mine["gold"] is None
    assert mine["labels"] == 0
    assert other["practice"] is None
    assert world.deal("u0").reason == "done"
    with pytest.raises(Refused, match="answered"):
        world.cast("u0", ids[0], "1")
    first = world.db.execute("SELECT vote_id FROM practice_answer ORDER BY seq").fetchone()[0]
    with pytest.raises(Refused, match="decided"):
        world.cast("u0", ids[0], "1", supersedes=first)


def test_real_pages_wait_until_practice_is_over_in_every_tab(worlds: list[World]) -> None:
    world = world_with(worlds, 6, 9)
    one = world.deal("u0", 4, "one")
    two = world.deal("u0", 4, "two")
    assert one.page is not None
    assert two.page is not None
    assert [one.page["practice"], two.page["practice"]] == [
        {"done": 0, "of": 6}, {"done": 4, "of": 6},
    ]  # fmt: skip
    assert world.deal("u0", 4, "two").reason == "practice"
    for page in (one.page, two.page):
        assert world.deal("u0", 4, "two").reason == "practice"
        for entry in page["items"]:
            world.cast("u0", entry["item_id"], "1")
    after = world.deal("u0", 4, "two").page
    assert after is not None
    assert after["kind"] == "manual"


def test_given_back_it_comes_again(worlds: list[World]) -> None:
    world = world_with(worlds, 3, 3)
    world.deal("u0", 4)
    world.leave("u0")
    again = world.deal("u0", 4).page
    assert again is not None
    assert (again["kind"], len(again["items"])) == ("practice", 3)


def test_whoever_is_at_work_is_not_asked_but_may_be_told_to(worlds: list[World]) -> None:
    world = world_with(worlds, 0, 20, work=30)
    with pytest.raises(Refused, match="switched off"):
        world.practise_again("u0")
    page = world.deal("u0", 4).page
    assert page is not None
    world.cast("u0", page["items"][0]["item_id"], "1")
    world.set(practice=2)
    kinds = [world.deal("u0", 4).page["kind"] for _ in range(2)]  # type: ignore[index]
    assert kinds == ["manual", "manual"]
    world.practise_again("u0")
    with pytest.raises(Refused, match="practising now"):
        world.practise_again("u0")
    first = world.deal("u0", 4).page
    assert first is not None
    assert (first["kind"], len(first["items"])) == ("practice", 2)
    for entry in first["items"]:
        world.cast("u0", entry["item_id"], "1")
    assert world.deal("u0", 1).page["kind"] == "manual"  # type: ignore[index]
    world.practise_again("u0")
    second = world.deal("u0", 4).page
    assert second is not None
    ids = [{entry["item_id"] for entry in page["items"]} for page in (first, second)]
    assert not ids[0] & ids[1], "what they have not practised on comes first"


def test_what_has_a_note_comes_first(worlds: list[World]) -> None:
    world = world_with(worlds, 2, 8)
    gold = sorted((i for i in world.items() if i.gold), key=lambda i: i.rank)
    tx = world.tx()
    tx.set_gold_note("p", gold[-1].item_id, "Look at the tail.")
    world.commit(tx)
    page = world.deal("u0", 4).page
    assert page is not None
    assert [e["item_id"] for e in page["items"]] == [gold[-1].item_id, gold[0].item_id]


async def test_the_answer_comes_with_the_acknowledgement(bench: Bench, tmp_path: Path) -> None:
    gold = await with_gold(bench, tmp_path, 8, 3, page_size=4, gold_rate=0.5, practice=2)
    project_id = bench.project.project_id
    await bench.admin.note_gold(project_id, min(gold), "  Green  is\ngreen. ")
    ordinary = await bench.admin.request(
        "GET", f"/api/projects/{project_id}/items", params={"state": "unlabeled", "limit": 1}
    )
    with pytest.raises(ApiError, match="only a gold item"):
        await bench.admin.note_gold(project_id, ordinary.json()["items"][0]["item_id"], "x")
    with pytest.raises(ApiError, match="at most 500"):
        await bench.admin.note_gold(project_id, min(gold), "x" * 501)
    with pytest.raises(ApiError, match="practice must be"):
        await bench.admin.change_project(project_id, practice=-1)
    token = await bench.person()
    async with connect(bench, token) as ws:
        raw = Raw(ws, bench.project)
        await raw.ask("labeling.open", tab="t", credit=2)
        page = (await raw.until("page"))["body"]
        assert (page["kind"], page["practice"]) == ("practice", {"done": 0, "of": 2})
        assert {"right", "answer", "note"}.isdisjoint(page["items"][0])
        first, second = page["items"]
        vote_id, ack = await raw.vote(first, right(first["name"]))
        answer = {"class": right(first["name"])}
        told = {"right": True, "answer": answer, "note": "Green is green."}
        assert ack["body"]["practice"] == told
        again = await raw.vote(first, "red", vote_id=vote_id)
        assert again[1]["body"] == {**ack["body"], "duplicate": True}
        # A reload has the page and the answer given on it.
        await raw.ask("labeling.open", tab="t", credit=2)
        held = (await raw.until("page"))["body"]
        assert [i["vote"] and i["vote"]["vote_id"] for i in held["items"]] == [vote_id, None]
        assert held["practice"] == {"done": 0, "of": 2}
        wrong = "red" if right(second["name"]) != "red" else "green"
        _, ack = await raw.vote(second, wrong)
        assert ack["body"]["practice"]["right"] is False
        page = (await raw.until("page"))["body"]
        assert page["kind"] == "manual"
        assert "practice" not in page
        assert (await raw.ask("labeling.history", limit=50))["body"]["votes"] == []
    found = await bench.admin.request("GET", f"/api/projects/{project_id}/quality")
    practised = [p["practice"] for p in found.json()["labelers"] if p["practice"]]
    assert [(p["answered"], p["right"]) for p in practised] == [(2, 1)]
    assert practised[0]["finished_at"]
    assert await bench.votes() == []
    assert (await bench.stats()).votes == 0
