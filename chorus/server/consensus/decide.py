"""One item's votes, with what is known of the voters and the model, to one label."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from chorus.server.consensus.live import Params, posterior
from chorus.server.consensus.merged import Merged

LEAST = 0.5
"""At votes_max a disputed class is the label when it is likelier than all others together."""


class Witness(msgspec.Struct, frozen=True):
    """One standing label vote: who, the class index, and the class the page had filled in."""

    user_id: str
    value: int
    prelabel: int | None = None


def decide(
    params: Params,
    votes: Sequence[Witness],
    model: Sequence[float] | None,
    *,
    votes_min: int,
    votes_max: int,
    target: float,
) -> Merged:
    """Merge votes by the posterior under `params`, and stop asking as soon as it is sure.

    `votes`: in the order cast. `model`: the model's probabilities (classes,) or None. The label is
    one that a person gave: where the model or another class is likelier than every vote, the item
    is not decided, however sure the model is. Reached at `votes_min` votes once the posterior
    meets `target`, at `votes_max` when it exceeds LEAST or nobody disagrees: then there is nothing
    to review, and the confidence says how little that may be.
    """
    n = len(votes)
    if not n:
        return Merged(None, 0.0, 0.0, 0, False, True, params.method)
    chances = belief(params, votes, model)
    counts: dict[int, int] = {}
    for vote in votes:
        counts[vote.value] = counts.get(vote.value, 0) + 1
    # Among equals the one cast first: the answer depends on nothing but the votes.
    value = max(counts, key=chances.__getitem__)
    confidence = min(1.0, chances[value])
    likeliest = confidence >= max(chances) - 1e-12
    tied = sum(chances[c] >= confidence - 1e-9 for c in counts) > 1
    undisputed = len(counts) == 1 or confidence > LEAST
    enough = confidence >= target or (n >= votes_max and undisputed)
    reached = n >= votes_min and likeliest and not tied and enough
    return Merged(
        value=str(value),
        confidence=round(confidence, 6),
        agreement=counts[value] / n,
        vote_count=n,
        reached=reached,
        provisional=not reached,
        method=params.method,
    )


def belief(params: Params, votes: Sequence[Witness], model: Sequence[float] | None) -> list[float]:
    """(classes,) summing to 1: how likely each class is, by these votes and the model."""
    return posterior(params, [(v.user_id, v.value, _weight(params, v)) for v in votes], model)


def _weight(params: Params, vote: Witness) -> float:
    """Whoever let a prelabel stand has said less than whoever answered unasked."""
    return params.accepted_weight if vote.prelabel == vote.value else 1.0
