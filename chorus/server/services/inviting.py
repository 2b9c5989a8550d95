"""Invitations by list: what each line would do, and doing all of it or nothing. Which invitations
are open, and an end to them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from chorus.server.clock import now_ms
from chorus.server.domain.model import Invite
from chorus.server.errors import ApiError
from chorus.server.formats.people_list import Fault, Invitee, read_people
from chorus.server.services.accounts import DAY, digest, invite_id, join, stands
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

TEXT_MAX = 300_000


class Inviting:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def by_list(
        self,
        by: str,
        text: str,
        projects: Mapping[str, str],
        role: str,
        project_id: str | None,
        days: int,
        supervisors: bool,
        dry_run: bool,
    ) -> dict[str, Any]:
        """`{"people": [...], "faults": [{"line", "message"}]}`. Each of the people has `line`,
        `login`, `name`, `email`, `role`, `project_id`, and what it `does`: "invite" (with a
        `token`, unless this is a dry run), "join" (they have an account), "change" (another role)
        or "nothing". Nothing is done where there is a fault.

        `projects`: id -> name of those the asker may invite to; `supervisors`: also those.
        Raises bad_value.
        """
        if not 1 <= days <= 365:
            raise ApiError("bad_value", "days must be 1 to 365")
        if len(text) > TEXT_MAX:
            raise ApiError("bad_value", f"the list has more than {TEXT_MAX} characters")
        people, faults = read_people(text, projects, role, project_id)
        if not supervisors:
            faults += [
                Fault(p.line, "only an admin makes supervisors")
                for p in people
                if p.role == "supervisor"
            ]
        if not people and not faults:
            raise ApiError("bad_value", "the list is empty")
        dry_run = dry_run or bool(faults)
        now = now_ms()

        def fn(tx: Tx) -> list[dict[str, Any]]:
            return [_one(tx, p, by, now, now + days * DAY * 1000, dry_run) for p in people]

        done = await (self._store.read(fn) if dry_run else self._store.write(fn))
        return {"people": done, "faults": _sorted(faults), "done": not dry_run}

    async def open(self, project_id: str | None) -> list[dict[str, Any]]:
        """Those to a project (None: all of the server) that can still be used, the newest first."""

        def fn(tx: Tx) -> list[dict[str, Any]]:
            found = tx.open_invites(project_id, now_ms())
            return [_shown(tx, invite) for invite in found if stands(tx, invite)]

        return await self._store.read(fn)

    async def end(self, which: str, project_id: str | None) -> None:
        """project_id: None: whichever it is to. Raises not_found."""

        def fn(tx: Tx) -> None:
            for invite in tx.open_invites(project_id, now_ms()):
                if invite_id(invite.token_hash) == which:
                    tx.end_invite(invite.token_hash)
                    return
            raise ApiError("not_found", "there is no such open invitation")

        await self._store.write(fn)


def _shown(tx: Tx, invite: Invite) -> dict[str, Any]:
    """What others may know of it: not its token, and no address."""
    maker = tx.user(invite.created_by)
    project = tx.project(invite.project_id) if invite.project_id is not None else None
    return {
        "invite_id": invite_id(invite.token_hash),
        "role": invite.role,
        "project_id": invite.project_id,
        "project": project.name if project is not None else None,
        "login": invite.login,
        "name": invite.name,
        "by": maker.name if maker is not None else "",
        "created_at": invite.created_at,
        "expires_at": invite.expires_at,
        "uses_left": invite.uses_left,
    }


def _sorted(faults: Sequence[Fault]) -> list[dict[str, Any]]:
    return [f._asdict() for f in sorted(faults)]


def _one(tx: Tx, person: Invitee, by: str, now: int, expires: int, dry_run: bool) -> dict[str, Any]:
    shown = person._asdict()
    user = tx.user_by_login(person.login)
    if user is None:
        token = secrets.token_urlsafe(24)
        if not dry_run:
            tx.add_invite(
                digest(token), person.role, person.project_id, by, now, expires, 1,
                (person.login, person.name, person.email),
            )  # fmt: skip
            shown["token"] = token
        return {**shown, "does": "invite"}
    held = tx.role(person.project_id, user.user_id)
    # A list must not take a supervisor's role away, no more than an invitation does.
    if user.admin or held == person.role or held == "supervisor":
        return {**shown, "does": "nothing"}
    if not dry_run:
        join(tx, person.project_id, user, person.role, now)
    return {**shown, "does": "join" if held is None else "change"}
