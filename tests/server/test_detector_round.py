"""A project of boxes with its detector: people draw, a round learns, its boxes come to people."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from chorus.client.errors import ApiError
from chorus.client.messages import PageItem
from tests.faults.test_worker_killed import workers
from tests.ml.boxes import Drawn, draw_pictures
from tests.servers import Bench, TestServer, page_of

pytestmark = [pytest.mark.timeout(280), pytest.mark.slow]
CLASSES = ["square", "disc"]
LABELED, OPEN = 10, 3


def wire(things: Drawn) -> dict[str, object]:
    return {"boxes": [{"class": CLASSES[c], "box": box} for c, *box in things]}


async def test_people_draw_a_round_learns_and_its_boxes_come_to_people(
    server: TestServer, bench: Bench, tmp_path: Path
) -> None:
    drawn = draw_pictures(tmp_path / "in", LABELED + OPEN, most=4)
    project = await bench.make(
        tmp_path / "in", task_type="boxes", classes=CLASSES, prelabel=True, target=0.5,
        audit_share=0.0,
    )  # fmt: skip
    stream = await bench.labeler(credit=1)
    with pytest.raises(ApiError, match="at least 8 boxes of one class"):
        await bench.admin.train(project.project_id)
    for _ in range(LABELED):
        page = await page_of(stream)
        assert page.kind == "manual"
        (item,) = page.items
        await stream.socket.cast(stream.vote(item, "label", wire(drawn[item.name])))
        await stream.finish(page)
    held = await page_of(stream)

    watch = await bench.watch()
    await bench.admin.train(project.project_id)
    # A worker that is killed while it learns does it again, and nobody notices.
    await watch.until(lambda s: any(j.kind == "train" and j.progress > 0 for j in s.assist.jobs))
    for pid in workers(server):
        os.kill(pid, signal.SIGKILL)
    stats = await watch.until(lambda s: not s.assist.running and bool(s.assist.rounds))
    last = stats.assist.rounds[-1]
    assert last.state == "done", last
    assert {j.kind: j.attempts for j in stats.assist.jobs if j.kind == "train"} == {"train": 2}
    assert {j.state for j in stats.assist.jobs if j.kind in ("featurize", "cluster")} == {"skipped"}

    found = await bench.admin.round_card(project.project_id, 1)
    card = found["card"]
    assert card["map50"] > 0.4
    assert card["detector"] == last.backbone == "fcos"
    assert card["evidence"] == LABELED
    assert card["threshold"] is not None, card["reason"]
    assert last.model_accuracy == pytest.approx(card["map50"])
    assert found["model"] == {
        "available": False, "reason": "Detectors cannot be downloaded in this version.",
    }  # fmt: skip

    # Whoever had a page keeps it; the next one has boxes on it, each with its score.
    (item,) = held.items
    await stream.socket.cast(stream.vote(item, "label", wire(drawn[item.name])))
    await stream.finish(held)
    shown: list[PageItem] = []
    for _ in range(OPEN - 1):
        page = await page_of(stream)
        (item,) = page.items
        value = wire(drawn[item.name])
        if page.kind == "prelabeled":
            shown.append(item)
            assert item.prelabel is not None
            assert all(0 < b["score"] <= 1 for b in item.prelabel.boxes)
            value = item.prelabel.answer  # let it stand
        await stream.socket.cast(stream.vote(item, "label", value))
        await stream.finish(page)
    assert shown
    votes = await bench.votes()
    assert len(votes) == LABELED + OPEN


async def test_polygons_are_not_predicted_and_the_page_says_so(bench: Bench) -> None:
    project = await bench.make(task_type="polygons", classes=CLASSES, prelabel=True)
    with pytest.raises(ApiError, match="polygons are not predicted"):
        await bench.admin.train(project.project_id)
    stats = await bench.stats()
    assert stats.assist.prelabel_reason == "Polygons are not predicted: the detector finds boxes."
