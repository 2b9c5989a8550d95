"""The model as one more voter, in the spirit of CROWDLAB (Goh, Tkachenko, Mueller, 2022).

The model's out-of-fold probabilities p multiply an item's posterior by (p / s) ** weight, where s
is the model's mean prediction (a calibrated model's own prior, which must not count twice). The
weight is the one that best predicts people's blind votes from the item's other votes and the
model; unless it predicts them clearly better than no model does, it is 0.

A vote by someone who was shown the model's answer and left it as it is may be no witness at all.
How often people just accept is learned from how much more often they agree with the model when
they see it; such votes count for the share that looked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from chorus.server.consensus import em, predict
from chorus.server.consensus.em import FLOOR
from chorus.server.consensus.table import Bools, Fitted, Floats, Ints, VoteTable

Method = Callable[[VoteTable, Floats | None], Fitted]
"""(table, evidence) -> Fitted: a method that takes evidence from elsewhere."""

WEIGHTS = np.linspace(0.0, 2.0, 41)
"""Above 1, because a model calibrated to people's votes is too modest: it predicts their slips,
too."""
CLEARLY = 1.645
"""Standard errors by which the model must predict people's votes better than no model: one-sided
95 %."""
VOTES_MAX = 50_000
"""Blind votes that the weight is learned from; more would cost time and change nothing."""
ROUNDS = 3
ACCEPTED = 0.5
ACCEPTED_VOTES = 20.0
"""Share of shown answers that are accepted unseen, before there is evidence, and how many votes
that guess is worth."""


def model_share(probs: Floats) -> Floats:
    """(classes,): mean of the rows of `probs` (items, classes) that are not NaN."""
    rows = probs[~np.isnan(probs).any(axis=1)]
    if not len(rows):
        return np.full(probs.shape[1], 1 / max(probs.shape[1], 1))
    mean: Floats = np.maximum(rows.mean(axis=0), FLOOR)
    return mean


def log_evidence(probs: Floats, share: Floats) -> Floats:
    """(items, classes): log(p / s), at weight 1; 0 where there is no prediction."""
    known = ~np.isnan(probs).any(axis=1)
    out = np.zeros_like(probs)
    out[known] = np.log(np.maximum(probs[known], FLOOR)) - np.log(share)
    return out


def learn_weight(table: VoteTable, fitted: Fitted, evidence: Floats, blind: Bools) -> float:
    """0..2: the weight of `evidence` (items, classes; see `log_evidence`) that best predicts the
    `blind` (n,) votes, each from the other votes on its item and the model. 0 unless it does so
    clearly better than no model."""
    rows = np.flatnonzero(blind & (evidence != 0).any(axis=1)[table.item])
    if len(rows) > VOTES_MAX:
        rows = rows[:: -(-len(rows) // VOTES_MAX)]
    if not len(rows):
        return 0.0
    votes = table.take(rows)
    mine = predict.vote_log_likelihood(fitted, votes)
    weight = 1.0 if votes.weight is None else votes.weight[:, None]
    # The E-step of the whole item, less the vote itself.
    others = predict.item_log_likelihood(fitted, table)[votes.item] - weight * _centred(
        mine, fitted, votes
    )
    others += np.log(fitted.prior)
    chance = np.exp(mine)
    scores = np.stack(
        [
            np.log((em.softmax(others + w * evidence[votes.item]) * chance).sum(axis=1))
            for w in WEIGHTS
        ]
    )
    best = int(scores.sum(axis=1).argmax())
    if best == 0:
        return 0.0
    # Votes on one item are not independent, so an item is the unit of the test.
    gain = np.bincount(votes.item, scores[best] - scores[0])[np.unique(votes.item)]
    error = gain.std() * np.sqrt(len(gain))
    return float(WEIGHTS[best]) if gain.sum() > CLEARLY * error and len(gain) > 1 else 0.0


def _centred(mine: Floats, fitted: Fitted, votes: VoteTable) -> Floats:
    """(n, classes): `mine` up to the constants that `item_log_likelihood` leaves out."""
    if fitted.confusion is not None or votes.classes < 2:
        return mine
    # One-coin: the chance of a wrong vote is the same under every class but the one voted for.
    other = (votes.value + 1) % votes.classes
    return mine - mine[np.arange(len(votes)), other][:, None]


def witness_weights(
    table: VoteTable, probs: Floats | None, saw_prelabel: Bools, shown: Ints
) -> tuple[Floats, float]:
    """((n,) weights 0..1, the weight of a vote that agrees with what was shown).

    `saw_prelabel` (n,): the voter was shown the model's answer; `shown` (n,): which (any value
    where not shown). A vote that differs from what was shown is a full witness.
    """
    alone, n_blind, n_seen, seen = em.ACCURACY, 0.0, float(saw_prelabel.sum()), 1.0
    agreed = saw_prelabel & (table.value == shown)
    if probs is not None and n_seen:
        # Blind votes on items of the same kind: answers are shown where the model is confident.
        filled = np.nan_to_num(probs, nan=-1.0)
        confidence = filled.max(axis=1)[table.item]
        least = np.quantile(confidence[saw_prelabel], 0.1)
        blind = ~saw_prelabel & (confidence >= max(least, 0.0))
        n_blind = float(blind.sum())
        right = float((table.value[blind] == filled.argmax(axis=1)[table.item[blind]]).sum())
        alone = (right + 10 * em.ACCURACY) / (n_blind + 10)
        seen = float(agreed.sum()) / n_seen
    # seen = accepted + (1 - accepted) * alone. The evidence is as good as the scarcer of the two,
    # and only votes that would have differed show who just accepts.
    found = float(np.clip((seen - alone) / max(1 - alone, FLOOR), 0.0, 1.0))
    n = min(n_blind, n_seen) * (1 - alone)
    accepted = (n * found + ACCEPTED_VOTES * ACCEPTED) / (n + ACCEPTED_VOTES)
    looked = (1 - accepted) * alone
    weight = looked / max(accepted + looked, FLOOR)
    return np.where(agreed, weight, 1.0), weight


def weighted(
    table: VoteTable, probs: Floats | None, saw_prelabel: Bools, shown: Ints
) -> tuple[VoteTable, float]:
    """`table` with `witness_weights` on top of its own, and the weight of an accepted answer."""
    weights, accepted_weight = witness_weights(table, probs, saw_prelabel, shown)
    if table.weight is not None:
        weights = weights * table.weight
    return replace(table, weight=weights), accepted_weight


def with_model(
    table: VoteTable,
    method: Method,
    probs: Floats,
    *,
    saw_prelabel: Bools | None = None,
    shown: Ints | None = None,
) -> Fitted:
    """`method` with the model as a voter of learned weight.

    `probs` (items, classes): calibrated out-of-fold probabilities, a row of NaN where there is no
    prediction. `saw_prelabel`, `shown` (n,): see `witness_weights`; without them every vote is
    blind. Raises `ValueError` for probabilities of another shape.
    """
    if probs.shape != (table.items, table.classes):
        raise ValueError(f"probs has shape {probs.shape}, need {(table.items, table.classes)}")
    blind = np.ones(len(table), dtype=np.bool_)
    accepted_weight = Fitted.accepted_weight
    if saw_prelabel is not None and shown is not None and saw_prelabel.any():
        table, accepted_weight = weighted(table, probs, saw_prelabel, shown)
        blind = ~saw_prelabel
    share = model_share(probs)
    full = log_evidence(probs, share)
    fitted, weight = method(table, None), 0.0
    for _ in range(ROUNDS):
        found = learn_weight(table, fitted, full, blind)
        if found == weight:
            break
        weight = found
        fitted = method(table, weight * full if weight else None)
    return replace(fitted, model_weight=weight, model_share=share, accepted_weight=accepted_weight)
