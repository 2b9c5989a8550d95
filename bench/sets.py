"""Label sets: how a set is best made from logits, and scored.

`python -m bench.sets` learns from n labels, drawn anew by each seed, and says sets of the rest, on
two problems made from ../shared/data/clothing: `tags` (six properties of a photo that follow from
its class) and `looks` (one to three photos seen as one, by the mean of their features; their
classes but one, so that some have none). Features as in bench.heads. The table is kept in
docs/features-and-heads.md.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from bench.heads import DATA, LITE0, LITE2, read
from chorus.ml import learn
from chorus.ml.sets import Rule, choose_cuts, fit_rule, fit_whole, joint_odds, sigmoid
from chorus.ml.validate import find_threshold

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Bools = NDArray[np.bool_]
TARGET = 0.9
TAGS = {
    "upper": "dress longsleeve outwear shirt t-shirt",
    "lower": "dress pants shorts skirt",
    "long": "dress longsleeve outwear pants",
    "light": "dress shorts skirt t-shirt",
    "feet": "shoes",
    "buttons": "outwear shirt",
}
LEFT_OUT = "t-shirt"
Problem = tuple[Floats, Bools]
"""(features (n, d), sets (n, c))"""


def problems(cache: Path) -> dict[str, Problem]:
    data = read("clothing", cache)
    rows = csv.DictReader((DATA / "clothing" / "gold.csv").open())
    names = sorted({r["label"] for r in rows})
    features = np.concatenate([data.features[b] for b in (LITE0, LITE2)], axis=1)
    tags = np.array([[names[g] in of.split() for of in TAGS.values()] for g in data.gold])
    return {"tags": (features, tags), "looks": _looks(features, data.gold, names)}


def _looks(features: Floats, gold: NDArray[np.int64], names: list[str]) -> Problem:
    """Each photo in one look at most, so that no labeled one has a part in an open one."""
    rng = np.random.default_rng(0)
    left = rng.permutation(len(gold))
    seen, sets = [], []
    while len(left) >= 3:
        count = int(rng.choice([1, 2, 3], p=[0.25, 0.5, 0.25]))
        members, left = left[:count], left[count:]
        seen.append(features[members].mean(axis=0))
        sets.append(np.isin(np.arange(len(names)), gold[members]))
    kept = np.array([name != LEFT_OUT for name in names])
    return np.array(seen, dtype=np.float32), np.array(sets)[:, kept]


@dataclass(frozen=True)
class Variant:
    """Another way from logits to sets: from what `fit_rule` finds, and their score."""

    rule: Callable[[Rule, Floats, Bools], Rule] = lambda rule, logits, truth: rule
    product: bool = False
    """The curve of scores over the log of the product of probabilities, not over its log-odds."""


def one_temperature(rule: Rule, logits: Floats, truth: Bools) -> Rule:
    flat = fit_rule(logits.reshape(-1, 1), truth.reshape(-1, 1))
    c = truth.shape[1]
    same = Rule(np.repeat(flat.slope, c), np.zeros(c), np.full(c, 0.5))
    return Rule(same.slope, same.shift, choose_cuts(same.probabilities(logits), truth))


def not_scaled(rule: Rule, logits: Floats, truth: Bools) -> Rule:
    c = truth.shape[1]
    same = Rule(np.ones(c), np.zeros(c), np.full(c, 0.5))
    return Rule(same.slope, same.shift, choose_cuts(same.probabilities(logits), truth))


def one_half(rule: Rule, logits: Floats, truth: Bools) -> Rule:
    return Rule(rule.slope, rule.shift, np.full(len(rule.cut), 0.5))


def best_f1(rule: Rule, logits: Floats, truth: Bools) -> Rule:
    p = rule.probabilities(logits)
    cuts = np.linspace(0.2, 0.8, 13)
    found = [max(cuts, key=lambda g: _f1(p[:, c] >= g, truth[:, c])) for c in range(p.shape[1])]
    return Rule(rule.slope, rule.shift, np.array(found))


def most_sets(rule: Rule, logits: Floats, truth: Bools) -> Rule:
    """Each class's cut, in turn, where most whole sets are right, be it by chance."""
    p = rule.probabilities(logits)
    cut = np.full(p.shape[1], 0.5)
    for c in list(range(len(cut))) * 3:
        others = (np.delete(p >= cut, c, 1) == np.delete(truth, c, 1)).all(axis=1)

        def right(g: float, c: int = c, others: Bools = others) -> tuple[int, float]:
            return int((((p[:, c] >= g) == truth[:, c]) & others).sum()), -abs(g - 0.5)

        cut[c] = max(np.linspace(0.2, 0.8, 13).tolist(), key=right)
    return Rule(rule.slope, rule.shift, cut)


