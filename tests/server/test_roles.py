"""Nobody sees or does what their role may not, over HTTP or websocket (a real server)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets
from starlette.routing import Mount, Route

from chorus.server.app import rest_routes
from chorus.server.transport import commands, oidc, pages, rest_openapi
from chorus.server.transport import operations as operating
from chorus.server.transport.openapi import operations
from tests.servers import TestServer

PASSWORD = "correct horse"
ELSEWHERE = ("other-labeler", "other-supervisor")
"""Members of another project."""


class Town:
    """A project with a person of every role, and a stranger."""

    def __init__(self, server: TestServer) -> None:
        self.server = server
        self.project_id = ""
        self.ids: dict[str, str] = {}
        self.tokens: dict[str, str] = {"admin": server.token}

    def client(self, role: str | None) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {self.tokens[role]}"} if role else {}
        return httpx.AsyncClient(base_url=self.server.url, headers=headers)


@pytest.fixture(scope="module")
def town(server: TestServer) -> Town:
    """Made once: hashing passwords is slow on purpose."""
    town = Town(server)
    with httpx.Client(
        base_url=server.url, headers={"Authorization": f"Bearer {server.token}"}
    ) as admin:
        made = admin.post("/api/projects", json={"name": "P", "classes": ["a", "b"]})
        town.project_id = made.json()["project_id"]
        other = admin.post("/api/projects", json={"name": "Q", "classes": ["a", "b"]}).json()
        for role in ("labeler", "supervisor", "stranger", *ELSEWHERE):
            body = {"login": role, "name": role, "password": PASSWORD}
            town.ids[role] = admin.post("/api/users", json=body).json()["user_id"]
            if role != "stranger":
                there = role in ELSEWHERE
                put = {"user_id": town.ids[role], "role": role.removeprefix("other-")}
                project_id = other["project_id"] if there else town.project_id
                admin.put(f"/api/projects/{project_id}/members", json=put)
            with httpx.Client(base_url=server.url) as browser:
                signed = browser.post("/api/session", json={"login": role, "password": PASSWORD})
                assert signed.status_code == 200
                origin = {"Origin": server.url}
                token = browser.post("/api/tokens", json={"name": "t"}, headers=origin)
                town.tokens[role] = token.json()["token"]
    return town


ALL = {"labeler", "supervisor", "admin"}
SUPERVISORS = {"supervisor", "admin"}
ADMINS = {"admin"}
EVERYBODY = {"stranger", *ELSEWHERE, *ALL}
OF_ANY_PROJECT = {"other-supervisor", *SUPERVISORS}
NOBODY: set[str] = set()
"""By a token; see tests/security/test_passwords.py."""
ROUTES: list[tuple[str, str, Any, set[str]]] = [
    ("GET", "/api/projects/{p}", None, ALL),
    ("PATCH", "/api/projects/{p}", {"description": "x"}, SUPERVISORS),
    ("POST", "/api/projects/{p}/classes", {"name": "NEW"}, SUPERVISORS),
    ("PATCH", "/api/projects/{p}/classes/0", {"color": "#123456"}, SUPERVISORS),
    ("DELETE", "/api/projects/{p}/classes/0", None, SUPERVISORS),
    ("GET", "/api/projects/{p}/classes/found", None, SUPERVISORS),
    ("GET", "/api/projects/{p}/start-over", None, SUPERVISORS),
    ("POST", "/api/projects/{p}/preview", {"target": 0.9}, SUPERVISORS),
    ("GET", "/api/projects/{p}/instructions", None, SUPERVISORS),
    ("POST", "/api/projects/{p}/instructions/confirm", {"revision": 1}, ALL),
    ("POST", "/api/projects/{p}/instructions/preview", {"text": "x"}, SUPERVISORS),
    ("POST", "/api/projects/{p}/pictures", {}, SUPERVISORS),
    ("GET", f"/api/projects/{{p}}/pictures/{'0' * 64}", None, ALL),
    ("GET", "/api/projects/{p}/changes", None, SUPERVISORS),
    ("POST", "/api/projects/{p}/clone", {"name": ""}, ADMINS),
    ("DELETE", "/api/projects/{p}", {"name": ""}, ADMINS),
    ("GET", "/api/drafts", None, ADMINS),
    ("POST", "/api/drafts", {}, ADMINS),
    ("POST", "/api/drafts/preview", {"text": "x"}, ADMINS),
    ("GET", "/api/drafts/none", None, ADMINS),
    ("PUT", "/api/drafts/none", {}, ADMINS),
    ("DELETE", "/api/drafts/none", None, ADMINS),
    ("GET", "/api/drafts/none/data", None, ADMINS),
    ("DELETE", "/api/drafts/none/files", None, ADMINS),
    ("POST", "/api/drafts/none/initialize", {}, ADMINS),
    ("POST", "/api/drafts/none/test", {}, ADMINS),
    ("POST", "/api/drafts/none/pictures", {}, ADMINS),
    ("GET", f"/api/drafts/none/pictures/{'0' * 64}", None, ADMINS),
    ("GET", "/api/projects/{p}/members", None, SUPERVISORS),
    ("PUT", "/api/projects/{p}/members", {"login": "admin", "role": "supervisor"}, ADMINS),
    ("POST", "/api/projects/{p}/import", {"folder": "/nowhere"}, ADMINS),
    ("GET", "/api/projects/{p}/comments", None, ALL),
    ("GET", "/api/projects/{p}/history", None, ALL),
    ("GET", "/api/projects/{p}/stats", None, SUPERVISORS),
    ("GET", "/api/projects/{p}/moment?seq=1", None, SUPERVISORS),
    ("GET", "/api/projects/{p}/curve", None, SUPERVISORS),
    ("GET", "/api/projects/{p}/people/nobody/pages", None, SUPERVISORS),
    ("POST", "/api/projects/{p}/people/nobody/take-page", {}, SUPERVISORS),
    ("POST", "/api/projects/{p}/priority", {"bulk_id": "no"}, SUPERVISORS),
    ("GET", "/api/server", None, OF_ANY_PROJECT),
    ("GET", "/api/projects/{p}/items", None, SUPERVISORS),
    ("GET", "/api/projects/{p}/items/1", None, SUPERVISORS),
    ("GET", "/api/projects/{p}/items/1/similar", None, SUPERVISORS),
    ("POST", "/api/projects/{p}/items/1/review", {"action": "remove"}, SUPERVISORS),
    ("POST", "/api/projects/{p}/bulks", {"bulk_id": "no", "undoes": "x"}, SUPERVISORS),
    ("GET", "/api/projects/{p}/bulks/none", None, SUPERVISORS),
    ("DELETE", "/api/projects/{p}/bulks/none", None, SUPERVISORS),
    ("GET", "/api/projects/{p}/quality", None, SUPERVISORS),
    ("GET", "/api/projects/{p}/pace", None, SUPERVISORS),
    ("POST", "/api/projects/{p}/gold", {"item_ids": [1]}, SUPERVISORS),
    ("PUT", "/api/projects/{p}/gold/1/note", {"text": "x"}, SUPERVISORS),
    ("POST", "/api/projects/{p}/people/nobody/practice", {}, SUPERVISORS),
    ("GET", "/api/projects/{p}/notes", None, ALL),
    ("POST", "/api/projects/{p}/notes", {"text": "A note.", "to": "nobody"}, SUPERVISORS),
    ("POST", "/api/projects/{p}/people/nobody/pause", {"paused": True}, SUPERVISORS),
    ("GET", "/api/projects/{p}/takebacks", None, SUPERVISORS),
    ("POST", "/api/projects/{p}/takebacks", {"user_id": "nobody"}, SUPERVISORS),
    ("DELETE", "/api/projects/{p}/takebacks/1", None, SUPERVISORS),
    ("POST", "/api/projects/{p}/train", {}, SUPERVISORS),
    ("GET", "/api/projects/{p}/rounds", None, SUPERVISORS),
    ("POST", "/api/projects/{p}/rounds/cancel", {}, SUPERVISORS),
    ("POST", "/api/projects/{p}/rounds/1/retry", {}, SUPERVISORS),
    ("GET", "/api/projects/{p}/rounds/1/card", None, SUPERVISORS),
    ("GET", "/api/projects/{p}/rounds/1/jobs/train/log", None, SUPERVISORS),
    ("GET", "/api/projects/{p}/rounds/1/model.zip", None, SUPERVISORS),
    ("GET", "/api/projects/{p}/features.zip", None, SUPERVISORS),
    ("GET", "/api/projects/{p}/export.csv", None, SUPERVISORS),
    ("GET", "/api/projects/{p}/votes.csv", None, SUPERVISORS),
    ("GET", "/api/projects/{p}/export.json", None, SUPERVISORS),
    ("GET", "/api/projects/{p}/jobs/none", None, SUPERVISORS),
    ("GET", f"/media/{{p}}/{'0' * 64}/s", None, ALL),
    ("GET", f"/media/{{p}}/{'0' * 64}/t/0/0/0", None, ALL),
    ("GET", "/api/users", None, ADMINS),
    ("PATCH", "/api/users/nobody", {"name": "n"}, ADMINS),
    ("PUT", "/api/me/time-zone", {"time_zone": "Asia/Tokyo"}, EVERYBODY),
    ("GET", "/api/teams", None, ADMINS),
    ("POST", "/api/teams", {"name": ""}, ADMINS),
    ("PATCH", "/api/teams/none", {"name": "x"}, ADMINS),
    ("DELETE", "/api/teams/none", None, ADMINS),
    ("PUT", "/api/teams/none/people/nobody", None, ADMINS),
    ("DELETE", "/api/teams/none/people/nobody", None, ADMINS),
    ("GET", "/api/projects/{p}/teams", None, SUPERVISORS),
    ("GET", "/api/projects/{p}/assignments", None, SUPERVISORS),
    ("POST", "/api/projects/{p}/assignments", {"people": []}, SUPERVISORS),
    ("PATCH", "/api/projects/{p}/assignments/9", {"people": [], "teams": []}, SUPERVISORS),
    ("DELETE", "/api/projects/{p}/assignments/9", None, SUPERVISORS),
    ("PUT", "/api/projects/{p}/teams/none", {"role": "labeler"}, SUPERVISORS),
    ("PUT", "/api/projects/{p}/teams/none", {"role": "supervisor"}, ADMINS),
    ("DELETE", "/api/projects/{p}/teams/none", None, SUPERVISORS),
    ("POST", "/api/users", {"login": "x y", "name": "n", "password": PASSWORD}, ADMINS),
    ("POST", "/api/projects", {"name": "", "classes": []}, ADMINS),
    ("POST", "/api/invites", {"role": "admin"}, ADMINS),
    ("POST", "/api/invites", {"role": "labeler", "project_id": "{p}"}, SUPERVISORS),
    ("POST", "/api/invites", {"role": "supervisor", "project_id": "{p}"}, ADMINS),
    ("GET", "/api/projects/{p}/invites", None, SUPERVISORS),
    ("DELETE", "/api/projects/{p}/invites/none", None, SUPERVISORS),
    ("GET", "/api/server/invites", None, ADMINS),
    ("DELETE", "/api/server/invites/none", None, ADMINS),
    ("POST", "/api/users/nobody/signin-link", {}, ADMINS),
    ("DELETE", "/api/users/nobody/password", None, ADMINS),
    ("PUT", "/api/me/password", {"old": PASSWORD, "new": PASSWORD}, NOBODY),
    ("POST", "/api/invites/list", {"text": "x", "dry_run": True}, OF_ANY_PROJECT),
    ("GET", "/api/tokens", None, EVERYBODY),
    ("POST", "/api/tokens", {"scope": "none"}, EVERYBODY),
    ("POST", "/api/tokens", {"project_id": "{p}"}, ALL),
    ("DELETE", "/api/tokens/none", None, EVERYBODY),
    ("GET", "/api/users/nobody/data", None, ADMINS),
    ("POST", "/api/users/nobody/erase", {"login": "nobody"}, ADMINS),
    ("DELETE", "/api/session", None, EVERYBODY),
    ("DELETE", "/api/sessions", None, EVERYBODY),
    ("GET", "/api/me", None, EVERYBODY),
    ("GET", "/api/me/projects", None, EVERYBODY),
    ("GET", "/api/me/preferences", None, EVERYBODY),
    ("PATCH", "/api/me/preferences", {}, EVERYBODY),
    ("GET", "/api/projects", None, EVERYBODY),
    ("GET", "/api/projects/{p}/items/1/comments", None, ALL),
    ("POST", "/api/projects/{p}/items/1/comments", {"comment_id": "c", "text": ""}, ALL),
    ("PUT", "/api/projects/{p}/items/1/comments/read", {"seq": 1}, ALL),
    ("POST", "/api/drafts/none/files", {}, ADMINS),
    ("POST", "/api/projects/{p}/tuning/start", {}, SUPERVISORS),
    ("POST", "/api/projects/{p}/tuning/cancel", {}, SUPERVISORS),
    ("GET", "/api/projects/{p}/sources", None, SUPERVISORS),
    ("POST", "/api/projects/{p}/sources", {"url": ""}, ADMINS),
    ("POST", "/api/projects/{p}/sources/test", {"url": ""}, ADMINS),
    ("GET", "/api/projects/{p}/sources/none", None, SUPERVISORS),
    ("PATCH", "/api/projects/{p}/sources/none", {"name": "x"}, ADMINS),
    ("DELETE", "/api/projects/{p}/sources/none", None, ADMINS),
    ("POST", "/api/projects/{p}/sources/none/test", {}, ADMINS),
    ("POST", "/api/projects/{p}/sources/none/refresh", {}, SUPERVISORS),
    ("DELETE", "/api/projects/{p}/sources/none/refresh", None, SUPERVISORS),
    ("GET", "/api/projects/{p}/sources/none/objects", None, SUPERVISORS),
    ("POST", "/api/projects/{p}/exports", {"format": "none"}, SUPERVISORS),
    ("GET", "/api/projects/{p}/exports", None, SUPERVISORS),
    ("GET", "/api/projects/{p}/exports/none", None, SUPERVISORS),
    ("DELETE", "/api/projects/{p}/exports/none", None, SUPERVISORS),
    ("GET", "/api/projects/{p}/exports/none/file", None, SUPERVISORS),
    ("POST", "/api/projects/{p}/label-imports", {}, SUPERVISORS),
    ("GET", "/api/projects/{p}/label-imports", None, SUPERVISORS),
    ("GET", "/api/projects/{p}/label-imports/none", None, SUPERVISORS),
    ("DELETE", "/api/projects/{p}/label-imports/none", None, SUPERVISORS),
    ("POST", "/api/projects/{p}/label-imports/none/apply", {}, SUPERVISORS),
    ("GET", "/api/projects/{p}/events", None, SUPERVISORS),
    ("GET", "/api/projects/{p}/webhooks", None, SUPERVISORS),
    ("POST", "/api/projects/{p}/webhooks", {"url": "x"}, SUPERVISORS),
    ("PATCH", "/api/projects/{p}/webhooks/none", {}, SUPERVISORS),
    ("DELETE", "/api/projects/{p}/webhooks/none", None, SUPERVISORS),
    ("GET", "/api/projects/{p}/webhooks/none/deliveries", None, SUPERVISORS),
    ("POST", "/api/projects/{p}/webhooks/none/test", {}, SUPERVISORS),
    ("DELETE", "/api/projects/{p}/members/nobody", None, SUPERVISORS),
    ("POST", "/api/projects/{p}/upload", {}, SUPERVISORS),
]
OPEN = {
    "POST /api/session": "signing in",
    "POST /api/setup": "by the link that the server prints",
    "GET /signin-link": "by a link of one use",
    "GET /api/invites/{token}": "by a link",
    "POST /api/invites/{token}": "by a link",
    "GET /healthz": "says nothing but that it runs",
    "GET /api/openapi.json": "says nothing of what is in the server",
}
"""What needs nobody signed in, and why it may."""
PAGES: dict[str, set[str]] = {
    "/": EVERYBODY,
    "/me": EVERYBODY,
    "/me/tokens": EVERYBODY,
    "/projects/new": ADMINS,
    "/people": ADMINS,
    "/overview": OF_ANY_PROJECT,
    "/wall": OF_ANY_PROJECT,
    "/p/{project_id}": ALL,
    "/p/{project_id}/label": ALL,
    "/p/{project_id}/history": ALL,
    "/p/{project_id}/wall": SUPERVISORS,
    "/p/{project_id}/review": SUPERVISORS,
    "/p/{project_id}/quality": SUPERVISORS,
    "/p/{project_id}/model": SUPERVISORS,
    "/p/{project_id}/data": SUPERVISORS,
    "/p/{project_id}/settings": SUPERVISORS,
    "/p/{project_id}/webhooks": SUPERVISORS,
}
OPEN_PAGES = {
    "/signin", "/setup", "/invite/{token}", "/api/docs", "/oidc/start", "/oidc/callback",
    "/oidc/signed-out", "/{path:path}",
}  # fmt: skip
"""Pages for whoever is not signed in yet, and the one that says there is none."""
ROLES = (None, "stranger", *ELSEWHERE, "labeler", "supervisor", "admin")


def _fits(template: str, path: str) -> bool:
    pattern = re.sub(r"{[\w:]+}", "[^/?]+", template)
    return re.fullmatch(pattern, path.partition("?")[0].replace("{p}", "p")) is not None


def test_every_route_and_command_has_a_rule() -> None:
    """Whoever adds one says here who may use it."""
    for route, method, entry in operations(rest_routes()):
        assert entry is not None
        name = f"{method} {route.path}"
        if entry.role == "anyone":
            assert name in OPEN, name
            continue
        ruled = [
            allowed for m, path, _, allowed in ROUTES if m == method and _fits(route.path, path)
        ]
        assert ruled, f"no rule for {name}"
        # What is said of it elsewhere is so.
        least = {"labeler": ALL, "supervisor": SUPERVISORS, "admin": ADMINS}.get(entry.role)
        assert least is None or least in ruled or OF_ANY_PROJECT in ruled or ADMINS in ruled, name
    assert {c for c, _, _ in COMMANDS} | OF_ANYBODY == set(commands.COMMANDS)
    others = [*rest_openapi.routes(rest_routes()), *oidc.routes(), *pages.routes()]
    paths = {route.path for route in others if isinstance(route, Route)}
    assert paths - OPEN_PAGES - {"/api/openapi.json"} == set(PAGES)
    watched = {r.path for r in operating.routes() if isinstance(r, Route)}
    assert watched == {"/readyz", "/metrics"}, "see tests/server/test_operations.py"
    (files,) = [r for r in others if not isinstance(r, Route)]
    assert isinstance(files, Mount)
    assert files.path == "/static"


@pytest.mark.parametrize(("path", "allowed"), PAGES.items())
async def test_every_page_asks_for_its_role(town: Town, path: str, allowed: set[str]) -> None:
    path = path.replace("{project_id}", town.project_id)
    for role in ROLES:
        async with town.client(role) as client:
            answer = await client.get(path)
        if role is None:
            assert answer.status_code == 303
            assert answer.headers["location"].startswith("/signin"), role
        elif role not in allowed:
            assert answer.status_code == 403, role
        else:
            assert answer.status_code in (200, 303), role


@pytest.mark.parametrize(("method", "path", "body", "allowed"), ROUTES)
async def test_every_route_asks_for_its_role(
    town: Town, method: str, path: str, body: Any, allowed: set[str]
) -> None:
    path = path.replace("{p}", town.project_id)
    if isinstance(body, dict):
        body = {k: v.replace("{p}", town.project_id) if v == "{p}" else v for k, v in body.items()}
    for role in ROLES:
        if isinstance(body, dict) and body.get("name") == "NEW":
            body = {"name": f"class of {role}"}
        async with town.client(role) as client:
            answer = await client.request(method, path, json=body)
        if role is None:
            assert answer.status_code == 401, role
            assert answer.json()["error"]["code"] == "not_signed_in"
        elif role not in allowed:
            assert answer.status_code == 403, role
            assert answer.json()["error"]["code"] == "forbidden"
        else:
            # Allowed; what it then says about its arguments is another matter.
            assert answer.status_code not in (401, 403, 500), (role, answer.text)


COMMANDS: list[tuple[str, dict[str, Any], set[str]]] = [
    ("labeling.open", {"tab": "t"}, ALL),
    ("labeling.history", {}, ALL),
    ("vote.cast", {"vote_id": "12345678", "item_id": 1, "kind": "skip"}, ALL),
    ("votes.cast", {"votes": [{"vote_id": "12345678", "item_id": 1, "kind": "skip"}]}, ALL),
    ("subscribe", {"topic": "project/{p}/stats"}, SUPERVISORS),
    ("subscribe", {"topic": "project/{p}/events"}, SUPERVISORS),
    ("subscribe", {"topic": "project/{p}/feed"}, SUPERVISORS),
    ("subscribe", {"topic": "server"}, OF_ANY_PROJECT),
    ("subscribe", {"topic": "project/{p}/card"}, SUPERVISORS),
    ("dashboard.moment", {"seq": 1}, SUPERVISORS),
    ("dashboard.curve", {}, SUPERVISORS),
    ("person.pages", {"user_id": "nobody"}, SUPERVISORS),
    ("person.take_page", {"user_id": "nobody"}, SUPERVISORS),
    ("priority.set", {"bulk_id": "no"}, SUPERVISORS),
    ("project.pause", {}, SUPERVISORS),
    ("project.resume", {}, SUPERVISORS),
    ("project.train", {}, SUPERVISORS),
    ("round.cancel", {}, SUPERVISORS),
    ("round.retry", {"number": 1}, SUPERVISORS),
    ("person.pause", {"user_id": "nobody", "paused": True}, SUPERVISORS),
    ("votes.take_back", {"user_id": "nobody"}, SUPERVISORS),
    ("votes.restore", {"takeback_id": 1}, SUPERVISORS),
    ("votes.takebacks", {}, SUPERVISORS),
    ("quality.get", {}, SUPERVISORS),
    ("quality.get", {"user_id": "nobody"}, SUPERVISORS),
    ("gold.mark", {"item_ids": [1]}, SUPERVISORS),
    ("review.list", {}, SUPERVISORS),
    ("review.open", {}, SUPERVISORS),
    ("review.claim", {"item_ids": [1]}, SUPERVISORS),
    ("review.decide_many", {"items": [], "action": "approve"}, SUPERVISORS),
    ("review.decide_all", {"bulk_id": "no", "undoes": "x"}, SUPERVISORS),
    ("review.cancel_all", {"bulk_id": "none"}, SUPERVISORS),
    ("note.add", {"text": "A note."}, SUPERVISORS),
    ("note.add", {"text": "A message.", "to": "nobody"}, SUPERVISORS),
    ("note.list", {}, ALL),
    ("review.decide", {"item_id": 1, "action": "remove"}, SUPERVISORS),
    ("labeling.credit", {"n": 0}, ALL),
    ("labeling.size", {"page_size": 4}, ALL),
    ("labeling.close", {}, ALL),
    ("comment.add", {"comment_id": "12345678", "item_id": 1, "text": ""}, ALL),
    ("comment.list", {"item_id": 1}, ALL),
    ("comment.threads", {}, ALL),
    ("comment.read", {"item_id": 1, "seq": 1}, ALL),
    ("subscribe", {"topic": "project/{p}/comments"}, ALL),
    ("tuning.start", {}, SUPERVISORS),
    ("tuning.cancel", {}, SUPERVISORS),
]
OF_ANYBODY = {"ping", "unsubscribe"}
"""Commands that tell and change nothing but one's own socket."""


