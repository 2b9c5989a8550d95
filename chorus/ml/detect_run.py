"""The jobs of a detector's round, as worker processes call them: train, validate, infer.

There are FOLDS detectors. Each never learns from a fixed share of the pictures, chosen by their
content; those are the ones it is asked about, before they are labeled and after. So what is found
on labeled pictures, which gives the thresholds, is found in the very way in which it is found on
open ones; every label is evidence; and a round may go on from the weights of the one before.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch

from chorus.ml import detectors
from chorus.ml.detect_base import Detections
from chorus.ml.detect_card import make_card
from chorus.ml.detect_files import (
    FOLDS,
    Kept,
    Picture,
    load,
    load_for,
    read_pictures,
    save,
    weights_file,
)
from chorus.ml.detect_score import Found, match
from chorus.ml.detect_size import Fit, fit, scale_for, typical_size, window
from chorus.ml.detect_train import BATCH, Trainer, View
from chorus.ml.detect_views import Boxes, area, inside, read, view, whole
from chorus.ml.files import reporter, write_json

LEARN_MOST = 1200
"""Labeled pictures of a round that it learns from, at random."""
EVIDENCE_MOST = 800
WORK = 50e6
"""Pixels that one detector learns from in a round, counted as often as they are seen …"""
SEEN_MIN, SEEN_MAX = 300, 600
"""… which are so many pictures …"""
PASSES = 20
"""… but each no more often than this."""
VIEWS = 8
"""Of a picture, at most."""
USES = 1.5
"""Of a view, on average, where there are pictures enough."""
LOOK = 900_000
"""Pixels through the network at a time, at least one picture …"""
LOOK_MOST = 400e6
"""… and in a round, of open ones."""


class _Shared:
    """A picture's share of the progress, from several threads."""

    def __init__(self, report: Callable[[float], None], parts: int) -> None:
        self._report = report
        self._parts = parts
        self._done = 0.0
        self._lock = threading.Lock()

    def add(self, share: float) -> None:
        """share: of one of the parts."""
        with self._lock:
            self._done += share / self._parts
            self._report(min(1.0, self._done))


def train(params: dict[str, Any]) -> dict[str, Any]:
    """Train the round's detectors on the labeled pictures of pictures.jsonl.

    params of this and the following jobs: round_dir, models, detector (its name), classes, target,
    seed, warm (the folder of the round to go on from, or null), shown (classes of which people are
    shown predicted boxes already), progress, threads. Writes detector-….safetensors; a
    detector that is there already, from an attempt whose worker was killed, is not trained again.
    Raises `ValueError` when there are too few labeled pictures that can be read, or the weights to
    begin with are not there.
    """
    began = time.perf_counter()
    round_dir, threads = Path(params["round_dir"]), int(params["threads"])
    seed, classes = int(params["seed"]), int(params["classes"])
    report = reporter(Path(params["progress"]))
    labeled = [p for p in read_pictures(round_dir) if p.boxes is not None]
    scale = scale_of(labeled, detectors.thing(params["detector"]))
    order = np.random.default_rng(seed).permutation(len(labeled))
    taught = [labeled[i] for i in sorted(order[:LEARN_MOST])]
    todo = [fold for fold in range(FOLDS) if not weights_file(round_dir, fold).exists()]
    seen = pictures_seen(taught, scale)
    made = make_views(taught, scale, seen, params, lambda share: report(0.2 * share))
    readable = [(p, views) for p, views in zip(taught, made, strict=True) if views]
    if min((sum(p.fold != fold for p, _ in readable) for fold in range(FOLDS)), default=0) < 2:
        raise ValueError("too few labeled pictures can be read")
    alone = not detectors.side_by_side(params["detector"])
    torch.set_num_threads(threads if alone else 1)
    shared = _Shared(lambda share: report(0.2 + 0.8 * share), max(1, len(todo)))
    one = threading.Lock()

    def work(fold: int) -> tuple[float, bool]:
        with one:  # the generator of initial weights is the process's
            start = _start(params, fold, classes, scale)
        mine = [(p, views) for p, views in readable if p.fold != fold]
        steps = math.ceil(min(seen, PASSES * len(mine)) / BATCH)
        trainer = Trainer(start.network, [views for _, views in mine], steps, seed + fold)
        while trainer.step < steps:
            trainer.run(trainer.step + 1)
            shared.add(1 / steps)
        learned = start.learned | {p.content_hash for p, _ in mine}
        save(start.network, scale, sorted(learned), weights_file(round_dir, fold))
        return trainer.loss, bool(start.learned)

    with ThreadPoolExecutor(1 if alone else threads, "fold") as pool:
        done = list(pool.map(work, todo))
    return {
        "trained_on": len(readable),
        "unreadable": len(taught) - len(readable),
        "scale": scale,
        "seen": seen,
        "losses": [round(loss, 3) for loss, _ in done],
        "warm": sum(warm for _, warm in done),
        "seconds": time.perf_counter() - began,
    }


