"""REST: teams, who is in them, and what they are in projects."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from chorus.client import answers
from chorus.server.errors import ApiError
from chorus.server.transport.auth import require_admin
from chorus.server.transport.described import api
from chorus.server.transport.http import body_of, reply, services
from chorus.server.transport.once import once
from chorus.server.transport.rest_projects import member_of


class NamedTeam(msgspec.Struct):
    name: str


class TeamRoleGiven(msgspec.Struct):
    role: str


def _team(request: Request) -> str:
    return str(request.path_params["team_id"])


async def _all(request: Request, status: int = 200) -> Response:
    found: list[dict[str, Any]] = await services(request).teams.all()
    return reply({"teams": found}, status)


@api("Teams", "admin", answer=answers.Teams)
async def teams(request: Request) -> Response:
    await require_admin(request)
    return await _all(request)


@api("Make a team", "admin", body=NamedTeam, answer=answers.Teams, status=201, errors=("conflict",))
@once
async def add_team(request: Request) -> Response:
    await require_admin(request)
    body = await body_of(request, NamedTeam)
    await services(request).teams.put(None, body.name)
    return await _all(request, 201)


@api("Rename a team", "admin", body=NamedTeam, answer=answers.Teams, errors=("conflict",))
async def rename_team(request: Request) -> Response:
    await require_admin(request)
    body = await body_of(request, NamedTeam)
    await services(request).teams.put(_team(request), body.name)
    return await _all(request)


@api("Dissolve a team", "admin", answer=answers.Teams)
async def drop_team(request: Request) -> Response:
    """Its people leave the projects in which they were by this team alone; their votes stay."""
    await require_admin(request)
    await services(request).teams.drop(_team(request))
    return await _all(request)


@api("Take somebody into a team", "admin", answer=answers.Teams)
async def add_person(request: Request) -> Response:
    return await _set_person(request, True)


@api("Take somebody out of a team", "admin", answer=answers.Teams)
async def drop_person(request: Request) -> Response:
    return await _set_person(request, False)


async def _set_person(request: Request, there: bool) -> Response:
    await require_admin(request)
    user_id = request.path_params["user_id"]
    await services(request).teams.set_person(_team(request), user_id, there)
    return await _all(request)


@api("Teams, and what each is in the project", "supervisor", answer=answers.ProjectTeams)
async def project_teams(request: Request) -> Response:
    _, project_id = await member_of(request, "supervisor")
    return reply({"teams": await services(request).teams.of_project(project_id)})


@api(
    "Add a team to the project, or change its role",
    "supervisor",
    body=TeamRoleGiven,
    answer=answers.ProjectTeams,
)
async def add_to_project(request: Request) -> Response:
    user, project_id = await member_of(request, "supervisor")
    body = await body_of(request, TeamRoleGiven)
    if body.role != "labeler" and not user.admin:
        raise ApiError("forbidden", "only an admin makes supervisors")
    return await _set_role(request, project_id, body.role)


@api("Take a team out of the project", "supervisor", answer=answers.ProjectTeams)
async def drop_from_project(request: Request) -> Response:
    user, project_id = await member_of(request, "supervisor")
    held = {t["team_id"]: t["role"] for t in await services(request).teams.of_project(project_id)}
    if held.get(_team(request)) == "supervisor" and not user.admin:
        raise ApiError("forbidden", "only an admin removes supervisors")
    return await _set_role(request, project_id, None)


async def _set_role(request: Request, project_id: str, role: str | None) -> Response:
    found = services(request).teams
    await found.set_role(project_id, _team(request), role)
    return reply({"teams": await found.of_project(project_id)})


def routes() -> list[BaseRoute]:
    one, of = "/api/teams/{team_id}", "/api/projects/{project_id}/teams"
    return [
        Route("/api/teams", teams, methods=["GET"]),
        Route("/api/teams", add_team, methods=["POST"]),
        Route(one, rename_team, methods=["PATCH"]),
        Route(one, drop_team, methods=["DELETE"]),
        Route(f"{one}/people/{{user_id}}", add_person, methods=["PUT"]),
        Route(f"{one}/people/{{user_id}}", drop_person, methods=["DELETE"]),
        Route(of, project_teams, methods=["GET"]),
        Route(f"{of}/{{team_id}}", add_to_project, methods=["PUT"]),
        Route(f"{of}/{{team_id}}", drop_from_project, methods=["DELETE"]),
    ]
