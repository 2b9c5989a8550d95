"""Texts of a real server: brought in by every way, served, shown on a page."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path

import httpx
import msgspec
import pytest

from chorus.client import ApiError
from chorus.client.messages import Job, Project, Text
from chorus.client.upload import ImportFailed, follow
from tests.servers import Bench, command, page_of


async def make(bench: Bench, task_type: str = "text-multiclass", **settings: object) -> Project:
    settings = {"task_type": task_type, "prelabel": False, **settings}
    bench.project = await bench.admin.create_project("Texts", ["good", "bad"], **settings)
    return bench.project


def table(path: Path, rows: list[list[str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


async def brought(bench: Bench, job: Job) -> Job:
    seen: list[int] = []
    job = await follow(
        bench.admin, bench.project.project_id, job, lambda j: seen.append(j.added + j.faulty)
    )
    assert seen == sorted(seen)
    assert job.progress == 1.0
    return job


async def test_a_table_with_labels_and_gold_says_by_line_what_is_wrong(
    bench: Bench, tmp_path: Path
) -> None:
    project = await make(bench)
    rows = [["id", "title", "body", "label", "gold"]]
    rows += [[f"r{n}", f"Title {n}", f"A body,\nin two lines: {n}", "", ""] for n in range(300)]
    rows[10] = ["r9", " ", "", "", ""]
    rows[20] = ["r19", "a", "b", "ugly", ""]
    rows[30] = ["r29", "a", "b", "good", "yes"]
    rows[40] = ["r39", "same", "as the next", "", ""]
    rows[41] = ["r40", "same", "as the next", "", ""]
    rows[50] = ["r49", "x" * 1_000_001, "", "", ""]
    source = table(tmp_path / "rows.csv", rows)
    job = await brought(bench, await bench.admin.import_csv(project.project_id, source))
    assert (job.added, job.duplicates, job.faulty, job.total) == (296, 1, 3, 300)
    faults = {fault.name: fault.reason for fault in job.errors}
    # Each row but the first ten takes two lines.
    assert faults["rows.csv, line 20"] == "there is no text in it"
    assert faults["r19"] == "unknown class 'ugly'"
    assert any("1.0 MB; the limit is 1 MB" in reason for reason in faults.values())
    counts = (await bench.stats()).counts
    assert (counts.items, counts.labeled) == (296, 1)
    again = await brought(bench, await bench.admin.import_csv(project.project_id, source))
    assert (again.added, again.duplicates) == (0, 297)


async def test_what_is_told_of_a_table_is_short(bench: Bench, tmp_path: Path) -> None:
    """Also where a column of texts was taken for that of the labels."""
    project = await make(bench)
    rows = [["id", "title", "label"]] + [[f"r{n}", str(n), "字" * 100_000] for n in range(20)]
    source = table(tmp_path / "rows.csv", rows)
    job = await brought(bench, await bench.admin.import_csv(project.project_id, source))
    assert (job.added, job.faulty) == (0, 20)
    assert all(f.reason.startswith("unknown class '字字") for f in job.errors)
    assert sum(len(f.reason) for f in job.errors) < 50_000


async def test_columns_are_chosen_and_a_table_without_them_is_refused(
    bench: Bench, tmp_path: Path
) -> None:
    project = await make(bench, cluster=False)
    source = table(tmp_path / "rows.tsv.csv", [["id", "a", "b"], ["1", "one", "two"]])
    with pytest.raises(ApiError, match="no column 'c'; the first line has id, a, b"):
        await bench.admin.import_csv(project.project_id, source, columns=["c"])
    await brought(
        bench, await bench.admin.import_csv(project.project_id, source, columns=["b", "id"])
    )
    stream = await bench.labeler(page_size=1)
    (item,) = (await page_of(stream)).items
    assert item.thumb is None
    assert item.image is None
    assert item.length == len("two") + len("1")
    assert item.text is not None
    async with httpx.AsyncClient(base_url=bench.server.url) as anybody:
        assert (await anybody.get(item.text)).status_code == 401
        headers = {"Authorization": f"Bearer {bench.server.token}"}
        found = await anybody.get(item.text, headers=headers)
    assert found.headers["content-type"] == "application/json"
    assert found.headers["x-content-type-options"] == "nosniff"
    assert "immutable" in found.headers["cache-control"]
    assert msgspec.json.decode(found.content, type=Text).fields == [("b", "two"), ("id", "1")]


async def test_of_a_broken_table_nothing_comes_in(bench: Bench, tmp_path: Path) -> None:
    project = await make(bench)
    source = tmp_path / "broken.csv"
    lines = "".join(f'{n},"text {n}"\n' for n in range(1000))
    source.write_text(f'id,text\n{lines}1000,"never closed\n1001,x\n')
    job = await bench.admin.import_csv(project.project_id, source)
    with pytest.raises(ImportFailed, match=r"^broken\.csv: line 1002: a quote is never closed"):
        await follow(bench.admin, project.project_id, job)
    assert (await bench.stats()).counts.items == 0


async def test_a_folder_and_an_upload_of_files_and_tables(bench: Bench, tmp_path: Path) -> None:
    project = await make(bench, "text-multilabel")
    files = {
        "a/one.txt": "Ünïcode".encode(),
        "a/two.txt": "zwei".encode("utf-16"),
        "three.txt": b"\xe4",
        "four.txt": b"\0\1\2",
        "rows.jsonl": json.dumps({"id": 7, "text": "lines", "label": ["bad", "good"]}).encode()
        + b"\nnonsense\n",
        "labels.csv": b"path,label\none.txt,good\ntwo.txt,|\n",
        "cat.png": b"\x89PNG",
    }
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    sent = await brought(bench, await bench.admin.upload(project.project_id, files))
    assert (sent.added, sent.faulty) == (3, 4)
    reasons = {fault.name: fault.reason for fault in sent.errors}
    assert reasons["three.txt"] == "line 1 is not UTF-8; save the file as UTF-8"
    assert "NUL" in reasons["four.txt"]
    assert "not a text file" in reasons["cat.png"]
    assert "no JSON object" in reasons["rows.jsonl, line 2"]
    stats = await bench.stats()
    assert stats.counts.labeled == 3
    assert stats.labels == {"good": 2, "bad": 1, "": 1}
    there = await brought(bench, await bench.admin.import_folder(project.project_id, tmp_path))
    assert (there.added, there.duplicates, there.faulty) == (0, 3, 4)


async def test_a_zip_of_texts_and_tables(bench: Bench, tmp_path: Path) -> None:
    project = await make(bench)
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as out:
        out.writestr("folder/one.txt", "one")
        out.writestr("rows.csv", "id,text,note\n1,two,x\n2,three,y\n")
    archive = {"all.zip": data.getvalue()}
    job = await brought(
        bench, await bench.admin.upload(project.project_id, archive, columns=["text"])
    )
    assert (job.added, job.faulty) == (3, 0)
    stream = await bench.labeler(page_size=4)
    page = await page_of(stream)
    assert {item.name for item in page.items} == {"folder/one.txt", "1", "2"}
    with pytest.raises(ApiError, match=r"bad\.zip: it is no zip"):
        await bench.admin.upload(project.project_id, {"bad.zip": b"PK"})


async def test_the_command_line_brings_in_a_table_of_texts(bench: Bench, tmp_path: Path) -> None:
    project = await make(bench)
    source = table(tmp_path / "rows.csv", [["id", "a", "b"], ["1", "x", "y"], ["2", "", ""]])
    there = ("import", project.project_id, str(source))
    code, out, err = await command(bench, *there, "--columns", "a, b")
    assert code == 0, err
    assert "1 added, 0 there already, 1 faulty" in out
    assert "rows.csv, line 3: there is no text in it" in err
    code, out, err = await command(bench, *there, "--upload", "--columns", "b,a")
    assert "1 added, 0 there already, 1 faulty" in out, err
    code, out, err = await command(bench, *there, "--columns", "title")
    assert code == 1
    assert "no column 'title'; the first line has id, a, b" in err


async def test_columns_are_no_business_of_pictures(bench: Bench, tmp_path: Path) -> None:
    project = await bench.make()
    source = table(tmp_path / "rows.csv", [["path"], ["a.png"]])
    with pytest.raises(ApiError, match="this project has pictures"):
        await bench.admin.import_csv(project.project_id, source, columns=["path"])
