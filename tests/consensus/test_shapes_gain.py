"""What merging people's boxes brings, on drawn pictures of known truth."""

from __future__ import annotations

from random import Random

import pytest

from bench.shapes import run
from chorus.server.geometry import Shape, iou
from chorus.simulate.boxes import Box, GoldBoxes, GoldPicture
from chorus.simulate.drawing import Habits

CLASSES = ["RBC", "WBC", "Platelets"]


def pictures(count: int, seed: int) -> dict[str, GoldPicture]:
    """As crowded as blood cells under a microscope."""
    chance = Random(seed)
    out = {}
    for n in range(count):
        boxes: list[Box] = []
        while len(boxes) < 13:
            w, h = chance.uniform(40, 120), chance.uniform(40, 120)
            place = chance.uniform(0, 640 - w), chance.uniform(0, 480 - h)
            new = Box(chance.choice(CLASSES), (*place, w, h))
            if all(iou(Shape(0, new.box), Shape(0, other.box)) < 0.3 for other in boxes):
                boxes.append(new)
        out[str(n)] = GoldPicture(640, 480, tuple(boxes))
    return out


@pytest.mark.parametrize("seed", [1, 2])
def test_three_people_are_better_than_one(seed: int) -> None:
    made = pictures(40, seed)
    people = Habits(jitter=0.08, miss=0.1, false_boxes=0.05)
    one, label, confidence, said = run(GoldBoxes(made, CLASSES), list(made), 3, people, seed)
    assert label.f1 >= one.f1 + 0.03
    assert label.overlap / label.right > one.overlap / one.right, "and their boxes fit better"
    assert confidence <= said + 0.02, "a label never promises more than one more person gives"


def test_what_people_call_another_class_is_outvoted() -> None:
    made = pictures(30, 3)
    mixed_up = Habits(jitter=0.05, miss=0.05, false_boxes=0.02, confuse=0.15)
    one, label, _, _ = run(GoldBoxes(made, CLASSES), list(made), 3, mixed_up, 3)
    assert label.f1 >= one.f1 + 0.08
