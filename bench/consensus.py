"""`python -m bench.consensus`: merging real votes, beside crowd-kit's where it is installed.
With `--synthetic`: drawn votes of every kind (see `bench.synthetic`); with `--unseen N`, N more
sets that were drawn up by chance.

Data: ../shared/data (see its INDEX.md); what is absent is said and skipped. crowd-kit is no part
of the environment, for it brings pyarrow, pandas, scikit-learn and transformers (600 MB):
`pip install crowd-kit` to see its rows.
"""

from __future__ import annotations

import csv
import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from time import process_time
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from bench.synthetic import FAMILY, Set, random_set
from chorus.server.consensus.auto import auto
from chorus.server.consensus.dawid_skene import dawid_skene
from chorus.server.consensus.one_coin import one_coin
from chorus.server.consensus.score import Score, score
from chorus.server.consensus.shares import majority_table
from chorus.server.consensus.table import Names, VoteTable, from_columns

DATA = Path(__file__).parents[2] / "shared" / "data"
SEEDS = 20
FRESH = 1000
"""First seed of `--unseen`. Those from 0 to 59 were looked at while `auto` was made."""
TARGET = 0.95
VOTES_MAX = 3
Method = Callable[[VoteTable], Any]
OURS: dict[str, Method] = {
    "majority": lambda t: majority_table(t).posterior,
    "one_coin": lambda t: one_coin(t).posterior,
    "dawid_skene, no priors": lambda t: dawid_skene(t, strength=0.01).posterior,
    "dawid_skene": lambda t: dawid_skene(t).posterior,
    "auto": lambda t: auto(t).posterior,
}


def main(
    data: Annotated[Path, typer.Option(help="Folder with crowd/ and cifar10n/.")] = DATA,
    seeds: Annotated[int, typer.Option(help="Random thinnings of each set.")] = SEEDS,
    model: Annotated[bool, typer.Option(help="Also the model as a voter (minutes).")] = True,
    synthetic: Annotated[bool, typer.Option(help="Drawn votes instead (minutes).")] = False,
    unseen: Annotated[int, typer.Option(help="Sets drawn up by chance instead.")] = 0,
) -> None:
    """Accuracy, log loss, calibration error and CPU seconds of each method."""
    console = Console(width=None if os.isatty(1) else 120)
    if synthetic or unseen:
        console.print(regret([random_set(FRESH + n) for n in range(unseen)] if unseen else FAMILY))
        return
    methods = OURS | crowd_kit()
    if len(methods) == len(OURS):
        console.print("crowd-kit is not installed: its rows are left out")
    folders = sorted(p.parent for p in (data / "crowd").glob("*/votes.csv"))
    if not folders:
        console.print(f"no votes in {data / 'crowd'}: skipped")
    for folder in folders:
        table, gold, known = read(folder)
        for votes in (None, 2, 3):
            console.print(compare(f"{folder.name}, {votes or 'all'} votes per item",
                                  table, gold, known, votes, methods, seeds))  # fmt: skip
    if not (data / "cifar10n" / "votes.csv").exists():
        console.print(f"no {data / 'cifar10n'}: skipped")
    elif model:
        console.print(stop_when_sure(data / "cifar10n"))


def read(folder: Path, worker: str = "worker") -> tuple[VoteTable, Any, Any]:
    """(table, gold (known,), rows of the items whose answer is known)."""
    table, names, gold = read_all(folder, worker)
    known = np.array([n for n, item in enumerate(names.items) if item in gold])
    return table, np.array([names.classes.index(gold[names.items[n]]) for n in known]), known


def read_all(folder: Path, worker: str) -> tuple[VoteTable, Names, dict[str, str]]:
    with (folder / "votes.csv").open() as file:
        votes = list(csv.DictReader(file))
    with (folder / "gold.csv").open() as file:
        gold = {row["item"]: row["label"] for row in csv.DictReader(file)}
    columns = ([row[name] for row in votes] for name in ("item", worker, "label"))
    table, names = from_columns(*columns, more_classes=sorted(set(gold.values())))
    return table, names, gold


def thinned(table: VoteTable, votes: int, seed: int) -> VoteTable:
    """`votes` random votes of each item."""
    order = np.random.default_rng(seed).permutation(len(table))
    order = order[np.argsort(table.item[order], kind="stable")]
    counts = table.votes_of_items()
    nth = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    return table.take(order[nth < votes])


def compare(
    title: str, table: VoteTable, gold: Any, known: Any, votes: int | None,
    methods: dict[str, Method], seeds: int,
) -> Table:  # fmt: skip
    out = Table("method", "accuracy", "log loss", "ECE", "CPU seconds", title=title)
    tables = [table] if votes is None else [thinned(table, votes, s) for s in range(seeds)]
    for name, method in methods.items():
        scores, seconds = [], []
        for each in tables:
            began = process_time()
            posterior = method(each)
            seconds.append(process_time() - began)
            scores.append(score(posterior[known], gold))
        mean = Score(*np.mean(scores, axis=0))
        out.add_row(
            name, f"{mean.accuracy:.4f}", f"{mean.log_loss:.3f}", f"{mean.ece:.3f}",
            f"{np.mean(seconds):.4f}",
        )  # fmt: skip
    return out


