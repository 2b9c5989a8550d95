"""Larger detectors: torchvision's own networks, really trained for some steps on small pictures,
from weights of a file, as an operator gives it. The weights are of chance: those for COCO are not
here."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision.models.detection as zoo
from safetensors.torch import load_file, save_file
from torchvision.models.detection.image_list import ImageList

from chorus.ml import detect_run, detect_torchvision, detectors
from chorus.ml.detect_base import Detections
from chorus.ml.detect_files import (
    FOLDS,
    boxes_of,
    load,
    load_for,
    save,
    weights_file,
)
from chorus.ml.detect_loss import cells_of
from chorus.ml.detect_torchvision import Fcos, Larger
from chorus.ml.detect_train import Trainer, View
from chorus.ml.detect_views import Boxes, read
from tests.ml.boxes import draw_pictures, write_round
from tests.ml.test_backbones import Evil

SMALL = "fasterrcnn_mobilenet_v3_large_fpn"
LABELED, OPEN = 5, 1


@dataclass
class Given:
    """A file as torchvision has them, and the models' folder that has its weights."""

    file: Path
    models: Path
    name: str


@pytest.fixture(scope="module", autouse=True)
def few_places() -> Iterator[None]:
    """On pictures as small as these, nobody needs more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(detect_torchvision, "SAMPLED", 16)
        patch.setattr(detect_torchvision, "PROPOSED", 20)
        patch.setattr(detect_run, "PASSES", 1)
        yield


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Given:
    folder = tmp_path_factory.mktemp("detectors")
    torch.manual_seed(3)
    network = zoo.fasterrcnn_mobilenet_v3_large_320_fpn(weights=None, weights_backbone=None)
    torch.save(network.state_dict(), folder / "coco.pth")
    models = folder / "models"
    name = detectors.choose(SMALL, models, folder / "coco.pth", allow_download=False)
    return Given(folder / "coco.pth", models, name)


@pytest.fixture(scope="module")
def trained(given: Given, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("round")
    drawn = list(draw_pictures(folder / "in", LABELED + OPEN).items())
    params = write_round(
        folder / "1", folder / "in", dict(drawn[:LABELED]), dict(drawn[LABELED:]),
        models=str(given.models), detector=given.name, threads=1,
    )  # fmt: skip
    result = detect_run.train(params)
    assert len(result["losses"]) == FOLDS
    assert np.isfinite(result["losses"]).all()
    return params


def same(a: list[Detections], b: list[Detections]) -> bool:
    parts = ((x.boxes, y.boxes, x.scores, y.scores) for x, y in zip(a, b, strict=True))
    return all(np.array_equal(p[0], p[1]) and np.array_equal(p[2], p[3]) for p in parts)


def test_a_round_by_a_larger_detector(given: Given, trained: dict[str, Any]) -> None:
    card = detect_run.validate(trained)
    assert (card["detector"], card["labels"], card["evidence"]) == (given.name, LABELED, LABELED)
    assert card["threshold"] is None, "after so few steps nothing may be shown"
    folder = Path(trained["round_dir"])
    whole = json.loads((folder / "card.json").read_text())
    for row in (whole, *whole["per_class"]):  # as if it had proven itself
        row["threshold"] = 0.0
    (folder / "card.json").write_text(json.dumps(whole))
    assert detect_run.infer(trained)["items"] == OPEN
    (line,) = map(json.loads, (folder / "predictions.jsonl").read_text().splitlines())
    assert line["item_id"] == LABELED + 1
    assert line["shapes"]
    for cls, x, y, wide, high, score in line["shapes"]:
        assert cls in (0, 1)
        assert 0 <= x < x + wide <= 96.01
        assert 0 <= y < y + high <= 96.01
        assert 0.05 <= score <= 1

    # What it has learned, and what stays as it came.
    network = load(weights_file(folder, 0)).network
    base = load_file(given.models / "detectors" / f"{given.name}.safetensors")
    own = {k.removeprefix("model."): v.cpu() for k, v in network.state_dict().items()}
    assert own.keys() - base.keys() == {k.removeprefix("model.") for k in network.heads}
    changed = {k for k in base if not torch.equal(own[k].half(), base[k].half())}
    assert any(k.startswith("backbone.body.13.") for k in changed)
    assert not any(k.startswith(f"backbone.body.{n}.") for n in range(7) for k in changed)
    assert not any("running" in k for k in changed)


def test_its_file_finds_the_same_boxes_wherever_it_is_read(
    trained: dict[str, Any], tmp_path: Path
) -> None:
    folder = Path(trained["round_dir"])
    first = load(weights_file(folder, 0))
    save(first.network, first.scale, first.learned, tmp_path / "again.safetensors")
    second = load(tmp_path / "again.safetensors")
    rng = np.random.default_rng(0)
    maps = detect_torchvision.as_maps(rng.integers(0, 256, (2, 96, 96, 3), dtype=np.uint8))
    sizes = [(96, 96), (80, 64)]
    found = first.network.detect(maps, sizes)
    assert all(len(d.scores) and (np.diff(d.scores) <= 0).all() for d in found)
    assert found[1].boxes[:, [0, 2]].max() <= 64
    assert same(found, second.network.detect(maps, sizes))
    # A class more: what is known of the others stays.
    more = load_for(weights_file(folder, 0), first.network.name, 3)
    assert more is not None
    assert more.learned == first.learned
    for head, rows in zip(first.network.heads, (3, 3, 12, 12), strict=True):
        old, new = first.network.state_dict()[head], more.network.state_dict()[head]
        assert torch.equal(new[:rows][: len(old)], old)
        assert len(new) == len(old) + (1 if "cls" in head else 4)
    assert load_for(weights_file(folder, 0), "fcos", 2) is None, "another one begins anew"


def test_a_killed_worker_is_made_good(trained: dict[str, Any]) -> None:
    """To the bit on a processor. A GPU adds up in any order."""
    path = weights_file(Path(trained["round_dir"]), 1)
    before = load_file(path)
    path.unlink()
    detect_run.train(trained)
    after = load_file(path)
    if torch.cuda.is_available():
        assert all(torch.allclose(after[n], before[n], 0.05, 0.01) for n in before)
    else:
        assert all(torch.equal(after[name], before[name]) for name in before)


def test_a_few_steps_lower_the_loss(
    given: Given, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detect_torchvision, "PRETRAINED_RATE", 3e-4)  # these weights know nothing
    torch.set_num_threads(1)
    torch.manual_seed(1)
    network = detectors.pretrained(given.name, 2, given.models)
    views = []
    for name, things in draw_pictures(tmp_path, 4).items():
        boxes = boxes_of(things, [1.0] * len(things))
        pixels = np.array(read(tmp_path / name, (96, 96)))
        views.append(View(detect_torchvision.as_maps(pixels[None])[0], boxes))

    def loss() -> float:
        found = []
        with torch.no_grad():
            for seed in range(4):  # places are drawn; these are the same each time
                torch.manual_seed(seed)
                each = network.loss([v.maps for v in views], [v.boxes for v in views], even)
                found.append(float(each))
        return sum(found) / len(found)

    even = torch.ones(2)
    before = loss()
    Trainer(network, [[view] for view in views], 12, 1).run()
    assert loss() < 0.9 * before


def test_what_most_did_not_draw_is_neither_a_thing_nor_nothing(given: Given) -> None:
    sure, doubtful, far = [8.0, 8.0, 40.0, 40.0], [48.0, 48.0, 80.0, 80.0], [0.0, 60.0, 32.0, 92.0]
    places = [torch.tensor([sure, doubtful, far])]
    targets = [{"boxes": torch.tensor([sure, doubtful]), "labels": torch.tensor([1, -1])}]
    network = detectors.pretrained(given.name, 2, given.models)
    assert isinstance(network, Larger)
    labels, _ = network.model.rpn.assign_targets_to_anchors(places, targets)
    assert labels[0].tolist() == [1.0, -1.0, 0.0]

    retina = detect_torchvision.make("retinanet_resnet50_fpn_v2", 2).model
    out = {
        "cls_logits": torch.zeros(1, 3, 2, requires_grad=True),
        "bbox_regression": torch.ones(1, 3, 4, requires_grad=True),
    }
    losses = retina.compute_loss(targets, out, places)
    torch.autograd.backward(sum(losses.values()))
    moved = out["cls_logits"].grad
    assert moved is not None
    assert moved[0].sign().tolist() == [[1, -1], [0, 0], [1, 1]]


def test_torchvisions_fcos_sees_with_our_losses() -> None:
    """Where its cells are is what its weights know: our own targets must agree with that."""
    torch.manual_seed(0)
    network = detect_torchvision.make("fcos_resnet50_fpn", 2)
    assert isinstance(network, Fcos)
    maps = [torch.zeros(1, 1, *size) for size in ((8, 12), (4, 6), (2, 3), (1, 2), (1, 1))]
    whole = ImageList(torch.zeros(1, 3, 64, 96), [(64, 96)])
    (theirs,) = network.model.anchor_generator(whole, maps)
    cells, counts = cells_of(8, 12, Fcos.LEVELS)
    assert counts.tolist() == [96, 24, 6, 2, 1]
    ours = cells[: 96 + 24 + 6]  # of coarser ones torchvision takes the map's size for the stride
    assert torch.equal(theirs[: len(ours)], ours)
    boxes = Boxes(
        np.array([[8, 8, 40, 40]], dtype=np.float32), np.array([1]), np.ones(1, dtype=np.float32)
    )
    pixels = np.random.default_rng(0).integers(0, 256, (3, 64, 64), dtype=np.uint8)
    loss = network.loss([pixels], [boxes], torch.ones(2))
    torch.autograd.backward(loss)
    body = network.model.backbone.body.named_parameters()
    assert {name.split(".")[0] for name, p in body if p.grad is not None} == {
        "layer2",
        "layer3",
        "layer4",
    }


def test_nothing_else_is_taken_for_weights(
    given: Given, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    models = tmp_path / "models"

    def refused(match: str, weights: Path | None, name: str = SMALL) -> None:
        with pytest.raises(ValueError, match=match):
            detectors.choose(name, models, weights, allow_download=False)
        assert not list(models.rglob("*.safetensors"))

    evil = tmp_path / "evil.pth"
    torch.save({"model": Evil(tmp_path / "ran")}, evil)
    refused("no file of weights: Weights only load failed", evil)
    assert not (tmp_path / "ran").exists()
    (tmp_path / "text.pth").write_text("not weights")
    refused("no file of weights", tmp_path / "text.pth")
    torch.save({"epoch": 3}, tmp_path / "numbers.pth")
    refused("no weights by name", tmp_path / "numbers.pth")
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    refused(f"has not the weights of {SMALL}", tmp_path / "other.safetensors")
    stored = torch.load(given.file, weights_only=True)
    stored["backbone.body.0.0.weight"][0, 0, 0, 0] = float("nan")
    torch.save(stored, tmp_path / "broken.pth")
    refused("no numbers", tmp_path / "broken.pth")
    refused("https://download.pytorch.org/models/fasterrcnn_mobilenet_v3_large_fpn-.*allow", None)
    refused("there is no detector 'yolo'", None, "yolo")
    refused("fcos has its weights", evil, "fcos")
    with pytest.raises(ValueError, match=r"weights of detector .* are not in"):
        detectors.pretrained(f"{SMALL}@000000000000", 2, models)

    # As a server asks for it: those that are there already are taken.
    monkeypatch.setattr(sys, "argv", ["detectors", SMALL, str(given.models)])
    detectors.main()
    assert capsys.readouterr().out.split() == [given.name]
    monkeypatch.setattr(sys, "argv", ["detectors", SMALL, str(models)])
    with pytest.raises(SystemExit, match=f"detector: the weights of {SMALL} are not here"):
        detectors.main()


def test_every_detector_says_where_its_weights_are() -> None:
    for name in detectors.NAMES[1:]:
        assert detectors.address(name).startswith(f"https://download.pytorch.org/models/{name}")