@pytest.mark.parametrize("role", ROLES[1:])
async def test_every_command_asks_for_its_role(town: Town, role: str) -> None:
    url = town.server.url.replace("http", "ws") + "/ws"
    headers = {"Authorization": f"Bearer {town.tokens[role]}"}
    async with websockets.connect(url, additional_headers=headers) as ws:
        assert json.loads(await ws.recv())["type"] == "welcome"
        for number, (name, body, allowed) in enumerate(COMMANDS, start=1):
            body = {"project_id": town.project_id, **body}
            if "topic" in body:
                body["topic"] = body["topic"].replace("{p}", town.project_id)
            await ws.send(json.dumps({"id": number, "type": name, "body": body}))
            while (answer := json.loads(await ws.recv())).get("re") != number:
                pass
            refused = not answer["ok"] and answer["error"]["code"] == "forbidden"
            assert refused == (role not in allowed), (name, answer)


async def test_a_websocket_needs_a_person(town: Town) -> None:
    with pytest.raises(websockets.InvalidStatus):
        await websockets.connect(town.server.url.replace("http", "ws") + "/ws")


async def test_another_site_can_do_nothing_with_the_persons_cookie(town: Town) -> None:
    async with town.client(None) as browser:
        login = "supervisor"
        await browser.post("/api/session", json={"login": login, "password": PASSWORD})
        cookie = f"chorus_session={browser.cookies['chorus_session']}"
        path = f"/api/projects/{town.project_id}"
        change = {"description": "changed"}
        evil = {"Origin": "https://evil.example"}
        for headers in ({}, evil):
            answer = await browser.patch(path, json=change, headers=headers)
            assert answer.json()["error"]["code"] == "bad_origin"
        own = await browser.patch(path, json=change, headers={"Origin": town.server.url})
        assert own.json()["description"] == "changed"
    ws = town.server.url.replace("http", "ws") + "/ws"
    for origin in ({}, evil):
        with pytest.raises(websockets.InvalidStatus):
            await websockets.connect(ws, additional_headers={"Cookie": cookie, **origin})
    headers = {"Cookie": cookie, "Origin": town.server.url}
    async with websockets.connect(ws, additional_headers=headers) as socket:
        assert json.loads(await socket.recv())["body"]["user"]["login"] == login


