"""One item's posterior with parameters that are known already: fast enough for a transaction.

The same numbers as the batch E-step (`predict.posterior`) with the same parameters, in plain
Python: a few microseconds for an item with a few votes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:  # the server starts without numpy
    from chorus.server.consensus.table import Fitted

ACCURACY = 0.88
"""Of a person nobody knows yet: one vote alone does not prove 95 %, two that agree do."""
LEAST = 1e-6


class SetParams(msgspec.Struct, frozen=True):
    """Each class as a question of yes or no; all in log odds of yes."""

    prior: list[float]
    """(classes,): before any vote."""
    says: dict[str, list[tuple[float, float]]]
    """By user id, (classes,): what it adds that they leave the class out, and that they tick it."""
    strangers: list[tuple[float, float]]
    """(classes,): the same of a labeler not named above."""


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
    population: list[list[float]] = []
    """Dawid-Skene: the confusion of a labeler not named above; empty: `default_accuracy`."""
    model_weight: float = 0.0
    """Exponent of the model's probabilities; 0 leaves the model out."""
    model_share: list[float] = []
    """(classes,): the model's mean prediction, by which its predictions are divided; empty: the
    prior."""
    accepted_weight: float = 0.5
    """Exponent of a vote that let the model's prelabel stand."""
    sets: SetParams | None = None
    """Of label sets: what is known of each class's question."""

    def of(self, labeler: str | None) -> list[list[float]]:
        """[true class][class voted] of a labeler, None: of one who is not known, where there are
        two classes."""
        if labeler in self.confusion:
            return self.confusion[labeler]
        if labeler not in self.accuracy and self.population:
            return self.population
        right = self.accuracy.get(labeler or "", self.default_accuracy)
        return [[right, 1 - right], [1 - right, right]]


def set_params(by_class: Sequence[Params]) -> SetParams:
    """From the parameters of each class's own binary questions (0: no, 1: yes)."""

    def adds(rows: Sequence[Sequence[float]]) -> tuple[float, float]:
        no, yes = (_log(rows[1][said]) - _log(rows[0][said]) for said in (0, 1))
        return no, yes

    people = sorted({name for p in by_class for name in (*p.accuracy, *p.confusion)})
    return SetParams(
        prior=[_log(p.prior[1]) - _log(p.prior[0]) for p in by_class],
        says={name: [adds(p.of(name)) for p in by_class] for name in people},
        strangers=[adds(p.of(None)) for p in by_class],
    )


@lru_cache(4096)
def _log(p: float) -> float:
    return math.log(max(p, LEAST))


def default_params(classes: int) -> Params:
    return Params("auto", [1.0 / classes] * classes)


def params_of(fitted: Fitted, worker_ids: Sequence[str]) -> Params:
    """The parameters of a batch fit. `worker_ids` (workers,): names of the table's workers.

    Of `majority` everybody is taken to be equal, so that its winner is the same.
    """
    if len(worker_ids) != len(fitted.votes):
        raise ValueError(f"{len(worker_ids)} names for {len(fitted.votes)} workers")
    share = [] if fitted.model_share is None else fitted.model_share.tolist()
    # Who has no votes is left to the default, which is what they were shrunk to.
    known = [(n, worker_ids[n]) for n in range(len(worker_ids)) if fitted.votes[n]]
    accuracy: dict[str, float] = {}
    confusion: dict[str, list[list[float]]] = {}
    if fitted.accuracy is not None:
        accuracy = {name: float(fitted.accuracy[n]) for n, name in known}
    if fitted.confusion is not None:
        confusion = {name: fitted.confusion[n].tolist() for n, name in known}
    return Params(
        method=fitted.method,
        prior=fitted.prior.tolist(),
        accuracy=accuracy,
        confusion=confusion,
        default_accuracy=fitted.population_skill,
        population=[] if fitted.population is None else fitted.population.tolist(),
        model_weight=fitted.model_weight,
        model_share=share,
        accepted_weight=fitted.accepted_weight,
    )


def widened(params: Params, classes: int) -> Params:
    """The same for a project that has got more classes since: they share one more prior each."""
    missing = classes - len(params.prior)
    if missing <= 0:
        return params
    prior = params.prior + [sum(params.prior) / max(1, len(params.prior))] * missing
    total = sum(prior)
    return msgspec.structs.replace(params, prior=[p / total for p in prior])


@lru_cache(4096)
def _coin(right: float, classes: int) -> tuple[float, float]:
    """What a vote of somebody with this accuracy adds to the class voted for, and to the others."""
    return _log(right), _log((1 - right) / max(1, classes - 1))


def posterior(
    params: Params, votes: Sequence[tuple[str, int, float]], model: Sequence[float] | None
) -> list[float]:
    """(classes,) summing to 1. votes: (labeler, class index, weight 0..1)."""
    classes = len(params.prior)
    logs = [_log(p) for p in params.prior]
    said = {value for _, value, _ in votes}
    for labeler, value, weight in votes:
        rows = params.confusion.get(labeler, params.population)
        hit, miss = _coin(params.accuracy.get(labeler, params.default_accuracy), classes)
        if value < len(rows) and labeler not in params.accuracy:
            for c in range(min(classes, len(rows))):
                logs[c] += weight * _log(rows[c][value])
            # A class that is newer than the estimates is judged by the accuracy, once somebody has
            # said it: until then it takes nothing from what was there before it.
            for c in range(len(rows), classes):
                logs[c] += weight * (miss if c in said else _log(LEAST))
            continue
        less = weight * miss
        others, own = [x + less for x in logs], weight * hit
        if value < classes:
            others[value] = logs[value] + own
        logs = others
    if model is not None and params.model_weight and not math.isnan(sum(model)):
        # The model's own prior is in its probability already.
        share = params.model_share or params.prior
        # Of a class that is newer than the estimates it is not known how often the model says it:
        # what the model says of that one is no evidence.
        for c in range(len(share)):
            evidence = math.log(max(model[c], LEAST)) - math.log(max(share[c], LEAST))
            logs[c] += params.model_weight * evidence
    top = max(logs)
    odds = [math.exp(x - top) for x in logs]
    total = sum(odds)
    return [x / total for x in odds]
