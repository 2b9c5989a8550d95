"""The jobs, as worker processes call them: paths and scalars in, paths and scalars out.

Each job writes whole files by rename, so a job whose worker was killed is simply run again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from chorus.ml import learn
from chorus.ml.backbones import backbone
from chorus.ml.basis import SAMPLE
from chorus.ml.cluster import make_blocks
from chorus.ml.featurize import featurize as featurize_files
from chorus.ml.files import read_items, reporter, save_arrays, write_json, write_tsv
from chorus.ml.folds import Folds
from chorus.ml.head import Floats, Heads
from chorus.ml.store import Features, FeatureStore
from chorus.ml.validate import make_card

FAULTS_MAX = 1000
LIKELIEST = 5


def featurize(params: dict[str, Any]) -> dict[str, Any]:
    """Features of lines `start`..`stop` of the TSV file `items` (content_hash, path).

    params: store, models (folders), backbone (or several, `a+b`), allow_download, items, start,
    stop, progress, threads. Returns {done, skipped, faults: [{name, reason}], images_per_second};
    pictures known already are skipped. Of several backbones the figures are the last one's.
    """
    found: dict[str, Any] = {}
    for name in params["backbone"].split("+"):
        found = _featurize(name, params)
    return found


def _featurize(name: str, params: dict[str, Any]) -> dict[str, Any]:
    models = Path(params["models"])
    config = backbone(name, models, allow_download=bool(params.get("allow_download")))
    lines = Path(params["items"]).read_text("utf-8").splitlines()
    pairs = [line.split("\t", 1) for line in lines[params["start"] : params["stop"]]]
    store = FeatureStore(Path(params["store"]), config.name, config.dim)
    began = time.perf_counter()
    added, faults = featurize_files(
        [h for h, _ in pairs],
        [Path(p) for _, p in pairs],
        store,
        config,
        models,
        int(params["threads"]),
        reporter(Path(params["progress"])),
    )
    seconds = time.perf_counter() - began
    return {
        "done": added,
        "skipped": len(pairs) - added - len(faults),
        "faults": [{"name": n, "reason": r} for n, r in faults[:FAULTS_MAX]],
        "images_per_second": added / seconds if added else None,
    }


def _items(params: dict[str, Any]) -> Any:
    features = Features(Path(params["store"]), params["backbone"])
    return read_items(Path(params["round_dir"]), features, int(params["classes"]))


def train(params: dict[str, Any]) -> dict[str, Any]:
    """Train the round's heads on the labeled rows of items.tsv; writes model.npz.

    params of this and the following jobs: round_dir, store, backbone, classes, target, prelabel
    (whether prelabels are wanted), seed, progress, threads. Raises `ValueError` when fewer than
    two labeled rows have features.
    """
    began = time.perf_counter()
    items = _items(params)
    labeled = items.labels >= 0
    if labeled.sum() < 2:
        raise ValueError("fewer than two labeled pictures have features")
    random = np.random.default_rng(int(params["seed"]))
    sample = np.sort(random.permutation(len(labeled))[:SAMPLE])
    model = learn.train(
        items.features(labeled),
        items.targets,
        items.labels[labeled],
        items.features(sample),
        seed=int(params["seed"]),
        threads=int(params["threads"]),
        progress=reporter(Path(params["progress"])),
    )
    save_arrays(
        Path(params["round_dir"]) / "model.npz", fold=model.folds.fold, **model.heads.arrays()
    )
    return {
        "trained_on": int(labeled.sum()),
        "without_features": items.skipped,
        "seconds": time.perf_counter() - began,
    }


def load_model(round_dir: Path) -> learn.Model:
    """What `train` left in a round's folder."""
    with np.load(round_dir / "model.npz") as stored:
        arrays = dict(stored)
    folds = Folds(arrays.pop("fold"))
    return learn.Model(Heads(**arrays), folds)


def _model(params: dict[str, Any]) -> learn.Model:
    return load_model(Path(params["round_dir"]))


