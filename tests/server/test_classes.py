"""Classes of a running project: names, colours, keys, groups, and starting over with more."""

from __future__ import annotations

import asyncio
import io
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chorus.client import ApiError
from chorus.server.domain.classes import KEYS, PALETTE, folders_of, keys_of
from chorus.server.domain.model import LabelClass, StartOver
from chorus.server.services import landing, starting_over
from chorus.server.services.accounts import CurrentUser
from chorus.server.services.classes import ClassChange, alter
from chorus.server.services.round_files import Prediction
from chorus.server.storage.tx import Tx
from tests.server.world import World
from tests.servers import (
    PATIENCE,
    Bench,
    eventually,
    page_of,
    pictures,
    right,
    vote_page,
)


@given(st.lists(st.none() | st.sampled_from(KEYS), max_size=20))
def test_every_digit_chooses_one_class_and_given_ones_keep_theirs(given: list[str | None]) -> None:
    keys = keys_of([LabelClass(str(i), "#000000", key) for i, key in enumerate(given)])
    used = [key for key in keys if key is not None]
    assert len(used) == len(set(used))
    assert len(keys) == len(given)
    assert len(used) >= min(len(given), len(KEYS))
    for key in {key for key in given if key is not None}:
        assert keys[given.index(key)] == key


def test_palette_is_seen_on_light_and_dark_pages() -> None:
    def light(color: str) -> float:
        parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for color in PALETTE:
        for page in ("#ffffff", "#181e28"):
            low, high = sorted((light(color), light(page)))
            assert (high + 0.05) / (low + 0.05) >= 3, color
    assert len(set(PALETTE)) == len(PALETTE)


def test_folders_are_candidates() -> None:
    assert folders_of(["a/b/1.png", "a/b/2.png", "c/3.png", "4.png"]) == [("a/b", 2), ("c", 1)]


@settings(max_examples=15)
@given(
    answers=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=12),
    preset=st.booleans(),
    size=st.integers(1, 4),
)
def test_a_start_over_leaves_facts_and_states_in_agreement(
    answers: list[tuple[int, int]], preset: bool, size: int
) -> None:
    world = World(votes_min=1, votes_max=2, people=4)
    try:
        world.add(6)
        world.add(2, label="1")
        for person, answer in answers:
            user = f"u{person}"
            if not world.leases(user):
                world.deal(user, 2)
            for lease in world.leases(user):
                kind = "label" if answer < 3 else "skip"
                world.cast(user, lease.item_id, str(answer) if answer < 3 else None, kind)
        before = {i.item_id: (i.state, i.label, i.provisional) for i in world.items()}
        tx = world.tx()
        seq = tx.emit("p", world.now, "project.changed", {"state": "paused"})
        tx.change_project("p", {"state": "paused"})
        tx.put_start_over(StartOver("p", "bulk-of-the-test", "u0", seq, preset, True))
        world.commit(tx)
        while True:
            tx = world.tx()
            more = starting_over.chunk(tx, "p", size, world.now)
            world.commit(tx)
            assert world.findings() == []
            if more is None:
                break
        for item in world.items():
            _, label, provisional = before[item.item_id]
            assert item.state in ("unlabeled", "in_progress")
            assert item.n_labels == 0
            had = label if label is not None else provisional
            assert item.preset == (had if preset else None)
        dealt = world.deal("u3", 4).page
        if preset and dealt is not None and dealt["kind"] == "prelabeled":
            assert any(i["prelabel"] and i["prelabel"]["score"] is None for i in dealt["items"])
        world.leave("u3")
        for item in world.items():
            if tx.last_reviews([item.item_id]).get(item.item_id, (0,) * 7)[6]:
                world.decide(item.item_id, "undo")
        assert world.findings() == []
        after = {i.item_id: (i.state, i.label, i.provisional) for i in world.items()}
        assert {i: s[1:] for i, s in after.items()} == {i: s[1:] for i, s in before.items()}
        assert all(i.preset is None for i in world.items())
    finally:
        world.close()


