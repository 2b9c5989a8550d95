"""Reading a whole project in chunks, for exports and fsck."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chorus.server.storage.tx.base import Base, marks


class ExportSql(Base):
    def export_votes(self, item_ids: Sequence[int]) -> list[Any]:
        """Every vote ever cast on these items, by item and oldest first: (item_id, vote_id,
        user_id, login, kind, value, page_kind, prelabel, created_at, duration_ms, stands,
        supersedes)."""
        return self.rows(
            "SELECT v.item_id, v.vote_id, v.user_id, p.login, v.kind, v.value, v.page_kind,"
            " v.prelabel, v.created_at, v.duration_ms, s.vote_id IS NOT NULL, v.supersedes"
            " FROM vote v JOIN person p ON p.user_id = v.user_id"
            " LEFT JOIN standing s ON s.item_id = v.item_id AND s.user_id = v.user_id"
            " AND s.vote_id = v.vote_id"
            f" WHERE v.item_id IN ({marks(len(item_ids))}) ORDER BY v.item_id, v.seq",
            item_ids,
        )

    def delete_job(self, job_id: str) -> None:
        self.run("DELETE FROM job WHERE job_id = ?", (job_id,))

    def integrity(self) -> str:
        (verdict,) = self.row("PRAGMA integrity_check")
        return str(verdict)
