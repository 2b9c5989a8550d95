"""`python -m bench.choices`: which way of choosing what to label next is worth building.

Many ways beside each other, with a stand-in for the product's heads that takes a hundredth of the
time: logistic regression (scikit-learn) on the 128 directions that the heads look at. Everything
but the first labels is chosen, batches are 30 % of the labels there are. What won is in
ml/acquire.py, and measured with the real heads by bench.ordering; the table is in docs/ordering.md.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from bench.heads import LITE0, LITE2, directions, read

FIRST, LAST, GROWTH, TEST = 40, 700, 0.3, 500
Floats = NDArray[np.floating]
Ints = NDArray[np.int64]
Choice = Callable[[Floats, Floats, Floats, int, np.random.Generator], Ints]
"""(probabilities (n, c), places (n, k), places of labeled items (m, k), count, rng) -> positions"""


def margin(p: Floats) -> Floats:
    best = np.sort(p, axis=1)
    out: Floats = 1 - (best[:, -1] - best[:, -2])
    return out


def least(p: Floats) -> Floats:
    out: Floats = 1 - p.max(axis=1)
    return out


def entropy(p: Floats) -> Floats:
    out: Floats = -(p * np.log(p + 1e-9)).sum(axis=1)
    return out


def unit(x: Floats) -> Floats:
    out: Floats = x / np.linalg.norm(x, axis=1, keepdims=True)
    return out


def top(score: Callable[[Floats], Floats]) -> Choice:
    return lambda p, x, known, count, rng: np.argsort(-score(p), kind="stable")[:count]


def density(p: Floats, x: Floats, known: Floats, count: int, rng: np.random.Generator) -> Ints:
    """Margin times the mean likeness of the twenty nearest (Settles & Craven, 2008)."""
    u = unit(x)
    near = np.sort(u @ u.T, axis=1)[:, -21:-1].mean(axis=1)
    return np.argsort(-margin(p) * np.maximum(near, 0), kind="stable")[:count]


def farthest(from_known: bool) -> Choice:
    """Greedy, margin times distance from those chosen (k-center, Sener & Savarese, 2018)."""

    def choose(p: Floats, x: Floats, known: Floats, count: int, rng: np.random.Generator) -> Ints:
        u, worth = unit(x), margin(p)
        apart = np.full(len(u), 2.0)
        if from_known:
            apart = 1 - (u @ unit(known).T).max(axis=1)
        out: list[int] = []
        for _ in range(count):
            worth[out] = -1.0
            out.append(int((worth * np.maximum(apart, 1e-6)).argmax()))
            apart = np.minimum(apart, 1 - u @ u[out[-1]])
        return np.array(out)

    return choose


def groups(beta: int) -> Choice:
    """k-means among `beta` times as many of the smallest margin (Zhdanov, 2019)."""

    def choose(p: Floats, x: Floats, known: Floats, count: int, rng: np.random.Generator) -> Ints:
        doubt = margin(p)
        some = np.argsort(-doubt, kind="stable")[: beta * count]
        k = min(count, len(some))
        found = KMeans(k, n_init=1, random_state=0).fit(unit(x[some]), sample_weight=doubt[some])
        far = np.square(unit(x[some]) - found.cluster_centers_[found.labels_]).sum(axis=1)
        out = [some[np.where(found.labels_ == g, far, np.inf).argmin()] for g in range(k)]
        return np.unique(np.array(out))

    return choose


def badge(p: Floats, x: Floats, known: Floats, count: int, rng: np.random.Generator) -> Ints:
    """k-means++ over the gradients of the last layer (Ash et al., 2020)."""
    slope = p - np.eye(p.shape[1])[p.argmax(axis=1)]
    size = np.square(slope).sum(axis=1) * np.square(x).sum(axis=1)
    out = [int(size.argmax())]
    apart = size.astype(np.float64)
    while len(out) < count:
        last = out[-1]
        inner = (slope @ slope[last]) * (x @ x[last])
        apart = np.minimum(apart, np.maximum(size + size[last] - 2 * inner, 0))
        apart[out] = 0
        out.append(int(rng.choice(len(p), p=apart / apart.sum())))
    return np.array(out)


CHOICES: dict[str, Choice] = {
    "random": lambda p, x, known, count, rng: rng.permutation(len(p))[:count],
    "margin": top(margin),
    "least confidence": top(least),
    "entropy": top(entropy),
    "margin, in dense places": density,
    "margin, far from each other": farthest(False),
    "the same, and from labeled ones": farthest(True),
    "BADGE": badge,
    "margin, 5 candidates a group": groups(5),
    "margin, 10 candidates a group": groups(10),
}


def curve(x: Floats, gold: Ints, choice: Choice, seed: int) -> list[float]:
    """Test accuracy after each batch."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(gold))
    test, pool = order[:TEST], order[TEST:]
    labeled = pool[:FIRST]
    out = []
    while True:
        model = LogisticRegression(C=0.01, max_iter=60).fit(x[labeled], gold[labeled])
        out.append(float((model.predict(x[test]) == gold[test]).mean()))
        if len(labeled) >= LAST:
            return out
        rest = np.setdiff1d(pool, labeled)
        p = np.full((len(rest), gold.max() + 1), 1e-6)
        p[:, model.classes_] = model.predict_proba(x[rest])
        count = max(10, int(len(labeled) * GROWTH))
        some = rest[choice(p, x[rest], x[labeled], count, rng)]
        labeled = np.concatenate([labeled, some])


def main(
    cache: Annotated[Path, typer.Option(help="Folder for features.")] = Path("/tmp/chorus-heads"),
    seeds: Annotated[int, typer.Option(help="Draws of test set and first labels.")] = 10,
) -> None:
    """A Markdown table: mean accuracy over the whole curve, its gain and the gain's standard
    error over the seeds."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    sets = {}
    for name in ("clothing", "cifar10n"):
        data = read(name, cache)
        sets[name] = directions([data.features[b] for b in (LITE0, LITE2)], 1), data.gold
    print("| | " + " | ".join(sets) + " |")
    print("|---" * (len(sets) + 1) + "|")
    base: dict[str, Floats] = {}
    for title, choice in CHOICES.items():
        cells = []
        for name, (x, gold) in sets.items():
            found = np.array([np.mean(curve(x, gold, choice, seed)) for seed in range(seeds)])
            gain = found - base.setdefault(name, found)
            error = gain.std(ddof=1) / np.sqrt(seeds)
            cells.append(f"{found.mean():.4f} ({gain.mean():+.4f} ± {error:.4f})")
        print(f"| {title} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    typer.run(main)
