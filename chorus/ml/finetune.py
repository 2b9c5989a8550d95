"""Fine-tuning: the last stages of a backbone trained on a project's own labels.

The result is another weights file of the same network, so all that follows (features, heads, the
threshold's test, the model to download) is as with any other backbone.

It is trained in turns of a few seconds, each of which ends with its state on disk: rounds, for
which people wait, come in between, and a turn whose worker was killed is simply done again. What
comes out does not depend on where the turns end.
"""

from __future__ import annotations

import hashlib
import math
import os
import pickle
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional

from chorus.ml.backbones import Backbone, load
from chorus.ml.featurize import decode

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

STAGES = 1 / 3
"""Share of the network's layer groups, from its end, that learn; what lies before sees edges and
textures, of which every picture has the same kinds."""
PASSES = 12
STEPS_MIN, STEPS_MAX = 150, 4000
BATCH = 32
LEARNING_RATE, LAST_RATE = 1e-3, 1e-3
WARM_STEPS = 20
WEIGHT_DECAY = 0.05
SMOOTHING = 0.1
PROBE_STEPS = 300
LARGER = 1.15
"""Pictures are decoded so much larger, and cut at random."""
AREA_MIN = 0.5
"""Of a cut, as a share of the picture."""


@dataclass
class Pictures:
    """What to learn from: paths of pictures and targets (n, c) float32, each row the probability of
    each class: they sum to 1, or with `multilabel` are independent of each other."""

    paths: Sequence[Path]
    targets: Floats
    multilabel: bool


class Network(torch.nn.Module):
    """A backbone and a last layer, of which the last stages learn: (n, size, size, 3) uint8 ->
    (n, c) logits. Always in eval mode: batches of a few pictures are no ground for new statistics.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, config: Backbone, classes: int) -> None:
        super().__init__()
        self.body = load(config)
        self.last = torch.nn.Linear(config.dim, classes)
        torch.nn.init.zeros_(self.last.weight)
        torch.nn.init.zeros_(self.last.bias)
        self.register_buffer("mean", torch.tensor(config.mean).view(1, 3, 1, 1) * 255)
        self.register_buffer("std", torch.tensor(config.std).view(1, 3, 1, 1) * 255)
        for weight in self.body.parameters():
            weight.requires_grad_(False)
        for weight in last_stages(self.body):
            weight.requires_grad_(True)
        self.eval()

    def features(self, pixels: torch.Tensor) -> torch.Tensor:
        x = (pixels.permute(0, 3, 1, 2).float() - self.mean) / self.std
        out: torch.Tensor = self.body(x)
        return out

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.last(self.features(pixels))
        return out


def last_stages(body: torch.nn.Module, share: float = STAGES) -> list[torch.nn.Parameter]:
    """The parameters of the last layer groups, as timm groups this network's layers."""
    from timm.models import group_parameters

    groups = group_parameters(body, body.group_matcher(coarse=True))  # type: ignore[operator]
    numbers = sorted(groups)
    kept = numbers[-max(1, math.ceil(share * len(numbers))) :]
    own = dict(body.named_parameters())
    return [own[name] for n in kept for name in groups[n] if name in own]


def cut(picture: Pixels, size: int, rng: np.random.Generator) -> Pixels:
    """A random part of a picture (h, w, 3) as (size, size, 3), perhaps mirrored."""
    h, w = picture.shape[:2]
    area = rng.uniform(AREA_MIN, 1.0)
    ratio = math.exp(rng.uniform(-0.2, 0.2))
    high = min(h, max(8, round(h * math.sqrt(area / ratio))))
    wide = min(w, max(8, round(w * math.sqrt(area * ratio))))
    top, left = int(rng.integers(h - high + 1)), int(rng.integers(w - wide + 1))
    part = Image.fromarray(picture[top : top + high, left : left + wide])
    out = np.asarray(part.resize((size, size), Image.Resampling.BILINEAR))
    return out[:, ::-1] if rng.random() < 0.5 else out


