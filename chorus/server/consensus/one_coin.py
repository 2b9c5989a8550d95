"""One accuracy per person: right with that chance, else any other class alike.

Dawid & Skene's model (1979) with one parameter for each person, in the literature "one-coin" or
ZenCrowd (Demartini et al., 2012). What few votes can support.
"""

from __future__ import annotations

import numpy as np

from chorus.server.consensus import em
from chorus.server.consensus.em import FLOOR, Prior
from chorus.server.consensus.sheet import Sheet
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
    prior: Prior | Floats = "equal",
    strength: float = em.SKILL_VOTES,
    evidence: Floats | None = None,
    start: Floats | None = None,
) -> Fitted:
    """MAP EM with one accuracy per person.

    `strength`: how many votes the population's accuracy is worth beside a person's own; infinite:
    all are equal. `evidence`: see `em.fit`.
    """
    k = table.classes
    sheet = Sheet(table, em.witnesses(table, evidence))
    worker, own = sheet.cell // max(k, 1), sheet.item * k + sheet.cell % max(k, 1)
    votes = np.bincount(worker, sheet.weight, minlength=table.workers).astype(np.float64)

    def maximise(posterior: Floats) -> Floats:
        share = posterior.ravel().take(own)
        if sheet.weight is not None:
            share *= sheet.weight
        right = np.bincount(worker, share, minlength=table.workers).astype(np.float64)
        mean = em.population_skill(right, votes)
        if np.isinf(strength):
            return np.full(table.workers, mean, dtype=np.float64)
        accuracy: Floats = (right + strength * mean) / (votes + strength)
        return accuracy

    def support(accuracy: Floats) -> Floats:
        odds = log_odds(accuracy, k)
        return sheet.likelihood(odds[:, None, None] * np.eye(k))

    steps = em.Steps(maximise, support)
    found = em.fit(table, sheet, steps, prior=prior, evidence=evidence, start=start)
    return em.fitted("one_coin", table, found, evidence, accuracy=found.parameters)
