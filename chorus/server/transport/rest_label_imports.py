"""REST: labels from elsewhere: send a file, see what it would do, let it in."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from chorus.client import answers
from chorus.server.errors import ApiError
from chorus.server.services.label_imports import Apply
from chorus.server.services.label_ops import Options
from chorus.server.transport.described import api
from chorus.server.transport.http import body_of, reply, services, uploaded
from chorus.server.transport.protocol import UNREADABLE
from chorus.server.transport.rest_projects import member_of


@api(
    "Send labels from elsewhere; nothing changes yet",
    "supervisor",
    takes="multipart/form-data",
    answer=answers.LabelImport,
    status=202,
)
async def begin(request: Request) -> Response:
    """Multipart: `file`, and the `options` as JSON."""
    user, project_id = await member_of(request, "supervisor")
    kept = services(request)
    async with uploaded(request, user.user_id, files=1) as form:
        file = form.get("file")
        if file is None or isinstance(file, str):
            raise ApiError("bad_message", "no file in the field 'file'")
        try:
            options = msgspec.json.decode(str(form.get("options") or "{}"), type=Options)
        except UNREADABLE as error:
            raise ApiError("bad_message", f"options: {error}") from None
        answer = await kept.label_imports.begin(project_id, user, file, options)
    return reply(answer, 202)


@api("Label imports, newest first", "supervisor", answer=answers.LabelImports)
async def past(request: Request) -> Response:
    _, project_id = await member_of(request, "supervisor")
    return reply({"imports": await services(request).label_imports.list(project_id)})


@api("One label import, with its errors", "supervisor", answer=answers.LabelImport)
async def one(request: Request) -> Response:
    _, project_id = await member_of(request, "supervisor")
    import_id = request.path_params["import_id"]
    return reply(await services(request).label_imports.get(project_id, import_id))


@api("Let the labels in", "supervisor", body=Apply, answer=answers.LabelImport, status=202)
async def apply(request: Request) -> Response:
    user, project_id = await member_of(request, "supervisor")
    body = await body_of(request, Apply)
    import_id = request.path_params["import_id"]
    return reply(
        await services(request).label_imports.apply(project_id, user, import_id, body), 202
    )


@api("Forget a label import", "supervisor", answer=answers.Nothing)
async def delete(request: Request) -> Response:
    _, project_id = await member_of(request, "supervisor")
    await services(request).label_imports.delete(project_id, request.path_params["import_id"])
    return reply({})


def routes() -> list[BaseRoute]:
    all_ = "/api/projects/{project_id}/label-imports"
    return [
        Route(all_, begin, methods=["POST"]),
        Route(all_, past, methods=["GET"]),
        Route(f"{all_}/{{import_id}}", one, methods=["GET"]),
        Route(f"{all_}/{{import_id}}", delete, methods=["DELETE"]),
        Route(f"{all_}/{{import_id}}/apply", apply, methods=["POST"]),
    ]
