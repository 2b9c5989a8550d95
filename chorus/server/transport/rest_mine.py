"""REST: what a person has of their own: answers, preferences."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from chorus.client import answers
from chorus.server.clock import midnight
from chorus.server.errors import ApiError
from chorus.server.services.preferences import public
from chorus.server.transport.answers_filter import AnswersBody, answers_of
from chorus.server.transport.auth import require_user
from chorus.server.transport.described import Query, api, paging
from chorus.server.transport.http import body_of, number, reply, services
from chorus.server.transport.rest_projects import member_of


class NewPreferences(msgspec.Struct, forbid_unknown_fields=True):
    """Body of `PATCH /api/me/preferences`; what is absent stays."""

    language: Literal["en", "zh-Hans"] | msgspec.UnsetType | None = msgspec.UNSET
    break_minutes: int | msgspec.UnsetType = msgspec.UNSET
    motion: Literal["auto", "less"] | msgspec.UnsetType = msgspec.UNSET
    keys: dict[str, str] | msgspec.UnsetType = msgspec.UNSET


class TimeZone(msgspec.Struct):
    time_zone: str


@api("Where my clock is", "signed in", body=TimeZone, status=204)
async def time_zone(request: Request) -> Response:
    """A name of the IANA database. Counts of today go by it; supervisors see it."""
    user = await require_user(request)
    body = await body_of(request, TimeZone)
    await services(request).accounts.set_time_zone(user.user_id, body.time_zone)
    return Response(status_code=204)


@api("What waits for me in my projects", "signed in", answer=answers.MyProjects)
async def my_projects(request: Request) -> Response:
    user = await require_user(request)
    return reply(
        {"projects": await services(request).mine.projects(user, midnight(user.time_zone))}
    )


@api("My language, keys and breaks", "signed in", answer=dict[str, Any])
async def preferences(request: Request) -> Response:
    user = await require_user(request)
    return reply(public(await services(request).preferences.of(user.user_id)))


@api("Change them", "signed in", body=NewPreferences, answer=dict[str, Any])
async def change_preferences(request: Request) -> Response:
    user = await require_user(request)
    change = await body_of(request, NewPreferences)
    given = {k: v for k, v in msgspec.structs.asdict(change).items() if v is not msgspec.UNSET}
    return reply(public(await services(request).preferences.change(user.user_id, given)))


@api(
    "My answers, newest first",
    "labeler",
    answer=answers.History,
    query={
        "kind": Query(Literal["label", "skip", "flag"], "only these"),
        "class": Query(str, "only answers of this class"),
        "text": Query(str, "in the item's name"),
        **paging(
            since="given from then on",
            until="given until then",
            limit="at most so many (20)",
            before="seq: only older ones",
        ),
    },
)
async def history(request: Request) -> Response:
    user, project_id = await member_of(request, "labeler")
    given = {k: v for k, v in request.query_params.items() if k not in ("limit", "before")}
    try:
        body = msgspec.convert(given, AnswersBody, strict=False)
    except msgspec.ValidationError as error:
        raise ApiError("bad_message", str(error)) from None
    found = await services(request).labeling.history(
        project_id,
        user.user_id,
        number(request, "limit", 20),
        number(request, "before", 0) or None,
        answers_of(services(request), project_id, body),
    )
    return reply(found)


def routes() -> list[BaseRoute]:
    return [
        Route("/api/me/projects", my_projects),
        Route("/api/me/time-zone", time_zone, methods=["PUT"]),
        Route("/api/me/preferences", preferences, methods=["GET"]),
        Route("/api/me/preferences", change_preferences, methods=["PATCH"]),
        Route("/api/projects/{project_id}/history", history),
    ]
