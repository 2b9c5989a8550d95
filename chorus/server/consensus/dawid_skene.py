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
from chorus.server.consensus.sheet import Sheet
from chorus.server.consensus.table import Fitted, Floats, VoteTable

STRENGTH = 3.0
"""Votes that the population's row is worth beside a person's own votes on items of that class."""
DIFFERENCE_VOTES = 1000.0
"""Votes, times classes - 1, that `STRENGTH` is worth beside a project's own where `strength_of`
asks how much people differ."""
STRENGTH_MIN, STRENGTH_MAX = 1.0, 400.0
CAUTION = 6.0
"""A strength s found above `STRENGTH` counts as s * s / (s + this), if that is above it, too: to
take people who differ for alike costs more than the reverse. Settled on `bench.synthetic`."""
POPULATION_VOTES = 2.0
"""Votes, times the number of classes, that the one-coin row is worth beside everybody's."""


Parameters = tuple[Floats, Floats]
"""Confusion (workers, classes, classes) and the population's (classes, classes): [said, truth],
the other way round than in `Fitted`, because an item needs all truths of what was said."""


def likelihood(table: VoteTable, confusion: Floats) -> Floats:
    """(items, classes): log-likelihood of each item's votes under each class. `confusion`
    (workers, classes, classes): [who, truth, said]."""
    sheet = Sheet(table, table.votes_of_items())
    return sheet.outward(sheet.likelihood(np.log(confusion.transpose(0, 2, 1))))


def estimate(counts: Floats, strength: float) -> Parameters:
    """`counts` (workers, classes, classes): expected votes [who, said, truth]."""
    workers, classes, _ = counts.shape
    # A product with ones: faster than a sum over the first axis.
    total = (np.ones(workers) @ counts.reshape(workers, classes**2)).reshape(classes, classes)
    population = _population(total)
    return _columns(counts + strength * population), population


def strength_of(counts: Floats) -> float:
    """The strength (see `STRENGTH`) that fits how much people differ. `counts` as in `estimate`.

    By moments: were people all alike, the chi-square of their rows against everybody's would be
    near its degrees of freedom; a Dirichlet of strength s around everybody's row adds 1 / (1 + s)
    for each vote after the first (Brier, 1980). Taken with `CAUTION`.
    """
    classes = counts.shape[1]
    votes = _over_said(counts)
    everybody = _columns(counts.sum(axis=0) + FLOOR)
    expected = votes * everybody
    squares = (counts - expected) ** 2 / np.maximum(votes * np.maximum(everybody, 1e-3), FLOOR)
    enough = votes[:, 0] > 1
    excess = float((_over_said(squares)[:, 0] - (classes - 1))[enough].sum())
    freedom = float(((classes - 1) * (votes[:, 0] - 1))[enough].sum())
    share = excess + DIFFERENCE_VOTES / (1 + STRENGTH)
    share /= freedom + DIFFERENCE_VOTES
    found = max(1 / max(share, FLOOR) - 1, 0.0)
    cautious = max(found * found / (found + CAUTION), min(found, STRENGTH))
    return float(np.clip(cautious, STRENGTH_MIN, STRENGTH_MAX))


def _population(total: Floats) -> Floats:
    """(classes, classes) [said, truth] of everybody: shrunk to one accuracy."""
    classes = len(total)
    if not classes:
        return total
    mean = em.population_skill(np.diagonal(total), total)
    coin = np.full((classes, classes), (1 - mean) / max(classes - 1, 1))
    np.fill_diagonal(coin, mean if classes > 1 else 1.0)
    return _columns(total + POPULATION_VOTES * classes * coin)


def _columns(counts: Floats) -> Floats:
    """Columns (of one truth) that sum to 1, none of it below `FLOOR`. Works in place."""
    counts /= _over_said(counts)
    if counts.min(initial=1.0) < FLOOR:
        np.maximum(counts, FLOOR, out=counts)
        counts /= _over_said(counts)
    return counts


def _over_said(counts: Floats) -> Floats:
    """(..., said, truth) -> (..., 1, truth). Faster than numpy's sum over a short axis."""
    if not counts.shape[-2]:
        return counts
    total = counts[..., 0, :].copy()
    for said in range(1, counts.shape[-2]):
        total += counts[..., said, :]
    return total[..., None, :]


def search(
    table: VoteTable,
    sheet: Sheet,
    *,
    prior: Prior | Floats,
    strength: float,
    evidence: Floats | None = None,
    start: Floats | None = None,
    iterations: int = em.ITERATIONS,
    tolerance: float = em.TOLERANCE,
) -> em.Found[Parameters]:
    """EM alone, for who makes the sheet (see `em.fit`) once and fits more than once."""
    steps = em.Steps(
        lambda posterior: estimate(sheet.counts(posterior), strength),
        lambda found: sheet.likelihood(np.log(found[0])),
    )
    return em.fit(
        table, sheet, steps, prior=prior, evidence=evidence, start=start,
        iterations=iterations, tolerance=tolerance,
    )  # fmt: skip


def dawid_skene(
    table: VoteTable,
    *,
    prior: Prior | Floats = "estimated",
    strength: float = STRENGTH,
    evidence: Floats | None = None,
    start: Floats | None = None,
) -> Fitted:
    """MAP EM with a confusion matrix per person.

    `strength` > 0: see `STRENGTH`; towards 0 it is the method of 1979. `evidence`: see `em.fit`.
    Takes 8 * workers * classes² bytes a few times over.
    """
    sheet = Sheet(table, em.witnesses(table, evidence))
    found = search(
        table, sheet, prior=prior, strength=strength, evidence=evidence, start=start
    )  # fmt: skip
    confusion, population = found.parameters
    return em.fitted(
        "dawid_skene", table, found, evidence,
        confusion=np.ascontiguousarray(confusion.transpose(0, 2, 1)),
        population=population.T.copy(),
    )  # fmt: skip