def scale_of(labeled: Sequence[Picture], thing: float) -> float:
    """How large the detector sees these pictures (see `detect_size`). thing: how large a typical
    object of the smallest class should be, in pixels."""
    drawn = [p.boxes.agreed for p in labeled if p.boxes is not None]
    classes = np.concatenate([b.classes for b in drawn] or [np.zeros(0, dtype=np.int64)])
    none = np.zeros(0, dtype=np.float32)
    sizes = np.sqrt(np.concatenate([area(b.boxes) for b in drawn] or [none]))
    smallest = typical_size(classes.tolist(), sizes.tolist())
    return scale_for([p.size for p in labeled], smallest, thing)


def pictures_seen(taught: Sequence[Picture], scale: float) -> int:
    """How many pictures one detector learns from, counted as often as they are seen."""
    canvases = [window(fit(*p.size, scale)) for p in taught]
    pixels = float(np.mean([c.width * c.height for c in canvases])) if canvases else WORK
    return int(min(SEEN_MAX, max(SEEN_MIN, WORK / pixels)))


def make_views(
    taught: Sequence[Picture], scale: float, seen: int, params: dict[str, Any],
    progress: Callable[[float], None],
) -> list[list[View]]:  # fmt: skip
    """Of each picture its views, through the frozen stages; none, if it cannot be read."""
    uses = FOLDS * seen / max(1, len(taught))
    count = max(1, min(VIEWS, math.ceil(uses / USES)))
    stem = detectors.stem(params["detector"], Path(params["models"]))
    shared = _Shared(progress, max(1, len(taught)))

    def look(at: int) -> list[View]:
        picture = taught[at]
        assert picture.boxes is not None
        canvas = fit(*picture.size, scale)
        rng = np.random.default_rng([int(params["seed"]), picture.item_id])
        try:
            image = read(picture.path, (canvas.width, canvas.height))
        # A hostile file may raise nearly anything; it is that file's fault alone.
        except Exception:
            return []
        views = []
        for _ in range(count):
            pixels, boxes = view(image, picture.size, window(canvas), picture.boxes, rng)
            views.append(View(stem(pixels[None])[0], boxes))
        shared.add(1.0)
        return views

    with ThreadPoolExecutor(int(params["threads"]), "views") as pool:
        return list(pool.map(look, range(len(taught))))


def _start(params: dict[str, Any], fold: int, classes: int, scale: float) -> Kept:
    """Where a detector begins: at the weights of the round before, if they are there."""
    torch.manual_seed(int(params["seed"]) + fold)
    name, warm = params["detector"], params.get("warm")
    kept = load_for(weights_file(Path(warm), fold), name, classes) if warm else None
    if kept is None:
        return Kept(detectors.pretrained(name, classes, Path(params["models"])), scale, set())
    return kept


def validate(params: dict[str, Any]) -> dict[str, Any]:
    """Ask of the evidence the detectors that never learned from it; writes card.json and
    oof.jsonl. Returns the card without its rows of classes.

    Raises `ValueError` if a detector has learned from a picture that it is to be judged on.
    """
    began = time.perf_counter()
    round_dir, target = Path(params["round_dir"]), float(params["target"])
    pictures = read_pictures(round_dir)
    labels = sum(p.boxes is not None for p in pictures)
    classes = range(int(params["classes"]))
    proving = [p for p in pictures if any(map(p.proves, classes))]
    order = np.random.default_rng(int(params["seed"])).permutation(len(proving))
    evidence = [proving[i] for i in sorted(order[:EVIDENCE_MOST])]
    found = look_at(evidence, params, judged=True)
    kept = [p for p in evidence if p.item_id in found]
    judged = _judge(kept, found, classes)
    card = make_card(judged, labels, target, begun=params["shown"])
    shown = [bool(passing(found[p.item_id], card)) for p in kept]
    card["coverage"] = float(np.mean(shown)) if shown and card["threshold"] is not None else 0.0
    card["detector"] = params["detector"]
    card["seconds"] = time.perf_counter() - began
    _write(round_dir / "oof.jsonl", kept, found, card)
    write_json(round_dir / "card.json", card)
    return {key: value for key, value in card.items() if key != "per_class"}


def _judge(
    pictures: Sequence[Picture], found: dict[int, Detections], classes: Sequence[int]
) -> list[Found]:
    """By class, on the pictures that are evidence about it. There are few such groups: in most
    projects all classes are shown from the same round on."""
    out: list[Found] = []
    known: dict[tuple[int, ...], list[Found]] = {}
    for c in classes:
        some = [p for p in pictures if p.proves(c)]
        group = tuple(p.item_id for p in some)
        if group not in known:
            truth = [p.boxes.agreed for p in some if p.boxes is not None]
            known[group] = match(truth, [found[i] for i in group], len(classes))
        out.append(known[group][c])
    return out


