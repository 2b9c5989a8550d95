"""Expectation maximisation over votes: what `one_coin` and `dawid_skene` share.

Everything is a weighted bincount over votes, so that an iteration costs a few passes over arrays
of n numbers for each class, and no Python loop sees a vote.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import numpy as np

from chorus.server.consensus.table import Bools, Floats, VoteTable

Prior = Literal["equal", "estimated"]
"""Class prior: all classes equally likely, or estimated along with the rest."""

ITERATIONS = 200
TOLERANCE = 1e-4
"""Largest move of a probability at which EM ends."""
MEAN_TOLERANCE = 2e-2
"""It also ends when the mean move is below this share of the tolerance: among 100,000 items a few
are always on their way."""
ACCURACY = 0.88
"""Accuracy of a person nobody knows anything about. With two classes or more, one vote then
gives 0.88 and two that agree at least 0.98: one is not enough for a target of 0.95, two are."""
ACCURACY_VOTES = 4.0
"""How many votes that first guess is worth beside what a project's own votes say."""
SKILL_VOTES = 4.0
"""How many votes the population's skill is worth beside a person's own."""
FLOOR = 1e-6
"""No probability falls below it: nobody's vote makes a class impossible."""

P = TypeVar("P")


@dataclass(frozen=True)
class Steps(Generic[P]):
    """The parts of a method. P: its parameters of people."""

    maximise: Callable[[Floats], P]
    """posterior (items, classes) -> parameters."""
    likelihood: Callable[[P], Floats]
    """parameters -> log-likelihood of each item's votes under each class (items, classes)."""


def softmax(logits: Floats) -> Floats:
    """(n, c) -> (n, c), rows sum to 1."""
    exp = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-np.inf))
    total: Floats = exp / exp.sum(axis=1, keepdims=True)
    return total


def shares(table: VoteTable, evidence: Floats | None = None) -> Floats:
    """(items, classes): where EM starts: shares of the votes; without votes all equal."""
    counts = table.counts()
    if evidence is not None:
        counts = counts + (softmax(evidence) - 1 / table.classes).clip(0)
    counts = counts + 1e-9
    start: Floats = counts / counts.sum(axis=1, keepdims=True)
    return start


def informative(table: VoteTable, evidence: Floats | None = None) -> VoteTable:
    """Votes that say something about who cast them: those on items with another witness.

    An item's only vote agrees with itself whatever its worth. At the optimum of EM it has no
    influence on skills, but on the way there it holds everybody at "always right" for hundreds of
    iterations, and most items of a project that stops when sure have one vote.
    """
    witnesses = table.votes_of_items()
    if evidence is not None:
        witnesses = witnesses + (evidence != 0).any(axis=1)
    keep = witnesses[table.item] > 1
    return table if keep.all() else table.take(keep)


def class_prior(kind: Prior, posterior: Floats, voted: Bools) -> Floats:
    """(classes,). `voted` (items,): the items that count. One pseudo-item for each class keeps
    unseen classes possible."""
    classes = posterior.shape[1]
    if kind == "equal":
        return np.full(classes, 1 / max(classes, 1))
    prior: Floats = (posterior[voted].sum(axis=0) + 1) / (voted.sum() + classes)
    return prior


def fit(
    table: VoteTable,
    steps: Steps[P],
    *,
    prior: Prior,
    evidence: Floats | None,
    start: Floats | None = None,
    iterations: int = ITERATIONS,
    tolerance: float = TOLERANCE,
) -> tuple[Floats, Floats, P, int]:
    """EM until no posterior moves by more than `tolerance` (or next to none on average).

    `evidence` (items, classes): log-likelihood that comes from elsewhere than votes (the model).
    Returns posterior, prior, parameters, iterations. The posterior is the E-step of exactly the
    prior and the parameters returned.
    """
    voted = table.votes_of_items() > 0
    if evidence is not None:
        voted = voted | (evidence != 0).any(axis=1)
    posterior = shares(table, evidence) if start is None else start
    done = 0
    while True:
        done += 1
        pi = class_prior(prior, posterior, voted)
        parameters = steps.maximise(posterior)
        logits = steps.likelihood(parameters) + np.log(pi)
        if evidence is not None:
            logits += evidence
        before, posterior = posterior, softmax(logits)
        moved = np.abs(posterior - before)
        still = moved.max(initial=0.0) <= tolerance
        if not still and moved.size:
            still = moved.mean() <= MEAN_TOLERANCE * tolerance
        if still or done >= iterations:
            return posterior, pi, parameters, done


def correct(table: VoteTable, posterior: Floats) -> tuple[Floats, Floats]:
    """Expected number of right votes and of votes, by worker: two arrays (workers,)."""
    weight = 1.0 if table.weight is None else table.weight
    right = posterior[table.item, table.value] * weight
    return (
        np.bincount(table.worker, right, minlength=table.workers).astype(np.float64),
        np.bincount(table.worker, table.weight, minlength=table.workers).astype(np.float64),
    )


def population_skill(right: Floats, votes: Floats) -> float:
    """Mean accuracy of everybody, from `ACCURACY` on as votes come."""
    guess = ACCURACY_VOTES * ACCURACY
    return float((right.sum() + guess) / (votes.sum() + ACCURACY_VOTES))


def skills(
    table: VoteTable, posterior: Floats, evidence: Floats | None = None
) -> tuple[Floats, Floats, Floats, float]:
    """Skill, its lower and upper bound (workers,), and the population's.

    A shrunk share with Wilson's score interval (1927), 95 %, the population's skill counted as
    `SKILL_VOTES` votes.
    """
    right, votes = correct(informative(table, evidence), posterior)
    mean = population_skill(right, votes)
    n = votes + SKILL_VOTES
    share = (right + SKILL_VOTES * mean) / n
    z = 1.959964
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return share, np.maximum(middle - half, 0.0), np.minimum(middle + half, 1.0), mean
