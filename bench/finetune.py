"""What fine-tuning brings: heads with and without a tuned network's features, on the rest.

`python -m bench.finetune` draws n labeled pictures of ../shared/data/clothing, tunes the first
network on those that the product would draw (domain/tuning), and lets heads learn from all n
labels, as a round does. Each run takes five to ten minutes on two cores. The table is kept in
docs/finetuning.md.
"""

from __future__ import annotations

import csv
import tempfile
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray

from bench.heads import DATA, LITE0, LITE2, Data, read
from chorus.ml import finetune, learn
from chorus.ml.backbones import BACKBONES, backbone
from chorus.ml.basis import SAMPLE
from chorus.ml.featurize import features_of
from chorus.ml.finetune import Pictures, Tuner, keep_weights
from chorus.server.domain.tuning import part_of

RIGHT = 0.97
Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


def tuned_features(data: Data, paths: list[Path], labeled: Ints, seed: int, cache: Path) -> Floats:
    """(n, dim) of all pictures, by the first network tuned on the labeled ones that are drawn."""
    parts = [part_of(seed, int(i), evidence=True, drawn=False) for i in labeled]
    taught = labeled[np.array(parts) == "tune"]
    targets = np.eye(data.classes, dtype=np.float32)[data.labels[taught]]
    pictures = Pictures([paths[i] for i in taught], targets, False)
    with tempfile.TemporaryDirectory() as folder:
        tuner = Tuner(BACKBONES[LITE0], pictures, seed, Path(folder) / "state.pt", 2)
        while not tuner.turn(20):
            print(f"  step {tuner.step} of {tuner.steps}, loss {tuner.losses[-1:]}", flush=True)
        name = f"{LITE0}@{keep_weights(tuner.weights(), cache / 'models')}"
    config = backbone(name, cache / "models")
    out = np.zeros((len(paths), config.dim), dtype=np.float32)
    for at, rows, _ in features_of(paths, config, cache / "models", 2):
        out[at] = rows
    return out


def judge(data: Data, features: Floats, labeled: Ints, seed: int) -> tuple[float, float]:
    """(share right of the rest, share of the rest that its surest answers are right RIGHT of)."""
    rest = np.setdiff1d(np.arange(len(features)), labeled)
    sample = np.random.default_rng(seed).permutation(len(features))[:SAMPLE]
    targets = np.eye(data.classes, dtype=np.float32)[data.labels[labeled]]
    model = learn.train(
        features[labeled], targets, data.labels[labeled], features[sample], seed=seed, threads=2
    )
    own = learn.out_of_fold_logits(model, features[labeled])
    logits = learn.open_logits(model, features[rest], seed)
    chances = learn.softmax(logits, learn.calibrate(own, data.labels[labeled]))
    right = chances.argmax(axis=1) == data.gold[rest]
    shares = right[np.argsort(-chances.max(axis=1))].cumsum() / np.arange(1, len(rest) + 1)
    good = np.flatnonzero(shares >= RIGHT)
    return float(right.mean()), float((good[-1] + 1) / len(rest)) if len(good) else 0.0


def main(
    labels: Annotated[list[int] | None, typer.Option(help="How many (again for more).")] = None,
    seeds: Annotated[int, typer.Option(help="Draws of each.")] = 2,
    rate: Annotated[float, typer.Option(help="Highest learning rate.")] = finetune.LEARNING_RATE,
    cache: Annotated[Path, typer.Option(help="Features and models.")] = Path("/tmp/chorus-bench"),
) -> None:
    finetune.LEARNING_RATE = rate
    torch.set_num_threads(1)
    data = read("clothing", cache)
    with (DATA / "clothing" / "gold.csv").open() as lines:
        paths = [DATA / "clothing" / "images" / row["item"] for row in csv.DictReader(lines)]
    both = np.concatenate([data.features[LITE0], data.features[LITE2]], axis=1)
    print(f"| labels | seed | right before | after | {RIGHT:.0%} right before | after | took |")
    for n in labels or [300, 500, 1000]:
        for seed in range(1, seeds + 1):
            began = time.monotonic()
            labeled = np.sort(np.random.default_rng(seed).permutation(len(paths))[:n])
            tuned = tuned_features(data, paths, labeled, seed, cache)
            took = time.monotonic() - began
            before = judge(data, both, labeled, seed)
            after = judge(data, np.concatenate([both, tuned], axis=1), labeled, seed)
            print(
                f"| {n} | {seed} | {before[0]:.3f} | {after[0]:.3f} | {before[1]:.3f} |"
                f" {after[1]:.3f} | {took:.0f} s |",
                flush=True,
            )


if __name__ == "__main__":
    typer.run(main)
