"""What is counted to say how well people agree, and how many votes are left to give."""

from __future__ import annotations

from chorus.server.storage.tx.base import Base


class QualitySql(Base):
    def votes_and_labels(
        self, project_id: str, after: tuple[int, str], limit: int
    ) -> list[tuple[int, str, str, str | None, str | None, int]]:
        """(item_id, user_id, value, prelabel, label of the item, 1: it was looked at again) of
        standing label votes behind (item_id, user_id), in that order."""
        return self.rows(
            "SELECT s.item_id, s.user_id, s.value, s.prelabel, i.label,"
            " i.doubted IS NOT NULL FROM standing s"
            " JOIN item i ON i.item_id = s.item_id"
            " WHERE (s.item_id, s.user_id) > (?, ?) AND s.project_id = ? AND s.kind = 'label'"
            " ORDER BY s.item_id, s.user_id LIMIT ?",
            (*after, project_id, limit),
        )

    def durations(self, project_id: str) -> list[tuple[str, float]]:
        """(user_id, mean ms for one answer)."""
        return self.rows(
            "SELECT user_id, AVG(duration_ms) FROM vote WHERE project_id = ? AND duration_ms > 0"
            " GROUP BY user_id",
            (project_id,),
        )

    def recent_answers(
        self, project_id: str, user_id: str, limit: int
    ) -> list[tuple[int, str, int | None, int]]:
        """(page_id, its kind, duration_ms, created_at) of a person's newest votes from pages,
        oldest first. Corrections are no work on a page."""
        rows = self.rows(
            "SELECT page_id, page_kind, duration_ms, created_at FROM vote WHERE user_id = ?"
            " AND project_id = ? AND page_id IS NOT NULL AND page_kind IS NOT NULL"
            " AND supersedes IS NULL ORDER BY seq DESC LIMIT ?",
            (user_id, project_id, limit),
        )
        return rows[::-1]

    def votes_by_items(self, project_id: str) -> list[tuple[str, int, int]]:
        """(kind, label votes, items): "settled" by votes, "open", or "stuck" in review."""
        return self.rows(
            "SELECT CASE WHEN label_source = 'votes' THEN 'settled'"
            " WHEN state IN ('unlabeled', 'in_progress') THEN 'open' ELSE 'stuck' END AS kind,"
            " n_labels, COUNT(*) FROM item WHERE project_id = ? AND (label_source = 'votes'"
            " OR state IN ('unlabeled', 'in_progress', 'needs_review')) GROUP BY kind, n_labels",
            (project_id,),
        )
