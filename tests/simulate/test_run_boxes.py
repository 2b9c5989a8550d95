"""Whole small simulations of people who draw boxes, against a real server."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from chorus.client.messages import Assist, Counts, Page, PageItem, Prelabel, RoundStats, Stats
from chorus.simulate import audit, lockstep
from chorus.simulate.answers import Truth
from chorus.simulate.box_work import BoxWork
from chorus.simulate.boxes import read_gold_boxes
from chorus.simulate.cli import _table
from chorus.simulate.options import Options
from chorus.simulate.person import Budget, Person
from chorus.simulate.run import simulate
from chorus.simulate.tally import Tally
from tests.server.test_label_imports import bring
from tests.servers import Bench, TestServer, pictures
from tests.simulate.test_run import FIELDS, TIMES, chorus

EXTRA = (
    "map50", "f1", "f1_labeled", "person_f1", "boxes", "boxes_gold", "boxes_drawn",
    "actions_per_image", "actions_per_box",
)  # fmt: skip
N, SIDE = 12, 128


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Pictures and a gold.coco.json with three things on each but the first, which has none."""
    names = sorted(p.name for p in pictures(tmp_path / "images", N, SIDE).iterdir())
    images = [{"id": n, "file_name": name, "width": SIDE, "height": SIDE}
              for n, name in enumerate(names)]  # fmt: skip
    annotations = [
        {"image_id": n, "category_id": 1 + k % 2, "bbox": [4 + 40 * k, 10 + n, 30, 40 + n]}
        for n in range(1, N) for k in range(3)
    ]  # fmt: skip
    categories = [{"id": 1, "name": "RBC"}, {"id": 2, "name": "WBC"}]
    document = {"images": images, "annotations": annotations, "categories": categories}
    (tmp_path / "gold.coco.json").write_text(json.dumps(document))
    return tmp_path


def run(data: Path, server: TestServer, **changes: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "images": data / "images", "gold": data / "gold.coco.json", "url": server.url,
        "token": server.token, "labelers": 3, "votes_min": 3, "votes_max": 3, "prelabel": False,
        "ordering": "random", "seed": 5, **changes,
    }  # fmt: skip
    return asyncio.run(simulate(Options(**settings)))


def test_the_same_seed_gives_the_same_report(data: Path, server: TestServer) -> None:
    habits = {"jitter": 0.08, "miss": 0.1, "false_boxes": 0.1, "confuse": 0.1}
    first, second = (run(data, server, **habits) for _ in range(2))
    assert tuple(first) == FIELDS + EXTRA
    same = [{k: v for k, v in report.items() if k not in TIMES} for report in (first, second)]
    assert same[0] == same[1]
    assert first["items"] == first["labeled"] + first["needs_review"] == N
    assert first["votes"] == first["stored_votes"] == first["acked_votes"] == 3 * N
    assert first["lost_votes"] == first["duplicate_votes"] == first["over_votes"] == 0
    assert first["f1"] > first["person_f1"]
    assert 0 < first["map50"] <= 1
    assert first["settings"]["task"] == "boxes"
    assert first["settings"]["jitter"] == 0.08


def test_people_without_faults_agree_and_are_right(data: Path, server: TestServer) -> None:
    perfect: dict[str, Any] = {"jitter": 0, "miss": 0, "false_boxes": 0, "confuse": 0}
    report = run(data, server, **perfect)
    assert (report["labeled"], report["accuracy"], report["accuracy_all"]) == (N, 1.0, 1.0)
    assert report["map50"] == report["f1"] == report["person_f1"] == 1.0
    assert report["boxes"] == report["boxes_gold"] == 3 * (N - 1)
    assert report["boxes_drawn"] == 3 * report["boxes"]
    # Two for each box, one for the other class, one to submit; on the empty picture only that.
    assert report["actions"] == 3 * (8 * (N - 1) + 1)
    assert all(person["f1"] == person["right"] == 1.0 for person in report["labelers"])
    assert "mAP50 of the consensus" in [*_table(report).columns[0].cells]


def test_free_running_people_share_the_work(data: Path, server: TestServer) -> None:
    report = run(data, server, free_running=True, jitter=0, miss=0, false_boxes=0, confuse=0)
    assert (report["labeled"], report["votes_per_item"], report["f1"]) == (N, 3.0, 1.0)
    assert report["lost_votes"] == report["over_votes"] == 0


