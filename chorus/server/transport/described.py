"""What a REST route takes and gives, said once, beside its handler: OpenAPI is made from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

Handler = Callable[[Request], Awaitable[Response]]
Role = Literal["anyone", "signed in", "labeler", "supervisor", "admin"]
"""The least role that may call a route; labeler and supervisor: in the route's project."""


class Query(msgspec.Struct, frozen=True):
    """A query parameter: its type, and what it is for."""

    type: Any
    about: str


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    summary: str
    role: Role
    body: Any = None
    """Type of the JSON body; None: there is none (or `takes` says what there is)."""
    answer: Any = None
    """Type of the JSON answer; None: it has no body (or `gives` says what it is)."""
    status: int = 200
    query: Mapping[str, Query] = {}
    errors: tuple[str, ...] = ()
    """Codes besides those that follow from the role, the path and the body."""
    takes: str = ""
    """Media type of a body that is not JSON."""
    gives: str = ""
    """Media type of an answer that is not JSON."""
    once: bool = False
    """It takes an Idempotency-Key."""


_entries: dict[Any, Entry] = {}


def api(
    summary: str,
    role: Role,
    *,
    body: Any = None,
    answer: Any = None,
    status: int = 200,
    query: Mapping[str, Query] | None = None,
    errors: tuple[str, ...] = (),
    takes: str = "",
    gives: str = "",
) -> Callable[[Handler], Handler]:
    """Describe a handler. Its docstring, if any, is the longer description."""

    def remember(handler: Handler) -> Handler:
        _entries[handler] = Entry(
            summary=summary, role=role, body=body, answer=answer, status=status,
            query=query or {}, errors=errors, takes=takes, gives=gives,
            once=getattr(handler, "takes_key", False),
        )  # fmt: skip
        return handler

    return remember


def entry_of(handler: Any) -> Entry | None:
    return _entries.get(handler)


def paging(**names: str) -> dict[str, Query]:
    """Whole-number query parameters."""
    return {name: Query(int, about) for name, about in names.items()}
