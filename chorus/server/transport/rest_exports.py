"""REST: exports to keep: ask for one, list, download again, delete."""

from __future__ import annotations

from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

from chorus.client import answers, messages
from chorus.server.services.exports import Order, formats_of
from chorus.server.transport.described import api
from chorus.server.transport.http import body_of, reply, services
from chorus.server.transport.once import once
from chorus.server.transport.rest_projects import member_of
from chorus.server.transport.review_filter import FilterBody, ListState, filter_of


class ExportFilter(FilterBody, kw_only=True, omit_defaults=True):
    """A filter whose empty form finds everything but what was removed."""

    state: ListState = "all"


class NewExport(msgspec.Struct):
    """Body of `POST …/exports`."""

    format: str
    filter: ExportFilter = msgspec.field(default_factory=ExportFilter)
    people: Literal["logins", "pseudonyms"] = "logins"
    content: bool = True
    """With the pictures or texts themselves, where the format leaves the choice."""


@api(
    "Ask for an export of this moment",
    "supervisor",
    body=NewExport,
    answer=messages.Export,
    status=202,
)
@once
async def begin(request: Request) -> Response:
    user, project_id = await member_of(request, "supervisor")
    body = await body_of(request, NewExport)
    kept = services(request)
    order = Order(
        format=body.format,
        wanted=filter_of(kept, project_id, body.filter),
        filter=msgspec.to_builtins(body.filter),
        people=body.people,
        content=body.content,
    )
    return reply(await kept.exports.begin(project_id, user.user_id, order), 202)


@api("Past exports, and formats that fit", "supervisor", answer=answers.Exports)
async def past(request: Request) -> Response:
    _, project_id = await member_of(request, "supervisor")
    kept = services(request)
    task_type = kept.projects.schema(project_id).task_type
    exports = await kept.exports.list(project_id)
    return reply({"exports": exports, "formats": formats_of(task_type)})


@api("One export, with its manifest", "supervisor", answer=messages.Export)
async def one(request: Request) -> Response:
    _, project_id = await member_of(request, "supervisor")
    export_id = request.path_params["export_id"]
    return reply(await services(request).exports.get(project_id, export_id))


@api("Download an export", "supervisor", gives="application/zip", errors=("conflict",))
async def file(request: Request) -> Response:
    _, project_id = await member_of(request, "supervisor")
    export_id = request.path_params["export_id"]
    path, name = await services(request).exports.file(project_id, export_id)
    return FileResponse(path, media_type="application/zip", filename=name)


@api("Delete an export", "supervisor", answer=answers.Nothing)
async def delete(request: Request) -> Response:
    _, project_id = await member_of(request, "supervisor")
    await services(request).exports.delete(project_id, request.path_params["export_id"])
    return reply({})


def routes() -> list[BaseRoute]:
    all_ = "/api/projects/{project_id}/exports"
    return [
        Route(all_, begin, methods=["POST"]),
        Route(all_, past, methods=["GET"]),
        Route(f"{all_}/{{export_id}}", one, methods=["GET"]),
        Route(f"{all_}/{{export_id}}", delete, methods=["DELETE"]),
        Route(f"{all_}/{{export_id}}/file", file),
    ]
