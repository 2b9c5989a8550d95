"""The demo's default pictures."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from chorus.demo.emoji import GOLD, PACKAGE, NoPictures, prepare


@pytest.fixture(scope="module")
def package() -> Path:
    if not (PACKAGE / "emoji.json").is_file():
        pytest.skip("the demo's pictures are not here; `make setup` fetches them")
    return PACKAGE


@pytest.fixture(scope="module")
def folder(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("demo") / "new" / "emoji"
    prepare(out)
    return out


def gold_of(folder: Path) -> dict[str, str]:
    with (folder / GOLD).open() as file:
        return {row["item"]: row["label"] for row in csv.DictReader(file)}


def test_about_1900_pictures_in_nine_classes(folder: Path) -> None:
    gold = gold_of(folder)
    assert len(gold) == prepare(folder) > 1800
    counts = Counter(gold.values())
    assert len(counts) == 9
    assert min(counts.values()) >= 50
    assert {path.name for path in folder.iterdir()} == {*gold, GOLD}


def test_pictures_are_opaque_and_64_px(folder: Path) -> None:
    for name in list(gold_of(folder))[::50]:
        with Image.open(folder / name) as image:
            assert (image.size, image.mode) == ((64, 64), "RGB")
            assert image.getextrema() != ((0, 0),) * 3


def test_the_same_package_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    again.mkdir()  # an empty folder is as good as none
    prepare(again)
    for path in [folder / GOLD, *sorted(folder.glob("*.png"))[::100]]:
        assert (again / path.name).read_bytes() == path.read_bytes()


def test_without_the_package_it_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(NoPictures, match="make setup"):
        prepare(tmp_path / "out", tmp_path / "nothing")
    assert list(tmp_path.iterdir()) == []


def test_a_broken_package_leaves_nothing_behind(tmp_path: Path) -> None:
    package = tmp_path / "package"
    pictures = package / "img" / "google" / "64"
    pictures.mkdir(parents=True)
    (pictures / "1.png").write_bytes(b"no picture")
    (package / "emoji.json").write_text(
        '[{"image": "1.png", "category": "A", "sort_order": 1, "has_img_google": true}]'
    )
    with pytest.raises(OSError, match="cannot identify"):
        prepare(tmp_path / "out", package)
    assert [path.name for path in tmp_path.iterdir()] == ["package"]


def test_someone_elses_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="something else"):
        prepare(tmp_path)
