"""Boxes and polygons from files of many tools, as their readers understand them."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chorus.server.formats.bundle import write_bundle
from chorus.server.formats.labels.drawn import Drawn, Misplaced, ShapeIn, placed
from chorus.server.formats.labels.errors import BadLabels
from chorus.server.formats.labels.rows import LabelRow, Problem
from chorus.server.formats.media import Media
from chorus.server.formats.rows import Drawing, ExportRow, ShapeRow
from chorus.server.formats.spool import Spool, SpoolWriter
from tests.formats.drawings import CLASSES, EMPTY, NAMES, OPEN, bundle, head
from tests.formats.test_labels_in import azure_coco, read, rows

DRAWN = pytest.mark.parametrize("drawn", ["boxes", "polygons"])
ROUND_TRIP = ("csv", "jsonl", "coco", "yolo", "voc", "label-studio", "imagefolder", "parquet")


def zipped(files: dict[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return out.getvalue()


def in_pixels(label: Any, kind: str, row: ExportRow) -> list[tuple[Any, ...]]:
    """(class, numbers) of each shape, sorted."""
    assert isinstance(label, Drawn)
    value = placed(label, kind, (row.width, row.height))  # type: ignore[arg-type]
    key = "box" if kind == "boxes" else "points"
    flat = [(s["class"], s[key] if key == "box" else [c for p in s[key] for c in p])
            for s in value[kind]]  # fmt: skip
    return sorted((name, tuple(round(c, 2) for c in numbers)) for name, numbers in flat)


def own(row: ExportRow) -> list[tuple[Any, ...]]:
    assert isinstance(row.label, Drawing)
    return sorted(
        (s.class_name, tuple(s.box or (c for p in s.points or () for c in p)))
        for s in row.label.shapes
    )


@DRAWN
@pytest.mark.parametrize("format", ROUND_TRIP)
def test_what_goes_out_comes_in_again(tmp_path: Path, format: str, drawn: str) -> None:
    _, given, _ = bundle(tmp_path / "out", format, drawn)
    data = (tmp_path / "out" / "out.zip").read_bytes()
    _, found = read(tmp_path / "in", "export.zip", data, drawn=True)
    by_hash = {row.content_hash: row for row in given}
    labels = {entry.hashes[0]: entry.label for entry in rows(found) if entry.label is not None}
    if format == "label-studio":  # where people agree that is the label
        del labels[given[OPEN].content_hash]
    assert set(labels) == {row.content_hash for row in given} - {given[OPEN].content_hash}
    for content_hash, label in labels.items():
        row = by_hash[content_hash]
        assert in_pixels(label, drawn, row) == own(row)
    assert in_pixels(labels[given[EMPTY].content_hash], drawn, given[EMPTY]) == []


@DRAWN
@pytest.mark.parametrize("format", ROUND_TRIP)
def test_whatever_items_are_called_each_is_found_again(
    tmp_path: Path, format: str, drawn: str
) -> None:
    """Also from a zip that somebody has made anew, of the folder with the unpacked export."""
    long = f"{'long' * 60}.jpg"
    called = ["labels/a.jpg", "x/labels/a.jpg", "/home/.cache/a.jpg", long, ".a.jpg"]
    out, given, _ = bundle(tmp_path / "out", format, drawn, content=False, called=called)
    again = io.BytesIO()
    with zipfile.ZipFile(again, "w") as packed:
        for path in sorted(p for p in out.rglob("*") if p.is_file()):
            packed.write(path, f"mine/{path.relative_to(out).as_posix()}")
    _, found = read(tmp_path / "in", "export.zip", again.getvalue(), drawn=True)
    hashes = {row.content_hash for n, row in enumerate(given) if n != OPEN}
    assert {e.hashes[0] for e in rows(found) if e.label is not None and e.hashes} >= hashes


@DRAWN
@pytest.mark.parametrize("format", ["csv", "jsonl", "coco", "label-studio", "parquet"])
def test_votes_come_in_again(tmp_path: Path, format: str, drawn: str) -> None:
    _, given, _ = bundle(tmp_path / "out", format, drawn)
    data = (tmp_path / "out" / "out.zip").read_bytes()
    _, found = read(tmp_path / "in", "export.zip", data, kind="votes", drawn=True)
    by_hash: dict[str, ExportRow] = {row.content_hash: row for row in given}
    votes = [(entry, vote) for entry in rows(found) for vote in entry.votes]
    assert len(votes) == 2 * len(NAMES)
    assert sum(vote.kind == "skip" for _, vote in votes) == 1
    for entry, vote in votes:
        # Two items have one name.
        row = by_hash[entry.hashes[0]]
        if entry.names[0] == "d.jpg" and vote.kind == "label":
            shapes = in_pixels(vote.value, drawn, row)
            assert len(shapes) == 2
            if vote.labeler == "ann" and format != "label-studio":
                assert isinstance(vote.prelabel, Drawn)
                assert [s.score for s in vote.prelabel.shapes] == [0.5, 0.5]


def test_a_prediction_of_label_studio_has_scores(tmp_path: Path) -> None:
    bundle(tmp_path / "out", "label-studio", "boxes")
    data = (tmp_path / "out" / "out.zip").read_bytes()
    _, found = read(tmp_path / "in", "export.zip", data, drawn=True)
    (said,) = [entry.prediction for entry in rows(found) if entry.prediction is not None]
    assert isinstance(said, Drawn)
    assert {shape.score for shape in said.shapes} == {0.5}


# -- the retired Azure service


def test_azure_boxes_are_shares_of_pictures_without_a_size(tmp_path: Path) -> None:
    document = azure_coco()
    document["annotations"][1]["bbox"] = [0.0, 0.25, 1.0, 0.75]
    _, found = read(tmp_path, "labels.json", json.dumps(document), drawn=True)
    cat, dog = rows(found)
    assert isinstance(cat.label, Drawn)
    assert isinstance(dog.label, Drawn)
    assert cat.label.shares
    assert placed(cat.label, "boxes", (640, 480))["boxes"] == [
        {"class": "cat", "box": pytest.approx([64, 96, 192, 96])}
    ]
    assert [s["box"] for s in placed(dog.label, "boxes", (200, 100))["boxes"]] == [
        pytest.approx([0, 25, 200, 75]), pytest.approx([100, 50, 40, 50]),
    ]  # fmt: skip


def test_azure_outlines_are_shares_too(tmp_path: Path) -> None:
    document = azure_coco()
    for annotation in document["annotations"]:
        annotation["segmentation"] = [[0.1, 0.2, 0.4, 0.2, 0.4, 0.4]]
    _, found = read(tmp_path, "labels.json", json.dumps(document), drawn=True)
    label = rows(found)[0].label
    assert isinstance(label, Drawn)
    (shape,) = placed(label, "polygons", (100, 50))["polygons"]
    assert shape["points"] == [pytest.approx(p) for p in ([10, 10], [40, 10], [40, 20])]


def test_azure_lines_of_automl(tmp_path: Path) -> None:
    line = {
        "image_url": "AmlDatastore://store/photos/a.jpg",
        "image_details": {"format": "jpg", "width": "200px", "height": "100px"},
        "label": [
            {"label": "cat", "topX": "0.1", "topY": 0.2, "bottomX": 0.5, "bottomY": 0.4,
             "isCrowd": "false"},
            {"label": "dog", "polygon": [["0.5", 0.5, 1, 0.5, 1, 1]]},
        ],
    }  # fmt: skip
    (row,) = rows(read(tmp_path, "export.jsonl", json.dumps(line), drawn=True)[1])
    assert isinstance(row.label, Drawn)
    assert [s["box"] for s in placed(row.label, "boxes", (200, 100))["boxes"]] == [
        pytest.approx([20, 20, 80, 20]), pytest.approx([100, 50, 100, 50]),
    ]  # fmt: skip


# -- others' COCO


def coco(*annotations: dict[str, Any], **image: Any) -> str:
    about = {"id": 7, "file_name": "a.jpg", "width": 100, "height": 50, **image}
    return json.dumps(
        {"images": [about, {"id": 8, "file_name": "b.jpg"}],
         "categories": [{"id": 3, "name": "cat"}],
         "annotations": [{"id": n, "image_id": 7, "category_id": 3, **a}
                         for n, a in enumerate(annotations)]}
    )  # fmt: skip


def test_an_image_without_annotations_says_nothing(tmp_path: Path) -> None:
    _, found = read(tmp_path, "a.json", coco({"bbox": [1, 2, 30, 20]}), drawn=True)
    first, second = rows(found)
    assert isinstance(first.label, Drawn)
    assert second.label is None


def several(ids: list[Any], categories: list[tuple[Any, str]], of: Any = 1) -> str:
    """Images a.jpg, b.jpg … with these ids, and a box of the first category on `of`."""
    images = [{"file_name": f"{'abcdef'[n]}.jpg", "id": id_} for n, id_ in enumerate(ids)]
    return json.dumps(
        {"images": images, "categories": [{"id": n, "name": name} for n, name in categories],
         "annotations": [{"id": 1, "image_id": of, "category_id": categories[0][0],
                          "bbox": [1, 2, 30, 20]}]}
    )  # fmt: skip


@pytest.mark.parametrize("drawn", [False, True])
@pytest.mark.parametrize(
    ("text", "word"),
    [
        (several([1, 2, 1], [(3, "cat")]), "two images have the id 1: a.jpg and c.jpg"),
        (several(["x", "x"], [(3, "cat")]), "two images have the id 'x': a.jpg and b.jpg"),
        (several([1, 2], [(3, "cat"), (3, "dog")]), "two categories have the id 3: cat and dog"),
    ],
)
def test_an_id_that_means_two_things_is_refused_by_its_name(
    tmp_path: Path, text: str, word: str, drawn: bool
) -> None:
    with pytest.raises(BadLabels, match=word):
        read(tmp_path, "a.json", text, drawn=drawn)
    assert not (tmp_path / "out").exists()


def test_the_same_image_twice_is_no_mistake(tmp_path: Path) -> None:
    document = json.loads(several([1, 2], [(3, "cat"), (4, "dog"), (3, "cat")]))
    document["images"].append(document["images"][0])
    one, other, again = rows(read(tmp_path, "a.json", json.dumps(document), drawn=True)[1])
    assert one.label == again.label != other.label is None


def test_images_without_ids_get_no_annotations(tmp_path: Path) -> None:
    text = several([None, None], [(3, "cat")], of=None)
    found = read(tmp_path, "a.json", text, drawn=True)[1]
    assert [e.reason for e in found if isinstance(e, Problem)] == ["it is of no image of the file"]
    assert [e.label for e in found if isinstance(e, LabelRow)] == [None, None]


def test_ids_may_be_written_with_a_decimal_point(tmp_path: Path) -> None:
    text = several([1.0, 2.0], [(3.0, "cat")], of=2)
    one, other = rows(read(tmp_path, "a.json", text, drawn=True)[1])
    assert one.label is None
    assert isinstance(other.label, Drawn)


@pytest.mark.parametrize(
    ("annotation", "word"),
    [
        ({"bbox": [1, 2, 3]}, "annotation 1 has no bbox"),
        ({"bbox": ["x", 2, 3, 4]}, "no bbox"),
        ({}, "no bbox"),
        ({"bbox": [1, 2, 30, 20], "iscrowd": 1}, "crowd"),
        ({"bbox": [1, 2, 30, 20], "category_id": 9}, "no category 9"),
        ({"bbox": [1, 2, 30, 20], "score": 7}, "between 0 and 1"),
    ],
)
def test_what_is_wrong_with_an_annotation_is_said(
    tmp_path: Path, annotation: dict[str, Any], word: str
) -> None:
    problem = read(tmp_path, "a.json", coco(annotation), drawn=True)[1][0]
    assert isinstance(problem, Problem)
    assert (problem.place, problem.name) == ("image 1", "a.jpg")
    assert word in problem.reason


@pytest.mark.parametrize(
    ("segmentation", "word"),
    [
        ({"counts": "abc", "size": [50, 100]}, "mask"),
        ([[1, 1, 9, 1, 9, 9], [20, 20, 30, 20, 30, 30]], "2 parts"),
        ([[1, 1, 9, 1]], "three corners"),
        ([], "it is a box"),
    ],
)
def test_an_outline_that_is_no_polygon_still_has_its_box(
    tmp_path: Path, segmentation: Any, word: str
) -> None:
    text = coco({"bbox": [1, 1, 30, 20], "segmentation": segmentation})
    label = rows(read(tmp_path, "a.json", text, drawn=True)[1])[0].label
    assert isinstance(label, Drawn)
    assert placed(label, "boxes", (100, 50))["boxes"][0]["box"] == [1, 1, 30, 20]
    with pytest.raises(Misplaced, match=word):
        placed(label, "polygons", (100, 50))


# -- another size


def test_shapes_of_a_copy_are_scaled_and_of_a_turned_picture_refused() -> None:
    drawn = Drawn(shapes=[ShapeIn(name="a", box=(10, 20, 30, 40))], width=100, height=200)
    assert placed(drawn, "boxes", (100, 200))["boxes"][0]["box"] == [10, 20, 30, 40]
    assert placed(drawn, "boxes", (50, 100))["boxes"][0]["box"] == [5, 10, 15, 20]
    assert placed(drawn, "boxes", (101, 200))["boxes"][0]["box"] == pytest.approx(
        [10.1, 20, 30.3, 40]
    )
    with pytest.raises(Misplaced, match="100 × 200 pixels, and it is one of 200 × 100"):
        placed(drawn, "boxes", (200, 100))


# -- YOLO


def test_yolo_of_others(tmp_path: Path) -> None:
    data = zipped(
        {
            "set/data.yaml": "train: ../train/images\nnc: 2\nnames: ['cat', dog]\n",
            "set/train/labels/sub/a.txt": "1 0.5 0.5 0.2 0.4\n\n0 0.1 0.1 0.1 0.1 0.75\n",
            "set/train/labels/seg.txt": "0 0 0 1 0 1 1\n0 0 0 1 0 1 1 0.5\n",
            "set/train/labels/none.txt": "",
            "set/train/images/none.jpg": b"\xff\xd8",
            "set/README.txt": "hello",
        }
    )
    format, found = read(tmp_path, "x.zip", data, drawn=True)
    none, seg, a = sorted(rows(found), key=lambda row: row.names[0])
    assert format == "yolo"
    assert [row.names for row in (none, seg, a)] == [["none"], ["seg"], ["sub/a"]]
    assert all(row.stem for row in (none, seg, a))
    assert none.label == Drawn(shapes=[], shares=True)
    assert isinstance(a.label, Drawn)
    first, second = placed(a.label, "boxes", (100, 50))["boxes"]
    assert first == {"class": "dog", "box": pytest.approx([40, 15, 20, 20])}
    assert second["score"] == 0.75
    assert isinstance(seg.label, Drawn)
    assert [s.score for s in seg.label.shapes] == [None, 0.5]
    assert placed(seg.label, "polygons", (10, 10))["polygons"][0]["points"][2] == [10, 10]


def test_text_files_without_names_of_classes_say_what_is_missing(tmp_path: Path) -> None:
    data = zipped({"labels/a.txt": "0 .5 .5 .2 .4\n"})
    with pytest.raises(BadLabels, match="nothing in it names the classes"):
        read(tmp_path, "x.zip", data, drawn=True)
    coco = json.dumps(azure_coco())
    data = zipped({"README.txt": "Hello", "labels.json": coco})
    assert read(tmp_path / "other", "x.zip", data, drawn=True)[0] == "coco"


@pytest.mark.parametrize(
    ("file", "text", "word"),
    [
        ("classes.txt", "cat\n\ndog\n", "line 2 is empty"),
        ("data.yaml", "names:\n  0: cat\n  0: dog\n", "the number 0: cat and dog"),
        ("data.yaml", "names: {1: cat, 01: dog}\n", "the number 1: cat and dog"),
    ],
)
def test_it_is_clear_which_class_a_number_means(
    tmp_path: Path, file: str, text: str, word: str
) -> None:
    data = zipped({file: text, "labels/a.txt": "1 .5 .5 .2 .4\n"})
    with pytest.raises(BadLabels, match=word):
        read(tmp_path, "x.zip", data, drawn=True)


def test_empty_lines_after_the_last_class_say_nothing(tmp_path: Path) -> None:
    data = zipped({"classes.txt": "cat\ndog\n\n \n", "labels/a.txt": "1 .5 .5 .2 .4\n"})
    (row,) = rows(read(tmp_path, "x.zip", data, drawn=True)[1])
    assert isinstance(row.label, Drawn)
    assert [s.name for s in row.label.shapes] == ["dog"]


def test_a_vote_of_no_image_is_told(tmp_path: Path) -> None:
    document = {
        **json.loads(coco()), "votes": [{"image_id": 9, "labeler": "ann", "kind": "skip"}, 7]
    }  # fmt: skip
    found = read(tmp_path, "a.json", json.dumps(document), "votes", drawn=True)[1]
    told = [(p.place, p.reason) for p in found if isinstance(p, Problem)]
    reason = "it is of no image of the file"
    assert told == [("vote 1", reason), ("vote 2", reason)]


def test_voc_may_leave_the_ending_of_a_name_out(tmp_path: Path) -> None:
    text = "<annotation><folder>in</folder><filename>{}</filename></annotation>"
    for name, stem in (("a", True), ("a.jpg", False)):
        (row,) = rows(read(tmp_path, "x.xml", text.format(name), drawn=True)[1])
        assert (row.names[0], row.stem) == (f"in/{name}", stem)


def test_names_of_classes_among_the_labels(tmp_path: Path) -> None:
    """Where some tools write them; a picture may be called so as well."""
    files: dict[str, str | bytes] = {"set/labels/a.txt": "1 .5 .5 .2 .4\n"}
    for classes in ("cat\ndog\n", "0 .5 .5 .1 .1\n"):
        files["set/labels/classes.txt"] = classes
        data = zipped(files if "cat" in classes else files | {"data.yaml": "names: [cat, dog]"})
        found = rows(read(tmp_path / f"{len(data)}", "x.zip", data, drawn=True)[1])
        assert [row.names for row in found] == [["a"], ["classes"]][: 1 + ("cat" not in classes)]
    files |= {"data.yaml": "names: [cat, dog]", "set/labels/classes.txt": "dog\ncat\n"}
    (row,) = rows(read(tmp_path, "x.zip", zipped(files), drawn=True)[1])
    assert row.names == ["a"]


def test_darknet_has_its_lists_beside_the_pictures(tmp_path: Path) -> None:
    data = zipped(
        {"obj.names": "cat\ndog\n", "train.txt": "data/a.jpg\n", "data/a.txt": "1 .5 .5 .2 .4\n"}
    )
    (row,) = rows(read(tmp_path, "x.zip", data, drawn=True)[1])
    assert row.names == ["data/a"]


def test_classes_of_yolo_are_called_as_they_are_written(tmp_path: Path) -> None:
    files = {"data.yaml": "names: [yes, no, 1.0, 07]"}
    files |= {f"labels/{n}.txt": f"{n} .5 .5 .2 .4\n" for n in range(4)}
    found = rows(read(tmp_path, "x.zip", zipped(files), drawn=True)[1])
    labels = [row.label for row in found if isinstance(row.label, Drawn)]
    assert [label.shapes[0].name for label in labels] == ["yes", "no", "1.0", "07"]


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("2 0.5 0.5 0.2 0.4", "line 2: there is no class 2 among the 2 names"),
        ("cat 0.5 0.5 0.2 0.4", "line 2: it is not a class and numbers"),
        ("1 0.5 nan 0.2 0.4", "not a class and numbers"),
        ("1 0.5 0.5 0.2", "3 numbers"),
        ("1 0.5 0.5 0.2 0.4 1.5", "between 0 and 1"),
        ("²  0.5 0.5 0.2 0.4", "not a class"),
    ],
)
def test_a_bad_line_of_yolo_is_named(tmp_path: Path, line: str, word: str) -> None:
    text = f"0 .5 .5 .1 .1\n{line}\n"
    data = zipped({"data.yaml": "names: {0: cat, 1: dog}", "labels/a.txt": text})
    (problem,) = read(tmp_path, "x.zip", data, drawn=True)[1]
    assert isinstance(problem, Problem)
    assert (problem.place, problem.name) == ("labels/a.txt", "a")
    assert word in problem.reason


@pytest.mark.parametrize(
    ("files", "word"),
    [
        ({"data.yaml": "names: [a", "labels/a.txt": ""}, "no YAML"),
        ({"data.yaml": "names: {a: 1}", "labels/a.txt": ""}, "no list of classes"),
        ({"data.yaml": "nc: 1", "labels/a.txt": ""}, "nothing in it names the classes"),
        ({"data.yaml": "names: [a]", "README.txt": ""}, "no text file of labels"),
        ({"a.docx": ""}, "one must be a file of labels"),
    ],
)
def test_a_set_that_cannot_be_used_says_why(
    tmp_path: Path, files: dict[str, str | bytes], word: str
) -> None:
    with pytest.raises(BadLabels, match=word):
        read(tmp_path, "x.zip", zipped(files), drawn=True)


# -- Pascal VOC


def voc(inner: str, size: str = "<size><width>100</width><height>50</height></size>") -> str:
    return (
        f"<annotation><folder>in</folder><filename>a.jpg</filename><path>C:\\in\\a.jpg</path>{size}"
        f"{inner}</annotation>"
    )


OBJECT = (
    "<object><name>cat</name><part><name>head</name><bndbox><xmin>1</xmin></bndbox></part>"
    "<bndbox><xmin>10</xmin><ymin>5.5</ymin><xmax>30</xmax><ymax>25</ymax></bndbox></object>"
)


def test_voc_of_others(tmp_path: Path) -> None:
    data = zipped({"Annotations/a.xml": voc(OBJECT), "b.xml": voc("", "")})
    format, found = read(tmp_path, "x.zip", data, drawn=True)
    a, b = rows(found)
    assert format == "voc"
    assert a.names[:2] == ["in/a.jpg", "a.jpg"]
    assert isinstance(a.label, Drawn)
    assert placed(a.label, "boxes", (200, 100))["boxes"] == [
        {"class": "cat", "box": [20, 11, 40, 39]}
    ]
    assert b.label == Drawn(shapes=[])
    # One file alone.
    (row,) = rows(read(tmp_path / "one", "a.xml", voc(OBJECT), drawn=True)[1])
    assert row.label == a.label


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("<annotation>", "no XML"),
        ("<other/>", "no annotation"),
        (voc("<object><bndbox/></object>"), "object 1 has no name"),
        (voc("<object><name>a</name></object>"), "no bndbox"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><annotation>&b;</annotation>', "entities"),
        ('<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>', "entities"),
    ],
)
def test_a_bad_annotation_of_voc_is_named(tmp_path: Path, text: str, word: str) -> None:
    (problem,) = read(tmp_path, "x.zip", zipped({"a.xml": text}), drawn=True)[1]
    assert isinstance(problem, Problem)
    assert (problem.place, problem.name) == ("a.xml", "a")
    assert word in problem.reason


# -- Label Studio


def region(kind: str = "rectanglelabels", **more: Any) -> dict[str, Any]:
    value = {"x": 10, "y": 20, "width": 50, "height": 40, "rotation": 0, kind: ["cat"], **more}
    return {"id": "r", "from_name": "l", "to_name": "i", "type": kind, "value": value,
            "original_width": 100, "original_height": 50}  # fmt: skip


def tasks(*results: list[Any]) -> str:
    annotations = [{"completed_by": n, "result": result} for n, result in enumerate(results, 1)]
    data = {"image": "/data/upload/1/0a1b2c3d-a.jpg"}
    return json.dumps([{"data": data, "annotations": annotations}])


def test_label_studio_with_several_annotators(tmp_path: Path) -> None:
    text = tasks([region()], [], [region(x=11)])
    (row,) = rows(read(tmp_path, "t.json", text, drawn=True)[1])
    assert "disagree" in (row.unclear or "")
    boxes = [placed(v.value, "boxes", (100, 50))["boxes"] for v in row.votes if v.value]  # type: ignore[arg-type]
    assert boxes == [
        [{"class": "cat", "box": [10, 10, 50, 20]}],
        [],
        [{"class": "cat", "box": [11, 10, 50, 20]}],
    ]
    assert [v.labeler for v in row.votes] == ["1", "2", "3"]
    (row,) = rows(read(tmp_path, "t.json", tasks([region()], [region()]), drawn=True)[1])
    assert isinstance(row.label, Drawn)


@pytest.mark.parametrize(
    ("part", "word"),
    [
        (region(rotation=30), "turned"),
        (region("ellipselabels"), "ellipselabels"),
        (region(rectanglelabels=["a", "b"]), "2 labels"),
        (region(width=None), "lacks x, y"),
        (region("polygonlabels", points=[[1, 2], "x"]), "points"),
        ({"type": "choices", "value": {"choices": ["cat"]}}, "neither rectangles nor polygons"),
    ],
)
def test_a_bad_region_is_named(tmp_path: Path, part: dict[str, Any], word: str) -> None:
    (problem,) = read(tmp_path, "t.json", tasks([part]), drawn=True)[1]
    assert isinstance(problem, Problem)
    assert word in problem.reason


# -- flat files


def test_cells_and_objects(tmp_path: Path) -> None:
    cells = ([{"class": "cat", "box": [1, 2, 3, 4]}], {"boxes": []})
    quoted = ['"' + json.dumps(cell).replace('"', '""') + '"' for cell in cells]
    table = f"item,label\na.jpg,{quoted[0]}\nb.jpg,{quoted[1]}\nc.jpg,\n"
    a, b, c = rows(read(tmp_path, "x.csv", table, drawn=True)[1])
    assert a.label == Drawn(shapes=[ShapeIn(name="cat", box=(1, 2, 3, 4))])
    assert b.label == Drawn(shapes=[])
    assert c.label is None
    objects = {"bbox": [[1, 2, 3, 4]], "category": ["x"]}
    line = json.dumps({"file_name": "a.jpg", "objects": objects})
    (row,) = rows(read(tmp_path, "x.jsonl", line, drawn=True)[1])
    assert row.label == Drawn(shapes=[ShapeIn(name="x", box=(1, 2, 3, 4))])


@pytest.mark.parametrize(
    "label",
    [
        {"boxes": [{"box": [1, 2, 3, 4]}]},
        {"boxes": [{"class": "a", "box": [1, 2, 3]}]},
        {"polygons": [{"class": "a", "points": [[1], [2]]}]},
        {"bbox": [[1, 2, 3, 4]], "categories": []},
        [{"label": "a", "topX": 1}],
    ],
)
def test_a_bad_label_of_a_line_is_named(tmp_path: Path, label: Any) -> None:
    lines = json.dumps({"name": "a.jpg", "label": label})
    (problem,) = read(tmp_path, "x.jsonl", lines, drawn=True)[1]
    assert isinstance(problem, Problem)
    assert problem.place == "line 1"


# -- any shapes at all


sides = st.tuples(st.integers(20, 9000), st.integers(20, 9000))


@st.composite
def labels(draw: st.DrawFn, drawn: str) -> tuple[tuple[int, int], Drawing]:
    """(size of a picture, what is drawn on it, in hundredths of a pixel)."""
    width, height = draw(sides)

    def x(low: int = 0) -> float:
        return draw(st.integers(low, width * 100)) / 100

    def y(low: int = 0) -> float:
        return draw(st.integers(low, height * 100)) / 100

    shapes = []
    for name in draw(st.lists(st.sampled_from(CLASSES), max_size=5)):
        if drawn == "polygons":
            corners = draw(st.integers(3, 6))
            shapes.append(ShapeRow(class_name=name, points=[(x(), y()) for _ in range(corners)]))
            continue
        left, top = (
            draw(st.integers(0, width * 100 - 200)),
            draw(st.integers(0, height * 100 - 200)),
        )
        right, bottom = (
            draw(st.integers(left + 200, width * 100)),
            draw(st.integers(top + 200, height * 100)),
        )
        box = (left / 100, top / 100, (right - left) / 100, (bottom - top) / 100)
        shapes.append(ShapeRow(class_name=name, box=box))
    return (width, height), Drawing(**{drawn: shapes})


@DRAWN
@pytest.mark.parametrize("format", ["yolo", "voc", "coco", "label-studio"])
@given(data=st.data())
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_shapes_come_in_as_they_went_out(
    tmp_path: Path, format: str, drawn: str, data: st.DataObject
) -> None:
    (width, height), label = data.draw(labels(drawn))
    row = ExportRow(
        item_id=7, name="a.jpg", content_hash="ab" * 32, width=width, height=height,
        state="labeled", label=label, provisional=label, confidence=None, agreement=None,
        vote_count=0, source="review", votes=[],
    )  # fmt: skip
    folder = Path(tempfile.mkdtemp(dir=tmp_path))
    with SpoolWriter(folder / "rows") as spool:
        spool.add([row])
    about = head(format, drawn, content=False)
    write_bundle(about, Spool(folder / "rows"), Media(folder), folder / "out.zip")
    (entry,) = rows(read(folder / "in", "x.zip", (folder / "out.zip").read_bytes(), drawn=True)[1])
    assert entry.hashes == [row.content_hash]
    assert in_pixels(entry.label, drawn, row) == own(row)
    if drawn == "polygons" and format != "yolo":
        boxes = in_pixels(entry.label, "boxes", row)
        assert boxes == sorted((s.class_name, s.bounds) for s in label.shapes)


# -- nonsense


nonsense: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 5) | st.floats(allow_nan=False)
    | st.text(max_size=3)
    | st.sampled_from(["cat", "a.jpg", "rectanglelabels", "polygonlabels", "1e999", "nan"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["id", "image_id", "category_id", "bbox", "segmentation", "name", "class",
                         "box", "points", "file_name", "width", "height", "score", "x", "y", "type",
                         "value", "result", "label", "boxes", "objects", "categories", "votes"]),
        inner, max_size=5),
    max_leaves=12,
)  # fmt: skip


@given(a=nonsense, b=nonsense, c=nonsense, drawn=st.booleans())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nonsense_is_told_and_breaks_nothing(
    tmp_path: Path, a: Any, b: Any, c: Any, drawn: bool
) -> None:
    region = {"type": a, "value": b, "score": c}
    for name, document in [
        ("a.json", {"images": [{"id": 1, "file_name": "a.jpg", "width": a}, b],
                    "annotations": [{"image_id": 1, "category_id": 1, "bbox": c, "score": b}, a],
                    "categories": [{"id": 1, "name": "cat"}], "votes": [c, {"shapes": a}]}),
        ("a.json", [{"data": {"image": "a.jpg"}, "predictions": [b],
                     "annotations": [{"result": [region]}, {"result": a, "completed_by": c}]}]),
        ("a.jsonl", {"name": "a.jpg", "label": a, "width": b, "votes": c}),
        ("a.jsonl", {"name": "a.jpg", "objects": a, "image_details": b, "confidence": c}),
    ]:  # fmt: skip
        with contextlib.suppress(BadLabels):
            read(tmp_path, name, json.dumps(document), drawn=drawn)
