"""Projects that are being thought out in the wizard."""

from __future__ import annotations

import msgspec

from chorus.server.domain.model import Draft
from chorus.server.storage.tx.base import DRAFT, Base, marks


class DraftSql(Base):
    def draft(self, draft_id: str) -> Draft | None:
        row = self.row(f"SELECT {DRAFT} FROM draft WHERE draft_id = ?", (draft_id,))
        return Draft(*row) if row else None

    def drafts_of(self, user_id: str) -> list[Draft]:
        """Newest first."""
        return [
            Draft(*row)
            for row in self.rows(
                f"SELECT {DRAFT} FROM draft WHERE user_id = ? ORDER BY updated_at DESC", (user_id,)
            )
        ]

    def draft_ids(self) -> set[str]:
        return {row[0] for row in self.rows("SELECT draft_id FROM draft")}

    def put_draft(self, draft: Draft) -> None:
        values = msgspec.structs.astuple(draft)
        self.run(
            f"INSERT INTO draft ({DRAFT}) VALUES ({marks(len(values))})"
            " ON CONFLICT (draft_id) DO UPDATE SET body = excluded.body,"
            " updated_at = excluded.updated_at",
            values,
        )

    def drop_draft(self, draft_id: str) -> None:
        self.run("DELETE FROM draft WHERE draft_id = ?", (draft_id,))
