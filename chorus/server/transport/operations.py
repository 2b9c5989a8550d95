"""For those who run the server: is it ready, and what does it measure."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Sequence

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from chorus.server.domain.grants import admin_by
from chorus.server.errors import ApiError
from chorus.server.transport.auth import current_user
from chorus.server.transport.http import reply, services

FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
"""What proxies add: who sends it did not come from this machine, though the proxy may have."""


async def readyz(request: Request) -> Response:
    """200 and `{"ok": true, "checks": {name: null}}`, or 503 and what is wrong."""
    checks = await services(request).health.ready()
    well = all(wrong is None for wrong in checks.values())
    return reply({"ok": well, "checks": checks}, 200 if well else 503)


async def metrics(request: Request) -> Response:
    """In Prometheus' text format, to those who may see it (`may_measure`)."""
    await may_measure(request)
    found = services(request)
    body = found.instruments.exposition(await found.health.jobs())
    return Response(body, media_type=CONTENT_TYPE_PLAIN_0_0_4)


async def may_measure(request: Request) -> None:
    """Whoever has the metrics' own token, an admin, and, unless that is switched off, whoever asks
    from this machine itself. Raises `ApiError`: not_signed_in, forbidden."""
    token, local = request.app.state.metrics_token, request.app.state.metrics_local
    given = request.headers.get("authorization", "")
    if token and hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
        return
    if local and _from_here(request):
        return
    user = await current_user(request)
    if user is None:
        raise ApiError("not_signed_in", "the metrics need a token (docs/operations.md)")
    # A token that only reads is enough.
    if not (user.admin if user.grant is None else admin_by(user.grant)):
        raise ApiError("forbidden", "the metrics are for admins")


def _from_here(request: Request) -> bool:
    if any(name in request.headers for name in FORWARDED):
        return False
    try:
        address = ipaddress.ip_address(request.client.host if request.client else "")
    except ValueError:
        return False
    return address.is_loopback


def routes() -> Sequence[BaseRoute]:
    return [Route("/readyz", readyz), Route("/metrics", metrics)]
