"""Signing in by OpenID Connect: to the provider and back. Authlib speaks the protocol (discovery,
state, nonce, PKCE, the ID token's signature and claims); between the two requests, what it must
remember is in a signed cookie of a few minutes."""

from __future__ import annotations

import logging
from typing import Any, cast

import httpx
from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from chorus.server.domain.provider import Provider
from chorus.server.errors import ApiError
from chorus.server.services.identities import identity_of
from chorus.server.transport.auth import address_of, set_session
from chorus.server.transport.http import services
from chorus.server.transport.pages import SECURITY_HEADERS, local_path, page

log = logging.getLogger(__name__)

MEMORY = "chorus_oidc"
MEMORY_S = 600
CAME_BY = "chorus_came_by"
"""Says that the provider's session should end with ours."""


class Door:
    """The provider, as Authlib knows it. `errors`: what a sign-in gone wrong raises."""

    def __init__(self, provider: Provider, secret: str) -> None:
        # Here, since only servers with a provider need them: they take a fifth of a second.
        from authlib.common.errors import AuthlibBaseError
        from authlib.integrations.starlette_client import OAuth
        from joserfc.errors import JoseError

        self.errors: tuple[type[Exception], ...] = (
            AuthlibBaseError, JoseError, httpx.HTTPError, KeyError, ValueError,
        )  # fmt: skip
        self.provider = provider
        self.memory = URLSafeTimedSerializer(secret, salt="oidc")
        options: dict[str, Any] = {"scope": "openid profile email", "code_challenge_method": "S256"}
        if provider.client_secret is None:
            options["token_endpoint_auth_method"] = "none"
        self.client = OAuth().register(
            "provider",
            client_id=provider.client_id,
            client_secret=provider.client_secret,
            server_metadata_url=f"{provider.issuer.rstrip('/')}/.well-known/openid-configuration",
            client_kwargs=options,
        )

    async def metadata(self) -> dict[str, Any]:
        """Raises `ApiError` where the provider cannot be reached, or is another one."""
        try:
            found = cast("dict[str, Any]", await self.client.load_server_metadata())
        except (httpx.HTTPError, ValueError) as error:
            log.warning("the provider %s: %s", self.provider.issuer, error)
            raise ApiError("internal", "the sign-in service cannot be reached") from None
        if found.get("issuer") != self.provider.issuer:
            log.warning("the provider calls itself %r", found.get("issuer"))
            raise ApiError("internal", "the sign-in service is not the one it should be")
        return found


def _door(request: Request) -> Door:
    door: Door | None = request.app.state.door
    if door is None:
        raise ApiError("not_found", "this server has no sign-in by OpenID Connect")
    return door


def _callback(request: Request) -> str:
    return f"{str(request.base_url).rstrip('/')}/oidc/callback"


@page
async def start(request: Request) -> Response:
    door = _door(request)
    await door.metadata()
    session: dict[str, Any] = {}
    request.scope["session"] = session
    response: Response = await door.client.authorize_redirect(request, _callback(request))
    session["next"] = local_path(request.query_params.get("next", "/"))
    response.set_cookie(
        MEMORY,
        door.memory.dumps(session),
        max_age=MEMORY_S,
        path="/oidc",
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    response.headers.update(SECURITY_HEADERS)
    return response


@page
async def callback(request: Request) -> Response:
    door = _door(request)
    with services(request).accounts.limits.opening(address_of(request)):
        return await _come_back(request, door)


async def _come_back(request: Request, door: Door) -> Response:
    accounts = services(request).accounts
    try:
        session = door.memory.loads(request.cookies.get(MEMORY, ""), max_age=MEMORY_S)
    except BadSignature:
        raise ApiError("forbidden", "the sign-in took too long, or began elsewhere") from None
    await door.metadata()
    request.scope["session"] = session
    try:
        token = await door.client.authorize_access_token(request)
        claims = dict(token["userinfo"])
        if "email" not in claims and "userinfo_endpoint" in await door.metadata():
            more = dict(await door.client.userinfo(token=token))
            if more.get("sub") == claims["sub"]:
                claims |= more
    except door.errors as error:
        log.warning("sign-in by OpenID Connect: %s", error)
        raise ApiError("forbidden", "the sign-in service did not confirm it; try again") from None
    target = local_path(session["next"])
    invite = target.removeprefix("/invite/") if target.startswith("/invite/") else None
    _, cookie = await services(request).identities.sign_in(identity_of(claims), invite)
    services(request).projects.forget_roles()
    if invite is not None:
        try:
            await accounts.invitation(invite)
        except ApiError:
            target = "/"  # coming has used it up
    response = RedirectResponse(target, 303, headers=SECURITY_HEADERS)
    response.delete_cookie(MEMORY, path="/oidc")
    set_session(request, response, cookie)
    response.set_cookie(CAME_BY, "oidc", httponly=True, samesite="lax", path="/oidc")
    return response


@page
async def signed_out(request: Request) -> Response:
    """Where a page goes once its session has ended: on to the provider's, if it came from there."""
    target = "/signin"
    if request.app.state.door is not None and CAME_BY in request.cookies:
        door = _door(request)
        if (await door.metadata()).get("end_session_endpoint"):
            back = f"{str(request.base_url).rstrip('/')}/signin"
            found = await door.client.create_logout_url(back, client_id=door.provider.client_id)
            target = found["url"]
    response = RedirectResponse(target, 303, headers=SECURITY_HEADERS)
    response.delete_cookie(CAME_BY, path="/oidc")
    return response


def routes() -> list[BaseRoute]:
    return [
        Route("/oidc/start", start),
        Route("/oidc/callback", callback),
        Route("/oidc/signed-out", signed_out),
    ]
