"""What is stored about one person: found, and taken away."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import msgspec

from chorus.server.storage.tx.base import Base

OF_PERSON: dict[str, tuple[str, ...]] = {
    "person": ("user_id",),
    "token": ("user_id",),
    "identity": ("user_id",),
    "preference": ("user_id",),
    "request_key": ("user_id",),
    "draft": ("user_id",),
    "team_person": ("user_id",),
    "member": ("user_id",),
    "instructions_read": ("user_id",),
    "comment": ("user_id", "labeler_id"),
    "comment_read": ("user_id",),
    "vote": ("user_id",),
    "standing": ("user_id",),
    "check_vote": ("user_id",),
    "check_debt": ("user_id",),
    "practice": ("user_id",),
    "practice_answer": ("user_id",),
    "lease": ("user_id",),
    "page": ("user_id",),
    "review": ("user_id",),
    "shape_change": ("user_id",),
    "takeback": ("user_id", "by_user"),
    "start_over": ("user_id",),
    "invite": ("created_by",),
    "job": ("created_by",),
    "source": ("created_by",),
    "webhook": ("created_by",),
    "assignment": ("created_by",),
    "item": ("added_by",),
    "assignee": ("id",),
    "erasure": ("user_id",),
}
"""Tables with an id of a person, and in which columns. A test fails for one that is not here."""
FORGOTTEN = ("token", "identity", "preference", "request_key", "draft", "team_person")
"""Tables whose rows go with the person; those of the others stay, under the pseudonym."""
SECRET = frozenset({"token_hash", "password_hash", "secret", "answer", "digest", "session_epoch"})
"""Columns that are nobody's business, not even theirs."""


