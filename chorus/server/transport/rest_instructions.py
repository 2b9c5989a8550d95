"""REST: instructions, their pictures, and who has read them."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

from chorus.client import answers
from chorus.server.errors import ApiError
from chorus.server.services.instructions import PICTURE_MAX
from chorus.server.transport.described import api
from chorus.server.transport.http import body_of, reply, services
from chorus.server.transport.rest_projects import IMMUTABLE, member_of


class Confirm(msgspec.Struct):
    revision: int


class Preview(msgspec.Struct):
    text: str


@api("Who has read the instructions", "supervisor", answer=answers.Readers)
async def readers(request: Request) -> Response:
    _, project_id = await member_of(request, "supervisor")
    return reply(await services(request).instructions.readers(project_id))


@api("I have read the instructions", "labeler", body=Confirm, answer=answers.Confirmed)
async def confirm(request: Request) -> Response:
    user, project_id = await member_of(request, "labeler")
    body = await body_of(request, Confirm)
    return reply(await services(request).instructions.confirm(user, project_id, body.revision))


@api("Instructions as labelers will see them", "supervisor", body=Preview, answer=answers.Html)
async def preview(request: Request) -> Response:
    await member_of(request, "supervisor")
    body = await body_of(request, Preview)
    return reply(services(request).instructions.preview(body.text))


@api(
    "Add a picture to the instructions",
    "supervisor",
    takes="image/*",
    answer=answers.Link,
    status=201,
)
async def add_picture(request: Request) -> Response:
    """The body is the picture itself."""
    _, project_id = await member_of(request, "supervisor")
    data = await picture_of(request)
    return reply(await services(request).instructions.add_picture(project_id, data), 201)


@api("A picture of the instructions", "labeler", gives="image/*")
async def picture(request: Request) -> Response:
    _, project_id = await member_of(request, "labeler")
    return await show_picture(request, project_id)


async def picture_of(request: Request) -> bytes:
    """The body, as far as a picture may be large. Raises too_large."""
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > PICTURE_MAX:
            raise ApiError("too_large", f"a picture has at most {PICTURE_MAX >> 20} MB")
    return bytes(data)


async def show_picture(request: Request, owner: str) -> Response:
    """A picture of the project or draft `owner`. Raises not_found."""
    path, media_type = await services(request).instructions.picture(
        owner, request.path_params["content_hash"]
    )
    headers = {"Cache-Control": IMMUTABLE, "X-Content-Type-Options": "nosniff"}
    return FileResponse(path, media_type=media_type, headers=headers)


def routes() -> list[BaseRoute]:
    one = "/api/projects/{project_id}"
    return [
        Route(f"{one}/instructions", readers, methods=["GET"]),
        Route(f"{one}/instructions/confirm", confirm, methods=["POST"]),
        Route(f"{one}/instructions/preview", preview, methods=["POST"]),
        Route(f"{one}/pictures", add_picture, methods=["POST"]),
        Route(f"{one}/pictures/{{content_hash}}", picture, methods=["GET"]),
    ]