async def test_wrong_passwords_are_refused_alike_and_then_slowed(town: Town) -> None:
    login = "labeler"
    async with town.client(None) as browser:
        codes = []
        for _ in range(10):
            answer = await browser.post("/api/session", json={"login": login, "password": "no"})
            codes.append(answer.json()["error"]["code"])
        assert codes[0] == "wrong_password"
        assert codes[-1] == "rate_limited"
        unknown = await browser.post("/api/session", json={"login": "nobody", "password": "no"})
        assert unknown.json()["error"]["code"] == "wrong_password"


async def test_an_invitation_makes_a_member_once(town: Town) -> None:
    async with town.client("supervisor") as supervisor:
        invite = {"role": "labeler", "project_id": town.project_id}
        token = (await supervisor.post("/api/invites", json=invite)).json()["token"]
    new = {"login": "new", "name": "New", "password": PASSWORD}
    async with town.client(None) as browser:
        assert (await browser.get(f"/api/invites/{token}")).json()["project"] == "P"
        short = await browser.post(f"/api/invites/{token}", json={**new, "password": "short"})
        assert short.json()["error"]["code"] == "bad_value"
        joined = await browser.post(f"/api/invites/{token}", json=new)
        assert joined.json()["project_id"] == town.project_id
        assert (await browser.get(f"/api/projects/{town.project_id}")).json()["role"] == "labeler"
    async with town.client(None) as other:
        again = await other.post(f"/api/invites/{token}", json={**new, "login": "other"})
        assert again.json()["error"]["code"] == "not_found"


