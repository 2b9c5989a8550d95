"""Detectors of torchvision, which learn on from weights for the 80 classes of COCO (Lin et al.,
Microsoft COCO: Common Objects in Context, 2014).

Faster R-CNN (Ren et al., 2015), RetinaNet (Lin et al., Focal Loss for Dense Object Detection, 2017)
and FCOS (Tian et al., 2020), each on a feature pyramid. They run on a GPU where there is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torchvision.models.detection as zoo
from torch import Tensor, nn
from torchvision.models.detection.retinanet import RetinaNet
from torchvision.models.detection.rpn import RegionProposalNetwork
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.ops import FrozenBatchNorm2d, box_iou

from chorus.ml.detect_base import MOST, NMS_IOU, RATE, SCORE_MIN, Detections, Maps, Network, Pixels
from chorus.ml.detect_loss import Levels, cells_of, loss_of, targets_of
from chorus.ml.detect_views import Boxes

PRETRAINED_RATE = 1e-4
"""Learning rate of what comes with weights."""

SAMPLED = 128
"""Places of a picture that Faster R-CNN's second network learns from, out of those that the first
one proposes (512 in torchvision, for pictures several times as large as our views) …"""
PROPOSED = 500
"""… and that it looks at when it is asked. Both are most of what this detector costs on a CPU."""


@dataclass(frozen=True)
class Config:
    """One of torchvision's detectors."""

    name: str
    weights: str
    """The name of its weights class in torchvision, whose COCO_V1 they are."""
    frozen: int
    """Layer groups of its backbone that stay as they are, as torchvision trains them: all that see
    edges and textures."""
    thing: float = 32.0
    """A typical object of the smallest class should have this size in pixels: the smallest that
    these detectors expect."""


CONFIGS = {
    c.name: c
    for c in (
        Config("fasterrcnn_mobilenet_v3_large_fpn", "FasterRCNN_MobileNet_V3_Large_FPN_Weights", 7),
        Config("fasterrcnn_resnet50_fpn_v2", "FasterRCNN_ResNet50_FPN_V2_Weights", 5),
        Config("retinanet_resnet50_fpn_v2", "RetinaNet_ResNet50_FPN_V2_Weights", 5),
        Config("fcos_resnet50_fpn", "FCOS_ResNet50_FPN_Weights", 5),
    )
}


def device() -> torch.device:
    """Where they run."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


class Larger(Network):
    """One of torchvision's detectors, by its own losses. `model` knows nothing until it is given
    weights."""

    background = 0
    """1: torchvision counts "nothing" as the first class."""

    def __init__(self, name: str, classes: int) -> None:
        super().__init__(name, classes)
        self.config = CONFIGS[name.partition("@")[0]]
        self.model: Any = getattr(zoo, self.config.name)(
            weights=None, weights_backbone=None, num_classes=classes + self.background,
            **self.limits(),
        )  # fmt: skip
        self.model.transform.__class__ = _AsLarge
        freeze_statistics(self.model)
        for group in list(self.model.backbone.body.children())[: self.config.frozen]:
            group.requires_grad_(False)
        self.to(memory_format=torch.channels_last).to(device())
        self.eval()

    def limits(self) -> dict[str, Any]:
        """What counts as found, in the words of this detector's options."""
        return {"score_thresh": SCORE_MIN, "nms_thresh": NMS_IOU, "detections_per_img": MOST}

    def groups(self) -> list[tuple[list[nn.Parameter], float]]:
        own = {n: p for n, p in self.named_parameters() if p.requires_grad}
        new = [own[name] for name in self.heads]
        return [([p for n, p in own.items() if n not in self.heads], PRETRAINED_RATE), (new, RATE)]

    def loss(self, maps: Sequence[Maps], boxes: Sequence[Boxes], worth: Tensor) -> Tensor:
        """torchvision's losses, one as much as the other. They cannot weigh boxes: `worth` and the
        shares of people count for nothing, but for what most did not draw."""
        self.train()
        losses: dict[str, Tensor] = self.model(self._images(maps), [self._target(b) for b in boxes])
        return torch.stack(list(losses.values())).sum()

    @torch.inference_mode()
    def detect(self, maps: Maps, sizes: Sequence[tuple[int, int]]) -> list[Detections]:
        self.eval()
        images = self._images([m[:, :h, :w] for m, (h, w) in zip(maps, sizes, strict=True)])
        found = [{key: value.cpu() for key, value in each.items()} for each in self.model(images)]
        return [
            Detections(
                each["boxes"].numpy(), each["scores"].numpy(),
                (each["labels"] - self.background).numpy(),
            )
            for each in found
        ]  # fmt: skip

    def _images(self, maps: Sequence[Maps]) -> list[Tensor]:
        return [torch.from_numpy(m).to(device()).float() / 255 for m in maps]

    def _target(self, boxes: Boxes) -> dict[str, Tensor]:
        """As torchvision wants it; label -1 is what most people did not draw, which is learned
        neither as a thing nor as nothing."""
        labels = np.where(boxes.weights > 0.5, boxes.classes + self.background, -1)
        return {
            "boxes": torch.from_numpy(boxes.boxes).to(device()),
            "labels": torch.from_numpy(labels).to(device()),
        }


