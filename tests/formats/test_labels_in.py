"""Labels from files of many tools, as their readers understand them."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chorus.server.formats.labels.drawn import Drawn
from chorus.server.formats.labels.errors import BadLabels
from chorus.server.formats.labels.read import entries, read_labels
from chorus.server.formats.labels.rows import LabelRow, Problem, names_of


def read(
    folder: Path,
    name: str,
    content: str | bytes,
    kind: str = "labels",
    sets: bool = False,
    drawn: bool = False,
) -> tuple[str, list[LabelRow | Problem]]:
    folder.mkdir(exist_ok=True)
    data = content.encode() if isinstance(content, str) else content
    (folder / "in").write_bytes(data)
    done = read_labels(
        str(folder / "in"), name, kind, sets, drawn,  # type: ignore[arg-type]
        str(folder / "zip"), str(folder / "out"),
    )  # fmt: skip
    found = list(entries(folder / "out"))
    assert len(found) == done.entries
    return done.format, found


def rows(found: list[LabelRow | Problem]) -> list[LabelRow]:
    assert [e for e in found if isinstance(e, Problem)] == []
    return [e for e in found if isinstance(e, LabelRow)]


# -- Azure Machine Learning's data labeling


def azure_coco(**image: Any) -> dict[str, Any]:
    """As its export is: boxes in shares of the picture, pictures without a size."""
    where = "AmlDatastore://workspaceblobstore/UI/photos/cat 1.jpg"
    return {
        "images": [
            {"id": 1, "width": 0.0, "height": 0.0, "file_name": "UI/photos/cat 1.jpg",
             "coco_url": where, "absolute_url": "https://a.blob.core.windows.net/c/UI/photos/cat%201.jpg",
             "date_captured": "2021-05-01T09:00:00Z", **image},
            {"id": 2, "width": 0.0, "height": 0.0, "file_name": "UI/photos/dog.jpg"},
        ],
        "annotations": [
            {"id": 1, "category_id": 1, "image_id": 1, "area": 0.06, "bbox": [0.1, 0.2, 0.3, 0.2]},
            {"id": 2, "category_id": 2, "image_id": 2, "area": 0.0},
            {"id": 3, "category_id": 2, "image_id": 2, "area": 0.1, "bbox": [0.5, 0.5, 0.2, 0.5]},
        ],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
    }  # fmt: skip


def test_azure_coco_gives_its_classes(tmp_path: Path) -> None:
    format, found = read(tmp_path, "labels.json", json.dumps(azure_coco()))
    cat, dog = rows(found)
    assert format == "coco"
    assert (cat.label, dog.label) == (["cat"], ["dog"])
    assert cat.names[0] == "UI/photos/cat 1.jpg"
    assert "c/UI/photos/cat 1.jpg" in cat.names


def test_azure_csv_and_json_lines(tmp_path: Path) -> None:
    table = "Url,Label,LabelConfidence\nAmlDatastore://store/photos/a.jpg,cat,1.0\n"
    (row,) = rows(read(tmp_path, "export.csv", table)[1])
    assert (row.label, row.score) == (["cat"], 1.0)
    assert "photos/a.jpg" in row.names
    lines = json.dumps(
        {"image_url": "AmlDatastore://store/photos/a.jpg", "label": ["cat", "dog"],
         "label_confidence": [1, 0.75]}
    )  # fmt: skip
    (row,) = rows(read(tmp_path, "export.jsonl", lines, sets=True)[1])
    assert (row.label, row.score) == (["cat", "dog"], 0.75)
    texts = "Input,Label\nGreat service,good\n"
    (row,) = rows(read(tmp_path, "texts.csv", texts)[1])
    assert (row.label, len(row.hashes)) == (["good"], 3)


# -- Label Studio


def task(name: str, *answers: tuple[Any, list[str] | None], **more: Any) -> dict[str, Any]:
    annotations = [
        {
            "id": n, "completed_by": by, "was_cancelled": choices is None, "lead_time": 4.288,
            "created_at": "2021-03-09T22:16:08.728353Z",
            "result": [] if choices is None else [
                {"from_name": "c", "to_name": "i", "type": "choices", "value": {"choices": choices}}
            ],
        }
        for n, (by, choices) in enumerate(answers)
    ]  # fmt: skip
    return {"id": 1, "data": {"image": name}, "annotations": annotations, **more}


def test_label_studio_with_several_annotators(tmp_path: Path) -> None:
    document = [
        task("/data/upload/3/0a1b2c3d-cat%201.jpg", (7, ["cat"]), ({"email": "b@x.org"}, ["dog"])),
        task("s3://bucket/in/dog.jpg", (7, ["dog"]), (8, None)),
        task("/data/local-files/?d=in/owl.jpg", predictions=[
            {"score": 0.75, "result": [{"type": "choices", "value": {"choices": ["owl"]}}]}]),
    ]  # fmt: skip
    format, found = read(tmp_path, "tasks.json", json.dumps(document))
    first, second, third = rows(found)
    assert format == "label-studio"
    assert "cat 1.jpg" in {name.rpartition("/")[2] for name in first.names}
    assert first.label is None
    assert "disagree" in (first.unclear or "")
    assert [(v.labeler, v.value) for v in first.votes] == [("7", ["cat"]), ("b@x.org", ["dog"])]
    assert (first.votes[0].duration_ms, first.votes[0].created_at) == (4288, 1615328168728)
    assert second.label == ["dog"]
    assert [v.kind for v in second.votes] == ["label", "skip"]
    assert "in/owl.jpg" in third.names
    assert (third.prediction, third.prediction_score) == (["owl"], 0.75)


def test_a_box_is_no_choice(tmp_path: Path) -> None:
    box = {"type": "rectanglelabels", "value": {"rectanglelabels": ["cat"], "x": 1}}
    document = [{"data": {"image": "a.jpg"}, "annotations": [{"result": [box]}]}]
    (problem,) = read(tmp_path, "t.json", json.dumps(document))[1]
    assert isinstance(problem, Problem)
    assert (problem.place, problem.name) == ("task 1", "a.jpg")


# -- what is wrong, by line


def test_faults_name_their_lines(tmp_path: Path) -> None:
    table = "item;label;confidence\na.jpg;cat;0.5\n;cat;\nb.jpg;dog;7\n\nc.jpg;;\n"
    a, second, third, c = read(tmp_path, "x.csv", table)[1]
    assert isinstance(a, LabelRow)
    assert isinstance(second, Problem)
    assert isinstance(third, Problem)
    assert (second.place, third.place, third.name) == ("line 3", "line 4", "b.jpg")
    assert "between 0 and 1" in third.reason
    assert isinstance(c, LabelRow)
    assert c.label is None
    lines = '{"name": "a", "label": "x"}\nnonsense\n{"name": "b", "label": 3}\n'
    a, second, third = read(tmp_path, "x.jsonl", lines)[1]
    assert [e.place for e in (a, second, third)] == ["line 1", "line 2", "line 3"]
    assert isinstance(second, Problem)
    assert isinstance(third, Problem)


def test_more_cells_than_the_first_line_are_no_label(tmp_path: Path) -> None:
    """A separator in a class, and no quotes: half of the class is another one."""
    table = 'item,label\na.jpg,cat, big\nb.jpg,"cat, big"\nc.jpg,cat,,\n'
    a, b, c = read(tmp_path, "x.csv", table)[1]
    assert isinstance(a, Problem)
    assert (a.place, a.name) == ("line 2", "a.jpg")
    assert a.reason == "it has 3 cells, and the first line 2"
    assert [row.label for row in rows([b, c])] == [["cat, big"], ["cat"]]


def test_of_several_files_of_labels_none_is_taken(tmp_path: Path) -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as out:
        for part in ("train", "test"):
            line = json.dumps({"file_name": f"{part}.jpg", "label": "cat"})
            out.writestr(f"data/{part}/metadata.jsonl", line)
    with pytest.raises(BadLabels, match=r"2 files metadata\.jsonl \(data/test, data/train\)"):
        read(tmp_path, "x.zip", data.getvalue())


def test_objects_of_older_datasets_have_their_classes(tmp_path: Path) -> None:
    """`Sequence` of a dict, as `datasets` up to version 3 writes it."""
    names = {"names": ["cell", "mask"], "_type": "ClassLabel"}
    things = {"bbox": {"feature": {"dtype": "float32"}, "_type": "Sequence"}, "category": names}
    features = {"name": {"dtype": "string", "_type": "Value"},
                "objects": {"feature": things, "_type": "Sequence"}}  # fmt: skip
    objects = {"bbox": [[1.0, 2.0, 3.0, 4.0]], "category": [1]}
    table = pa.table({"name": ["a.jpg"], "objects": [objects]})
    about = json.dumps({"info": {"features": features}})
    out = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({"huggingface": about}), out)
    (row,) = rows(read(tmp_path, "x.parquet", out.getvalue(), drawn=True)[1])
    assert isinstance(row.label, Drawn)
    assert [shape.name for shape in row.label.shapes] == ["mask"]


def parquet(**columns: list[str]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("a.csv", "x,y\n1,2\n", "columns x, y"),
        ("a.csv", 'item,label\n"a,b\n', "line"),
        ("a.jsonl", '{"a": 1}\n', "fields a"),
        ("a.json", "[1, 2]", "neither COCO"),
        ("a.json", "{", "no JSON"),
        ("a.json", '{"images": 1}', "COCO has"),
        ("a.parquet", "no", "no Parquet"),
        ("a.parquet", parquet(labels=["cat"]).replace(b"labels", b"lab\xffls"), "no Parquet"),
        ("a.docx", "no", "none of"),
        ("a.zip", b"PK\x05\x06" + b"\0" * 18, "it has none"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_said(tmp_path: Path, name: str, content: Any, word: str) -> None:
    with pytest.raises(BadLabels, match=word):
        read(tmp_path, name, content)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("photos\\a b.jpg", "photos/a b.jpg"),
        ("./a.jpg", "a.jpg"),
        ("https://x.org/dir/a%20b.jpg?sig=1", "dir/a b.jpg"),
        ("/data/local-files/?d=dir/a.jpg", "dir/a.jpg"),
        ("/data/upload/1/12345678-a.jpg", "data/upload/1/a.jpg"),
        ("s3://bucket/a.jpg", "a.jpg"),
        ("store://[old/a.jpg", "store://[old/a.jpg"),
        ("Ka\u0308se.jpg", "K\u00e4se.jpg"),
        ("K\u00e4se.jpg", "Ka\u0308se.jpg"),
    ],
)
def test_names_without_what_tools_put_around_them(given: str, name: str) -> None:
    assert name in names_of(given)
