"""Boxes and polygons out of a project and into another, over HTTP and the command line."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from chorus.server.formats.bundle import FORMATS
from tests.server.test_exports import exported, unzipped
from tests.server.test_label_imports import bring, command, facts, until
from tests.servers import Bench, page_of, pictures

CLASSES = ["RBC", "group/WBC"]
SIDE = 64
N = 6


def shapes(task_type: str, n: int, shift: float = 0.0) -> dict[str, Any]:
    """What is on picture n, as one person draws it; nothing on the first."""
    if n == 0:
        return {task_type: []}
    x = 3 + n + shift
    if task_type == "boxes":
        boxes = [[x, 4, 20.25, 17], [x + 25, 30.5, 25, 30.01]]
        return {"boxes": [{"class": CLASSES[k], "box": b} for k, b in enumerate(boxes)]}
    outlines = [
        [[x, 4], [x + 20, 4.5], [x + 9, 21]],
        [[x, 30], [x + 30, 30], [x + 30, 62], [x, 62]],
    ]
    return {"polygons": [{"class": CLASSES[k], "points": p} for k, p in enumerate(outlines)]}


async def label(bench: Bench, folder: Path, task_type: str) -> None:
    """Two people draw; a third picture of theirs is skipped by one."""
    await bench.make(
        pictures(folder, N, SIDE), task_type=task_type, classes=CLASSES, votes_min=2, votes_max=2
    )
    for person in range(2):
        stream = await bench.labeler()
        for _ in range(N - 1):
            page = await page_of(stream)
            (item,) = page.items
            n = int(item.name[-6:-4])
            value = shapes(task_type, n, 0.5 * person)
            skips = person and n == 2
            await stream.socket.cast(
                stream.vote(item, "skip" if skips else "label", None if skips else value)
            )
            await stream.finish(page)


async def download(bench: Bench, format: str) -> bytes:
    export = await exported(bench, format)
    assert export.state == "done", export.error
    name = f"exports/{export.export_id}/file"
    async with bench.admin.download(bench.project.project_id, name) as chunks:
        return b"".join([chunk async for chunk in chunks])


async def truth(bench: Bench) -> dict[str, Any]:
    """What an export says of labels, whatever people it came from."""
    lines = (await unzipped(bench, await exported(bench, "jsonl")))["items.jsonl"].splitlines()
    labels = {}
    for line in map(json.loads, lines):
        drawn = line["label"]
        for shape in next(iter(drawn.values())) if drawn else ():
            for figure in ("seen", "of", "iou"):
                shape.pop(figure, None)
        labels[line["name"]] = drawn
    return labels


@pytest.mark.parametrize("task_type", ["boxes", "polygons"])
async def test_labels_go_out_in_and_out_again(bench: Bench, tmp_path: Path, task_type: str) -> None:
    await label(bench, tmp_path / "in", task_type)
    # Of what has no label yet some formats tell where people agree.
    first = {name: drawn for name, drawn in (await truth(bench)).items() if drawn is not None}
    assert len(first) >= N - 3
    packed = {format: await download(bench, format) for format in FORMATS}
    hashes = set()
    for format, data in packed.items():
        with zipfile.ZipFile(io.BytesIO(data)) as out:
            manifest = json.loads(out.read("manifest.json"))
        hashes.add(manifest["counts"]["labels_sha256"])
        assert (manifest["drawn"], manifest["project"]["iou"]) == (task_type, 0.5)
        await bench.make(tmp_path / "in", task_type=task_type, classes=CLASSES)
        done = await bring(bench, f"{format}.zip", data, "labels")
        assert (done.state, done.refused) == ("done", {}), format
        assert (await truth(bench)).items() >= first.items(), format
        again = await bring(bench, f"{format}.zip", data, "labels")
        assert again.done == 0
    assert len(hashes) == 1


@pytest.mark.parametrize("format", ["jsonl", "csv", "coco", "label-studio", "parquet"])
async def test_votes_go_out_in_and_out_again(bench: Bench, tmp_path: Path, format: str) -> None:
    await label(bench, tmp_path / "in", "boxes")
    first = await unzipped(bench, await exported(bench, "jsonl"))
    data = await download(bench, format)
    await bench.make(tmp_path / "in", task_type="boxes", classes=CLASSES, votes_min=2, votes_max=2)
    done = await bring(bench, f"{format}.zip", data, "votes", add=True)
    assert (done.state, done.refused) == ("done", {})
    second = await unzipped(bench, await exported(bench, "jsonl"))
    assert facts(second["items.jsonl"]) == facts(first["items.jsonl"])


async def test_the_export_is_scored_by_pycocotools(bench: Bench, tmp_path: Path) -> None:
    """What two people drew, half a pixel apart, against what is there."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    await label(bench, tmp_path / "in", "boxes")
    files = await unzipped(bench, await exported(bench, "coco"))
    (tmp_path / "labels.json").write_bytes(files["annotations.json"])
    label_of = COCO(str(tmp_path / "labels.json"))
    gold = {**label_of.dataset, "annotations": []}
    for image in gold["images"]:
        for n, shape in enumerate(shapes("boxes", int(image["file_name"][-6:-4]))["boxes"]):
            x, y, w, h = shape["box"]
            gold["annotations"].append(
                {"id": len(gold["annotations"]) + 1, "image_id": image["id"], "iscrowd": 0,
                 "category_id": n + 1, "bbox": [x, y, w, h], "area": w * h}
            )  # fmt: skip
    (tmp_path / "gold.json").write_text(json.dumps(gold))
    found = [{**a, "score": a["seen"] / a["of"]} for a in label_of.dataset["annotations"]]
    coco = COCO(str(tmp_path / "gold.json"))
    judge = COCOeval(coco, coco.loadRes(found), "bbox")
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    assert judge.stats[1] == pytest.approx(1.0)
    assert judge.stats[0] > 0.9


