"""`python -m bench.bursts`: does the threshold hold where pictures come in bursts?

Drawn features, the product's own heads, pages and threshold. A few items are labeled by chance;
then whole clustered pages of the model that these give, or as many by chance; then comes the round
that is judged, once with rows dealt into folds one by one and once with near-twins together
(chorus/ml/twins.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from chorus.ml import answers, learn
from chorus.ml.card import limits_of, make_card
from chorus.ml.cluster import ClassViews, make_blocks

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
CLASSES, DIM = 8, 32
SPREAD = 1.8
"""How unlike the things of one class are."""
FIRST = 60
"""Labels of the first round."""


@dataclass(frozen=True)
class World:
    name: str
    burst: int = 9
    """Items that show the same thing."""
    alone: float = 0.0
    """Share of the items that are in no burst."""
    items: int = 2700

    def draw(self, rng: np.random.Generator) -> tuple[Floats, Ints]:
        """(features, classes), in random order."""
        bursts = int(self.items * (1 - self.alone)) // self.burst
        alone = self.items - bursts * self.burst
        times = np.concatenate([np.full(bursts, self.burst), np.ones(alone, dtype=int)])
        classes = rng.integers(CLASSES, size=len(times))
        things = rng.normal(size=(CLASSES, DIM))[classes]
        things += SPREAD * rng.normal(size=things.shape)
        features = np.repeat(things, times, axis=0)
        features += 0.25 * rng.normal(size=features.shape)
        order = rng.permutation(self.items)
        return features[order].astype(np.float32), np.repeat(classes, times)[order]


WORLDS = (
    World("bursts of 9"),
    World("bursts of 30", burst=30),
    World("half in bursts of 9", alone=0.5),
    World("no bursts", burst=1),
)


@dataclass(frozen=True)
class Found:
    """Of one round."""

    own: float
    """Accuracy out of fold."""
    true: float
    """Accuracy on open items."""
    shown: int
    """Open items from the threshold on …"""
    right: int
    """… and how many of them are right."""


def _learned(
    features: Floats, classes: Ints, known: Ints, rest: Ints, seed: int, together: bool
) -> learn.Model:
    rng = np.random.default_rng(seed)
    return learn.train(
        features[known], np.eye(CLASSES, dtype=np.float32)[classes[known]], classes[known],
        features[rng.permutation(len(features))[:2048]],
        evidence=np.ones(len(known), dtype=bool) if together else None,
        fresh=features[rng.permutation(rest)[:1024]] if together else None,
        seed=seed, threads=2,
    )  # fmt: skip


def _said(
    model: learn.Model, features: Floats, classes: Ints, known: Ints, rest: Ints, seed: int
) -> tuple[answers.Answers, answers.Answers]:
    """What is said of the labeled items, and of the open ones."""
    logits = learn.out_of_fold_logits(model, features[known])
    temperature = learn.calibrate(logits, classes[known])
    fresh = learn.open_logits(model, features[rest], seed)
    own, others = (learn.softmax(some, temperature) for some in (logits, fresh))
    return answers.one_class(own), answers.one_class(others)


def rounds(world: World, labels: int, target: float, seed: int, pages: bool) -> tuple[Found, Found]:
    """What the round of one project finds: (rows one by one, near-twins together)."""
    rng = np.random.default_rng(seed)
    features, classes = world.draw(rng)
    order = rng.permutation(world.items)
    known, rest = order[:FIRST], order[FIRST:]
    if pages:
        model = _learned(features, classes, known, rest, seed, False)
        views = ClassViews(_said(model, features, classes, known, rest, seed)[1].probabilities)
        blocks = make_blocks(learn.embed(model, features[rest]), views, seed, 1)
        rest = rest[np.lexsort((blocks.pos, blocks.block))]
    known, rest = np.concatenate([known, rest[: labels - FIRST]]), rest[labels - FIRST :]
    out = []
    for together in (False, True):
        model = _learned(features, classes, known, rest, seed, together)
        own, others = _said(model, features, classes, known, rest, seed)
        said = own.sets.argmax(axis=1)
        card = make_card(
            own.scores, said, classes[known], np.ones(labels, dtype=bool), CLASSES, target
        )
        right = others.sets.argmax(axis=1) == classes[rest]
        above = others.scores >= limits_of(card, others.sets)
        out.append(
            Found(
                float((said == classes[known]).mean()), float(right.mean()), int(above.sum()),
                int(right[above].sum()),
            )
        )  # fmt: skip
    return out[0], out[1]


def main(
    projects: Annotated[int, typer.Option(help="Projects of each kind.")] = 20,
    labels: Annotated[int, typer.Option(help="Labels of the round that is judged.")] = 400,
    target: Annotated[float, typer.Option(help="Accuracy that prelabels must reach.")] = 0.95,
    only: Annotated[str, typer.Option(help="Kinds whose name contains this.")] = "",
    by_chance: Annotated[bool, typer.Option(help="No clustered pages.")] = False,
) -> None:
    """A Markdown table. A cell: share of the rounds whose prelabels are right less often than the
    target / accuracy of all prelabels / share shown; accuracy that the model has by its own card
    and on open items."""
    print("| items | one by one | near-twins together |")
    print("|---|---|---|")
    for world in WORLDS:
        if only not in world.name:
            continue
        pairs = [rounds(world, labels, target, seed, not by_chance) for seed in range(projects)]
        ways = ([pair[at] for pair in pairs] for at in (0, 1))
        cells = " | ".join(_cell(way, world.items - labels, target) for way in ways)
        print(f"| {world.name} | {cells} |", flush=True)


def _cell(found: list[Found], open_: int, target: float) -> str:
    shown, right = (np.array([getattr(f, name) for f in found]) for name in ("shown", "right"))
    own, true = (float(np.mean([getattr(f, name) for f in found])) for name in ("own", "true"))
    accuracy = f"{right.sum() / shown.sum():.3f}" if shown.any() else "–"
    return (
        f"{(right < target * shown).mean():.2f} / {accuracy} / {(shown / open_).mean():.3f};"
        f" {own:.2f}, {true:.2f}"
    )


if __name__ == "__main__":
    typer.run(main)
