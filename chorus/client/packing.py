"""Votes on their way, as few commands as they fit in: a page's answers are one message."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, NamedTuple

import msgspec

VOTES_MAX = 64
"""As the server takes them (docs/protocol.md, `votes.cast`)."""
CHARS_MAX = 128 * 1024
"""Of one message: half of what the server takes."""

_encode = msgspec.json.Encoder().encode


class Packed(NamedTuple):
    """A command with its body, and the ids of the votes in it."""

    type: str
    body: dict[str, Any]
    vote_ids: list[str]


def packed(bodies: Iterable[dict[str, Any]]) -> Iterator[Packed]:
    """`vote.cast` for a vote alone, `votes.cast` for several of one project, in their order."""
    for project_id, group in groupby(bodies, lambda body: body["project_id"]):
        some: list[dict[str, Any]] = []
        size = 0
        for body in group:
            length = len(_encode(body))
            if some and (len(some) == VOTES_MAX or size + length > CHARS_MAX):
                yield _pack(project_id, some)
                some, size = [], 0
            some.append(body)
            size += length
        yield _pack(project_id, some)


def _pack(project_id: str, some: list[dict[str, Any]]) -> Packed:
    vote_ids = [body["vote_id"] for body in some]
    if len(some) == 1:
        return Packed("vote.cast", some[0], vote_ids)
    votes = [{key: one for key, one in body.items() if key != "project_id"} for body in some]
    return Packed("votes.cast", {"project_id": project_id, "votes": votes}, vote_ids)
