"""The parameters that votes are merged with, by revision."""

from __future__ import annotations

import msgspec

from chorus.server.consensus.estimate import Estimate
from chorus.server.consensus.live import Params, default_params, widened
from chorus.server.domain.model import Project
from chorus.server.storage.tx.base import Base

CACHE_MAX = 64
_cache: dict[tuple[str, str, int, int], Params] = {}
"""A revision that was kept never changes, so what was read once holds; the epoch tells databases
apart."""


class EstimateSql(Base):
    def params(self, project: Project) -> Params:
        """What `project` merges votes with now."""
        return self.params_of(project, project.estimate_rev)

    def params_of(self, project: Project, rev: int) -> Params:
        key = (project.project_id, project.epoch, rev, project.class_count)
        found = _cache.get(key)
        if found is None:
            found = self.stored_params(project, rev)
            if len(_cache) >= CACHE_MAX:
                _cache.pop(next(iter(_cache)), None)
            _cache[key] = found
        return found

    def stored_params(self, project: Project, rev: int) -> Params:
        """As `params_of`, from the tables themselves."""
        estimate = self._estimate(project.project_id, rev)
        found = default_params(1) if estimate is None else estimate.params
        return widened(found, project.class_count)

    def add_estimate(self, project: Project, votes: int, estimate: Estimate, at: int) -> int:
        """Keep a new revision and let votes be merged with it from now on; returns its number."""
        project_id, rev = project.project_id, project.estimate_rev + 1
        # Its number may have been another one's, whose commit failed after votes were merged by it.
        for key in list(_cache):
            if key[:3] == (project_id, project.epoch, rev):
                _cache.pop(key, None)
        self.run(
            "INSERT INTO estimate (project_id, rev, votes, body, created_at) VALUES (?,?,?,?,?)",
            (project_id, rev, votes, msgspec.json.encode(estimate).decode(), at),
        )
        self.run("UPDATE project SET estimate_rev = ? WHERE project_id = ?", (rev, project_id))
        self.run("DELETE FROM estimate WHERE project_id = ? AND rev < ?", (project_id, rev - 1))
        return rev

    def estimate(self, project: Project) -> Estimate | None:
        """The newest one; None before the first."""
        return self._estimate(project.project_id, project.estimate_rev)

    def _estimate(self, project_id: str, rev: int) -> Estimate | None:
        row = self.row(
            "SELECT body FROM estimate WHERE project_id = ? AND rev = ?", (project_id, rev)
        )
        return msgspec.json.decode(row[0], type=Estimate) if row else None

    def estimated_votes(self, project_id: str, rev: int) -> int | None:
        """The number of votes a revision was made from."""
        row = self.row(
            "SELECT votes FROM estimate WHERE project_id = ? AND rev = ?", (project_id, rev)
        )
        return int(row[0]) if row else None

    def set_landed(self, project_id: str, rev: int) -> None:
        self.run("UPDATE project SET landed_rev = ? WHERE project_id = ?", (rev, project_id))

    def merge_rows(self, project_id: str, after: int, limit: int) -> list[tuple[int, str | None]]:
        """(item_id, model_probs) of items with votes, in order of item_id."""
        return self.rows(
            "SELECT item_id, model_probs FROM item WHERE project_id = ? AND item_id > ?"
            " AND n_labels > 0 ORDER BY item_id LIMIT ?",
            (project_id, after, limit),
        )
