"""Were leases and votes linearizable? Judged from what clients saw, without a look inside.

A history is a list of operations with the moments between which each took effect. It is
linearizable if they can be put in one order, each within its span, in which every one is allowed by
the rules of a single item (`Room`). Items do not depend on each other, so each is searched by
itself (locality: Herlihy and Wing, Linearizability, TOPLAS 1990). The search is that of Wing and
Gong (Testing and verifying concurrent objects, JPDC 1993), which remembers what it has been through
(Lowe, Testing for linearizability, 2017; the checker porcupine does the same). Pure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

State = TypeVar("State", bound=Hashable)
NEVER = math.inf


@dataclass(frozen=True)
class Op:
    """Took effect between `start` and `end` (seconds of one clock); `may`: or not at all, as what
    was sent when the connection broke."""

    item: int
    start: float
    end: float
    kind: Literal["grant", "vote", "release", "read", "refused"]
    user: str = ""
    lease: str = ""
    vote: str = ""
    label: bool = True
    supersedes: str | None = None
    standing: frozenset[str] = field(default_factory=frozenset)
    """read: the ids of the votes that stand."""
    may: bool = False


@dataclass(frozen=True)
class Room:
    """One item. `standing`: (person, vote, whether it is a label) of each who has answered.

    That votes may suffice before there are `votes_max` is left out: it depends on the method.
    """

    votes_min: int
    votes_max: int
    standing: frozenset[tuple[str, str, bool]] = frozenset()
    known: frozenset[str] = frozenset()
    """Votes that ever were."""
    leases: frozenset[tuple[str, str]] = frozenset()
    """(lease, person)."""

    def step(self, op: Op) -> Room | None:
        """What comes of it; None: not allowed now."""
        answered = {user: vote for user, vote, _ in self.standing}
        match op.kind:
            case "grant":
                labels = sum(label for _, _, label in self.standing)
                most = min(max(self.votes_min, labels + 1), self.votes_max)
                held = {user for _, user in self.leases}
                if len(self.leases) + labels >= most or op.user in answered or op.user in held:
                    return None
                return replace(self, leases=self.leases | {(op.lease, op.user)})
            case "vote":
                if op.vote in self.known or answered.get(op.user) != op.supersedes:
                    return None
                others = frozenset(one for one in self.standing if one[0] != op.user)
                leases = self.leases
                if op.supersedes is None:
                    leases = frozenset(one for one in leases if one[1] != op.user)
                return replace(
                    self,
                    standing=others | {(op.user, op.vote, op.label)},
                    known=self.known | {op.vote},
                    leases=leases,
                )
            case "release":
                return replace(
                    self, leases=frozenset(one for one in self.leases if one[0] != op.lease)
                )
            case "read":
                return self if {vote for _, vote, _ in self.standing} == op.standing else None
            case "refused":  # because they have answered
                return self if op.user in answered else None


class TooHard(Exception):
    """The search was given up: nothing is known."""


def linearizable(
    ops: Sequence[Any],
    state: State,
    step: Callable[[State, Any], State | None],
    most: int = 200_000,
) -> bool:
    """Is there an order of `ops` (anything with `start`, `end`, `may`) that `step` allows?

    Raises `TooHard` after `most` states.
    """
    ops = sorted(ops, key=lambda op: (op.may, op.end, op.start))
    all_done = sum(1 << n for n, op in enumerate(ops) if not op.may)
    seen: set[tuple[int, State]] = set()
    todo: list[tuple[int, State]] = [(0, state)]
    while todo:
        done, now = todo.pop()
        if done & all_done == all_done:
            return True
        if (done, now) in seen:
            continue
        seen.add((done, now))
        if len(seen) > most:
            raise TooHard(f"{len(ops)} operations")
        left = [(n, op) for n, op in enumerate(ops) if not done >> n & 1]
        # Only what began before everything else had ended can be the next.
        first_end = min(op.end for _, op in left if not op.may)
        for n, op in reversed(left):
            if op.start <= first_end:
                after = step(now, op)
                if after is not None:
                    todo.append((done | 1 << n, after))
    return False


def violations(ops: Iterable[Op], votes_min: int, votes_max: int) -> list[str]:
    """One line for each item whose history cannot be explained."""
    by_item: dict[int, list[Op]] = {}
    for op in ops:
        by_item.setdefault(op.item, []).append(op)
    found = []
    for item, its in sorted(by_item.items()):
        try:
            if linearizable(its, Room(votes_min, votes_max), Room.step):
                continue
            what = "no order of these explains what was seen"
        except TooHard as error:
            what = f"too hard to tell: {error}"
        lines = [f"    {_words(op)}" for op in sorted(its, key=lambda op: op.start)]
        found.append("\n".join([f"item {item}: {what}:", *lines]))
    return found


def out_of_order(acks: Iterable[tuple[float, float, int]]) -> list[str]:
    """`acks`: (sent, acknowledged, number in the log) of new votes. One that was acknowledged
    before another was sent has the lower number: the log is one order of all that happened."""
    found = []
    highest, by_end = -1, sorted(acks, key=lambda ack: ack[1])
    ended = iter(by_end)
    nearest = next(ended, None)
    for start, _, seq in sorted(by_end):
        while nearest is not None and nearest[1] < start:
            highest = max(highest, nearest[2])
            nearest = next(ended, None)
        if seq <= highest:
            found.append(f"vote {seq} was sent after vote {highest} had been acknowledged")
    return found


def _words(op: Op) -> str:
    span = f"{op.start:.3f} – {op.end:.3f}{' or never' if op.may else ''}"
    what = {
        "grant": f"lease {op.lease} to {op.user}",
        "vote": f"vote {op.vote[:8]} by {op.user}"
        + (f" instead of {op.supersedes[:8]}" if op.supersedes else ""),
        "release": f"lease {op.lease} ends",
        "read": f"standing: {', '.join(sorted(v[:8] for v in op.standing)) or 'none'}",
        "refused": f"{op.user} refused: has answered",
    }[op.kind]
    return f"{span}  {what}"
