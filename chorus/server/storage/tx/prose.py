"""Instructions: their pictures, and who has read which revision."""

from __future__ import annotations

from chorus.server.storage.tx.base import Base


class ProseSql(Base):
    def read_revision(self, project_id: str, user_id: str) -> int:
        row = self.row(
            "SELECT revision FROM instructions_read WHERE project_id = ? AND user_id = ?",
            (project_id, user_id),
        )
        return int(row[0]) if row else 0

    def set_read(self, project_id: str, user_id: str, revision: int, at: int) -> None:
        self.run(
            "INSERT INTO instructions_read VALUES (?,?,?,?) ON CONFLICT (project_id, user_id)"
            " DO UPDATE SET revision = excluded.revision, at = excluded.at",
            (project_id, user_id, revision, at),
        )

    def readers(self, project_id: str) -> dict[str, tuple[int, int]]:
        """user_id -> (newest revision read, when)."""
        rows = self.rows(
            "SELECT user_id, revision, at FROM instructions_read WHERE project_id = ?",
            (project_id,),
        )
        return {user_id: (revision, at) for user_id, revision, at in rows}

    def add_prose_picture(
        self, project_id: str, content_hash: str, media_type: str, at: int
    ) -> None:
        self.run(
            "INSERT INTO prose_picture VALUES (?,?,?,?) ON CONFLICT DO NOTHING",
            (project_id, content_hash, media_type, at),
        )

    def prose_picture(self, project_id: str, content_hash: str) -> str | None:
        """The media type; None when the project has no such picture."""
        row = self.row(
            "SELECT media_type FROM prose_picture WHERE project_id = ? AND content_hash = ?",
            (project_id, content_hash),
        )
        return str(row[0]) if row else None

    def move_prose_pictures(self, draft_id: str, project_id: str) -> None:
        """Those of a draft are the project's that is made of it."""
        self.run(
            "UPDATE prose_picture SET project_id = ? WHERE project_id = ?", (project_id, draft_id)
        )

    def drop_prose_pictures(self, draft_id: str) -> list[str]:
        """Content hashes of those that nothing else uses."""
        mine = [content_hash for content_hash, _ in self.prose_pictures(draft_id)]
        self.run("DELETE FROM prose_picture WHERE project_id = ?", (draft_id,))
        return [
            one
            for one in mine
            if self.row(
                "SELECT 1 FROM prose_picture WHERE content_hash = ? UNION ALL SELECT 1"
                " FROM project p JOIN item i ON i.project_id = p.project_id"
                " AND i.content_hash = ? LIMIT 1",
                (one, one),
            )
            is None
        ]

    def prose_pictures(self, project_id: str) -> list[tuple[str, str]]:
        """(content_hash, media type) of all."""
        return self.rows(
            "SELECT content_hash, media_type FROM prose_picture WHERE project_id = ?",
            (project_id,),
        )
