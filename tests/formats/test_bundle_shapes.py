"""Exports of boxes and polygons open in each format's own reader."""

from __future__ import annotations

import io
import json
import os
import shutil
import unicodedata
import zipfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import pyarrow.parquet as pq
import pydicom
import pytest
import yaml
from PIL import Image

from chorus.server.formats import export_voc, export_yolo
from chorus.server.formats.bundle import FORMATS, write_bundle
from chorus.server.formats.export_names import stems
from chorus.server.formats.export_voc import xml_files
from chorus.server.formats.export_yolo import data_yaml
from chorus.server.formats.images import prepare_batch
from chorus.server.formats.media import Media
from chorus.server.formats.rows import Drawing, ExportRow, ShapeRow
from chorus.server.formats.spool import Spool, SpoolWriter
from tests.formats.drawings import CLASSES, EMPTY, NAMES, OPEN, bundle, head

os.environ["HF_HUB_OFFLINE"] = "1"
DRAWN = pytest.mark.parametrize("drawn", ["boxes", "polygons"])


def shapes(row: ExportRow) -> list[tuple[str, tuple[float, ...]]]:
    """(class, x, y, width, height) of what is on it."""
    assert isinstance(row.label, Drawing)
    return [(shape.class_name, shape.bounds) for shape in row.label.shapes]


def labeled(rows: list[ExportRow]) -> list[ExportRow]:
    return [row for row in rows if row.label is not None]


@DRAWN
def test_coco_opens_in_pycocotools(tmp_path: Path, drawn: str) -> None:
    from pycocotools.coco import COCO

    out, rows, _ = bundle(tmp_path, "coco", drawn)
    coco = COCO(str(out / "annotations.json"))
    named = {c["id"]: c["name"] for c in coco.loadCats(coco.getCatIds())}
    # What nobody has settled is no picture without anything on it.
    assert coco.getImgIds() == [row.item_id for row in labeled(rows)]
    assert [image["id"] for image in coco.dataset["unlabeled"]] == [rows[OPEN].item_id]
    for row in labeled(rows):
        found = coco.loadAnns(coco.getAnnIds([row.item_id]))
        assert [(named[a["category_id"]], tuple(a["bbox"])) for a in found] == shapes(row)
        assert {(a["seen"], a["of"], a["iou"]) for a in found} <= {(2, 3, 0.75)}
        for annotation in found:
            if drawn == "polygons":
                mask = coco.annToMask(annotation)
                assert mask.shape == (row.height, row.width)
                assert mask.sum() == pytest.approx(annotation["area"], rel=0.25)
            else:
                _, _, width, height = annotation["bbox"]
                assert annotation["area"] == pytest.approx(width * height, abs=1e-4)
    votes = {vote["id"]: vote for vote in coco.dataset["votes"]}
    assert votes["vote-1-bob"]["shapes"] is None
    assert votes["vote-0-ann"]["prelabel_shapes"][0]["score"] == 0.5


@DRAWN
def test_pycocotools_scores_the_label_against_itself(tmp_path: Path, drawn: str) -> None:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    out, _, _ = bundle(tmp_path, "coco", drawn)
    coco = COCO(str(out / "annotations.json"))
    found = [{**a, "score": a["confidence"]} for a in coco.dataset["annotations"]]
    judge = COCOeval(coco, coco.loadRes(found), "bbox" if drawn == "boxes" else "segm")
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    assert judge.stats[1] == pytest.approx(1.0)


def test_yolo_opens_in_globox(tmp_path: Path) -> None:
    from globox import AnnotationSet

    out, rows, manifest = bundle(tmp_path, "yolo", "boxes")
    found = AnnotationSet.from_yolo_v5(out / "labels", image_folder=out / "images", recursive=True)
    assert manifest["counts"]["pictures"] == manifest["counts"]["label_files"] == 4
    by_height = {annotation.image_height: annotation for annotation in found}
    for row in labeled(rows):
        boxes = [
            (CLASSES[int(box.label)], (box.xmin, box.ymin, box.width, box.height))
            for box in by_height[row.height].boxes
        ]
        assert [name for name, _ in boxes] == [name for name, _ in shapes(row)]
        for (_, box), (_, own) in zip(boxes, shapes(row), strict=True):
            assert box == pytest.approx(own, abs=1e-5)
    about = yaml.safe_load((out / "data.yaml").read_text("utf-8"))
    assert about["names"] == dict(enumerate(CLASSES))
    listed = [(out / about[name]).read_text() for name in ("train", "val")]
    pictures = sorted("".join(listed).splitlines())
    assert pictures == [
        "./images/b.jpg", "./images/c.jpg", "./images/in/a b-2.jpg", "./images/in/a b.jpg",
    ]  # fmt: skip
    assert all((out / line).is_file() for line in pictures)


