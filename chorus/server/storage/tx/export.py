"""Reading a whole project in chunks, for exports and fsck."""

from __future__ import annotations

from typing import Any

from chorus.server.storage.tx.base import Base


class ExportSql(Base):
    def votes_between(self, project_id: str, first: int, last: int) -> list[Any]:
        """Votes on items first..last (ids, inclusive), by item and seq."""
        return self.rows(
            "SELECT v.item_id, v.vote_id, p.login, v.kind, v.value, v.page_kind, v.prelabel,"
            " v.created_at, v.duration_ms, s.vote_id IS NOT NULL, v.supersedes FROM vote v"
            " JOIN person p ON p.user_id = v.user_id"
            " LEFT JOIN standing s ON s.item_id = v.item_id AND s.user_id = v.user_id"
            " AND s.vote_id = v.vote_id"
            " WHERE v.item_id BETWEEN ? AND ? AND v.project_id = ? ORDER BY v.item_id, v.seq",
            (first, last, project_id),
        )

    def integrity(self) -> str:
        (verdict,) = self.row("PRAGMA integrity_check")
        return str(verdict)
