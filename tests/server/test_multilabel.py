"""Label sets over real sockets: a project from its creation through votes, review and export."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from chorus.client.errors import ApiError
from chorus.client.labeler import LabelerStream
from chorus.client.messages import Answer, PageItem, Stats
from chorus.client.upload import follow
from tests.server.test_review import Room
from tests.servers import PATIENCE, Bench, page_of, pictures

CLASSES = ["cat", "dog", "owl"]
GREEN, RED = "green-00000.png", "red-00001.png"


async def make(bench: Bench, folder: Path | None, **settings: Any) -> None:
    await bench.make(folder, task_type="multilabel", classes=CLASSES, page_size=4, **settings)


async def give(stream: LabelerStream, answers: Mapping[str, Answer]) -> None:
    """Answer one page, by item name."""
    page = await page_of(stream)
    votes = [stream.vote(i, "label", answers[i.name], duration_ms=5) for i in page.items]
    await asyncio.gather(*(stream.socket.cast(vote) for vote in votes))
    await stream.finish(page)


async def items(bench: Bench) -> dict[str, dict[str, Any]]:
    """ReviewItem by name."""
    path = f"/api/projects/{bench.project.project_id}/items"
    found = (await bench.admin.request("GET", path)).json()["items"]
    return {item["name"]: item for item in found}


async def rows(bench: Bench, name: str) -> list[dict[str, str]]:
    text = await bench.admin.export(bench.project.project_id, name)
    return list(csv.DictReader(io.StringIO(text, newline="")))


async def refusal(stream: LabelerStream, item: PageItem, value: Any) -> ApiError:
    with pytest.raises(ApiError) as error:
        await stream.socket.cast({**stream.vote(item, "label", []), "value": value})
    return error.value


async def test_each_class_is_decided_by_itself(bench: Bench, tmp_path: Path) -> None:
    await make(bench, pictures(tmp_path / "in", 2), votes_min=3, votes_max=3)
    people = [await bench.labeler() for _ in range(3)]
    await give(people[0], {GREEN: ["owl", "cat"], RED: []})
    await give(people[1], {GREEN: ["cat"], RED: []})
    await give(people[2], {GREEN: ["dog", "owl"], RED: ["dog"]})
    green, red = (await items(bench))[GREEN], (await items(bench))[RED]
    assert (green["state"], green["label"]) == ("labeled", ["cat", "owl"])
    assert (red["state"], red["label"]) == ("labeled", [])
    assert green["agreement"] == pytest.approx(2 / 3)
    stats = await bench.stats()
    assert stats.labels == {"cat": 1, "dog": 0, "owl": 1, "": 1}
    quality = await bench.admin.quality(bench.project.project_id)
    assert quality["confusion"] is None
    # Of the votes that ticked "dog" none was right, and no label has it.
    assert quality["tags"][1] == {
        "right": 0, "wrong": 2, "missed": 0, "precision": 0.0, "recall": None,
    }  # fmt: skip
    assert quality["tags"][0]["right"] == 2
    assert quality["agreement"]["alpha"]["value"] is not None


async def test_the_exact_rule_wants_the_very_same_set(bench: Bench, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "in", 2)
    await make(bench, folder, votes_min=2, votes_max=3, set_rule="exact")
    people = [await bench.labeler() for _ in range(3)]
    await give(people[0], {GREEN: ["cat", "owl"], RED: ["dog"]})
    await give(people[1], {GREEN: ["cat"], RED: ["dog"]})
    assert (await items(bench))[RED]["label"] == ["dog"]
    await give(people[2], {GREEN: ["owl"]})
    green = (await items(bench))[GREEN]
    assert (green["state"], green["label"]) == ("needs_review", None)
    assert green["provisional"] == ["cat", "owl"]
    # By class the same votes agree: two of three have "cat", and two "owl".
    await bench.admin.change_project(bench.project.project_id, set_rule="class")
    green = (await items(bench))[GREEN]
    assert (green["state"], green["label"]) == ("labeled", ["cat", "owl"])
    await bench.admin.change_project(bench.project.project_id, set_rule="exact")
    assert (await items(bench))[GREEN]["state"] == "needs_review"


async def test_a_vote_of_another_shape_is_refused(bench: Bench, tmp_path: Path) -> None:
    await make(bench, pictures(tmp_path / "in", 1))
    stream = await bench.labeler()
    page = await page_of(stream)
    for value, told in [
        ({"class": "cat"}, '{"classes": ["name", …]}'),
        ({"classes": "cat"}, '{"classes": ["name", …]}'),
        ({"classes": ["cow"]}, "unknown class 'cow'"),
        ({"classes": ["cat", "cat"]}, "twice"),
        (None, "classes"),
    ]:
        error = await refusal(stream, page.items[0], value)
        assert error.code == "bad_value"
        assert told in error.message
    assert (await bench.stats()).votes == 0
    vote = stream.vote(page.items[0], "label", ["owl", "dog"])
    await stream.socket.cast(vote)
    history = await stream.socket.ask(
        dict[str, Any], "labeling.history", {"project_id": bench.project.project_id}
    )
    (mine,) = history["votes"]
    assert mine["value"] == {"classes": ["dog", "owl"]}, "in the project's order"
    # A correction to none of the classes.
    await stream.socket.cast(stream.vote(page.items[0], "label", [], supersedes=vote["vote_id"]))
    assert (await items(bench))[GREEN]["label"] == []


async def test_settings_that_cannot_be_are_refused(bench: Bench) -> None:
    for settings, told in [
        ({"consensus": "dawid_skene"}, "auto, majority"),
        ({"set_rule": "any"}, "class, exact"),
        ({"classes": []}, "at least one class"),
        ({"classes": ["a|b"]}, "'|'"),
        ({"task_type": "circles"}, "text-multilabel"),
    ]:
        with pytest.raises(ApiError) as error:
            await bench.make(**{"task_type": "multilabel", "classes": CLASSES, **settings})
        assert error.value.code == "bad_value"
        assert told in error.value.message
    await bench.make(task_type="multilabel", classes=["cat"])
    with pytest.raises(ApiError):
        await bench.admin.change_project(bench.project.project_id, consensus="one_coin")


async def test_review_finds_and_decides_sets(bench: Bench, tmp_path: Path) -> None:
    names = [p.name for p in sorted(pictures(tmp_path / "in", 4).iterdir())]
    await make(bench, tmp_path / "in")
    sets: list[Answer] = [["cat"], ["cat", "dog"], [], ["owl"]]
    await give(await bench.labeler(), dict(zip(names, sets, strict=True)))
    room = await Room.open(bench)

    async def found(**query: Any) -> list[str]:
        return sorted(i["name"] for i in await room.list(state="labeled", **query))

    assert await found(**{"class": "cat"}) == names[:2], "beside other classes, too"
    assert await found(**{"class": "dog"}) == [names[1]]
    assert await found(**{"class": ""}) == [names[2]], "none of the classes"
    ids = {i["name"]: i["item_id"] for i in await room.list(state="labeled")}
    done = await room.ask(
        "review.decide",
        item_id=ids[names[2]], action="change", value={"classes": ["owl", "cat"]},
    )  # fmt: skip
    assert done["label"] == ["cat", "owl"]
    (item,) = await room.list(state="labeled", item_ids=[ids[names[2]]])
    assert item["decided"]["classes"] == ["cat", "owl"]
    assert item["votes"][0]["value"] == {"classes": []}
    error = await room.refused(
        "review.decide",
        item_id=ids[names[0]], action="approve", value={"classes": ["dog"]},
    )  # fmt: skip
    assert error.code == "conflict", "approved is only what stands there"
    # All that have "cat", whatever else they have, each as it stands.
    path = f"/api/projects/{bench.project.project_id}/bulks"
    bulk = {"bulk_id": "b" * 32, "action": "approve", "state": "labeled", "class": "cat"}
    state = (await bench.admin.request("POST", path, json=bulk)).json()
    async with asyncio.timeout(PATIENCE):
        while state["state"] == "running":
            state = (await bench.admin.request("GET", f"{path}/{'b' * 32}")).json()
    assert (state["state"], state["done"], state["refused"]) == ("done", 3, [])
    after = await items(bench)
    assert [after[name]["label"] for name in names] == [
        ["cat"], ["cat", "dog"], ["cat", "owl"], ["owl"],
    ]  # fmt: skip
    assert [after[name]["source"] for name in names] == ["review"] * 3 + ["votes"]


async def test_tables_say_sets_and_take_them_back(bench: Bench, tmp_path: Path) -> None:
    names = [p.name for p in sorted(pictures(tmp_path / "in", 4).iterdir())]
    cells = ["owl|cat", "|", "", "dog"]
    table = tmp_path / "in" / "labels.csv"
    lines = [f"{name},{cell}" for name, cell in zip(names, cells, strict=True)]
    table.write_text("\n".join(["path,label", *lines]) + "\n")
    await make(bench, None)
    job = await bench.admin.import_csv(bench.project.project_id, table)
    job = await follow(bench.admin, bench.project.project_id, job)
    assert (job.state, job.added) == ("done", 4)
    stats = await bench.stats()
    assert stats.labels == {"cat": 1, "dog": 1, "owl": 1, "": 1}
    await give(await bench.labeler(), {names[2]: ["cat", "dog"]})
    exported = {row["item"]: row for row in await rows(bench, "export.csv")}
    assert [exported[name]["label"] for name in names] == ["cat|owl", "|", "cat|dog", "dog"]
    assert json.loads(exported[names[2]]["label_counts"]) == {"cat": 1, "dog": 1}
    assert [row["label"] for row in await rows(bench, "votes.csv")] == ["cat|dog"]
    coco = json.loads(await bench.admin.export(bench.project.project_id, "export.json"))
    images = {image["file_name"]: image for image in coco["images"]}
    assert [images[name]["category_ids"] for name in names] == [[1, 3], [], [1, 2], [2]]
    by_image: dict[int, list[int]] = {image["id"]: [] for image in coco["images"]}
    for annotation in coco["annotations"]:
        by_image[annotation["image_id"]].append(annotation["category_id"])
    assert [by_image[images[name]["id"]] for name in names] == [[1, 3], [], [1, 2], [2]]
    assert len({a["id"] for a in coco["annotations"]}) == 5
    assert coco["votes"][0]["category_ids"] == [1, 2]


async def test_a_label_with_an_unknown_class_is_named(bench: Bench, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "in", 2)
    (folder / "l.csv").write_text(f"path,label\n{GREEN},cat|cow\n{RED},cat|dog\n")
    await make(bench, None)
    job = await bench.admin.import_csv(bench.project.project_id, folder / "l.csv")
    job = await follow(bench.admin, bench.project.project_id, job)
    assert (job.added, job.faulty) == (1, 1)
    assert "cow" in job.errors[0].reason


async def test_the_dashboard_follows_sets_as_they_change(bench: Bench, tmp_path: Path) -> None:
    """The board that is kept by events says what a fresh look at the tables says."""
    names = [p.name for p in sorted(pictures(tmp_path / "in", 4).iterdir())]
    await make(bench, tmp_path / "in", votes_min=1, votes_max=2, consensus="majority")
    watch = await bench.watch()
    stream = await bench.labeler()
    sets: list[Answer] = [["cat"], ["cat", "dog"], [], ["owl"]]
    await give(stream, dict(zip(names, sets, strict=True)))
    assert (await seen(bench, watch)).labels == {"cat": 2, "dog": 1, "owl": 1, "": 1}
    ids = {item["name"]: item["item_id"] for item in (await items(bench)).values()}
    project_id = bench.project.project_id
    await bench.admin.review(project_id, ids[names[1]], "change", ["dog", "owl"])
    await bench.admin.review(project_id, ids[names[2]], "requeue")
    await bench.admin.review(project_id, ids[names[3]], "change", [])
    assert (await seen(bench, watch)).labels == {"cat": 1, "dog": 1, "owl": 1, "": 1}
    exported = [r["label"] for r in await rows(bench, "export.csv") if r["state"] == "labeled"]
    assert sorted(exported) == ["cat", "dog|owl", "|"]


async def seen(bench: Bench, watch: Any) -> Stats:
    """The stats that were pushed, as of the project's newest event."""
    newest = (await bench.stats()).seq
    return await watch.until(lambda stats: stats.seq >= newest)  # type: ignore[no-any-return]


async def test_checks_compare_whole_sets(bench: Bench, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "in", 2)
    (folder / "l.csv").write_text(f"path,label,gold\n{GREEN},cat|dog,yes\n{RED},|,yes\n")
    await make(bench, None, gold_rate=0.5)
    job = await bench.admin.import_csv(bench.project.project_id, folder / "l.csv")
    job = await follow(bench.admin, bench.project.project_id, job)
    pictures(tmp_path / "more", 12, start=10)
    more = await bench.admin.import_folder(bench.project.project_id, tmp_path / "more")
    more = await follow(bench.admin, bench.project.project_id, more)
    stream = await bench.labeler()
    checked = 0
    while (page := await stream.next_page()) is not None:
        for item in page.items:
            checked += item.name in (GREEN, RED)
            # Right of one of the two, and half right of the other.
            await stream.cast(item, "label", [] if item.name == RED else ["cat"])
        await stream.finish(page)
    assert checked == 2
    quality = await bench.admin.quality(bench.project.project_id)
    (person,) = [p for p in quality["labelers"] if p["gold"] is not None]
    assert (person["gold"]["n"], person["gold"]["value"]) == (2, 0.5)
