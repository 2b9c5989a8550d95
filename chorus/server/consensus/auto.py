"""The default: what the project's own votes support, decided without gold.

People are modelled by Dawid-Skene, shrunk to what they have in common as far as they are alike
(`dawid_skene.strength_of`). What the votes alone often cannot tell is how common the classes are: a
rare class that everybody sees well, and a common one that everybody overlooks, look much the same.
Two fits are compared:

- cautious: the classes' shares are half-way between equal and their shares of the votes;
- free: they are estimated along with the rest. That feeds back on itself when votes are few (the
  commonest class takes the doubtful items, and grows), but is right where sets are lopsided.

Free it is where it makes people clearly more often right, or somewhat more often right and the
votes clearly likelier; where people come out only a little better, something in between.
docs/consensus.md has the measurements.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from chorus.server.consensus import em
from chorus.server.consensus.dawid_skene import (
    STRENGTH,
    Parameters,
    dawid_skene,
    search,
    strength_of,
)
from chorus.server.consensus.em import Found, Prior
from chorus.server.consensus.model_voter import weighted, with_model
from chorus.server.consensus.one_coin import one_coin
from chorus.server.consensus.sheet import Sheet
from chorus.server.consensus.table import Bools, Fitted, Floats, Ints, VoteTable

BETTER_PEOPLE = 2.5
"""Free, if people come out so much better, in units of 1 / sqrt(items)."""
LIKELIER = 1.0, 8.0
"""Free, if the votes come out likelier by so many times the penalty of its parameters (BIC:
Schwarz, 1978): the first if people come out better, too, the second whether they do or not."""
LOPSIDED = 0.4
"""Free, if people come out better at all, where the votes are so far from equal shares (0..1)."""
BETWEEN = 0.25
"""From the cautious shares to the free ones, where people come out a little better."""
PRIORS: tuple[Prior, Prior] = ("votes", "estimated")
ROUNDS = 2
VOTES_MAX = 40_000
"""Votes that the two are compared on (all votes of some items)."""
ROUGHLY = 1e-3
"""Tolerance of fits that are only compared."""
CELLS_MAX = 1_000_000
"""Largest workers * classes² for confusion matrices: the server reads them (20 MB as JSON) and
keeps them in memory, between people's votes."""
ALIKE = 24.0
"""Strength from which people are said to be alike."""


@dataclass(frozen=True)
class Shape:
    """One way to model people."""

    method: str
    strength: float
    prior: Prior | Floats
    reason: str
    start: Floats | None = None
    """(items, classes): a posterior near the end, where there is one: saves most iterations."""

    def fit(self, table: VoteTable, evidence: Floats | None = None) -> Fitted:
        fit = dawid_skene if self.method == "dawid_skene" else one_coin
        start = self.start if evidence is None else None
        return fit(
            table, prior=self.prior, strength=self.strength, evidence=evidence, start=start
        )  # fmt: skip


FEW = Shape(
    "one_coin", em.SKILL_VOTES, "equal",
    "people are weighed by how often they are right (one number each), because most items have a"
    " single vote",
)  # fmt: skip
MANY = replace(
    FEW,
    reason="people are weighed by how often they are right (one number each), because there are too"
    " many people and classes for each person's mix-ups",
)


def auto(
    table: VoteTable,
    *,
    probs: Floats | None = None,
    saw_prelabel: Bools | None = None,
    shown: Ints | None = None,
    evidence: Floats | None = None,
) -> Fitted:
    """The shape that the votes support, and the model as a voter if it proves good.

    `probs`, `saw_prelabel`, `shown`: see `model_voter.with_model`; `evidence`: see `em.fit`.
    `explanation` of the result is one sentence for people. The order of votes does not matter.
    """
    table, saw_prelabel, shown = _in_order(table, saw_prelabel, shown)
    shape = choose(table)
    if probs is None:
        if saw_prelabel is not None and shown is not None and saw_prelabel.any():
            table, _ = weighted(table, None, saw_prelabel, shown)
        return replace(shape.fit(table, evidence), explanation=_sentence(shape, None))

    def fit(votes: VoteTable, model: Floats | None) -> Fitted:
        known = [part for part in (model, evidence) if part is not None]
        return shape.fit(votes, sum(known[1:], known[0]) if known else None)

    fitted = with_model(table, fit, probs, saw_prelabel=saw_prelabel, shown=shown)
    return replace(fitted, explanation=_sentence(shape, fitted.model_weight))


