"""Training of the detector: from labeled pictures to weights, by a fixed amount of work."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from chorus.ml.detect_base import RATE, Maps, Network
from chorus.ml.detect_views import Boxes

Ints = NDArray[np.int64]

BATCH = 4
WEIGHT_DECAY = 0.02
WARM_SHARE = 0.05
CLIP = 5.0
RARE_MOST = 4.0
"""A class's boxes count by the root of how rare they are, up to so many times as much as those of
the most common one: else what is rare is hardly learned while that one still is."""


@dataclass(frozen=True)
class View:
    """What the network takes of a view (c, h, w), and what is on it."""

    maps: Maps
    boxes: Boxes


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
        self, network: Network, views: Sequence[Sequence[View]], steps: int, seed: int
    ) -> None:
        self.network = network
        self.views = views
        self.steps = steps
        self.step = 0
        self._seed = seed
        self._optimizer = torch.optim.AdamW(
            [{"params": some, "highest": rate} for some, rate in network.groups()],
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
        loss = self.network.loss([v.maps for v in some], [v.boxes for v in some], self._worth)
        self._optimizer.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.network.parameters(), CLIP)
        self._optimizer.step()
        self.loss = float(loss.detach())
