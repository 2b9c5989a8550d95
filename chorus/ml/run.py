"""The jobs, as worker processes call them: paths and scalars in, paths and scalars out.

Each job writes whole files by rename, so a job whose worker was killed is simply run again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chorus.ml import acquire, answers, learn, text
from chorus.ml.backbones import backbone
from chorus.ml.basis import SAMPLE
from chorus.ml.card import TABLES, limits_of, make_card, make_set_card, rule_of
from chorus.ml.cluster import BLOCK, CLUSTERED, ClassViews, SetViews, make_blocks, sampled
from chorus.ml.featurize import Seen, features_of, fill
from chorus.ml.files import (
    BATCH,
    Ints,
    Items,
    read_items,
    reporter,
    save_arrays,
    write_json,
    write_tsv,
)
from chorus.ml.folds import Folds
from chorus.ml.head import Floats, Heads
from chorus.ml.sets import cross_fit, fit_rule, fit_whole, joint_odds
from chorus.ml.store import Features, FeatureStore
from chorus.ml.tables import decimals, integers, write_table

Bools = NDArray[np.bool_]
FAULTS_MAX = 1000
FRESH = 1024
"""Open rows that the labeled ones are compared with (see `twins.twin_groups`)."""


def featurize(params: dict[str, Any]) -> dict[str, Any]:
    """Features of lines `start`..`stop` of the TSV file `items` (content_hash, path).

    params: store, models (folders), backbone (or several, `a+b`), allow_download, items, start,
    stop, progress, threads. Returns {done, skipped, faults: [{name, reason}], images_per_second};
    pictures (or texts, as the backbone is) known already are skipped. Of several backbones the
    figures are the last one's.
    """
    found: dict[str, Any] = {}
    for name in params["backbone"].split("+"):
        found = _featurize(name, params)
    return found


def _featurize(name: str, params: dict[str, Any]) -> dict[str, Any]:
    models = Path(params["models"])
    lines = Path(params["items"]).read_text("utf-8").splitlines()
    pairs = [line.split("\t", 1) for line in lines[params["start"] : params["stop"]]]
    hashes, paths = [h for h, _ in pairs], [Path(p) for _, p in pairs]
    threads, report = int(params["threads"]), reporter(Path(params["progress"]))
    began = time.perf_counter()
    if text.is_text(name):
        dim = text.DIMS[name]

        def look(some: Sequence[Path]) -> Seen:
            return text.features_of(some, name, models, threads)

    else:
        config = backbone(name, models, allow_download=bool(params.get("allow_download")))
        dim = config.dim

        def look(some: Sequence[Path]) -> Seen:
            return features_of(some, config, models, threads)

    store = FeatureStore(Path(params["store"]), name, dim)
    added, faults = fill(store, hashes, paths, look, report)
    seconds = time.perf_counter() - began
    return {
        "done": added,
        "skipped": len(pairs) - added - len(faults),
        "faults": [{"name": n, "reason": r} for n, r in faults[:FAULTS_MAX]],
        "images_per_second": added / seconds if added else None,
    }


def _items(params: dict[str, Any]) -> Items:
    features = Features(Path(params["store"]), params["backbone"])
    return read_items(
        Path(params["round_dir"]), features, int(params["classes"]), _multilabel(params),
        int(params.get("tuned", 0)),
    )  # fmt: skip


def _multilabel(params: dict[str, Any]) -> bool:
    return bool(params.get("multilabel"))


def _evidence(items: Items) -> Bools:
    """(n,): what the threshold is found from."""
    return items.trusted & items.survivor & ~items.tuned


def train(params: dict[str, Any]) -> dict[str, Any]:
    """Train the round's heads on the labeled rows of items.tsv; writes model.npz.

    params of this and the following jobs: round_dir, store, backbone, tuned (the number of the
    fine-tuning whose network is among the backbones; none, when it is missing), classes, multilabel
    (whether labels are sets of classes; no, when it is missing), target, prelabel (whether
    prelabels are wanted), ordering (what to label next; at random, when it is missing), block
    (items in a cluster; nine, when it is missing), seed, progress, threads.
    Raises `ValueError` when fewer than two labeled rows have features.
    """
    began = time.perf_counter()
    items = _items(params)
    labeled = items.labels >= 0
    if labeled.sum() < 2:
        raise ValueError("fewer than two labeled items have features")
    random = np.random.default_rng(int(params["seed"]))
    sample = np.sort(random.permutation(len(labeled))[:SAMPLE])
    alike = np.flatnonzero(items.open & items.survivor & ~labeled)
    fresh = np.sort(random.permutation(alike)[:FRESH])
    model = learn.train(
        items.features(labeled),
        items.targets,
        items.sets if _multilabel(params) else items.labels[labeled],
        items.features(sample),
        evidence=_evidence(items)[labeled],
        fresh=items.features(fresh),
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

    But for those that a fine-tuned network has learned from: its features of them tell their label.
    Returns the card without its large tables.
    """
    round_dir = Path(params["round_dir"])
    items = _items(params)
    labeled = items.labels >= 0
    model = _model(params)
    unseen = ~items.tuned[labeled]
    logits = learn.out_of_fold_logits(model, items.features(labeled))[unseen]
    labeled &= ~items.tuned
    evidence = _evidence(items)[labeled]
    if _multilabel(params):
        card, said = _judge_sets(
            params, items.sets[unseen], model.folds.fold[0][unseen], logits, evidence
        )
    else:
        card, said = _judge_classes(params, items.labels[labeled], logits, evidence)
    write_tsv(
        round_dir / "oof.tsv",
        "item_id\tvalue\tscore\tprobs",
        zip(
            items.ids[labeled],
            said.values(),
            (f"{s:.{answers.DIGITS}f}" for s in said.scores),
            said.likeliest(),
            strict=True,
        ),
    )
    write_json(round_dir / "card.json", card)
    return {key: value for key, value in card.items() if key not in TABLES}