def choose(table: VoteTable) -> Shape:
    """The shape for these votes; deterministic."""
    votes = table.votes_of_items()
    # Where most items stopped at one vote, those with more are the contested ones: no fair sample
    # to learn mix-ups from.
    contested = 2 * (votes > 1).sum() < (votes > 0).sum()
    if contested or not len(table) or table.classes < 2:
        return FEW
    if table.workers * table.classes**2 > CELLS_MAX:
        return MANY
    sample = _sample(table)
    sheet = Sheet(sample, em.witnesses(sample))
    cautious, free = (_fit(sample, sheet, prior, STRENGTH) for prior in PRIORS)
    gain = _people(sheet, free) - _people(sheet, cautious)
    prior, nearest = _shares(sample, cautious, free, gain)
    strength = strength_of(sheet.counts(sheet.inward(nearest.posterior)))
    for _ in range(ROUNDS):
        # Counts depend on the strength they were found with, so once more with the better one.
        nearest = _fit(sample, sheet, prior, strength, nearest.posterior)
        strength = strength_of(sheet.counts(sheet.inward(nearest.posterior)))
    alike = (
        "everybody's mix-ups are weighed alike (Dawid–Skene), because people hardly differ"
        if strength >= ALIKE
        else "each person's typical mix-ups are weighed (Dawid–Skene), people with few votes"
        " counting as average"
    )
    start = nearest.posterior if sample is table else None
    return Shape("dawid_skene", strength, prior, alike, start)


def _fit(
    table: VoteTable, sheet: Sheet, prior: Prior | Floats, strength: float,
    start: Floats | None = None,
) -> Found[Parameters]:  # fmt: skip
    return search(
        table, sheet, prior=prior, strength=strength, start=start, tolerance=ROUGHLY
    )  # fmt: skip


def _shares(
    table: VoteTable, cautious: Found[Parameters], free: Found[Parameters], gain: float
) -> tuple[Prior | Floats, Found[Parameters]]:
    """The class prior, and the fit that is nearest to it. `gain`: of `_people`, by `free`."""
    items = int((table.votes_of_items() > 0).sum())
    likelier = free.log_likelihood - cautious.log_likelihood
    likelier /= (table.classes - 1) * np.log(max(items, 2)) / 2
    better = gain > BETTER_PEOPLE / np.sqrt(items)
    if gain > 0 and (better or likelier > LIKELIER[0] or _lopsided(table) > LOPSIDED):
        return "estimated", free
    if likelier > LIKELIER[1]:
        return "estimated", free
    if gain <= 0:
        return "votes", cautious
    voted = table.votes_of_items() > 0
    ends = [found.posterior[voted].mean(axis=0) for found in (cautious, free)]
    between: Floats = ends[0] + BETWEEN * (ends[1] - ends[0])
    return between, cautious


def _people(sheet: Sheet, found: Found[Parameters]) -> float:
    """How often people are right: by votes, plus the mean by classes."""
    total = sheet.counts(sheet.inward(found.posterior)).sum(axis=0)
    right = np.diagonal(total)
    by_class = right / np.maximum(total.sum(axis=0), em.FLOOR)
    return float(right.sum() / max(total.sum(), em.FLOOR) + by_class.mean())


def _lopsided(table: VoteTable) -> float:
    """0 (each class has as many votes) to 1 (one class has them all)."""
    shares = em.shares(table)[table.votes_of_items() > 0].mean(axis=0)
    equal = 1 / table.classes
    return float(np.abs(shares - equal).sum() / 2 / (1 - equal))


def _sample(table: VoteTable) -> VoteTable:
    """All votes of every nth item, `VOTES_MAX` votes or so."""
    if len(table) <= VOTES_MAX:
        return table
    chosen = np.flatnonzero(table.votes_of_items())
    chosen = np.random.default_rng(0).permutation(chosen)[: len(chosen) * VOTES_MAX // len(table)]
    keep = np.zeros(table.items, dtype=np.bool_)
    keep[chosen] = True
    # Numbered anew, so that the fits do not carry the items left out.
    number = np.cumsum(keep) - 1
    votes_kept = table.take(keep[table.item])
    known = None if votes_kept.known is None else votes_kept.known[keep]
    return replace(votes_kept, item=number[votes_kept.item], items=int(keep.sum()), known=known)


def _in_order(
    table: VoteTable, saw: Bools | None, shown: Ints | None
) -> tuple[VoteTable, Bools | None, Ints | None]:
    order = np.lexsort((table.value, table.worker, table.item))
    saw = None if saw is None else saw[order]
    return table.take(order), saw, None if shown is None else shown[order]


def _sentence(shape: Shape, model_weight: float | None) -> str:
    text = shape.reason[0].upper() + shape.reason[1:]
    if isinstance(shape.prior, str) and shape.prior == "estimated":
        text += "; some classes are clearly commoner than others, which counts too"
    if model_weight:
        text += (
            f"; the model has shown that it predicts people's votes and counts with weight"
            f" {model_weight:.2f}"
        )
    elif model_weight is not None:
        text += "; the model is left out, because it does not predict people's votes better"
    return text + "."