def validate(params: dict[str, Any]) -> dict[str, Any]:
    """Score every labeled row by heads that never saw it; writes oof.tsv and card.json.

    Returns the card without its large tables.
    """
    round_dir = Path(params["round_dir"])
    items = _items(params)
    labeled = items.labels >= 0
    labels = items.labels[labeled]
    logits = learn.out_of_fold_logits(_model(params), items.features(labeled))
    temperature = learn.calibrate(logits, labels)
    probabilities = learn.softmax(logits, temperature)
    predicted, scores = probabilities.argmax(axis=1), probabilities.max(axis=1)
    card = make_card(
        scores.astype(np.float64),
        predicted,
        labels,
        (items.trusted & items.survivor)[labeled],
        int(params["classes"]),
        float(params["target"]),
    )
    card["temperature"] = temperature
    write_tsv(
        round_dir / "oof.tsv",
        "item_id\tclass\tscore\tprobs",
        zip(
            items.ids[labeled],
            predicted,
            (f"{s:.6f}" for s in scores),
            _likeliest(probabilities),
            strict=True,
        ),
    )
    write_json(round_dir / "card.json", card)
    large = ("curve", "reliability", "per_class", "confusion")
    return {key: value for key, value in card.items() if key not in large}


def infer(params: dict[str, Any]) -> dict[str, Any]:
    """Score the open rows; writes predictions.tsv and, for cluster, open.npz."""
    began = time.perf_counter()
    round_dir = Path(params["round_dir"])
    items = _items(params)
    report = reporter(Path(params["progress"]))
    model = _model(params)
    ids = items.ids[items.open]
    hidden, classes = model.heads.w2.shape[1:]
    logits = np.empty((len(ids), classes), dtype=np.float32)
    embedding = np.empty((len(ids), hidden), dtype=np.float32)
    at = 0
    for some, places in learn.score(model, items.batches(items.open), int(params["seed"])):
        logits[at : at + len(some)], embedding[at : at + len(some)] = some, places
        at += len(some)
        report(0.9 * at / len(ids))
    probabilities = learn.softmax(logits, _card(round_dir)["temperature"])
    save_arrays(round_dir / "open.npz", ids=ids, probabilities=probabilities, embedding=embedding)
    predicted, scores = probabilities.argmax(axis=1), probabilities.max(axis=1)
    second = np.partition(probabilities, -2, axis=1)[:, -2] if len(ids) else scores
    write_tsv(
        round_dir / "predictions.tsv",
        "item_id\tclass\tscore\tmargin\tprobs",
        (
            (i, c, f"{s:.6f}", f"{s - t:.6f}", best)
            for i, c, s, t, best in zip(
                ids, predicted, scores, second, _likeliest(probabilities), strict=True
            )
        ),
    )
    return {"items": len(ids), "seconds": time.perf_counter() - began}


def _likeliest(probabilities: Floats) -> Iterator[str]:
    """(n, c) -> each item's likeliest classes as "3:0.81,5:0.11,…": what votes are weighed with."""
    best = np.argsort(-probabilities, axis=1)[:, :LIKELIEST]
    for classes, row in zip(best.tolist(), probabilities.tolist(), strict=True):
        yield ",".join(f"{c}:{row[c]:.4f}" for c in classes)


def cluster(params: dict[str, Any]) -> dict[str, Any]:
    """Blocks of near neighbours among the open rows below the threshold; writes clusters.tsv."""
    began = time.perf_counter()
    round_dir = Path(params["round_dir"])
    card = _card(round_dir)
    with np.load(round_dir / "open.npz") as stored:
        ids, probabilities, embedding = (
            stored[name] for name in ("ids", "probabilities", "embedding")
        )
    kept = np.ones(len(ids), dtype=bool)
    if card["threshold"] is not None and params["prelabel"]:
        # What will be prelabeled is not clustered.
        limits = np.array(
            [np.inf if row["threshold"] is None else row["threshold"] for row in card["per_class"]]
        )
        kept = probabilities.max(axis=1) < limits[probabilities.argmax(axis=1)]
    blocks = make_blocks(
        embedding[kept], probabilities[kept], int(params["seed"]), int(params["threads"])
    )
    write_tsv(
        round_dir / "clusters.tsv",
        "item_id\tblock\tpos\todd",
        zip(ids[kept], blocks.block, blocks.pos, (f"{o:.4f}" for o in blocks.odd), strict=True),
    )
    return {
        "blocks": int(blocks.block.max() + 1) if kept.any() else 0,
        "purity": blocks.purity,
        "random_purity": blocks.random_purity,
        "worth": blocks.worth,
        "seconds": time.perf_counter() - began,
    }


def _card(round_dir: Path) -> dict[str, Any]:
    card: dict[str, Any] = json.loads((round_dir / "card.json").read_text("utf-8"))
    return card
