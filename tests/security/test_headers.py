"""What browsers are told of every answer, and what the cookie is like."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chorus import __version__
from chorus.server.app import build
from chorus.server.services.instruments import Instruments
from chorus.server.settings import Settings
from chorus.server.tracing import OFF
from chorus.server.transport.hardening import HEADERS
from chorus.server.transport.pages import WEB
from tests.servers import Bench, pictures

EVERYWHERE = {
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
"""Named here as well: one that is removed from `HEADERS` is missed."""


@pytest.fixture
async def paths(bench: Bench, tmp_path: Path) -> list[str]:
    """One of every kind."""
    project = await bench.make(pictures(tmp_path, 1))
    one = f"/api/projects/{project.project_id}"
    (item,) = (await bench.admin.request("GET", f"{one}/items")).json()["items"]
    return [
        "/signin", "/nowhere", "/static/js/dom.js", "/healthz", one, f"{one}/export.csv",
        item["image"], "/api/me", "/api/nowhere", "/api/openapi.json", "/api/docs",
        f"/p/{project.project_id}", f"/p/{project.project_id}/label", "/signin-link?token=x",
    ]  # fmt: skip


async def test_every_answer_tells_browsers_what_they_may_not(
    bench: Bench, paths: list[str]
) -> None:
    token = {"Authorization": f"Bearer {bench.server.token}"}
    async with httpx.AsyncClient(base_url=bench.server.url, headers=token) as http:
        for path in paths:
            answer = await http.get(path)
            where = f"{path} {answer.status_code}"
            for name in HEADERS:
                assert name in answer.headers, (where, name)
            policy = answer.headers["content-security-policy"]
            assert "frame-ancestors 'none'" in policy, where
            for name, value in EVERYWHERE.items():
                assert answer.headers[name] == value, (where, name)
            assert "camera=()" in answer.headers["permissions-policy"]
            assert "unsafe" not in policy, where
            if path.startswith("/api/") and not path.startswith("/api/docs"):
                assert answer.headers["cache-control"] == "no-store", where


async def test_an_answer_to_our_own_mistake_has_them_too(tmp_path: Path) -> None:
    """Starlette gives it outside of all middleware."""

    async def mistaken(request: Request) -> Response:
        raise ZeroDivisionError("/etc/passwd")

    app = build(Settings(data_dir=tmp_path))
    app.router.routes.insert(0, Route("/api/mistaken", mistaken))
    app.state.services = SimpleNamespace(instruments=Instruments(__version__, OFF))
    door = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=door, base_url="http://x") as http:
        answer = await http.get("/api/mistaken", headers={"X-Request-ID": "from-the-proxy"})
    assert answer.status_code == 500
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-request-id"] == "from-the-proxy"
    assert "from-the-proxy" in answer.json()["error"]["message"]
    assert "passwd" not in answer.text, "what went wrong is for the log"


async def test_the_cookie_is_for_our_own_requests_and_no_script(bench: Bench) -> None:
    await bench.make()
    user = await bench.admin.create_user(f"cookie-{bench.project.project_id}", "Cookie")
    for scheme in ("http", "https"):
        async with httpx.AsyncClient(base_url=bench.server.url) as http:
            answer = await http.get(
                await bench.admin.signin_link(user.user_id),
                # As a proxy on this machine says it.
                headers={"X-Forwarded-Proto": scheme},
            )
        (cookie,) = answer.headers.get_list("set-cookie")
        attributes = {part.strip().lower() for part in cookie.split(";")}
        assert {"httponly", "samesite=lax", "path=/"} <= attributes
        assert ("secure" in attributes) == (scheme == "https")


def test_no_page_has_a_script_or_style_of_its_own_in_it() -> None:
    """The policy forbids it; here, that no template tries."""
    for template in sorted((WEB / "templates").glob("*.html")):
        text = template.read_text("utf-8")
        for script in re.findall(r"<script\b[^>]*>", text):
            assert "src=" in script, template.name
        assert "<style" not in text, template.name
        assert not re.search(r"\son\w+\s*=", text), template.name
        assert not re.search(r"\sstyle\s*=", text), template.name
        assert "|safe" not in text.replace(" ", ""), template.name
        assert "javascript:" not in text, template.name


PROSE = {"labeler.js", "reading.js", "prose_editor.js", "projects.js"}
"""Where instructions are shown, which the server has made HTML of (services/prose.py)."""


def test_no_script_makes_code_of_text() -> None:
    for script in sorted((WEB / "static" / "js").rglob("*.js")):
        text = script.read_text("utf-8")
        assert not re.search(r"\beval\(|new Function\(|document\.write", text), script.name
        if re.search(r"innerHTML|outerHTML|insertAdjacentHTML|DOMParser", text):
            assert script.name in PROSE, script.name
