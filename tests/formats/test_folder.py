"""Which files of a folder are pictures."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from chorus.server.formats.folder import BadFolder, list_folder


def fill(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_pictures_by_name_below_the_folder(tmp_path: Path) -> None:
    fill(tmp_path, "b/2.png", "b/1.JPG", "a.jpeg", "c.webp", "ä ö.tiff")
    found, faults = list_folder(tmp_path)
    assert [name for name, _ in found] == ["a.jpeg", "b/1.JPG", "b/2.png", "c.webp", "ä ö.tiff"]
    assert [path for _, path in found] == [str(tmp_path / name) for name, _ in found]
    assert faults == []


def test_tables_beside_and_hidden_files_are_left_out_in_silence(tmp_path: Path) -> None:
    fill(tmp_path, "gold.csv", "meta.json", "README.txt", ".hidden.jpg", ".git/a.jpg", "Thumbs.db")
    fill(tmp_path, "__MACOSX/a.jpg", "a.jpg")
    found, faults = list_folder(tmp_path)
    assert [name for name, _ in found] == ["a.jpg"]
    assert faults == []


def test_other_files_are_listed_as_faults(tmp_path: Path) -> None:
    fill(tmp_path, "film.mp4", "sub/scan.pdf", "a.jpg", "noname")
    found, faults = list_folder(tmp_path)
    assert [name for name, _ in found] == ["a.jpg"]
    assert [(fault.name, fault.reason) for fault in faults] == [
        (name, "not an image file") for name in ("film.mp4", "noname", "sub/scan.pdf")
    ]


def test_a_name_that_is_no_text_is_a_fault(tmp_path: Path) -> None:
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jpg")).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system keeps only UTF-8 names")
    found, faults = list_folder(tmp_path)
    assert found == []
    assert [(fault.name, fault.reason) for fault in faults] == [("?.jpg", "its name is not UTF-8")]


def test_a_link_in_a_circle_ends(tmp_path: Path) -> None:
    fill(tmp_path, "sub/a.jpg")
    (tmp_path / "sub" / "again").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "broken.jpg").symlink_to(tmp_path / "gone.jpg")
    assert [name for name, _ in list_folder(tmp_path)[0]] == ["sub/a.jpg"]


def test_no_folder(tmp_path: Path) -> None:
    fill(tmp_path, "file")
    with pytest.raises(BadFolder, match=r"there is no folder .*gone"):
        list_folder(tmp_path / "gone")
    with pytest.raises(BadFolder, match="not a folder"):
        list_folder(tmp_path / "file")
