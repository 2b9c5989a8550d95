"""Every kind of export opens in its own format's reader, for single classes and for sets, pictures
and texts."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from PIL import Image

from chorus.server.formats.bundle import FORMATS, PICTURE_FORMATS, Head, write_bundle
from chorus.server.formats.images import prepare_batch
from chorus.server.formats.media import Media
from chorus.server.formats.rows import ExportRow, Names, VoteRow
from chorus.server.formats.spool import Spool, SpoolWriter
from chorus.server.formats.texts import prepare_texts

CLASSES = ["cat", 'd"o<g', "größe"]
N = 7
os.environ["HF_HUB_OFFLINE"] = "1"


def head(format: str, *, sets: bool = False, text: bool = False, content: bool = True) -> Head:
    return Head(
        export_id="e1",
        format=format,
        project={"project_id": "p", "name": "Pets", "task_type": "multiclass"},
        classes=[{"name": name, "color": "#123456"} for name in CLASSES],
        seq=17,
        created_at=1_700_000_000_000,
        created_by="Ada",
        version="1",
        filter={},
        people="logins",
        content=content,
        sets=sets,
        text=text,
    )


def label_of(n: int, sets: bool) -> Names | None:
    """Of item n: the last has none; of sets, the first has none of the classes."""
    if n == N - 1:
        return None
    if not sets:
        return CLASSES[n % 3]
    return [name for k, name in enumerate(CLASSES) if n >> k & 1]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Pictures and texts in a blob folder."""
    root = tmp_path_factory.mktemp("stored")
    pictures, texts = [], []
    for n in range(N):
        path = root / f"{n}.{'png' if n % 2 else 'jpg'}"
        Image.new("RGB", (10 + n, 8), (40 * n, 0, 0)).save(path)
        pictures.append((f"in/{n}.img", str(path)))
        (root / f"{n}.txt").write_text(f'Text, no. {n}\n"größe" =1+1', encoding="utf-8")
        texts.append((f"{n}.txt", str(root / f"{n}.txt")))
    blobs = root / "blobs"
    return {
        "blobs": blobs,
        False: prepare_batch(pictures, str(blobs)),
        True: prepare_texts(texts, str(blobs)),
    }


def rows_of(stored: dict[str, Any], *, sets: bool, text: bool) -> list[ExportRow]:
    rows = []
    for n, kept in enumerate(stored[text]):
        label = label_of(n, sets)
        votes = [
            VoteRow(
                vote_id=f"vote-{n}-{who}", labeler=who, kind=kind,
                value=None if kind != "label" else (CLASSES[:1] if sets else CLASSES[0]),
                created_at=1_700_000_000_000 + n, duration_ms=1500, page_kind="manual",
                prelabel=None, standing=True, supersedes=None,
            )
            for who, kind in (("ann", "label"), ("bob", "skip" if n == 1 else "label"))
        ]  # fmt: skip
        rows.append(
            ExportRow(
                item_id=n + 1, name=kept.name, content_hash=kept.content_hash, width=kept.width,
                height=kept.height, length=kept.length,
                state="labeled" if label is not None else "in_progress",
                label=label, provisional=label, confidence=0.75, agreement=1.0, vote_count=2,
                source="votes" if label is not None else None,
                model=(CLASSES[2:] if sets else CLASSES[2]) if n == 2 else None,
                model_score=0.5 if n == 2 else None, votes=votes,
            )
        )  # fmt: skip
    return rows


def bundle(
    folder: Path, stored: dict[str, Any], format: str, *, sets: bool = False, text: bool = False,
    content: bool = True,
) -> tuple[Path, list[ExportRow], dict[str, Any]]:  # fmt: skip
    """(the unpacked zip, the rows that went in, the manifest); what the manifest says is true."""
    rows = rows_of(stored, sets=sets, text=text)
    with SpoolWriter(folder / "rows") as spool:
        spool.add(rows)
    target = folder / "out.zip"
    about = head(format, sets=sets, text=text, content=content)
    manifest = write_bundle(about, Spool(folder / "rows"), Media(stored["blobs"]), target)
    assert not list(folder.glob("*.part"))
    out = folder / "out"
    with zipfile.ZipFile(target) as packed:
        assert packed.testzip() is None
        packed.extractall(out)
    assert json.loads((out / "manifest.json").read_text("utf-8")) == manifest
    for file in manifest["files"]:
        data = (out / file["name"]).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (file["bytes"], file["sha256"])
    assert manifest["counts"]["items"] == N
    assert manifest["counts"]["states"] == {"labeled": N - 1, "in_progress": 1}
    assert manifest["counts"]["people"] == 2
    return out, rows, manifest


