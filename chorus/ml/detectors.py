"""One factory for every detector.

`fcos` (`detect_net`) comes with Chorus. The others are torchvision's (`detect_torchvision`), and
learn on from their weights for COCO, never from nothing: from a file of the operator's, or
downloaded from torchvision's address where the operator allows it.

Names: `fcos`; `fasterrcnn_resnet50_fpn_v2@0123456789ab`, a detector with the weights of the file
whose SHA-256 begins so, kept as safetensors in the models' folder.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torchvision.models as zoo
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from chorus.ml import detect_net, detect_torchvision
from chorus.ml.detect_base import Network, Stem
from chorus.ml.detect_size import OBJECT
from chorus.ml.detect_torchvision import CONFIGS, Larger

BUILT_IN = detect_net.NAME
NAMES = (BUILT_IN, *CONFIGS)


def blank(name: str, classes: int) -> Network:
    """The detector, to be given weights that a round has learned. Raises `ValueError` for an
    unknown name."""
    if name == BUILT_IN:
        return detect_net.Detector(classes)
    _known(name)
    return detect_torchvision.make(name, classes)


def pretrained(name: str, classes: int, models: Path) -> Network:
    """The detector as it begins to learn: only what tells this project's classes is drawn by
    chance. Raises `ValueError` for an unknown name, or weights that are not there."""
    network = blank(name, classes)
    if isinstance(network, Larger):
        path = models / "detectors" / f"{name}.safetensors"
        if not path.exists():
            raise ValueError(f"the weights of detector {name} are not in {path.parent}")
        network.model.load_state_dict(load_file(path), strict=False)
    return network


def stem(name: str, models: Path) -> Stem:
    """What comes before the part that learns."""
    return detect_net.FrozenStem(models, 1) if name == BUILT_IN else detect_torchvision.as_maps


def side_by_side(name: str) -> bool:
    """Whether several are trained at once, each by one thread; else one after the other, by all
    threads or the GPU."""
    return name == BUILT_IN


def thing(name: str) -> float:
    """How large a typical object of the smallest class should be, in pixels."""
    return OBJECT if name == BUILT_IN else CONFIGS[name.partition("@")[0]].thing


def address(name: str) -> str:
    """Where torchvision keeps the weights of one of its detectors."""
    return str(zoo.get_weight(f"{CONFIGS[name].weights}.COCO_V1").url)


def choose(name: str, models: Path, weights: Path | None, *, allow_download: bool) -> str:
    """The whole name of the detector that a server is asked to use, with its weights in the models'
    folder: from the file `weights`; else those that are there already, the newest; else downloaded.

    Raises `ValueError`: an unknown name, a file that has not its weights, or none to be had.
    """
    _known(name)
    if name == BUILT_IN:
        if weights is not None:
            raise ValueError(f"{BUILT_IN} has its weights; a file goes with {', '.join(CONFIGS)}")
        return name
    if weights is not None:
        return keep(name, weights, models)
    kept = sorted(available(models, name), key=lambda path: path.stat().st_mtime_ns)
    if kept:
        return kept[-1].stem
    if not allow_download:
        raise ValueError(
            f"the weights of {name} are not here: give their file, {address(name)},"
            " or allow the download"
        )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / address(name).rpartition("/")[2]
        sums = re.search(r"-([0-9a-f]{8,})\.", file.name)
        try:
            torch.hub.download_url_to_file(
                address(name), str(file), sums.group(1) if sums else None, progress=False
            )
        except (OSError, RuntimeError) as error:
            raise ValueError(f"{address(name)} could not be downloaded: {error}") from error
        return keep(name, file, models)


def available(models: Path, name: str = "*") -> list[Path]:
    """Weights that are in the models' folder."""
    return sorted((models / "detectors").glob(f"{name}@*.safetensors"))


def keep(name: str, file: Path, models: Path) -> str:
    """Copy a file's weights to the models' folder, as safetensors; the detector's whole name.
    Nothing in the file is executed. Raises `ValueError` if it has not the weights of `name`."""
    stored = _tensors(file)
    network = detect_torchvision.make(name, 1)
    ours = {f"model.{key}": value for key, value in stored.items()}
    own = {k: v for k, v in network.state_dict().items() if k not in network.heads}
    wrong = [k for k, v in own.items() if k not in ours or ours[k].shape != v.shape]
    if wrong:
        raise ValueError(
            f"{file.name} has not the weights of {name}: {len(wrong)} of {len(own)} tensors are"
            f" missing or of another shape, the first is {wrong[0].removeprefix('model.')}"
        )
    kept = {k.removeprefix("model."): ours[k].float().contiguous() for k in own}
    if not all(bool(value.isfinite().all()) for value in kept.values()):
        raise ValueError(f"{file.name} has weights that are no numbers")
    with file.open("rb") as raw:
        full = f"{name}@{hashlib.file_digest(raw, 'sha256').hexdigest()[:12]}"
    target = models / "detectors" / f"{full}.safetensors"
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"part-{os.getpid()}")
    save_file(kept, part)
    os.replace(part, target)
    return full


def _tensors(file: Path) -> Mapping[str, Tensor]:
    """Of a state dict as safetensors or torch.save wrote it, told by its content; also inside of a
    training's checkpoint, as torchvision's own scripts make them."""
    try:
        return load_file(file)
    except SafetensorError:
        pass
    try:
        found: Any = torch.load(file, map_location="cpu", weights_only=True)
    # Whatever it is, it is no file of weights.
    except Exception as error:
        first = str(error).strip().splitlines()[0]
        raise ValueError(f"{file.name} is no file of weights: {first}") from error
    for key in ("model", "state_dict"):
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            found = found[key]
    if not isinstance(found, Mapping) or not all(isinstance(v, Tensor) for v in found.values()):
        raise ValueError(f"{file.name} has no weights by name")
    return found


def _known(name: str) -> None:
    if name.partition("@")[0] not in NAMES:
        raise ValueError(f"there is no detector {name!r}; there are {', '.join(NAMES)}")


def main() -> None:
    """`python -m chorus.ml.detectors NAME MODELS`: get a detector ready and print its whole name,
    in a process whose memory is free again afterwards. Exit 1 with the reason."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("models", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--allow-download", action="store_true")
    given = parser.parse_args()
    try:
        print(choose(given.name, given.models, given.weights, allow_download=given.allow_download))
    except (OSError, ValueError) as error:
        sys.exit(f"detector: {error}")


if __name__ == "__main__":
    main()