async def test_the_retired_azure_service_moves_in(bench: Bench, tmp_path: Path) -> None:
    """Boxes in shares, pictures of 0 by 0: the item's own size, upright, counts."""
    folder = tmp_path / "in"
    folder.mkdir()
    picture = Image.new("RGB", (80, 40), (9, 9, 9))
    exif = picture.getexif()
    exif[0x0112] = 6  # turned: people see 40 by 80
    picture.save(folder / "cat 1.jpg", exif=exif)
    await bench.make(folder, task_type="boxes", classes=["cat"])
    document = {
        "images": [{"id": 1, "width": 0.0, "height": 0.0, "file_name": "UI/photos/cat 1.jpg",
                    "coco_url": "AmlDatastore://store/UI/photos/cat 1.jpg"}],
        "annotations": [{"id": 1, "category_id": 1, "image_id": 1, "area": 0.06,
                         "bbox": [0.25, 0.5, 0.5, 0.25]}],
        "categories": [{"id": 1, "name": "cat"}],
    }  # fmt: skip
    done = await bring(bench, "a.json", json.dumps(document).encode(), "labels")
    assert done.done == 1
    assert await truth(bench) == {
        "cat 1.jpg": {"boxes": [{"class": "cat", "box": [10, 40, 20, 20]}]}
    }


async def test_prelabels_come_with_their_scores(bench: Bench, tmp_path: Path) -> None:
    await bench.make(pictures(tmp_path / "in", 1, SIDE), task_type="boxes", classes=CLASSES)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as out:
        out.writestr("data.yaml", "names: [RBC, group/WBC]")
        out.writestr("labels/green-00000.txt", "0 0.5 0.5 0.25 0.5 0.75\n")
    done = await bring(bench, "yolo.zip", packed.getvalue(), "prelabels")
    assert (done.format, done.done) == ("yolo", 1)
    page = await page_of(await bench.labeler())
    assert page.kind == "prelabeled"
    prelabel = page.items[0].prelabel
    assert prelabel is not None
    assert prelabel.boxes == [{"class": "RBC", "box": [24, 16, 16, 32], "score": 0.75}]


async def test_what_cannot_be_is_told_by_line_and_nothing_goes_in(
    bench: Bench, tmp_path: Path
) -> None:
    await bench.make(pictures(tmp_path / "in", 4, SIDE), task_type="boxes", classes=CLASSES)
    project_id = bench.project.project_id
    names = ("green-00000.png", "red-00001.png", "green-00002.png", "nobody.png")
    lines = [
        {"name": names[0], "label": {"boxes": [{"class": "RBC", "box": [60, 1, 20, 9]}]}},
        {"name": names[1], "label": {"boxes": [{"class": "owl", "box": [1, 1, 9, 1]}]}},
        {"name": names[2], "label": "RBC"},
        {"name": names[3], "label": {"boxes": []}},
        {"name": "red-00003.png", "label": {"boxes": [{"class": "owl", "box": [1, 1, 9, 9]}]}},
    ]
    content = "\n".join(json.dumps(line) for line in lines).encode()
    one = await bench.admin.begin_label_import(project_id, "l.jsonl", content, "labels")
    one = await until(bench, one, "ready")
    assert [(e["place"], e["reason"]) for e in one.errors] == [
        ("line 1", "box 1: it is outside of the picture (64 × 64)"),
        ("line 2", "box 1: it is smaller than 2 pixels"),
        ("line 3", "a label here is boxes, and it has a class"),
        ("line 4", "no item of this project is meant"),
    ]
    assert one.summary is not None
    assert (one.summary["ready"], one.summary["classes"]) == (0, 1)
    assert one.summary["unknown_classes"] == {"owl": 1}
    one = await bench.admin.apply_label_import(
        project_id, one.import_id, add_classes=True, leave_out=True
    )
    one = await until(bench, one, "done")
    assert (one.done, one.refused) == (1, {})
    assert (await truth(bench))["red-00003.png"] == {
        "boxes": [{"class": "owl", "box": [1, 1, 9, 9]}]
    }


