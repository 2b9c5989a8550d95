"""What lets somebody in, and that it ends: sessions, links, roles, felt by open sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets

from chorus.client import Rest
from chorus.client.errors import ApiError
from chorus.server.app import build
from chorus.server.app import running as composed
from chorus.server.services.limits import LINKS_BY_ADDRESS
from chorus.server.services.tokens import NewToken
from chorus.server.settings import Settings
from tests.servers import PATIENCE, Bench, TestServer, running


class Browser:
    """A browser without pages: a cookie, and sockets that have it."""

    def __init__(self, server: TestServer) -> None:
        self.server = server
        self.http = httpx.AsyncClient(
            base_url=server.url, timeout=PATIENCE, headers={"Origin": server.url}
        )

    async def open(self, url: str) -> httpx.Response:
        return await self.http.get(url)

    @asynccontextmanager
    async def socket(self) -> AsyncIterator[websockets.ClientConnection]:
        headers = {
            "Cookie": f"chorus_session={self.http.cookies['chorus_session']}",
            "Origin": self.server.url,
        }
        url = self.server.url.replace("http", "ws") + "/ws"
        async with websockets.connect(url, additional_headers=headers) as ws:
            assert json.loads(await ws.recv())["type"] == "welcome"
            yield ws


@pytest.fixture
async def browser(bench: Bench) -> AsyncIterator[Browser]:
    """Of a new supervisor of a new project, signed in."""
    project = await bench.make()
    user = await bench.admin.create_user(f"boss-{project.project_id}", "Boss")
    await bench.admin.set_member(project.project_id, user.user_id, "supervisor")
    browser = Browser(bench.server)
    async with browser.http:
        await browser.open(await bench.admin.signin_link(user.user_id))
        yield browser


async def asked(ws: websockets.ClientConnection, number: int, name: str, **body: Any) -> Any:
    await ws.send(json.dumps({"id": number, "type": name, "body": body}))
    while (answer := json.loads(await ws.recv())).get("re") != number:
        pass
    return answer


async def goodbye(ws: websockets.ClientConnection) -> str:
    """Why the server closes it; nothing is sent meanwhile."""
    reason = ""
    try:
        while True:
            frame = json.loads(await ws.recv())
            if frame.get("type") == "bye":
                reason = frame["body"]["reason"]
    except websockets.ConnectionClosed:
        return str(reason)


async def me(browser: Browser) -> int:
    return (await browser.http.get("/api/me")).status_code


async def test_signing_out_ends_the_session_wherever_its_cookie_has_got_to(
    browser: Browser,
) -> None:
    stolen = Browser(browser.server)
    stolen.http.cookies.set("chorus_session", browser.http.cookies["chorus_session"])
    assert await me(stolen) == 200
    async with browser.socket() as own, stolen.socket() as thief:
        assert (await browser.http.delete("/api/session")).status_code == 204
        assert await goodbye(own) == await goodbye(thief) == "session_ended"
    assert await me(stolen) == 401
    await stolen.http.aclose()


async def test_signing_out_leaves_other_sessions_alone_and_everywhere_does_not(
    bench: Bench, browser: Browser
) -> None:
    user_id = (await browser.http.get("/api/me")).json()["user"]["user_id"]
    other = Browser(bench.server)
    async with other.http:
        await other.open(await bench.admin.signin_link(user_id))
        left = await bench.admin.signin_link(user_id)
        assert (await browser.http.delete("/api/session")).status_code == 204
        async with other.socket() as ws:
            assert (await asked(ws, 1, "ping"))["ok"]
            assert (await other.http.delete("/api/sessions")).status_code == 204
            assert await goodbye(ws) == "session_ended"
        assert await me(other) == 401
        assert (await other.open(left)).status_code == 403, "links made before are over too"


async def test_a_sign_in_link_works_once_and_replaces_nobody(
    bench: Bench, browser: Browser
) -> None:
    project = bench.project.project_id
    user = await bench.admin.create_user(f"new-{project}", "New")
    link = await bench.admin.signin_link(user.user_id)
    # Whoever is signed in stays who they are: nobody works on another's account by a link.
    refused = await browser.open(link)
    assert refused.status_code == 403
    assert "signed in as Boss" in refused.json()["error"]["message"]
    fresh, late = Browser(bench.server), Browser(bench.server)
    async with fresh.http, late.http:
        await fresh.http.head(link)
        assert (await fresh.open(link)).status_code == 303
        assert await me(fresh) == 200
        assert (await fresh.open(link)).status_code == 303, "once more in the same browser"
        found = await late.open(link)
        assert found.status_code == 403
        assert "used already" in found.json()["error"]["message"]


@pytest.mark.parametrize("topic", ["stats", "events", "card", "comments"])
async def test_a_removed_member_sees_nothing_more(
    bench: Bench, browser: Browser, topic: str
) -> None:
    one = f"/api/projects/{bench.project.project_id}"
    user_id = (await browser.http.get("/api/me")).json()["user"]["user_id"]
    async with browser.socket() as ws:
        topic = f"project/{bench.project.project_id}/{topic}"
        assert (await asked(ws, 1, "subscribe", topic=topic))["ok"]
        await bench.admin.request("DELETE", f"{one}/members/{user_id}")
        assert await goodbye(ws) == "session_ended"


async def test_a_lost_role_is_felt_and_the_rest_of_the_work_goes_on(
    bench: Bench, browser: Browser
) -> None:
    project = bench.project.project_id
    user_id = (await browser.http.get("/api/me")).json()["user"]["user_id"]
    async with browser.socket() as review, browser.socket() as elsewhere:
        assert (await asked(review, 1, "review.open", project_id=project))["ok"]
        await bench.admin.set_member(project, user_id, "labeler")
        # Its page connects anew, and asks with the role it has now.
        assert await goodbye(review) == "role_changed"
        assert (await asked(elsewhere, 1, "ping"))["ok"]
    async with browser.socket() as ws:
        refused = await asked(ws, 1, "subscribe", topic=f"project/{project}/stats")
        assert refused["error"]["code"] == "forbidden"
        # The same role once more is no change.
        await bench.admin.set_member(project, user_id, "labeler")
        assert (await asked(ws, 2, "note.list", project_id=project))["ok"]


async def test_nobody_is_signed_in_by_a_page_of_another_site(bench: Bench) -> None:
    async with httpx.AsyncClient(base_url=bench.server.url) as http:
        for origin in ("https://evil.example", "null", "http://[bad"):
            answer = await http.post(
                "/api/session", content=b'{"login":"a","password":"b"}',
                headers={"Origin": origin, "Content-Type": "text/plain"},
            )  # fmt: skip
            assert answer.json()["error"]["code"] == "bad_origin", origin
            assert "set-cookie" not in answer.headers


async def test_an_invitation_is_used_up_by_one_however_many_try_at_once(bench: Bench) -> None:
    await bench.make()
    body = {"role": "labeler", "project_id": bench.project.project_id}
    token = (await bench.admin.request("POST", "/api/invites", json=body)).json()["token"]
    people = [await bench.person() for _ in range(6)]

    async def join(secret: str) -> str:
        async with Rest(bench.server.url, secret) as own:
            try:
                await own.request("POST", f"/api/invites/{token}", json={})
            except ApiError as error:
                return error.code
        return "ok"

    outcomes = await asyncio.gather(*(join(person) for person in people))
    assert sorted(outcomes) == ["not_found"] * 5 + ["ok"]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestServer]:
    """A server of its own: all tests come from one address, which is shut out here."""
    with running(tmp_path_factory.mktemp("alone")) as found:
        yield found


async def test_guessing_links_ends_soon(alone: TestServer) -> None:
    async with httpx.AsyncClient(base_url=alone.url) as http:
        codes = []
        for n in range(LINKS_BY_ADDRESS.most + 3):
            path = (f"/api/invites/guess{n}", f"/signin-link?token=guess{n}")[n % 2]
            codes.append((await http.get(path)).json()["error"]["code"])
        assert set(codes[: LINKS_BY_ADDRESS.most]) == {"not_found", "forbidden"}
        assert set(codes[LINKS_BY_ADDRESS.most :]) == {"rate_limited"}
        assert (await http.get("/invite/guess")).status_code == 429
        # Whoever is in already is not in anybody's way.
        headers = {"Authorization": f"Bearer {alone.token}"}
        assert (await http.get("/api/me", headers=headers)).status_code == 200


async def test_no_upload_is_larger_than_it_may_be_whatever_it_says(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, upload_max_bytes=10_000)
    app = build(settings)

    async def parts() -> AsyncIterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
        for _ in range(1000):
            yield b"x" * 1000

    async with composed(app, settings):
        kept = app.state.services
        admin = await kept.accounts.add_user("admin", "Admin", None, admin=True)
        secret, _ = await kept.tokens.add(admin.user_id, NewToken())
        headers = {
            "Authorization": f"Bearer {secret}",
            "Content-Type": "multipart/form-data; boundary=b",
        }
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://here", headers=headers
        ) as http:
            new = {"name": "P", "classes": ["a", "b"]}
            made = await http.post("/api/projects", json=new)
            path = f"/api/projects/{made.json()['project_id']}/upload"
            # It says nothing of its length.
            answer = await http.post(path, content=parts())
            assert answer.status_code == 413
            answer = await http.post(path, content=b"", headers={"Content-Length": "10001"})
            assert answer.status_code == 413
            answer = await http.post(path, content=b"", headers={"Content-Length": "none"})
            assert answer.status_code in (400, 422)
