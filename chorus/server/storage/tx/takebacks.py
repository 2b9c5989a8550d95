"""Votes that no longer count, and persons who are paused."""

from __future__ import annotations

from typing import Any

from chorus.server.domain.model import StandingVote
from chorus.server.storage.tx.base import STANDING, Base

_COVERED = (
    "EXISTS (SELECT 1 FROM takeback t WHERE t.project_id = v.project_id AND t.user_id = v.user_id"
    " AND t.undone_at IS NULL AND v.created_at BETWEEN t.since AND t.until)"
)
_VOTE = ", ".join(f"v.{column}" for column in STANDING.split(", "))


class TakebackSql(Base):
    def add_takeback(
        self, project_id: str, user_id: str, since: int, until: int, by_user: str, votes: int,
        at: int,
    ) -> int:  # fmt: skip
        cursor = self.db.execute(
            "INSERT INTO takeback (project_id, user_id, since, until, by_user, votes, created_at)"
            " VALUES (?,?,?,?,?,?,?)",
            (project_id, user_id, since, until, by_user, votes, at),
        )
        return int(cursor.lastrowid or 0)

    def undo_takeback(self, project_id: str, takeback_id: int, at: int) -> int:
        return self.run(
            "UPDATE takeback SET undone_at = ? WHERE takeback_id = ? AND project_id = ?"
            " AND undone_at IS NULL",
            (at, takeback_id, project_id),
        )

    def takeback(self, project_id: str, takeback_id: int) -> tuple[str, int, int] | None:
        """(user_id, since, until)."""
        row = self.row(
            "SELECT user_id, since, until FROM takeback WHERE takeback_id = ? AND project_id = ?",
            (takeback_id, project_id),
        )
        return tuple(row) if row else None

    def takebacks(self, project_id: str, limit: int) -> list[Any]:
        """(takeback_id, user_id, name, since, until, by, votes, created_at, undone_at), newest
        first."""
        return self.rows(
            "SELECT t.takeback_id, t.user_id, p.name, t.since, t.until, b.name, t.votes,"
            " t.created_at, t.undone_at FROM takeback t JOIN person p ON p.user_id = t.user_id"
            " JOIN person b ON b.user_id = t.by_user WHERE t.project_id = ?"
            " ORDER BY t.takeback_id DESC LIMIT ?",
            (project_id, limit),
        )

    def items_voted(self, project_id: str, user_id: str, since: int, until: int) -> list[int]:
        """Items on which a person voted in a time (ms, inclusive), in order of item_id."""
        return [
            row[0]
            for row in self.rows(
                "SELECT DISTINCT item_id FROM vote WHERE user_id = ? AND project_id = ?"
                " AND created_at BETWEEN ? AND ? ORDER BY item_id",
                (user_id, project_id, since, until),
            )
        ]

    def counting_vote(self, item_id: int, user_id: str, after_seq: int) -> StandingVote | None:
        """The vote of a person on an item that counts: the newest one that was not taken back."""
        row = self.row(
            f"SELECT {_VOTE} FROM vote v WHERE v.item_id = ? AND v.user_id = ? AND v.seq > ?"
            f" AND NOT {_COVERED} ORDER BY v.seq DESC LIMIT 1",
            (item_id, user_id, after_seq),
        )
        return StandingVote(*row) if row else None

    def drop_standing(self, item_id: int, user_id: str) -> None:
        self.run("DELETE FROM standing WHERE item_id = ? AND user_id = ?", (item_id, user_id))

    def facts_of_votes(self, item_id: int) -> list[StandingVote]:
        """Every vote of an item that was not taken back, oldest first (for fsck)."""
        return [
            StandingVote(*row)
            for row in self.rows(
                f"SELECT {_VOTE} FROM vote v WHERE v.item_id = ? AND NOT {_COVERED} ORDER BY v.seq",
                (item_id,),
            )
        ]

    # -- paused persons

    def set_member_paused(self, project_id: str, user_id: str, at: int | None) -> int:
        return self.run(
            "UPDATE member SET paused_at = ? WHERE project_id = ? AND user_id = ?",
            (at, project_id, user_id),
        )

    def member_paused(self, project_id: str, user_id: str) -> bool:
        row = self.row(
            "SELECT paused_at IS NOT NULL FROM member WHERE project_id = ? AND user_id = ?",
            (project_id, user_id),
        )
        return bool(row and row[0])
