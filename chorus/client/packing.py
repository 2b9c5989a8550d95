"""Votes on their way, as few commands as they fit in: a page's answers are one message."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import groupby
from typing import Any, NamedTuple

import msgspec

from chorus.client.errors import ApiError

VOTES_MAX = 64
"""As the server takes them (docs/protocol.md, `votes.cast`)."""
CHARS_MAX = 128 * 1024
"""Of one message with several."""
FRAME_MAX = 2 * 1024 * 1024
"""Bytes of any message, as the server takes it."""
NUMBER_MAX = (1 << 53) - 1
"""Of a command: with this one it is measured before it has its own."""

_encode = msgspec.json.Encoder().encode


class Packed(NamedTuple):
    """A command with its body, and the ids of the votes in it."""

    type: str
    body: dict[str, Any]
    vote_ids: list[str]


def encoded(number: int, type: str, body: dict[str, Any]) -> bytes:
    """A command as it is sent. Raises `ApiError('too_large')` for what the server does not take."""
    frame = _encode({"id": number, "type": type, "body": body})
    if len(frame) > FRAME_MAX:
        most = f"a message has at most {FRAME_MAX >> 20} MiB"
        raise ApiError("too_large", f"{most}, and this one {len(frame):,} bytes")
    return frame


def packed(bodies: Iterable[dict[str, Any]], unkept: Collection[str]) -> Iterator[Packed]:
    """`vote.cast` for a vote alone, `votes.cast` for several of one project, in their order.

    `unkept`: votes that are not acknowledged. Messages overtake each other at the server, so a
    correction of one of these is in the same message after it, or left out.
    """
    for project_id, group in groupby(bodies, lambda body: body["project_id"]):
        some: list[dict[str, Any]] = []
        size = 0
        for body in group:
            length = len(_encode(body))
            ends = len(some) == VOTES_MAX or size + length > CHARS_MAX
            corrects = body.get("supersedes")
            if corrects in unkept and (ends or all(one["vote_id"] != corrects for one in some)):
                continue
            if some and ends:
                yield _pack(project_id, some)
                some, size = [], 0
            some.append(body)
            size += length
        if some:
            yield _pack(project_id, some)


def _pack(project_id: str, some: list[dict[str, Any]]) -> Packed:
    vote_ids = [body["vote_id"] for body in some]
    if len(some) == 1:
        return Packed("vote.cast", some[0], vote_ids)
    votes = [{key: one for key, one in body.items() if key != "project_id"} for body in some]
    return Packed("votes.cast", {"project_id": project_id, "votes": votes}, vote_ids)
