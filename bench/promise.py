"""`python -m bench.promise`: do prelabels keep their promise, over many simulated projects?

The rules are the product's own (ml/validate, domain/rounds); people and model are drawn. A project
has items of lasting difficulty, and a model that grows with the labels and is mistaken on the same
items again and again. A round comes with every 15 % more labels; prelabeled items are worked off
before others, so that what is left is harder and harder: the trap of a threshold that is taken from
all labels ("all labels" in the table). `ordering`: every second item labeled by hand is one that
the model is in doubt about. With `--multilabel`, items have sets of classes
(bench/promise_sets.py), and a prelabel is right when all of its set is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from bench.promise_sets import SET_WORLDS, SetModel, SetWorld
from chorus.ml.acquire import batch_size
from chorus.ml.validate import RISK, find_threshold
from chorus.server.domain.ordering import interleave
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
    blur: float = 0.0
    """How far its confidence about one item is off for good."""


WORLDS = (
    World("quick"),
    World("slow", skill=0.5),
    World("steady", wobble=0.2),
    World("restless", wobble=1.5),
    World("slow and restless", skill=0.5, wobble=1.5),
    World("small and slow", items=500, skill=0.5),
    World("large", items=8000, skill=0.8),
    World("misjudging", blur=4.0),
)


class ClassModel:
    """What a growing model says of all items, in each round."""

    def __init__(self, world: World, rng: np.random.Generator) -> None:
        self._world, self._rng = world, rng
        self._ease = rng.normal(0.8, 1.2, world.items)
        self._fate = rng.random(world.items)
        self._blur = rng.normal(0, world.blur, world.items) if world.blur else 0.0

    def round(
        self, labels: int, labeled: NDArray[np.bool_], evidence: NDArray[np.bool_], target: float
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
        """(score, whether it is right, whether it would be prelabeled) of each item."""
        world = self._world
        noise = self._rng.normal(0, world.wobble, world.items)
        odds = world.skill * np.log(labels / 8) * self._ease + noise
        right = self._fate < 1 / (1 + np.exp(-odds))
        chance = 1 / (1 + np.exp(-odds - self._blur))
        threshold = find_threshold(chance[evidence], right[evidence], target)
        above = chance >= (np.inf if threshold is None else threshold)
        return chance, right, above


def project(
    world: World | SetWorld, target: float, seed: int, survivors: bool = True, choice: str = "",
    blind: bool = True,
) -> tuple[int, int]:  # fmt: skip
    """(prelabels shown, of these right) of one project.

    survivors, blind: whether evidence leaves out what an earlier round would have prelabeled, and
    what the model chose. choice: of every two items labeled by hand, one is the model's: one in
    `doubt`, or (no ordering does that) a `sure` one.
    """
    rng = np.random.default_rng(seed)
    n = world.items
    model = SetModel(world, rng) if isinstance(world, SetWorld) else ClassModel(world, rng)
    order = rng.permutation(n)
    labeled = np.zeros(n, dtype=bool)
    evident = np.zeros(n, dtype=bool)
    easy = np.zeros(n, dtype=bool)
    shown = np.zeros(n, dtype=bool)
    chance = np.zeros(n)
    hits = 0
    next_round, due = 0, FIRST
    while not labeled.all():
        # People work: what is prelabeled first, then in the order of chance and choice.
        todo = np.flatnonzero(shown & ~labeled)
        if not len(todo):
            todo = order[~labeled[order]]
            by_choice = np.zeros(n, dtype=bool)
            if choice and chance.any():
                want = chance if choice == "doubt" else -chance
                batch = todo[np.argsort(want[todo], kind="stable")][: batch_size(next_round)]
                mixed = interleave(todo.tolist(), batch.tolist())
                by_choice[[item for item, chosen in mixed if chosen]] = True
                front = np.array([item for item, _ in mixed])
                todo = np.concatenate([front, todo[~np.isin(todo, front)]])
            some = todo[: due - next_round]
            evident[some] = ~by_choice[some] if blind else True
        todo = todo[: due - next_round]
        labeled[todo] = True
        next_round = int(labeled.sum())
        if next_round < due:
            continue
        due = next_round + max(MIN_STEP, int(next_round * GROWTH))
        evidence = labeled & evident & (~easy if survivors else True)
        chance, right, above = model.round(next_round, labeled, evidence, target)
        new = above & ~labeled & ~shown
        # What a labeler sees is what the model says when the item becomes a prelabel.
        hits += int(right[new].sum())
        shown |= new
        easy |= above
    return int(shown.sum()), hits


def broken(world: World | SetWorld, target: float, projects: int, **how: Any) -> dict[str, float]:
    """Over many projects: the share that breaks its promise, accuracy over all, and mean share
    shown. A project that shows nothing breaks nothing."""
    shown, hits = np.array([project(world, target, seed, **how) for seed in range(projects)]).T
    return {
        "broken": float((hits < target * shown).mean()),
        "accuracy": float(hits.sum() / max(1, shown.sum())),
        "shown": float((shown / world.items).mean()),
    }


RULES: dict[str, dict[str, Any]] = {
    "as it is": {},
    "all labels": {"survivors": False},
    "ordering": {"choice": "doubt"},
    "ordering, chosen ones too": {"choice": "doubt", "blind": False},
    "sure ones chosen": {"choice": "sure"},
}
"""The last is what the evidence could not stand: an ordering that takes the easy ones away."""


def main(
    projects: Annotated[int, typer.Option(help="Simulated projects of each kind.")] = 200,
    target: Annotated[float, typer.Option(help="Accuracy that prelabels must reach.")] = 0.95,
    only: Annotated[str, typer.Option(help="Rules whose name contains this.")] = "",
    multilabel: Annotated[bool, typer.Option(help="Labels are sets of classes.")] = False,
) -> None:
    """The share of projects whose prelabels, all taken together, were right less often than the
    target says. It must be at most the stated risk. A cell: broken / accuracy / share shown."""
    rules = {name: how for name, how in RULES.items() if only in name}
    out = Table("projects", *rules, title=f"target {target}, risk {RISK}, {projects} projects each")
    for world in SET_WORLDS if multilabel else WORLDS:
        cells = []
        for how in rules.values():
            found = broken(world, target, projects, **how)
            cells.append(f"{found['broken']:.3f} / {found['accuracy']:.4f} / {found['shown']:.3f}")
        out.add_row(world.name, *cells)
    Console(width=160).print(out)


if __name__ == "__main__":
    typer.run(main)
