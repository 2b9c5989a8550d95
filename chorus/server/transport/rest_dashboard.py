"""REST: the dashboard now and at any past moment, the curve of a project, how the server does."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from chorus.server.transport.auth import require_user
from chorus.server.transport.commands_dashboard import check_moment
from chorus.server.transport.http import number, reply, services
from chorus.server.transport.rest_projects import member_of


async def moment(request: Request) -> Response:
    _, project_id = await member_of(request, "supervisor")
    given = request.query_params
    at = number(request, "at", 0) if "at" in given else None
    seq = number(request, "seq", 0) if "seq" in given else None
    check_moment(at, seq)
    return reply(await services(request).dashboard.moment(project_id, at, seq))


async def curve(request: Request) -> Response:
    _, project_id = await member_of(request, "supervisor")
    return reply(await services(request).dashboard.curve(project_id))


async def server(request: Request) -> Response:
    user = await require_user(request)
    await services(request).projects.require_any(user, "supervisor")
    return reply(request.app.state.hub.server())


def routes() -> list[BaseRoute]:
    one = "/api/projects/{project_id}"
    return [
        Route("/api/server", server),
        Route(f"{one}/moment", moment),
        Route(f"{one}/curve", curve),
    ]
