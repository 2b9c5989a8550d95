"""Boxes and polygons over real sockets: from the project's creation to the merged label."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chorus.client.errors import ApiError
from chorus.client.labeler import LabelerStream
from chorus.client.messages import Frame
from chorus.server.domain.classes import LEVELS_MAX, NAME_MAX
from chorus.server.domain.shapes import POINTS_IN_ALL_MAX, POINTS_MAX
from chorus.server.services.fitting import ANSWER_BYTES
from chorus.server.transport.hub import OUTBOX_MAX
from chorus.server.transport.socket import LARGE
from tests.server.test_multilabel import items, refusal, seen
from tests.server.test_review import Room
from tests.servers import PATIENCE, Bench, eventually, page_of, pictures

CLASSES = ["RBC", "WBC"]
GREEN, RED = "green-00000.png", "red-00001.png"
SIDE = 64


async def make(bench: Bench, folder: Path, count: int = 2, **settings: Any) -> None:
    task_type = settings.pop("task_type", "boxes")
    await bench.make(
        pictures(folder, count, SIDE), task_type=task_type, classes=CLASSES, **settings
    )


def box(name: str, *numbers: float) -> dict[str, Any]:
    return {"class": name, "box": list(numbers)}


async def draw(stream: LabelerStream, answers: dict[str, list[dict[str, Any]]]) -> None:
    """Answer the next pages, by item name, one picture each."""
    for _ in answers:
        page = await page_of(stream)
        (item,) = page.items
        await stream.socket.cast(stream.vote(item, "label", {"boxes": answers[item.name]}))
        await stream.finish(page)


async def test_three_people_draw_and_what_most_drew_is_the_label(
    bench: Bench, tmp_path: Path
) -> None:
    await make(bench, tmp_path / "in", votes_min=3, votes_max=3, shape_agreement=0.5)
    assert (bench.project.page_size, bench.project.cluster) == (1, False)
    assert (bench.project.iou, bench.project.shape_agreement) == (0.5, 0.5)
    people = [await bench.labeler(page_size=9) for _ in range(3)]
    a, b = box("RBC", 5, 5, 20, 20), box("WBC", 40, 40, 20, 20)
    await draw(people[0], {GREEN: [a, b], RED: []})
    await draw(people[1], {GREEN: [box("RBC", 6, 5, 20, 20), b], RED: []})
    await draw(people[2], {GREEN: [box("RBC", 9, 5, 20, 20)], RED: [a]})
    found = await items(bench)
    assert found[GREEN]["state"] == "labeled"
    assert found[GREEN]["label"] == [box("RBC", 6, 5, 20, 20), b]
    assert found[GREEN]["agreement"] == 1.0
    assert (found[RED]["state"], found[RED]["label"]) == ("needs_review", None)
    assert found[RED]["provisional"] == []
    stats = await bench.stats()
    assert stats.labels == {"RBC": 1, "WBC": 1, "": 0}


async def test_a_shape_that_cannot_be_is_refused_and_named(bench: Bench, tmp_path: Path) -> None:
    await make(bench, tmp_path / "in", 1)
    stream = await bench.labeler()
    (item,) = (await page_of(stream)).items
    outside = {"boxes": [box("RBC", 0, 0, 9, 9), box("RBC", 60, 0, 9, 9)]}
    error = await refusal(stream, item, outside)
    assert (error.code, error.message) == (
        "bad_value", f"box 2: it is outside of the picture ({SIDE} × {SIDE})",
    )  # fmt: skip
    assert (await refusal(stream, item, {"class": "RBC"})).code == "bad_value"
    assert (await bench.stats()).votes == 0
    await stream.socket.cast(stream.vote(item, "label", {"boxes": []}))
    assert (await items(bench))[GREEN]["label"] == []
    assert (await bench.stats()).labels == {"RBC": 0, "WBC": 0, "": 1}


async def test_polygons_settle_by_the_area_they_share(bench: Bench, tmp_path: Path) -> None:
    await make(bench, tmp_path / "in", 1, task_type="polygons", votes_min=2, votes_max=2)
    outline = [[10.0, 10.0], [50.0, 10.0], [50.0, 50.0]]
    for shift in (0, 1):
        stream = await bench.labeler()
        page = await page_of(stream)
        points = [[x + shift, y] for x, y in outline]
        value = {"polygons": [{"class": "RBC", "points": points}]}
        await stream.socket.cast(stream.vote(page.items[0], "label", value))
    found = (await items(bench))[GREEN]
    assert found["state"] == "labeled"
    assert found["label"] == [{"class": "RBC", "points": outline}]


async def test_settings_of_shapes_are_checked(bench: Bench) -> None:
    for settings, told in [
        ({"iou": 0.05}, "iou"),
        ({"shape_agreement": 0}, "shape_agreement"),
        ({"consensus": "dawid_skene"}, "auto, majority"),
        ({"page_size": 4}, "one picture at a time"),
        ({"cluster": True}, "not clustered"),
        ({"ordering": "uncertain"}, "ordering"),
        ({"classes": []}, "at least one class"),
    ]:
        with pytest.raises(ApiError) as error:
            await bench.make(**{"task_type": "boxes", "classes": CLASSES, **settings})
        assert error.value.code == "bad_value"
        assert told in error.value.message
    await bench.make(task_type="boxes", classes=["RBC"])
    changed = await bench.admin.change_project(bench.project.project_id, iou=0.6)
    assert changed.iou == 0.6


async def disputed(bench: Bench, tmp_path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Three people disagree on RED; (a box that all drew, one that one of them drew)."""
    await make(bench, tmp_path / "in", votes_min=3, votes_max=3)
    a, b = box("RBC", 5, 5, 20, 20), box("WBC", 40, 40, 20, 20)
    for second in ([a], [a, b], [box("WBC", 5, 5, 20, 20)]):
        await draw(await bench.labeler(), {GREEN: [a], RED: second})
    return a, b


