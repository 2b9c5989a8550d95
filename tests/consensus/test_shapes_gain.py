"""What merging people's boxes brings, on drawn pictures of known truth."""

from __future__ import annotations

from random import Random

import pytest

from bench.shapes import Habits, Picture, run
from chorus.server.geometry import Shape, iou

PEOPLE = Habits(jitter=0.08, miss=0.1, false=0.05, confuse=0.0)


def pictures(count: int, seed: int) -> list[Picture]:
    """As crowded as blood cells under a microscope."""
    chance = Random(seed)
    out = []
    for _ in range(count):
        picture = Picture(640, 480, [])
        while len(picture.truth) < 13:
            w, h = chance.uniform(40, 120), chance.uniform(40, 120)
            place = chance.uniform(0, 640 - w), chance.uniform(0, 480 - h)
            shape = Shape(chance.randrange(3), (*place, w, h))
            if all(iou(shape, other) < 0.3 for other in picture.truth):
                picture.truth.append(shape)
        out.append(picture)
    return out


@pytest.mark.parametrize("seed", [1, 2])
def test_three_people_are_better_than_one(seed: int) -> None:
    one, label, confidence, said = run(pictures(40, seed), 3, 3, PEOPLE, seed)
    assert label.f1 >= one.f1 + 0.03
    assert label.overlap / label.right > one.overlap / one.right, "and their boxes fit better"
    assert confidence <= said + 0.02, "a label never promises more than one more person gives"


def test_what_people_call_another_class_is_outvoted() -> None:
    mixed_up = Habits(jitter=0.05, miss=0.05, false=0.02, confuse=0.15)
    one, label, _, _ = run(pictures(30, 3), 3, 3, mixed_up, 3)
    assert label.f1 >= one.f1 + 0.08
