"""`python -m bench.promise`: do prelabels keep their promise, over many simulated projects?

The rules are the product's own (ml/validate, domain/rounds); people and model are drawn. A project
has items of lasting difficulty, and a model that grows with the labels and is mistaken on the same
items again and again. A round comes with every 15 % more labels; prelabeled items are worked off
before others, so that what is left is harder and harder: the trap of a threshold that is taken from
all labels ("all labels" in the table).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from chorus.ml.validate import RISK, find_threshold
from chorus.server.domain.rounds import GROWTH, MIN_STEP

FIRST = 30
"""Labels of the first round."""


@dataclass(frozen=True)
class World:
    name: str
    items: int = 2000
    skill: float = 1.0
    """How fast the model grows."""
    wobble: float = 0.7
    """How much its confidence about one item changes from round to round."""


WORLDS = (
    World("quick"),
    World("slow", skill=0.5),
    World("steady", wobble=0.2),
    World("restless", wobble=1.5),
    World("slow and restless", skill=0.5, wobble=1.5),
    World("small and slow", items=500, skill=0.5),
    World("large", items=8000, skill=0.8),
)


def project(world: World, target: float, seed: int, survivors: bool = True) -> tuple[int, int]:
    """(prelabels shown, of these right) of one project."""
    rng = np.random.default_rng(seed)
    n = world.items
    ease = rng.normal(0.8, 1.2, n)
    fate = rng.random(n)
    order = rng.permutation(n)
    labeled = np.zeros(n, dtype=bool)
    blind = np.zeros(n, dtype=bool)
    easy = np.zeros(n, dtype=bool)
    shown = np.zeros(n, dtype=bool)
    hits = 0
    next_round, due = 0, FIRST
    while not labeled.all():
        # People work: what is prelabeled first, then in random order.
        todo = np.flatnonzero(shown & ~labeled)
        if not len(todo):
            todo = order[~labeled[order]]
            blind[todo[: due - next_round]] = True
        todo = todo[: due - next_round]
        labeled[todo] = True
        next_round = int(labeled.sum())
        if next_round < due:
            continue
        due = next_round + max(MIN_STEP, int(next_round * GROWTH))
        odds = world.skill * np.log(next_round / 8) * ease + rng.normal(0, world.wobble, n)
        chance = 1 / (1 + np.exp(-odds))
        right = fate < chance
        evidence = labeled & blind & (~easy if survivors else True)
        threshold = find_threshold(chance[evidence], right[evidence], target)
        if threshold is None:
            continue
        above = chance >= threshold
        new = above & ~labeled & ~shown
        # What a labeler sees is what the model says when the item becomes a prelabel.
        hits += int(right[new].sum())
        shown |= new
        easy |= above
    return int(shown.sum()), hits


def broken(world: World, target: float, projects: int, **how: Any) -> dict[str, float]:
    """Over many projects: the share that breaks its promise, accuracy over all, and mean share
    shown. A project that shows nothing breaks nothing."""
    shown, hits = np.array([project(world, target, seed, **how) for seed in range(projects)]).T
    return {
        "broken": float((hits < target * shown).mean()),
        "accuracy": float(hits.sum() / max(1, shown.sum())),
        "shown": float((shown / world.items).mean()),
    }


def main(
    projects: Annotated[int, typer.Option(help="Simulated projects of each kind.")] = 200,
    target: Annotated[float, typer.Option(help="Accuracy that prelabels must reach.")] = 0.95,
) -> None:
    """The share of projects whose prelabels, all taken together, were right less often than the
    target says. It must be at most the stated risk."""
    out = Table("projects", "broken", "accuracy", "shown", "all labels: broken", "accuracy",
                title=f"target {target}, risk {RISK}, {projects} projects each")  # fmt: skip
    for world in WORLDS:
        ours = broken(world, target, projects)
        naive = broken(world, target, projects, survivors=False)
        out.add_row(
            world.name, f"{ours['broken']:.3f}", f"{ours['accuracy']:.4f}", f"{ours['shown']:.3f}",
            f"{naive['broken']:.3f}", f"{naive['accuracy']:.4f}",
        )  # fmt: skip
    Console().print(out)


if __name__ == "__main__":
    typer.run(main)