def test_yolo_segmentation_has_corners(tmp_path: Path) -> None:
    out, rows, _ = bundle(tmp_path, "yolo", "polygons")
    lines = (out / "labels" / "b.txt").read_text().splitlines()
    (row,) = (row for row in rows if row.name == "b.jpg")
    assert isinstance(row.label, Drawing)
    for line, shape in zip(lines, row.label.shapes, strict=True):
        index, *flat = line.split()
        assert CLASSES[int(index)] == shape.class_name
        pixels = [float(c) * (row.height if n % 2 else row.width) for n, c in enumerate(flat)]
        assert pixels == pytest.approx([c for point in shape.points or () for c in point])
    assert (out / "labels" / "c.txt").read_bytes() == b""
    assert not (out / "labels" / "d.txt").exists()


@DRAWN
def test_voc_opens_in_globox_and_torchvision(tmp_path: Path, drawn: str) -> None:
    from globox import AnnotationSet
    from torchvision.datasets import VOCDetection

    out, rows, _ = bundle(tmp_path, "voc", drawn)
    found = AnnotationSet.from_pascal_voc(out / "Annotations", recursive=True)
    by_height = {annotation.image_height: annotation for annotation in found}
    for row in labeled(rows):
        boxes = by_height[row.height].boxes
        assert [box.label for box in boxes] == [name for name, _ in shapes(row)]
        for box, (_, own) in zip(boxes, shapes(row), strict=True):
            assert (box.xmin, box.ymin, box.width, box.height) == pytest.approx(own)
    layout = tmp_path / "VOCdevkit" / "VOC2012"
    shutil.copytree(out, layout)
    read = VOCDetection(str(tmp_path), year="2012", image_set="trainval", download=False)
    assert len(read) == len(NAMES) - 1
    for image, target in read:
        annotation = target["annotation"]
        assert image.size == tuple(int(annotation["size"][k]) for k in ("width", "height"))
        objects = annotation.get("object", [])
        assert (len(objects) == 0) == (image.height == 37 + EMPTY)


def test_without_the_pictures_names_are_those_of_the_items(tmp_path: Path) -> None:
    for format in ("yolo", "voc"):
        out, _, manifest = bundle(tmp_path / format, format, "boxes", content=False)
        assert "pictures" not in manifest["counts"]
        assert "missing" not in manifest["counts"]
        assert {p.suffix for p in out.rglob("*")} <= {"", ".txt", ".yaml", ".csv", ".xml", ".json"}


@DRAWN
def test_csv_opens_in_pandas(tmp_path: Path, drawn: str) -> None:
    import pandas

    out, rows, _ = bundle(tmp_path, "csv", drawn)
    frame = pandas.read_csv(out / "shapes.csv")
    said = [(row.item_id, name, *bounds) for row in labeled(rows) for name, bounds in shapes(row)]
    columns = ["item_id", "class", "x", "y", "width", "height"]
    assert list(frame[columns].itertuples(index=False, name=None)) == said
    assert set(frame["seen"]) == {2}
    if drawn == "polygons":
        assert json.loads(frame["points"][0])[0] == [0, 0]
    items = pandas.read_csv(out / "items.csv", keep_default_na=False)
    for cell, row in zip(items["label"], rows, strict=True):
        assert (msgspec.json.decode(cell, type=Drawing) if cell else None) == row.label
    counts = json.loads(items["label_counts"][0])
    assert counts == {CLASSES[0]: 4}


@DRAWN
def test_json_lines_hold_everything(tmp_path: Path, drawn: str) -> None:
    out, rows, _ = bundle(tmp_path, "jsonl", drawn)
    lines = (out / "items.jsonl").read_bytes().splitlines()
    assert [msgspec.json.decode(line, type=ExportRow) for line in lines] == rows
    plain = json.loads(lines[0])
    assert set(plain["label"]) == {drawn}
    assert plain["label"][drawn][0]["class"] == CLASSES[0]
    assert json.loads(lines[EMPTY])["label"] == {drawn: []}


