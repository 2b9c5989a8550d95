"""Everybody's skill where a label is a set of classes: each class a question of yes or no.

Two ways to learn from the answers are compared, class by class:

- together: a person overlooks and invents any class equally often; only how common it is differs.
  Every question counts, so that a few hundred items say much;
- by itself: a class has its own fit, and may be one that everybody overlooks, or one person does.

A class is learned by itself where that makes its votes clearly likelier. docs/consensus.md has
what it brings.
"""

from __future__ import annotations

import msgspec
import numpy as np

from chorus.server.consensus.auto import auto
from chorus.server.consensus.estimate import Estimate, Skill
from chorus.server.consensus.live import Params, params_of, set_params
from chorus.server.consensus.table import Bools, Fitted, Floats, Ints, VoteTable
from chorus.server.domain.values import indices
from chorus.server.jobs.vote_files import TRUTH, UNSEEN, VoteFiles

ROUNDS = 3
"""Fits of all classes together, each with the shares of the classes that the last one found."""
PRIOR_ITEMS = 20
"""How much the mean share of the classes counts in each one's own."""
TICKS_MIN = 20
"""Votes for a class, and against it, that learning it by itself takes."""
LIKELIER = 0.3
"""By itself, if its votes come out likelier by so many times the penalty of its parameters (BIC:
Schwarz, 1978)."""
ANSWERS_MAX = 400_000
"""Answers (votes times classes) that all classes together are learned from; all of some items."""
LEAST = 1e-6
NOTE = "Each class is decided by itself; whoever overlooks classes or invents them counts less"


def estimate_sets(files: VoteFiles) -> Estimate:
    """A person's skill is how often they are right about one class of one item."""
    answers = Answers(files)
    together, priors, skills = _together(answers)
    by_class = []
    own = 0
    for c in range(files.classes):
        params = msgspec.structs.replace(together, prior=priors[c])
        alone = answers.alone(c)
        if alone is not None and answers.likelier(c, alone, params):
            params, own = params_of(alone, files.workers), own + 1
        by_class.append(params)
    note = NOTE + "."
    if own:
        note = f"{NOTE}: in {own} of the {files.classes} classes by what is known of that class."
    prior = [1.0 / files.classes] * files.classes
    return Estimate(Params("auto", prior, sets=set_params(by_class)), skills, note)


class Answers:
    """Every vote as an answer (n, classes) of yes or no to each class's question."""

    def __init__(self, files: VoteFiles) -> None:
        self.files = files
        self.said = _ticks([row[2] for row in files.rows], files.classes)
        self.shown = _ticks([row[3] for row in files.rows], files.classes)
        self.saw: Bools = np.array([bool(row[3]) for row in files.rows], dtype=np.bool_)
        self.truths = _truths(files)
        """(classes, items, 2): log-likelihood of known truths; None: there are none."""

    def table(self, c: int) -> VoteTable:
        return self.files.table(self.said[:, c].astype(np.int64), 2)

    def shown_of(self, c: int) -> Ints:
        return np.where(self.saw, self.shown[:, c].astype(np.int64), UNSEEN)

    def alone(self, c: int) -> Fitted | None:
        """The class's own fit; None: too little is known of it."""
        ticks = int(self.said[:, c].sum())
        if min(ticks, len(self.said) - ticks) < TICKS_MIN:
            return None
        evidence = None if self.truths is None else self.truths[c]
        return auto(
            self.table(c), saw_prelabel=self.saw, shown=self.shown_of(c), evidence=evidence
        )  # fmt: skip

    def likelier(self, c: int, alone: Fitted, together: Params) -> bool:
        table, workers = self.table(c), self.files.workers
        gain = _log_likelihood(table, params_of(alone, workers), workers)
        gain -= _log_likelihood(table, together, workers)
        penalty = (2 * table.workers + 1) * float(np.log(max(table.items, 2))) / 2
        return gain > LIKELIER * penalty


