"""Nearest neighbours of one picture among all that have features: numpy only, no model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chorus.ml.store import HASH_BYTES, FeatureStore

CHUNK = 8192
"""Rows in memory at once: 40 MB as float32 of 1,280 dimensions."""


def similar(params: dict[str, Any]) -> dict[str, Any]:
    """The `top` pictures most like `content_hash`, itself left out, most alike first.

    params: store (folder), backbone (of several, `a+b`, the first: it knows an item soonest),
    content_hash, top. Returns {known, rows, hashes, scores}: whether the picture has features,
    how many have, and the cosine of each neighbour.
    """
    store = FeatureStore(Path(params["store"]), params["backbone"].partition("+")[0])
    rows = len(store)
    query, known = store.get([params["content_hash"]])
    if not known[0]:
        return {"known": False, "rows": rows, "hashes": [], "scores": []}
    features = np.memmap(
        store.folder / "rows.f16", dtype=np.float16, mode="r", shape=(rows, store.dim)
    )
    at, scores = nearest(query[0], features, int(params["top"]) + 1)
    raw = (store.folder / "hashes").read_bytes()
    names = [raw[i * HASH_BYTES : (i + 1) * HASH_BYTES].hex() for i in at]
    pairs = [
        (name, round(float(score), 4))
        for name, score in zip(names, scores, strict=True)
        if name != params["content_hash"]
    ][: int(params["top"])]
    return {
        "known": True,
        "rows": rows,
        "hashes": [name for name, _ in pairs],
        "scores": [score for _, score in pairs],
    }


def nearest(
    query: NDArray[np.float32], features: NDArray[np.float16], top: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """(positions, cosines) of the `top` rows most like `query` (dim,), most alike first.

    features: (n, dim), read in chunks, so that a memory-mapped file need not fit in memory.
    """
    scores = np.empty(len(features), dtype=np.float32)
    unit = query / max(float(np.linalg.norm(query)), 1e-12)
    for start in range(0, len(features), CHUNK):
        rows = features[start : start + CHUNK].astype(np.float32)
        length = np.sqrt(np.einsum("ij,ij->i", rows, rows))
        scores[start : start + CHUNK] = rows @ unit / np.maximum(length, 1e-12)
    top = min(top, len(scores))
    if top == 0:
        return np.empty(0, np.int64), scores
    best = np.argpartition(-scores, top - 1)[:top]
    # Equal pictures in one order on every machine.
    best = best[np.lexsort((best, -scores[best]))]
    return best, scores[best]