Judgement = tuple[dict[str, Any], answers.Answers]
"""(threshold card, what is said of each labeled row)"""


def _judge_classes(
    params: dict[str, Any], labels: Ints, logits: Floats, evidence: Bools
) -> Judgement:
    temperature = learn.calibrate(logits, labels)
    said = answers.one_class(learn.softmax(logits, temperature))
    card = make_card(
        said.scores.astype(np.float64),
        said.probabilities.argmax(axis=1),
        labels,
        evidence,
        int(params["classes"]),
        float(params["target"]),
    )
    card["temperature"] = temperature
    return card, said


def _judge_sets(
    params: dict[str, Any], truth: Bools, fold: Ints, logits: Floats, evidence: Bools
) -> Judgement:
    """A row's own label has no say in its answer; the curve from the answers' joint odds to scores
    is of all rows, as it changes neither the order of them nor what is right."""
    probabilities, sets = cross_fit(logits, truth, fold)
    right = (sets == truth).all(axis=1)
    rule, whole = fit_rule(logits, truth), fit_whole(joint_odds(probabilities, sets), right)
    said = answers.class_sets(probabilities, sets, rule, whole)
    scores = said.scores.astype(np.float64)
    target = float(params["target"])
    return make_set_card(scores, sets, truth, evidence, rule, whole, target), said