async def test_a_reviewer_sees_what_is_disputed_and_by_whom_and_decides(
    bench: Bench, tmp_path: Path
) -> None:
    a, b = await disputed(bench, tmp_path)
    watch = await bench.watch()
    room = await Room.open(bench)
    (item,) = await room.list(state="needs_review")
    assert item["name"] == RED
    (merged,) = item["consensus"]["shapes"]
    assert (merged["class"], merged["box"], merged["seen"], merged["of"]) == (
        "RBC", a["box"], 3, 3,
    )  # fmt: skip
    assert merged["class_share"] == pytest.approx(2 / 3, abs=1e-4)
    (odd,) = item["consensus"]["disputed"]
    assert (odd["class"], odd["box"], odd["seen"], odd["iou"]) == ("WBC", b["box"], 1, 1.0)
    assert odd["by"] == [item["votes"][1]["user_id"]]
    assert [v["value"] for v in item["votes"]][1] == {"boxes": [a, b]}
    # The disputed one is accepted, and one is drawn that nobody has seen.
    mine = [a, b, box("RBC", 5, 35, 10.257, 20)]
    done = await room.ask(
        "review.decide", item_id=item["item_id"], action="change", value={"boxes": mine}
    )
    assert done["label"] == [a, box("RBC", 5, 35, 10.26, 20), b], "to a hundredth of a pixel"
    (item,) = await room.list(state="labeled", item_ids=[item["item_id"]])
    assert item["decided"]["boxes"] == done["label"]
    assert item["source"] == "review"
    assert (await seen(bench, watch)).labels == {"RBC": 3, "WBC": 1, "": 0}
    assert {i["name"] for i in await room.list(state="labeled", **{"class": "WBC"})} == {RED}
    assert {i["name"] for i in await room.list(state="labeled", **{"class": "RBC"})} == {RED, GREEN}
    assert await room.list(state="labeled", **{"class": ""}) == []
    outside = {"boxes": [box("RBC", 60, 60, 20, 20)]}
    error = await room.refused(
        "review.decide", item_id=item["item_id"], action="change", value=outside
    )
    assert error.message.startswith("box 1: it is outside")
    # Undone, it waits for a decision again; removed, the empty picture, and sent back.
    await room.ask("review.decide", item_id=item["item_id"], action="undo")
    assert len(await room.list(state="needs_review")) == 1
    await room.ask("review.decide", item_id=item["item_id"], action="change", value={"boxes": []})
    assert (await seen(bench, watch)).labels == {"RBC": 1, "WBC": 0, "": 1}
    assert [i["name"] for i in await room.list(state="labeled", **{"class": ""})] == [RED]
    await room.ask("review.decide", item_id=item["item_id"], action="requeue")
    assert (await seen(bench, watch)).counts.labeled == 1, "people are asked again"


async def test_many_pictures_are_decided_as_they_stand_or_as_empty(
    bench: Bench, tmp_path: Path
) -> None:
    await disputed(bench, tmp_path)
    room = await Room.open(bench)
    (item,) = await room.list(state="needs_review")
    chosen = [{"item_id": item["item_id"]}]
    value = {"boxes": [box("RBC", 5, 5, 20, 20)]}
    error = await room.refused("review.decide_many", items=chosen, action="change", value=value)
    assert "one picture" in error.message
    # What compares whole answers would find nearly everything.
    for senseless in ({"disagreement": "model"}, {"prelabel_changed": True}):
        assert (await room.refused("review.list", **senseless)).code == "bad_value"
    assert await room.list(state="needs_review", disagreement="people") == [item]
    done = await room.ask("review.decide_many", items=chosen, action="approve")
    assert [d["item_id"] for d in done["done"]] == [item["item_id"]]
    assert (await items(bench))[RED]["label"] == [box("RBC", 5, 5, 20, 20)]
    empty = {"boxes": []}
    await room.ask("review.decide_many", items=chosen, action="change", value=empty)
    assert (await items(bench))[RED]["label"] == []


