"""One item's posterior with parameters that are known already: fast enough for a transaction."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

ACCURACY = 0.88
"""Of a person nobody knows yet: one vote alone does not prove 95 %, two that agree do."""
LEAST = 1e-6


class Params(msgspec.Struct, frozen=True):
    """What a posterior needs. Labelers by user id; everything JSON."""

    method: str
    prior: list[float]
    """(classes,)"""
    accuracy: dict[str, float] = {}
    """One-coin labelers: the chance of the right class, wrong ones spread evenly."""
    confusion: dict[str, list[list[float]]] = {}
    """Dawid-Skene labelers: [true class][class voted]."""
    default_accuracy: float = ACCURACY
    """Of a labeler not named above."""
    model_weight: float = 0.0
    """Exponent of the model's probabilities; 0 leaves the model out."""
    accepted_weight: float = 0.5
    """Exponent of a vote that let the model's prelabel stand."""


def default_params(classes: int) -> Params:
    return Params("auto", [1.0 / classes] * classes)


def widened(params: Params, classes: int) -> Params:
    """The same for a project that has got more classes since: they share one more prior each."""
    missing = classes - len(params.prior)
    if missing <= 0:
        return params
    prior = params.prior + [sum(params.prior) / max(1, len(params.prior))] * missing
    total = sum(prior)
    return msgspec.structs.replace(params, prior=[p / total for p in prior])


def posterior(
    params: Params, votes: Sequence[tuple[str, int, float]], model: Sequence[float] | None
) -> list[float]:
    """(classes,) summing to 1. votes: (labeler, class index, weight 0..1)."""
    classes = len(params.prior)
    logs = [math.log(max(p, LEAST)) for p in params.prior]
    for labeler, value, weight in votes:
        rows = params.confusion.get(labeler)
        if rows is not None and value < len(rows):
            for c in range(classes):
                p = rows[c][value] if c < len(rows) else LEAST
                logs[c] += weight * math.log(max(p, LEAST))
            continue
        right = params.accuracy.get(labeler, params.default_accuracy)
        hit = math.log(max(right, LEAST))
        miss = math.log(max((1 - right) / max(1, classes - 1), LEAST))
        for c in range(classes):
            logs[c] += weight * (hit if c == value else miss)
    if model is not None and params.model_weight:
        for c in range(classes):
            # The prior is in the model's probability already.
            evidence = math.log(max(model[c], LEAST)) - math.log(max(params.prior[c], LEAST))
            logs[c] += params.model_weight * evidence
    top = max(logs)
    odds = [math.exp(x - top) for x in logs]
    total = sum(odds)
    return [x / total for x in odds]