@settings(max_examples=15)
@given(answers=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=8))
def test_a_round_that_knows_fewer_classes_lands(answers: list[tuple[int, int]]) -> None:
    """Its views and prelabels name the classes it had; votes for the new one merge with them."""
    world = World(votes_min=1, votes_max=3, people=4, consensus="auto")
    try:
        world.add(5)
        tx = world.tx()
        tx.add_class("p", 3, LabelClass("fish", "#444444"))
        tx.emit("p", world.now, "project.changed", {"classes": ["cat", "dog", "cow", "fish"]})
        world.commit(tx)
        ids = [item.item_id for item in world.items()]
        guesses = {i: Prediction(str(i % 3), 0.9, f"{i % 3}:0.9,{(i + 1) % 3}:0.1") for i in ids}
        plan = landing.Plan(1, landing.Limits({"0": 0.5, "1": 0.5}), True, guesses, {}, {})
        tx = world.tx()
        landing.land_chunk(tx, "p", plan, ids, world.now)
        world.commit(tx)
        for person, answer in answers:
            user = f"u{person}"
            if not world.leases(user):
                world.deal(user, 2)
            for lease in world.leases(user):
                world.cast(user, lease.item_id, str(3 - answer))
        for item_id in ids:
            world.model_says(item_id, "0:0.7,1:0.3")
        assert world.findings() == []
    finally:
        world.close()


async def send(bench: Bench, method: str, path: str, **body: Any) -> dict[str, Any]:
    root = f"/api/projects/{bench.project.project_id}"
    response = await bench.admin.request(method, f"{root}/{path}", json=body or None)
    found: dict[str, Any] = response.json()
    return found


async def test_a_renamed_class_is_the_same_class(bench: Bench, tmp_path: Path) -> None:
    await bench.make(pictures(tmp_path, 8), page_size=4)
    stream = await bench.labeler(credit=1)
    page = await page_of(stream)
    await send(bench, "PATCH", "classes/1", name="Colours/crimson", color="#d0126f")
    await eventually(stream, lambda: stream.project.class_names == ["green", "Colours/crimson"])
    # Whoever has not heard of it yet answers by the old name, and the answer counts.
    await vote_page(stream, page)
    stats = await bench.stats()
    reds = sum(right(i.name) == "red" for i in page.items)
    assert stats.labels.get("Colours/crimson", 0) == reds
    moved = await send(bench, "PATCH", "classes/1", key="1")
    assert [c["key"] for c in moved["classes"]] == ["2", "1"]
    for body, code in (
        ({"name": "green"}, "conflict"),
        ({"name": "a/b/c/d/e/f/g"}, "bad_value"),
        ({"name": "a//b"}, "bad_value"),
        ({"name": "a\x01b"}, "bad_value"),
        ({"color": "red"}, "bad_value"),
        ({"key": "7"}, "bad_value"),
    ):
        with pytest.raises(ApiError) as refused:
            await send(bench, "PATCH", "classes/1", **body)
        assert refused.value.code == code
    with pytest.raises(ApiError, match="votes store its place"):
        await send(bench, "DELETE", "classes/1")


UNSEEN = ["a\x01b", "a\nb", "a\x7fb", "a\ufffeb", "a\u202eb"]


@pytest.mark.parametrize("name", UNSEEN)
async def test_a_class_name_has_nothing_that_cannot_be_seen(
    bench: Bench, tmp_path: Path, name: str
) -> None:
    """In a VOC export two such classes would be called the same."""
    await bench.make(pictures(tmp_path, 1))
    for ask in (
        send(bench, "POST", "classes", classes=["fine", name]),
        send(bench, "PATCH", "classes/1", name=name),
        bench.admin.create_project("Another", ["fine", name]),
    ):
        with pytest.raises(ApiError, match="cannot be seen") as refused:
            await ask
        assert refused.value.code == "bad_value"
    rest, one = bench.admin, bench.project.project_id
    line = json.dumps({"item": "green-00000.png", "label": name}).encode()
    dry = await rest.begin_label_import(one, "labels.jsonl", io.BytesIO(line), "labels")
    async with asyncio.timeout(PATIENCE):
        while dry.state != "ready":
            dry = await rest.label_import(one, dry.import_id)
    assert dry.summary is not None
    assert (dry.summary["faulty"], dry.summary["unknown_classes"]) == (1, {})
    assert "cannot be seen" in dry.errors[0]["reason"]
    await rest.apply_label_import(one, dry.import_id, add_classes=True, leave_out=True)
    now = await bench.admin.request("GET", f"/api/projects/{one}")
    assert [c["name"] for c in now.json()["classes"]] == ["green", "red"]


