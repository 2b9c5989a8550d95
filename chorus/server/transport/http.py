"""What all HTTP handlers share: JSON bodies in, JSON and errors out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import msgspec
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Message

from chorus.server.errors import ApiError
from chorus.server.logs import request_id
from chorus.server.services import Services
from chorus.server.transport.hardening import HEADERS
from chorus.server.transport.observing import HEADER
from chorus.server.transport.protocol import UNREADABLE, error_body

T = TypeVar("T")
BODY_MAX = 2 << 20


def services(request: Request) -> Services:
    found: Services = request.app.state.services
    return found


async def body_of(request: Request, schema: type[T]) -> T:
    """The JSON body as `schema`. Raises bad_message naming the field, or too_large."""
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > BODY_MAX:
            raise ApiError("too_large", "the request body is too large")
    try:
        return msgspec.json.decode(bytes(raw) or b"{}", type=schema)
    except UNREADABLE as error:
        raise ApiError("bad_message", str(error)) from None


@asynccontextmanager
async def uploaded(request: Request, user_id: str, files: int) -> AsyncIterator[FormData]:
    """A multipart body of at most so many files, on disk as it comes. Raises too_large, whatever
    the request says of its length, and rate_limited for whoever sends too many at once."""
    kept = services(request)
    most, came = kept.importing.upload_max_bytes, 0
    said = request.headers.get("content-length", "")
    if said.isdecimal() and int(said) > most:
        raise _too_large()

    async def receive() -> Message:
        nonlocal came
        message = await request.receive()
        came += len(message.get("body", b""))
        if came > most:
            raise _too_large()
        return message

    with kept.accounts.limits.uploading(user_id):
        counted = Request(request.scope, receive)
        async with counted.form(max_files=files, max_part_size=1 << 20) as form:
            yield form


def _too_large() -> ApiError:
    return ApiError("too_large", "send less at a time, or a zip, or name a folder of the server")


def number(request: Request, name: str, default: int) -> int:
    """An integer query parameter. Raises bad_message."""
    text = request.query_params.get(name)
    if not text:
        return default
    try:
        return int(text)
    except ValueError:
        raise ApiError("bad_message", f"{name} must be a whole number") from None


def item_id_of(request: Request) -> int:
    try:
        return int(request.path_params["item_id"])
    except ValueError:
        raise ApiError("not_found", "no such item") from None


def reply(body: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json")


async def on_api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return JSONResponse({"error": error_body(error)}, error.status)


async def on_unexpected(request: Request, error: Exception) -> Response:
    """Starlette calls this outside of all middleware: what that adds to an answer is added here."""
    name = request_id.get() or ""
    said = f"something went wrong on our side; it is in the server's log, by {name}"
    failure = ApiError("internal", said)
    headers = {**HEADERS, "Cache-Control": "no-store", HEADER: name}
    return JSONResponse({"error": error_body(failure)}, failure.status, headers=headers)
