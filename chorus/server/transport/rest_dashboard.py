"""REST: the dashboard now and at any past moment, the curve of a project, how the server does, and
what a supervisor changes from there."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from chorus.client import answers
from chorus.server.transport.auth import require_user
from chorus.server.transport.commands_dashboard import check_moment
from chorus.server.transport.described import api, paging
from chorus.server.transport.http import body_of, number, reply, services
from chorus.server.transport.rest_projects import member_of
from chorus.server.transport.review_filter import PriorityBody


@api(
    "The dashboard at a past moment",
    "supervisor",
    answer=answers.Moment,
    query=paging(at="time, or", seq="event"),
    errors=("conflict", "bad_value"),
)
async def moment(request: Request) -> Response:
    _, project_id = await member_of(request, "supervisor")
    given = request.query_params
    at = number(request, "at", 0) if "at" in given else None
    seq = number(request, "seq", 0) if "seq" in given else None
    check_moment(at, seq)
    return reply(await services(request).dashboard.moment(project_id, at, seq))


@api("Progress over time", "supervisor", answer=answers.Curve)
async def curve(request: Request) -> Response:
    _, project_id = await member_of(request, "supervisor")
    return reply(await services(request).dashboard.curve(project_id))


@api("How the server does", "signed in", answer=answers.ServerFigures, errors=("forbidden",))
async def server(request: Request) -> Response:
    user = await require_user(request)
    await services(request).projects.require_any(user, "supervisor")
    return reply(request.app.state.hub.server())


class TakePage(msgspec.Struct):
    page_id: int | None = None


@api("What a person holds", "supervisor", answer=answers.Holding)
async def person_pages(request: Request) -> Response:
    _, project_id = await member_of(request, "supervisor")
    person = request.path_params["user_id"]
    return reply(await services(request).assigning.look(project_id, person))


@api("Take a person's page back", "supervisor", body=TakePage, answer=answers.PageTaken)
async def take_page(request: Request) -> Response:
    user, project_id = await member_of(request, "supervisor")
    body = await body_of(request, TakePage)
    person = request.path_params["user_id"]
    assigning = services(request).assigning
    return reply(await assigning.take_page(project_id, person, body.page_id, user.user_id))


@api(
    "Let the items of a filter come first",
    "supervisor",
    body=PriorityBody,
    answer=answers.Bulk,
    status=202,
)
async def priority(request: Request) -> Response:
    user, project_id = await member_of(request, "supervisor")
    body = await body_of(request, PriorityBody)
    kept = services(request)
    wanted = body.filter(kept, project_id)
    bulk = kept.prioritizing.begin(project_id, body.bulk_id, wanted, body.raised, user.user_id)
    return reply(bulk, 202)


def routes() -> list[BaseRoute]:
    one = "/api/projects/{project_id}"
    return [
        Route("/api/server", server),
        Route(f"{one}/moment", moment),
        Route(f"{one}/curve", curve),
        Route(f"{one}/people/{{user_id}}/pages", person_pages),
        Route(f"{one}/people/{{user_id}}/take-page", take_page, methods=["POST"]),
        Route(f"{one}/priority", priority, methods=["POST"]),
    ]
