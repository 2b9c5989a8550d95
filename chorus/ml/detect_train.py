"""Training of the detector: from labeled pictures to weights, by a fixed amount of work."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision.ops import generalized_box_iou_loss, sigmoid_focal_loss

from chorus.ml.detect_net import CODER, STRIDES, Detector, Halves, cells_of
from chorus.ml.detect_views import Boxes

Ints = NDArray[np.int64]

BATCH = 4
RATE = 1e-3
BODY_RATE = 0.3
"""The backbone's later stages learn so much slower."""
WEIGHT_DECAY = 0.02
WARM_SHARE = 0.05
CLIP = 5.0
RARE_MOST = 4.0
"""A class's boxes count by the root of how rare they are, up to so many times as much as those of
the most common one: else what is rare is hardly learned while that one still is."""
CENTER = 1.5
"""Cells so near to the centre of a box, in strides, stand for it."""
RANGES = ((0.0, 64.0), (64.0, 128.0), (128.0, math.inf))
"""By level: the farthest side of a box, in pixels from the cell."""


@dataclass(frozen=True)
class View:
    """What the frozen stages made of a view, (40, h, w) float16, and what is on it."""

    maps: Halves
    boxes: Boxes


@dataclass(frozen=True)
class Targets:
    """Of each cell of a batch. classes (n, cells): -1 where there is nothing. boxes (n, cells, 4).
    weights (n, cells)."""

    classes: Tensor
    boxes: Tensor
    weights: Tensor


def assign(boxes: Boxes, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """Which box each cell of maps (height, width) stands for: (classes, boxes, weights).

    As FCOS does it: the cell is near the box's centre, and the box has the size of the cell's
    level; of several the smallest.
    """
    squares, counts = cells_of(height, width)
    low, high = torch.repeat_interleave(torch.tensor(RANGES), counts, dim=0).T
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


def worth(classes: Ints, count: int) -> Tensor:
    """(count,): how much a box of each class counts; on average over all boxes, 1."""
    boxes = np.bincount(classes, minlength=count).astype(np.float64)
    if not boxes.any():
        return torch.ones(count)
    rare = np.minimum(RARE_MOST, np.sqrt(boxes.max() / np.maximum(boxes, 1)))
    return torch.from_numpy(rare * boxes.sum() / (rare * boxes).sum()).float()


class Trainer:
    """Trains `network` in place on `views`: by picture, its views in any number."""

    def __init__(
        self, network: Detector, views: Sequence[Sequence[View]], steps: int, seed: int
    ) -> None:
        self.network = network
        self.views = views
        self.steps = steps
        self.step = 0
        self._seed = seed
        body = [*network.middle.parameters(), *network.last.parameters()]
        rest = [*network.pyramid.parameters(), *network.head.parameters()]
        self._optimizer = torch.optim.AdamW(
            [
                {"params": [p for p in body if p.requires_grad], "highest": RATE * BODY_RATE},
                {"params": rest, "highest": RATE},
            ],
            lr=RATE, weight_decay=WEIGHT_DECAY,
        )  # fmt: skip
        self._order: list[int] = []
        drawn = [some[0].boxes.agreed.classes for some in views]
        self._worth = worth(np.concatenate(drawn), network.classes)

    def run(
        self, until: int | None = None, progress: Callable[[float], None] = lambda _: None
    ) -> None:
        """Steps up to number `until`; all, without."""
        while self.step < min(self.steps, until or self.steps):
            self._learn(self._batch())
            self.step += 1
            progress(self.step / self.steps)

    def _batch(self) -> list[View]:
        rng = np.random.default_rng([self._seed, self.step])
        if len(self._order) < BATCH:
            self._order += rng.permutation(len(self.views)).tolist()
        some, self._order = self._order[:BATCH], self._order[BATCH:]
        return [self.views[i][int(rng.integers(len(self.views[i])))] for i in some]

    def _learn(self, some: list[View]) -> None:
        warm = min(1.0, (self.step + 1) / max(1.0, WARM_SHARE * self.steps))
        rate = warm * (1 + math.cos(math.pi * self.step / self.steps)) / 2
        for group in self._optimizer.param_groups:
            group["lr"] = group["highest"] * rate
        high, wide = (max(v.maps.shape[side] for v in some) for side in (1, 2))
        maps = np.zeros((len(some), some[0].maps.shape[0], high, wide), dtype=np.float16)
        for i, v in enumerate(some):
            maps[i, :, : v.maps.shape[1], : v.maps.shape[2]] = v.maps
        given = torch.from_numpy(maps).float().to(memory_format=torch.channels_last)
        parts = [assign(v.boxes, high, wide) for v in some]
        classes, boxes, weights = (torch.stack(part) for part in zip(*parts, strict=True))
        weights = torch.where(classes >= 0, weights * self._worth[classes], weights)
        targets = Targets(classes, boxes, weights)
        loss = loss_of(self.network(given), targets, cells_of(high, wide)[0])
        self._optimizer.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.network.parameters(), CLIP)
        self._optimizer.step()
        self.loss = float(loss.detach())


__all__ = ["STRIDES", "Targets", "Trainer", "View", "assign", "loss_of"]
