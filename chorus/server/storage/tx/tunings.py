"""Fine-tunings, and the items they learned from."""

from __future__ import annotations

from collections.abc import Sequence

from chorus.server.domain.model import Tuning
from chorus.server.storage.tx.base import TUNING, Base, marks


class TuningSql(Base):
    def put_tuning(self, record: Tuning) -> None:
        self.run(
            f"INSERT INTO tuning ({TUNING}) VALUES ({marks(len(record.__struct_fields__))})"
            " ON CONFLICT (project_id, number) DO UPDATE SET state = excluded.state,"
            " labels = excluded.labels, backbone = excluded.backbone,"
            " finished_at = excluded.finished_at, body = excluded.body",
            [getattr(record, f) for f in record.__struct_fields__],
        )

    def tunings(self, project_id: str) -> list[Tuning]:
        """Oldest first."""
        return [
            Tuning(*row)
            for row in self.rows(
                f"SELECT {TUNING} FROM tuning WHERE project_id = ? ORDER BY number", (project_id,)
            )
        ]

    def mark_tuned(self, item_ids: Sequence[int], number: int) -> None:
        """Fine-tuning `number` learns from these items, if no earlier one did."""
        self.run_many(
            "UPDATE item SET tuned = ? WHERE item_id = ? AND tuned = 0",
            [(number, item_id) for item_id in item_ids],
        )
