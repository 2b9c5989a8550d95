"""Invitations by list: a dry run, all or nothing, links for one person each."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from chorus.client import ApiError, Rest
from chorus.server.services.accounts import digest, invite_id
from tests.servers import Bench

PASSWORD = "correct horse"


async def send(who: Rest, text: str, **more: Any) -> dict[str, Any]:
    answer = await who.request("POST", "/api/invites/list", json={"text": text, **more})
    found: dict[str, Any] = answer.json()
    return found


async def members(bench: Bench) -> dict[str, str]:
    path = f"/api/projects/{bench.project.project_id}/members"
    found = (await bench.admin.request("GET", path)).json()["members"]
    return {m["login"]: m["role"] for m in found}


async def test_a_list_is_checked_then_done_whole_and_each_link_is_for_one(bench: Bench) -> None:
    project = (await bench.make()).project_id
    ending = secrets.token_hex(3)
    new, other, known = f"new-{ending}", f"other-{ending}", f"known-{ending}"
    await bench.admin.create_user(known, "Known")
    text = f"login,email,name,role\n{new},{new}@x.org,New,supervisor\n{known},,,\n{other},,,"
    dry = await send(bench.admin, text, project_id=project, dry_run=True)
    assert [p["does"] for p in dry["people"]] == ["invite", "join", "invite"]
    assert "url" not in dry["people"][0]
    assert await members(bench) == {}
    broken = await send(bench.admin, f"{text}\n!?,,,", project_id=project)
    assert broken["faults"][0]["line"] == 5
    assert await members(bench) == {}, "nothing is done by half"
    done = await send(bench.admin, text, project_id=project)
    assert await members(bench) == {known: "labeler"}
    tokens = {p["login"]: p["url"].rpartition("/")[2] for p in done["people"] if "url" in p}
    assert set(tokens) == {new, other}
    async with Rest(bench.server.url) as anyone:
        path = f"/api/invites/{tokens[new]}"
        assert (await anyone.request("GET", path)).json()["login"] == new
        body = {"login": "somebody", "name": "S", "password": PASSWORD}
        with pytest.raises(ApiError) as caught:
            await anyone.request("POST", path, json=body)
        assert caught.value.code == "forbidden", "it is for another"
        await anyone.request("POST", path, json={**body, "login": new})
        assert (await members(bench))[new] == "supervisor"
        with pytest.raises(ApiError) as caught:
            await anyone.request("POST", f"/api/invites/{tokens[other]}", json={})
        assert caught.value.code == "forbidden", "who is signed in is somebody else"
    users = {
        u["login"]: u for u in (await bench.admin.request("GET", "/api/users")).json()["users"]
    }
    assert users[new]["email"] == f"{new}@x.org"
    assert users[new]["roles"] == [{"project_id": project, "role": "supervisor", "by_team": False}]
    assert users[new]["last_seen_at"] is not None
    assert users[known]["last_seen_at"] is None
    again = await send(bench.admin, f"{new}\n{known}", project_id=project)
    assert [p["does"] for p in again["people"]] == ["nothing", "nothing"]
    assert (await members(bench))[new] == "supervisor", "a list takes no role away"


async def test_a_supervisor_invites_labelers_to_their_projects_only(bench: Bench) -> None:
    other = (await bench.make()).project_id
    mine = (await bench.make()).project_id
    async with Rest(bench.server.url, await bench.person("supervisor")) as supervisor:
        for text in (f"ada,Ada,labeler,{other}", f"ada,Ada,supervisor,{mine}"):
            assert len((await send(supervisor, text))["faults"]) == 1
        found = await send(supervisor, f"ada-{secrets.token_hex(3)},Ada", project_id=mine)
        assert "url" in found["people"][0]
    async with Rest(bench.server.url, await bench.person("labeler")) as labeler:
        with pytest.raises(ApiError) as caught:
            await send(labeler, "ada", project_id=mine)
        assert caught.value.code == "forbidden"


async def refused(who: Rest, method: str, path: str, **options: Any) -> str | None:
    """The error's code; None: it is done."""
    try:
        await who.request(method, path, **options)
    except ApiError as error:
        return error.code
    return None


async def test_open_invitations_are_listed_without_their_tokens_and_ended(bench: Bench) -> None:
    project = (await bench.make()).project_id
    one, everywhere = f"/api/projects/{project}/invites", "/api/server/invites"
    login = f"cleo-{secrets.token_hex(3)}"
    body = {"role": "labeler", "project_id": project, "uses": 3}
    async with Rest(bench.server.url, await bench.person("supervisor")) as boss:
        token = (await boss.request("POST", "/api/invites", json=body)).json()["token"]
        made = await bench.admin.request("POST", "/api/invites", json={"role": "admin"})
        top = made.json()["token"]
        await send(bench.admin, f"{login},Cleo", project_id=project)
        answer = await boss.request("GET", one)
        for secret in (token, digest(token)):
            assert secret not in answer.text
        cleos, mine = answer.json()["invites"]
        assert (cleos["login"], cleos["uses_left"], cleos["by"]) == (login, 1, "Admin")
        assert (mine["login"], mine["uses_left"], mine["role"]) == (None, 3, "labeler")
        assert mine["by"].startswith("supervisor-")
        assert mine["project"] == bench.project.name
        async with Rest(bench.server.url, await bench.person()) as labeler:
            await labeler.request("POST", f"/api/invites/{token}", json={})
        assert (await boss.request("GET", one)).json()["invites"][1]["uses_left"] == 2
        # To be an admin is no project's affair.
        top_id = invite_id(digest(top))
        assert await refused(boss, "DELETE", f"{one}/{top_id}") == "not_found"
        assert await refused(boss, "DELETE", f"{one}/{mine['invite_id']}") is None
        assert await refused(boss, "DELETE", f"{one}/{mine['invite_id']}") == "not_found"
        assert await refused(boss, "POST", f"/api/invites/{token}", json={}) == "not_found"
    all_ = (await bench.admin.request("GET", everywhere)).json()["invites"]
    assert {i["invite_id"] for i in all_} >= {top_id, cleos["invite_id"]}
    assert await refused(bench.admin, "DELETE", f"{everywhere}/{top_id}") is None
    assert await refused(bench.admin, "GET", f"/api/invites/{top}") == "not_found"
    # Also to a project that takes nobody's work any more.
    await bench.admin.change_project(project, state="archived")
    assert await refused(bench.admin, "DELETE", f"{one}/{cleos['invite_id']}") is None
    assert (await bench.admin.request("GET", one)).json()["invites"] == []


async def test_who_removes_a_member_is_told_what_ends_with_it(bench: Bench) -> None:
    project = (await bench.make()).project_id
    user = await bench.admin.create_user(f"user-{secrets.token_hex(3)}", "User")
    await bench.admin.set_member(project, user.user_id, "labeler")
    body = {"role": "labeler", "project_id": project, "uses": 9}
    await bench.admin.request("POST", "/api/invites", json=body)
    path = f"/api/projects/{project}/members/{user.user_id}"
    gone = (await bench.admin.request("DELETE", path)).json()
    assert gone == {"members": [], "invites_ended": 1}
