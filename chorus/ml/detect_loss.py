"""What FCOS learns from: which box each cell of its maps stands for, and how far it is off."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import torch
from torch import Tensor, nn
from torchvision.models.detection._utils import BoxLinearCoder
from torchvision.ops import generalized_box_iou_loss, sigmoid_focal_loss

from chorus.ml.detect_views import Boxes

CENTER = 1.5
"""Cells so near to the centre of a box, in strides, stand for it."""
CODER = BoxLinearCoder(normalize_by_size=True)


@dataclass(frozen=True)
class Levels:
    """Of a pyramid's maps, the finest first."""

    strides: tuple[int, ...]
    centre: float = 0.5
    """Where in its square a cell is, from its corner, in strides."""

    @property
    def ranges(self) -> list[tuple[float, float]]:
        """By level: the farthest side of a box, in pixels from the cell."""
        limits = [0.0, *(8.0 * stride for stride in self.strides[:-1]), math.inf]
        return list(pairwise(limits))


LEVELS = Levels((8, 16, 32))


@dataclass(frozen=True)
class Targets:
    """Of each cell of a batch. classes (n, cells): -1 where there is nothing. boxes (n, cells, 4).
    weights (n, cells)."""

    classes: Tensor
    boxes: Tensor
    weights: Tensor

    def to(self, device: torch.device) -> Targets:
        return Targets(*(t.to(device) for t in (self.classes, self.boxes, self.weights)))


@lru_cache(maxsize=64)
def cells_of(height: int, width: int, levels: Levels = LEVELS) -> tuple[Tensor, Tensor]:
    """(cells, 4) squares around the cells, as large as their stride, of maps that are (height,
    width) on the finest level; and (levels,) how many each level has."""
    squares, counts = [], []
    for stride in levels.strides:
        h, w = (math.ceil(side * levels.strides[0] / stride) for side in (height, width))
        y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
        corner = torch.stack([x, y], dim=-1).reshape(-1, 2).float() * stride
        corner += (levels.centre - 0.5) * stride
        squares.append(torch.cat([corner, corner + stride], dim=1))
        counts.append(h * w)
    return torch.cat(squares), torch.tensor(counts)


def assign(
    boxes: Boxes, height: int, width: int, levels: Levels = LEVELS
) -> tuple[Tensor, Tensor, Tensor]:
    """Which box each cell of maps (height, width) stands for: (classes, boxes, weights).

    As FCOS does it: the cell is near the box's centre, and the box has the size of the cell's
    level; of several the smallest.
    """
    squares, counts = cells_of(height, width, levels)
    low, high = torch.repeat_interleave(torch.tensor(levels.ranges), counts, dim=0).T
    classes = torch.full((len(squares),), -1, dtype=torch.int64)
    targets = squares.clone()
    weights = torch.ones(len(squares))
    if not len(boxes.classes):
        return classes, targets, weights
    given = torch.from_numpy(boxes.boxes)
    centre = (squares[:, :2] + squares[:, 2:]) / 2
    stride = squares[:, 2] - squares[:, 0]
    near = (centre[:, None] - (given[:, :2] + given[:, 2:])[None] / 2).abs().amax(dim=2)
    sides = torch.cat(
        [centre[:, None] - given[None, :, :2], given[None, :, 2:] - centre[:, None]], 2
    )
    far = sides.amax(dim=2)
    fits = (near < CENTER * stride[:, None]) & (sides.amin(dim=2) > 0)
    fits &= (far > low[:, None]) & (far <= high[:, None])
    areas = ((given[:, 2] - given[:, 0]) * (given[:, 3] - given[:, 1]))[None].expand(
        len(squares), -1
    )
    smallest, at = torch.where(fits, areas, math.inf).min(dim=1)
    found = smallest < math.inf
    classes[found] = torch.from_numpy(boxes.classes)[at[found]]
    targets[found] = given[at[found]]
    weights[found] = torch.from_numpy(boxes.weights)[at[found]]
    # What most people did not draw is learned neither as a thing nor as nothing.
    doubtful = found & (weights <= 0.5)
    classes[doubtful] = -1
    weights[doubtful] = 1 - weights[doubtful]
    return classes, targets, weights


def targets_of(
    boxes: Sequence[Boxes], height: int, width: int, worth: Tensor, levels: Levels = LEVELS
) -> Targets:
    """Of a batch. worth (classes,): how much a box of each class counts."""
    parts = [assign(some, height, width, levels) for some in boxes]
    classes, places, weights = (torch.stack(part) for part in zip(*parts, strict=True))
    return Targets(classes, places, torch.where(classes >= 0, weights * worth[classes], weights))


def loss_of(out: dict[str, Tensor], targets: Targets, squares: Tensor) -> Tensor:
    """Focal loss of the classes, GIoU loss of the boxes, cross-entropy of the centre-ness; a box
    counts as much as its weight."""
    logits = out["cls_logits"]
    there = targets.classes >= 0
    weight = targets.weights[there]
    total = weight.sum().clamp(min=1.0)
    truth = torch.zeros_like(logits)
    truth[there, targets.classes[there]] = 1.0
    classes = sigmoid_focal_loss(logits, truth) * targets.weights[:, :, None]
    squares = squares.expand(len(logits), -1, -1)[there]
    wanted = targets.boxes[there]
    boxes = generalized_box_iou_loss(CODER.decode(out["bbox_regression"][there], squares), wanted)
    sides = CODER.encode(squares, wanted).clamp(min=1e-6)
    across, down = sides[:, 0::2], sides[:, 1::2]
    centred = (
        (across.amin(dim=1) / across.amax(dim=1)) * (down.amin(dim=1) / down.amax(dim=1))
    ).sqrt()
    ness = nn.functional.binary_cross_entropy_with_logits(
        out["bbox_ctrness"][there].squeeze(1), centred, reduction="none"
    )
    found: Tensor = (classes.sum() + (weight * (boxes + ness)).sum()) / total
    return found
