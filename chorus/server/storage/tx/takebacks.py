"""Votes that no longer count, and persons who are paused."""

from __future__ import annotations

from typing import Any

from chorus.server.domain.model import StandingVote, Takeback
from chorus.server.storage.tx.base import STANDING, TAKEBACK, Base

COVERING = (
    "FROM takeback t WHERE t.project_id = v.project_id AND t.user_id = v.user_id"
    " AND t.undone_at IS NULL AND v.created_at BETWEEN t.since AND t.until"
    " AND (t.seq IS NULL OR v.seq <= t.seq)"
)
"""The takebacks AS t because of which vote AS v does not count."""
_COVERED = f"EXISTS (SELECT 1 {COVERING})"
_VOTE = ", ".join(f"v.{column}" for column in STANDING.split(", "))


class TakebackSql(Base):
    def add_takeback(
        self, project_id: str, user_id: str, since: int, until: int, by_user: str, items: int,
        at: int, seq: int,
    ) -> int:  # fmt: skip
        """It covers votes up to `seq`, and has yet to land on all of them."""
        cursor = self.put(
            "INSERT INTO takeback (project_id, user_id, since, until, by_user, votes, created_at,"
            " seq, pending_after) VALUES (?,?,?,?,?,?,?,?,0)",
            (project_id, user_id, since, until, by_user, items, at, seq),
        )
        return int(cursor.lastrowid or 0)

    def undo_takeback(self, project_id: str, takeback_id: int, at: int) -> int:
        """Its votes count again, once that has landed."""
        return self.run(
            "UPDATE takeback SET undone_at = ?, pending_after = 0 WHERE takeback_id = ?"
            " AND project_id = ? AND undone_at IS NULL",
            (at, takeback_id, project_id),
        )

    def takeback(self, takeback_id: int) -> Takeback | None:
        row = self.row(f"SELECT {TAKEBACK} FROM takeback WHERE takeback_id = ?", (takeback_id,))
        return Takeback(*row) if row else None

    def pending_takebacks(self, project_id: str | None = None) -> list[Takeback]:
        """Those (of one project, or all) that have not landed on every vote, or whose undoing
        has not."""
        where = "" if project_id is None else " AND project_id = ?"
        return [
            Takeback(*row)
            for row in self.rows(
                f"SELECT {TAKEBACK} FROM takeback WHERE pending_after IS NOT NULL{where}"
                " ORDER BY takeback_id",
                () if project_id is None else (project_id,),
            )
        ]

    def set_takeback_pending(self, takeback_id: int, after: int | None) -> None:
        self.run(
            "UPDATE takeback SET pending_after = ? WHERE takeback_id = ?", (after, takeback_id)
        )

    def takebacks(self, project_id: str, limit: int) -> list[Any]:
        """(takeback_id, user_id, name, since, until, by, items, created_at, undone_at, pending),
        newest first."""
        return self.rows(
            "SELECT t.takeback_id, t.user_id, p.name, t.since, t.until, b.name, t.votes,"
            " t.created_at, t.undone_at, t.pending_after IS NOT NULL"
            " FROM takeback t JOIN person p ON p.user_id = t.user_id"
            " JOIN person b ON b.user_id = t.by_user WHERE t.project_id = ?"
            " ORDER BY t.takeback_id DESC LIMIT ?",
            (project_id, limit),
        )

    def count_items_voted(self, project_id: str, user_id: str, since: int, until: int) -> int:
        """Items on which a person voted in a time (ms, inclusive)."""
        (n,) = self.row(
            "SELECT COUNT(DISTINCT item_id) FROM vote WHERE user_id = ? AND project_id = ?"
            " AND created_at BETWEEN ? AND ?",
            (user_id, project_id, since, until),
        )
        return int(n)

    def votes_in(self, takeback: Takeback, after: int, limit: int) -> list[tuple[int, int]]:
        """(seq, item_id) of votes that a takeback is about, in order of seq, behind `after`."""
        return self.rows(
            "SELECT seq, item_id FROM vote WHERE user_id = ? AND project_id = ? AND seq > ?"
            " AND created_at BETWEEN ? AND ? ORDER BY seq LIMIT ?",
            (
                takeback.user_id, takeback.project_id, after, takeback.since, takeback.until,
                limit,
            ),
        )  # fmt: skip

    def voted_in(self, item_id: int, takeback: Takeback) -> bool:
        """Is the takeback about a vote on this item?"""
        return (
            self.row(
                "SELECT 1 FROM vote WHERE item_id = ? AND user_id = ?"
                " AND created_at BETWEEN ? AND ?",
                (item_id, takeback.user_id, takeback.since, takeback.until),
            )
            is not None
        )

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
        if self.known is not None and (project_id, user_id) in self.known.paused:
            return self.known.paused[project_id, user_id]
        row = self.row(
            "SELECT paused_at IS NOT NULL FROM member WHERE project_id = ? AND user_id = ?",
            (project_id, user_id),
        )
        return bool(row and row[0])
