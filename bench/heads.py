"""What makes a better head: variants of features, heads and calibration beside each other.

`python -m bench.heads` computes the features of ../shared/data/{clothing,cifar10n} once into
`--cache` (minutes), then trains each variant on n labels, drawn anew by each seed, and scores the
rest. cifar10n is learned from its people's first votes, of which about one in eight is wrong, and
judged by its gold labels. The table is kept in docs/features-and-heads.md.
"""

from __future__ import annotations

import csv
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray

from chorus.ml import featurize, head
from chorus.ml.backbones import BACKBONES
from chorus.ml.basis import SAMPLE, fit_basis
from chorus.ml.folds import FOLDS, REPEATS, Folds, make_folds, scorers
from chorus.ml.head import fit_temperature, softmax
from chorus.ml.store import Features, FeatureStore
from chorus.ml.validate import find_threshold

DATA = Path(__file__).parents[2] / "shared" / "data"
TARGET = 0.95
Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Logits = Callable[[Floats, int], Floats]
"""(rows (n, k), head) -> (n, c)"""
Head = Callable[[Floats, Floats, NDArray[np.bool_], int], Logits]
"""(rows (n, k), targets (n, c), masks (m, n), seed)"""
Space = Callable[[list[Floats], int], Floats]
"""(features of each backbone (n, d), seed) -> (n, k) that heads look at"""
LITE0, LITE2 = "efficientnet_lite0", "efficientnet_lite2"


@dataclass(frozen=True)
class Variant:
    space: Space
    head: Head
    backbones: tuple[str, ...] = (LITE0, LITE2)
    calibrate: str = "temperature"


@dataclass
class Data:
    features: dict[str, Floats]
    gold: Ints
    labels: Ints
    """What the heads learn from."""
    classes: int


def read(name: str, cache: Path) -> Data:
    """One of the two data sets with its features, made when the cache has none."""
    folder = DATA / name
    rows = list(csv.DictReader((folder / "gold.csv").open()))
    classes = sorted({r["label"] for r in rows})
    gold = np.array([classes.index(r["label"]) for r in rows])
    labels = gold
    if (folder / "votes.csv").exists():
        votes = csv.DictReader((folder / "votes.csv").open())
        first = {v["item"]: classes.index(v["label"]) for v in votes if v["nth"] == "1"}
        labels = np.array([first[r["item"]] for r in rows])
    paths = [folder / "images" / r["item"] for r in rows]
    hashes = [hashlib.sha256(p.read_bytes()).hexdigest() for p in paths]
    features = {}
    for backbone in (LITE0, LITE2):
        config = BACKBONES[backbone]
        featurize.featurize(
            hashes, paths, FeatureStore(cache / "features", backbone, config.dim), config,
            cache / "models", 2, lambda share: None,
        )  # fmt: skip
        features[backbone] = Features(cache / "features", backbone).get(hashes)[0]
    return Data(features, gold, labels, len(classes))


# -- what the heads look at


def standardised(parts: list[Floats], seed: int, power: float = 1.0) -> Floats:
    """All features, each with mean 0 and deviation 1."""
    x = np.concatenate([np.sign(p) * np.abs(p) ** power for p in parts], axis=1)
    out: Floats = ((x - x.mean(axis=0)) / (x.std(axis=0) + 1e-2)).astype(np.float32)
    return out


def directions(
    parts: list[Floats], seed: int, width: int = 128, power: float = 1.0, whiten: float = 0.0,
    turn: bool = True,
) -> Floats:  # fmt: skip
    """`fit_basis`, as the product does it. whiten: 0 keeps the components' proportions, 1 makes
    all alike; turn: a random rotation after it."""
    x = np.concatenate([np.sign(p) * np.abs(p) ** power for p in parts], axis=1)
    mean, basis = fit_basis(x[:SAMPLE], seed, width)
    seen = (x - mean) @ basis
    if whiten == 0.0 and turn:
        return seen
    values, vectors = np.linalg.eigh(seen.T @ seen / len(seen))
    seen = seen @ vectors / values ** (whiten / 2)
    if turn:
        rng = np.random.default_rng(seed)
        seen = seen @ np.linalg.qr(rng.standard_normal((width, width)))[0]
    out: Floats = (seen / np.sqrt(np.square(seen).mean())).astype(np.float32)
    return out


# -- heads


