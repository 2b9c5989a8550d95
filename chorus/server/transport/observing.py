"""Around every request: its id, its line in the log, its place in the metrics and traces."""

from __future__ import annotations

import logging
import re
from time import perf_counter
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chorus.server.logs import new_id, request_id
from chorus.server.services.accounts import digest, invite_id

log = logging.getLogger("chorus.access")
HEADER = "X-Request-ID"
_TOKEN_IN_PATH = re.compile(r"(/+(?:invite|api/+invites)/+)(?!list$)([^/]+)", re.IGNORECASE)
"""An invitation's, also in an address that somebody has copied badly, to which no route leads."""


class Observed:
    """ASGI middleware, the outermost but for Starlette's own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        name = new_id(headers.get(HEADER))
        # Not taken back: each request is a task of its own, and what fails is noted further out.
        request_id.set(name)
        if scope["type"] == "http":
            await self._request(scope, receive, send, name, headers)
        else:
            await self._app(scope, receive, send)

    async def _request(
        self, scope: Scope, receive: Receive, send: Send, name: str, headers: Headers
    ) -> None:
        status = 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = name
            await send(message)

        instruments = scope["app"].state.services.instruments
        began = perf_counter()
        attributes = {"http.request.method": scope["method"], "url.path": shown(scope["path"])}
        with instruments.tracing.span(f"{scope['method']}", attributes, headers) as span:
            try:
                await self._app(scope, receive, answer)
            finally:
                seconds = perf_counter() - began
                route = _route(scope)
                if span is not None:
                    span.update_name(f"{scope['method']} {route}")
                    span.set_attribute("http.route", route)
                    span.set_attribute("http.response.status_code", status)
                instruments.requested(scope["method"], route, status, seconds)
                _note(scope, status, seconds)


def shown(path: str) -> str:
    """A path as the log and traces have it: whoever reads them must not be able to go there. For
    an invitation's token there is the invitation's id. (No query is in either.)"""
    found = _TOKEN_IN_PATH.match(path)
    if found is None:
        return path
    return found[1] + invite_id(digest(found[2])) + path[found.end() :]


def _route(scope: Scope) -> str:
    """The pattern of the path, so that there are not as many as there are projects."""
    route: Any = scope.get("route")
    path = getattr(route, "path", None)
    return path if isinstance(path, str) else "none"


def _note(scope: Scope, status: int, seconds: float) -> None:
    fields = {
        "method": scope["method"],
        "path": shown(scope["path"]),
        "status": status,
        "ms": round(seconds * 1000, 1),
        "client": (scope.get("client") or ("", 0))[0],
    }
    text = "{method} {path} {status} in {ms} ms".format(**fields)
    log.info("%s", text, extra={"fields": fields})
