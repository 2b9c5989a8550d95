"""One item's votes on a set of classes, with what is known of the voters, to one label set."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import msgspec

from chorus.server.consensus.decide import LEAST
from chorus.server.consensus.live import ACCURACY, Params, SetParams
from chorus.server.consensus.merged import Merged
from chorus.server.consensus.sets import by_class

STRANGER = (-math.log(ACCURACY / (1 - ACCURACY)), math.log(ACCURACY / (1 - ACCURACY)))
"""What an answer says of a class that nothing is known of."""
NOTHING = SetParams([], {}, [])


class SetWitness(msgspec.Struct, frozen=True):
    """One standing label vote: who, the canonical set, and the one the page had filled in."""

    user_id: str
    value: str
    prelabel: str | None = None


def decide_sets(
    params: Params, votes: Sequence[SetWitness], *, votes_min: int, votes_max: int, target: float
) -> Merged:
    """Merge votes class by class, each class a question of yes or no that `decide` would answer
    the same.

    `votes`: in the order cast. Reached when every question is: what somebody ticked, and what is
    often overlooked. Confidence is that of the least sure question; agreement as in
    `sets.by_class`.
    """
    n = len(votes)
    if not n:
        return Merged(None, 0.0, 0.0, 0, False, True, params.method)
    label: list[int] = []
    least, reached = 1.0, n >= votes_min
    for c, yes, answers in _questions(params, votes):
        value, confidence = _answer(yes, answers)
        sure = min(1.0, confidence)
        clear = sure >= 1.0 - confidence - 1e-12  # else what nobody said is likelier
        tied = len(set(answers)) > 1 and 1.0 - confidence >= sure - 1e-9
        undisputed = len(set(answers)) == 1 or sure > LEAST
        enough = sure >= target or (n >= votes_max and undisputed)
        reached = reached and clear and not tied and enough
        least = min(least, sure)
        if value:
            label.append(c)
    return Merged(
        value=",".join(map(str, label)) or "-",
        confidence=round(least, 6),
        agreement=by_class([vote.value for vote in votes]).agreement,
        vote_count=n,
        reached=reached,
        provisional=not reached,
        method=params.method,
    )


def belief_sets(params: Params, votes: Sequence[SetWitness]) -> dict[int, float]:
    """By class that is in question: how likely the item has it, by these votes."""
    return {c: yes for c, yes, _ in _questions(params, votes) if c >= 0}


def _answer(yes: float, answers: Sequence[bool]) -> tuple[bool, float]:
    """The likelier of the answers given (among equals the one cast first), and how likely it is."""
    first = answers[0]
    value = first
    if len(set(answers)) > 1 and yes != 0.5:
        value = yes > 0.5
    return value, yes if value else 1.0 - yes


def _questions(
    params: Params, votes: Sequence[SetWitness]
) -> Iterator[tuple[int, float, list[bool]]]:
    """(class, how likely the item has it, whether each vote ticked it), ascending.

    Of classes that nobody ticked only those with an estimate are in question: it knows how common
    they are, and how often people overlook them. Without any, whether there is nothing (-1) is.
    """
    known = params.sets or NOTHING
    sets = [_set(vote.value) for vote in votes]
    shown = [None if vote.prelabel is None else _set(vote.prelabel) for vote in votes]
    says = [known.says.get(vote.user_id, known.strangers) for vote in votes]
    classes = len(known.prior)
    for c in sorted(set().union(range(classes), *sets)) or [-1]:
        estimated = 0 <= c < classes
        odds = known.prior[c] if estimated else 0.0
        answers = []
        for said, saw, own in zip(sets, shown, says, strict=True):
            ticked = c in said
            # Whoever let a prelabel stand has said less than whoever answered unasked.
            stood = saw is not None and (c in saw) == ticked
            evidence = (own[c] if estimated else STRANGER)[ticked]
            odds += params.accepted_weight * evidence if stood else evidence
            answers.append(ticked)
        yield c, 1.0 / (1.0 + math.exp(-max(-500.0, min(500.0, odds)))), answers


def _set(value: str) -> frozenset[int]:
    return frozenset() if value == "-" else frozenset(int(c) for c in value.split(","))
