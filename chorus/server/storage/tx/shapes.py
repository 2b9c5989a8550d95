"""What people made of the model's shapes, and all their shapes for what is counted over them."""

from __future__ import annotations

from typing import NamedTuple

from chorus.server.domain.shape_changes import ShapeChanges
from chorus.server.storage.tx.base import Base


class ShapeVote(NamedTuple):
    """A standing label vote in a project of shapes, with its item's label; values are canonical."""

    item_id: int
    user_id: str
    value: str
    prelabel: str | None
    label: str | None
    label_source: str | None


_COUNTS = ", ".join(f"SUM(c.{name})" for name in ShapeChanges.__struct_fields__)


class ShapeSql(Base):
    def add_shape_changes(
        self, project_id: str, item_id: int, vote_id: str, user_id: str, round: int | None,
        changes: ShapeChanges,
    ) -> None:  # fmt: skip
        """Of a vote; round: whose shapes they were."""
        self.run(
            "INSERT INTO shape_change VALUES (?,?,?,?,?,?,?,?,?,?)",
            (
                item_id, vote_id, project_id, user_id, round, changes.kept, changes.moved,
                changes.reclassed, changes.added, changes.dropped,
            ),
        )  # fmt: skip

    def shape_changes(self, project_id: str) -> list[tuple[str, int | None, int, ShapeChanges]]:
        """(user_id, round, standing votes, what they changed, summed)."""
        return [
            (row[0], row[1], row[2], ShapeChanges(*row[3:]))
            for row in self.rows(
                f"SELECT c.user_id, c.round, COUNT(*), {_COUNTS} FROM shape_change c"
                " JOIN standing s ON s.item_id = c.item_id AND s.user_id = c.user_id"
                " AND s.vote_id = c.vote_id WHERE c.project_id = ? GROUP BY c.user_id, c.round"
                " ORDER BY c.user_id, c.round",
                (project_id,),
            )
        ]

    def shape_changes_between(
        self, project_id: str, first: int, last: int
    ) -> list[tuple[str, str, str, ShapeChanges]]:
        """(vote_id, prelabel, value, what is kept of it) of items first..last (ids, inclusive)."""
        return [
            (row[0], row[1], row[2], ShapeChanges(*row[3:]))
            for row in self.rows(
                "SELECT c.vote_id, v.prelabel, v.value, c.kept, c.moved, c.reclassed, c.added,"
                " c.dropped FROM shape_change c JOIN vote v ON v.vote_id = c.vote_id"
                " WHERE c.item_id BETWEEN ? AND ? AND c.project_id = ?",
                (first, last, project_id),
            )
        ]

    def shape_votes(self, project_id: str, after: int, limit: int) -> list[ShapeVote]:
        """Standing label votes of the next items behind `after` that have any, by item and person;
        all of each item, of `limit` items at most."""
        return [
            ShapeVote(*row)
            for row in self.rows(
                "SELECT s.item_id, s.user_id, s.value, s.prelabel, i.label, i.label_source"
                " FROM standing s JOIN item i ON i.item_id = s.item_id WHERE s.item_id IN"
                " (SELECT item_id FROM item WHERE project_id = ? AND item_id > ? AND n_labels > 0"
                " ORDER BY item_id LIMIT ?) AND s.kind = 'label' ORDER BY s.item_id, s.user_id",
                (project_id, after, limit),
            )
        ]