def _kinds() -> Iterator[Any]:
    for sets in (False, True):
        for text in (False, True):
            yield pytest.param(
                sets, text, id=f"{'sets' if sets else 'one'}-{'text' if text else 'picture'}"
            )


KINDS = list(_kinds())


@pytest.mark.parametrize(("sets", "text"), KINDS)
def test_json_lines_hold_everything(stored, tmp_path: Path, sets: bool, text: bool) -> None:
    import pandas

    out, rows, _ = bundle(tmp_path, stored, "jsonl", sets=sets, text=text)
    lines = (out / "items.jsonl").read_bytes().splitlines()
    assert [msgspec.json.decode(line, type=ExportRow) for line in lines] == rows
    frame = pandas.read_json(out / "items.jsonl", lines=True)
    assert list(frame["name"]) == [row.name for row in rows]
    if text:
        assert frame["text"][3] == [["", 'Text, no. 3\n"größe" =1+1']]


@pytest.mark.parametrize("sets", [False, True])
def test_csv_opens_in_pandas(stored, tmp_path: Path, sets: bool) -> None:
    import pandas

    out, rows, _ = bundle(tmp_path, stored, "csv", sets=sets)
    items = pandas.read_csv(out / "items.csv", keep_default_na=False)
    votes = pandas.read_csv(out / "votes.csv", keep_default_na=False)
    assert list(items["item"]) == [row.name for row in rows]
    said = [
        "" if row.label is None else "|".join(row.label) or "|" if sets else row.label
        for row in rows
    ]
    assert list(items["label"]) == said
    assert list(votes["vote_id"]) == [v.vote_id for row in rows for v in row.votes]


@pytest.mark.parametrize("sets", [False, True])
def test_coco_opens_in_pycocotools(stored, tmp_path: Path, sets: bool) -> None:
    from pycocotools.coco import COCO

    out, rows, _ = bundle(tmp_path, stored, "coco", sets=sets)
    coco = COCO(str(out / "annotations.json"))
    named = {c["id"]: c["name"] for c in coco.loadCats(coco.getCatIds())}
    assert list(named.values()) == CLASSES
    for row in rows:
        found = [named[a["category_id"]] for a in coco.loadAnns(coco.getAnnIds([row.item_id]))]
        assert found == ([row.label] if isinstance(row.label, str) else row.label or [])
        (image,) = coco.loadImgs([row.item_id])
        assert (image["file_name"], image["width"]) == (row.name, row.width)
        if sets:
            assert (image["category_ids"] is None) == (row.label is None)
    cats = coco.getImgIds(catIds=[1])
    assert cats == [
        r.item_id for r in rows if r.label and "cat" in (r.label if sets else [r.label])
    ]


@pytest.mark.parametrize(("sets", "text"), KINDS)
def test_parquet_opens_in_datasets(stored, tmp_path: Path, sets: bool, text: bool) -> None:
    import datasets
    import pandas

    out, rows, _ = bundle(tmp_path, stored, "parquet", sets=sets, text=text)
    found = datasets.load_dataset(str(out), split="train", cache_dir=str(tmp_path / "cache"))
    column = "labels" if sets else "label"
    of_class = found.features[column].feature if sets else found.features[column]
    assert of_class.names == CLASSES
    for line, row in zip(found, rows, strict=True):
        said = line[column]
        if said is not None:
            said = [CLASSES[c] for c in said] if sets else CLASSES[said]
        assert (line["item_id"], said) == (row.item_id, row.label)
        assert [v["labeler"] for v in line["votes"]] == ["ann", "bob"]
        assert [v["kind"] for v in line["votes"]] == [v.kind for v in row.votes]
        if text:
            assert line["text"] == f'Text, no. {row.item_id - 1}\n"größe" =1+1'
        else:
            assert line["image"].size == (row.width, row.height)
    # And as a plain table.
    frame = pandas.read_parquet(next(out.rglob("*.parquet")))
    assert list(frame["content_hash"]) == [row.content_hash for row in rows]


