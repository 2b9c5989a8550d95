"""`python -m bench.shapes gold.coco.json`: boxes of one person, and of several merged.

People are those of `chorus simulate` (chorus/simulate/drawing.py). F1 counts boxes of all pictures
at an overlap of 0.5, of the same class. The last two columns check what a label's confidence says:
the chance that one more person says of a shape what the label says, beside how often one does.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from chorus.server.consensus.shapes import merge_shapes
from chorus.server.geometry import Shape
from chorus.server.matching import Score, pair, score
from chorus.simulate.boxes import Box, GoldBoxes, read_gold_boxes
from chorus.simulate.drawing import Drawers, Habits

IOU = 0.5


def shapes_of(boxes: Sequence[Box], gold: GoldBoxes) -> list[Shape]:
    return [Shape(gold.classes.index(b.name), b.box) for b in boxes]


def run(
    gold: GoldBoxes, names: Sequence[str], people: int, habits: Habits, seed: int
) -> tuple[Score, Score, float, float]:
    """(one person's, the label's, mean confidence, how often one more person said the same)."""
    drawers = Drawers(gold, habits, seed)
    one, label = Score(), Score()
    confidence = said = 0.0
    for name in names:
        picture = gold.get(name)
        works = [drawers.work(person, name, None) for person in range(people + 1)]
        *votes, another = [shapes_of(w.boxes, gold) for w in works if w is not None]
        truth = shapes_of(picture.boxes if picture is not None else (), gold)
        for vote in votes:
            one += score(vote, truth, IOU)
        found = merge_shapes(votes, IOU)
        shapes = [m.shape for m in found.shapes]
        label += score(shapes, truth, IOU)
        every = [*shapes, *(m.shape for m in found.disputed)]
        pairs = pair(every, another, IOU)
        drew = {p.a for p in pairs}
        same = sum(p.same_class for p in pairs if p.a < len(shapes))
        same += sum(n not in drew for n in range(len(shapes), len(every)))
        confidence += found.confidence
        said += same / len(every) if every else float(not another)
    return one, label, confidence / len(names), said / len(names)


def main(
    gold: Annotated[Path, typer.Argument(help="COCO file with the right boxes.")],
    people: Annotated[int, typer.Option(help="Who draw each picture.")] = 3,
    jitter: Annotated[float, typer.Option(help="Share of the side an edge is off.")] = 0.08,
    miss: Annotated[float, typer.Option(help="Share of the boxes overlooked.")] = 0.1,
    false: Annotated[float, typer.Option(help="Boxes invented, per box there is.")] = 0.05,
    confuse: Annotated[float, typer.Option(help="Share of boxes with another class.")] = 0.0,
    seed: Annotated[int, typer.Option()] = 1,
) -> None:
    right = read_gold_boxes(gold)
    names = [image["file_name"] for image in json.loads(gold.read_text("utf-8"))["images"]]
    habits = Habits(jitter, miss, false, confuse)
    table = Table(title=f"{len(names)} pictures, overlap {IOU}")
    for name in ("", "precision", "recall", "F1", "mean overlap", "confidence", "one more said so"):
        table.add_column(name, justify="left" if not name else "right")
    one, label, confidence, said = run(right, names, people, habits, seed)
    for name, found, rest in (
        ("one person", one, ("", "")),
        (f"{people} people merged", label, (f"{confidence:.3f}", f"{said:.3f}")),
    ):
        table.add_row(
            name,
            f"{found.right / (found.right + found.false):.4f}",
            f"{found.right / (found.right + found.missed):.4f}",
            f"{found.f1:.4f}",
            f"{found.overlap / found.right:.4f}",
            *rest,
        )
    Console().print(table)
    Console().print(f"F1 gained by merging: {label.f1 - one.f1:+.4f}")


if __name__ == "__main__":
    typer.run(main)
