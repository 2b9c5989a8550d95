"""Projects, their classes and settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from chorus.server.domain.model import LabelClass, Project, StartOver
from chorus.server.domain.values import Schema
from chorus.server.storage.tx.base import PROJECT, START_OVER, Base, marks

_BOOLS = ("cluster", "prelabel", "fine_tune", "show_pace", "show_agreement", "second_look")
SETTINGS = (
    "name", "description", "instructions", "page_size", "lease_ms", "target", "cluster",
    "prelabel", "votes_min", "votes_max", "skips_max", "consensus", "state", "gold_rate",
    "audit_share", "set_rule", "ordering", "instructions_rev", "fine_tune",
    "show_pace", "show_agreement", "practice", "iou", "shape_agreement",
    "networks", "second_look",
)  # fmt: skip


def _project(row: Sequence[Any]) -> Project:
    project = Project(*row)
    project.cluster = bool(project.cluster)
    project.prelabel = bool(project.prelabel)
    project.fine_tune = bool(project.fine_tune)
    project.show_pace = bool(project.show_pace)
    project.show_agreement = bool(project.show_agreement)
    project.second_look = bool(project.second_look)
    return project


class ProjectSql(Base):
    def project(self, project_id: str) -> Project | None:
        known = self.known
        row = None if known is None else known.projects.get(project_id)
        if row is None:
            row = self.row(f"SELECT {PROJECT} FROM project WHERE project_id = ?", (project_id,))
            if row is None:
                return None
        project = _project(row)
        if known is not None:
            known.projects[project_id] = row
            project.last_seq = known.heads.get(project_id, project.last_seq)
        return project

    def projects(self) -> list[Project]:
        return [
            _project(row)
            for row in self.rows(
                f"SELECT {PROJECT} FROM project WHERE state <> 'deleting' ORDER BY created_at"
            )
        ]

    def projects_of(self, user_id: str) -> list[Project]:
        return [
            _project(row)
            for row in self.rows(
                f"SELECT {PROJECT} FROM project WHERE project_id IN"
                " (SELECT project_id FROM member WHERE user_id = ?) AND state <> 'deleting'"
                " ORDER BY created_at",
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
            LabelClass(*row)
            for row in self.rows(
                "SELECT name, color, key FROM label_class WHERE project_id = ? ORDER BY idx",
                (project_id,),
            )
        ]

    def schema(self, project: Project) -> Schema:
        """What a label of the project is."""
        known = None if self.known is None else self.known.schemas
        if known is not None and (found := known.get(project.project_id)) is not None:
            return found
        former = dict(
            self.rows(
                "SELECT name, idx FROM former_name WHERE project_id = ?", (project.project_id,)
            )
        )
        schema = Schema(project.task_type, self.classes(project.project_id), former)
        if known is not None:
            known[project.project_id] = schema
        return schema

    def add_class(self, project_id: str, idx: int, label_class: LabelClass) -> None:
        self.run(
            "INSERT INTO label_class (project_id, idx, name, color, key) VALUES (?,?,?,?,?)",
            (project_id, idx, label_class.name, label_class.color, label_class.key),
        )
        self.run(
            "UPDATE project SET class_count = class_count + 1 WHERE project_id = ?", (project_id,)
        )

    def has_items(self, project_id: str) -> bool:
        row = self.row(
            "SELECT 1 FROM item WHERE project_id = ? AND state <> 'removed' LIMIT 1", (project_id,)
        )
        return row is not None

    def change_class(self, project_id: str, idx: int, to: LabelClass, was: str) -> None:
        """Another name, colour or key; the name it `was` stays known."""
        self.run(
            "UPDATE label_class SET name = ?, color = ?, key = ? WHERE project_id = ? AND idx = ?",
            (to.name, to.color, to.key, project_id, idx),
        )
        if to.name != was:
            self.run(
                "INSERT INTO former_name VALUES (?,?,?) ON CONFLICT (project_id, name)"
                " DO UPDATE SET idx = excluded.idx",
                (project_id, was, idx),
            )

    def start_over(self, project_id: str) -> StartOver | None:
        """A start over that is not at its end yet."""
        row = self.row(f"SELECT {START_OVER} FROM start_over WHERE project_id = ?", (project_id,))
        return StartOver(*row) if row else None

    def starts_over(self) -> list[str]:
        """The projects that are starting over."""
        return [row[0] for row in self.rows("SELECT project_id FROM start_over")]

    def put_start_over(self, begun: StartOver) -> None:
        values = [int(v) if isinstance(v, bool) else v for v in msgspec.structs.astuple(begun)]
        self.run(
            f"INSERT INTO start_over ({START_OVER}) VALUES ({marks(len(values))})"
            " ON CONFLICT (project_id) DO UPDATE SET after_item = excluded.after_item,"
            " done = excluded.done",
            values,
        )

    def end_start_over(self, project_id: str) -> None:
        self.run("DELETE FROM start_over WHERE project_id = ?", (project_id,))

    def to_start_over(self, project_id: str, after: int, limit: int) -> list[int]:
        """Items that have anything to set aside, in order: standing votes or a decision. Gold keeps
        its label, and what was removed stays so."""
        return [
            row[0]
            for row in self.rows(
                "SELECT item_id FROM item WHERE project_id = ? AND item_id > ? AND gold = 0"
                " AND COALESCE(review, '') <> 'removed' AND (review IS NOT NULL"
                " OR n_labels > 0 OR n_skips > 0 OR n_flags > 0) ORDER BY item_id LIMIT ?",
                (project_id, after, limit),
            )
        ]

    def names_in_folders(self, project_id: str) -> list[str]:
        """Names of items that lie in a folder."""
        return [
            row[0]
            for row in self.rows(
                "SELECT name FROM item WHERE project_id = ? AND name LIKE '%/%'", (project_id,)
            )
        ]

    def import_faults(self, project_id: str) -> list[tuple[str, int]]:
        """(reason, how often) of the project's imports."""
        return self.rows(
            "SELECT f.reason, COUNT(*) FROM fault f JOIN job j ON j.job_id = f.job_id"
            " WHERE j.project_id = ? AND j.kind = 'import' GROUP BY f.reason",
            (project_id,),
        )

    def count_items(self, project_id: str) -> int:
        (n,) = self.row(
            "SELECT COUNT(*) FROM item WHERE project_id = ? AND state <> 'removed'", (project_id,)
        )
        return int(n)