async def test_bad_input_gets_a_clear_error_and_changes_nothing(town: Town, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("colour,size\nred,1\n")
    one = f"/api/projects/{town.project_id}"
    wrong: list[tuple[str, str, Any, str]] = [
        ("PATCH", one, {"page_size": 5}, "bad_value"),
        ("PATCH", one, {"votes_min": 3}, "bad_value"),
        ("PATCH", one, {"nonsense": 3}, "bad_message"),
        ("PATCH", one, {"target": 2}, "bad_value"),
        ("PATCH", one, {"gold_rate": -0.1}, "bad_value"),
        ("PATCH", one, {"gold_rate": 0.51}, "bad_value"),
        ("PATCH", one, {"gold_rate": "much"}, "bad_message"),
        ("PATCH", one, {"practice": 201}, "bad_value"),
        ("POST", f"{one}/import", {"folder": str(tmp_path), "gold": True}, "bad_value"),
        ("POST", f"{one}/gold", {"item_ids": list(range(5001))}, "bad_value"),
        ("POST", f"{one}/notes", {"text": ""}, "bad_value"),
        ("POST", f"{one}/notes", {"text": "Hello", "to": "nobody"}, "not_found"),
        ("POST", f"{one}/classes", {"name": "a"}, "conflict"),
        ("POST", f"{one}/import", {"folder": str(tmp_path / "none")}, "bad_value"),
        ("POST", f"{one}/import", {"csv": str(tmp_path / "list.csv")}, "bad_value"),
        ("POST", "/api/projects", {"name": "x", "classes": ["a"]}, "bad_value"),
        ("POST", "/api/projects", {"name": "x", "classes": ["a", "a"]}, "conflict"),
        ("GET", "/api/projects/unknown", None, "not_found"),
        ("GET", f"{one}/items/999", None, "not_found"),
    ]
    async with town.client("admin") as admin:
        before = (await admin.get(one)).json()
        for method, path, body, code in wrong:
            answer = await admin.request(method, path, json=body)
            assert answer.json()["error"]["code"] == code, (path, body, answer.text)
            assert answer.json()["error"]["message"]
        assert (await admin.get(one)).json() == before
