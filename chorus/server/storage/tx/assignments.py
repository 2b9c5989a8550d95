"""Assignments: whose items they are, and giving items to them and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from chorus.server.domain.assignment import Pool, Wanted
from chorus.server.domain.model import BY_HAND
from chorus.server.storage.tx.base import Base, marks
from chorus.server.storage.tx.items import FRESH

_OPEN = "state IN ('in_progress', 'unlabeled')"
"""As the index item_open has it."""


class Assignment(NamedTuple):
    number: int
    only: bool
    wanted: Wanted
    state: str
    after_item: int
    created_by: str
    created_at: int


class ToAssign(NamedTuple):
    item_id: int
    rank: int
    name: str
    guess: str | None
    open: bool
    assigned: int


class AssignmentSql(Base):
    def pools(self, project_id: str, user_id: str) -> list[Pool]:
        """The project's assignments as one person sees them. One that is ending has nobody."""
        if self.known is not None and (project_id, user_id) in self.known.pools:
            return self.known.pools[project_id, user_id]
        return [
            Pool(number, bool(only), bool(mine))
            for number, only, mine in self.rows(
                "SELECT a.number, a.only AND a.state <> 'ending', a.state <> 'ending' AND EXISTS"
                " (SELECT 1 FROM assignee e WHERE e.project_id = a.project_id"
                " AND e.number = a.number AND (e.kind = 'person' AND e.id = ?"
                " OR e.kind = 'team' AND EXISTS (SELECT 1 FROM team_person t"
                " WHERE t.team_id = e.id AND t.user_id = ?)))"
                " FROM assignment a WHERE a.project_id = ? ORDER BY a.number",
                (user_id, user_id, project_id),
            )
        ]

    def assignments(self, project_id: str) -> list[Assignment]:
        return [
            Assignment(row[0], bool(row[1]), msgspec.json.decode(row[2], type=Wanted), *row[3:])
            for row in self.rows(
                "SELECT number, only, wanted, state, after_item, created_by, created_at"
                " FROM assignment WHERE project_id = ? ORDER BY number",
                (project_id,),
            )
        ]

    def unfinished_assignments(self) -> list[str]:
        """Projects in which one is spreading or ending."""
        found = self.rows("SELECT DISTINCT project_id FROM assignment WHERE state <> 'on'")
        return [row[0] for row in found]

    def put_assignment(self, project_id: str, a: Assignment) -> None:
        self.run(
            "INSERT INTO assignment VALUES (?,?,?,?,?,?,?,?) ON CONFLICT (project_id, number)"
            " DO UPDATE SET only = excluded.only, state = excluded.state,"
            " after_item = excluded.after_item",
            (
                project_id, a.number, int(a.only), msgspec.json.encode(a.wanted).decode(), a.state,
                a.after_item, a.created_by, a.created_at,
            ),
        )  # fmt: skip

    def drop_assignment(self, project_id: str, number: int) -> None:
        self.set_assignees(project_id, number, [])
        self.run("DELETE FROM assignment WHERE project_id = ? AND number = ?", (project_id, number))

    def assignees(self, project_id: str) -> list[tuple[int, str, str]]:
        """(number, 'person' or 'team', id)."""
        return [
            tuple(r)
            for r in self.rows(
                "SELECT number, kind, id FROM assignee WHERE project_id = ?", (project_id,)
            )
        ]

    def set_assignees(
        self, project_id: str, number: int, people: Sequence[tuple[str, str]]
    ) -> None:
        """people: (kind, id)."""
        self.run("DELETE FROM assignee WHERE project_id = ? AND number = ?", (project_id, number))
        for kind, one in people:
            self.run("INSERT INTO assignee VALUES (?,?,?,?)", (project_id, number, kind, one))

    # -- items

    def to_assign(self, project_id: str, after: int, limit: int) -> list[ToAssign]:
        """The project's items in order of item_id, whatever their state: so many rows a step,
        however few of them match."""
        return [
            ToAssign(*row)
            for row in self.rows(
                "SELECT item_id, rank, name, model_value,"
                " state = 'unlabeled' OR state = 'in_progress', assigned"
                " FROM item WHERE project_id = ? AND item_id > ? ORDER BY item_id LIMIT ?",
                (project_id, after, limit),
            )
        ]

    def assign(self, item_ids: Sequence[int], number: int, picked: bool) -> None:
        """picked: not by chance. Such an item is no random sample of what is left (as one that a
        supervisor lets come first)."""
        chosen = f"CASE WHEN chosen = 0 THEN {BY_HAND} ELSE chosen END" if picked else "chosen"
        self.run(
            f"UPDATE item SET assigned = ?, picked = ?, chosen = {chosen}"
            f" WHERE item_id IN ({marks(len(item_ids))})",
            (number, int(picked), *item_ids),
        )

    def unassign(self, item_ids: Sequence[int]) -> None:
        """Everybody's again; where chance lay before anybody had it, it does again."""
        self.run(
            "UPDATE item SET assigned = 0, picked = 0, chosen = CASE WHEN picked = 1"
            f" AND priority = 0 AND chosen = {BY_HAND} AND {FRESH} THEN 0 ELSE chosen END"
            f" WHERE item_id IN ({marks(len(item_ids))})",
            item_ids,
        )

    def count_assigned_open(self, project_id: str, number: int) -> int:
        (n,) = self.row(
            f"SELECT COUNT(*) FROM item WHERE project_id = ? AND assigned = ? AND {_OPEN}",
            (project_id, number),
        )
        return int(n)

    def count_stuck(self, project_id: str, number: int, people: Sequence[str]) -> int:
        """Open items of an assignment that all of `people` have answered and nobody holds."""
        (n,) = self.row(
            "SELECT COUNT(*) FROM item AS i WHERE project_id = ? AND assigned = ?"
            f" AND {_OPEN} AND n_leases = 0 AND n_labels + n_skips + n_flags >= ?"
            " AND (SELECT COUNT(*) FROM standing s WHERE s.item_id = i.item_id"
            f" AND s.user_id IN ({marks(len(people))})) >= ?",
            (project_id, number, len(people), *people, len(people)),
        )
        return int(n)
