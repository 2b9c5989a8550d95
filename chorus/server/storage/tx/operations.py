"""What a server says of itself."""

from __future__ import annotations

from chorus.server.storage.tx.base import Base


class OperationsSql(Base):
    def beat(self, at: int) -> None:
        """Write something, to see that it can be done."""
        self.run(
            "INSERT INTO beat (one, at) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET"
            " at = excluded.at",
            (at,),
        )

    def jobs_by_state(self) -> dict[tuple[str, str], int]:
        """(kind, state) -> jobs, of all projects."""
        found = self.rows("SELECT kind, state, COUNT(*) FROM job GROUP BY kind, state")
        return {(kind, state): n for kind, state, n in found}
