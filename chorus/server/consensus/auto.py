"""The default: what the project's own votes support, decided without gold.

Four shapes of the same model, from many parameters to few, are compared by how well they predict
votes they have not seen (cross-validated log-likelihood):

1. Dawid-Skene with confusion matrices loosely tied to the population's;
2. the same tied closely;
3. one accuracy per person;
4. the same accuracy for everybody: majority with honest probabilities.

The first is taken unless another is clearly better: the likelihood of votes rewards describing
voters, not being right about items, so a small lead means nothing. Likewise all classes are taken
to be equally likely unless estimated shares are clearly better. Estimating them feeds back
on itself when votes are few (the commonest class takes the doubtful items, and grows), and on
balanced sets costs more than it gains; on sets that are really lopsided the votes say so loudly.
docs/consensus.md has the measurements.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from chorus.server.consensus import predict
from chorus.server.consensus.dawid_skene import dawid_skene
from chorus.server.consensus.em import Prior
from chorus.server.consensus.model_voter import weighted, with_model
from chorus.server.consensus.one_coin import one_coin
from chorus.server.consensus.table import Bools, Fitted, Floats, Ints, VoteTable

FOLDS = 4
CLEARLY = 2.5
"""Standard errors by which a shape must predict better to be preferred."""
LOPSIDED = 3.0
"""The same for estimated class shares."""
BETTER_PEOPLE = 0.1
"""Estimated shares are preferred, too, if they predict no worse and people's mean skill is higher
by so much: that a class is rare explains the votes better than that everybody overlooks it."""
VOTES_MAX = 40_000
"""Votes that shapes are compared on (all votes of some items)."""
ROUGHLY = (100, 1e-3)
"""Iterations and tolerance of the fits that are only compared."""
CELLS_MAX = 20_000_000
"""Largest workers * classes² for confusion matrices (160 MB)."""


@dataclass(frozen=True)
class Shape:
    """One way to model people."""

    method: str
    strength: float
    prior: Prior
    reason: str

    def fit(self, table: VoteTable, evidence: Floats | None = None) -> Fitted:
        fit = dawid_skene if self.method == "dawid_skene" else one_coin
        return fit(table, prior=self.prior, strength=self.strength, evidence=evidence)

    def rough(self, table: VoteTable) -> Fitted:
        fit = dawid_skene if self.method == "dawid_skene" else one_coin
        iterations, tolerance = ROUGHLY
        return fit(
            table, prior=self.prior, strength=self.strength,
            iterations=iterations, tolerance=tolerance,
        )  # fmt: skip


LOOSE = Shape(
    "dawid_skene", 4.0, "equal",
    "each person's typical mix-ups are weighed (Dawid–Skene), people with few votes counting as"
    " average",
)  # fmt: skip
OTHERS = (
    Shape(
        "dawid_skene", 16.0, "equal",
        "the mix-ups that people have in common are weighed, and each person's own as far as"
        " their votes show them (Dawid–Skene)",
    ),
    Shape(
        "one_coin", 4.0, "equal",
        "people are weighed by how often they are right (one number each), because the votes"
        " do not support more",
    ),
    Shape(
        "one_coin", np.inf, "equal",
        "every vote counts the same, because the votes do not show that people differ",
    ),
)  # fmt: skip

FEW = replace(
    OTHERS[1],
    reason="people are weighed by how often they are right (one number each), because most items"
    " have a single vote",
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
    sample = _sample(table)
    votes = table.votes_of_items()
    # Where most items stopped at one vote, those with more are the contested ones: no fair sample
    # to learn mix-ups from, or to compare shapes on.
    contested = 2 * (votes > 1).sum() < (votes > 0).sum()
    if contested or len(sample) < 2 * FOLDS or table.classes < 2:
        return FEW
    big = table.workers * table.classes**2 > CELLS_MAX
    best = OTHERS[1] if big else LOOSE
    score = _held_out(sample, best)
    for shape in OTHERS[2:] if big else OTHERS:
        other = _held_out(sample, shape)
        if _clearly_better(other, score):
            best, score = shape, other
    estimated = replace(best, prior="estimated")
    other = _held_out(sample, estimated)
    if _clearly_better(other, score, LOPSIDED):
        return estimated
    if _clearly_better(other, score, 0.0):
        gain = estimated.rough(sample).population_skill - best.rough(sample).population_skill
        return estimated if gain > BETTER_PEOPLE else best
    return best


def _clearly_better(one: Floats, other: Floats, errors: float = CLEARLY) -> bool:
    """By so many standard errors of the mean difference."""
    gain = one - other
    return bool(gain.sum() > errors * gain.std() * np.sqrt(len(gain)))


def _held_out(table: VoteTable, shape: Shape) -> Floats:
    """(n,): log chance of each vote, by a fit that has not seen it."""
    # Dealt out at random: votes lie sorted by item, and a regular deal would always keep
    # the same people's votes of an item together.
    fold = np.random.default_rng(0).permutation(len(table)) % FOLDS
    out = np.empty(len(table))
    for k in range(FOLDS):
        test = fold == k
        fitted = shape.rough(table.take(~test))
        out[test] = predict.held_out_log_likelihood(fitted, table.take(test))
    return out


def _sample(table: VoteTable) -> VoteTable:
    """All votes of every nth item that has two or more, `VOTES_MAX` votes or so."""
    votes = table.votes_of_items()
    keep = votes > 1
    total = int(votes[keep].sum())
    if total > VOTES_MAX:
        chosen = np.flatnonzero(keep)
        chosen = np.random.default_rng(0).permutation(chosen)[: len(chosen) * VOTES_MAX // total]
        keep = np.zeros(table.items, dtype=np.bool_)
        keep[chosen] = True
    # Numbered anew, so that the fits do not carry the items left out.
    number = np.cumsum(keep) - 1
    votes_kept = table.take(keep[table.item])
    return replace(votes_kept, item=number[votes_kept.item], items=int(keep.sum()))


def _in_order(
    table: VoteTable, saw: Bools | None, shown: Ints | None
) -> tuple[VoteTable, Bools | None, Ints | None]:
    order = np.lexsort((table.value, table.worker, table.item))
    saw = None if saw is None else saw[order]
    return table.take(order), saw, None if shown is None else shown[order]


def _sentence(shape: Shape, model_weight: float | None) -> str:
    text = shape.reason[0].upper() + shape.reason[1:]
    if shape.prior == "estimated":
        text += "; some classes are clearly commoner than others, which counts too"
    if model_weight:
        text += (
            f"; the model has shown that it predicts people's votes and counts with weight"
            f" {model_weight:.2f}"
        )
    elif model_weight is not None:
        text += "; the model is left out, because it does not predict people's votes better"
    return text + "."
