"""Backbones by name: a weights file of one's own, and what is said of a wrong one."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import timm
import torch
from safetensors.torch import save_file

from chorus.ml import export, run
from chorus.ml.backbones import backbone, load
from chorus.ml.featurize import decode
from chorus.ml.store import Features
from chorus.server.settings import Settings
from tests.ml.test_run import CLASSES, Round

NAME = "test_efficientnet"
"""timm's smallest: 160 px, a few hundred thousand weights."""


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    torch.manual_seed(3)
    model: torch.nn.Module = timm.create_model(NAME, pretrained=False).eval()
    return model


def kept(folder: Path, network: torch.nn.Module) -> Settings:
    """A server's settings with the network's weights given as a file."""
    file = folder / "mine.safetensors"
    save_file(network.state_dict(), file)
    settings = Settings(
        data_dir=folder / "data", backbone=f"efficientnet_lite0+{NAME}", weights=file
    )
    settings.keep_weights()
    return settings


class Evil:
    """Unpickling it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_a_pickle_is_refused_unread(tmp_path: Path, network: torch.nn.Module) -> None:
    for number, content in enumerate((network.state_dict(), Evil(tmp_path / "ran"))):
        # Whatever it calls itself.
        file = tmp_path / f"{number}.safetensors"
        torch.save(content, file)
        settings = Settings(data_dir=tmp_path / "data", backbone=NAME, weights=file)
        with pytest.raises(ValueError, match="no safetensors file"):
            settings.keep_weights()
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "data").exists()


def test_a_pickle_in_the_models_folder_runs_nothing(tmp_path: Path) -> None:
    """Versions before kept files of torch.save there."""
    folder = tmp_path / "weights"
    folder.mkdir()
    torch.save({"state_dict": Evil(tmp_path / "ran")}, folder / "0123456789ab.pth")
    with pytest.raises(RuntimeError, match="weights_only=True blocked"):
        load(backbone(f"{NAME}@0123456789ab", tmp_path))
    assert not (tmp_path / "ran").exists()


def test_weights_of_a_file(tmp_path: Path, network: torch.nn.Module) -> None:
    settings = kept(tmp_path, network)
    name = settings.backbone.split("+")[1]
    assert name.startswith(f"{NAME}@")
    (tmp_path / "mine.safetensors").unlink()  # the server has its own copy
    config = backbone(name, settings.models)
    x = torch.rand(2, 3, config.size, config.size)
    with torch.inference_mode():
        true = network.forward_head(network.forward_features(x), pre_logits=True)  # type: ignore[operator]
        found = load(config)(x)
    assert found.shape == (2, config.dim)
    np.testing.assert_allclose(found, true, atol=1e-5)


def test_a_round_on_two_backbones(tmp_path: Path, network: torch.nn.Module, models: Path) -> None:
    settings = kept(tmp_path, network)
    shutil.copytree(settings.models / "weights", models / "weights", dirs_exist_ok=True)
    round_ = Round(tmp_path, models, 40)
    round_.params["backbone"] = settings.backbone
    assert round_.featurize()["done"] == 40
    round_.write_items(30)
    for job in (run.train, run.validate, run.infer, run.cluster):
        job(round_.params)
    assert len(round_.rows("predictions.tsv")) == 10

    # And its model can be taken away: it takes a picture in both sizes.
    wanted = {"project": "Shapes", "number": 1, "labels": list(CLASSES)}
    export.model_zip({**round_.params, **wanted})
    with zipfile.ZipFile(tmp_path / "model.zip") as files:
        inputs = json.loads(files.read("preprocessing.json"))["inputs"]
        session = onnxruntime.InferenceSession(files.read("model.onnx"))
    assert [(i["name"], i["size"]) for i in inputs] == [("pixels", 224), ("pixels_2", 160)]
    pixels = {i["name"]: decode(round_.paths[0], i["size"])[None] for i in inputs}
    (found,) = session.run(["features"], pixels)
    true, _ = Features(tmp_path / "features", settings.backbone).get(round_.hashes[:1])
    np.testing.assert_allclose(found, true, atol=0.01, rtol=0.01)


def test_the_start_tells_of_weights_that_do_not_fit(
    tmp_path: Path, network: torch.nn.Module
) -> None:
    settings = kept(tmp_path, network)
    wrong = settings.backbone.split("+")[1].replace(NAME, "test_vit")
    for name, reason in (
        (wrong, "has not the weights of test_vit"),
        ("no_such_network@" + wrong.split("@")[1], "timm has no model"),
        (f"{NAME}@000000000000", "not there"),
        (NAME, "not allowed"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "chorus.ml.backbones", name, str(settings.models), "0"],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 1
        assert reason in done.stderr.splitlines()[-1]