def infer(params: dict[str, Any]) -> dict[str, Any]:
    """Score the open rows; writes predictions.tsv, next.tsv (what to label next by hand) and, for
    cluster, open.npz."""
    began = time.perf_counter()
    round_dir = Path(params["round_dir"])
    items = _items(params)
    report = reporter(Path(params["progress"]))
    model = _model(params)
    card = _card(round_dir)
    ids = items.ids[items.open]
    hidden, classes = model.heads.w2.shape[1:]
    embedding = np.empty((len(ids), hidden), dtype=np.float32)
    said = answers.empty(len(ids), classes, multilabel=bool(card.get("multilabel")))

    def work(batch: tuple[int, Ints]) -> int:
        """Batch by batch to the end: of half a million items and a thousand classes there is room
        for one array, and not for all that it is worked out by."""
        number, rows = batch
        at = slice(number * BATCH, number * BATCH + len(rows))
        seed = int(params["seed"]) + number
        logits, embedding[at] = learn.score(model, items.features(rows), seed)
        said.put(at, answers_of(card, logits))
        return len(rows)

    with ThreadPoolExecutor(int(params["threads"])) as pool:
        done = 0
        for count in pool.map(work, enumerate(items.batches(items.open))):
            done += count
            report(0.9 * done / len(ids))
    doubts = (1 - (said.scores if card.get("multilabel") else said.margins)).astype(np.float32)
    save_arrays(
        round_dir / "open.npz",
        ids=ids, probabilities=said.probabilities, sets=said.sets, scores=said.scores,
        embedding=embedding, doubts=doubts,
    )  # fmt: skip
    _write_next(params, items, model, doubts)
    write_table(
        round_dir / "predictions.tsv",
        "item_id\tvalue\tscore\tmargin\tprobs",
        len(ids),
        lambda at: [
            integers(ids[at]),
            (some := said.part(at)).values(),
            decimals(some.scores, answers.DIGITS),
            decimals(some.margins, 6),
            some.likeliest(),
        ],
    )
    return {"items": len(ids), "seconds": time.perf_counter() - began}


def _write_next(params: dict[str, Any], items: Items, model: learn.Model, doubts: Floats) -> None:
    """Which items to label next by hand, best first: next.tsv. doubts: of the open rows."""
    fresh = np.flatnonzero(items.fresh & items.open)
    chosen = acquire.choose(
        params.get("ordering", "random"),
        doubts[items.fresh[items.open]],
        lambda some: model.heads.project(items.features(fresh[some])),
        acquire.batch_size(int((items.labels >= 0).sum())),
        int(params["seed"]),
    )
    write_tsv(
        Path(params["round_dir"]) / "next.tsv",
        "item_id\tplace",
        ((item_id, place) for place, item_id in enumerate(items.ids[fresh[chosen]])),
    )


def answers_of(card: dict[str, Any], logits: Floats) -> answers.Answers:
    """What is said of new items with these logits (n, c)."""
    if not card.get("multilabel"):
        return answers.one_class(learn.softmax(logits, card["temperature"]))
    rule, whole = rule_of(card)
    probabilities = rule.probabilities(logits)
    return answers.class_sets(probabilities, rule.sets(probabilities), rule, whole)


def cluster(params: dict[str, Any]) -> dict[str, Any]:
    """Blocks of near neighbours among the open rows below the threshold; writes clusters.tsv
    and next_blocks.tsv (which blocks to label next)."""
    began = time.perf_counter()
    round_dir = Path(params["round_dir"])
    card = _card(round_dir)
    with np.load(round_dir / "open.npz") as stored:
        ids, probabilities, sets, scores, embedding, doubts = (
            stored[name]
            for name in ("ids", "probabilities", "sets", "scores", "embedding", "doubts")
        )
    kept = np.ones(len(ids), dtype=bool)
    if params["prelabel"]:
        # What will be prelabeled is not clustered.
        kept = scores < limits_of(card, sets)
    kept &= sampled(ids, kept, CLUSTERED)
    views = (
        SetViews(probabilities[kept], sets[kept], scores[kept])
        if card.get("multilabel")
        else ClassViews(probabilities[kept])
    )
    size = int(params.get("block", BLOCK))
    blocks = make_blocks(embedding[kept], views, int(params["seed"]), int(params["threads"]), size)
    kept_ids = ids[kept]
    write_table(
        round_dir / "clusters.tsv",
        "item_id\tblock\tpos\todd",
        len(kept_ids),
        lambda at: [
            integers(kept_ids[at]),
            integers(blocks.block[at]),
            integers(blocks.pos[at]),
            decimals(blocks.odd[at], 4),
        ],
    )
    chosen = acquire.choose_blocks(
        params.get("ordering", "random"), doubts[kept], embedding[kept], blocks.block,
        -(-acquire.batch_size(card["labels"]) // size), int(params["seed"]),
    )  # fmt: skip
    write_tsv(
        round_dir / "next_blocks.tsv",
        "block\tplace",
        ((block, place) for place, block in enumerate(chosen)),
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
