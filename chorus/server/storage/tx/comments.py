"""What is written about items: threads of a labeler and the supervisors, and who has read what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chorus.server.storage.tx.base import Base, marks

_READ = (
    "COALESCE((SELECT r.seq FROM comment_read r WHERE r.user_id = ? AND r.item_id = c.item_id), 0)"
)
UNREAD = f"c.user_id <> ? AND c.seq > {_READ}"
"""Of comment AS c, for (user_id, user_id): somebody else's, and this person has not read it."""


class CommentSql(Base):
    def add_comment(self, values: tuple[Any, ...]) -> None:
        """values in table order."""
        self.run(f"INSERT INTO comment VALUES ({marks(len(values))})", values)

    def comment_seq(self, comment_id: str) -> tuple[str, int, int] | None:
        """(user_id, item_id, seq) of a stored comment."""
        row = self.row(
            "SELECT user_id, item_id, seq FROM comment WHERE comment_id = ?", (comment_id,)
        )
        return tuple(row) if row else None

    def comments_of(self, item_id: int, labeler_id: str | None) -> list[Any]:
        """(comment_id, seq, item_id, labeler_id, labeler's name, user_id, author's name, text,
        created_at) about an item, oldest first; of one thread, or of all of them."""
        thread, args = ("", ()) if labeler_id is None else (" AND c.labeler_id = ?", (labeler_id,))
        return self.rows(
            "SELECT c.comment_id, c.seq, c.item_id, c.labeler_id, t.name, c.user_id, a.name,"
            " c.text, c.created_at FROM comment c JOIN person t ON t.user_id = c.labeler_id"
            " JOIN person a ON a.user_id = c.user_id"
            f" WHERE c.item_id = ?{thread} ORDER BY c.seq",
            (item_id, *args),
        )

    def comment_threads(
        self, project_id: str, reader: str, labeler_id: str | None, unread: bool, before: int,
        limit: int,
    ) -> list[Any]:  # fmt: skip
        """(item_id, labeler_id, comments, those the reader has not read, newest seq) of threads
        whose newest comment is older than `before`, newest first."""
        thread, args = ("", ()) if labeler_id is None else (" AND c.labeler_id = ?", (labeler_id,))
        only = f" AND SUM({UNREAD}) > 0" if unread else ""
        return self.rows(
            f"SELECT c.item_id, c.labeler_id, COUNT(*), SUM({UNREAD}), MAX(c.seq) AS newest"
            f" FROM comment c WHERE c.project_id = ?{thread} GROUP BY c.item_id, c.labeler_id"
            f" HAVING MAX(c.seq) < ?{only} ORDER BY newest DESC LIMIT ?",
            (
                reader, reader, project_id, *args, before, *((reader, reader) if unread else ()),
                limit,
            ),
        )  # fmt: skip

    def count_unread(self, project_id: str, reader: str, labeler_id: str | None) -> int:
        """Comments that the person may see, did not write and has not read."""
        thread, args = ("", ()) if labeler_id is None else (" AND c.labeler_id = ?", (labeler_id,))
        (n,) = self.row(
            f"SELECT COUNT(*) FROM comment c WHERE c.project_id = ?{thread} AND {UNREAD}",
            (project_id, *args, reader, reader),
        )
        return int(n)

    def comment_counts(self, item_ids: Sequence[int]) -> list[tuple[int, int]]:
        """(item_id, comments) of those of the items that have some."""
        return self.rows(
            f"SELECT item_id, COUNT(*) FROM comment WHERE item_id IN ({marks(len(item_ids))})"
            " GROUP BY item_id",
            item_ids,
        )

    def read_comments(self, project_id: str, user_id: str, item_id: int, seq: int) -> None:
        """The person has read everything about the item up to `seq`."""
        self.run(
            "INSERT INTO comment_read VALUES (?,?,?,?) ON CONFLICT (user_id, item_id) DO UPDATE"
            " SET seq = excluded.seq WHERE excluded.seq > comment_read.seq",
            (project_id, user_id, item_id, seq),
        )