class Tuner:
    """A network on its way from `config` to its tuned weights; `state` is where it stands."""

    def __init__(
        self, config: Backbone, pictures: Pictures, seed: int, state: Path, threads: int
    ) -> None:
        # Half of the cores, as heads do: the people's server has the other.
        half = max(1, threads // 2)
        torch.set_num_threads(half)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        # A GPU learns from a batch in less time than one thread decodes it; a processor takes many
        # times as long, and needs all its threads for that.
        self._ahead = max(2, half) if self.device.type == "cuda" else 1
        self._config = config
        self._pictures = pictures
        self._seed = seed
        self._state = state
        torch.manual_seed(seed)
        self.network = Network(config, pictures.targets.shape[1])
        # Several times as fast on a CPU, and on most GPUs.
        self.network.to(memory_format=torch.channels_last)
        self.network.to(self.device)
        answers = 2 if pictures.multilabel else pictures.targets.shape[1]
        targets = pictures.targets * (1 - SMOOTHING) + SMOOTHING / answers
        self._targets = torch.from_numpy(targets.astype(np.float32)).to(self.device)
        n = len(pictures.paths)
        self.steps = int(np.clip(PASSES * n / BATCH, STEPS_MIN, STEPS_MAX))
        self._tuned = [w for w in self.network.body.parameters() if w.requires_grad]
        self._optimizer = torch.optim.AdamW(
            [
                {"params": self._tuned, "lr": LEARNING_RATE},
                {"params": self.network.last.parameters(), "lr": LAST_RATE},
            ],
            weight_decay=WEIGHT_DECAY,
        )
        self.step = -1
        """Steps done; -1: the last layer has still to be fitted to the untouched network."""
        self.losses: list[float] = []
        """Mean loss of each pass over the pictures."""
        self._sum = 0.0
        if state.exists():
            self._resume()

    def turn(self, seconds: float) -> bool:
        """Train for about so long and keep the state; True: it is done.

        The last layer first, by itself (Kumar et al., Fine-Tuning can Distort Pretrained Features
        and Underperform Out-of-Distribution, 2022).
        """
        until = time.monotonic() + seconds
        with ThreadPoolExecutor(max(2, self._ahead), "decode") as pool:
            if self.step < 0:
                self._probe(pool)
                self.step = 0
            first = self.step + self._ahead
            coming = deque(pool.submit(self._batch, step) for step in range(self.step, first))
            while self.step < self.steps:
                rows, pixels = coming.popleft().result()
                coming.append(pool.submit(self._batch, self.step + self._ahead))
                self._learn(rows, pixels)
                if time.monotonic() >= until:
                    break
            pool.shutdown(cancel_futures=True)
        self._keep()
        return self.step >= self.steps

    def weights(self) -> dict[str, torch.Tensor]:
        """The backbone's state dict, without the last layer."""
        return {k: v.detach().cpu().contiguous() for k, v in self.network.body.state_dict().items()}

    def _batch(self, step: int) -> tuple[NDArray[np.int64], Pixels]:
        # By step, so that turns may end anywhere. Every pass sees each picture once.
        n = len(self._pictures.paths)
        size = min(BATCH, n)
        at = step * size
        both = [at // n, at // n + 1]
        order = np.concatenate(
            [np.random.default_rng([self._seed, p]).permutation(n) for p in both]
        )
        rows = order[at - both[0] * n :][:size]
        rng = np.random.default_rng([self._seed, step, 1])
        larger = round(self._config.size * LARGER)
        pixels = [
            cut(decode(self._pictures.paths[i], larger), self._config.size, rng) for i in rows
        ]
        return rows, np.stack(pixels)

    def _learn(self, rows: NDArray[np.int64], pixels: Pixels) -> None:
        rate = min(1.0, (self.step + 1) / WARM_STEPS)
        rate *= (1 + math.cos(math.pi * self.step / self.steps)) / 2
        for group, highest in zip(
            self._optimizer.param_groups, (LEARNING_RATE, LAST_RATE), strict=True
        ):
            group["lr"] = highest * rate
        logits = self.network(torch.from_numpy(pixels).to(self.device))
        loss = self._loss(logits, self._targets[torch.from_numpy(rows).to(self.device)])
        self._optimizer.zero_grad()
        torch.autograd.backward(loss)
        self._optimizer.step()
        self.step += 1
        self._sum += float(loss.detach())
        in_pass = max(1, math.ceil(len(self._pictures.paths) / BATCH))
        if self.step % in_pass == 0:
            self.losses.append(self._sum / in_pass)
            self._sum = 0.0

    def _loss(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        if self._pictures.multilabel:
            each = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
        else:
            each = -(targets * torch.log_softmax(logits, dim=1))
        return each.sum(dim=1).mean()

    def _probe(self, pool: ThreadPoolExecutor) -> None:
        paths = self._pictures.paths
        seen = []
        with torch.no_grad():
            for at in range(0, len(paths), BATCH):
                some = paths[at : at + BATCH]
                pixels = np.stack(list(pool.map(decode, some, [self._config.size] * len(some))))
                seen.append(self.network.features(torch.from_numpy(pixels).to(self.device)))
        features = torch.cat(seen)
        fitted = torch.optim.AdamW(self.network.last.parameters(), lr=1e-2, weight_decay=1e-2)
        for _ in range(PROBE_STEPS):
            loss = self._loss(self.network.last(features), self._targets)
            fitted.zero_grad()
            torch.autograd.backward(loss)
            fitted.step()

    def _keep(self) -> None:
        part = self._state.with_name(self._state.name + ".tmp")
        torch.save(
            {
                "step": self.step, "losses": self.losses, "sum": self._sum, "own": self._own(),
                "optimizer": self._optimizer.state_dict(),
            },
            part,
        )  # fmt: skip
        os.replace(part, self._state)

    def _own(self) -> dict[str, torch.Tensor]:
        """What it learns, by name."""
        return {n: w for n, w in self.network.named_parameters() if w.requires_grad}

    def _resume(self) -> None:
        """Go on where the state stands. From one that is damaged, or of another network, it begins
        anew, or it would fail at every try."""
        try:
            stored: dict[str, Any] = torch.load(
                self._state, map_location=self.device, weights_only=True
            )
            found = {name: weight.shape for name, weight in stored["own"].items()}
        except (RuntimeError, OSError, EOFError, KeyError, pickle.UnpicklingError):
            return
        if found != {name: weight.shape for name, weight in self._own().items()}:
            return
        self.network.load_state_dict(stored["own"], strict=False)
        self._optimizer.load_state_dict(stored["optimizer"])
        self.step, self.losses, self._sum = stored["step"], stored["losses"], stored["sum"]


def keep_weights(weights: dict[str, torch.Tensor], models: Path) -> str:
    """Write the weights to the models' folder, named by their content; the name's digest."""
    from safetensors.torch import save

    raw = save(weights)
    digest = hashlib.sha256(raw).hexdigest()[:12]
    target = models / "weights" / f"{digest}.safetensors"
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"part-{os.getpid()}")
    part.write_bytes(raw)
    os.replace(part, target)
    return digest
