"""Fine-tuning: the last stages learn, wherever its turns end, and what they saw proves nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import timm
import torch

from chorus.ml import finetune, run
from chorus.ml.backbones import BACKBONES, Backbone, backbone, load
from chorus.ml.featurize import decode
from chorus.ml.finetune import Pictures, Tuner, keep_weights, last_stages
from chorus.ml.finetune_jobs import compare, turn
from tests.ml.test_run import CLASSES, Round, draw

NAME = "test_efficientnet"
"""timm's smallest: 160 px, a few hundred thousand weights."""


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A models' folder with weights of the small network: nobody's, but always the same."""
    torch.manual_seed(3)
    network = timm.create_model(NAME, pretrained=False)
    folder = tmp_path / "models"
    digest = keep_weights(network.state_dict(), folder)
    (folder / "name").write_text(f"{NAME}@{digest}")
    return folder


@pytest.fixture
def base(models: Path) -> Backbone:
    return backbone((models / "name").read_text(), models)


def shapes(folder: Path, count: int) -> Pictures:
    kinds = [i % 2 for i in range(count)]
    paths = [draw(folder / f"shape{i}.png", CLASSES[kind], i) for i, kind in enumerate(kinds)]
    return Pictures(paths, np.eye(2, dtype=np.float32)[kinds], False)


@pytest.fixture
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finetune, "STEPS_MIN", 40)
    monkeypatch.setattr(finetune, "PASSES", 1)


@pytest.mark.usefixtures("few_steps")
def test_turns_may_end_anywhere(tmp_path: Path, base: Backbone) -> None:
    pictures = shapes(tmp_path, 40)
    whole = Tuner(base, pictures, 1, tmp_path / "whole.pt", 2)
    whole._ahead = 3  # as where there is a GPU: several batches are decoded at a time
    assert whole.turn(600)
    turns = 0
    done = False
    while not done:  # each by another process, for all it knows
        tuner = Tuner(base, pictures, 1, tmp_path / "parts.pt", 2)
        done = tuner.turn(0)
        turns += 1
    assert turns == whole.steps
    assert tuner.losses == whole.losses
    for name, weight in whole.weights().items():
        assert torch.equal(weight, tuner.weights()[name]), name


@pytest.mark.usefixtures("few_steps")
@pytest.mark.parametrize("damage", ["a class more", "cut off", "nothing", "no state at all"])
def test_where_it_stands_is_of_no_use_it_begins_anew(
    tmp_path: Path, base: Backbone, damage: str
) -> None:
    pictures, state = shapes(tmp_path, 40), tmp_path / "state.pt"
    Tuner(base, pictures, 1, state, 2).turn(0)
    if damage == "a class more":
        pictures = Pictures(pictures.paths, np.eye(3, dtype=np.float32)[[0, 1, 2, 1] * 10], False)
    elif damage == "no state at all":
        state.write_bytes(b"x" * 999)
    else:
        state.write_bytes(state.read_bytes()[: 1000 if damage == "cut off" else 0])
    again = Tuner(base, pictures, 1, state, 2)
    assert (again.step, again.losses) == (-1, [])
    fresh = Tuner(base, pictures, 1, tmp_path / "fresh.pt", 2)
    assert again.turn(600)
    assert fresh.turn(600)
    for name, weight in fresh.weights().items():
        assert torch.equal(weight, again.weights()[name]), name


@pytest.mark.usefixtures("few_steps")
def test_only_the_last_stages_learn(tmp_path: Path, base: Backbone) -> None:
    before = load(base).state_dict()
    tuner = Tuner(base, shapes(tmp_path, 40), 1, tmp_path / "state.pt", 2)
    tuner.turn(600)
    changed = {n.split(".")[0] for n, w in tuner.weights().items() if not torch.equal(w, before[n])}
    assert "conv_stem" not in changed
    assert changed
    # Statistics of batches of a few pictures would be worse than those of a million.
    assert not any(
        "running" in n for n, w in tuner.weights().items() if not torch.equal(w, before[n])
    )


@pytest.mark.parametrize("name", ["efficientnet_lite0", "resnet18", "vit_tiny_patch16_224"])
def test_last_stages_of_any_network(name: str) -> None:
    timm_name = BACKBONES[name].timm_name if name in BACKBONES else name
    network = timm.create_model(timm_name, pretrained=False, num_classes=0)
    tuned = {id(w) for w in last_stages(network)}
    names = [n for n, w in network.named_parameters() if id(w) in tuned]
    assert 0 < len(names) < len(list(network.parameters()))
    first = next(iter(dict(network.named_parameters())))
    assert first not in names


def test_tuned_weights_are_a_backbone_like_any_other(tmp_path: Path) -> None:
    network = load(BACKBONES["efficientnet_lite0"])
    digest = keep_weights(network.state_dict(), tmp_path)
    config = backbone(f"efficientnet_lite0@{digest}", tmp_path)
    ours = BACKBONES["efficientnet_lite0"]
    assert (config.size, config.mean, config.std) == (ours.size, ours.mean, ours.std)
    for name, weight in load(config).state_dict().items():
        assert torch.equal(weight, network.state_dict()[name]), name


def write_items(round_: Round, parts: list[str]) -> None:
    """items.tsv of a fine-tuning, for the round's first pictures."""
    rows = zip(round_.hashes, round_.paths, round_.truth, parts, strict=False)
    lines = [f"{h}\t{path}\t{label}\t\t{part}\n" for h, path, label, part in rows]
    (round_.folder / "items.tsv").write_text(
        "content_hash\tpath\tlabel\tsoft\tpart\n" + "".join(lines)
    )