def regret(sets: Sequence[Set]) -> Table:
    """How far `auto` stays behind the better of majority and plain Dawid-Skene (1979: no shrinking,
    estimated class shares, majority start), all votes and thinned to two and three. Points of
    accuracy, mean over draws; the last column is the standard error of its left neighbour."""
    out = Table("set", "votes", "majority", "DS", "auto", "behind", "±")
    behind = []
    for each in sets:
        draws = 20 if each.items <= 300 else 8 if each.items <= 1000 else 3
        for votes in (None, 2, 3):
            if votes == each.votes:
                continue
            found = np.array([_draw(each, votes, seed) for seed in range(draws)])
            mean = found.mean(axis=0)
            best = int(mean[:2].argmax())
            error = (found[:, best] - found[:, 2]).std() / np.sqrt(draws)
            behind.append(mean[best] - mean[2])
            out.add_row(
                each.name, str(votes or "all"), *(f"{100 * m:.1f}" for m in mean),
                f"{100 * behind[-1]:+.1f}", f"{100 * error:.1f}",
            )  # fmt: skip
    late = np.array(behind)
    out.caption = (
        f"auto is behind by {100 * late.mean():+.2f} on average, {100 * late.max():+.1f} at worst,"
        f" by more than 0.3 in {(late > 0.003).sum()} of {len(late)}"
        f" (together {100 * late.clip(0).sum():.1f})"
    )
    return out


def _draw(each: Set, votes: int | None, seed: int) -> list[float]:
    """Accuracy of majority, plain Dawid-Skene and auto on one draw."""
    table, truth = each.draw(seed)
    if votes is not None:
        table = thinned(table, votes, seed)
    methods = (OURS["majority"], OURS["dawid_skene, no priors"], OURS["auto"])
    return [score(method(table), truth).accuracy for method in methods]


def crowd_kit() -> dict[str, Method]:
    """crowd-kit's majority vote and Dawid-Skene, or nothing. Frames are made outside its time."""
    try:
        import pandas as pd
        from crowdkit.aggregation import DawidSkene, MajorityVote
    except ImportError:
        return {}

    def method(make: Callable[[], Any]) -> Method:
        def run(table: VoteTable) -> Any:
            frame = pd.DataFrame({"task": table.item, "worker": table.worker, "label": table.value})
            found = make().fit_predict_proba(frame)
            found = found.reindex(index=range(table.items), columns=range(table.classes))
            return found.fillna(0.0).to_numpy()

        return run

    return {
        "crowd-kit MajorityVote": method(MajorityVote),
        "crowd-kit DawidSkene": method(lambda: DawidSkene(n_iter=100)),
    }


def stop_when_sure(folder: Path) -> Table:
    """cifar10n: a first vote for each item; after each pass a model from the votes so far; items
    below TARGET get another vote, up to VOTES_MAX. The people are unknown: the nth vote of every
    item counts as one person's."""
    table, names, gold = read_all(folder, "nth")
    truth = np.array([names.classes.index(gold[item]) for item in names.items])
    features = featurize([folder / "images" / item for item in names.items])
    out = Table("method", "accuracy, all items", "votes per item", "model weight",
                title=f"cifar10n, stop at {TARGET}")  # fmt: skip
    whole = score(majority_table(table).posterior, truth)
    out.add_row("majority of all three", f"{whole.accuracy:.4f}", "3.00", "")
    for name, with_features in (("auto, people only", None), ("auto with the model", features)):
        asked = np.ones(table.items, dtype=np.int64)
        for _ in range(VOTES_MAX):
            now = table.take(table.worker < asked[table.item])
            found = auto(now)
            if with_features is not None:
                found = auto(now, probs=out_of_fold(with_features, found.posterior))
            unsure = (found.confidence < TARGET) & (asked < VOTES_MAX)
            if not unsure.any():
                break
            asked[unsure] += 1
        accuracy = score(found.posterior, truth).accuracy
        weight = "" if with_features is None else f"{found.model_weight:.2f}"
        out.add_row(name, f"{accuracy:.4f}", f"{asked.mean():.3f}", weight)
    return out


def featurize(paths: list[Path]) -> Any:
    """(items, d) by the project's default backbone."""
    from chorus.ml import featurize as ml
    from chorus.ml.backbones import BACKBONES, DEFAULT
    from chorus.ml.store import FeatureStore

    config = BACKBONES[DEFAULT]
    hashes = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    with tempfile.TemporaryDirectory(prefix="chorus-bench-") as temporary:
        store = FeatureStore(Path(temporary), "bench", config.dim)
        ml.featurize(
            hashes, paths, store, config, Path(temporary) / "models", 2, lambda share: None
        )
        rows, _ = store.get(hashes)
    return np.array(rows)


def out_of_fold(features: Any, posterior: Any) -> Any:
    """(items, classes): calibrated predictions by heads that have not seen the item."""
    from chorus.ml import learn

    labels = posterior.argmax(axis=1)
    model = learn.train(features, posterior.astype(np.float32), labels, features, seed=0, threads=2)
    logits = learn.out_of_fold_logits(model, features)
    return learn.softmax(logits, learn.calibrate(logits, labels)).astype(np.float64)


if __name__ == "__main__":
    typer.run(main)
