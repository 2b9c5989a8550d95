"""Fine-tuning as worker processes call it: a turn of training, and whether it was worth it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chorus.ml import learn
from chorus.ml.backbones import backbone
from chorus.ml.basis import SAMPLE
from chorus.ml.files import reporter
from chorus.ml.finetune import Pictures, Tuner, keep_weights
from chorus.ml.sets import from_text
from chorus.ml.store import Features

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
PARTS = ("tune", "judge", "rest")
"""The network learns from `tune`; heads that learn from `rest` are judged on `judge`."""


@dataclass
class Rows:
    """items.tsv of a fine-tuning, one part of it."""

    hashes: list[str]
    paths: list[Path]
    sets: Bools
    """(n, c)"""
    targets: Floats
    """(n, c)"""


def read_rows(path: Path, part: str, classes: int, multilabel: bool) -> Rows:
    """The lines of items.tsv (content_hash, path, label, soft, part) that are of `part`."""
    with path.open(encoding="utf-8") as lines:
        next(lines)
        cells = [line.rstrip("\n").split("\t") for line in lines]
    kept = [c for c in cells if c[4] == part]
    sets = np.zeros((len(kept), classes), dtype=bool)
    targets = np.zeros((len(kept), classes), dtype=np.float32)
    for at, (_, _, label, soft, _) in enumerate(kept):
        sets[at] = from_text(label, classes)
        targets[at] = sets[at]
        if soft:
            targets[at] = 0
            for pair in soft.split(","):
                value, _, share = pair.partition(":")
                targets[at, int(value)] = float(share)
            if not multilabel:
                targets[at] /= targets[at].sum()
    return Rows([c[0] for c in kept], [Path(c[1]) for c in kept], sets, targets)


def turn(params: dict[str, Any]) -> dict[str, Any]:
    """Train for about `seconds`. Once done it says the same again, without training.

    params: folder, state (a file, kept from turn to turn), models, base (a backbone),
    allow_download, store, classes, multilabel, seed, seconds, threads, progress. Returns {done,
    step, steps, losses (mean of each pass), pictures, device, backbone (the new one's name, once
    done)}. Raises `ValueError` when fewer than two pictures can be read.
    """
    folder = Path(params["folder"])
    models = Path(params["models"])
    config = backbone(params["base"], models, allow_download=bool(params.get("allow_download")))
    rows = read_rows(
        folder / "items.tsv", "tune", int(params["classes"]), bool(params["multilabel"])
    )
    # What the untouched network could not read, this one cannot either.
    unread = Features(Path(params["store"]), params["base"]).missing(rows.hashes)
    known = np.setdiff1d(np.arange(len(rows.hashes)), unread)
    if len(known) < 2:
        raise ValueError("fewer than two of the pictures can be read")
    pictures = Pictures(
        [rows.paths[i] for i in known], rows.targets[known], bool(params["multilabel"])
    )
    tuner = Tuner(
        config, pictures, int(params["seed"]), Path(params["state"]), int(params["threads"])
    )
    done = tuner.turn(float(params["seconds"]))
    reporter(Path(params["progress"]))(tuner.step / tuner.steps)
    name = None
    if done:
        network = params["base"].partition("@")[0]
        name = f"{network}@{keep_weights(tuner.weights(), models)}"
    return {
        "done": done,
        "step": tuner.step,
        "steps": tuner.steps,
        "losses": [round(loss, 4) for loss in tuner.losses],
        "pictures": len(pictures.paths),
        "device": tuner.device.type,
        "backbone": name,
    }


def compare(params: dict[str, Any]) -> dict[str, Any]:
    """Does the tuned network help? Heads learn from the rows that it has not learned from, with
    and without its features, and are judged on others that neither has seen.

    params: folder, store, before (backbones), after (the same and the tuned one), classes,
    multilabel, seed, threads, progress. Returns {judged_on, heads_from, before, after: {loss,
    accuracy}, better}. loss: cross-entropy in nats an item.
    """
    folder, store = Path(params["folder"]), Path(params["store"])
    classes, multilabel = int(params["classes"]), bool(params["multilabel"])
    rest = read_rows(folder / "items.tsv", "rest", classes, multilabel)
    judge = read_rows(folder / "items.tsv", "judge", classes, multilabel)
    found: dict[str, Any] = {}
    both = Features(store, params["after"])
    rest_known, judge_known = (both.get(rows.hashes)[1] for rows in (rest, judge))
    found = {"judged_on": int(judge_known.sum()), "heads_from": int(rest_known.sum())}
    for name in ("before", "after"):
        features = Features(store, params[name])
        taught = features.get(rest.hashes)[0][rest_known]
        asked = features.get(judge.hashes)[0][judge_known]
        sets = rest.sets[rest_known]
        model = learn.train(
            taught, rest.targets[rest_known], sets if multilabel else sets.argmax(axis=1),
            np.concatenate([taught, asked])[:SAMPLE],
            seed=int(params["seed"]), threads=int(params["threads"]),
            progress=reporter(Path(params["progress"])),
        )  # fmt: skip
        found[name] = _figures(
            learn.out_of_fold_logits(model, taught), sets,
            learn.open_logits(model, asked, int(params["seed"])), judge.sets[judge_known],
            multilabel,
        )  # fmt: skip
    found["better"] = found["after"]["loss"] < found["before"]["loss"]
    return found


def _figures(
    own: Floats, own_sets: Bools, logits: Floats, sets: Bools, multilabel: bool
) -> dict[str, float]:
    """own: out-of-fold logits of the rows learned from, which calibrate the others'."""
    if multilabel:
        each = np.logaddexp(0, np.where(sets, -logits, logits)).sum(axis=1)
        right = ((logits > 0) == sets).all(axis=1)
    else:
        labels = sets.argmax(axis=1)
        chances = learn.softmax(logits, learn.calibrate(own, own_sets.argmax(axis=1)))
        each = -np.log(chances[np.arange(len(labels)), labels] + 1e-9)
        right = chances.argmax(axis=1) == labels
    return {"loss": round(float(each.mean()), 4), "accuracy": round(float(right.mean()), 4)}
