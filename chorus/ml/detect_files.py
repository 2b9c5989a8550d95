"""What the detector's jobs read and leave in a round's folder."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from chorus.ml import detectors
from chorus.ml.detect_base import Network
from chorus.ml.detect_views import Boxes

FOLDS = 4


@dataclass(frozen=True)
class Picture:
    """A line of pictures.jsonl."""

    item_id: int
    content_hash: str
    path: Path
    size: tuple[int, int]
    """(width, height), upright."""
    boxes: Boxes | None
    """What people say is on it; None: it has no label."""
    trusted: bool
    """None of its people saw a predicted box: its label is evidence."""
    open: bool
    """To be looked at."""
    unseen: frozenset[int] = frozenset()
    """Classes of which none of its people saw a predicted box: about those, too."""

    def proves(self, c: int) -> bool:
        """Whether its label is evidence about class c."""
        return self.boxes is not None and (self.trusted or c in self.unseen)

    @property
    def fold(self) -> int:
        """Which of the detectors never learns from it, in any round: whatever its label or its
        round, by its content alone."""
        return fold_of(self.content_hash)


def fold_of(content_hash: str) -> int:
    return int(hashlib.sha256(content_hash.encode()).hexdigest()[:8], 16) % FOLDS


def read_pictures(round_dir: Path) -> list[Picture]:
    """pictures.jsonl, in its order. Each line: item_id, content_hash, path, width, height, label
    (`[[class, x, y, w, h], …]` or null), weights (by box, 0..1), trusted, open, unseen (classes;
    none, without)."""
    found = []
    with (round_dir / "pictures.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            row: dict[str, Any] = json.loads(line)
            found.append(
                Picture(
                    row["item_id"], row["content_hash"], Path(row["path"]),
                    (row["width"], row["height"]),
                    None if row["label"] is None else boxes_of(row["label"], row["weights"]),
                    row["trusted"], row["open"], frozenset(row.get("unseen", ())),
                )
            )  # fmt: skip
    return found


def boxes_of(rows: Sequence[Sequence[float]], weights: Sequence[float]) -> Boxes:
    """rows: [class, x, y, width, height]."""
    table = np.array(rows, dtype=np.float32).reshape(-1, 5)
    corners = np.concatenate([table[:, 1:3], table[:, 1:3] + table[:, 3:5]], axis=1)
    return Boxes(corners, table[:, 0].astype(np.int64), np.array(weights, dtype=np.float32))


def weights_file(round_dir: Path, fold: int) -> Path:
    return round_dir / f"detector-{fold}.safetensors"


def save(network: Network, scale: float, learned: Iterable[str], path: Path) -> None:
    """The weights, those with more than one axis as float16, with what they are for. The file
    appears whole.

    learned: content hashes of all pictures that these weights have ever learned from.
    """
    tensors = {
        name: tensor.detach().to("cpu", torch.float16 if tensor.ndim > 1 else torch.float32)
        for name, tensor in network.state_dict().items()
    }
    about = {
        "detector": network.name, "classes": str(network.classes), "scale": repr(scale),
        "learned": json.dumps([*learned]),
    }  # fmt: skip
    part = path.with_name(path.name + ".tmp")
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, part, about)
    os.replace(part, path)


@dataclass(frozen=True)
class Kept:
    """A detector as a round left it."""

    network: Network
    scale: float
    learned: set[str]


def load(path: Path) -> Kept:
    """Raises `OSError` without the file."""
    return _load(path, None, None)


def load_for(path: Path, name: str, classes: int) -> Kept | None:
    """To learn on from there as the detector `name`, with so many classes, the new ones unknown to
    it. None: there is no such file, or none that fits."""
    try:
        return _load(path, name, classes)
    except (OSError, RuntimeError, ValueError, KeyError, SafetensorError):
        return None


def _load(path: Path, wanted: str | None, classes: int | None) -> Kept:
    with safe_open(path, "pt") as file:
        about = file.metadata()
        tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
    # Files from before there were others do not say it.
    name, known = about.get("detector", detectors.BUILT_IN), int(about["classes"])
    if wanted not in (None, name):
        raise ValueError(f"{path.name} is of detector {name}, not {wanted}")
    network = detectors.blank(name, known if classes is None else classes)
    for head in network.heads if network.classes != known else ():
        tensors[head] = network.grown(head, tensors[head], known)
    network.load_state_dict(tensors)
    return Kept(network, float(about["scale"]), set(json.loads(about["learned"])))
