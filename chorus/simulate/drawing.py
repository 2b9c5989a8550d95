"""How a simulated person draws boxes, and what it costs in key presses and clicks.

What the page allows (chorus/web/static/js/shapes/pad.js): drawing a box is two actions (press,
let go), moving or resizing one, deleting one, deleting all, choosing a class, and submitting are
one each. A class that was chosen stays for the boxes drawn next, on the next picture too. Boxes
that the model has predicted are there already, and are sent with the answer unless they are
deleted.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import msgspec

from chorus.simulate.boxes import Box, GoldBoxes, GoldPicture, pairs

DRAW, ADJUST, DELETE, CLASS, SUBMIT = 2, 1, 1, 1, 1
MEANT = 0.5
"""A predicted box that overlaps a thing by less is none of it: it is deleted, not adjusted."""
SIDE_MIN = 2.0
"""Pixels; what servers accept."""


class Habits(msgspec.Struct, frozen=True):
    """How people draw."""

    jitter: float = 0.0
    """Standard deviation of each edge, as a share of the box's width (or height)."""
    miss: float = 0.0
    """Chance not to see a thing, unless a predicted box points at it."""
    false_boxes: float = 0.0
    """Boxes around nothing, as a share of the things that are there (of one, where nothing is)."""
    confuse: float = 0.0
    """Chance to give a thing another class; the others are equally likely."""
    keep: float = 0.7
    """A predicted box that overlaps the thing by at least this much is left as it is."""
    follow: float = 0.0
    """Chance to wave a wrong predicted box through."""


class Work(msgspec.Struct):
    """What a person did on one picture."""

    boxes: list[Box]
    actions: int
    kept: int = 0
    adjusted: int = 0
    deleted: int = 0
    drawn: int = 0
    reclassed: int = 0
    followed: int = 0
    """Wrong predicted boxes let through."""


class Seen(msgspec.Struct):
    """A thing on a picture as one person sees it."""

    box: Box
    missed: bool


class Drawers:
    """Any number of people. What one does depends only on the seed, the person, the picture and
    what is predicted on it; what it costs also on the class that they chose last."""

    def __init__(self, gold: GoldBoxes, habits: Habits, seed: int) -> None:
        self._gold = gold
        self._habits = habits
        self._seed = seed
        self._chosen: dict[int, str] = {}

    def work(self, person: int, name: str, shown: Sequence[Box] | None) -> Work | None:
        """`shown`: predicted boxes. None: the gold file does not know the picture; it is skipped,
        which is one action."""
        picture = self._gold.get(name)
        if picture is None:
            return None
        random = Random(f"{self._seed}/{person}/{name}")
        seen = [self._seen(thing, picture, random) for thing in picture.boxes]
        false = self._false(picture, random)
        work = Work([], SUBMIT)
        pointed_at = self._correct(work, shown or (), picture, seen, random)
        new = [s.box for i, s in enumerate(seen) if i not in pointed_at and not s.missed]
        self._draw(work, person, [*new, *false])
        return work

    def _seen(self, thing: Box, picture: GoldPicture, random: Random) -> Seen:
        # Always as many random numbers, so that one habit does not change another's outcome.
        missed = random.random() < self._habits.miss
        confused = random.random() < self._habits.confuse
        others = [c for c in self._gold.classes if c != thing.name]
        other = random.choice(others) if others else thing.name
        shifts = [random.gauss(0.0, self._habits.jitter) for _ in range(4)]
        x, y, width, height = thing.box
        left, right = x + shifts[0] * width, x + width + shifts[1] * width
        top, bottom = y + shifts[2] * height, y + height + shifts[3] * height
        box = _inside(left, top, right, bottom, picture)
        name = other if confused else thing.name
        return Seen(Box(name, box or thing.box), missed)

    def _false(self, picture: GoldPicture, random: Random) -> list[Box]:
        """Boxes around nothing: as large as something on the picture, anywhere."""
        out = []
        for _ in range(max(1, len(picture.boxes))):
            chance, across, down = (random.random() for _ in range(3))
            like = random.choice(picture.boxes) if picture.boxes else None
            name = random.choice(self._gold.classes)
            if chance >= self._habits.false_boxes:
                continue
            size = (picture.width / 10, picture.height / 10) if like is None else like.box[2:]
            x, y = across * (picture.width - size[0]), down * (picture.height - size[1])
            box = _inside(x, y, x + size[0], y + size[1], picture)
            if box is not None:
                out.append(Box(name, box))
        return out

    def _correct(
        self, work: Work, shown: Sequence[Box], picture: GoldPicture, seen: Sequence[Seen],
        random: Random,
    ) -> set[int]:  # fmt: skip
        """Put right what is predicted; returns the things that a predicted box is left for."""
        things = {i: j for i, j, _ in pairs(shown, picture.boxes, MEANT, classes=False)}
        overlap = {i: o for i, _, o in pairs(shown, picture.boxes, MEANT, classes=False)}
        actions = 0
        for i, predicted in enumerate(shown):
            waved = random.random() < self._habits.follow
            j = things.get(i)
            thing = None if j is None else picture.boxes[j]
            off = overlap.get(i, 0.0) < self._habits.keep
            wrong = thing is not None and predicted.name != thing.name
            box = Box(predicted.name, predicted.box)
            if thing is None and not waved:
                work.deleted += 1
                continue
            if waved and (off or wrong):
                work.followed += 1
            elif j is not None and (off or wrong):
                # Where the class is right nobody thinks of another one.
                name = seen[j].box.name if wrong else predicted.name
                box = Box(name, seen[j].box.box if off else predicted.box)
                work.adjusted += off
                work.reclassed += name != predicted.name
                actions += ADJUST * off + CLASS * (name != predicted.name)
            else:
                work.kept += 1
            work.boxes.append(box)
        all_at_once = work.deleted > 1 and not work.boxes
        work.actions += actions + DELETE * (1 if all_at_once else work.deleted)
        return set(things.values())

    def _draw(self, work: Work, person: int, new: Sequence[Box]) -> None:
        """One class after the other, the one chosen last first; what is drawn at first has that."""
        last = self._chosen.get(person, self._gold.classes[0])
        order = sorted({box.name for box in new}, key=lambda name: (name != last, name))
        work.actions += DRAW * len(new) + CLASS * sum(name != last for name in order)
        work.drawn = len(new)
        work.boxes += new
        if order:
            self._chosen[person] = order[-1]


def _inside(
    left: float, top: float, right: float, bottom: float, picture: GoldPicture
) -> tuple[float, float, float, float] | None:
    """The part of a box that is on the picture; None where that is too small to be drawn."""
    left, right = max(0.0, left), min(picture.width, right)
    top, bottom = max(0.0, top), min(picture.height, bottom)
    x, y = round(left, 2), round(top, 2)
    width, height = round(right - x, 2), round(bottom - y, 2)
    return (x, y, width, height) if min(width, height) >= SIDE_MIN else None
