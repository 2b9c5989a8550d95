"""Idempotency-Key: a handler that makes something makes it once."""

from __future__ import annotations

import functools
import hashlib

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

from chorus.server.errors import ApiError
from chorus.server.transport.auth import require_user
from chorus.server.transport.described import Handler
from chorus.server.transport.http import BODY_MAX, services

HEADER = "Idempotency-Key"


def once(handler: Handler) -> Handler:
    """The same key with the same request gets the first answer; with another one, a conflict."""

    @functools.wraps(handler)
    async def guarded(request: Request) -> Response:
        key = request.headers.get(HEADER)
        if key is None:
            return await handler(request)
        user_id = (await require_user(request)).user_id
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_MAX:
                raise ApiError("too_large", "the request body is too large")
        kept = services(request).once
        head = f"{request.method} {request.url.path}?{request.url.query}\n"
        digest = hashlib.sha256(head.encode() + bytes(body)).hexdigest()
        known = await kept.claim(user_id, key, digest)
        if known is not None:
            status, answer = known
            headers = {"Idempotent-Replayed": "true"}
            return Response(answer, status, headers, media_type="application/json")

        async def receive() -> Message:
            return {"type": "http.request", "body": bytes(body), "more_body": False}

        try:
            response = await handler(Request(request.scope, receive))
        except ApiError:
            await kept.forget(user_id, key)
            raise
        except BaseException:
            kept.give_up(user_id, key)
            raise
        await kept.keep(user_id, key, response.status_code, bytes(response.body))
        return response

    guarded.takes_key = True  # type: ignore[attr-defined]
    return guarded