def test_a_network_that_learned_is_better_where_it_never_looked(
    tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Discs and squares in any colour, before a network that knows nothing."""
    monkeypatch.setattr(finetune, "STEPS_MIN", 100)
    monkeypatch.setattr(finetune, "PASSES", 1)
    monkeypatch.setattr(finetune, "BATCH", 16)
    monkeypatch.setattr(finetune, "LEARNING_RATE", 1e-2)  # it starts from nothing
    folder = tmp_path / "round"
    folder.mkdir()
    round_ = Round(folder, models, 220)
    name = (models / "name").read_text()
    round_.params |= {"backbone": name}
    round_.featurize()
    write_items(round_, ["tune"] * 100 + ["rest"] * 60 + ["judge"] * 60)
    params = {
        **round_.params, "folder": str(folder), "base": name, "multilabel": False, "seconds": 5.0,
        "state": str(folder / "state.pt"),
    }  # fmt: skip
    found = turn(params)
    while not found["done"]:
        found = turn(params)
    assert found["losses"][-1] < found["losses"][0]
    assert turn(params) == found  # a stop of the server while it is judged costs no training
    tuned = found["backbone"]
    assert tuned.startswith(f"{NAME}@")
    assert tuned != name
    round_.params |= {"backbone": tuned}
    round_.featurize()
    said = compare({**params, "before": name, "after": f"{name}+{tuned}"})
    assert (said["judged_on"], said["heads_from"]) == (60, 60)
    print(said, found["losses"])
    assert said["better"]


def test_what_a_network_learned_from_is_no_evidence(tmp_path: Path, models: Path) -> None:
    """Its features of those pictures tell their label: they are not scored, and prove nothing."""
    folder = tmp_path / "round"
    folder.mkdir()
    round_ = Round(folder, models, 80)
    round_.params |= {"backbone": (models / "name").read_text(), "tuned": 2}
    round_.featurize()
    drawn = [0, 1, 2, 3]  # by none, by an earlier one, by this one, by one that is still to come
    header = "item_id\tcontent_hash\tlabel\tsoft\ttrusted\tsurvivor\topen\tfresh\ttuned\n"
    (folder / "items.tsv").write_text(
        header
        + "".join(
            f"{i}\t{h}\t{label}\t\t1\t1\t0\t0\t{drawn[i % 4]}\n"
            for i, (h, label) in enumerate(zip(round_.hashes, round_.truth, strict=True))
        )
    )
    run.train(round_.params)
    card = run.validate(round_.params)
    assert card["n"] == 40
    scored = [
        int(line.split("\t")[0]) for line in (folder / "oof.tsv").read_text().splitlines()[1:]
    ]
    assert {i % 4 for i in scored} == {0, 3}
    assert len(scored) == 40


def test_cuts_are_parts_of_the_picture(tmp_path: Path) -> None:
    picture = decode(draw(tmp_path / "a.png", "disc", 5), 100)
    rng = np.random.default_rng(1)
    for _ in range(20):
        found = finetune.cut(picture, 80, rng)
        assert found.shape == (80, 80, 3)
        assert found.dtype == np.uint8
        assert picture.min() <= found.min()
        assert found.max() <= picture.max()
