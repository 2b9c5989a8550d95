"""Projects, their classes and settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from chorus.server.domain.model import LabelClass, Project
from chorus.server.domain.values import Schema
from chorus.server.storage.tx.base import PROJECT, Base, marks

_BOOLS = ("cluster", "prelabel")
SETTINGS = (
    "name", "description", "instructions", "page_size", "lease_ms", "target", "cluster",
    "prelabel", "votes_min", "votes_max", "skips_max", "consensus", "state", "gold_rate",
    "audit_share", "set_rule", "ordering",
)  # fmt: skip


def _project(row: Sequence[Any]) -> Project:
    project = Project(*row)
    project.cluster = bool(project.cluster)
    project.prelabel = bool(project.prelabel)
    return project


class ProjectSql(Base):
    def project(self, project_id: str) -> Project | None:
        row = self.row(f"SELECT {PROJECT} FROM project WHERE project_id = ?", (project_id,))
        return _project(row) if row else None

    def projects(self) -> list[Project]:
        return [
            _project(row) for row in self.rows(f"SELECT {PROJECT} FROM project ORDER BY created_at")
        ]

    def projects_of(self, user_id: str) -> list[Project]:
        return [
            _project(row)
            for row in self.rows(
                f"SELECT {PROJECT} FROM project WHERE project_id IN"
                " (SELECT project_id FROM member WHERE user_id = ?) ORDER BY created_at",
                (user_id,),
            )
        ]

    def add_project(self, project: Project) -> None:
        values = [int(v) if isinstance(v, bool) else v for v in msgspec.structs.astuple(project)]
        self.run(f"INSERT INTO project ({PROJECT}) VALUES ({marks(len(values))})", values)

    def change_project(self, project_id: str, changes: dict[str, Any]) -> None:
        """Set some of SETTINGS."""
        unknown = set(changes) - set(SETTINGS)
        if unknown:
            raise ValueError(f"not settings: {sorted(unknown)}")
        names = list(changes)
        values = [int(changes[n]) if n in _BOOLS else changes[n] for n in names]
        self.run(
            f"UPDATE project SET {', '.join(f'{n} = ?' for n in names)} WHERE project_id = ?",
            [*values, project_id],
        )

    def add_remerge(self, project_id: str) -> None:
        """The rules have changed, and not every item follows them yet."""
        self.run(
            "UPDATE project SET remerge_due = remerge_due + 1 WHERE project_id = ?", (project_id,)
        )

    def end_remerge(self, project_id: str, due: int) -> None:
        """All items follow the rules, unless those have changed again since they were `due`."""
        self.run(
            "UPDATE project SET remerge_due = 0 WHERE project_id = ? AND remerge_due = ?",
            (project_id, due),
        )

    def classes(self, project_id: str) -> list[LabelClass]:
        return [
            LabelClass(name, color)
            for name, color in self.rows(
                "SELECT name, color FROM label_class WHERE project_id = ? ORDER BY idx",
                (project_id,),
            )
        ]

    def schema(self, project: Project) -> Schema:
        """What a label of the project is."""
        return Schema(project.task_type, self.classes(project.project_id))

    def add_class(self, project_id: str, idx: int, label_class: LabelClass) -> None:
        self.run(
            "INSERT INTO label_class VALUES (?,?,?,?)",
            (project_id, idx, label_class.name, label_class.color),
        )
        self.run(
            "UPDATE project SET class_count = class_count + 1 WHERE project_id = ?", (project_id,)
        )

    def has_items(self, project_id: str) -> bool:
        row = self.row(
            "SELECT 1 FROM item WHERE project_id = ? AND state <> 'removed' LIMIT 1", (project_id,)
        )
        return row is not None

    def count_items(self, project_id: str) -> int:
        (n,) = self.row(
            "SELECT COUNT(*) FROM item WHERE project_id = ? AND state <> 'removed'", (project_id,)
        )
        return int(n)
