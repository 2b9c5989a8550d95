"""Expectation maximisation over votes: what `one_coin` and `dawid_skene` share.

An iteration is a few passes over arrays (see `sheet`), no Python loop sees a vote, and every third
one jumps ahead (SQUAREM: Varadhan & Roland, 2008), which saves most of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import numpy as np

from chorus.server.consensus.sheet import Sheet
from chorus.server.consensus.table import Fitted, Floats, Ints, VoteTable

Prior = Literal["equal", "votes", "estimated"]
"""Class prior: all classes equally likely; half-way from there to their shares of the votes; or
estimated along with the rest. An array (classes,) in its place is taken as it is."""

ITERATIONS = 200
TOLERANCE = 1e-4
"""Largest move of a probability at which EM ends."""
MEAN_TOLERANCE = 2e-2
"""It also ends when the mean move is below this share of the tolerance: among 100,000 items a few
are always on their way."""
STRIDE = 4.0
"""Longest jump at first, in steps of EM; four times that each time it is reached."""
ACCURACY = 0.88
"""Accuracy of a person nobody knows anything about. With two classes or more, one vote then
gives 0.88 and two that agree at least 0.98: one is not enough for a target of 0.95, two are."""
ACCURACY_VOTES = 4.0
"""How many votes that first guess is worth beside what a project's own votes say."""
SKILL_VOTES = 4.0
"""How many votes the population's skill is worth beside a person's own."""
FLOOR = 1e-6
"""No probability falls below it: nobody's vote makes a class impossible."""

P = TypeVar("P")


@dataclass(frozen=True)
class Steps(Generic[P]):
    """The parts of a method. P: its parameters of people. Items in the order of the sheet."""

    maximise: Callable[[Floats], P]
    """posterior (items, classes) -> parameters."""
    likelihood: Callable[[P], Floats]
    """parameters -> log-likelihood of each item's votes under each class (items, classes)."""


@dataclass(frozen=True)
class Found(Generic[P]):
    """Where EM ended. The posterior is the E-step of exactly this prior and these parameters."""

    posterior: Floats
    """(items, classes), in the order of the table."""
    prior: Floats
    """(classes,)"""
    parameters: P
    iterations: int
    log_likelihood: float
    """Of all votes (and the evidence), each item's class summed out."""


def softmax(logits: Floats) -> Floats:
    """(n, c) -> (n, c), rows sum to 1."""
    n, classes = logits.shape
    if not classes:
        return np.zeros((n, 0))
    # Column by column, and by a product with ones: over a few classes numpy's reductions are slow.
    top = logits[:, 0].copy()
    for k in range(1, classes):
        np.maximum(top, logits[:, k], out=top)
    exp: Floats = np.exp(logits - top[:, None])
    exp /= (exp @ np.ones(classes))[:, None]
    return exp


def shares(table: VoteTable, evidence: Floats | None = None) -> Floats:
    """(items, classes): where EM starts: shares of the votes; without votes all equal."""
    counts = table.counts()
    if evidence is not None:
        counts = counts + (softmax(evidence) - 1 / table.classes).clip(0)
    counts = counts + 1e-9
    start: Floats = counts / counts.sum(axis=1, keepdims=True)
    return start


def witnesses(table: VoteTable, evidence: Floats | None = None) -> Ints:
    """(items,): how many say something of each item: its votes, and the evidence if there is any.

    An item's only vote agrees with itself whatever its worth. At the optimum of EM it has no
    influence on skills, but on the way there it holds everybody at "always right" for hundreds of
    iterations, and most items of a project that stops when sure have one vote. So only votes on
    items with another witness count for skills.
    """
    votes = table.votes_of_items()
    if evidence is None:
        return votes
    return votes + ((evidence != 0).any(axis=1) if table.known is None else table.known)


def informative(table: VoteTable, evidence: Floats | None = None) -> VoteTable:
    """Votes that say something about who cast them (see `witnesses`)."""
    keep = witnesses(table, evidence)[table.item] > 1
    return table if keep.all() else table.take(keep)


def _prior(kind: Prior | Floats, start: Floats, voted: Floats) -> Callable[[Floats], Floats]:
    """posterior (items, classes) -> prior (classes,). `voted` (items,): 1 for the items that
    count. One pseudo-item for each class keeps unseen classes possible."""
    classes = start.shape[1]
    equal = np.full(classes, 1 / max(classes, 1))

    def estimated(posterior: Floats) -> Floats:
        found: Floats = (voted @ posterior + 1) / (voted.sum() + classes)
        return found

    if isinstance(kind, np.ndarray):
        fixed = kind
    elif kind == "estimated":
        return estimated
    else:
        fixed = equal if kind == "equal" else (equal + estimated(start)) / 2
    return lambda posterior: fixed


