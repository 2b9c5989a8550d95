"""REST: data sources. Admins make them; supervisors see them and have them read."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from chorus.client import answers
from chorus.server.errors import ApiError
from chorus.server.services.data_sources import NewSource, SourceChange
from chorus.server.transport.auth import CurrentUser
from chorus.server.transport.described import Query, api, paging
from chorus.server.transport.http import body_of, number, reply, services
from chorus.server.transport.once import once
from chorus.server.transport.rest_projects import member_of

STATES = ("new", "in", "faulty", "changed", "gone")


async def _member(request: Request, admin: bool = False) -> tuple[CurrentUser, str]:
    user, project_id = await member_of(request, "supervisor")
    if admin and not user.admin:
        raise ApiError("forbidden", "only an admin makes and changes data sources")
    return user, project_id


@api("Data sources", "supervisor", answer=answers.Sources)
async def sources(request: Request) -> Response:
    _, project_id = await _member(request)
    return reply({"sources": await services(request).data.list(project_id)})


@api("Add a data source", "admin", body=NewSource, answer=answers.Source, status=201)
@once
async def add_source(request: Request) -> Response:
    user, project_id = await _member(request, admin=True)
    new = await body_of(request, NewSource)
    return reply(await services(request).data.add(project_id, user.user_id, new), 201)


@api("Can such a source be read?", "admin", body=NewSource, answer=answers.SourceTest)
async def test_new(request: Request) -> Response:
    user, project_id = await _member(request, admin=True)
    new = await body_of(request, NewSource)
    return reply(await services(request).data.test(project_id, user.user_id, new))


@api("One source, and its last refresh", "supervisor", answer=answers.Source)
async def source(request: Request) -> Response:
    _, project_id = await _member(request)
    return reply(await services(request).data.get(project_id, request.path_params["source_id"]))


@api("Change a source", "admin", body=SourceChange, answer=answers.Source)
async def change_source(request: Request) -> Response:
    _, project_id = await _member(request, admin=True)
    change = await body_of(request, SourceChange)
    source_id = request.path_params["source_id"]
    return reply(await services(request).data.change(project_id, source_id, change))


@api("Remove a source", "admin", status=204)
async def remove_source(request: Request) -> Response:
    _, project_id = await _member(request, admin=True)
    await services(request).data.remove(project_id, request.path_params["source_id"])
    return Response(status_code=204)


@api("Can the source be read?", "admin", answer=answers.SourceTest)
async def test_kept(request: Request) -> Response:
    _, project_id = await _member(request, admin=True)
    source_id = request.path_params["source_id"]
    return reply(await services(request).data.test_kept(project_id, source_id))


@api("Read the source again", "supervisor", answer=answers.Refresh, status=202)
async def refresh(request: Request) -> Response:
    user, project_id = await _member(request)
    source_id = request.path_params["source_id"]
    begun = await services(request).refreshing.begin(project_id, source_id, user.user_id)
    return reply(begun, 202)


@api("End such a refresh", "supervisor", answer=answers.Source)
async def cancel(request: Request) -> Response:
    _, project_id = await _member(request)
    kept, source_id = services(request), request.path_params["source_id"]
    await kept.refreshing.cancel(project_id, source_id)
    return reply(await kept.data.get(project_id, source_id))


@api(
    "What the last refresh found",
    "supervisor",
    answer=answers.SourceObjects,
    query={
        "state": Query(str, "only these"),
        "after": Query(str, "the `next` of the page before"),
        **paging(limit="at most so many (100)"),
    },
)
async def objects(request: Request) -> Response:
    _, project_id = await _member(request)
    state = request.query_params.get("state") or None
    if state is not None and state not in STATES:
        raise ApiError("bad_message", f"state is one of {', '.join(STATES)}")
    found = await services(request).data.objects(
        project_id,
        request.path_params["source_id"],
        state,
        request.query_params.get("after", ""),
        number(request, "limit", 100),
    )
    return reply(found)


def routes() -> list[BaseRoute]:
    many = "/api/projects/{project_id}/sources"
    one = many + "/{source_id}"
    return [
        Route(many, sources, methods=["GET"]),
        Route(many, add_source, methods=["POST"]),
        Route(f"{many}/test", test_new, methods=["POST"]),
        Route(one, source, methods=["GET"]),
        Route(one, change_source, methods=["PATCH"]),
        Route(one, remove_source, methods=["DELETE"]),
        Route(f"{one}/test", test_kept, methods=["POST"]),
        Route(f"{one}/refresh", refresh, methods=["POST"]),
        Route(f"{one}/refresh", cancel, methods=["DELETE"]),
        Route(f"{one}/objects", objects),
    ]
