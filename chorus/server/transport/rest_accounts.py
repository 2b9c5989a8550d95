"""REST: sessions, people, invitations."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from chorus.client import answers, messages
from chorus.server.errors import ApiError
from chorus.server.transport.auth import (
    COOKIE,
    address_of,
    current_user,
    require_admin,
    require_unlimited,
    require_user,
    set_session,
)
from chorus.server.transport.described import Query, api
from chorus.server.transport.http import body_of, reply, services
from chorus.server.transport.once import once


class SignIn(msgspec.Struct):
    login: str
    password: str


class Setup(msgspec.Struct):
    token: str
    login: str
    name: str
    password: str


class NewUser(msgspec.Struct):
    login: str
    name: str
    password: str | None = None
    """None: they sign in by links, which an admin makes."""
    admin: bool = False


class ChangeUser(msgspec.Struct, forbid_unknown_fields=True):
    name: str | None = None
    admin: bool | None = None


class Passwords(msgspec.Struct):
    new: str
    old: str | None = None
    """None: there is none yet."""


class Invite(msgspec.Struct):
    role: str
    project_id: str | None = None
    uses: int = 1
    days: int = 7


class Erase(msgspec.Struct):
    login: str
    """Typed, to be sure."""


class InviteList(msgspec.Struct):
    text: str
    role: str = "labeler"
    project_id: str | None = None
    days: int = 7
    dry_run: bool = False


class Accept(msgspec.Struct):
    login: str | None = None
    name: str | None = None
    password: str | None = None


def _signed_in(request: Request, body: dict[str, Any], cookie: str) -> Response:
    response = reply(body)
    set_session(request, response, cookie)
    return response


@api(
    "Sign in as a browser does",
    "anyone",
    body=SignIn,
    answer=answers.SignedIn,
    errors=("wrong_password", "forbidden", "rate_limited"),
)
async def sign_in(request: Request) -> Response:
    body = await body_of(request, SignIn)
    user, cookie = await services(request).accounts.sign_in(
        body.login, body.password, address_of(request)
    )
    return _signed_in(request, {"user": user.public()}, cookie)


@api("Sign out", "signed in", status=204)
async def sign_out(request: Request) -> Response:
    user = await require_user(request)
    await services(request).accounts.sign_out(user)
    response = Response(status_code=204)
    response.delete_cookie(COOKIE)
    return response


@api("Sign out everywhere", "signed in", status=204, errors=("forbidden",))
async def sign_out_everywhere(request: Request) -> Response:
    """Every session of mine ends at once, this one too, and every sign-in link to me. Tokens
    stay."""
    user = await require_unlimited(request)
    await services(request).accounts.sign_out_everywhere(user.user_id)
    response = Response(status_code=204)
    response.delete_cookie(COOKIE)
    return response


@api(
    "Change my password",
    "signed in",
    body=Passwords,
    status=204,
    errors=("wrong_password", "forbidden", "rate_limited"),
)
async def change_password(request: Request) -> Response:
    """By a session, never by a token. The answer has the cookie of a new one: all others end, and
    every sign-in link to me. Tokens stay. Whoever came by a sign-in link and has no password sets
    one without `old`; who signs in by OpenID Connect has none."""
    user = await require_user(request)
    body = await body_of(request, Passwords)
    cookie = await services(request).accounts.change_password(
        user, body.old, body.new, address_of(request)
    )
    response = Response(status_code=204)
    set_session(request, response, cookie)
    return response


@api("Who I am, and my projects", "signed in", answer=answers.Me)
async def me(request: Request) -> Response:
    user = await require_user(request)
    return reply(
        {"user": user.public(), "projects": await services(request).projects.list_for(user)}
    )


@api(
    "Make the first admin, by the link printed at the first start",
    "anyone",
    body=Setup,
    answer=answers.SignedIn,
    errors=("forbidden", "conflict"),
)
async def setup(request: Request) -> Response:
    body = await body_of(request, Setup)
    accounts = services(request).accounts
    with accounts.limits.opening(address_of(request)):
        user, cookie = await accounts.setup(body.token, body.login, body.name, body.password)
    return _signed_in(request, {"user": user.public()}, cookie)


@api("Everybody with an account", "admin", answer=answers.Users)
async def users(request: Request) -> Response:
    await require_admin(request)
    return reply({"users": await services(request).accounts.users()})


@api("Make an account", "admin", body=NewUser, answer=messages.User, errors=("conflict",))
@once
async def add_user(request: Request) -> Response:
    await require_admin(request)
    body = await body_of(request, NewUser)
    if body.admin:
        await require_unlimited(request)
    user = await services(request).accounts.add_user(
        body.login, body.name, body.password, body.admin
    )
    return reply(user.public())


@api(
    "Rename a person, make them an admin or none",
    "admin",
    body=ChangeUser,
    answer=answers.Users,
    errors=("conflict",),
)
async def change_user(request: Request) -> Response:
    await require_admin(request)
    body = await body_of(request, ChangeUser)
    if body.admin is not None:
        await require_unlimited(request)
    accounts = services(request).accounts
    await accounts.change(request.path_params["user_id"], body.name, body.admin)
    return reply({"users": await accounts.users()})


@api("Take a person's password away", "admin", answer=answers.Link, errors=("conflict",))
async def reset_password(request: Request) -> Response:
    """For a password that was forgotten, or that others know: their sessions end, and the link
    signs them in to choose another one. Tokens stay. One's own is changed by its owner."""
    await require_admin(request)
    user = await require_unlimited(request)
    token = await services(request).accounts.reset_password(
        request.path_params["user_id"], user.user_id
    )
    return reply({"url": _signin_url(request, token)})


