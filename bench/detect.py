"""The detector on pictures with known boxes: how good it is after so many labels, and how soon.

`python -m bench.detect` draws labeled pictures of ../shared/data/cells, runs the jobs of rounds on
them as the server does (each after the one before, from its weights), and judges what they find on
100 others by pycocotools. For each round a line: labels, mAP50 there and as the round itself found
it, and the seconds of its jobs (wall clock, and of the processor); for each target and class the
threshold with what it promised, and what it gave on the others; for each target the share of their
actions that a person saves there. The labels are the gold boxes, or, with --people, what so many
simulated people draw of them (`chorus simulate`). Other pictures: --images and --gold (COCO). The
tables are kept in docs/boxes.md.
"""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from chorus.ml import detect_run, detectors
from chorus.ml.detect_base import Detections
from chorus.ml.detect_card import make_card
from chorus.ml.detect_files import Picture, boxes_of, read_pictures
from chorus.ml.detect_score import at_threshold, match
from chorus.server.consensus.shapes import merge_shapes
from chorus.server.geometry import Shape
from chorus.simulate.boxes import SAME, Box, read_gold_boxes
from chorus.simulate.drawing import Drawers, Habits

DATA = Path(__file__).parents[2] / "shared" / "data" / "cells"
TARGETS = (0.8, 0.6)
Label = tuple[list[Any], list[float]]
"""Boxes as rows of class, x, y, width, height, and how much each counts."""


def write_round(
    folder: Path, images: Sequence[dict[str, Any]], labels: dict[int, Label], pictures: Path,
    labeled: set[int], open_ids: set[int],
) -> None:  # fmt: skip
    """pictures.jsonl as the server writes it."""
    folder.mkdir(parents=True)
    with (folder / "pictures.jsonl").open("w") as out:
        for image in images:
            known = image["id"] in labeled
            row = {
                "item_id": image["id"], "content_hash": image["file_name"],
                "path": str(pictures / image["file_name"]),
                "width": image["width"], "height": image["height"],
                "label": labels[image["id"]][0] if known else None,
                "weights": labels[image["id"]][1] if known else [],
                "trusted": known, "open": image["id"] in open_ids,
            }  # fmt: skip
            out.write(json.dumps(row) + "\n")


def drawn_by(
    drawers: Drawers, images: Sequence[dict[str, Any]], people: int, classes: list[str]
) -> dict[int, Label]:
    """What people draw on each picture, merged as on the server."""
    out = {}
    for image in images:
        said = []
        for person in range(people):
            work = drawers.work(image["id"] + person, image["file_name"], None)
            assert work is not None
            said.append([Shape(classes.index(b.name), b.box, None, None) for b in work.boxes])
        if people == 1:
            out[image["id"]] = ([[s.cls, *s.box] for s in said[0]], [1.0] * len(said[0]))
            continue
        merged = merge_shapes(said, SAME)
        both = [*merged.shapes, *merged.disputed]
        out[image["id"]] = ([[m.shape.cls, *m.shape.box] for m in both],
                            [m.seen / m.of for m in both])  # fmt: skip
    return out


def coco_map50(
    gold: Path, found: dict[int, Detections], categories: list[int]
) -> tuple[float, list[float]]:
    """(mAP50, of each class) as pycocotools has it on its own reading of the gold file."""
    rows = [
        {
            "image_id": image, "category_id": categories[c], "score": float(score),
            "bbox": [float(b[0]), float(b[1]), float(b[2] - b[0]), float(b[3] - b[1])],
        }
        for image, d in found.items()
        for b, score, c in zip(d.boxes, d.scores, d.classes, strict=True)
    ]  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(gold))
        judge = COCOeval(truth, truth.loadRes(rows), "bbox")
        judge.params.imgIds = list(found)
        judge.params.iouThrs = np.array([0.5])
        judge.params.maxDets = [1, 10, 300]
        judge.evaluate()
        judge.accumulate()
    per_class = judge.eval["precision"][0, :, :, 0, 2].mean(axis=0)
    return float(per_class.mean()), per_class.tolist()