def infer(params: dict[str, Any]) -> dict[str, Any]:
    """Look at the open pictures that come next, as far as any class may be shown; writes
    predictions.jsonl."""
    began = time.perf_counter()
    round_dir = Path(params["round_dir"])
    card = json.loads((round_dir / "card.json").read_text("utf-8"))
    some = [p for p in read_pictures(round_dir) if p.open]
    if card["threshold"] is None:
        some = []
    scale = load(weights_file(round_dir, 0)).scale
    pixels = np.cumsum(
        [canvas.width * canvas.height for canvas in (fit(*p.size, scale) for p in some)]
    )
    some = some[: int((pixels <= LOOK_MOST).sum())]
    found = look_at(some, params)
    _write(round_dir / "predictions.jsonl", some, found, card)
    return {"items": len(found), "seconds": time.perf_counter() - began}


def look_at(
    pictures: Sequence[Picture], params: dict[str, Any], *, judged: bool = False
) -> dict[int, Detections]:
    """By item, what the detector that never learns from a picture finds on it, in pixels of the
    upright picture; without those that cannot be read."""
    torch.set_num_threads(1)
    round_dir = Path(params["round_dir"])
    kept = [load(weights_file(round_dir, fold)) for fold in range(FOLDS)]
    stem = detectors.stem(kept[0].network.name, Path(params["models"]))
    for p in pictures if judged else ():
        if p.content_hash in kept[p.fold].learned:
            raise ValueError(f"detector {p.fold} has learned from item {p.item_id}, its evidence")
    report = reporter(Path(params["progress"]))
    shared = _Shared(report, max(1, len(pictures)))

    def look(some: list[tuple[Picture, Fit]]) -> list[tuple[int, Detections]]:
        pixels, known = [], []
        for picture, canvas in some:
            try:
                image = read(picture.path, (canvas.width, canvas.height))
                pixels.append(whole(image, picture.size, canvas))
            except Exception:  # as in make_views
                continue
            known.append((picture, canvas))
        shared.add(len(some))
        if not known:
            return []
        sizes = [inside(p.size, canvas)[::-1] for p, canvas in known]
        found = kept[known[0][0].fold].network.detect(stem(np.stack(pixels)), sizes)
        return [
            (p.item_id, Detections(d.boxes / canvas.scale, d.scores, d.classes))
            for (p, canvas), d in zip(known, found, strict=True)
        ]

    batches = list(_batches(pictures, [k.scale for k in kept]))
    with ThreadPoolExecutor(int(params["threads"]), "look") as pool:
        return dict(pair for pairs in pool.map(look, batches) for pair in pairs)


def _batches(
    pictures: Sequence[Picture], scales: Sequence[float]
) -> Iterator[list[tuple[Picture, Fit]]]:
    """Pictures for the same detector, on canvases of the same size."""
    groups: defaultdict[tuple[int, int, int], list[tuple[Picture, Fit]]] = defaultdict(list)
    for p in pictures:
        canvas = fit(*p.size, scales[p.fold])
        group = groups[p.fold, canvas.width, canvas.height]
        group.append((p, canvas))
    for group in groups.values():
        count = max(1, LOOK // (group[0][1].width * group[0][1].height))
        for at in range(0, len(group), count):
            yield group[at : at + count]


def passing(found: Detections, card: dict[str, Any]) -> list[int]:
    """Positions of the detections that may be shown."""
    limits = [row["threshold"] for row in card["per_class"]]
    return [
        i
        for i, (score, c) in enumerate(zip(found.scores, found.classes, strict=True))
        if limits[c] is not None and score >= limits[c]
    ]


def _write(
    path: Path, pictures: Sequence[Picture], found: dict[int, Detections], card: dict[str, Any]
) -> None:
    """Lines {item_id, shapes: [[class, x, y, width, height, score], …]}: what may be shown."""
    part = path.with_name(path.name + ".tmp")
    with part.open("w", encoding="ascii") as out:
        for p in pictures:
            if p.item_id not in found:
                continue
            d = found[p.item_id]
            shapes = [_shape(d, i, p.size) for i in passing(d, card)]
            shapes = [s for s in shapes if s is not None]
            out.write(json.dumps({"item_id": p.item_id, "shapes": shapes}) + "\n")
    part.replace(path)


def _shape(found: Detections, at: int, size: tuple[int, int]) -> list[float] | None:
    """[class, x, y, width, height, score]; None where nothing is left inside of the picture."""
    left, top, right, bottom = (
        min(max(float(c), 0.0), float(side))
        for c, side in zip(found.boxes[at], (*size, *size), strict=True)
    )
    if right - left < 2 or bottom - top < 2:
        return None
    return [
        int(found.classes[at]), round(left, 2), round(top, 2), round(right - left, 2),
        round(bottom - top, 2), round(float(found.scores[at]), 4),
    ]  # fmt: skip


__all__ = ["Boxes", "infer", "look_at", "passing", "train", "validate"]