def network(
    rows: Floats, targets: Floats, masks: NDArray[np.bool_], seed: int, **changed: Any
) -> Logits:
    """The product's own, with some of its constants changed."""
    kept = {name: getattr(head, name) for name in changed}
    try:
        for name, value in changed.items():
            setattr(head, name, value)
        k = rows.shape[1]
        same = np.zeros(k, dtype=np.float32), np.eye(k, dtype=np.float32)
        return head.fit(rows, targets, masks, *same, seed=seed, threads=1).logits
    finally:
        for name, value in kept.items():
            setattr(head, name, value)


def ridge(
    rows: Floats, targets: Floats, masks: NDArray[np.bool_], seed: int, penalty: float = 1.0,
    scale: float = 8.0,
) -> Logits:  # fmt: skip
    """Least squares on the one-hot labels, in closed form."""
    solved = []
    for mask in masks:
        x, y = rows[mask], targets[mask]
        inner = x @ x.T / rows.shape[1] + penalty * np.eye(len(x), dtype=np.float32)
        mean = y.mean(axis=0)
        solved.append((x.T @ np.linalg.solve(inner, y - mean) / rows.shape[1], mean))
    return lambda x, m: ((x @ solved[m][0] + solved[m][1]) * scale).astype(np.float32)


def nearest(
    rows: Floats, targets: Floats, masks: NDArray[np.bool_], seed: int, sharp: float = 20.0
) -> Logits:
    """Labels of all rows, weighted by exp(sharp * cosine)."""
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def logits(x: Floats, m: int) -> Floats:
        near = x / np.linalg.norm(x, axis=1, keepdims=True) @ unit[masks[m]].T
        weight = np.exp(sharp * (near - near.max(axis=1, keepdims=True)))
        share = weight @ targets[masks[m]] / weight.sum(axis=1, keepdims=True)
        out: Floats = np.log(share + 0.01).astype(np.float32)
        return out

    return logits


def mixed(
    rows: Floats, targets: Floats, masks: NDArray[np.bool_], seed: int, alpha: float = 0.2,
    times: int = 4,
) -> Logits:  # fmt: skip
    """The product's own, learning from rows between rows as well (mixup, Zhang et al., 2018, on
    features): `times` as many as there are, of pairs that a head may see both of."""
    rng = np.random.default_rng(seed)
    n = len(rows)
    one, two = rng.integers(n, size=(2, times * n))
    part = rng.beta(alpha, alpha, size=(times * n, 1)).astype(np.float32)

    def mix(of: Floats) -> Floats:
        return np.concatenate([of, part * of[one] + (1 - part) * of[two]])

    seen = np.concatenate([masks, masks[:, one] & masks[:, two]], axis=1)
    # As many steps as without.
    return network(mix(rows), mix(targets), seen, seed, PASSES=head.PASSES / (1 + 0.64 * times))