@DRAWN
@pytest.mark.parametrize("format", ["imagefolder", "parquet"])
def test_datasets_opens_it(tmp_path: Path, format: str, drawn: str) -> None:
    import datasets

    out, rows, _ = bundle(tmp_path, format, drawn)
    given: dict[str, Any] = {"split": "train", "cache_dir": str(tmp_path / "cache")}
    if format == "parquet":
        found = datasets.load_dataset(str(out), **given)
        feature = found.features["objects"]["categories"].feature
        assert feature.names == CLASSES
    else:
        found = datasets.load_dataset("imagefolder", data_dir=str(out), **given)
    by_id = {line["item_id"]: line for line in found}
    for row in labeled(rows):
        line = by_id[row.item_id]
        objects = line["objects"]
        names = objects["categories"]
        if format == "parquet":
            names = feature.int2str(names)
        pairs = list(zip(names, map(tuple, objects["bbox"]), strict=True))
        assert pairs == shapes(row)
        assert line["image"].size == (row.width, row.height)
        if drawn == "polygons":
            flat = [[c for p in s.points or () for c in p] for s in row.label.shapes]  # type: ignore[union-attr]
            assert objects["segmentation"] == flat
    empty = by_id[rows[OPEN].item_id]["objects"]
    assert empty is None or empty["bbox"] is None


@DRAWN
def test_label_studio_tasks_have_its_shape(tmp_path: Path, drawn: str) -> None:
    """What label-studio-sdk's converter makes of them: scripts/label_studio_reads.py."""
    from xml.etree import ElementTree

    out, rows, _ = bundle(tmp_path, "label-studio", drawn)
    config = ElementTree.parse(out / "label_config.xml")
    tag = {"boxes": "RectangleLabels", "polygons": "PolygonLabels"}[drawn]
    (control,) = config.iter(tag)
    assert [label.get("value") for label in control] == CLASSES
    tasks = json.loads((out / "tasks.json").read_text("utf-8"))
    for task, row in zip(tasks, rows, strict=True):
        times = [annotation["created_at"] for annotation in task["annotations"]]
        assert times == sorted(times)  # by which its converter sorts them
        truths = [a for a in task["annotations"] if a["ground_truth"]]
        assert len(truths) == (row.label is not None)
        for result in (r for a in truths for r in a["result"]):
            assert (result["type"], result["to_name"]) == (tag.lower(), control.get("toName"))
            assert (result["original_width"], result["original_height"]) == (row.width, row.height)
        if not truths:
            continue
        for result, (name, (x, y, width, height)) in zip(
            truths[0]["result"], shapes(row), strict=True
        ):
            value = result["value"]
            assert value[tag.lower()] == [name]
            if drawn == "boxes":
                sides = [value[k] for k in ("x", "y", "width", "height")]
                across, down = row.width / 100, row.height / 100
                assert [s * by for s, by in zip(sides, (across, down) * 2, strict=True)] == (
                    pytest.approx([x, y, width, height])
                )
    prediction = tasks[2]["predictions"][0]["result"][0]
    assert prediction["score"] == 0.5


@DRAWN
@pytest.mark.parametrize("format", FORMATS)
def test_the_same_rows_make_the_same_bytes(tmp_path: Path, format: str, drawn: str) -> None:
    first, second = (bundle(tmp_path / str(n), format, drawn)[2] for n in (1, 2))
    assert first == second
    assert (tmp_path / "1" / "out.zip").read_bytes() == (tmp_path / "2" / "out.zip").read_bytes()


def test_names_of_files_are_safe_and_different(tmp_path: Path) -> None:
    _, rows, _ = bundle(tmp_path, "jsonl", "boxes")
    names = ["../../etc/passwd", "C:\\x\\A.JPG", "c_/x/a.png", "", "...", "a\0b<c>.jpeg", ".hidden"]
    named = [msgspec.structs.replace(rows[0], name=name, item_id=n) for n, name in enumerate(names)]
    found = [stem for _, stem in stems(named)]
    assert found == ["etc/passwd", "C_/x/A", "c_/x/a-2", "3", "4", "a_b_c_", "_hidden"]


