"""REST: the wizard's drafts."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from chorus.client import answers
from chorus.server.errors import ApiError
from chorus.server.services.accounts import CurrentUser
from chorus.server.services.drafts import Initialize
from chorus.server.transport.auth import require_admin
from chorus.server.transport.described import api
from chorus.server.transport.http import body_of, reply, services, uploaded
from chorus.server.transport.once import once
from chorus.server.transport.rest_instructions import Preview, picture_of, show_picture


async def admin(request: Request) -> CurrentUser:
    return await require_admin(request, "only an admin makes projects")


def _id(request: Request) -> str:
    return str(request.path_params["draft_id"])


@api("My drafts", "admin", answer=answers.Drafts)
async def mine(request: Request) -> Response:
    return reply({"drafts": await services(request).drafts.mine(await admin(request))})


@api("Begin a draft", "admin", body=dict[str, Any], answer=answers.Draft, status=201)
@once
async def begin(request: Request) -> Response:
    user = await admin(request)
    body = await body_of(request, dict[str, Any])
    return reply(await services(request).drafts.put(user, None, body), 201)


@api("One draft", "admin", answer=answers.Draft)
async def get(request: Request) -> Response:
    return reply(await services(request).drafts.get(await admin(request), _id(request)))


@api("Keep what a draft says now", "admin", body=dict[str, Any], answer=answers.Draft)
async def put(request: Request) -> Response:
    user = await admin(request)
    body = await body_of(request, dict[str, Any])
    return reply(await services(request).drafts.put(user, _id(request), body))


@api("Throw a draft away", "admin", status=204)
async def discard(request: Request) -> Response:
    await services(request).drafts.discard(await admin(request), _id(request))
    return Response(status_code=204)


@api("What the draft's data holds", "admin", answer=answers.DraftData)
async def data(request: Request) -> Response:
    return reply(await services(request).drafts.data(await admin(request), _id(request)))


@api(
    "Send files to keep with the draft",
    "admin",
    takes="multipart/form-data",
    answer=answers.DraftData,
)
async def add_files(request: Request) -> Response:
    user = await admin(request)
    kept = services(request)
    async with uploaded(request, user.user_id, files=100_000) as form:
        files = [f for f in form.getlist("files") if not isinstance(f, str)]
        if not files:
            raise ApiError("bad_message", "no files in the field 'files'")
        return reply(await kept.drafts.add_files(user, _id(request), files))


@api("Throw its files away", "admin", status=204)
async def drop_files(request: Request) -> Response:
    await services(request).drafts.drop_files(await admin(request), _id(request))
    return Response(status_code=204)


@api(
    "Add a picture to its instructions",
    "admin",
    takes="image/*",
    answer=answers.Link,
    status=201,
)
async def add_picture(request: Request) -> Response:
    """The body is the picture itself."""
    kept, draft_id = services(request), _id(request)
    await kept.drafts.owned(await admin(request), draft_id)
    data = await picture_of(request)
    return reply(await kept.instructions.add_picture(draft_id, data, "drafts"), 201)


@api("A picture of its instructions", "admin", gives="image/*")
async def picture(request: Request) -> Response:
    await services(request).drafts.owned(await admin(request), _id(request))
    return await show_picture(request, _id(request))


@api("Can the draft's data source be read?", "admin", body=Initialize, answer=answers.SourceTest)
async def test_place(request: Request) -> Response:
    user = await admin(request)
    body = await body_of(request, Initialize)
    return reply(await services(request).drafts.test_place(user, _id(request), body))


@api(
    "Make the project of a draft",
    "admin",
    body=Initialize,
    answer=answers.Initialized,
    status=201,
)
@once
async def initialize(request: Request) -> Response:
    """`credentials`: of its data source; a draft does not keep them."""
    user = await admin(request)
    body = await body_of(request, Initialize)
    return reply(await services(request).drafts.initialize(user, _id(request), body), 201)


@api("Instructions as labelers will see them", "admin", body=Preview, answer=answers.Html)
async def preview(request: Request) -> Response:
    await admin(request)
    body = await body_of(request, Preview)
    return reply(services(request).instructions.preview(body.text))


def routes() -> list[BaseRoute]:
    one = "/api/drafts/{draft_id}"
    return [
        Route("/api/drafts", mine, methods=["GET"]),
        Route("/api/drafts", begin, methods=["POST"]),
        Route("/api/drafts/preview", preview, methods=["POST"]),
        Route(one, get, methods=["GET"]),
        Route(one, put, methods=["PUT"]),
        Route(one, discard, methods=["DELETE"]),
        Route(f"{one}/data", data, methods=["GET"]),
        Route(f"{one}/files", add_files, methods=["POST"]),
        Route(f"{one}/files", drop_files, methods=["DELETE"]),
        Route(f"{one}/pictures", add_picture, methods=["POST"]),
        Route(f"{one}/pictures/{{content_hash}}", picture, methods=["GET"]),
        Route(f"{one}/test", test_place, methods=["POST"]),
        Route(f"{one}/initialize", initialize, methods=["POST"]),
    ]
