"""The job that estimates everybody's skill: votes from files in, parameters out.

Runs in a worker process, away from the event loop and from the writer (services/skills.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from chorus.server.consensus.auto import CELLS_MAX, auto
from chorus.server.consensus.dawid_skene import dawid_skene
from chorus.server.consensus.estimate import Estimate, Skill
from chorus.server.consensus.live import params_of
from chorus.server.consensus.model_voter import with_model
from chorus.server.consensus.one_coin import one_coin
from chorus.server.consensus.table import Fitted, VoteTable
from chorus.server.domain import probs
from chorus.server.jobs.estimate_sets import estimate_sets
from chorus.server.jobs.vote_files import TRUTH, UNSEEN, VoteFiles

NOTES = {
    "one_coin": "People are weighed by how often they are right (one number each).",
    "dawid_skene": "Each person's typical mix-ups are weighed (Dawid–Skene).",
    "too_many": "People are weighed by how often they are right (one number each): there are too"
    " many people and classes for each person's mix-ups.",
    "model": "People are weighed by how often they are right, and the model is one more voter.",
}


def estimate(params: dict[str, Any]) -> dict[str, Any]:
    """params: folder (see `VoteFiles`). Returns an `Estimate` as JSON.

    Answers on checks are votes here: of their voters they say what other votes say, and more where
    the truth is known from elsewhere. Gold whose label comes from votes alone has no such truth:
    an answer on it is one more vote beside those that made the label.
    """
    files = VoteFiles(Path(params["folder"]))
    found = estimate_sets(files) if files.sets else _estimate(files)
    body: dict[str, Any] = msgspec.to_builtins(found)
    return body


def _estimate(files: VoteFiles) -> Estimate:
    table = files.table([int(row[2]) for row in files.rows], files.classes)
    shown = np.array([int(row[3]) if row[3] else UNSEEN for row in files.rows], dtype=np.int64)
    fitted, note = _fit(files.method, table, _views(files), shown, _truths(files))
    skills = {
        worker: Skill(
            round(float(fitted.skill[n]), 4),
            round(float(fitted.skill_low[n]), 4),
            round(float(fitted.skill_high[n]), 4),
            int(fitted.votes[n]),
        )
        for n, worker in enumerate(files.workers)
    }
    return Estimate(params_of(fitted, files.workers), skills, note)


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
    if method == "dawid_skene" and table.workers * table.classes**2 > CELLS_MAX:
        return one_coin(table, evidence=truths), NOTES["too_many"]
    if method == "dawid_skene":
        return dawid_skene(table, evidence=truths), NOTES["dawid_skene"]
    return one_coin(table, evidence=truths), NOTES["one_coin"]


def _truths(files: VoteFiles) -> Any:
    """(items, classes): log-likelihood of known truths, 0 where there is none; or None."""
    out = np.zeros((len(files.items), files.classes))
    for at, label in files.gold():
        out[at, int(label)] = np.log(TRUTH / (1 - TRUTH) * max(1, files.classes - 1))
    return out if out.any() else None


def _views(files: VoteFiles) -> Any:
    """(items, classes): the model's probabilities, NaN where it has said nothing; None: nowhere."""
    out = np.full((len(files.items), files.classes), np.nan)
    for at, view in files.views():
        out[at] = probs.unpack(view, files.classes)
    return None if np.isnan(out).all() else out
