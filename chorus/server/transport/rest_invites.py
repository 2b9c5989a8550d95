"""REST: which invitations are open, and an end to them. (They are made in rest_accounts.)"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from chorus.client import answers
from chorus.server.transport.auth import require_admin, require_user
from chorus.server.transport.described import api
from chorus.server.transport.http import reply, services


async def _supervised(request: Request) -> str:
    """The project's id. An archived one's invitations can be ended, too."""
    user = await require_user(request)
    project_id: str = request.path_params["project_id"]
    await services(request).projects.require(user, project_id, "supervisor")
    return project_id


@api("Open invitations to a project", "supervisor", answer=answers.OpenInvites)
async def open_of_project(request: Request) -> Response:
    project_id = await _supervised(request)
    return reply({"invites": await services(request).inviting.open(project_id)})


@api("End an invitation to a project", "supervisor", status=204)
async def end_of_project(request: Request) -> Response:
    project_id = await _supervised(request)
    await services(request).inviting.end(request.path_params["invite_id"], project_id)
    return Response(status_code=204)


@api("All open invitations", "admin", answer=answers.OpenInvites)
async def open_of_server(request: Request) -> Response:
    await require_admin(request)
    return reply({"invites": await services(request).inviting.open(None)})


@api("End any invitation", "admin", status=204, errors=("not_found",))
async def end_of_server(request: Request) -> Response:
    await require_admin(request)
    await services(request).inviting.end(request.path_params["invite_id"], None)
    return Response(status_code=204)


def routes() -> list[BaseRoute]:
    one = "/api/projects/{project_id}/invites"
    all_ = "/api/server/invites"
    return [
        Route(one, open_of_project, methods=["GET"]),
        Route(f"{one}/{{invite_id}}", end_of_project, methods=["DELETE"]),
        Route(all_, open_of_server, methods=["GET"]),
        Route(f"{all_}/{{invite_id}}", end_of_server, methods=["DELETE"]),
    ]
