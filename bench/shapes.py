"""`python -m bench.shapes gold.coco.json`: boxes of one person, and of several merged.

People are drawn: each edge is off by a normal share of the box's side (`--jitter`), each box is
missed, or invented, or of another class, with a chance. F1 counts boxes of all pictures at an
overlap of 0.5, of the same class. The last column checks what a label's confidence says: the chance
that one more person says of a shape what the label says, beside how often one does.
"""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from chorus.server.consensus.shapes import merge_shapes
from chorus.server.domain.shapes import SIDE_MIN, Shape
from chorus.server.matching import Score, pair, score

IOU = 0.5


class Habits(msgspec.Struct, frozen=True):
    jitter: float
    miss: float
    false: float
    confuse: float


class Picture(msgspec.Struct):
    width: int
    height: int
    truth: list[Shape]


def read(gold: Path) -> tuple[list[Picture], int]:
    """(pictures, classes) of a COCO file."""
    document = msgspec.json.decode(gold.read_bytes())
    classes = {c["id"]: n for n, c in enumerate(document["categories"])}
    pictures = {i["id"]: Picture(i["width"], i["height"], []) for i in document["images"]}
    for a in document["annotations"]:
        shape = Shape(classes[a["category_id"]], tuple(a["bbox"]))
        pictures[a["image_id"]].truth.append(shape)
    return list(pictures.values()), len(classes)


def drawn(picture: Picture, habits: Habits, classes: int, chance: Random) -> list[Shape]:
    """What one person draws."""
    out = []
    for thing in picture.truth:
        if chance.random() < habits.miss:
            continue
        out.append(_off(thing, picture, habits, classes, chance))
    for thing in picture.truth:
        if chance.random() < habits.false:
            _, _, w, h = thing.box
            place = chance.uniform(0, picture.width - w), chance.uniform(0, picture.height - h)
            out.append(Shape(chance.randrange(classes), (*place, w, h)))
    return out


def _off(thing: Shape, picture: Picture, habits: Habits, classes: int, chance: Random) -> Shape:
    x, y, w, h = thing.box
    left, right = (x + s + chance.gauss(0, habits.jitter) * w for s in (0, w))
    top, bottom = (y + s + chance.gauss(0, habits.jitter) * h for s in (0, h))
    left, right = max(0.0, left), min(float(picture.width), right)
    top, bottom = max(0.0, top), min(float(picture.height), bottom)
    cls = thing.cls
    if chance.random() < habits.confuse:
        cls = chance.choice([c for c in range(classes) if c != cls])
    if min(right - left, bottom - top) < SIDE_MIN:
        return Shape(cls, thing.box)
    return Shape(cls, (left, top, right - left, bottom - top))


def run(
    pictures: list[Picture], classes: int, people: int, habits: Habits, seed: int
) -> tuple[Score, Score, float, float]:
    """(one person's, the label's, mean confidence, how often one more person said the same)."""
    chance = Random(seed)
    one, label = Score(), Score()
    confidence = said = 0.0
    for picture in pictures:
        votes = [drawn(picture, habits, classes, chance) for _ in range(people)]
        for vote in votes:
            one += score(vote, picture.truth, IOU)
        found = merge_shapes(votes, IOU)
        shapes = [m.shape for m in found.shapes]
        label += score(shapes, picture.truth, IOU)
        another = drawn(picture, habits, classes, chance)
        every = [*shapes, *(m.shape for m in found.disputed)]
        pairs = pair(every, another, IOU)
        drew = {p.a for p in pairs}
        same = sum(p.same_class for p in pairs if p.a < len(shapes))
        same += sum(n not in drew for n in range(len(shapes), len(every)))
        confidence += found.confidence
        said += same / len(every) if every else float(not another)
    return one, label, confidence / len(pictures), said / len(pictures)


def main(
    gold: Annotated[Path, typer.Argument(help="COCO file with the right boxes.")],
    people: Annotated[int, typer.Option(help="Who draw each picture.")] = 3,
    jitter: Annotated[float, typer.Option(help="Share of the side an edge is off.")] = 0.08,
    miss: Annotated[float, typer.Option(help="Share of the boxes overlooked.")] = 0.1,
    false: Annotated[float, typer.Option(help="Boxes invented, per box there is.")] = 0.05,
    confuse: Annotated[float, typer.Option(help="Share of boxes with another class.")] = 0.0,
    seed: Annotated[int, typer.Option()] = 1,
) -> None:
    pictures, classes = read(gold)
    habits = Habits(jitter, miss, false, confuse)
    table = Table(title=f"{len(pictures)} pictures, overlap {IOU}")
    for name in ("", "precision", "recall", "F1", "mean overlap", "confidence", "one more said so"):
        table.add_column(name, justify="left" if not name else "right")
    one, label, confidence, said = run(pictures, classes, people, habits, seed)
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
