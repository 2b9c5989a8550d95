"""What is sent from another machine: every file comes in, with the label that is meant for it."""

from __future__ import annotations

import io
import unicodedata
import zipfile
from pathlib import Path

import pytest

from chorus.client.errors import ApiError
from chorus.client.messages import Job
from chorus.client.upload import UPLOAD_FILES, follow, upload_folder
from chorus.server.services.sources import Options, of_table, of_upload, tables_in
from chorus.simulate import audit
from chorus.simulate.setup import import_pictures
from tests.servers import Bench, pictures


def labels(folder: Path, **files: str) -> tuple[dict[str, object], dict[str, str]]:
    """(label of each picture, what is wrong): `files` are tables, "__" a slash in their names."""
    for name, content in files.items():
        path = folder / f"{name.replace('__', '/')}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    options = Options(text=False)
    found = of_upload(folder, tables_in(folder, options), options)
    return {e.name: e.label for e in found.entries}, {f.name: f.reason for f in found.faults}


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_each_folder_has_its_own_table(tmp_path: Path) -> None:
    touch(tmp_path, "train/1.jpg", "val/1.jpg")
    train, val = "path,label\n1.jpg,cat\n", "path,label\n1.jpg,dog\n"
    found, faults = labels(tmp_path, train__labels=train, val__labels=val)
    assert found == {"train/1.jpg": "cat", "val/1.jpg": "dog"}
    assert faults == {}


def test_a_table_in_the_one_folder_of_a_zip(tmp_path: Path) -> None:
    touch(tmp_path, "set/in/1.jpg", "set/in/2.jpg", "set/3.jpg")
    table = "path,label\nin/1.jpg,cat\nset/in/2.jpg,dog\n./3.jpg,cow\n"
    found, faults = labels(tmp_path, set__gold=table)
    assert found == {"set/in/1.jpg": "cat", "set/in/2.jpg": "dog", "set/3.jpg": "cow"}
    assert faults == {}


def test_a_table_beside_the_folders(tmp_path: Path) -> None:
    touch(tmp_path, "labels/x.txt", "in/1.jpg")
    assert labels(tmp_path, labels__gold="path,label\n../in/1.jpg,cat\n") == (
        {"in/1.jpg": "cat"}, {},
    )  # fmt: skip


def test_a_name_of_two_files_is_nobodys(tmp_path: Path) -> None:
    touch(tmp_path, "x/a.jpg", "y/a.jpg", "x/b.jpg")
    found, faults = labels(tmp_path, list="path,label\na.jpg,cat\nb.jpg,dog\nc.jpg,dog\n")
    assert found == {"x/a.jpg": None, "y/a.jpg": None, "x/b.jpg": "dog"}
    assert faults == {
        "a.jpg": "2 of the files are called so",
        "c.jpg": "named in the table, but not among the files",
    }


def test_two_labels_of_one_file_are_said(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "b.jpg")
    table = "path,label\na.jpg,cat\na.jpg,dog\nb.jpg,cow\nb.jpg,cow\nb.jpg,\n"
    found, faults = labels(tmp_path, list=table)
    assert found == {"a.jpg": "cat", "b.jpg": "cow"}
    assert faults == {"a.jpg": "the table says something else of it, too"}


def test_two_labels_of_one_file_of_the_server_are_said(tmp_path: Path) -> None:
    table = tmp_path / "list.csv"
    table.write_text("path,label\na.jpg,cat\n./a.jpg,dog\nb.jpg,cow\nb.jpg,cow\n")
    found = of_table(table, Options(text=False))
    assert [(e.name, e.label) for e in found.entries] == [
        ("a.jpg", "cat"), ("b.jpg", "cow"), ("b.jpg", "cow"),
    ]  # fmt: skip
    assert [(f.name, f.reason) for f in found.faults] == [
        ("a.jpg", "the table says something else of it, too")
    ]


def test_accents_are_written_in_one_character_or_in_two(tmp_path: Path) -> None:
    touch(tmp_path, unicodedata.normalize("NFD", "Käse/é.jpg"))
    found, faults = labels(tmp_path, list="path,label\nKäse/é.jpg,cat\n")
    assert (list(found.values()), faults) == (["cat"], {})


# -- over HTTP


async def sent(bench: Bench, files: dict[str, bytes]) -> Job:
    project_id = bench.project.project_id
    return await follow(bench.admin, project_id, await bench.admin.upload(project_id, files))


