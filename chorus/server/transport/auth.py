"""Who is asking: session cookie or bearer token; and from which site."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from chorus.server.errors import ApiError
from chorus.server.services.accounts import DAY, SESSION_DAYS, CurrentUser

COOKIE = "chorus_session"
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}

__all__ = [
    "COOKIE",
    "CurrentUser",
    "address_of",
    "current_user",
    "from_elsewhere",
    "require_unlimited",
    "require_user",
    "same_origin",
    "set_session",
]


async def current_user(request: HTTPConnection) -> CurrentUser | None:
    """The person behind a request or websocket, or None; by a token, as far as that goes.

    Raises `ApiError('bad_origin')` when another site's page uses the person's cookie: always
    for websockets, for HTTP on everything that may change something.
    """
    accounts = request.app.state.services.accounts
    header = request.headers.get("authorization", "")
    if header.lower().startswith("bearer "):
        tokens = request.app.state.services.tokens
        user: CurrentUser | None = await tokens.find(header[7:].strip())
        if user is not None and user.grant is not None and user.grant.scope == "read":
            _only_reads(request)
        return await _seen(request, user)
    cookie = request.cookies.get(COOKIE)
    if cookie is None:
        return None
    changing = request.scope["type"] == "websocket" or request.scope["method"] not in SAFE_METHODS
    if changing and not same_origin(request):
        raise ApiError("bad_origin", "this request does not come from Chorus's own pages")
    user = await accounts.by_session(cookie)
    return await _seen(request, user)


async def _seen(request: HTTPConnection, user: CurrentUser | None) -> CurrentUser | None:
    """Raises rate_limited."""
    if user is not None:
        if request.scope["type"] == "http":
            request.app.state.services.accounts.limits.request(user.user_id)
        await request.app.state.services.accounts.seen(user.user_id)
    return user


def _only_reads(request: HTTPConnection) -> None:
    """What a websocket's commands do is looked at one by one (commands.READING)."""
    if request.scope["type"] == "http" and request.scope["method"] not in SAFE_METHODS:
        raise ApiError("forbidden", "this token may only read")


def same_origin(request: HTTPConnection) -> bool:
    """Is the Origin header the address this request went to? (Host; a proxy must keep it.)"""
    return _is_ours(request.headers.get("origin"), request.headers)


def from_elsewhere(headers: Mapping[str, str]) -> bool:
    """Does a page of another site ask? (A program gives no Origin, or a token no page has.)"""
    origin = headers.get("origin")
    token = headers.get("authorization", "").lower().startswith("bearer ")
    return origin is not None and not token and not _is_ours(origin, headers)


def _is_ours(origin: str | None, headers: Mapping[str, str]) -> bool:
    try:
        return origin is not None and urlsplit(origin).netloc == headers.get("host")
    except ValueError:
        return False


def address_of(request: HTTPConnection) -> str:
    """Of whoever asks; behind a proxy, what it says (uvicorn believes one on this machine)."""
    return request.client.host if request.client else ""


async def require_user(request: HTTPConnection) -> CurrentUser:
    user = await current_user(request)
    if user is None:
        raise ApiError("not_signed_in", "sign in first")
    return user


async def require_admin(
    request: HTTPConnection, otherwise: str = "this needs the role admin"
) -> CurrentUser:
    """Raises not_signed_in, forbidden with these words."""
    user = await require_user(request)
    if not user.admin:
        raise ApiError("forbidden", otherwise)
    return user


async def require_unlimited(request: HTTPConnection) -> CurrentUser:
    """For what opens further doors: a token that is not for everything, or that ends, must not
    make itself a way around that. Raises not_signed_in, forbidden."""
    user = await require_user(request)
    if user.grant is not None and user.grant.limited:
        raise ApiError("forbidden", "a token with a limit or an end may not do this")
    return user


def set_session(request: Request, response: Response, cookie: str) -> None:
    response.set_cookie(
        COOKIE,
        cookie,
        max_age=SESSION_DAYS * DAY,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