def deeper(
    rows: Floats, targets: Floats, masks: NDArray[np.bool_], seed: int, layers: int = 2
) -> Logits:
    """Hidden layers one after the other, as wide as the product's only one and trained alike."""
    rng = torch.Generator().manual_seed(seed)
    m, c = len(masks), targets.shape[1]
    widths = [rows.shape[1], *[head.HIDDEN] * layers, c]
    weights = [
        (torch.randn(m, a, b, generator=rng) * (1 / a) ** 0.5).requires_grad_()
        for a, b in pairwise(widths)
    ]
    biases = [torch.zeros(m, 1, b, requires_grad=True) for b in widths[1:]]
    x = torch.from_numpy(rows)
    y = torch.from_numpy(targets) * (1 - head.SMOOTHING) + head.SMOOTHING / c
    picks = [torch.from_numpy(np.flatnonzero(mask)) for mask in masks]
    least = min(len(r) for r in picks)
    batch = min(head.BATCH, least)
    steps = int(np.clip(head.PASSES * least / batch, head.STEPS_MIN, head.STEPS_MAX))
    optimizer = torch.optim.AdamW(
        [
            {"params": weights, "weight_decay": head.WEIGHT_DECAY},
            {"params": biases, "weight_decay": 0.0},
        ],
        lr=head.LEARNING_RATE,
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        picked = torch.stack([r[torch.randint(len(r), (batch,), generator=rng)] for r in picks])
        z = x[picked]
        for depth, (w, b) in enumerate(zip(weights, biases, strict=True)):
            z = torch.baddbmm(b, z, w)
            if depth < layers:
                keep = torch.rand(z.shape, generator=rng) >= head.DROPOUT
                z = torch.relu(z) * keep / (1 - head.DROPOUT)
        loss = -(y[picked] * torch.log_softmax(z, dim=2)).sum(dim=2).mean(dim=1).sum()
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
    done = [(w.detach().numpy(), b.detach().numpy()) for w, b in zip(weights, biases, strict=True)]

    def logits(some: Floats, head_number: int) -> Floats:
        for depth, (w, b) in enumerate(done):
            some = some @ w[head_number] + b[head_number]
            some = np.maximum(some, 0) if depth < layers else some
        return some

    return logits


def mean_of(a: Head, b: Head, weight: float = 0.5) -> Head:
    """Logits of two heads, averaged."""

    def fit(rows: Floats, targets: Floats, masks: NDArray[np.bool_], seed: int) -> Logits:
        one, two = a(rows, targets, masks, seed), b(rows, targets, masks, seed)
        return lambda x, m: (1 - weight) * one(x, m) + weight * two(x, m)

    return fit


def by_vector(logits: Floats, labels: Ints, strength: float = 0.1) -> Callable[[Floats], Floats]:
    """A factor and a shift for each class (vector scaling, Guo et al. 2017), by L-BFGS, held
    near 1 and 0 by `strength`."""
    z, y = torch.from_numpy(logits), torch.from_numpy(labels)
    w = torch.ones(logits.shape[1], requires_grad=True)
    b = torch.zeros(logits.shape[1], requires_grad=True)
    optimizer = torch.optim.LBFGS([w, b], max_iter=50)

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        held = strength * ((w - 1).square().mean() + b.square().mean())
        out = torch.nn.functional.cross_entropy(z * w + b, y) + held
        out.backward()
        return out

    optimizer.step(loss)
    factor, shift = w.detach().numpy(), b.detach().numpy()
    return lambda some: softmax(some * factor + shift)


BASE = Variant(directions, network)
VARIANTS = {
    "as it is": BASE,
    "lite0 alone": Variant(directions, network, (LITE0,)),
    "lite2 alone": Variant(directions, network, (LITE2,)),
    "256 directions": Variant(partial(directions, width=256), network),
    "64 directions": Variant(partial(directions, width=64), network),
    "not rotated": Variant(partial(directions, turn=False), network),
    "half whitened": Variant(partial(directions, whiten=0.5), network),
    "square roots of the features": Variant(partial(directions, power=0.5), network),
    "wider: 256 hidden": Variant(directions, partial(network, HIDDEN=256)),
    "half the steps": Variant(directions, partial(network, PASSES=20, STEPS_MIN=75, STEPS_MAX=250)),
    **{
        f"weight decay {decay}": Variant(directions, partial(network, WEIGHT_DECAY=decay))
        for decay in (0.05, 1.0, 10.0)
    },
    "more dropout: 0.5": Variant(directions, partial(network, DROPOUT=0.5)),
    "no smoothing": Variant(directions, partial(network, SMOOTHING=0.0)),
    "mixup": Variant(directions, mixed),
    "mixup, alpha 1": Variant(directions, partial(mixed, alpha=1.0)),
    "two hidden layers": Variant(directions, deeper),
    "no hidden layer": Variant(directions, partial(deeper, layers=0)),
    "ridge": Variant(directions, ridge),
    "nearest neighbours": Variant(directions, nearest),
    "with ridge": Variant(directions, mean_of(network, ridge)),
    "with nearest neighbours": Variant(directions, mean_of(network, nearest)),
    "vector scaling": Variant(directions, network, calibrate="vector"),
    "lite0 alone, all its features (before)": Variant(
        standardised, partial(network, LEARNING_RATE=2e-3, WEIGHT_DECAY=0.05), (LITE0,)
    ),
    "both, all features, not reduced": Variant(
        standardised, partial(network, LEARNING_RATE=2e-3, WEIGHT_DECAY=0.05)
    ),
}


# -- measuring


def measure(data: Data, variant: Variant, rows: Floats, n: int, seed: int) -> list[float]:
    """[accuracy, oracle coverage, coverage by our threshold, accuracy above it, log loss, CPU
    seconds of the training] on the items that have no label."""
    order = np.random.default_rng(seed).permutation(len(data.gold))
    labeled, rest = order[:n], order[n:]
    known, fresh, labels = rows[labeled], rows[rest], data.labels[labeled]
    folds = make_folds(labels, seed)
    targets = np.eye(data.classes, dtype=np.float32)[labels]
    began = time.process_time()
    logits_of = variant.head(known, targets, folds.masks(), seed)
    seconds = time.process_time() - began
    unseen, scored = _score(logits_of, folds, known, fresh, data.classes, seed)
    if variant.calibrate == "vector":
        calibrated = by_vector(unseen, labels)
    else:
        calibrated = partial(softmax, temperature=fit_temperature(unseen, labels))
    p, q = calibrated(unseen), calibrated(scored)
    gold = data.gold[rest]
    right, score = q.argmax(axis=1) == gold, q.max(axis=1)
    shares = np.cumsum(right[np.argsort(-score)]) / np.arange(1, len(right) + 1)
    enough = np.flatnonzero(shares >= TARGET)
    threshold = find_threshold(p.max(axis=1).astype(float), p.argmax(axis=1) == labels, TARGET)
    above = score >= (2.0 if threshold is None else threshold)
    loss = -np.log(np.maximum(q[np.arange(len(gold)), gold], 1e-6)).mean()
    return [
        float(right.mean()),
        (enough.max() + 1) / len(right) if len(enough) else 0.0,
        float(above.mean()),
        float(right[above].mean()) if above.any() else float("nan"),
        float(loss),
        seconds,
    ]


def _score(
    logits_of: Logits, folds: Folds, known: Floats, fresh: Floats, classes: int, seed: int
) -> tuple[Floats, Floats]:
    """As chorus/ml/learn.py scores labeled and open items."""
    unseen = np.zeros((len(known), classes), dtype=np.float32)
    scored = np.zeros((len(fresh), classes), dtype=np.float32)
    chosen = scorers(len(fresh), seed)
    for m in range(REPEATS * FOLDS):
        at = folds.fold[m // FOLDS] == m % FOLDS
        unseen[at] += logits_of(known[at], m) / REPEATS
        at = (chosen == m).any(axis=0)
        scored[at] += logits_of(fresh[at], m) / REPEATS
    return unseen, scored


def main(
    cache: Annotated[Path, typer.Option(help="Folder for features.")] = Path("/tmp/chorus-heads"),
    seeds: Annotated[int, typer.Option(help="Draws of the labels.")] = 5,
    sizes: Annotated[str, typer.Option(help="Numbers of labels.")] = "100,200,400,800",
    only: Annotated[str, typer.Option(help="Variants whose name contains one of these.")] = "",
) -> None:
    """A Markdown table; each cell: accuracy / oracle coverage at 95 % / by our threshold."""
    torch.set_num_threads(1)
    counts = [int(n) for n in sizes.split(",")]
    sets = {name: read(name, cache) for name in ("clothing", "cifar10n")}
    heads = [f"{name} {n}" for name in sets for n in counts]
    print("| variant | " + " | ".join(heads) + " | log loss | kept | s |")
    print("|---" * (len(heads) + 4) + "|")
    spaces: dict[Any, Floats] = {}
    for title, variant in VARIANTS.items():
        if not any(part in title for part in only.split("|")):
            continue
        cells, losses, kept, spent = [], [], [], []
        for name, data in sets.items():
            # What the heads look at needs no labels, so it is the same for all draws of them.
            key = (name, variant.space, variant.backbones)
            if key not in spaces:
                parts = [data.features[b] for b in variant.backbones]
                spaces[key] = variant.space(parts, 0)
            for n in counts:
                found = np.array(
                    [measure(data, variant, spaces[key], n, seed) for seed in range(seeds)]
                )
                a, oracle, ours, _, loss, seconds = found.mean(axis=0)
                cells.append(f"{a:.3f} / {oracle:.2f} / {ours:.2f}")
                losses.append(loss)
                kept += found[~np.isnan(found[:, 3]), 3].tolist()
                spent.append(seconds)
        held = f"{np.mean(kept):.3f}" if kept else "–"
        print(
            f"| {title} | " + " | ".join(cells)
            + f" | {np.mean(losses):.3f} | {held} | {np.mean(spent):.2f} |",
            flush=True,
        )  # fmt: skip


if __name__ == "__main__":
    typer.run(main)
