"""Pictures to feature vectors: decoded beside the network, so that it never waits."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, ImageOps

from chorus.ml.backbones import Backbone, onnx_file
from chorus.ml.store import FeatureStore, Floats, Writer

Seen = Iterator[tuple[list[int], Floats, list[tuple[int, str]]]]
"""(positions of files, their features (k, d), [(position, reason)] of files at fault), in parts."""

BATCH = 32
AHEAD = 3
"""Batches decoded ahead of the network."""
Pixels = NDArray[np.uint8]


def decode(path: Path, size: int) -> Pixels:
    """A picture as (size, size, 3) uint8, upright, the whole of it squeezed into the square.

    Squeezed rather than cropped: what people label may stand at the edge. Small pictures are
    enlarged. Raises `OSError` or `ValueError` for a file that cannot be decoded.
    """
    data = path.read_bytes()
    image = scaled_jpeg(data, size, size)
    if image is None:
        opened = Image.open(io.BytesIO(data))
        image = ImageOps.exif_transpose(opened).convert("RGB")
    if image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return np.asarray(image)


def scaled_jpeg(data: bytes, width: int, height: int) -> Image.Image | None:
    """An ordinary JPEG, already scaled down while decoding to no less than this; None leaves it to
    Pillow."""
    if not data.startswith(b"\xff\xd8\xff") or b"Exif\0\0" in data[:4096]:
        return None
    try:
        pixels = simplejpeg.decode_jpeg(
            data, colorspace="RGB", fastdct=True, min_height=height, min_width=width, min_factor=1
        )
    except ValueError:
        return None
    return Image.fromarray(pixels)


@lru_cache(maxsize=2)
def session(config: Backbone, models: Path, threads: int) -> Any:
    """An onnxruntime session, kept for the life of the worker process."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Spinning threads would take the other core from the people's server between batches.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(
        str(onnx_file(config, models)), options, providers=["CPUExecutionProvider"]
    )


def _give_way() -> None:
    """Decode in the gaps that the network's threads leave when they wait for each other, rather
    than in the place of one of them, for which the others would have to wait."""
    if sys.platform == "linux":  # where a thread has a priority of its own
        thread = threading.get_native_id()
        lower = min(19, os.getpriority(os.PRIO_PROCESS, 0) + 5)
        os.setpriority(os.PRIO_PROCESS, thread, lower)


def features_of(paths: Sequence[Path], config: Backbone, models: Path, threads: int) -> Seen:
    """Batch by batch: (positions in `paths`, features (n, dim) float32, [(position, reason)]
    of the pictures that cannot be decoded)."""
    run = session(config, models, threads)

    def load(first: int) -> tuple[list[int], list[Pixels], list[tuple[int, str]]]:
        at: list[int] = []
        pixels: list[Pixels] = []
        bad: list[tuple[int, str]] = []
        for i in range(first, min(first + BATCH, len(paths))):
            try:
                pixels.append(decode(paths[i], config.size))
                at.append(i)
            # A hostile file may raise nearly anything; it is that file's fault alone.
            except Exception as error:
                bad.append((i, f"{type(error).__name__}: {error}"))
        return at, pixels, bad

    with ThreadPoolExecutor(2, "decode", _give_way) as pool:
        waiting: deque[Future[Any]] = deque()
        starts = iter(range(0, len(paths), BATCH))
        for start in starts:
            waiting.append(pool.submit(load, start))
            if len(waiting) >= AHEAD:
                break
        while waiting:
            at, pixels, bad = waiting.popleft().result()
            start = next(starts, -1)
            if start >= 0:
                waiting.append(pool.submit(load, start))
            rows = np.zeros((0, config.dim), dtype=np.float32)
            if pixels:
                rows = run.run(None, {"pixels": np.stack(pixels)})[0]
            yield at, rows, bad


def featurize(
    hashes: Sequence[str],
    paths: Sequence[Path],
    store: FeatureStore,
    config: Backbone,
    models: Path,
    threads: int,
    progress: Callable[[float], None],
) -> tuple[int, list[tuple[str, str]]]:
    """`fill` with the features of pictures."""
    return fill(
        store, hashes, paths, lambda some: features_of(some, config, models, threads), progress
    )


def fill(
    store: FeatureStore,
    hashes: Sequence[str],
    paths: Sequence[Path],
    look: Callable[[Sequence[Path]], Seen],
    progress: Callable[[float], None],
) -> tuple[int, list[tuple[str, str]]]:
    """Store the features of what the store lacks: (rows added, [(path, reason)] of faults)."""
    added = 0
    faults: list[tuple[str, str]] = []
    with Writer(store) as writer:
        todo = store.missing(hashes)
        if not todo:
            return 0, []
        seen = 0
        for at, rows, bad in look([paths[i] for i in todo]):
            if at:
                writer.append([hashes[todo[i]] for i in at], rows)
            added += len(at)
            faults += [(str(paths[todo[i]]), reason) for i, reason in bad]
            seen += len(at) + len(bad)
            progress(seen / len(todo))
    return added, faults