@api("All that is stored about a person", "admin", gives="application/json")
async def person_data(request: Request) -> Response:
    """A JSON object with a list of rows for each table. It tells which of their answers were
    checks, so it is not for the eyes of somebody who still works here."""
    await require_admin(request)
    await require_unlimited(request)
    path, login = await services(request).erasing.export(request.path_params["user_id"])
    plain = "".join(c if c.isascii() and c.isalnum() else "-" for c in login)
    return FileResponse(
        path, media_type="application/json", filename=f"{plain}.json",
        background=BackgroundTask(path.unlink, missing_ok=True),
    )  # fmt: skip


@api("Erase a person; their work stays", "admin", body=Erase, answer=answers.Erased,
     errors=("conflict",))  # fmt: skip
async def erase_person(request: Request) -> Response:
    """At once: account, address, tokens, sessions, memberships. In the background: their name in
    the log. Votes and decisions stay under a pseudonym."""
    await require_admin(request)
    user = await require_unlimited(request)
    body = await body_of(request, Erase)
    found = await services(request).erasing.erase(
        request.path_params["user_id"], body.login, user.user_id
    )
    return reply(found)


@api("Make a link that signs a person in", "admin", answer=answers.Link)
async def signin_link(request: Request) -> Response:
    await require_admin(request)
    await require_unlimited(request)
    token = await services(request).accounts.signin_link(request.path_params["user_id"])
    return reply({"url": _signin_url(request, token)})


def _signin_url(request: Request, token: str) -> str:
    return f"{str(request.base_url).rstrip('/')}/signin-link?token={token}"


@api(
    "Open a sign-in link",
    "anyone",
    status=303,
    query={"token": Query(str, "of the link"), "next": Query(str, "path to go on to")},
    errors=("forbidden",),
)
async def open_signin_link(request: Request) -> Response:
    token = request.query_params.get("token", "")
    accounts = services(request).accounts
    if request.method != "GET":
        return Response(status_code=204)  # whoever only asks whether there is something
    already = await current_user(request)
    with accounts.limits.opening(address_of(request)):
        _, cookie = await accounts.by_link(token, already)
    target = request.query_params.get("next", "/")
    # Only paths of our own: a sign-in link must not lead to another site.
    safe = target if target.startswith("/") and not target.startswith(("//", "/\\")) else "/"
    response = RedirectResponse(safe, 303)
    if cookie is not None:
        set_session(request, response, cookie)
    return response


