"""REST: items that go to some people first, or to them only."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from chorus.client import answers
from chorus.server.errors import ApiError
from chorus.server.services.assignments import Assignees, NewAssignment
from chorus.server.transport.described import api
from chorus.server.transport.http import body_of, reply, services
from chorus.server.transport.once import once
from chorus.server.transport.rest_projects import member_of
from chorus.server.transport.review_filter import class_of


def _number(request: Request) -> int:
    try:
        return int(request.path_params["number"])
    except ValueError:
        raise ApiError("not_found", "no such assignment") from None


async def _all(request: Request, project_id: str, status: int = 200) -> Response:
    found = await services(request).assignments.of(project_id)
    return reply({"assignments": found}, status)


@api("Assignments of items", "supervisor", answer=answers.Assignments)
async def assignments(request: Request) -> Response:
    _, project_id = await member_of(request, "supervisor")
    return await _all(request, project_id)


@api(
    "Give items to some people",
    "supervisor",
    body=NewAssignment,
    answer=answers.Assignments,
    status=201,
    errors=("conflict",),
)
@once
async def add(request: Request) -> Response:
    """Of the open items that match and are in no assignment. They follow in the background."""
    user, project_id = await member_of(request, "supervisor")
    body = await body_of(request, NewAssignment)
    kept = services(request)
    guess = class_of(kept.projects.schema(project_id), body.guess)
    await kept.assignments.make(project_id, user.user_id, body, guess)
    return await _all(request, project_id, 201)


@api("Give an assignment to others", "supervisor", body=Assignees, answer=answers.Assignments)
async def change(request: Request) -> Response:
    user, project_id = await member_of(request, "supervisor")
    body = await body_of(request, Assignees)
    await services(request).assignments.give(
        project_id, user.user_id, _number(request), body.people, body.teams
    )
    return await _all(request, project_id)


@api("End it: its items are everybody's", "supervisor", answer=answers.Assignments)
async def drop(request: Request) -> Response:
    user, project_id = await member_of(request, "supervisor")
    await services(request).assignments.drop(project_id, user.user_id, _number(request))
    return await _all(request, project_id)


def routes() -> list[BaseRoute]:
    many = "/api/projects/{project_id}/assignments"
    one = many + "/{number}"
    return [
        Route(many, assignments, methods=["GET"]),
        Route(many, add, methods=["POST"]),
        Route(one, change, methods=["PATCH"]),
        Route(one, drop, methods=["DELETE"]),
    ]