VARIANTS = {
    "as it is": Variant(),
    "one temperature for all classes": Variant(one_temperature),
    "not scaled": Variant(not_scaled),
    "cuts at one half": Variant(one_half),
    "cuts by F1": Variant(best_f1),
    "cuts by sets, no test": Variant(most_sets),
    "scores by the product": Variant(product=True),
}


def _f1(said: Bools, true: Bools) -> float:
    return 2 * int((said & true).sum()) / max(1, int(said.sum()) + int(true.sum()))


def _loss(p: Doubles, true: Bools) -> float:
    p = np.clip(p, 1e-6, 1 - 1e-6)
    return float(-np.where(true, np.log(p), np.log(1 - p)).mean())


def measure(
    variant: Variant, unseen: Floats, truth: Bools, fold: NDArray[np.int64], fresh: Floats,
    gold: Bools,
) -> list[float]:  # fmt: skip
    """[sets right, F1 (mean over classes), log loss of a class, log loss of scores, share above
    our threshold, right of it] on the open items."""

    def fitted(logits: Floats, true: Bools) -> Rule:
        return variant.rule(fit_rule(logits, true), logits, true)

    # As chorus.ml.sets.cross_fit does it.
    own, sets = np.empty(unseen.shape), np.empty(unseen.shape, dtype=bool)
    for k in np.unique(fold):
        at = fold == k
        rule = fitted(unseen[~at], truth[~at])
        own[at] = rule.probabilities(unseen[at])
        sets[at] = rule.sets(own[at])
    rule = fitted(unseen, truth)
    p = rule.probabilities(fresh)
    said = rule.sets(p)
    right, hits = (sets == truth).all(axis=1), (said == gold).all(axis=1)
    odds, new = joint_odds(own, sets), joint_odds(p, said)
    if variant.product:
        odds, new = np.log(sigmoid(odds)), np.log(sigmoid(new))
    whole = fit_whole(odds, right)
    scores, mine = whole.scores(new), whole.scores(odds)
    threshold = find_threshold(mine, right, TARGET)
    above = scores >= (2.0 if threshold is None else threshold)
    return [
        float(hits.mean()),
        float(np.mean([_f1(said[:, c], gold[:, c]) for c in range(gold.shape[1])])),
        _loss(p, gold),
        _loss(scores, hits),
        float(above.mean()),
        float(hits[above].mean()) if above.any() else float("nan"),
    ]


def main(
    cache: Annotated[Path, typer.Option(help="Folder for features.")] = Path("/tmp/chorus-heads"),
    seeds: Annotated[int, typer.Option(help="Draws of the labels.")] = 5,
    sizes: Annotated[str, typer.Option(help="Numbers of labels.")] = "60,150,400",
) -> None:
    """A Markdown table; each cell: sets right / F1, mean over the classes."""
    made = problems(cache)
    cells = [(name, int(n)) for name in made for n in sizes.split(",")]
    found: dict[str, list[list[list[float]]]] = {title: [] for title in VARIANTS}
    for name, n in cells:
        features, sets = made[name]
        for title in VARIANTS:
            found[title].append([])
        for seed in range(seeds):
            order = np.random.default_rng(seed).permutation(len(sets))
            a, b = order[:n], order[n:]
            model = learn.train(
                features[a], sets[a].astype(np.float32), sets[a], features, seed=seed, threads=1
            )
            unseen = learn.out_of_fold_logits(model, features[a])
            fresh = learn.open_logits(model, features[b], seed)
            for title, variant in VARIANTS.items():
                found[title][-1].append(
                    measure(variant, unseen, sets[a], model.folds.fold[0], fresh, sets[b])
                )
    heads = [f"{name} {n}" for name, n in cells]
    columns = [*heads, "class log loss", "score log loss", "above", "right"]
    print("| variant | " + " | ".join(columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for title, rows in found.items():
        table = np.array(rows)
        means = [f"{a:.3f} / {f:.3f}" for a, f in table[:, :, :2].mean(axis=1)]
        ends = [f"{v:.3f}" for v in np.nanmean(table[:, :, 2:].reshape(-1, 4), axis=0)]
        print(f"| {title} | " + " | ".join([*means, *ends]) + " |", flush=True)


if __name__ == "__main__":
    typer.run(main)
