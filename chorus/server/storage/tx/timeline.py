"""The past of the boards: copies now and then, points of the curve, moments in the log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chorus.server.domain.timeline import Point
from chorus.server.storage.tx.base import Base, marks

POINT = ", ".join(Point._fields)


class TimelineSql(Base):
    def board_copy(self, project_id: str, seq: int, rev: str) -> tuple[int, int, bytes] | None:
        """(seq, at, body) of the newest copy of this revision as of `seq` or before."""
        row = self.row(
            "SELECT seq, at, body FROM board_copy WHERE project_id = ? AND seq <= ? AND rev = ?"
            " ORDER BY seq DESC LIMIT 1",
            (project_id, seq, rev),
        )
        return tuple(row) if row else None

    def add_board_copy(self, project_id: str, seq: int, at: int, rev: str, body: bytes) -> None:
        self.run(
            "INSERT INTO board_copy VALUES (?,?,?,?,?) ON CONFLICT (project_id, seq)"
            " DO UPDATE SET rev = excluded.rev, body = excluded.body",
            (project_id, seq, at, rev, body),
        )

    def add_points(self, project_id: str, points: Iterable[Point]) -> None:
        """Those that are there already stay."""
        self.run_many(
            f"INSERT INTO board_point (project_id, {POINT}) VALUES (?,{marks(len(Point._fields))})"
            " ON CONFLICT (project_id, seq) DO NOTHING",
            [(project_id, *point) for point in points],
        )

    def points(self, project_id: str, until: int | None = None) -> list[Point]:
        """All points, or those as of event `until` and before, oldest first."""
        where = "" if until is None else " AND seq <= ?"
        args: Sequence[object] = (project_id,) if until is None else (project_id, until)
        return [
            Point(*row)
            for row in self.rows(
                f"SELECT {POINT} FROM board_point WHERE project_id = ?{where} ORDER BY seq", args
            )
        ]

    def event_at(self, project_id: str, seq: int) -> int | None:
        """When event `seq` happened."""
        row = self.row("SELECT at FROM event WHERE project_id = ? AND seq = ?", (project_id, seq))
        return int(row[0]) if row else None

    def seq_at(self, project_id: str, at: int) -> int:
        """The last event at that time or before; 0: there was none. Times rise with seq but for
        the few milliseconds that a write waits."""
        (high,) = self.row("SELECT last_seq FROM project WHERE project_id = ?", (project_id,))
        low = 0
        while low < high:
            middle = (low + high + 1) // 2
            when = self.event_at(project_id, middle)
            if when is not None and when <= at:
                low = middle
            else:
                high = middle - 1
        return int(low)

    def votes_of_people(
        self, project_id: str, user_ids: Sequence[str], after: int, until: int
    ) -> list[tuple[str, int]]:
        """(user_id, created_at) of first answers (no corrections) with after < seq <= until."""
        return self.rows(
            f"SELECT user_id, created_at FROM vote WHERE user_id IN ({marks(len(user_ids))})"
            " AND project_id = ? AND seq > ? AND seq <= ? AND supersedes IS NULL ORDER BY seq",
            (*user_ids, project_id, after, until),
        )

    def set_board_rev(self, project_id: str, rev: int) -> None:
        self.run("UPDATE project SET board_rev = ? WHERE project_id = ?", (rev, project_id))