def main(
    images: Annotated[Path, typer.Option(help="Folder of pictures.")] = DATA / "images",
    gold: Annotated[Path, typer.Option(help="Their boxes, COCO.")] = DATA / "gold.coco.json",
    labels: Annotated[str, typer.Option(help="Labeled pictures of each round.")] = "20,30,42,60",
    others: Annotated[int, typer.Option(help="Pictures to judge on.")] = 100,
    seeds: Annotated[int, typer.Option(help="Draws.")] = 1,
    threads: Annotated[int, typer.Option(help="Of the jobs.")] = 2,
    people: Annotated[int, typer.Option(help="Who label a picture; 0: the gold boxes do.")] = 0,
    jitter: Annotated[float, typer.Option(help="As of chorus simulate.")] = 0.08,
    miss: Annotated[float, typer.Option(help="As of chorus simulate.")] = 0.1,
    false_boxes: Annotated[float, typer.Option(help="As of chorus simulate.")] = 0.05,
    detector: Annotated[str, typer.Option(help="As of chorus serve.")] = detectors.BUILT_IN,
    weights: Annotated[Path | None, typer.Option(help="File with its weights.")] = None,
) -> None:
    body = json.loads(gold.read_text())
    categories = [c["id"] for c in body["categories"]]
    names = [c["name"] for c in body["categories"]]
    drawn: defaultdict[int, list[Any]] = defaultdict(list)
    for a in body["annotations"]:
        drawn[a["image_id"]].append([categories.index(a["category_id"]), *a["bbox"]])
    habits = Habits(jitter=jitter, miss=miss, false_boxes=false_boxes)
    known = read_gold_boxes(gold)
    for seed in range(seeds):
        drawers = Drawers(known, habits, seed)
        given: dict[int, Label] = {i: (rows, [1.0] * len(rows)) for i, rows in drawn.items()}
        if people:
            given = drawn_by(drawers, body["images"], people, names)
        order = np.random.default_rng(seed).permutation(len(body["images"]))
        ids = [body["images"][i]["id"] for i in order]
        judged = set(ids[-others:])
        with tempfile.TemporaryDirectory() as temporary:
            name = detectors.choose(detector, Path(temporary), weights, allow_download=False)
            warm: str | None = None
            for number, count in enumerate(map(int, labels.split(",")), 1):
                folder = Path(temporary) / str(number)
                write_round(folder, body["images"], given, images, set(ids[:count]), judged)
                params = {
                    "round_dir": str(folder), "models": temporary, "classes": len(names),
                    "detector": name, "target": TARGETS[-1], "seed": seed, "warm": warm,
                    "shown": list(range(len(names))), "threads": threads,
                    "progress": str(folder / "progress"),
                }  # fmt: skip
                took = []
                for job in (detect_run.train, detect_run.validate):
                    wall, used = time.perf_counter(), time.process_time()
                    job(params)
                    took.append((time.perf_counter() - wall, time.process_time() - used))
                card = json.loads((folder / "card.json").read_text())
                pictures = read_pictures(folder)
                wall, used = time.perf_counter(), time.process_time()
                found = detect_run.look_at([p for p in pictures if p.open], params)
                took.append((time.perf_counter() - wall, time.process_time() - used))
                map50, per_class = coco_map50(gold, found, categories)
                each = ", ".join(f"{n} {ap:.3f}" for n, ap in zip(names, per_class, strict=True))
                spent = ", ".join(f"{w:.0f} s ({u:.0f} s)" for w, u in took)
                print(
                    f"seed {seed}, {count} labels: mAP50 {map50:.3f} ({each}), as the round found"
                    f" it {card['map50']:.3f}; train, validate, {others} others: {spent}",
                    flush=True,
                )
                thresholds(pictures, params, found, drawn, names, count, drawers)
                warm = str(folder)


def thresholds(
    pictures: Sequence[Picture], params: dict[str, Any], found: dict[int, Detections],
    drawn: dict[int, list[Any]], names: Sequence[str], labels: int, drawers: Drawers,
) -> None:  # fmt: skip
    """For each target: what the round promises, and what it gives on the others."""
    own = [p for p in pictures if p.boxes is not None]
    seen = detect_run.look_at(own, params, judged=True)
    truth = [p.boxes.agreed for p in own if p.boxes is not None]
    others = {p.item_id: p.path.name for p in pictures if p.item_id in found}
    evidence = match(truth, [seen[p.item_id] for p in own], len(names))
    real = [boxes_of(drawn[i], [1.0] * len(drawn[i])) for i in found]
    judged = match(real, list(found.values()), len(names))
    for target in TARGETS:
        card = make_card(evidence, labels, target)
        for row, name, other in zip(card["per_class"], names, judged, strict=True):
            if row["threshold"] is None:
                print(f"  target {target:.2f} {name}: none")
                continue
            gave = at_threshold(other, row["threshold"])
            print(
                f"  target {target:.2f} {name}: from {row['threshold']:.3f}, precision"
                f" {row['precision']:.3f} (at least {row['lower_bound']:.3f}), recall"
                f" {row['recall']:.3f}; on the others {gave['precision']:.3f}, {gave['recall']:.3f}"
            )
        alone, helped = (
            sum(_actions(drawers, name, shown) for name, shown in some)
            for some in (
                [(name, None) for name in others.values()],
                [(name, _shown(found[i], card, names)) for i, name in others.items()],
            )
        )
        print(
            f"  target {target:.2f}: {alone / len(others):.1f} actions on one of the others,"
            f" {helped / len(others):.1f} with these boxes, {1 - helped / alone:.0%} less"
        )
        if card["reason"]:
            print(f"  {card['reason']} About {card['labels_needed']} more labels.")


def _shown(found: Detections, card: dict[str, Any], names: Sequence[str]) -> list[Box]:
    return [
        Box(names[int(found.classes[i])], (x, y, right - x, bottom - y), float(found.scores[i]))
        for i in detect_run.passing(found, card)
        for x, y, right, bottom in [found.boxes[i].tolist()]
    ]


def _actions(drawers: Drawers, name: str, shown: list[Box] | None) -> int:
    work = drawers.work(0, name, shown)
    assert work is not None
    return work.actions


if __name__ == "__main__":
    typer.run(main)