def test_no_file_of_labels_takes_the_place_of_another(tmp_path: Path) -> None:
    """Nor on a file system to which two spellings of a name are one."""
    _, rows, _ = bundle(tmp_path, "jsonl", "boxes")
    names = ["a.jpg", "a-3.jpg", "a.png", "a-3-3.jpg", "é.jpg", "e\u0301.jpg"]
    named = [
        msgspec.structs.replace(rows[0], name=name, item_id=n) for n, name in enumerate(names, 1)
    ]
    found = [unicodedata.normalize("NFC", stem).lower() for _, stem in stems(named)]
    assert found == ["a", "a-3", "a-3-3", "a-3-3-4", "é", "é-6"]


def test_classes_of_any_characters_open_in_yolo_and_voc(tmp_path: Path) -> None:
    names = ["\U0001f600 ü", "a\x7fb", "a\x85b", "a\u2028b", 'q"\\:#', "\ufffe"]
    assert yaml.safe_load(data_yaml(names))["names"] == dict(enumerate(names))
    _, rows, _ = bundle(tmp_path, "jsonl", "boxes")
    box = ShapeRow(class_name="\ufffe", box=(1, 2, 3, 4))
    row = msgspec.structs.replace(rows[0], label=Drawing(boxes=[box]))
    ((_, data),) = xml_files([row], None)
    assert ElementTree.fromstring(data).findtext("object/name") == "_"


@pytest.mark.parametrize("format", ["voc", "imagefolder", "parquet"])
def test_what_is_told_in_pixels_goes_with_a_picture_that_has_them(
    tmp_path: Path, format: str
) -> None:
    """Of pictures shown by reference only copies are here, the larger ones smaller."""
    sizes = [(1500, 40), (1000, 40)]
    files = []
    for n, size in enumerate(sizes):
        Image.new("RGB", size, (n, 0, 0)).save(tmp_path / f"{n}.png")
        files.append((f"{n}.png", str(tmp_path / f"{n}.png")))
    kept = prepare_batch(files, str(tmp_path / "blobs"), originals=False)
    box = ShapeRow(class_name=CLASSES[0], box=(900, 2, 90, 30))
    _, (first, *_), _ = bundle(tmp_path / "other", "jsonl", "boxes")
    rows = [
        msgspec.structs.replace(
            first, item_id=n, name=k.name, content_hash=k.content_hash, width=k.width,
            height=k.height, label=Drawing(boxes=[box]), votes=[],
        )
        for n, k in enumerate(kept)
    ]  # fmt: skip
    with SpoolWriter(tmp_path / "rows") as spool:
        spool.add(rows)
    media = Media(tmp_path / "blobs")
    done = write_bundle(
        head(format, "boxes"), Spool(tmp_path / "rows"), media, tmp_path / "out.zip"
    )
    assert done["counts"]["missing"] == 1
    with zipfile.ZipFile(tmp_path / "out.zip") as packed:
        if format == "parquet":
            table = pq.read_table(io.BytesIO(packed.read("data/train-00000-of-00001.parquet")))
            images = [i["bytes"] for i in table["image"].to_pylist() if i is not None]
        else:
            images = [packed.read(n) for n in packed.namelist() if n.endswith(".jpg")]
    assert [Image.open(io.BytesIO(image)).size for image in images] == [(1000, 40)]


def test_of_a_dicom_file_its_picture_goes_with_the_labels(tmp_path: Path) -> None:
    _, (first, *_), _ = bundle(tmp_path, "jsonl", "boxes")
    file = pydicom.examples.get_path("ct")
    (kept,) = prepare_batch([("IM0001", str(file))], str(tmp_path / "dicom"))
    row = msgspec.structs.replace(
        first, name="IM0001", content_hash=kept.content_hash, width=kept.width, height=kept.height
    )
    media = Media(tmp_path / "dicom")
    ((name, path),) = export_yolo.pictures([row], media)
    assert name == "images/IM0001.jpg"
    assert Image.open(path).size == (kept.width, kept.height)
    # Where only the file itself has all pixels, it is called what it is.
    row = msgspec.structs.replace(row, width=2000)
    ((name, path),) = export_voc.pictures([row], media)
    assert name == "JPEGImages/IM0001.dcm"
    assert path.read_bytes() == file.read_bytes()
