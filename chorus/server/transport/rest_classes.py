"""REST: the classes of a project."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from chorus.client import answers, messages
from chorus.server.errors import ApiError
from chorus.server.services.classes import AddClasses, ClassChange
from chorus.server.transport.described import api
from chorus.server.transport.http import body_of, reply, services
from chorus.server.transport.rest_projects import member_of


@api("Add classes", "supervisor", body=AddClasses, answer=messages.Project)
async def add(request: Request) -> Response:
    user, project_id = await member_of(request, "supervisor")
    body = await body_of(request, AddClasses)
    return reply(await services(request).classes.add(user, project_id, body))


@api("Rename or recolour a class", "supervisor", body=ClassChange, answer=messages.Project)
async def change(request: Request) -> Response:
    user, project_id = await member_of(request, "supervisor")
    try:
        index = int(request.path_params["index"])
    except ValueError:
        raise ApiError("not_found", "no such class") from None
    body = await body_of(request, ClassChange)
    return reply(await services(request).classes.change(user, project_id, index, body))


@api("Refused: a class cannot be deleted", "supervisor", status=409)
async def drop(request: Request) -> Response:
    await member_of(request, "supervisor")
    raise ApiError(
        "conflict",
        "a class cannot be deleted: votes store its place in the list, and answers that people"
        " gave would change their meaning; rename it instead",
    )


@api("Names in the data that are no class yet", "supervisor", answer=answers.FoundClasses)
async def found(request: Request) -> Response:
    _, project_id = await member_of(request, "supervisor")
    return reply(await services(request).classes.found(project_id))


@api("How far starting over is", "supervisor", answer=answers.StartingOver)
async def start_over(request: Request) -> Response:
    _, project_id = await member_of(request, "supervisor")
    return reply(services(request).classes.start_over(project_id))


def routes() -> list[BaseRoute]:
    one = "/api/projects/{project_id}"
    return [
        Route(f"{one}/classes", add, methods=["POST"]),
        Route(f"{one}/classes/found", found, methods=["GET"]),
        Route(f"{one}/start-over", start_over, methods=["GET"]),
        Route(f"{one}/classes/{{index}}", change, methods=["PATCH"]),
        Route(f"{one}/classes/{{index}}", drop, methods=["DELETE"]),
    ]
