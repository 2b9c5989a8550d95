"""REST: a project's life from outside: its history, copies of it, its end."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from chorus.client import answers, messages
from chorus.server.errors import ApiError
from chorus.server.services.accounts import CurrentUser
from chorus.server.services.cloning import Clone
from chorus.server.transport.auth import require_user
from chorus.server.transport.described import api, paging
from chorus.server.transport.http import body_of, number, reply, services
from chorus.server.transport.once import once
from chorus.server.transport.rest_projects import member_of


class Typed(msgspec.Struct):
    name: str
    """The project's name, typed out by whoever wants it gone."""


async def admin_of(request: Request) -> tuple[CurrentUser, str]:
    """(the admin, the project's id). Raises `ApiError`."""
    user = await require_user(request)
    project_id = request.path_params["project_id"]
    await services(request).projects.require(user, project_id, "labeler")
    if not user.admin:
        raise ApiError("forbidden", "only an admin may do this")
    return user, project_id


@api(
    "Who changed what, newest first",
    "supervisor",
    answer=answers.Changes,
    query=paging(before="the `next` of the page before", limit="at most so many (50)"),
)
async def changes(request: Request) -> Response:
    _, project_id = await member_of(request, "supervisor")
    before, limit = number(request, "before", 0), number(request, "limit", 50)
    return reply(await services(request).projects.changes(project_id, before, limit))


@api("Copy a project", "admin", body=Clone, answer=messages.Project, status=201)
@once
async def clone(request: Request) -> Response:
    user, project_id = await admin_of(request)
    body = await body_of(request, Clone)
    return reply(await services(request).cloning.clone(user, project_id, body), 201)


@api("Delete an archived project for good", "admin", body=Typed, status=204)
async def delete(request: Request) -> Response:
    _, project_id = await admin_of(request)
    body = await body_of(request, Typed)
    await services(request).deleting.delete(project_id, body.name)
    return Response(status_code=204)


def routes() -> list[BaseRoute]:
    one = "/api/projects/{project_id}"
    return [
        Route(f"{one}/changes", changes, methods=["GET"]),
        Route(f"{one}/clone", clone, methods=["POST"]),
        Route(one, delete, methods=["DELETE"]),
    ]