def test_a_name_from_before_there_was_a_rule_may_stay() -> None:
    """Whoever changes its colour says its name again."""
    world = World()
    tx = world.tx()
    old = LabelClass("a\x01b", "#111111", None)
    tx.change_class("p", 1, old, tx.classes("p")[1].name)
    world.commit(tx)
    tx = world.tx()
    boss = CurrentUser("boss", "boss", "Boss", True)
    schema = alter(tx, boss, "p", 1, ClassChange(name=old.name, color="#222222"))
    world.commit(tx)
    assert schema is not None
    assert [c.name for c in schema.classes][1] == old.name
    world.close()


async def test_starting_over_keeps_old_labels_as_presets_and_can_be_taken_back(
    bench: Bench, tmp_path: Path
) -> None:
    await bench.make(pictures(tmp_path, 6), page_size=6)
    stream = await bench.labeler(credit=1)
    await vote_page(stream, await page_of(stream))
    watch = await bench.watch()
    await watch.until(lambda s: s.counts.labeled == 6)
    await stream.credit()
    made = await send(bench, "POST", "classes", classes=["blue"], then="start_over_preset")
    assert [c["name"] for c in made["classes"]] == ["green", "red", "blue"]
    await eventually(stream, lambda: bool(stream.pages))
    page = await page_of(stream)
    assert page.kind == "prelabeled"
    assert all(i.prelabel and i.prelabel.score is None for i in page.items)
    assert all(i.prelabel and i.prelabel.answer == right(i.name) for i in page.items)
    await vote_page(stream, page, "blue")
    stats = await watch.until(lambda s: s.labels.get("blue") == 6)
    assert (stats.state, stats.counts.labeled, stats.votes) == ("running", 6, 6)
    begun = await send(bench, "GET", "start-over")
    assert (begun["running"], begun["done"]) == (False, 6)

    # Started over without them, then taken back as a whole.
    await send(bench, "POST", "classes", classes=["grey"], then="start_over")
    await watch.until(lambda s: s.counts.labeled == 0 and s.state == "running")
    undoes = (await send(bench, "GET", "start-over"))["bulk_id"]
    bulk = await send(bench, "POST", "bulks", bulk_id=str(uuid.uuid4()), undoes=undoes)
    async with asyncio.timeout(PATIENCE):
        while bulk["state"] == "running":
            bulk = await send(bench, "GET", f"bulks/{bulk['bulk_id']}")
    stats = await watch.until(lambda s: s.counts.labeled == 6)
    assert stats.labels["blue"] == 6
    assert stats.votes == 6


async def test_classes_that_the_data_brings_along(bench: Bench, tmp_path: Path) -> None:
    pictures(tmp_path / "tops", 3)
    pictures(tmp_path / "shoes", 2, start=3)
    await bench.make(tmp_path)
    found = await send(bench, "GET", "classes/found")
    assert found["folders"] == [{"name": "tops", "count": 3}, {"name": "shoes", "count": 2}]
    paused = await send(bench, "POST", "classes", classes=["tops", "shoes"], then="pause")
    assert paused["state"] == "paused"
    assert (await send(bench, "GET", "classes/found"))["folders"] == []


@pytest.mark.parametrize("state", ["paused", "archived", "deleting"])
def test_a_start_over_wakes_a_project_only_if_it_is_still_paused(state: str) -> None:
    world = World()
    try:
        tx = world.tx()
        seq = tx.emit("p", world.now, "project.changed", {"state": state})
        tx.change_project("p", {"state": state})
        tx.put_start_over(StartOver("p", "bulk-of-the-test", "u0", seq, False, True))
        world.commit(tx)
        tx = world.tx()
        assert starting_over.chunk(tx, "p", 4, world.now) is None
        world.commit(tx)
        project = Tx(world.db).project("p")
        assert project is not None
        assert project.state == ("running" if state == "paused" else state)
        assert world.findings() == []
    finally:
        world.close()
