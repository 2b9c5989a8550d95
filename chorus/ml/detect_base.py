"""What every detector is: a network that learns from views of pictures and finds boxes on others.

Which ones there are: `detectors`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from chorus.ml.detect_views import Boxes

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]
Maps = NDArray[Any]
"""What a network takes of a picture (c, h, w), or of several (n, c, h, w)."""

SCORE_MIN = 0.05
"""Detections below are not worth keeping."""
NMS_IOU = 0.5
MOST = 300
"""Detections of a picture."""
RATE = 1e-3
"""Learning rate of what knows nothing yet."""


@dataclass
class Detections:
    """Of one picture, best first. boxes (n, 4): left, top, right, bottom."""

    boxes: Floats
    scores: Floats
    classes: NDArray[np.int64]


class Network(nn.Module):
    """Statistics of normalisation stay as they are: batches of a few pictures are no ground for
    new ones."""

    heads: ClassVar[tuple[str, ...]]
    """Tensors whose rows go by `places`, then by class, then by what there is of a class."""
    places: int = 1

    def __init__(self, name: str, classes: int) -> None:
        super().__init__()
        self.name = name
        """As `detectors` knows it."""
        self.classes = classes

    @abstractmethod
    def groups(self) -> list[tuple[list[nn.Parameter], float]]:
        """What learns, and how fast at most."""

    @abstractmethod
    def loss(self, maps: Sequence[Maps], boxes: Sequence[Boxes], worth: Tensor) -> Tensor:
        """Of a batch, to be made less. boxes: in pixels of the views; worth (classes,): how much a
        box of each class counts, where this network can tell."""

    @abstractmethod
    def detect(self, maps: Maps, sizes: Sequence[tuple[int, int]]) -> list[Detections]:
        """Detections of pictures on canvases of one size. maps (n, c, h, w); sizes (height, width):
        the part of each canvas that holds its picture."""

    def grown(self, name: str, known: Tensor, classes: int) -> Tensor:
        """One of the `heads`' tensors, which knows `classes` of them, with this network's own rows
        for the newer ones. Raises `ValueError` where this network has fewer classes."""
        own = self.state_dict()[name].cpu()
        if self.classes < classes:
            raise ValueError(f"weights for {classes} classes, not {self.classes}")
        both = [t.reshape(self.places, -1, *t.shape[1:]) for t in (known, own)]
        rows = torch.cat([both[0], both[1][:, both[0].shape[1] :]], dim=1)
        return rows.reshape(own.shape)


Stem = Callable[[Pixels], Maps]
"""Pixels (n, h, w, 3), sides multiples of 32 -> maps. It may be called by several threads."""
