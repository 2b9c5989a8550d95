"""Teams, who is in them, and which projects they are in."""

from __future__ import annotations

from chorus.server.storage.tx.base import Base


class TeamSql(Base):
    def teams(self) -> list[tuple[str, str]]:
        """(team_id, name), by name."""
        return [tuple(r) for r in self.rows("SELECT team_id, name FROM team ORDER BY name")]

    def team(self, team_id: str) -> str | None:
        """Its name."""
        row = self.row("SELECT name FROM team WHERE team_id = ?", (team_id,))
        return str(row[0]) if row else None

    def team_named(self, name: str) -> str | None:
        row = self.row("SELECT team_id FROM team WHERE name = ?", (name,))
        return str(row[0]) if row else None

    def put_team(self, team_id: str, name: str, at: int) -> None:
        self.run(
            "INSERT INTO team VALUES (?,?,?) ON CONFLICT (team_id) DO UPDATE SET"
            " name = excluded.name",
            (team_id, name, at),
        )

    def drop_team(self, team_id: str) -> None:
        """With who is in it and where it is."""
        for table in ("team_person", "team_role", "team"):
            self.run(f"DELETE FROM {table} WHERE team_id = ?", (team_id,))

    def set_team_person(self, team_id: str, user_id: str, there: bool) -> None:
        if there:
            self.run("INSERT OR IGNORE INTO team_person VALUES (?,?)", (team_id, user_id))
        else:
            self.run(
                "DELETE FROM team_person WHERE team_id = ? AND user_id = ?", (team_id, user_id)
            )

    def set_team_role(self, project_id: str, team_id: str, role: str | None) -> None:
        """None: the team is not in the project (any more)."""
        if role is None:
            self.run(
                "DELETE FROM team_role WHERE project_id = ? AND team_id = ?", (project_id, team_id)
            )
        else:
            self.run(
                "INSERT INTO team_role VALUES (?,?,?) ON CONFLICT (project_id, team_id)"
                " DO UPDATE SET role = excluded.role",
                (project_id, team_id, role),
            )

    def team_people(self) -> list[tuple[str, str]]:
        """(team_id, user_id) of all, in order of names."""
        return [
            tuple(r)
            for r in self.rows(
                "SELECT t.team_id, t.user_id FROM team_person t"
                " JOIN person p ON p.user_id = t.user_id ORDER BY p.name, p.user_id"
            )
        ]

    def people_of_team(self, team_id: str) -> list[str]:
        found = self.rows("SELECT user_id FROM team_person WHERE team_id = ?", (team_id,))
        return [row[0] for row in found]

    def team_roles(self) -> list[tuple[str, str, str]]:
        """(team_id, project_id, role) of all."""
        return [
            tuple(r)
            for r in self.rows(
                "SELECT t.team_id, t.project_id, t.role FROM team_role t"
                " JOIN project p ON p.project_id = t.project_id"
                " WHERE p.state <> 'deleting' ORDER BY p.name, t.project_id"
            )
        ]

    def projects_of_team(self, team_id: str) -> list[str]:
        found = self.rows("SELECT project_id FROM team_role WHERE team_id = ?", (team_id,))
        return [row[0] for row in found]

    def roles_by_teams(self, project_id: str, user_id: str) -> list[str]:
        """The roles of the person's teams in a project."""
        return [
            row[0]
            for row in self.rows(
                "SELECT r.role FROM team_role r JOIN team_person p ON p.team_id = r.team_id"
                " WHERE r.project_id = ? AND p.user_id = ?",
                (project_id, user_id),
            )
        ]

    def membership(self, project_id: str, user_id: str) -> tuple[str, bool] | None:
        """(role, whether it is by the person's teams alone)."""
        row = self.row(
            "SELECT role, by_team FROM member WHERE project_id = ? AND user_id = ?",
            (project_id, user_id),
        )
        return (row[0], bool(row[1])) if row else None