def test_parquet_without_the_pictures(stored, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    out, _, _ = bundle(tmp_path, stored, "parquet", content=False)
    assert "image" not in pq.read_table(next(out.rglob("*.parquet"))).column_names


@pytest.mark.parametrize("sets", [False, True])
def test_imagefolder_opens_in_datasets(stored, tmp_path: Path, sets: bool) -> None:
    import datasets

    out, rows, manifest = bundle(tmp_path, stored, "imagefolder", sets=sets)
    assert manifest["counts"]["pictures"] == N
    found = datasets.load_dataset(
        "imagefolder", data_dir=str(out), split="train", cache_dir=str(tmp_path / "cache")
    )
    by_id = {line["item_id"]: line for line in found}
    for row in rows:
        line = by_id[row.item_id]
        assert line["labels" if sets else "label"] == row.label
        assert line["image"].size == (row.width, row.height)
        assert line["content_hash"] == row.content_hash


@pytest.mark.parametrize(("sets", "text"), KINDS)
def test_label_studio_tasks_have_its_shape(stored, tmp_path: Path, sets: bool, text: bool) -> None:
    from xml.etree import ElementTree

    out, rows, _ = bundle(tmp_path, stored, "label-studio", sets=sets, text=text)
    config = ElementTree.parse(out / "label_config.xml")
    (choices,) = config.iter("Choices")
    assert [c.get("value") for c in choices] == CLASSES
    assert choices.get("choice") == ("multiple" if sets else "single")
    shown = next(config.iter("Text" if text else "Image"))
    tasks = json.loads((out / "tasks.json").read_text("utf-8"))
    for task, row in zip(tasks, rows, strict=True):
        assert task["data"][shown.get("value", "")[1:]]
        for annotation in [*task["annotations"], *task.get("predictions", ())]:
            for result in annotation["result"]:
                assert result["from_name"] == choices.get("name")
                assert result["to_name"] == choices.get("toName") == shown.get("name")
                assert set(result["value"]["choices"]) <= set(CLASSES)
        people = [a["completed_by"]["email"] for a in task["annotations"] if "completed_by" in a]
        assert people == ["ann", "bob"]
        assert [a["was_cancelled"] for a in task["annotations"][:2]] == [
            v.kind == "skip" for v in row.votes
        ]
        truth = [
            a["result"][0]["value"]["choices"] for a in task["annotations"] if a["ground_truth"]
        ]
        label = [row.label] if isinstance(row.label, str) else row.label
        assert truth == ([] if label is None else [label])


@pytest.mark.parametrize("format", FORMATS)
def test_the_same_rows_make_the_same_bytes(stored, tmp_path: Path, format: str) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    for folder in (first, second):
        folder.mkdir()
        bundle(folder, stored, format)
    assert (first / "out.zip").read_bytes() == (second / "out.zip").read_bytes()


def test_one_hash_over_the_labels_whatever_the_format(stored, tmp_path: Path) -> None:
    hashes = set()
    for format in FORMATS:
        (tmp_path / format).mkdir()
        _, _, manifest = bundle(tmp_path / format, stored, format)
        hashes.add(manifest["counts"]["labels_sha256"])
    assert len(hashes) == 1
    assert set(PICTURE_FORMATS) < set(FORMATS)


def test_a_picture_that_is_gone_is_left_out(stored, tmp_path: Path) -> None:
    rows = rows_of(stored, sets=False, text=False)
    lost = msgspec.structs.replace(rows[0], content_hash="0" * 64)
    for format in ("imagefolder", "parquet"):
        folder = tmp_path / format
        folder.mkdir()
        with SpoolWriter(folder / "rows") as spool:
            spool.add([lost, *rows[1:]])
        media = Media(stored["blobs"])
        done = write_bundle(head(format), Spool(folder / "rows"), media, folder / "out.zip")
        assert (done["counts"]["items"], done["counts"]["missing"]) == (N, 1)
    assert done["counts"].get("pictures") is None
    with zipfile.ZipFile(tmp_path / "imagefolder" / "out.zip") as packed:
        names = packed.namelist()
        lines = packed.read("train/metadata.jsonl").splitlines()
    assert len(lines) == N - 1 == len([n for n in names if not n.endswith((".json", ".jsonl"))])


def test_a_cut_spool_is_an_error(tmp_path: Path) -> None:
    with SpoolWriter(tmp_path / "rows") as spool:
        spool.add(rows_of({True: [], False: []}, sets=False, text=False))
    data = io.BytesIO()
    data.write((200).to_bytes(4, "big") + b"short")
    (tmp_path / "rows").write_bytes(data.getvalue())
    with pytest.raises(EOFError):
        list(Spool(tmp_path / "rows").rows())
