"""Imports of labels: which item a file means, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence

from chorus.server.domain.model import Item, Job
from chorus.server.storage.tx.base import ITEM, JOB, Base, marks


class LabelImportSql(Base):
    def items_by_name(self, project_id: str, names: Sequence[str]) -> list[Item]:
        """Several may have the same one."""
        return [
            Item(*row)
            for row in self.rows(
                f"SELECT {ITEM} FROM item WHERE project_id = ? AND name IN ({marks(len(names))})"
                " ORDER BY item_id",
                [project_id, *names],
            )
        ]

    def names_after(self, project_id: str, after: int, limit: int) -> list[tuple[int, str]]:
        """(item_id, name) of the next items, by item_id."""
        return self.rows(
            "SELECT item_id, name FROM item WHERE project_id = ? AND item_id > ?"
            " ORDER BY item_id LIMIT ?",
            (project_id, after, limit),
        )

    def mark_outside(self, item_ids: Sequence[int]) -> None:
        """What is said of these items proves nothing of the model from here on."""
        self.run(f"UPDATE item SET outside = 1 WHERE item_id IN ({marks(len(item_ids))})", item_ids)

    def jobs_in(self, kind: str, state: str) -> list[Job]:
        """Of all projects."""
        return [
            Job(*row)
            for row in self.rows(
                f"SELECT {JOB} FROM job WHERE kind = ? AND state = ? ORDER BY created_at, job_id",
                (kind, state),
            )
        ]

    def brought_in(self, item_id: int, seq: int) -> bool:
        """Is this decision of an import of labels? Else it is the label that the item came with."""
        row = self.row(
            "SELECT bulk_id FROM review WHERE item_id = ? AND seq = ? AND action = 'import'",
            (item_id, seq),
        )
        return row is not None and row[0] is not None

    def clear_faults(self, job_id: str) -> None:
        self.run("DELETE FROM fault WHERE job_id = ?", (job_id,))
