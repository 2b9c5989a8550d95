"""One item's votes on a set of classes, with what is known of the voters, to one label set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from chorus.server.consensus.decide import Witness, belief, decide
from chorus.server.consensus.live import Params, default_params
from chorus.server.consensus.merged import Merged
from chorus.server.consensus.sets import by_class

NO, YES = 0, 1
STRANGERS = default_params(2)
"""Of a class of which nothing has been estimated."""


class SetWitness(msgspec.Struct, frozen=True):
    """One standing label vote: who, the canonical set, and the one the page had filled in."""

    user_id: str
    value: str
    prelabel: str | None = None


def decide_sets(
    params: Params, votes: Sequence[SetWitness], *, votes_min: int, votes_max: int, target: float
) -> Merged:
    """Merge votes class by class with `decide`, each class a question of yes or no.

    `votes`: in the order cast. Reached when every question is: what somebody ticked, and what is
    often overlooked. Confidence is that of the least sure question; agreement as in
    `sets.by_class`.
    """
    if not votes:
        return Merged(None, 0.0, 0.0, 0, False, True, params.method)
    found = {
        c: decide(
            own, witnesses, None, votes_min=votes_min, votes_max=votes_max, target=target
        )
        for c, own, witnesses in _questions(params, votes)
    }  # fmt: skip
    ticked = [c for c, answer in found.items() if answer.value == str(YES)]
    reached = all(answer.reached for answer in found.values())
    return Merged(
        value=",".join(map(str, ticked)) or "-",
        confidence=min(answer.confidence for answer in found.values()),
        agreement=by_class([vote.value for vote in votes]).agreement,
        vote_count=len(votes),
        reached=reached,
        provisional=not reached,
        method=params.method,
    )


def belief_sets(params: Params, votes: Sequence[SetWitness]) -> dict[int, float]:
    """By class that is in question: how likely the item has it, by these votes."""
    return {c: belief(own, said, None)[YES] for c, own, said in _questions(params, votes) if c >= 0}


def _questions(
    params: Params, votes: Sequence[SetWitness]
) -> Iterable[tuple[int, Params, list[Witness]]]:
    """(class, what is known of it, its votes), ascending.

    Of classes that nobody ticked only those with an estimate are in question: it knows how common
    they are, and how often people overlook them. Without any, whether there is nothing (-1) is.
    """
    sets = [_set(vote.value) for vote in votes]
    shown = [None if vote.prelabel is None else _set(vote.prelabel) for vote in votes]
    known = len(params.by_class)
    for c in sorted(set().union(range(known), *sets)) or [-1]:
        yield (
            c,
            params.by_class[c] if 0 <= c < known else STRANGERS,
            [
                Witness(vote.user_id, int(c in said), None if saw is None else int(c in saw))
                for vote, said, saw in zip(votes, sets, shown, strict=True)
            ],
        )


def _set(value: str) -> frozenset[int]:
    return frozenset() if value == "-" else frozenset(int(c) for c in value.split(","))
