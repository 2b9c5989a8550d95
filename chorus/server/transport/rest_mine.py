"""REST: what a labeler has of their own."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from chorus.server.errors import ApiError
from chorus.server.transport.answers_filter import AnswersBody, answers_of
from chorus.server.transport.http import number, reply, services
from chorus.server.transport.rest_projects import member_of


async def history(request: Request) -> Response:
    user, project_id = await member_of(request, "labeler")
    given = {k: v for k, v in request.query_params.items() if k not in ("limit", "before")}
    try:
        body = msgspec.convert(given, AnswersBody, strict=False)
    except msgspec.ValidationError as error:
        raise ApiError("bad_message", str(error)) from None
    votes = await services(request).labeling.history(
        project_id,
        user.user_id,
        number(request, "limit", 20),
        number(request, "before", 0) or None,
        answers_of(services(request), project_id, body),
    )
    return reply({"votes": votes})


def routes() -> list[BaseRoute]:
    return [Route("/api/projects/{project_id}/history", history)]
