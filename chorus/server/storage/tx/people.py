"""Persons, tokens, invitations, memberships."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from chorus.server.domain.model import Invite, User
from chorus.server.storage.tx.base import INVITE, USER, Base, marks, padded, supervising


class PeopleSql(Base):
    def user(self, user_id: str) -> User | None:
        row = self.row(f"SELECT {USER} FROM person WHERE user_id = ?", (user_id,))
        return User(*row) if row else None

    def user_by_login(self, login: str) -> User | None:
        row = self.row(f"SELECT {USER} FROM person WHERE login = ?", (login,))
        return User(*row) if row else None

    def users(self) -> list[User]:
        return [User(*row) for row in self.rows(f"SELECT {USER} FROM person ORDER BY login")]

    def has_admin(self) -> bool:
        return self.row("SELECT 1 FROM person WHERE admin = 1 LIMIT 1") is not None

    def add_user(self, user: User) -> None:
        self.run(
            f"INSERT INTO person ({USER}) VALUES ({marks(len(User.__struct_fields__))})",
            (
                user.user_id,
                user.login,
                user.name,
                int(user.admin),
                user.password_hash,
                user.session_epoch,
                user.created_at,
                user.time_zone,
            ),
        )

    def people_at_work(self, project_id: str) -> int:
        """Members who have answered something and are not told to pause."""
        row = self.row(
            "SELECT COUNT(*) FROM member m WHERE m.project_id = ? AND m.paused_at IS NULL"
            " AND EXISTS (SELECT 1 FROM vote v WHERE v.user_id = m.user_id"
            " AND v.project_id = m.project_id)",
            (project_id,),
        )
        return int(row[0])

    def set_password(self, user_id: str, password_hash: str | None) -> None:
        """None: they have none any more. Whoever knew the old one is signed out."""
        self.run(
            "UPDATE person SET password_hash = ?, session_epoch = session_epoch + 1"
            " WHERE user_id = ?",
            (password_hash, user_id),
        )

    def set_admin(self, user_id: str, admin: bool = True) -> None:
        """Whoever is none any more has to sign in anew: an open session would still be one's."""
        self.run(
            "UPDATE person SET admin = ?, session_epoch = session_epoch + ? WHERE user_id = ?",
            (int(admin), int(not admin), user_id),
        )

    def set_name(self, user_id: str, name: str) -> None:
        self.run("UPDATE person SET name = ? WHERE user_id = ?", (name, user_id))

    def set_time_zone(self, user_id: str, time_zone: str) -> None:
        self.run("UPDATE person SET time_zone = ? WHERE user_id = ?", (time_zone, user_id))

    def count_admins(self) -> int:
        (n,) = self.row("SELECT COUNT(*) FROM person WHERE admin = 1")
        return int(n)

    def end_sessions(self, user_id: str) -> None:
        self.run(
            "UPDATE person SET session_epoch = session_epoch + 1 WHERE user_id = ?", (user_id,)
        )

    def session_epochs(self, user_ids: Iterable[str]) -> dict[str, int]:
        ids = padded(user_ids)
        rows = self.rows(
            f"SELECT user_id, session_epoch FROM person WHERE user_id IN ({marks(len(ids))})", ids
        )
        return dict(rows)

    def is_spent(self, what: str) -> bool:
        return self.row("SELECT 1 FROM spent WHERE what = ?", (what,)) is not None

    def spend(self, what: str, until: int, now: int) -> bool:
        """It is over, once; False: it was before. Forgotten at `until`, when it ends anyway."""
        self.run("DELETE FROM spent WHERE until < ?", (now,))
        return self.run("INSERT INTO spent VALUES (?,?) ON CONFLICT DO NOTHING", (what, until)) == 1

    def preference(self, user_id: str) -> str | None:
        """What the person has set for themselves, as JSON."""
        row = self.row("SELECT body FROM preference WHERE user_id = ?", (user_id,))
        return str(row[0]) if row else None

    def set_preference(self, user_id: str, body: str) -> None:
        self.run(
            "INSERT INTO preference VALUES (?,?) ON CONFLICT (user_id)"
            " DO UPDATE SET body = excluded.body",
            (user_id, body),
        )

    def add_invite(
        self,
        token_hash: str,
        role: str,
        project_id: str | None,
        created_by: str,
        at: int,
        expires_at: int,
        uses: int,
        whom: tuple[str | None, str | None, str | None] = (None, None, None),
    ) -> None:
        """`whom`: login, name and e-mail address of the one person it is for."""
        self.run(
            "INSERT INTO invite (token_hash, role, project_id, created_by, created_at, expires_at,"
            " uses_left, login, name, email) VALUES (?,?,?,?,?,?,?,?,?,?)",
            (token_hash, role, project_id, created_by, at, expires_at, uses, *whom),
        )

    def invite(self, token_hash: str, now: int) -> Invite | None:
        """A usable invitation."""
        row = self.row(
            f"SELECT {INVITE} FROM invite"
            " WHERE token_hash = ? AND expires_at > ? AND uses_left > 0",
            (token_hash, now),
        )
        return Invite(*row) if row else None

    def invites_to(self, email: str, now: int) -> list[Invite]:
        """The usable ones for one person at this address."""
        rows = self.rows(
            f"SELECT {INVITE} FROM invite WHERE email IS NOT NULL"
            " AND lower(email) = lower(?) AND login IS NOT NULL AND expires_at > ?"
            " AND uses_left > 0 ORDER BY created_at, token_hash",
            (email, now),
        )
        return [Invite(*row) for row in rows]

    def open_invites(self, project_id: str | None, now: int) -> list[Invite]:
        """The usable ones to a project, or of the whole server, the newest first."""
        rows = self.rows(
            f"SELECT {INVITE} FROM invite WHERE expires_at > ? AND uses_left > 0"
            " AND (? IS NULL OR (project_id = ? AND role <> 'admin'))"
            " ORDER BY created_at DESC, token_hash",
            (now, project_id, project_id),
        )
        return [Invite(*row) for row in rows]

    def end_invite(self, token_hash: str) -> None:
        self.run("UPDATE invite SET uses_left = 0 WHERE token_hash = ?", (token_hash,))

    def end_links(self, user_id: str, roles: Sequence[str], project_id: str | None) -> int:
        """End those invitations to these roles (in the project; an admin is one everywhere) by
        which this person could come: all but those for somebody else by name. How many."""
        return self.run(
            f"UPDATE invite SET uses_left = 0 WHERE uses_left > 0 AND role IN ({marks(len(roles))})"
            " AND (role = 'admin' OR project_id = ?)"
            " AND EXISTS (SELECT 1 FROM person p WHERE p.user_id = ? AND (invite.login IS NULL"
            " OR invite.login = p.login OR lower(invite.email) = lower(p.email)))",
            (*roles, project_id, user_id),
        )

    def users_by_email(self, email: str) -> list[User]:
        rows = self.rows(
            f"SELECT {USER} FROM person WHERE email IS NOT NULL AND lower(email) = lower(?)",
            (email,),
        )
        return [User(*row) for row in rows]

    def identity(self, issuer: str, sub: str) -> str | None:
        """Whose it is."""
        row = self.row("SELECT user_id FROM identity WHERE issuer = ? AND sub = ?", (issuer, sub))
        return str(row[0]) if row else None

    def has_identity(self, user_id: str) -> bool:
        """Do they sign in by a provider?"""
        return self.row("SELECT 1 FROM identity WHERE user_id = ?", (user_id,)) is not None

    def add_identity(self, issuer: str, sub: str, user_id: str, at: int) -> None:
        self.run("INSERT INTO identity VALUES (?,?,?,?)", (issuer, sub, user_id, at))

    def seen(self, user_id: str, at: int) -> None:
        self.run("UPDATE person SET last_seen_at = ? WHERE user_id = ?", (at, user_id))

    def set_email(self, user_id: str, email: str) -> None:
        self.run("UPDATE person SET email = ? WHERE user_id = ?", (email, user_id))

    def people_table(self) -> list[tuple[str, str | None, int | None]]:
        """(user_id, e-mail address, last seen) of everybody."""
        return [tuple(row) for row in self.rows("SELECT user_id, email, last_seen_at FROM person")]

    def all_roles(self) -> list[tuple[str, str, str, bool]]:
        """(user_id, project_id, role, by their teams alone) of every membership."""
        return [
            (*row[:3], bool(row[3]))
            for row in self.rows(
                "SELECT m.user_id, m.project_id, m.role, m.by_team FROM member m"
                " JOIN project p ON p.project_id = m.project_id"
                " WHERE p.state <> 'deleting' ORDER BY p.name, m.project_id"
            )
        ]

    def use_invite(self, token_hash: str) -> None:
        self.run("UPDATE invite SET uses_left = uses_left - 1 WHERE token_hash = ?", (token_hash,))

    def role(self, project_id: str, user_id: str) -> str | None:
        row = self.row(
            "SELECT role FROM member WHERE project_id = ? AND user_id = ?", (project_id, user_id)
        )
        return str(row[0]) if row else None

    def supervises(self, project_id: str, user_id: str) -> bool:
        """Is somebody a supervisor of the project, or an admin?"""
        (found,) = self.row(f"SELECT {supervising('?', '?')}", (user_id, project_id))
        return bool(found)

    def roles_of(self, user_id: str) -> list[str]:
        """The roles that a person has in any project."""
        return [
            row[0]
            for row in self.rows("SELECT DISTINCT role FROM member WHERE user_id = ?", (user_id,))
        ]

    def set_member(
        self, project_id: str, user_id: str, role: str, at: int, by_team: bool = False
    ) -> None:
        self.run(
            "INSERT INTO member (project_id, user_id, role, joined_at, by_team) VALUES (?,?,?,?,?)"
            " ON CONFLICT (project_id, user_id) DO UPDATE SET role = excluded.role,"
            " by_team = excluded.by_team",
            (project_id, user_id, role, at, int(by_team)),
        )

    def drop_member(self, project_id: str, user_id: str) -> int:
        return self.run(
            "DELETE FROM member WHERE project_id = ? AND user_id = ?", (project_id, user_id)
        )

    def members(self, project_id: str) -> list[dict[str, Any]]:
        return [
            {
                "user_id": u,
                "login": login,
                "name": name,
                "role": role,
                "paused": bool(paused),
                "by_team": bool(by_team),
                "last_seen_at": seen,
                "time_zone": zone,
            }
            for u, login, name, role, paused, by_team, seen, zone in self.rows(
                "SELECT p.user_id, p.login, p.name, m.role, m.paused_at IS NOT NULL, m.by_team,"
                " p.last_seen_at, p.time_zone"
                " FROM member m JOIN person p ON p.user_id = m.user_id"
                " WHERE m.project_id = ? ORDER BY p.login",
                (project_id,),
            )
        ]

    def member_page_size(self, project_id: str, user_id: str) -> int | None:
        row = self.row(
            "SELECT page_size FROM member WHERE project_id = ? AND user_id = ?",
            (project_id, user_id),
        )
        return row[0] if row else None

    def set_member_page_size(self, project_id: str, user_id: str, size: int) -> None:
        self.run(
            "UPDATE member SET page_size = ? WHERE project_id = ? AND user_id = ?",
            (size, project_id, user_id),
        )
