"""Teams, what they make people in projects, and where people's clocks are."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chorus.client import ApiError, Rest
from chorus.server.clock import day_of
from chorus.server.domain.teams import ROLES, standing
from tests.server.test_tokens import ended
from tests.servers import Bench, page_of, pictures

roles = st.sampled_from(ROLES)


@given(st.none() | roles, st.lists(roles, max_size=4))
def test_ones_own_role_stands_else_the_best_of_the_teams(own: str | None, teams: list[str]) -> None:
    found = standing(own, teams)
    if own is not None:
        assert found == (own, False)
    elif "supervisor" in teams:
        assert found == ("supervisor", True)
    else:
        assert found == (("labeler", True) if teams else None)


async def team_of(bench: Bench, *people: str) -> str:
    team = await bench.admin.add_team(f"Team {secrets.token_hex(3)}")
    for user_id in people:
        await bench.admin.set_team_person(team.team_id, user_id)
    return team.team_id


async def member(bench: Bench, user_id: str) -> tuple[str, bool] | None:
    path = f"/api/projects/{bench.project.project_id}/members"
    found = (await bench.admin.request("GET", path)).json()["members"]
    return next(((m["role"], m["by_team"]) for m in found if m["user_id"] == user_id), None)


async def newcomer(bench: Bench) -> tuple[str, str]:
    """(user_id, token) of somebody who is in no project."""
    login = f"new-{secrets.token_hex(3)}"
    user = await bench.admin.create_user(login, login)
    async with Rest(bench.server.url) as browser:
        await browser.sign_in_by(await bench.admin.signin_link(user.user_id))
        return user.user_id, await browser.create_token("test")


async def test_whoever_is_in_a_team_is_where_the_team_is(bench: Bench, tmp_path: Path) -> None:
    await bench.make(pictures(tmp_path, 8), page_size=4)
    project_id = bench.project.project_id
    ann, ann_token = await newcomer(bench)
    ben, _ = await newcomer(bench)
    team = await team_of(bench, ann)
    assert await member(bench, ann) is None
    await bench.admin.set_team_role(project_id, team, "labeler")
    assert await member(bench, ann) == ("labeler", True)
    await bench.admin.set_team_person(team, ben)
    assert await member(bench, ben) == ("labeler", True), "who joins the team later joins, too"
    # In two teams the better role stands; a role of one's own stands above both.
    leads = await team_of(bench, ann)
    await bench.admin.set_team_role(project_id, leads, "supervisor")
    assert await member(bench, ann) == ("supervisor", True)
    await bench.admin.set_member(project_id, ann, "labeler")
    assert await member(bench, ann) == ("labeler", False)
    stream = await bench.labeler(ann_token)
    await page_of(stream)
    await bench.admin.set_team_role(project_id, leads, None)
    await bench.admin.drop_team(team)
    assert await member(bench, ann) == ("labeler", False)
    assert await member(bench, ben) is None
    assert stream.pages, "nothing has changed for them"


async def test_who_leaves_the_last_team_leaves_the_project(bench: Bench, tmp_path: Path) -> None:
    await bench.make(pictures(tmp_path, 8), page_size=4)
    project_id = bench.project.project_id
    ann, token = await newcomer(bench)
    team = await team_of(bench, ann)
    await bench.admin.set_team_role(project_id, team, "labeler")
    stream = await bench.labeler(token)
    await page_of(stream)
    with pytest.raises(ApiError) as caught:
        await bench.admin.request("DELETE", f"/api/projects/{project_id}/members/{ann}")
    assert caught.value.code == "conflict", "the team would bring them back"
    await bench.admin.set_team_person(team, ann, there=False)
    assert "session_ended" in await ended(stream.socket)
    async with Rest(bench.server.url, token) as hers:
        with pytest.raises(ApiError) as caught:
            await hers.project(project_id)
    assert caught.value.code == "forbidden"


async def test_roles_and_admins_are_changed_and_felt_at_once(bench: Bench, tmp_path: Path) -> None:
    await bench.make(pictures(tmp_path, 4))
    boss, token = await newcomer(bench)
    await bench.admin.change_user(boss, name="  The boss ", admin=True)
    found = (await bench.admin.request("GET", "/api/users")).json()["users"]
    assert next((u["name"], u["admin"]) for u in found if u["user_id"] == boss) == (
        "The boss",
        True,
    )
    socket = await bench.socket(token)
    await socket.request("project.pause", {"project_id": bench.project.project_id})
    await bench.admin.change_user(boss, admin=False)
    assert "session_ended" in await ended(socket)
    async with Rest(bench.server.url, token) as theirs:
        with pytest.raises(ApiError):
            await theirs.project(bench.project.project_id)
    admins = [u for u in found if u["admin"] and u["user_id"] != boss]
    if len(admins) == 1:
        with pytest.raises(ApiError) as caught:
            await bench.admin.change_user(admins[0]["user_id"], admin=False)
        assert caught.value.code == "conflict", "somebody must be left who can do everything"


def test_a_day_is_the_persons_own() -> None:
    noon = int(datetime(2026, 3, 29, 12, tzinfo=UTC).timestamp() * 1000)
    start, end = day_of("Asia/Tokyo", noon)
    assert datetime.fromtimestamp(start / 1000, UTC).isoformat() == "2026-03-28T15:00:00+00:00"
    assert end - start == 24 * 3600_000
    start, end = day_of("Europe/Berlin", noon)
    assert end - start == 23 * 3600_000, "clocks go forward on that day"


@given(
    st.integers(0, 4_000_000_000_000), st.sampled_from(["UTC", "America/Santiago", "Asia/Kolkata"])
)
def test_every_moment_is_in_its_day(now: int, zone: str) -> None:
    start, end = day_of(zone, now)
    assert start <= now < end
    assert 22 * 3600_000 <= end - start <= 26 * 3600_000
    assert day_of(zone, end)[0] == end, "the next day begins where this one ends"


async def test_todays_answers_are_counted_by_ones_own_clock(bench: Bench, tmp_path: Path) -> None:
    await bench.make(pictures(tmp_path, 4))
    _, token = await newcomer(bench)
    async with Rest(bench.server.url, token) as theirs:
        await theirs.request("PUT", "/api/me/time-zone", json={"time_zone": "Pacific/Kiritimati"})
        for wrong in ("Mars/Olympus", "../etc/passwd", "", "America"):
            with pytest.raises(ApiError) as caught:
                await theirs.request("PUT", "/api/me/time-zone", json={"time_zone": wrong})
            assert caught.value.code == "bad_value"
    found = (await bench.admin.request("GET", "/api/users")).json()["users"]
    assert "Pacific/Kiritimati" in {u["time_zone"] for u in found}
