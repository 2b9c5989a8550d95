"""API tokens: each goes as far as it says, ends when it should, and its sockets with it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from chorus.client import ApiError, Closed, Rest, Socket
from chorus.server.domain.grants import SCOPES, Grant, admin_by, role_by
from chorus.server.transport.commands import COMMANDS, READING
from tests.servers import PATIENCE, Bench, page_of, pictures, vote_page

RANK = {None: 0, "labeler": 1, "supervisor": 2, "admin": 3}


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("project_id", [None, "here", "there"])
@pytest.mark.parametrize("role", ["labeler", "supervisor", "admin"])
def test_no_token_goes_further_than_its_person(
    scope: str, project_id: str | None, role: str
) -> None:
    grant = Grant("t", scope, project_id, None, role == "admin")
    left = role_by(grant, "here", role)
    assert RANK[left] <= RANK[role]
    assert (left is None) == (project_id == "there")
    assert scope != "label" or left in (None, "labeler")
    if admin_by(grant):
        assert role == "admin"
        assert project_id is None


def test_every_command_that_only_reads_is_known() -> None:
    assert set(COMMANDS) > READING
    changing = {"cast", "decide", "add", "pause", "open", "claim", "mark", "restore", "set"}
    assert not {name for name in READING if name.partition(".")[2] in changing}


async def token(who: Rest, **limits: Any) -> str:
    answer = await who.request("POST", "/api/tokens", json={"name": "t", **limits})
    return str(answer.json()["token"])


async def code(who: Rest, method: str, path: str, body: Any = None) -> str:
    try:
        await who.request(method, path, json=body)
    except ApiError as error:
        return error.code
    return "ok"


async def said(socket: Socket, type: str, **body: Any) -> str:
    try:
        await socket.request(type, body)
    except ApiError as error:
        return error.code
    return "ok"


async def test_a_token_that_reads_changes_nothing(bench: Bench) -> None:
    project = await bench.make()
    one = f"/api/projects/{project.project_id}"
    secret = await token(bench.admin, scope="read")
    async with Rest(bench.server.url, secret) as reader:
        assert await code(reader, "GET", one) == "ok"
        assert await code(reader, "GET", "/api/users") == "ok", (
            "an admin's looks where an admin may"
        )
        assert await code(reader, "PATCH", one, {"description": "x"}) == "forbidden"
        assert await code(reader, "POST", "/api/projects", {"name": "x"}) == "forbidden"
        assert await code(reader, "POST", "/api/tokens", {}) == "forbidden"
    socket = await bench.socket(secret)
    here = {"project_id": project.project_id}
    assert await said(socket, "subscribe", topic=f"project/{project.project_id}/stats") == "ok"
    assert await said(socket, "review.list", **here) == "ok"
    assert await said(socket, "labeling.open", **here, tab="t") == "forbidden"
    assert await said(socket, "project.pause", **here) == "forbidden"


async def test_a_token_that_labels_is_a_labelers_even_an_admins(
    bench: Bench, tmp_path: Path
) -> None:
    project = await bench.make(pictures(tmp_path, 4), page_size=4)
    one = f"/api/projects/{project.project_id}"
    secret = await token(bench.admin, scope="label", project_id=project.project_id)
    stream = await bench.labeler(secret, credit=1)
    await vote_page(stream, await page_of(stream))
    assert (await bench.stats()).votes == 4
    here = {"project_id": project.project_id}
    assert await said(stream.socket, "project.pause", **here) == "forbidden"
    assert await said(stream.socket, "subscribe", topic="server") == "forbidden"
    async with Rest(bench.server.url, secret) as labeler:
        assert (await labeler.request("GET", one)).json()["role"] == "labeler"
        for method, path, body in [
            ("PATCH", one, {"description": "x"}),
            ("GET", f"{one}/stats", None),
            ("GET", "/api/users", None),
            ("GET", "/api/drafts", None),
            ("GET", "/api/tokens", None),
            ("POST", "/api/projects", {"name": "x", "classes": []}),
            ("POST", "/api/invites", {"role": "admin"}),
        ]:
            assert await code(labeler, method, path, body) == "forbidden", path


async def test_a_token_for_one_project_sees_no_other(bench: Bench) -> None:
    other = await bench.make()
    project = await bench.make()
    supervisor = await bench.person("supervisor")
    async with Rest(bench.server.url, supervisor) as own:
        assert (
            await code(own, "POST", "/api/tokens", {"project_id": other.project_id}) == "forbidden"
        ), "not one of theirs"
        for who in (own, bench.admin):
            secret = await token(who, project_id=project.project_id)
            async with Rest(bench.server.url, secret) as limited:
                mine = (await limited.request("GET", "/api/me")).json()
                assert [p["project_id"] for p in mine["projects"]] == [project.project_id]
                assert mine["projects"][0]["role"] == "supervisor"
                here, there = (f"/api/projects/{p.project_id}" for p in (project, other))
                assert await code(limited, "PATCH", here, {"description": "x"}) == "ok"
                assert await code(limited, "GET", there) == "forbidden"
                assert await code(limited, "DELETE", here, {"name": project.name}) == "forbidden"
                assert await code(limited, "POST", "/api/projects", {"name": "x"}) == "forbidden"
                assert await code(limited, "GET", "/api/server") == "ok"
            socket = await bench.socket(secret)
            topic = f"project/{other.project_id}/events"
            assert await said(socket, "subscribe", topic=topic) == "forbidden"


async def ended(socket: Socket) -> str:
    """Why the server closed it for good; nothing is asked of it meanwhile."""
    over = asyncio.Event()
    socket.on_closed.append(over.set)
    if socket.closed is None:
        await asyncio.wait_for(over.wait(), PATIENCE)
    return str(socket.closed)


async def test_a_revoked_token_is_felt_at_once_by_open_sockets(bench: Bench) -> None:
    await bench.make()
    person, kept = await bench.person(), await bench.person()
    async with Rest(bench.server.url, person) as own, Rest(bench.server.url, kept) as other:
        secret = await token(own, scope="read")
        socket = await bench.socket(secret)
        assert await said(socket, "ping") == "ok"
        (found,) = [
            t
            for t in (await own.request("GET", "/api/tokens")).json()["tokens"]
            if t["scope"] == "read"
        ]
        assert found["last_used_at"] is not None
        assert secret not in str(found)
        path = f"/api/tokens/{found['token_id']}"
        assert await code(other, "DELETE", path) == "not_found", "another person's"
        assert await said(socket, "ping") == "ok"
        await own.request("DELETE", path)
        assert "token_ended" in await ended(socket)
        async with Rest(bench.server.url, secret) as gone:
            assert await code(gone, "GET", "/api/me") == "not_signed_in"
        assert await code(own, "GET", "/api/me") == "ok", "their other tokens live"
        assert await code(own, "DELETE", path) == "not_found"


async def test_a_token_ends_on_time_and_makes_nothing_that_outlives_it(bench: Bench) -> None:
    project = await bench.make()
    past = int(time.time() * 1000) - 1
    assert await code(bench.admin, "POST", "/api/tokens", {"expires_at": past}) == "bad_value"
    assert await code(bench.admin, "POST", "/api/tokens", {"scope": "some"}) == "bad_value"
    assert await code(bench.admin, "POST", "/api/tokens", {"name": " "}) == "bad_value"
    invite = {"role": "labeler", "project_id": project.project_id}
    invitation = (await bench.admin.request("POST", "/api/invites", json=invite)).json()["token"]
    secret = await token(bench.admin, expires_at=past + 3_600_000)
    async with Rest(bench.server.url, secret) as ending:
        me = (await ending.me()).user_id
        assert await code(ending, "PATCH", f"/api/projects/{project.project_id}", {}) == "ok"
        for path, body in [
            ("/api/tokens", {}),
            (f"/api/users/{me}/signin-link", {}),
            ("/api/invites", {"role": "admin"}),
            ("/api/users", {"login": "x", "name": "x", "admin": True}),
            (f"/api/invites/{invitation}", {}),
        ]:
            assert await code(ending, "POST", path, body) == "forbidden", path
    for left_ms in (1500, 6000, 24_000):
        soon = await token(bench.admin, expires_at=int(time.time() * 1000) + left_ms)
        try:
            socket = await bench.socket(soon)
            break
        except (ApiError, Closed):  # over before a busy machine came to it
            continue
    assert "token_ended" in await ended(socket)
    async with httpx.AsyncClient(base_url=bench.server.url) as http:
        answer = await http.get("/api/me", headers={"Authorization": f"Bearer {soon}"})
        assert answer.status_code == 401