async def test_a_table_goes_with_all_files_of_a_large_folder(bench: Bench, tmp_path: Path) -> None:
    """Also those beyond what one upload holds."""
    count = UPLOAD_FILES + 5
    folder = pictures(tmp_path / "in", count)
    names = sorted(p.name for p in folder.iterdir())
    lines = [f"{name},{name.partition('-')[0]}" for name in names]
    (folder / "gold.csv").write_text("\n".join(["path,label", *lines]) + "\n")
    (folder / ".DS_Store").write_bytes(b"\0")
    await bench.make()
    job = await upload_folder(bench.admin, bench.project.project_id, folder)
    assert (job.added, job.errors) == (count, [])
    assert (await bench.stats()).counts.labeled == count
    # Simulated people are judged by such a table: the server must not have it.
    await bench.make()
    job = await import_pictures(bench.admin, bench.project.project_id, folder, upload=True)
    assert (job.added, job.errors) == (count, [])
    assert (await bench.stats()).counts.labeled == 0


async def test_a_label_of_what_is_there_already_is_told_where_it_is_not_taken(
    bench: Bench, tmp_path: Path
) -> None:
    one, other = (path.read_bytes() for path in sorted(pictures(tmp_path, 2).iterdir()))
    await bench.make()
    files = {
        "a.png": one, "b.png": one, "c.png": other, "d.png": other, "e.png": other,
        "labels.csv": b"path,label\nb.png,red\nc.png,green\nd.png,green\ne.png,red\n",
    }  # fmt: skip
    job = await sent(bench, files)
    assert (job.added, job.duplicates, job.faulty, job.total) == (2, 1, 2, 5)
    assert {f.name: f.reason for f in job.errors} == {
        "b.png": "in the project already, as a.png, and stays so: its label was not taken",
        "e.png": "in the project already, as c.png, and stays so: its label was not taken",
    }
    stats = await bench.stats()
    assert (stats.counts.unlabeled, stats.labels) == (1, {"green": 1, "red": 0})
    job = await sent(bench, {"c.png": other, "g.csv": b"path,label,gold\nc.png,green,1\n"})
    assert (job.added, job.duplicates, job.faulty) == (0, 0, 1)
    assert job.errors[0].reason.endswith("it was not made gold")


async def test_hidden_files_are_left_out(bench: Bench, tmp_path: Path) -> None:
    (picture,) = pictures(tmp_path, 1).iterdir()
    await bench.make()
    files = {"in/.DS_Store": b"\0", ".git/x.png": b"no", "in/a.png": picture.read_bytes()}
    job = await sent(bench, files)
    assert (job.added, job.errors) == (1, [])


async def test_no_file_takes_the_place_of_another(bench: Bench, tmp_path: Path) -> None:
    one, other = (path.read_bytes() for path in pictures(tmp_path, 2).iterdir())

    def packed(*files: tuple[str, bytes]) -> bytes:
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w") as out:
            for name, content in files:
                out.writestr(name, content)
        return data.getvalue()

    await bench.make()
    zips = {"x.zip": packed(("in/1.png", one)), "y.zip": packed(("in/1.png", other))}
    with pytest.raises(ApiError, match=r"y\.zip: two different files are called in/1\.png"):
        await sent(bench, zips)
    with pytest.raises(ApiError, match=r"two different files are called in/1\.png"):
        await sent(bench, {"in/1.png": other, "x.zip": zips["x.zip"]})
    with pytest.raises(ApiError, match=r"two different files are called 1\.png"):
        await sent(bench, {"./1.png": one, "1.png": other})
    with pytest.raises(ApiError, match=r"in: a file has the name of a folder"):
        await sent(bench, {"in/1.png": one, "in": other})
    assert (await bench.stats()).counts.items == 0
    # The same once more is no other file, and a zip may hold one that is called as itself.
    twice = {"in/1.png": one, "x.zip": packed(("in/1.png", one), ("x.zip", b""))}
    job = await sent(bench, twice)
    assert (job.added, [fault.name for fault in job.errors]) == (1, ["x.zip"])
    job = await sent(bench, {"y.zip": zips["y.zip"]})
    assert job.added == 1


async def test_names_with_any_characters_arrive_as_they_are(bench: Bench, tmp_path: Path) -> None:
    """Forms write a quotation mark as %22, as if that were its name."""
    names = ['5" nail.png', "a\tb.png", "100%22.png", "sub/\u00fc \u4e2d.png", "plain.png"]
    folder = tmp_path / "odd"
    (folder / "sub").mkdir(parents=True)
    for path, name in zip(sorted(pictures(tmp_path / "pictures", 5).iterdir()), names, strict=True):
        path.rename(folder / name)
    await bench.make()
    job = await upload_folder(bench.admin, bench.project.project_id, folder)
    assert (job.added, job.faulty, job.total) == (5, 0, 5)
    found = await audit.names(bench.admin, bench.project.project_id)
    assert sorted(found) == sorted(names)
