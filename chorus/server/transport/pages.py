"""The HTML pages: they hold no data of their own, the browser asks REST and the websocket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from chorus.server.domain.classes import PALETTE
from chorus.server.domain.preferences import LANGUAGES, Preferences
from chorus.server.domain.webhooks import TYPES
from chorus.server.errors import ApiError
from chorus.server.services.preferences import public
from chorus.server.transport.auth import CurrentUser, address_of, current_user
from chorus.server.transport.http import services
from chorus.server.transport.languages import Catalog, chosen, load
from chorus.server.transport.protocol import error_body

WEB = Path(__file__).parent.parent.parent / "web"
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    # A page shown again with "back" after signing out must not come from the cache.
    "Cache-Control": "no-store",
}
TRANSLATED = frozenset(
    {"projects.html", "label.html", "history.html", "me.html", "signin.html", "invite.html",
     "setup.html", "error.html"}
)  # fmt: skip
"""What labelers see. The supervisors' rooms are in English."""

Handler = Callable[[Request], Awaitable[Response]]


def _environment(catalog: Catalog) -> jinja2.Environment:
    """The templates, in one language."""
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(WEB / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    found.install_gettext_translations(catalog.translations, newstyle=True)  # type: ignore[attr-defined]
    return found


_catalogs = {tag: load(WEB / "locale", tag) for tag in LANGUAGES}
_templates = {tag: _environment(catalog) for tag, catalog in _catalogs.items()}


class RevalidatedFiles(StaticFiles):
    """Static files that browsers keep but ask about (304): an upgrade is seen at once."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


class SignInFirst(Exception):
    """The page needs somebody signed in."""


def render(
    request: Request,
    template: str,
    user: CurrentUser | None = None,
    status: int = 200,
    boot: dict[str, Any] | None = None,
    **values: Any,
) -> Response:
    """An HTML page. `boot` is what its script starts from, as JSON in a data attribute."""
    own: Preferences = getattr(request.state, "preferences", Preferences())
    language = own.language or chosen(request.headers.get("accept-language", ""))
    if template not in TRANSLATED:
        language = LANGUAGES[0]
    html = (
        _templates[language]
        .get_template(template)
        .render(
            user=user,
            version=request.app.state.version,
            language=language,
            motion=own.motion,
            catalog=_catalogs[language].json,
            preferences=own,
            boot=msgspec.json.encode(
                {
                    "user": user.public() if user is not None else None,
                    "preferences": public(own),
                    "time_zone": user.time_zone if user is not None else None,
                    **(boot or {}),
                }
            ).decode(),
            **values,
        )
    )
    return HTMLResponse(html, status, headers=SECURITY_HEADERS)


def page(handler: Handler) -> Handler:
    """Errors become pages for people; who is not signed in is asked to, and comes back."""

    async def endpoint(request: Request) -> Response:
        try:
            return await handler(request)
        except SignInFirst:
            target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            query = "" if target == "/" else f"?next={quote(target, safe='/')}"
            return RedirectResponse(f"/signin{query}", 303, headers=SECURITY_HEADERS)
        except ApiError as error:
            return await error_page(request, error)

    return endpoint


async def error_page(request: Request, error: ApiError) -> Response:
    try:
        user = await current_user(request)
    except ApiError:
        user = None
    return render(
        request, "error.html", user, error.status, message=error.message, code=error.status
    )


async def signed_in(request: Request) -> CurrentUser:
    user = await current_user(request)
    if user is None:
        raise SignInFirst
    request.state.preferences = await services(request).preferences.of(user.user_id)
    return user


async def in_project(request: Request, least: str) -> tuple[CurrentUser, dict[str, Any]]:
    """(the user, Project JSON) when the role suffices. Raises `ApiError`, `SignInFirst`."""
    user = await signed_in(request)
    projects = services(request).projects
    project_id = request.path_params["project_id"]
    project = await projects.get_for(user, project_id)
    await projects.require(user, project_id, least)
    return user, project


def _require_admin(user: CurrentUser) -> None:
    if not user.admin:
        raise ApiError("forbidden", "Only an admin may see this page.")


def local_path(target: str) -> str:
    """`target` if it is a path of our own, else "/": a sign-in must not lead to another site."""
    ours = target.startswith("/") and not target.startswith(("//", "/\\"))
    return target if ours and not any(c in target for c in "\r\n\t") else "/"


@page
async def home(request: Request) -> Response:
    user = await signed_in(request)
    return render(request, "projects.html", user)


@page
async def me(request: Request) -> Response:
    user = await signed_in(request)
    has, may = await services(request).accounts.password_of(user)
    return render(request, "me.html", user, has_password=has, may_change_password=may)


def _ways(request: Request, target: str) -> dict[str, Any]:
    """For a template: how people may sign in."""
    kept = services(request)
    provider = kept.identities.provider
    query = "" if target == "/" else f"?next={quote(target, safe='/')}"
    return {
        "passwords": kept.accounts.passwords,
        "provider": provider.label if provider else None,
        "provider_url": f"/oidc/start{query}",
    }


@page
async def signin(request: Request) -> Response:
    target = local_path(request.query_params.get("next", "/"))
    if await current_user(request) is not None:
        return RedirectResponse(target, 303, headers=SECURITY_HEADERS)
    no_admin = not await services(request).accounts.has_admin()
    return render(
        request, "signin.html", boot={"next": target}, no_admin=no_admin, **_ways(request, target)
    )


@page
async def setup(request: Request) -> Response:
    if await services(request).accounts.has_admin():
        return RedirectResponse("/signin", 303, headers=SECURITY_HEADERS)
    return render(request, "setup.html", boot={"token": request.query_params.get("token", "")})


@page
async def invite(request: Request) -> Response:
    token = request.path_params["token"]
    user = await current_user(request)
    accounts = services(request).accounts
    with accounts.limits.opening(address_of(request)):
        meant, project = await accounts.invitation(token)
    return render(
        request, "invite.html", user, boot={"token": token, "project_id": meant.project_id},
        meant=meant, role=meant.role, project=project, token=token,
        **_ways(request, request.url.path),
    )  # fmt: skip


@page
async def tokens(request: Request) -> Response:
    user = await signed_in(request)
    mine = [
        {"project_id": p["project_id"], "name": p["name"]}
        for p in await services(request).projects.list_for(user)
    ]
    return render(request, "tokens.html", user, boot={"projects": mine})


@page
async def new_project(request: Request) -> Response:
    user = await signed_in(request)
    _require_admin(user)
    return render(
        request,
        "new_project.html",
        user,
        boot={"palette": PALETTE},
        **services(request).projects.equipment(),
    )


@page
async def dashboard(request: Request) -> Response:
    user, project = await in_project(request, "labeler")
    if project["role"] == "labeler":
        return RedirectResponse(f"/p/{project['project_id']}/label", 303, headers=SECURITY_HEADERS)
    return render(
        request, "dashboard.html", user, boot={"project": project}, project=project,
        here="dashboard",
    )  # fmt: skip


def room(name: str, least: str, **values: Any) -> Handler:
    """A page of a project, for whoever has at least this role there. values: for its template."""

    @page
    async def show(request: Request) -> Response:
        user, project = await in_project(request, least)
        return render(
            request, f"{name}.html", user, boot={"project": project}, project=project, here=name,
            **services(request).projects.equipment(), **values,
        )  # fmt: skip

    return show


@page
async def people(request: Request) -> Response:
    user = await signed_in(request)
    _require_admin(user)
    return render(request, "people.html", user)


async def _watched(request: Request, user: CurrentUser) -> list[dict[str, str]]:
    """Id and name of the projects that the user supervises. Raises forbidden where there are
    none."""
    found = [
        {"project_id": p["project_id"], "name": p["name"]}
        for p in await services(request).projects.list_for(user)
        if p["role"] != "labeler"
    ]
    if not found and not user.admin:
        raise ApiError("forbidden", "Only those who supervise a project may see this page.")
    return found


@page
async def overview(request: Request) -> Response:
    user = await signed_in(request)
    return render(request, "overview.html", user, boot={"projects": await _watched(request, user)})


@page
async def walls(request: Request) -> Response:
    user = await signed_in(request)
    return render(request, "wall.html", user, boot={"projects": await _watched(request, user)})


@page
async def wall(request: Request) -> Response:
    user, project = await in_project(request, "supervisor")
    return render(request, "wall.html", user, boot={"project": project, "projects": []})


async def nowhere(request: Request) -> Response:
    """Any other path: a page for people, the protocol's error for programs."""
    error = ApiError("not_found", "There is no page at this address.")
    if request.url.path.startswith(("/api/", "/media/")):
        return JSONResponse({"error": error_body(error)}, error.status)
    return await error_page(request, error)


def routes() -> list[BaseRoute]:
    """Routes of all pages; they come after the API's, since the last one takes every path."""
    return [
        Mount("/static", RevalidatedFiles(directory=WEB / "static"), name="static"),
        Route("/", home),
        Route("/me", me),
        Route("/signin", signin),
        Route("/setup", setup),
        Route("/invite/{token}", invite),
        Route("/projects/new", new_project),
        Route("/people", people),
        Route("/me/tokens", tokens),
        Route("/overview", overview),
        Route("/wall", walls),
        Route("/p/{project_id}", dashboard),
        Route("/p/{project_id}/wall", wall),
        Route("/p/{project_id}/label", room("label", "labeler")),
        Route("/p/{project_id}/history", room("history", "labeler")),
        *(
            Route(f"/p/{{project_id}}/{name}", room(name, "supervisor"))
            for name in ("review", "quality", "model", "data", "settings")
        ),
        Route(
            "/p/{project_id}/webhooks",
            room("webhooks", "supervisor", types=sorted(TYPES)),
        ),
        Route("/{path:path}", nowhere),
    ]