class ErasingSql(Base):
    def rows_of_person(self, user_id: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """(table, row by column) of all that is stored with the person's id, table by table."""
        for table, names in OF_PERSON.items():
            where = " OR ".join(f"{name} = ?" for name in names)
            found = self.db.execute(f"SELECT * FROM {table} WHERE {where}", [user_id] * len(names))
            columns = [about[0] for about in found.description]
            for row in found:
                yield table, {
                    c: v for c, v in zip(columns, row, strict=True) if c not in SECRET
                }  # fmt: skip

    def notes_of_person(self, user_id: str) -> Iterator[tuple[str, int, int, str]]:
        """(project_id, seq, at, body) of notes by or to the person."""
        yield from self.db.execute(
            "SELECT project_id, seq, at, body FROM event WHERE type = 'note.added'"
            " AND (json_extract(body, '$.user_id') = ? OR json_extract(body, '$.to.user_id') = ?)",
            (user_id, user_id),
        )

    def boards_of_person(self, user_id: str) -> list[str]:
        """Ids of the projects whose dashboards name the person."""
        return [
            row[0]
            for row in self.rows(
                "SELECT project_id FROM member WHERE user_id = ?"
                " UNION SELECT project_id FROM vote WHERE user_id = ?",
                (user_id, user_id),
            )
        ]

    def project_ids(self) -> list[str]:
        return [row[0] for row in self.rows("SELECT project_id FROM project ORDER BY project_id")]

    def forget_person(self, user_id: str, login: str, email: str | None, pseudonym: str) -> None:
        """All that says who they are, in tables; the log follows (services/erasing.py)."""
        for table in FORGOTTEN:
            self.run(f"DELETE FROM {table} WHERE user_id = ?", (user_id,))
        self.run(
            "DELETE FROM invite WHERE login = ? OR (email IS NOT NULL AND lower(email) = lower(?))",
            (login, email or ""),
        )
        self.run(
            "UPDATE person SET login = ?, name = ?, email = NULL, password_hash = NULL, admin = 0,"
            " last_seen_at = NULL, time_zone = NULL, session_epoch = session_epoch + 1"
            " WHERE user_id = ?",
            (pseudonym, pseudonym, user_id),
        )

    # -- what is still to be done

    def add_erasure(self, user_id: str, pseudonym: str, known: set[str], at: int) -> None:
        self.run(
            "INSERT INTO erasure VALUES (?,?,?,'',0,?)",
            (user_id, pseudonym, msgspec.json.encode(sorted(known)).decode(), at),
        )

    def erasures(self) -> list[str]:
        return [row[0] for row in self.rows("SELECT user_id FROM erasure ORDER BY asked_at")]

    def erasure(self, user_id: str) -> tuple[str, set[str], str, int] | None:
        """(pseudonym, what they are known by, project reached, event reached)."""
        row = self.row(
            "SELECT pseudonym, known, project_id, seq FROM erasure WHERE user_id = ?", (user_id,)
        )
        return None if row is None else (row[0], set(msgspec.json.decode(row[1])), row[2], row[3])

    def set_erasure(self, user_id: str, known: set[str], project_id: str, seq: int) -> None:
        self.run(
            "UPDATE erasure SET known = ?, project_id = ?, seq = ? WHERE user_id = ?",
            (msgspec.json.encode(sorted(known)).decode(), project_id, seq, user_id),
        )

    def drop_erasure(self, user_id: str) -> None:
        self.run("DELETE FROM erasure WHERE user_id = ?", (user_id,))

    def next_project(self, after: str) -> str | None:
        row = self.row(
            "SELECT project_id FROM project WHERE project_id > ? ORDER BY project_id LIMIT 1",
            (after,),
        )
        return str(row[0]) if row else None

    def raw_events(self, project_id: str, since: int, limit: int) -> list[tuple[int, str, str]]:
        """(seq, type, body as JSON)."""
        return self.rows(
            "SELECT seq, type, body FROM event WHERE project_id = ? AND seq > ?"
            " ORDER BY seq LIMIT ?",
            (project_id, since, limit),
        )

    def set_event_body(self, project_id: str, seq: int, body: str) -> None:
        self.run(
            "UPDATE event SET body = ? WHERE project_id = ? AND seq = ?", (body, project_id, seq)
        )

    def texts_of_project(self, project_id: str) -> Iterator[tuple[str, str, str, str]]:
        """(table, column, key, text) of what else may name somebody: comments, and what is said of
        rounds, fine-tunings and jobs."""
        for table, column, key in TEXTS:
            for row in self.rows(
                f"SELECT {key}, {column} FROM {table} WHERE project_id = ? AND {column} <> ''",
                (project_id,),
            ):
                yield table, column, str(row[0]), row[1]

    def set_text(self, project_id: str, table: str, column: str, key: str, text: str) -> None:
        (name,) = [k for t, c, k in TEXTS if (t, c) == (table, column)]
        self.run(
            f"UPDATE {table} SET {column} = ? WHERE project_id = ? AND {name} = ?",
            (text, project_id, key),
        )

    def board_bodies(self, project_id: str) -> list[tuple[int, bytes]]:
        """(seq, JSON) of the kept copies of a project's board."""
        rows = self.rows("SELECT seq, body FROM board_copy WHERE project_id = ?", (project_id,))
        return [(seq, zlib.decompress(body)) for seq, body in rows]

    def set_board_body(self, project_id: str, seq: int, body: bytes) -> None:
        self.run(
            "UPDATE board_copy SET body = ? WHERE project_id = ? AND seq = ?",
            (zlib.compress(body, 1), project_id, seq),
        )

    def exports_naming(self, project_ids: list[str]) -> list[tuple[str, str]]:
        """(project_id, export_id) of finished exports that have logins in them."""
        return [
            (row[0], row[1])
            for row in self.rows(
                "SELECT project_id, job_id FROM job WHERE kind = 'export' AND state = 'done'"
                " AND json_extract(result, '$.people') = 'logins' ORDER BY project_id, created_at"
            )
            if row[0] in project_ids
        ]


TEXTS = (
    ("comment", "text", "comment_id"),
    ("round", "body", "number"),
    ("tuning", "body", "number"),
    ("job", "error", "job_id"),
)
"""(table, column with a text, its key beside project_id)."""
