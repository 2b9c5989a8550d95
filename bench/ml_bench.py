"""What the model's jobs cost: features beside bare onnxruntime, and a round as data grows."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from bench import pictures
from chorus.ml import featurize, run
from chorus.ml.backbones import BACKBONES, DEFAULT
from chorus.ml.store import FeatureStore, Writer

CONFIG = BACKBONES[DEFAULT]
BOTH = "efficientnet_lite0+efficientnet_lite2"
"""What a round learns from when every picture has been looked at twice."""
THREADS = 2
REPEATS = 3
LABELED = 2_000
CLASSES = 10


def featurize_bench(folder: Path, photos: int) -> dict[str, float]:
    """Images a second from JPEG files to features on disk, beside the bare network's on arrays
    that are decoded already. Best of REPEATS, by turns, because a machine's speed drifts."""
    models = folder / "models"
    source = pictures.photos(folder / "featurize", photos)
    paths = sorted(source.iterdir())
    hashes = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    session = featurize.session(CONFIG, models, THREADS)
    decoded = [
        np.stack([featurize.decode(path, CONFIG.size) for path in paths[at : at + featurize.BATCH]])
        for at in range(0, len(paths), featurize.BATCH)
    ]
    session.run(None, {"pixels": decoded[0]})

    def bare() -> None:
        for batch in decoded:
            session.run(None, {"pixels": batch})

    def whole() -> None:
        with tempfile.TemporaryDirectory(dir=folder) as store:
            featurize.featurize(
                hashes, paths, FeatureStore(Path(store), "bench", CONFIG.dim),
                CONFIG, models, THREADS, lambda share: None,
            )  # fmt: skip

    def decoding() -> None:
        for path in paths:
            featurize.decode(path, CONFIG.size)

    seconds = {name: [0.0] * REPEATS for name in ("bare", "whole")}
    for repeat in range(REPEATS):
        seconds["bare"][repeat] = _seconds(bare)
        seconds["whole"][repeat] = _seconds(whole)
    per_s = {name: photos / min(times) for name, times in seconds.items()}
    return {
        "images_per_s": round(per_s["whole"], 1),
        "bare_onnxruntime_per_s": round(per_s["bare"], 1),
        "ratio": round(per_s["whole"] / per_s["bare"], 3),
        "decode_only_one_core_per_s": round(photos / _seconds(decoding), 1),
    }


def round_bench(folder: Path, items: int) -> dict[str, float]:
    """Seconds of each job of one round on `items` items with the features of BOTH, LABELED (at
    most half) of them labeled.

    The features are drawn around class centres: a round's cost depends on their number, not on
    what they show.
    """
    folder = folder / f"round-{items}"
    folder.mkdir()
    random = np.random.default_rng(3)
    labeled = min(LABELED, items // 2)
    classes = random.integers(CLASSES, size=items)
    centres = random.normal(size=(CLASSES, CONFIG.dim)).astype(np.float32)
    hashes = [hashlib.sha256(str(i).encode()).hexdigest() for i in range(items)]
    for name in BOTH.split("+"):
        with Writer(FeatureStore(folder / "store", name, CONFIG.dim)) as writer:
            for at in range(0, items, 10_000):
                some = classes[at : at + 10_000]
                noise = random.standard_normal((len(some), CONFIG.dim), dtype=np.float32)
                writer.append(hashes[at : at + 10_000], centres[some] * 0.2 + noise)
    with (folder / "items.tsv").open("w") as out:
        out.write("item_id\tcontent_hash\tlabel\tsoft\ttrusted\tsurvivor\topen\n")
        for i, content in enumerate(hashes):
            known = int(i < labeled)
            out.write(f"{i}\t{content}\t{classes[i] if known else ''}\t\t{known}\t1\t{1 - known}\n")
    params: dict[str, Any] = {
        "store": str(folder / "store"), "models": str(folder), "backbone": BOTH,
        "round_dir": str(folder), "classes": CLASSES, "target": 0.95, "prelabel": True, "seed": 1,
        "threads": THREADS, "progress": str(folder / "progress"),
    }  # fmt: skip
    jobs = (run.train, run.validate, run.infer, run.cluster)
    found = {job.__name__: round(_seconds(lambda job=job: job(params)), 2) for job in jobs}
    return {"items": items, "labeled": labeled, **found, "seconds": round(sum(found.values()), 2)}


def _seconds(work: Callable[[], Any]) -> float:
    started = perf_counter()
    work()
    return perf_counter() - started
