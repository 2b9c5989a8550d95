"""Second looks: where the model, sure of itself and trained without it, contradicts an item's only
vote, one more person is asked (pure).

A slip would stand for good in a project with one vote per item, teach the model what is wrong, and
count as the model's mistake where it is right: no model proves 95 % on labels of which one in
twenty is wrong. Where the two disagree one of them is mistaken, and it takes few votes to find out
who (Bernhardt et al., Active label cleaning for improved dataset quality under resource
constraints, 2022). The look is blind: whoever has it sees neither the vote nor the model's answer.
"""

from __future__ import annotations

from collections.abc import Sequence

WORSE = 3.0
"""Of the least sure answers that a threshold takes in, about so many times more are wrong than
`target` allows of all."""
LEAST = 0.5
SHARE = 0.05
"""Of a project's labels at most so many are looked at again."""
FIRST = 8
"""Looks that a project has in any case, and one more for every LABELS labels …"""
LABELS = 500
FRUIT = 6
"""… and so many more for each that changed a label: where people make no mistakes, they are not
asked twice."""
PEOPLE = 3
"""So many may answer an item once it is doubted, and so many must be at work: nobody looks at their
own again, and a third person tells two apart who differ. With fewer an item might wait for somebody
who never comes."""


def sure(target: float) -> float:
    """The confidence from which the model's objection is worth a vote."""
    return max(LEAST, 1 - WORSE * (1 - target))


def room(labels: int, doubted: int, changed: int) -> int:
    """How many more of a project's labels may be looked at again. doubted: those that have been, or
    wait for it; changed: of them those labeled otherwise now."""
    most = FIRST + labels // LABELS + FRUIT * changed
    return max(0, min(int(SHARE * labels), most) - doubted)


def tells(votes: Sequence[str], doubted: str | None) -> bool:
    """Two people differ, and the model has said what one of them says: two of three."""
    return len(votes) == 2 and votes[0] != votes[1] and doubted in votes
