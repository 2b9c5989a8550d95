"""Boxes and polygons over real sockets: from the project's creation to the merged label."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chorus.client.errors import ApiError
from chorus.client.labeler import LabelerStream
from tests.server.test_multilabel import items, refusal
from tests.servers import Bench, page_of, pictures

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
