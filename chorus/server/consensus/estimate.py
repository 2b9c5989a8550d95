"""One estimate of everybody's skill: what votes are merged with, and what people are shown."""

from __future__ import annotations

import msgspec

from chorus.server.consensus.live import Params


class Skill(msgspec.Struct, frozen=True):
    """How often one labeler is right, with a 95 % interval."""

    value: float
    low: float
    high: float
    votes: int


class Estimate(msgspec.Struct, frozen=True):
    params: Params
    skills: dict[str, Skill]
    """By user id."""
    note: str
    """One sentence: which method, and why."""
