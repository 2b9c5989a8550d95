"""The job that estimates everybody's skill: votes from files in, parameters out.

Runs in a worker process, away from the event loop and from the writer (services/skills.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from chorus.server.consensus.auto import auto
from chorus.server.consensus.dawid_skene import dawid_skene
from chorus.server.consensus.estimate import Estimate, Skill
from chorus.server.consensus.live import params_of
from chorus.server.consensus.model_voter import with_model
from chorus.server.consensus.one_coin import one_coin
from chorus.server.consensus.table import Fitted, VoteTable
from chorus.server.domain import probs

NOTES = {
    "one_coin": "People are weighed by how often they are right (one number each).",
    "dawid_skene": "Each person's typical mix-ups are weighed (Dawid–Skene).",
    "model": "People are weighed by how often they are right, and the model is one more voter.",
}
UNSEEN = -1
TRUTH = 0.99
"""Chance that a gold item's label is right, where people did not make it themselves by voting."""


def estimate(params: dict[str, Any]) -> dict[str, Any]:
    """params: folder (with votes.tsv, checks.tsv, gold.tsv, model.tsv, rules.json). Returns an
    `Estimate` as JSON.

    Answers on checks are votes here: of their voters they say what other votes say, and more where
    the truth is known from elsewhere. Gold whose label comes from votes alone has no such truth:
    an answer on it is one more vote beside those that made the label.
    """
    folder = Path(params["folder"])
    rules = msgspec.json.decode((folder / "rules.json").read_bytes())
    classes = int(rules["classes"])
    rows = list(_rows(folder / "votes.tsv"))
    checks = [[*row, ""] for row in _rows(folder / "checks.tsv")]
    rows += checks
    items = {item: n for n, item in enumerate(sorted({row[0] for row in rows}, key=int))}
    workers = _in_order_of_work(rows)
    number = {worker: n for n, worker in enumerate(workers)}
    table = VoteTable(
        np.array([items[row[0]] for row in rows], dtype=np.int64),
        np.array([number[row[1]] for row in rows], dtype=np.int64),
        np.array([int(row[2]) for row in rows], dtype=np.int64),
        len(items),
        len(workers),
        classes,
        _weights(rows) if checks else None,
    )
    shown = np.array([int(row[3]) if row[3] else UNSEEN for row in rows], dtype=np.int64)
    fitted, note = _fit(
        str(rules["method"]), table, _views(folder, items, classes), shown,
        _truths(folder, items, classes),
    )  # fmt: skip
    skills = {
        worker: Skill(
            round(float(fitted.skill[n]), 4),
            round(float(fitted.skill_low[n]), 4),
            round(float(fitted.skill_high[n]), 4),
            int(fitted.votes[n]),
        )
        for n, worker in enumerate(workers)
    }
    found = Estimate(params_of(fitted, workers), skills, note)
    body: dict[str, Any] = msgspec.to_builtins(found)
    return body


def _fit(method: str, table: VoteTable, views: Any, shown: Any, truths: Any) -> tuple[Fitted, str]:
    saw = shown != UNSEEN
    if method == "auto":
        fitted = auto(table, probs=views, saw_prelabel=saw, shown=shown, evidence=truths)
        return fitted, fitted.explanation
    if method == "model" and views is not None:

        def fit(votes: VoteTable, model: Any) -> Fitted:
            known = [part for part in (model, truths) if part is not None]
            return one_coin(votes, evidence=sum(known) if known else None)

        return with_model(table, fit, views, saw_prelabel=saw, shown=shown), NOTES["model"]
    if method == "dawid_skene":
        return dawid_skene(table, evidence=truths), NOTES["dawid_skene"]
    return one_coin(table, evidence=truths), NOTES["one_coin"]


def _in_order_of_work(rows: list[list[str]]) -> list[str]:
    """User ids, each once, in an order that depends on nothing but the answers: ids are random,
    and the same answers shall give the same estimate."""
    work: dict[str, list[tuple[int, str, str]]] = {}
    for row in rows:
        work.setdefault(row[1], []).append((int(row[0]), row[2], row[3]))
    return sorted(work, key=lambda user_id: sorted(work[user_id]))


def _weights(rows: list[list[str]]) -> Any:
    """(n,): what one person has said of one item, however often, is one witness."""
    times = Counter((row[0], row[1]) for row in rows)
    return np.array([1 / times[row[0], row[1]] for row in rows])


def _truths(folder: Path, items: dict[str, int], classes: int) -> Any:
    """(items, classes): log-likelihood of known truths, 0 where there is none; or None."""
    out = np.zeros((len(items), classes))
    for row in _rows(folder / "gold.tsv"):
        at = items.get(row[0])
        if at is not None:
            out[at, int(row[1])] = np.log(TRUTH / (1 - TRUTH) * max(1, classes - 1))
    return out if out.any() else None


def _views(folder: Path, items: dict[str, int], classes: int) -> Any:
    """(items, classes): the model's probabilities, NaN where it has said nothing; None: nowhere."""
    out = np.full((len(items), classes), np.nan)
    for row in _rows(folder / "model.tsv"):
        at = items.get(row[0])
        if at is not None:
            out[at] = probs.unpack(row[1], classes)
    return None if np.isnan(out).all() else out


def _rows(path: Path) -> Iterator[list[str]]:
    with path.open(encoding="ascii") as lines:
        for line in lines:
            yield line.rstrip("\n").split("\t")