async def test_new_rules_decide_boxes_anew(bench: Bench, tmp_path: Path) -> None:
    await disputed(bench, tmp_path)
    project_id = bench.project.project_id
    # Of two things that somebody drew they agree on one.
    await bench.admin.change_project(project_id, shape_agreement=0.5)
    found = (await items(bench))[RED]
    assert (found["state"], found["label"]) == ("labeled", [box("RBC", 5, 5, 20, 20)])
    await bench.admin.change_project(project_id, shape_agreement=0.9)
    assert (await items(bench))[RED]["state"] == "needs_review"


async def test_a_labeler_finds_their_boxes_again_and_corrects_them(
    bench: Bench, tmp_path: Path
) -> None:
    await make(bench, tmp_path / "in", 1)
    stream = await bench.labeler()
    (item,) = (await page_of(stream)).items
    vote = stream.vote(item, "label", {"boxes": [box("RBC", 5, 5, 20, 20)]})
    await stream.socket.cast(vote)
    project = {"project_id": bench.project.project_id}
    for class_name, count in (("RBC", 1), ("WBC", 0), ("", 0)):
        body = {**project, "class": class_name}
        history = await stream.socket.ask(dict[str, Any], "labeling.history", body)
        assert len(history["votes"]) == count, class_name
    history = await stream.socket.ask(dict[str, Any], "labeling.history", project)
    assert history["votes"][0]["value"] == {"boxes": [box("RBC", 5, 5, 20, 20)]}
    corrected = {"boxes": [box("WBC", 5, 5, 20, 20)]}
    again = stream.vote(item, "label", corrected, supersedes=vote["vote_id"])
    await stream.socket.cast(again)
    assert (await items(bench))[GREEN]["label"] == corrected["boxes"]
    assert (await bench.stats()).labels == {"RBC": 0, "WBC": 1, "": 0}


def star(points: int, size: float) -> dict[str, Any]:
    """A polygon of so many points, none of them rounded."""
    turns = [2 * math.pi * n / points for n in range(points)]
    far = [size * (0.8 + 0.2 * (n % 2)) for n in range(points)]
    return {
        "class": "RBC",
        "points": [
            [SIDE / 2 + r * math.cos(t), SIDE / 2 + r * math.sin(t)]
            for t, r in zip(turns, far, strict=True)
        ],
    }


def stars(count: int) -> dict[str, Any]:
    return {"polygons": [star(POINTS_MAX, SIDE / 2 - n) for n in range(count)]}


async def test_the_largest_answers_are_kept_and_larger_ones_refused(
    bench: Bench, tmp_path: Path
) -> None:
    """Two at once, on one socket; one that no message holds is not sent at all."""
    await make(bench, tmp_path / "in", 2, task_type="polygons")
    stream = await bench.labeler(credit=2)
    await eventually(stream, lambda: len(stream.pages) == 2)
    both = [item for page in stream.pages.values() for item in page.items]
    most = POINTS_IN_ALL_MAX // POINTS_MAX
    error = await refusal(stream, both[0], stars(most + 1))
    assert (error.code, "20,000 points together" in error.message) == ("bad_value", True)
    error = await refusal(stream, both[0], {"polygons": [star(POINTS_MAX, 9)] * 40})
    assert error.code == "too_large"
    votes = [stream.vote(item, "label", stars(most)) for item in both]
    assert len(msgspec.json.encode(votes[0])) > 600_000
    await asyncio.gather(*map(stream.socket.cast, votes))
    assert (await bench.stats()).votes == 2
    assert stream.socket.connections == 1


async def test_of_large_messages_one_is_worked_on_at_a_time(bench: Bench, tmp_path: Path) -> None:
    """Each takes much memory. A large one that is refused at a glance waits for the one before."""
    await make(bench, tmp_path / "in", 1, task_type="polygons")
    stream = await bench.labeler()
    (item,) = (await page_of(stream)).items
    order: list[str] = []

    async def send(name: str, type: str, body: dict[str, Any]) -> None:
        try:
            await stream.socket.request(type, body)
        except ApiError as error:
            order.append(f"{name}: {error.code}")
        else:
            order.append(name)

    await asyncio.gather(
        send("drawn", "vote.cast", stream.vote(item, "label", stars(8))),
        send("large", "no.such", {"text": "x" * (LARGE + 1)}),
    )
    assert order == ["drawn", "large: unknown_type"]