def fit(
    table: VoteTable,
    sheet: Sheet,
    steps: Steps[P],
    *,
    prior: Prior | Floats,
    evidence: Floats | None,
    start: Floats | None = None,
    iterations: int = ITERATIONS,
    tolerance: float = TOLERANCE,
) -> Found[P]:
    """EM until no posterior moves by more than `tolerance` (or next to none on average).

    `sheet`: of `table`, which it need not be made anew for every fit. `evidence` (items, classes):
    log-likelihood that comes from elsewhere than votes (the model).
    """
    voted = sheet.inward((witnesses(table, evidence) > 0).astype(np.float64))
    first = shares(table, evidence)
    class_prior = _prior(prior, sheet.inward(first), voted)
    inward = None if evidence is None else sheet.inward(evidence)
    done = 0
    pi, logits = np.zeros(0), np.zeros((0, 0))
    parameters: P | None = None

    def step(posterior: Floats) -> Floats:
        nonlocal done, pi, parameters, logits
        done += 1
        pi = class_prior(posterior)
        parameters = steps.maximise(posterior)
        logits = steps.likelihood(parameters)
        logits += np.log(pi)
        if inward is not None:
            logits += inward
        return softmax(logits)

    def still(move: Floats) -> bool:
        size = np.abs(move)
        if done >= iterations or size.max(initial=0.0) <= tolerance:
            return True
        return bool(size.mean() <= MEAN_TOLERANCE * tolerance)

    before = sheet.inward(first if start is None else start)
    longest = STRIDE
    while True:
        one = step(before)
        move = one - before
        if still(move):
            after = one
            break
        after = step(one)
        turn = after - one
        if still(turn):
            break
        turn = turn - move
        # How many steps ahead two steps point, if they go on shrinking as they did.
        stride = float(np.linalg.norm(move)) / max(float(np.linalg.norm(turn)), 1e-300)
        stride = min(max(stride, 1.0), longest)
        if stride == longest:
            longest *= 4
        ahead = np.clip(before + 2 * stride * move + stride**2 * turn, 0.0, 1.0)
        before = ahead / (ahead @ np.ones(ahead.shape[1]))[:, None]
    assert parameters is not None
    return Found(sheet.outward(after), pi, parameters, done, _log_likelihood(logits))


def _log_likelihood(logits: Floats) -> float:
    """Of items with the log chance of their votes and each class (items, classes)."""
    if not logits.size:
        return 0.0
    top = logits.max(axis=1, keepdims=True)
    return float((top[:, 0] + np.log(np.exp(logits - top).sum(axis=1))).sum())


def fitted(
    method: str, table: VoteTable, found: Found[P], evidence: Floats | None, **parameters: Floats
) -> Fitted:
    """What EM found, with everybody's skill. `parameters`: the fields of `Fitted` they fill."""
    skill, low, high, mean = skills(table, found.posterior, evidence)
    return Fitted(
        method=method,
        posterior=found.posterior,
        prior=found.prior,
        votes=table.votes_of_workers(),
        skill=skill,
        skill_low=low,
        skill_high=high,
        population_skill=mean,
        iterations=found.iterations,
        **parameters,  # type: ignore[arg-type]
    )


def correct(table: VoteTable, posterior: Floats) -> tuple[Floats, Floats]:
    """Expected number of right votes and of votes, by worker: two arrays (workers,)."""
    weight = 1.0 if table.weight is None else table.weight
    right = posterior[table.item, table.value] * weight
    return (
        np.bincount(table.worker, right, minlength=table.workers).astype(np.float64),
        np.bincount(table.worker, table.weight, minlength=table.workers).astype(np.float64),
    )


def population_skill(right: Floats, votes: Floats) -> float:
    """Mean accuracy of everybody, from `ACCURACY` on as votes come."""
    guess = ACCURACY_VOTES * ACCURACY
    return float((right.sum() + guess) / (votes.sum() + ACCURACY_VOTES))


def skills(
    table: VoteTable, posterior: Floats, evidence: Floats | None = None
) -> tuple[Floats, Floats, Floats, float]:
    """Skill, its lower and upper bound (workers,), and the population's.

    A shrunk share with Wilson's score interval (1927), 95 %, the population's skill counted as
    `SKILL_VOTES` votes.
    """
    right, votes = correct(informative(table, evidence), posterior)
    mean = population_skill(right, votes)
    n = votes + SKILL_VOTES
    share = (right + SKILL_VOTES * mean) / n
    z = 1.959964
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return share, np.maximum(middle - half, 0.0), np.minimum(middle + half, 1.0), mean
