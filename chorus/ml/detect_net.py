"""The detector that comes with Chorus: FCOS (Tian et al., FCOS: A Simple and Strong Anchor-free
Object Detector, 2020) on an ImageNet backbone, from torchvision's and timm's parts.

The backbone's early stages stay as they are and run in onnxruntime, three times as fast as in torch
on a CPU; their maps are computed once for each picture that is learned from. The later stages, a
feature pyramid (Lin et al., 2017) and the head learn.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision.models.detection.fcos import FCOSHead
from torchvision.ops import FeaturePyramidNetwork, batched_nms, clip_boxes_to_image

from chorus.ml.backbones import BACKBONES, DEFAULT, load
from chorus.ml.detect_base import (
    MOST,
    NMS_IOU,
    RATE,
    SCORE_MIN,
    Detections,
    Maps,
    Network,
    Pixels,
)
from chorus.ml.detect_loss import CODER, LEVELS, cells_of, loss_of, targets_of
from chorus.ml.detect_size import OBJECT
from chorus.ml.detect_views import Boxes

Halves = NDArray[np.float16]

NAME = "fcos"
FROZEN = 3
"""Stages of the backbone that stay as they are: to stride 8."""
CHANNELS = (40, 112, 320)
"""Of the backbone's maps at strides 8, 16 and 32."""
WIDTH = 64
"""Channels of the pyramid and the head."""
CONVS = 2
"""Convolutions of each of the head's two towers."""
FIRST_SIDE = OBJECT / 2 / LEVELS.strides[0]
"""From a cell to its box's sides before anything is learned, in strides: on the finest level a box
begins as large as the smallest class's are made, which has the fewest to learn that from."""
CANDIDATES = 1000
BODY_RATE = 0.3
"""The backbone's later stages learn so much slower."""


class Detector(Network):
    """Maps (n, 40, h, w) of the frozen stages -> FCOS outputs over all levels' cells."""

    heads = (
        "head.classification_head.cls_logits.weight",
        "head.classification_head.cls_logits.bias",
    )

    def __init__(self, classes: int) -> None:
        super().__init__(NAME, classes)
        body: Any = load(BACKBONES[DEFAULT])
        self.middle = body.blocks[FROZEN:5]
        self.last = body.blocks[5:]
        self.pyramid = FeaturePyramidNetwork(list(CHANNELS), WIDTH)
        self.head = FCOSHead(WIDTH, 1, classes, CONVS)
        # At zero, half of the cells get no gradient through the ReLU behind it.
        nn.init.constant_(self.head.regression_head.bbox_reg.bias, FIRST_SIDE)
        for part in (*self.middle.modules(), *self.last.modules()):
            if isinstance(part, nn.BatchNorm2d):
                part.requires_grad_(False)
        # Half as long again on a CPU otherwise.
        self.to(memory_format=torch.channels_last)
        self.eval()

    def forward(self, maps: Tensor) -> dict[str, Tensor]:
        """`cls_logits` (n, cells, classes), `bbox_regression` (n, cells, 4), `bbox_ctrness`
        (n, cells, 1); cells as `cells_of` gives them."""
        middle = self.middle(maps)
        found = self.pyramid({"8": maps, "16": middle, "32": self.last(middle)})
        out: dict[str, Tensor] = self.head(list(found.values()))
        return out

    def groups(self) -> list[tuple[list[nn.Parameter], float]]:
        body = [*self.middle.parameters(), *self.last.parameters()]
        rest = [*self.pyramid.parameters(), *self.head.parameters()]
        return [([p for p in body if p.requires_grad], RATE * BODY_RATE), (rest, RATE)]

    def loss(self, maps: Sequence[Maps], boxes: Sequence[Boxes], worth: Tensor) -> Tensor:
        high, wide = (max(m.shape[side] for m in maps) for side in (1, 2))
        batch = np.zeros((len(maps), maps[0].shape[0], high, wide), dtype=np.float16)
        for i, m in enumerate(maps):
            batch[i, :, : m.shape[1], : m.shape[2]] = m
        given = torch.from_numpy(batch).float().to(memory_format=torch.channels_last)
        targets = targets_of(boxes, high, wide, worth)
        return loss_of(self(given), targets, cells_of(high, wide)[0])

    @torch.inference_mode()
    def detect(self, maps: Maps, sizes: Sequence[tuple[int, int]]) -> list[Detections]:
        out = self(torch.from_numpy(maps).float().to(memory_format=torch.channels_last))
        squares = cells_of(*maps.shape[2:])[0]
        scores = (out["cls_logits"].sigmoid() * out["bbox_ctrness"].sigmoid()).sqrt()
        found = []
        for score, shift, size in zip(scores, out["bbox_regression"], sizes, strict=True):
            flat = score.flatten()
            best, at = flat.topk(min(CANDIDATES, len(flat)))
            at = at[best > SCORE_MIN]
            best = best[best > SCORE_MIN]
            cell, of = at // self.classes, at % self.classes
            boxes = clip_boxes_to_image(CODER.decode(shift[cell], squares[cell]), size)
            kept = batched_nms(boxes, best, of, NMS_IOU)[:MOST]
            found.append(Detections(boxes[kept].numpy(), best[kept].numpy(), of[kept].numpy()))
        return found


class FrozenStem:
    """The frozen stages in onnxruntime: pixels (n, h, w, 3) uint8, sides multiples of 32 ->
    (n, 40, h/8, w/8) float16."""

    def __init__(self, models: Path, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(
            str(stem_file(models)), options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, pixels: Pixels) -> Halves:
        found: Halves = self._session.run(None, {"pixels": pixels})[0].astype(np.float16)
        return found


def stem_file(models: Path) -> Path:
    """The frozen stages as an ONNX file in `models`, exported at the first call. Atomic."""
    config = BACKBONES[DEFAULT]
    target = models / f"detect-{config.name}-{FROZEN}-v1.onnx"
    if target.exists():
        return target
    body: Any = load(config)

    class FromPixels(nn.Module):
        mean: Tensor
        std: Tensor

        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(body.conv_stem, body.bn1, body.blocks[:FROZEN])
            self.register_buffer("mean", torch.tensor(config.mean).view(1, 3, 1, 1) * 255)
            self.register_buffer("std", torch.tensor(config.std).view(1, 3, 1, 1) * 255)

        def forward(self, pixels: Tensor) -> Tensor:
            x = (pixels.permute(0, 3, 1, 2).float() - self.mean) / self.std
            out: Tensor = self.body(x)
            return out

    models.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=models) as folder:
        part = Path(folder) / "stem.onnx"
        # The padding of strided convolutions depends on whether a side is even: it is the same for
        # all sides that are multiples of the coarsest stride.
        torch.onnx.export(
            FromPixels().eval(), (torch.zeros(2, 64, 96, 3, dtype=torch.uint8),), str(part),
            input_names=["pixels"], output_names=["maps"],
            dynamic_axes={
                "pixels": {0: "n", 1: "h", 2: "w"}, "maps": {0: "n", 2: "h8", 3: "w8"},
            },
            dynamo=False,
        )  # fmt: skip
        os.replace(part, target)
    return target