async def test_a_correction_does_not_overtake_what_it_corrects(
    bench: Bench, tmp_path: Path
) -> None:
    """A large answer takes longer to check than the small one that corrects it."""
    await make(bench, tmp_path / "in", 1, task_type="polygons")
    stream = await bench.labeler()
    (item,) = (await page_of(stream)).items
    first = stream.vote(item, "label", stars(8))
    second = stream.vote(item, "label", stars(1), supersedes=first["vote_id"])
    last = stream.vote(item, "label", {"polygons": []}, supersedes=second["vote_id"])
    await asyncio.gather(*map(stream.socket.cast, (first, second, last)))
    assert (await items(bench))[GREEN]["label"] == []


async def test_classes_are_renamed_and_added_and_boxes_stay(bench: Bench, tmp_path: Path) -> None:
    await make(bench, tmp_path / "in", 2)
    stream = await bench.labeler()
    a = box("WBC", 5, 5, 20, 20)
    await draw(stream, {GREEN: [a], RED: [a]})
    path = f"/api/projects/{bench.project.project_id}/classes"
    await bench.admin.request("PATCH", f"{path}/1", json={"name": "white"})
    renamed = {**a, "class": "white"}
    assert (await items(bench))[GREEN]["label"] == [renamed]
    body = {"classes": ["Platelet"], "then": "start_over_preset"}
    await bench.admin.request("POST", path, json=body)
    await eventually(stream, lambda: bool(stream.pages))
    page = await page_of(stream)
    (item,) = page.items
    assert item.prelabel is not None
    assert (item.prelabel.boxes, item.prelabel.score) == ([renamed], None)
    assert item.prelabel.answer == {"boxes": [renamed]}


async def test_many_large_answers_come_a_few_at_a_time_and_the_connection_stays(
    bench: Bench, tmp_path: Path
) -> None:
    """All in one message they would be more than may wait for one socket."""
    name, count = "/".join(["字" * NAME_MAX] * LEVELS_MAX), 32
    crowd = [box(name, n % 60, n // 60, 3, 3) for n in range(150)]
    assert count * len(msgspec.json.encode(crowd)) > OUTBOX_MAX
    await bench.make(pictures(tmp_path / "in", count, SIDE), task_type="boxes", classes=[name])
    stream = await bench.labeler()
    for _ in range(count):
        (item,) = (page := await page_of(stream)).items
        await stream.socket.cast(stream.vote(item, "label", {"boxes": crowd}))
        await stream.finish(page)
    body: dict[str, Any] = {"project_id": bench.project.project_id, "limit": 200}
    mine: list[int] = []
    while True:
        reply = await stream.socket.request("labeling.history", body)
        assert len(reply) < ANSWER_BYTES + 1000
        found = msgspec.json.decode(reply)
        mine += [vote["item_id"] for vote in found["votes"]]
        if found["next"] is None:
            break
        body["before"] = found["next"]
    assert len(set(mine)) == len(mine) == count
    room = await Room.open(bench)
    for asked in ({"order": "item"}, {"order": "doubt"}, {"item_ids": mine}):
        listed: list[int] = []
        after: str | None = ""
        while after is not None:
            reply = await room.ask("review.list", state="labeled", limit=200, after=after, **asked)
            assert len(msgspec.json.encode(reply)) < ANSWER_BYTES + 1000
            assert reply["total"] == count
            listed += [item["item_id"] for item in reply["items"]]
            after = reply["next"]
        assert sorted(listed) == sorted(mine)
    for path, key, at_most in (("items", "after", 200), ("events", "since", 1000)):
        told: list[dict[str, Any]] = []
        cursor: int | None = 0
        while cursor is not None:
            asked = {key: cursor, "limit": at_most}
            url = f"/api/projects/{bench.project.project_id}/{path}"
            answer = await bench.admin.request("GET", url, params=asked)
            assert len(answer.content) < ANSWER_BYTES + 1000
            found = answer.json()
            told += found[path]
            cursor = found["next"] if found[path] else None
        if path == "items":
            assert [item["item_id"] for item in told] == sorted(mine)
        else:
            assert [event["seq"] for event in told] == list(range(1, len(told) + 1))
    # All the log at once is more than may wait for a reader: it comes as fast as it is read.
    follower = await bench.socket(await bench.person("supervisor"))
    pushed: list[int | None] = []
    last = asyncio.Event()

    def on_frame(frame: Frame) -> None:
        pushed.append(frame.seq)
        if frame.seq == told[-1]["seq"]:
            last.set()

    body = {"topic": f"project/{bench.project.project_id}/events", "since": 0}
    await follower.subscribe("subscribe", lambda: body, on_frame)
    async with asyncio.timeout(PATIENCE):
        await last.wait()
    assert pushed[: len(told)] == [event["seq"] for event in told]
    assert follower.connections == 1
    assert stream.socket.connections == room.socket.connections == 1
