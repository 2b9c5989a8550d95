"""A person's own start page: their projects, what they have done there, and what waits."""

from __future__ import annotations

from typing import Any

from chorus.server.domain import own_pace
from chorus.server.services.accounts import CurrentUser
from chorus.server.services.dashboard import Boards
from chorus.server.services.projects import Projects
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

NEWEST = 300
"""Answers that the pace is of."""
AGREED = 2000
"""Answers that the agreement is of."""


class Mine:
    def __init__(self, store: Store, projects: Projects, boards: Boards) -> None:
        self._store = store
        self._projects = projects
        self._boards = boards

    async def projects(self, user: CurrentUser, midnight: int) -> list[dict[str, Any]]:
        """A Project each, with `open` and `labeled` items and `me`: the person's answers `today`
        and in `total`, `last_at` (ms, or None), `paused`, `unread` comments, and, where the
        project shows it, `per_hour` and `agreement` as of last night (or None: too few)."""
        out = []
        for project in await self._projects.list_for(user):
            project_id = project["project_id"]
            board = await self._boards.get(project_id)
            me = await self._store.read(
                lambda tx, p=project_id, r=project["role"]: _me(tx, p, user.user_id, r, midnight)  # type: ignore[misc]
            )
            counts = {"open": board.open_items, "labeled": board.counts["labeled"]}
            out.append({**project, **counts, "me": me})
        # Where the person worked last comes first.
        return sorted(out, key=lambda p: -(p["me"]["last_at"] or 0))


def _me(tx: Tx, project_id: str, user_id: str, role: str, midnight: int) -> dict[str, Any]:
    today, total = tx.count_votes(project_id, user_id, midnight)
    project = tx.project(project_id)
    assert project is not None
    shown: dict[str, Any] = {}
    if project.show_pace:
        shown["per_hour"] = own_pace.per_hour(tx.answer_times(project_id, user_id, NEWEST))
    if project.show_agreement:
        # As of last night: nobody finds out about one item by answering it this way and that.
        answers = tx.own_agreement(project_id, user_id, midnight, AGREED)
        shown["agreement"] = own_pace.agreement(*answers)
    return {
        **shown,
        "today": today,
        "total": total,
        "last_at": tx.last_answer_at(project_id, user_id),
        "paused": tx.member_paused(project_id, user_id),
        "unread": tx.count_unread(project_id, user_id, user_id if role == "labeler" else None),
    }