class _AsLarge(GeneralizedRCNNTransform):  # type: ignore[misc]
    def resize(
        self, image: Tensor, target: dict[str, Tensor] | None = None
    ) -> tuple[Tensor, dict[str, Tensor] | None]:
        """Pictures have the size they should have already (`detect_size`); torchvision would make
        them some 800 pixels high."""
        return image, target


class FasterRCNN(Larger):
    """A network proposes places, another looks at each."""

    heads = tuple(
        f"model.roi_heads.box_predictor.{part}.{kind}"
        for part in ("cls_score", "bbox_pred")
        for kind in ("weight", "bias")
    )
    background = 1

    def __init__(self, name: str, classes: int) -> None:
        super().__init__(name, classes)
        # The model's own maker leaves no choice of the proposer.
        self.model.rpn.__class__ = _Proposer

    def limits(self) -> dict[str, Any]:
        return {
            **{f"box_{key}": value for key, value in super().limits().items()},
            "box_batch_size_per_image": SAMPLED,
            "rpn_post_nms_top_n_test": PROPOSED,
        }


class _Proposer(RegionProposalNetwork):  # type: ignore[misc]
    def assign_targets_to_anchors(
        self, anchors: list[Tensor], targets: list[dict[str, Tensor]]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Places of doubtful boxes are neither right nor wrong. (The second network, which goes by
        labels, knows -1 by itself.)"""
        labels, matched = super().assign_targets_to_anchors(anchors, targets)
        for some, places, target in zip(labels, matched, targets, strict=True):
            doubtful = target["boxes"][target["labels"] < 0]
            if len(doubtful):
                theirs = (places[:, None] == doubtful[None]).all(dim=2).any(dim=1)
                some[theirs & (some > 0)] = -1.0
        return labels, matched


class Retina(Larger):
    """Every place of every level is looked at."""

    heads = tuple(
        f"model.head.classification_head.cls_logits.{kind}" for kind in ("weight", "bias")
    )
    places = 9

    def __init__(self, name: str, classes: int) -> None:
        super().__init__(name, classes)
        self.model.__class__ = _Retina  # as in FasterRCNN


class _Retina(RetinaNet):  # type: ignore[misc]
    def compute_loss(
        self, targets: list[dict[str, Tensor]], head_outputs: dict[str, Tensor],
        anchors: list[Tensor],
    ) -> dict[str, Tensor]:  # fmt: skip
        """As torchvision's, but for places of doubtful boxes, which count as those that are neither
        near a box nor far from all."""
        matched = []
        for target, places in zip(targets, anchors, strict=True):
            if not len(target["boxes"]):
                matched.append(torch.full((len(places),), -1, device=places.device))
                continue
            at = self.proposal_matcher(box_iou(target["boxes"], places))
            doubtful = (at >= 0) & (target["labels"][at.clamp(min=0)] < 0)
            matched.append(at.where(~doubtful, self.proposal_matcher.BETWEEN_THRESHOLDS))
        found: dict[str, Tensor] = self.head.compute_loss(targets, head_outputs, anchors, matched)
        return found


class Fcos(Larger):
    """By the losses of the one that comes with Chorus, so boxes count by their weights."""

    heads = Retina.heads
    LEVELS = Levels((8, 16, 32, 64, 128), centre=0.0)

    def loss(self, maps: Sequence[Maps], boxes: Sequence[Boxes], worth: Tensor) -> Tensor:
        images, _ = self.model.transform(self._images(maps))
        maps_of = list(self.model.backbone(images.tensors).values())
        high, wide = maps_of[0].shape[2:]
        targets = targets_of(boxes, high, wide, worth, self.LEVELS)
        squares = cells_of(high, wide, self.LEVELS)[0]
        return loss_of(self.model.head(maps_of), targets.to(device()), squares.to(device()))


FAMILIES = {"fasterrcnn": FasterRCNN, "retinanet": Retina, "fcos": Fcos}
"""By the beginning of the name."""


def make(name: str, classes: int) -> Larger:
    """The detector without weights. name: one of CONFIGS, perhaps with `@` and a digest."""
    return FAMILIES[name.partition("_")[0]](name, classes)


def as_maps(pixels: Pixels) -> Maps:
    """(n, h, w, 3) -> (n, 3, h, w): these networks take pictures as they are."""
    return pixels.transpose(0, 3, 1, 2)


def freeze_statistics(module: nn.Module) -> None:
    """Replace its batch normalisation by one that never changes, which has no counters either."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, name, FrozenBatchNorm2d(child.num_features, child.eps))
        else:
            freeze_statistics(child)
