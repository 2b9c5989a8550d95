"""What holds for every HTTP request, whichever handler takes it: headers that tell browsers what a
page of ours may do, and no changes for pages of other sites."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chorus.server.errors import ApiError
from chorus.server.transport.auth import SAFE_METHODS, from_elsewhere
from chorus.server.transport.protocol import error_body

HEADERS = {
    # Pages have a policy of their own (pages.py). What is no page runs and loads nothing, even
    # when it is opened like one: a picture, a text, an answer in JSON.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}
PRIVATE = ("/api/", "/signin-link", "/oidc/")
"""What is answered here is one person's: no cache keeps it, unless its handler says so."""


class Hardening:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith(PRIVATE):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        app = self._app
        if scope["method"] not in SAFE_METHODS and from_elsewhere(Headers(scope=scope)):
            # Not only with a cookie: a page elsewhere must not sign somebody in either.
            error = ApiError("bad_origin", "this request does not come from Chorus's own pages")
            app = JSONResponse({"error": error_body(error)}, error.status)
        await app(scope, receive, sending)