@api(
    "Invite somebody by a link",
    "signed in",
    body=Invite,
    answer=answers.Invited,
    errors=("forbidden", "not_found"),
)
async def invite(request: Request) -> Response:
    user = await require_user(request)
    body = await body_of(request, Invite)
    if not user.admin:
        if body.role != "labeler" or body.project_id is None:
            raise ApiError("forbidden", "a supervisor can invite labelers to their own project")
        await services(request).projects.require(user, body.project_id, "supervisor")
    elif body.role == "admin":
        await require_unlimited(request)
    token, expires_at = await services(request).accounts.invite(
        user.user_id, body.role, body.project_id, body.uses, body.days
    )
    url = f"{str(request.base_url).rstrip('/')}/invite/{token}"
    return reply({"url": url, "token": token, "expires_at": expires_at})


@api(
    "Invite many by a list",
    "signed in",
    body=InviteList,
    answer=answers.InvitedList,
    errors=("forbidden",),
)
async def invite_list(request: Request) -> Response:
    user = await require_user(request)
    kept = services(request)
    await kept.projects.require_any(user, "supervisor")
    body = await body_of(request, InviteList)
    mine = {
        p["project_id"]: p["name"]
        for p in await kept.projects.list_for(user)
        if p["role"] != "labeler"
    }
    found = await kept.inviting.by_list(
        user.user_id, body.text, mine, body.role, body.project_id, body.days, user.admin,
        body.dry_run,
    )  # fmt: skip
    kept.projects.forget_roles()
    root = str(request.base_url).rstrip("/")
    for person in found["people"]:
        person["project"] = mine.get(person["project_id"])
        if token := person.pop("token", None):
            person["url"] = f"{root}/invite/{token}"
    return reply(found)


@api("What an invitation is for", "anyone", answer=answers.Invitation)
async def invitation(request: Request) -> Response:
    accounts = services(request).accounts
    with accounts.limits.opening(address_of(request)):
        found, project = await accounts.invitation(request.path_params["token"])
    return reply({"role": found.role, "project": project, "login": found.login, "name": found.name})


@api(
    "Accept an invitation",
    "anyone",
    body=Accept,
    answer=answers.Joined,
    errors=("not_signed_in", "forbidden", "conflict"),
)
async def accept(request: Request) -> Response:
    body = await body_of(request, Accept)
    accounts = services(request).accounts
    new = None
    existing = None
    if body.login is not None:
        if body.password is None:
            raise ApiError("bad_message", "choose a password")
        if not accounts.passwords:
            raise ApiError("forbidden", "passwords are switched off; use the other way to sign in")
        with accounts.limits.opening(address_of(request)):
            await accounts.invitation(request.path_params["token"])  # before the slow part
        new = await accounts.make_user(body.login, body.name or body.login, body.password)
    else:
        user = await current_user(request)
        if user is None:
            raise ApiError("not_signed_in", "sign in, or give login, name and password")
        await require_unlimited(request)  # joining answers with a session
        existing = user.user_id
    with accounts.limits.opening(address_of(request)):
        joined, cookie, project_id = await accounts.accept(
            request.path_params["token"], new, existing
        )
    services(request).projects.forget_roles()
    return _signed_in(request, {"user": joined.public(), "project_id": project_id}, cookie)


def routes() -> list[BaseRoute]:
    return [
        Route("/api/session", sign_in, methods=["POST"]),
        Route("/api/session", sign_out, methods=["DELETE"]),
        Route("/api/sessions", sign_out_everywhere, methods=["DELETE"]),
        Route("/api/me", me),
        Route("/api/me/password", change_password, methods=["PUT"]),
        Route("/api/setup", setup, methods=["POST"]),
        Route("/api/users", users, methods=["GET"]),
        Route("/api/users", add_user, methods=["POST"]),
        Route("/api/users/{user_id}", change_user, methods=["PATCH"]),
        Route("/api/users/{user_id}/password", reset_password, methods=["DELETE"]),
        Route("/api/users/{user_id}/signin-link", signin_link, methods=["POST"]),
        Route("/api/users/{user_id}/data", person_data),
        Route("/api/users/{user_id}/erase", erase_person, methods=["POST"]),
        Route("/signin-link", open_signin_link),
        Route("/api/invites", invite, methods=["POST"]),
        Route("/api/invites/list", invite_list, methods=["POST"]),
        Route("/api/invites/{token}", invitation, methods=["GET"]),
        Route("/api/invites/{token}", accept, methods=["POST"]),
    ]