def _together(answers: Answers) -> tuple[Params, list[list[float]], dict[str, Skill]]:
    """(what is known of everybody, each class's prior, everybody's skill)."""
    files, classes = answers.files, answers.files.classes
    whole = answers.table(0)
    rows, items = _some(whole, max(1, ANSWERS_MAX // max(1, classes)))
    # Numbered anew: of a hundred classes, the items left out would fill gigabytes.
    n, number = int(items.sum()), np.cumsum(items) - 1
    truths = None if answers.truths is None else answers.truths[:, items]
    table = VoteTable(
        (number[whole.item[rows]] + np.arange(classes)[:, None] * n).ravel(),
        np.tile(whole.worker[rows], classes),
        answers.said[rows].T.ravel().astype(np.int64),
        n * classes,
        whole.workers,
        2,
        None if whole.weight is None else np.tile(whole.weight[rows], classes),
        # How common a class is is no witness of anybody's answer.
        np.zeros(classes * n, dtype=np.bool_)
        if truths is None
        else (truths.reshape(-1, 2) != 0).any(axis=1),
    )
    saw = np.tile(answers.saw[rows], classes)
    shown = np.concatenate([answers.shown_of(c)[rows] for c in range(classes)])
    evidence = None if truths is None else truths.reshape(-1, 2)
    for _ in range(ROUNDS):
        fitted = auto(table, saw_prelabel=saw, shown=shown, evidence=evidence)
        posterior = fitted.posterior.reshape(classes, n, 2)
        priors = posterior.sum(axis=1) + PRIOR_ITEMS * fitted.prior
        priors /= priors.sum(axis=1, keepdims=True)
        rarer = np.repeat(np.log(priors / fitted.prior)[:, None], n, axis=1)
        evidence = (rarer if truths is None else rarer + truths).reshape(-1, 2)
    votes = np.bincount(whole.worker, minlength=len(files.workers))
    skills = {
        worker: Skill(
            round(float(fitted.skill[k]), 4),
            round(float(fitted.skill_low[k]), 4),
            round(float(fitted.skill_high[k]), 4),
            int(votes[k]),
        )
        for k, worker in enumerate(files.workers)
    }
    return params_of(fitted, files.workers), priors.tolist(), skills


def _some(table: VoteTable, most: int) -> tuple[Bools, Bools]:
    """(rows, items) to learn from: all votes of chance items, about `most` votes."""
    items = np.ones(table.items, dtype=np.bool_)
    if len(table) > most:
        order = np.random.default_rng(0).permutation(table.items)
        items[order[max(1, table.items * most // len(table)) :]] = False
    return items[table.item], items


def _log_likelihood(table: VoteTable, params: Params, workers: list[str]) -> float:
    """Of the answers on one class."""
    confusion = np.log(np.maximum([params.of(worker) for worker in workers], LEAST))
    logs = np.zeros((table.items, 2))
    weight = np.ones(len(table)) if table.weight is None else table.weight
    np.add.at(logs, table.item, confusion[table.worker, :, table.value] * weight[:, None])
    voted = np.bincount(table.item, minlength=table.items) > 0
    joint = logs[voted] + np.log(np.maximum(params.prior, LEAST))
    return float(np.logaddexp(joint[:, 0], joint[:, 1]).sum())


def _ticks(values: list[str], classes: int) -> Bools:
    """(n, classes): what each canonical set ticks; "" ticks nothing."""
    out = np.zeros((len(values), classes), dtype=np.bool_)
    for n, value in enumerate(values):
        if value:
            out[n, list(indices(value))] = True
    return out


def _truths(files: VoteFiles) -> Floats | None:
    out = np.zeros((files.classes, len(files.items), 2))
    for at, label in files.gold():
        ticked = np.zeros(files.classes, dtype=np.int64)
        ticked[list(indices(label))] = 1
        out[np.arange(files.classes), at, ticked] = np.log(TRUTH / (1 - TRUTH))
    return out if out.any() else None