def test_what_people_do_with_predicted_boxes_is_counted(data: Path) -> None:
    """A page with a right box, one that is off and one around nothing; a third thing is missing."""
    options = Options(
        images=data / "images", gold=data / "gold.coco.json", jitter=0, miss=0, false_boxes=0,
        confuse=0,
    )  # fmt: skip
    gold = read_gold_boxes(data / "gold.coco.json")
    tally = Tally(Truth({}))
    work = BoxWork(gold, options, tally)
    (name,) = (n for n in sorted(p.name for p in (data / "images").iterdir())[1:2])
    shown = [
        {"class": "RBC", "box": [4, 11, 30, 41], "score": 0.9},
        {"class": "WBC", "box": [44, 21, 30, 41], "score": 0.8},
        {"class": "WBC", "box": [4, 90, 20, 20], "score": 0.7},
    ]
    items = [
        PageItem(1, 1, name, prelabel=Prelabel(boxes=shown)),
        PageItem(2, 2, name),
    ]
    pages = [Page(n, kind, 1, [item], round=3) for n, kind, item in
             ((1, "prelabeled", items[0]), (2, "manual", items[1]))]  # fmt: skip
    (first,), (second,) = (work.answer(0, page, page.items) for page in pages)
    assert isinstance(first.answer, dict)
    assert isinstance(second.answer, dict)
    assert sorted(map(str, first.answer["boxes"])) == sorted(map(str, second.answer["boxes"]))
    # Moved, deleted, drawn with a class that is the project's first, submitted.
    assert tally.actions == (1 + 1 + 2 + 1) + (3 * 2 + 1 + 1)
    rounds = [RoundStats(3, "done", 10, model_accuracy=0.5)]
    stats = Stats("p", 1, "e", Counts(items=1), assist=Assist(rounds=rounds))
    whole = {"prelabels": {"shown": 3}, "rounds": [{"labels": 10}]}
    report = work.report(whole, stats, [], [], {"labelers": []}, {})
    prelabels = report["prelabels"]
    assert (prelabels["images"], prelabels["kept"], prelabels["adjusted"]) == (1, 1, 1)
    assert (prelabels["deleted"], prelabels["drawn"]) == (1, 1)
    # The one that is off overlaps by 0.6: right enough to count, not to be left as it is.
    assert (prelabels["precision"], prelabels["recall"]) == (0.6667, 0.6667)
    assert prelabels["actions_per_image"] == {"manual": 8.0, "prelabeled": 5.0}
    assert prelabels["saved"] == 0.375
    (one,) = report["rounds"]
    assert (one["map50"], one["real_accuracy"]) == (0.5, 0.6667)
    assert 0.5 < one["real_map50"] < 1


def test_bad_gold_is_named_before_anything_starts(data: Path) -> None:
    (data / "gold.coco.json").write_text("{}")
    given = ["--images", str(data / "images"), "--gold", str(data / "gold.coco.json")]
    done = chorus("simulate", *given, "--report", str(data / "r.json"))
    assert (done.exit_code, "no COCO" in done.stderr) == (2, True), done.stderr


async def test_predicted_boxes_come_over_the_socket_and_go_back(
    data: Path, server: TestServer
) -> None:
    """Prelabels from elsewhere, a third of them off: what people make of them is the gold."""
    options = Options(
        images=data / "images", gold=data / "gold.coco.json", jitter=0, miss=0, false_boxes=0,
        confuse=0,
    )  # fmt: skip
    document = json.loads((data / "gold.coco.json").read_text())
    for n, one in enumerate(document["annotations"]):
        one |= {"id": n, "score": 0.75}
        if n % 3 == 0:  # overlaps by 0.6
            one["bbox"][0] += one["bbox"][2] / 4
    gold = read_gold_boxes(data / "gold.coco.json")
    async with Bench(server) as bench:
        await bench.make(data / "images", task_type="boxes", classes=gold.classes)
        project_id = bench.project.project_id
        done = await bring(bench, "p.json", json.dumps(document).encode(), "prelabels")
        assert done.done == N - 1
        tally, budget = Tally(Truth({})), Budget(None)
        work = BoxWork(gold, options, tally)
        people = [
            Person(n, await bench.socket(await bench.person()), project_id, work, tally, budget,
                   labeled=lambda: 0)
            for n in range(2)
        ]  # fmt: skip
        gate = lockstep.Gate(bench.admin, await bench.watch(), project_id, assist=False)
        await lockstep.run(people, gate, budget)
        whole: dict[str, Any] = {"prelabels": {}, "rounds": []}
        items, rows = await audit.items(bench.admin, project_id), await bench.votes()
        report = work.report(whole, await bench.stats(), items, rows, {"labelers": []}, {})
    prelabels = report["prelabels"]
    assert (prelabels["images"], prelabels["adjusted"], prelabels["kept"]) == (
        N - 1, N - 1, 2 * (N - 1)
    )  # fmt: skip
    # One is moved, then submit; nothing is on the only picture without a prediction.
    assert prelabels["actions_per_image"] == {"manual": 1.0, "prelabeled": 2.0}
    assert prelabels["saved"] == -1.0
    assert (prelabels["precision"], prelabels["recall"]) == (1.0, 1.0)
    assert (report["f1"], report["accuracy"]) == (1.0, 1.0)
