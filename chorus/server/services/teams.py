"""Teams: who is in them, and what they make people in projects."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from chorus.server.clock import now_ms
from chorus.server.domain.teams import ROLES, standing
from chorus.server.errors import ApiError
from chorus.server.services.accounts import join, leave
from chorus.server.services.projects import Projects
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

NAME_MAX = 100


class Settled(NamedTuple):
    """What a change of teams came to."""

    people: Sequence[str]
    """Whose teams are others now, or may do something else."""
    less: list[tuple[str, str, str]]
    """(project_id, user_id, role until now) of those who may do less than before."""


class Teams:
    def __init__(self, store: Store, projects: Projects) -> None:
        self._store = store
        self._projects = projects
        self.less: Callable[[str, str, str], None] = lambda project_id, user_id, role: None
        """Called for whoever has left a project or has a lesser role, with the one until now."""
        self.regrouped: Callable[[str], None] = lambda user_id: None
        """Called for whoever's teams, and so whose assignments, may be others."""

    async def all(self) -> list[dict[str, Any]]:
        """`{"team_id", "name", "people": [user_id], "projects": [{"project_id", "role"}]}` each."""

        def fn(tx: Tx) -> list[dict[str, Any]]:
            people: defaultdict[str, list[str]] = defaultdict(list)
            for team_id, user_id in tx.team_people():
                people[team_id].append(user_id)
            roles: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
            for team_id, project_id, role in tx.team_roles():
                roles[team_id].append({"project_id": project_id, "role": role})
            return [
                {"team_id": i, "name": name, "people": people[i], "projects": roles[i]}
                for i, name in tx.teams()
            ]

        return await self._store.read(fn)

    async def of_project(self, project_id: str) -> list[dict[str, Any]]:
        """All teams with their `role` in the project (None: they are not in it)."""
        found = []
        for team in await self.all():
            held = {r["project_id"]: r["role"] for r in team.pop("projects")}
            found.append({**team, "role": held.get(project_id)})
        return found

    async def put(self, team_id: str | None, name: str) -> str:
        """Make a team (None), or rename it; its id. Raises bad_value, conflict, not_found."""
        name = name.strip()
        if not 1 <= len(name) <= NAME_MAX:
            raise ApiError("bad_value", f"a name has 1 to {NAME_MAX} characters")
        wanted = team_id or secrets.token_hex(5)

        def fn(tx: Tx) -> None:
            if team_id is not None:
                _known(tx, team_id)
            if tx.team_named(name) not in (None, wanted):
                raise ApiError("conflict", f"there is a team {name!r} already")
            tx.put_team(wanted, name, now_ms())

        await self._store.write(fn)
        return wanted

    async def drop(self, team_id: str) -> None:
        """Its people keep what they are by themselves and by other teams. Raises not_found."""

        def fn(tx: Tx) -> Settled:
            _known(tx, team_id)
            people, projects = tx.people_of_team(team_id), tx.projects_of_team(team_id)
            tx.drop_team(team_id)
            return _settle(tx, projects, people)

        await self._change(fn)

    async def set_person(self, team_id: str, user_id: str, there: bool) -> None:
        """Take somebody in, or out. Raises not_found."""

        def fn(tx: Tx) -> Settled:
            _known(tx, team_id)
            if tx.user(user_id) is None:
                raise ApiError("not_found", "no such person")
            tx.set_team_person(team_id, user_id, there)
            return _settle(tx, tx.projects_of_team(team_id), [user_id])

        await self._change(fn)

    async def set_role(self, project_id: str, team_id: str, role: str | None) -> None:
        """What the team is in the project; None: not in it (any more). Raises bad_value,
        not_found."""
        if role is not None and role not in ROLES:
            raise ApiError("bad_value", "role must be labeler or supervisor")

        def fn(tx: Tx) -> Settled:
            _known(tx, team_id)
            if tx.project(project_id) is None:
                raise ApiError("not_found", "no such project")
            tx.set_team_role(project_id, team_id, role)
            return _settle(tx, [project_id], tx.people_of_team(team_id))

        await self._change(fn)

    async def _change(self, fn: Callable[[Tx], Settled]) -> None:
        settled = await self._store.write(fn)
        self._projects.forget_roles()
        for project_id, user_id, role in settled.less:
            self.less(project_id, user_id, role)
        for user_id in settled.people:
            self.regrouped(user_id)


def _known(tx: Tx, team_id: str) -> None:
    if tx.team(team_id) is None:
        raise ApiError("not_found", "no such team")


def _settle(tx: Tx, projects: Sequence[str], people: Sequence[str]) -> Settled:
    """After a change of teams: everybody's membership as it is now."""
    pairs = [(project_id, user_id) for project_id in projects for user_id in people]
    less = [(*pair, role) for pair in pairs if (role := settle(tx, *pair)) is not None]
    return Settled(people, less)


def settle(tx: Tx, project_id: str, user_id: str) -> str | None:
    """Membership of one person in one project from their own role and their teams'; the role
    until now, if they may do less by that."""
    held = tx.membership(project_id, user_id)
    own = held[0] if held is not None and not held[1] else None
    now = standing(own, tx.roles_by_teams(project_id, user_id))
    if now == held:
        return None
    if now is not None:
        user = tx.user(user_id)
        assert user is not None
        join(tx, project_id, user, now[0], now_ms(), by_team=now[1])
        lowered = held is not None and ROLES.index(now[0]) < ROLES.index(held[0])
        return held[0] if lowered and held is not None else None
    assert held is not None
    leave(tx, project_id, user_id, now_ms())
    return held[0]
