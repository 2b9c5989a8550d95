"""Deleting a project, chunk by chunk."""

from __future__ import annotations

from chorus.server.storage.tx.base import Base, marks

OF_ITEMS = (
    "vote", "standing", "check_vote", "lease", "review", "pace_item", "comment", "comment_read",
    "practice_answer", "gold_note", "shape_change",
)  # fmt: skip
"""Tables whose rows are found by item_id."""
OF_PROJECT = (
    "page", "start_over", "former_name", "label_class", "member", "estimate", "takeback",
    "check_debt", "feature_pass", "pace_mark", "pace_time", "pace_error", "round", "job",
    "board_copy", "board_point", "instructions_read", "prose_picture", "invite", "tuning",
    "source",
    "token",
    "webhook",
    "delivery",
    "practice",
    "team_role",
    "assignment",
    "assignee",
)  # fmt: skip
"""Tables whose rows are few, or have an index that begins with project_id."""
ELSEWHERE = ("item", "event", "project", "erasure")
"""Deleted by themselves; an erasure only says which project it has got to."""


class DeletingSql(Base):
    def deleted_projects(self) -> list[str]:
        """Those that are not gone altogether yet."""
        return [
            row[0] for row in self.rows("SELECT project_id FROM project WHERE state = 'deleting'")
        ]

    def busy(self, project_id: str) -> bool:
        """A round or an import is running."""
        return (
            self.row(
                "SELECT 1 FROM job WHERE project_id = ?"
                " AND state IN ('running', 'waiting', 'landing')"
                " UNION ALL SELECT 1 FROM round WHERE project_id = ? AND state = 'running'"
                " UNION ALL SELECT 1 FROM tuning WHERE project_id = ? AND state = 'running'"
                " LIMIT 1",
                (project_id, project_id, project_id),
            )
            is not None
        )

    def lends(self, project_id: str) -> bool:
        """Another project shows pictures that only a source of this one says where to find."""
        return (
            self.row(
                "SELECT 1 FROM source s JOIN source_object o ON o.source_id = s.source_id"
                " JOIN project p JOIN item i ON i.project_id = p.project_id"
                " AND i.content_hash = o.content_hash"
                " WHERE s.project_id = ? AND (s.mode = 'reference' OR o.state = 'new')"
                " AND p.project_id <> ?"
                " AND NOT EXISTS (SELECT 1 FROM source_object e JOIN source t"
                " ON t.source_id = e.source_id WHERE e.content_hash = o.content_hash"
                " AND t.project_id <> ?) LIMIT 1",
                (project_id, project_id, project_id),
            )
            is not None
        )

    def own_content(self, project_id: str, limit: int) -> list[str]:
        """Content hashes of the project's next items that no other project has, in whichever use;
        of its instructions' pictures as well once no items are left."""
        other = (
            "NOT EXISTS (SELECT 1 FROM project p JOIN item o ON o.project_id = p.project_id"
            " AND o.content_hash = x.content_hash WHERE p.project_id <> ?)"
            " AND NOT EXISTS (SELECT 1 FROM project p JOIN prose_picture o"
            " ON o.project_id = p.project_id AND o.content_hash = x.content_hash"
            " WHERE p.project_id <> ?)"
            " AND NOT EXISTS (SELECT 1 FROM draft d JOIN prose_picture o"
            " ON o.project_id = d.draft_id AND o.content_hash = x.content_hash)"
        )
        found = self.rows(
            "SELECT content_hash FROM (SELECT content_hash FROM item WHERE project_id = ?"
            f" ORDER BY item_id LIMIT ?) AS x WHERE {other}",
            (project_id, limit, project_id, project_id),
        )
        pictures = self.rows(
            "SELECT x.content_hash FROM prose_picture AS x WHERE x.project_id = ?"
            f" AND {other} AND NOT EXISTS (SELECT 1 FROM item i WHERE i.project_id = ?)",
            (project_id, project_id, project_id, project_id),
        )
        return [row[0] for row in (*found, *pictures)]

    def delete_some(self, project_id: str, items: int, events: int) -> bool:
        """Delete the project's next items with all that hangs on them, and some events; whether
        there may be more."""
        ids = [
            row[0]
            for row in self.rows(
                "SELECT item_id FROM item WHERE project_id = ? ORDER BY item_id LIMIT ?",
                (project_id, items),
            )
        ]
        if ids:
            for table in OF_ITEMS:
                self.run(f"DELETE FROM {table} WHERE item_id IN ({marks(len(ids))})", ids)
            self.run(f"DELETE FROM item WHERE item_id IN ({marks(len(ids))})", ids)
        gone = self.run(
            "DELETE FROM event WHERE project_id = ? AND seq IN"
            " (SELECT seq FROM event WHERE project_id = ? ORDER BY seq LIMIT ?)",
            (project_id, project_id, events),
        )
        return bool(ids) or gone > 0

    def delete_project(self, project_id: str) -> None:
        """What is left of it once items and events are gone."""
        self.run(
            "DELETE FROM fault WHERE job_id IN (SELECT job_id FROM job WHERE project_id = ?)",
            (project_id,),
        )
        self.run(
            "DELETE FROM source_object WHERE source_id IN"
            " (SELECT source_id FROM source WHERE project_id = ?)",
            (project_id,),
        )
        for table in (*OF_PROJECT, "project"):
            self.run(f"DELETE FROM {table} WHERE project_id = ?", (project_id,))
