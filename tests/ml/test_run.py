"""A round's jobs as the workers run them: real pictures, the pretrained network, files between."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from chorus.ml import run
from chorus.ml.backbones import BACKBONES, DEFAULT, _from_pixels, backbone, onnx_file
from chorus.ml.featurize import decode, features_of

CLASSES = ("disc", "square")
CONFIG = BACKBONES[DEFAULT]


def draw(path: Path, kind: str, seed: int) -> Path:
    """A disc or a square somewhere on the picture, in any colour."""
    random = np.random.default_rng(seed)
    image = Image.new("RGB", (64, 64), tuple(int(c) for c in random.integers(0, 90, 3)))
    x, y, size = (int(v) for v in random.integers([4, 4, 20], [30, 30, 30]))
    colour = tuple(int(c) for c in random.integers(150, 256, 3))
    shape = ImageDraw.Draw(image)
    (shape.ellipse if kind == "disc" else shape.rectangle)((x, y, x + size, y + size), fill=colour)
    image.save(path)
    return path


def draw_all(path: Path, kinds: list[str], seed: int) -> Path:
    """A disc on the left, a square on the right, or neither."""
    random = np.random.default_rng(seed)
    image = Image.new("RGB", (64, 64), tuple(int(c) for c in random.integers(0, 90, 3)))
    for kind in kinds:
        x, y, size = (int(v) for v in random.integers([0, 4, 20], [8, 30, 26]))
        x += 0 if kind == "disc" else 31
        colour = tuple(int(c) for c in random.integers(150, 256, 3))
        shape = ImageDraw.Draw(image)
        paint = shape.ellipse if kind == "disc" else shape.rectangle
        paint((x, y, x + size, y + size), fill=colour)
    image.save(path)
    return path


class Round:
    """A folder with pictures and what the server would write for the jobs."""

    def __init__(self, folder: Path, models: Path, pictures: int) -> None:
        self.folder = folder
        self.truth: list[Any] = []
        self.paths: list[Path] = []
        self.hashes: list[str] = []
        truth = [i % 2 for i in range(pictures)]
        self.add([draw(folder / f"{i}.png", CLASSES[k], i) for i, k in enumerate(truth)], truth)
        self.params: dict[str, Any] = {
            "store": str(folder / "features"), "models": str(models), "backbone": DEFAULT,
            "round_dir": str(folder), "classes": 2, "target": 0.8, "prelabel": True, "seed": 1,
            "threads": 2, "progress": str(folder / "progress"),
        }  # fmt: skip

    def add(self, paths: list[Path], truth: list[Any]) -> None:
        """Pictures and their right labels, as they are stored."""
        self.paths += paths
        self.truth += truth
        self.hashes += [hashlib.sha256(p.read_bytes()).hexdigest() for p in paths]

    def featurize(self, start: int = 0, stop: int | None = None) -> dict[str, Any]:
        items = self.folder / "features.tsv"
        items.write_text(
            "".join(f"{h}\t{p}\n" for h, p in zip(self.hashes, self.paths, strict=True))
        )
        stop = len(self.paths) if stop is None else stop
        return run.featurize({**self.params, "items": str(items), "start": start, "stop": stop})

    def write_items(self, labeled: int) -> None:
        """The first `labeled` pictures have their right label, the rest are open."""
        with (self.folder / "items.tsv").open("w") as out:
            out.write("item_id\tcontent_hash\tlabel\tsoft\ttrusted\tsurvivor\topen\n")
            for i, content in enumerate(self.hashes):
                label = str(self.truth[i]) if i < labeled else ""
                known = int(i < labeled)
                out.write(f"{i + 1}\t{content}\t{label}\t\t{known}\t1\t{1 - known}\n")

    def rows(self, name: str) -> list[dict[str, str]]:
        with (self.folder / name).open(newline="") as lines:
            return list(csv.DictReader(lines, delimiter="\t"))


def test_a_whole_round(tmp_path: Path, models: Path) -> None:
    labeled, total = 60, 100
    round_ = Round(tmp_path, models, total)
    assert round_.featurize()["done"] == total
    round_.write_items(labeled)

    assert run.train(round_.params)["trained_on"] == labeled
    card = run.validate(round_.params)
    assert card["n"] == card["labels"] == labeled
    assert card["model_accuracy"] > 0.8, "a pretrained network tells discs from squares"
    assert card["threshold"] is not None
    assert {int(r["item_id"]) for r in round_.rows("oof.tsv")} == set(range(1, labeled + 1))

    assert run.infer(round_.params)["items"] == total - labeled
    predictions = {int(r["item_id"]): r for r in round_.rows("predictions.tsv")}
    assert set(predictions) == set(range(labeled + 1, total + 1))
    right = [int(r["value"]) == round_.truth[i - 1] for i, r in predictions.items()]
    assert np.mean(right) > 0.8
    assert all(0 <= float(r["margin"]) <= float(r["score"]) <= 1 for r in predictions.values())

    run.cluster(round_.params)
    clustered = [int(r["item_id"]) for r in round_.rows("clusters.tsv")]
    rows = json.loads((round_.folder / "card.json").read_text())["per_class"]
    limits = [row["threshold"] for row in rows]
    below = {
        i
        for i, r in predictions.items()
        if (limit := limits[int(r["value"])]) is None or float(r["score"]) < limit
    }
    assert len(clustered) == len(set(clustered))
    assert set(clustered) <= set(predictions)
    # To the six digits of the file, each open item is either prelabeled or in a cluster.
    assert abs(len(clustered) - len(below)) <= 1
    assert not list(tmp_path.glob("*.tmp"))

    # Nobody is to be prelabeled: then the surest items are clustered like the others.
    run.cluster({**round_.params, "prelabel": False})
    assert {int(r["item_id"]) for r in round_.rows("clusters.tsv")} == set(predictions)


def test_near_twins_are_in_one_fold(tmp_path: Path, models: Path) -> None:
    """Each labeled picture is there twice, but for a shade; the open ones are there once."""
    round_ = Round(tmp_path, models, 0)
    labeled, total = 60, 100
    kinds = [(i // 2 if i < labeled else i) % 2 for i in range(total)]
    paths = [
        draw(tmp_path / f"{i}.png", CLASSES[kind], i // 2 if i < labeled else i)
        for i, kind in enumerate(kinds)
    ]
    for path in paths[1:labeled:2]:
        with Image.open(path) as image:
            image.putpixel((0, 0), (90, 90, 90))
            image.save(path)
    round_.add(paths, kinds)
    round_.featurize()
    round_.write_items(labeled)
    run.train(round_.params)
    fold = run.load_model(tmp_path).folds.fold
    assert (fold[:, 0::2] == fold[:, 1::2]).mean() > 0.9


def test_a_repeated_job_gives_the_same(tmp_path: Path, models: Path) -> None:
    """What the server counts on when a worker died in the middle."""
    round_ = Round(tmp_path, models, 30)
    round_.featurize()
    round_.write_items(20)
    found = []
    for _ in range(2):
        for job in (run.train, run.validate, run.infer, run.cluster):
            job(round_.params)
        names = ("oof.tsv", "card.json", "predictions.tsv", "clusters.tsv")
        found.append([(tmp_path / name).read_bytes() for name in names])
    assert found[0] == found[1]


def test_features_once_and_faulty_files_apart(tmp_path: Path, models: Path) -> None:
    round_ = Round(tmp_path, models, 6)
    round_.paths[2].write_bytes(b"\xff\xd8\xff but no picture")
    round_.paths[4].unlink()
    first = round_.featurize(stop=5)
    assert first["done"] == 3
    assert [Path(f["name"]).name for f in first["faults"]] == ["2.png", "4.png"]
    assert all(f["reason"] for f in first["faults"])
    again = round_.featurize()
    assert (again["done"], again["skipped"], len(again["faults"])) == (1, 3, 2)


def test_items_without_features_are_left_out(tmp_path: Path, models: Path) -> None:
    round_ = Round(tmp_path, models, 20)
    round_.featurize(stop=16)
    round_.write_items(10)
    assert run.train(round_.params)["without_features"] == 4
    run.validate(round_.params)
    assert run.infer(round_.params)["items"] == 6


def test_too_little_to_learn_from(tmp_path: Path, models: Path) -> None:
    round_ = Round(tmp_path, models, 4)
    round_.featurize()
    round_.write_items(1)
    with pytest.raises(ValueError, match="fewer than two"):
        run.train(round_.params)


def test_onnx_gives_what_torch_gives(tmp_path: Path, models: Path) -> None:
    paths = [draw(tmp_path / f"{i}.png", CLASSES[i % 2], i) for i in range(3)]
    ((at, found, bad),) = features_of(paths, CONFIG, models, 2)
    assert (at, bad) == ([0, 1, 2], [])
    pixels = np.stack([decode(path, CONFIG.size) for path in paths])
    with torch.inference_mode():
        true = _from_pixels(CONFIG)(torch.from_numpy(pixels)).numpy()
    assert found.shape == (3, CONFIG.dim)
    assert found == pytest.approx(true, abs=1e-3)


def test_the_export_is_made_once(models: Path) -> None:
    path = onnx_file(CONFIG, models)
    made = path.stat().st_mtime_ns
    assert onnx_file(CONFIG, models) == path
    assert path.stat().st_mtime_ns == made


def test_an_unknown_backbone_is_not_downloaded() -> None:
    with pytest.raises(ValueError, match="not allowed"):
        backbone("resnet50")


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "CMYK", "I;16"])
def test_every_kind_of_picture_becomes_pixels(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("x.jpg" if mode == "CMYK" else "x.png")
    Image.new(mode, (50, 20)).save(path)
    pixels = decode(path, 32)
    assert pixels.shape == (32, 32, 3)
    assert pixels.dtype == np.uint8


def test_pictures_are_turned_upright(tmp_path: Path) -> None:
    image = Image.new("RGB", (40, 20), "red")
    image.paste("blue", (20, 0, 40, 20))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    image.save(tmp_path / "x.jpg", exif=exif, quality=95)
    pixels = decode(tmp_path / "x.jpg", 32).astype(int)
    assert pixels[2, 16, 0] > 200, "red on top"
    assert pixels[29, 16, 2] > 200, "blue below"


def test_card_is_plain_json(tmp_path: Path, models: Path) -> None:
    round_ = Round(tmp_path, models, 20)
    round_.featurize()
    round_.write_items(9)
    run.train(round_.params)
    told = run.validate(round_.params)
    stored = json.loads((tmp_path / "card.json").read_text())
    assert {**stored, **told} == stored
    assert stored["threshold"] is None
    assert stored["reason"].startswith("No prelabels yet")
