"""A confusion matrix per person (Dawid & Skene, 1979), shrunk to the population's.

Maximum a posteriori: each row of a person's matrix has a Dirichlet prior around the same row of
everybody's matrix taken together, and that one is shrunk to a one-coin matrix. So a person with
few votes is taken for an average one, and plain Dawid-Skene appears as votes come (in the family
of Paun et al., 2018, who found partial pooling to be the best of the annotation models).
"""

from __future__ import annotations

import numpy as np

from chorus.server.consensus import em
from chorus.server.consensus.em import FLOOR, Prior
from chorus.server.consensus.table import Fitted, Floats, VoteTable

STRENGTH = 3.0
"""Votes that the population's row is worth beside a person's own votes on items of that class."""
POPULATION_VOTES = 2.0
"""Votes, times the number of classes, that the one-coin row is worth beside everybody's."""


def soft_counts(table: VoteTable, posterior: Floats) -> Floats:
    """(workers, classes, classes): expected number of votes [who, truth, said]."""
    w, k = table.workers, table.classes
    cell = table.worker * k + table.value
    counts = np.empty((w, k, k))
    for truth in range(k):
        share = posterior[table.item, truth]
        if table.weight is not None:
            share = share * table.weight
        counts[:, truth, :] = np.bincount(cell, share, minlength=w * k).reshape(w, k)
    return counts


def likelihood(table: VoteTable, confusion: Floats) -> Floats:
    """(items, classes): log-likelihood of each item's votes under each class."""
    cell = table.worker * table.classes + table.value
    log = np.log(confusion)
    out = np.empty((table.items, table.classes))
    for truth in range(table.classes):
        support = np.ascontiguousarray(log[:, truth, :]).reshape(-1)[cell]
        if table.weight is not None:
            support *= table.weight
        out[:, truth] = np.bincount(table.item, support, minlength=table.items)
    return out


def estimate(counts: Floats, strength: float) -> tuple[Floats, Floats]:
    """Confusion matrices (workers, classes, classes) and the population's (classes, classes)."""
    classes = counts.shape[1]
    total = counts.sum(axis=0)
    mean = em.population_skill(np.diagonal(total), total)
    coin = np.full((classes, classes), (1 - mean) / max(classes - 1, 1))
    np.fill_diagonal(coin, mean if classes > 1 else 1.0)
    pull = POPULATION_VOTES * classes
    population = _rows(total + pull * coin)
    return _rows(counts + strength * population), population


def _rows(counts: Floats) -> Floats:
    """Rows that sum to 1, none of it below `FLOOR`."""
    rows = np.maximum(counts / counts.sum(axis=-1, keepdims=True), FLOOR)
    normal: Floats = rows / rows.sum(axis=-1, keepdims=True)
    return normal


def dawid_skene(
    table: VoteTable,
    *,
    prior: Prior = "estimated",
    strength: float = STRENGTH,
    evidence: Floats | None = None,
    start: Floats | None = None,
    iterations: int = em.ITERATIONS,
    tolerance: float = em.TOLERANCE,
) -> Fitted:
    """MAP EM with a confusion matrix per person.

    `strength` > 0: see `STRENGTH`; towards 0 it is the method of 1979. `evidence`: see `em.fit`.
    Takes 8 * workers * classes² bytes a few times over.
    """
    known = em.informative(table, evidence)

    def maximise(posterior: Floats) -> tuple[Floats, Floats]:
        return estimate(soft_counts(known, posterior), strength)

    steps = em.Steps(maximise, lambda found: likelihood(table, found[0]))
    posterior, pi, (confusion, population), done = em.fit(
        table, steps, prior=prior, evidence=evidence, start=start,
        iterations=iterations, tolerance=tolerance,
    )  # fmt: skip
    skill, low, high, mean = em.skills(table, posterior, evidence)
    return Fitted(
        method="dawid_skene",
        posterior=posterior,
        prior=pi,
        votes=table.votes_of_workers(),
        skill=skill,
        skill_low=low,
        skill_high=high,
        population_skill=mean,
        confusion=confusion,
        population=population,
        iterations=done,
    )
