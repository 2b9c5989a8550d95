"""One accuracy per person: right with that chance, else any other class alike.

Dawid & Skene's model (1979) with one parameter for each person, in the literature "one-coin" or
ZenCrowd (Demartini et al., 2012). What few votes can support.
"""

from __future__ import annotations

import numpy as np

from chorus.server.consensus import em
from chorus.server.consensus.em import FLOOR, Prior
from chorus.server.consensus.table import Fitted, Floats, VoteTable


def log_odds(accuracy: Floats, classes: int) -> Floats:
    """(workers,): log-likelihood that a vote gives to its class above every other.

    0 where there is nothing to tell apart (one class). Negative for people who are more often
    wrong than chance: their vote speaks against its class.
    """
    if classes < 2:
        return np.zeros_like(accuracy)
    wrong = (1 - accuracy) / (classes - 1)
    odds: Floats = np.log(np.maximum(accuracy, FLOOR)) - np.log(np.maximum(wrong, FLOOR))
    return odds


def likelihood(table: VoteTable, accuracy: Floats) -> Floats:
    """(items, classes): log-likelihood of each item's votes, up to a constant of the item."""
    support = log_odds(accuracy, table.classes)[table.worker]
    if table.weight is not None:
        support = support * table.weight
    flat = np.bincount(
        table.item * table.classes + table.value, support, minlength=table.items * table.classes
    )
    # bincount of an empty table gives integers.
    return flat.astype(np.float64).reshape(table.items, table.classes)


def one_coin(
    table: VoteTable,
    *,
    prior: Prior = "equal",
    strength: float = em.SKILL_VOTES,
    evidence: Floats | None = None,
    start: Floats | None = None,
    iterations: int = em.ITERATIONS,
    tolerance: float = em.TOLERANCE,
) -> Fitted:
    """MAP EM with one accuracy per person.

    `strength`: how many votes the population's accuracy is worth beside a person's own; infinite:
    all are equal. `evidence`: see `em.fit`.
    """
    known = em.informative(table, evidence)

    def maximise(posterior: Floats) -> Floats:
        right, votes = em.correct(known, posterior)
        mean = em.population_skill(right, votes)
        if np.isinf(strength):
            return np.full(table.workers, mean, dtype=np.float64)
        accuracy: Floats = (right + strength * mean) / (votes + strength)
        return accuracy

    steps = em.Steps(maximise, lambda accuracy: likelihood(table, accuracy))
    posterior, pi, accuracy, done = em.fit(
        table, steps, prior=prior, evidence=evidence, start=start,
        iterations=iterations, tolerance=tolerance,
    )  # fmt: skip
    skill, low, high, mean = em.skills(table, posterior, evidence)
    return Fitted(
        method="one_coin",
        posterior=posterior,
        prior=pi,
        votes=table.votes_of_workers(),
        skill=skill,
        skill_low=low,
        skill_high=high,
        population_skill=mean,
        accuracy=accuracy,
        iterations=done,
    )
