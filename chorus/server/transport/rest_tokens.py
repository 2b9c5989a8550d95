"""REST: the API tokens that people make for themselves."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from chorus.client import answers
from chorus.server.services.tokens import NewToken
from chorus.server.transport.auth import require_unlimited
from chorus.server.transport.described import api
from chorus.server.transport.http import body_of, reply, services


@api("My tokens", "signed in", answer=answers.Tokens, errors=("forbidden",))
async def tokens(request: Request) -> Response:
    user = await require_unlimited(request)
    return reply({"tokens": await services(request).tokens.of(user.user_id)})


@api(
    "Make a bearer token that acts as me",
    "signed in",
    body=NewToken,
    answer=answers.FreshToken,
    errors=("forbidden", "not_found"),
)
async def add_token(request: Request) -> Response:
    user = await require_unlimited(request)
    new = await body_of(request, NewToken)
    kept = services(request)
    if new.project_id is not None:
        await kept.projects.role(user, new.project_id)
    secret, shown = await kept.tokens.add(user.user_id, new)
    return reply({"token": secret, **shown})


@api("Revoke a token", "signed in", status=204, errors=("forbidden",))
async def revoke(request: Request) -> Response:
    user = await require_unlimited(request)
    await services(request).tokens.revoke(user.user_id, request.path_params["token_id"])
    return Response(status_code=204)


def routes() -> list[BaseRoute]:
    return [
        Route("/api/tokens", tokens, methods=["GET"]),
        Route("/api/tokens", add_token, methods=["POST"]),
        Route("/api/tokens/{token_id}", revoke, methods=["DELETE"]),
    ]