async def test_polygons_do_not_come_from_boxes_but_boxes_from_polygons(
    bench: Bench, tmp_path: Path
) -> None:
    await label(bench, tmp_path / "in", "polygons")
    # Which ones both have drawn on is a matter of chance.
    name = next(name for name, drawn in (await truth(bench)).items() if drawn and drawn["polygons"])
    data = await download(bench, "coco")
    await bench.make(tmp_path / "in", task_type="boxes", classes=CLASSES)
    done = await bring(bench, "coco.zip", data, "labels")
    assert done.state == "done"
    drawn = (await truth(bench))[name]["boxes"]
    assert drawn[0]["class"] == "RBC"
    assert drawn[0]["box"][2:] == [20, 17]
    boxes = await download(bench, "coco")
    await bench.make(tmp_path / "in", task_type="polygons", classes=CLASSES)
    one = await bench.admin.begin_label_import(
        bench.project.project_id, "coco.zip", boxes, "labels"
    )
    one = await until(bench, one, "ready")
    assert {e["reason"] for e in one.errors} == {"polygon 1: it is a box, and a polygon is wanted"}


async def test_pictures_and_their_gold_by_command(bench: Bench, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "in", 2, SIDE)
    await bench.make(task_type="boxes", classes=["RBC"])
    project_id = bench.project.project_id
    gold = {
        "images": [{"id": 5, "file_name": "green-00000.png", "width": SIDE, "height": SIDE}],
        "annotations": [{"id": 1, "image_id": 5, "category_id": 1, "bbox": [1, 2, 30, 40]}],
        "categories": [{"id": 1, "name": "RBC"}],
    }
    (tmp_path / "gold.coco.json").write_text(json.dumps(gold))
    code, out, err = await command(bench, "import", project_id, str(folder))
    assert (code, "2 added" in out) == (0, True), err
    code, out, err = await command(
        bench, "import", project_id, str(tmp_path / "gold.coco.json"), "--as", "labels"
    )
    assert (code, out.strip()) == (0, "1 brought in, 0 there already"), err
    target = tmp_path / "out.zip"
    code, _, err = await command(
        bench, "export", project_id, "--format", "yolo", "--state", "labeled", "--out", str(target)
    )
    assert code == 0, err
    with zipfile.ZipFile(target) as packed:
        assert packed.read("labels/green-00000.txt") == b"0 0.25 0.34375 0.46875 0.625\n"
        assert "images/green-00000.png" in packed.namelist()


async def test_shapes_are_offered_what_fits_them(bench: Bench, tmp_path: Path) -> None:
    await bench.make(pictures(tmp_path / "in", 1, SIDE), task_type="boxes", classes=["a"])
    path = f"/api/projects/{bench.project.project_id}/exports"
    answer = await bench.admin.request("GET", path)
    assert answer.json()["formats"] == list(FORMATS)


async def test_a_table_brings_pictures_with_gold_boxes(bench: Bench, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "in", 3, SIDE)
    await bench.make(task_type="boxes", classes=["RBC"])
    cells = [
        json.dumps([{"class": "RBC", "box": [1, 2, 30, 40]}]),
        json.dumps({"boxes": []}),
        json.dumps([{"class": "RBC", "box": [1, 2, 300, 40]}]),
    ]
    names = sorted(path.name for path in folder.iterdir())
    quoted = ['"' + cell.replace('"', '""') + '"' for cell in cells]
    lines = [f"{name},{cell}" for name, cell in zip(names, quoted, strict=True)]
    (folder / "table.csv").write_text("path,label\n" + "\n".join(lines) + "\n")
    code, out, err = await command(
        bench, "import", bench.project.project_id, str(folder / "table.csv"), "--gold"
    )
    assert (code, "2 added" in out) == (0, True), err
    assert f"{names[2]}: box 1: it is outside of the picture (64 × 64)" in err
    assert await truth(bench) == {
        names[0]: {"boxes": [{"class": "RBC", "box": [1, 2, 30, 40]}]},
        names[1]: {"boxes": []},
    }
    assert (await bench.stats()).known == {"RBC": 1, "": 1}
