"""The connection and the column lists shared by the statement groups."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from chorus.server.domain import model
from chorus.server.storage.tx.known import Known
from chorus.server.storage.tx.later import Statement, text


def columns(record: type[Any]) -> str:
    """Column list of a record, in its field order, so that `Record(*row)` works."""
    return ", ".join(record.__struct_fields__)


ITEM = columns(model.Item)
LEASE = columns(model.Lease)
STANDING = columns(model.StandingVote)
PROJECT = columns(model.Project)
JOB = columns(model.Job)
ROUND = columns(model.Round)
TUNING = columns(model.Tuning)
USER = columns(model.User)
TOKEN = columns(model.Token)
INVITE = columns(model.Invite)
TAKEBACK = columns(model.Takeback)
DRAFT = columns(model.Draft)
START_OVER = columns(model.StartOver)
CHECK_STANDS = "NOT EXISTS (SELECT 1 FROM check_vote n WHERE n.supersedes = c.vote_id)"
"""Of check_vote AS c: no correction has taken its place."""
FLAGGED = (
    f"c.kind = 'flag' AND {CHECK_STANDS} AND NOT EXISTS"
    " (SELECT 1 FROM review a WHERE a.item_id = c.item_id AND a.seq > c.seq)"
)
"""Of check_vote AS c: a flag on a check that no decision has answered yet."""


def supervising(project_id: str, user_id: str) -> str:
    """Is a person a supervisor of a project, or an admin? Both as they stand in the statement."""
    return (
        f"EXISTS (SELECT 1 FROM person p WHERE p.user_id = {user_id} AND (p.admin = 1 OR EXISTS"
        " (SELECT 1 FROM member m WHERE m.user_id = p.user_id AND m.role = 'supervisor'"
        f" AND m.project_id = {project_id})))"
    )


def same(a: str, b: str) -> str:
    """Do two columns of canonical values say the same (see `values.alike`)? Whatever is not shapes
    never leaves SQLite for that."""
    return f"({a} = {b} OR (substr({b}, 1, 1) = '[' AND alike({a}, {b})))"


def has_part(column: str) -> str:
    """Is a class in this column of canonical values: as a set of it, or as a shape? Takes the
    arguments `part_args`."""
    return (
        f"CASE WHEN substr({column}, 1, 1) = '[' THEN {column} LIKE ? OR {column} LIKE ?"
        f" ELSE ',' || {column} || ',' LIKE ? END"
    )


def part_args(part: str) -> tuple[str, str, str]:
    return f"[[{part},%", f"%],[{part},%", f"%,{part},%"


class Base:
    """`known`: of the commit that this is a part of; None: it reads, or is the only one to write,
    and every event moves its project's own head."""

    def __init__(self, db: sqlite3.Connection, known: Known | None = None) -> None:
        self._db = db
        self.known = known
        self.events: list[model.Event] = []

    @property
    def db(self) -> sqlite3.Connection:
        """The connection, on which all is written that was kept back."""
        if self.known is not None:
            self.known.write(self._db)
        return self._db

    def rows(self, sql: str, args: Sequence[Any] = ()) -> list[Any]:
        return self.db.execute(sql, args).fetchall()

    def packed(self, columns: str, sql: str, args: Sequence[Any] = ()) -> list[Any]:
        """Rows of `sql` in any order, of whole numbers, texts and NULL: all by one step of SQLite,
        which puts them together as JSON. Python's lock is given away and waited for again with each
        step, which costs more than the row where others want it."""
        found = self.db.execute(
            f"SELECT json_group_array(json_array({columns})) FROM ({sql})", args
        ).fetchone()
        return msgspec.json.decode(found[0], type=list[tuple[Any, ...]])

    def row(self, sql: str, args: Sequence[Any] = ()) -> Any:
        return self.db.execute(sql, args).fetchone()

    def any_item(self, known: dict[str, bool] | None, project_id: str, where: str) -> bool:
        """Has the project an item of which `where` is so? known: where the answer is kept for the
        commit, by project; whoever changes such an item takes it out."""
        kept = {} if known is None else known
        if project_id not in kept:
            row = self.row(
                f"SELECT 1 FROM item WHERE project_id = ? AND {where} LIMIT 1", (project_id,)
            )
            kept[project_id] = row is not None
        return kept[project_id]

    def run(self, sql: str, args: Sequence[Any] = ()) -> int:
        """A write; returns how many rows it changed."""
        db = self.db
        if self.known is not None:
            self.known.forget()
        return db.execute(sql, args).rowcount

    def run_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        db = self.db
        if self.known is not None:
            self.known.forget()
        db.executemany(sql, rows)

    def put(self, sql: str, args: Sequence[Any]) -> sqlite3.Cursor:
        """A write that makes nothing wrong that `known` has: to rows that the caller changes there
        as well, or that it never has."""
        return self.db.execute(sql, args)

    def later(self, statement: Statement, row: Sequence[Any]) -> None:
        """The same, of a row that is written with others, in any order with what else is kept back:
        before the next statement, or at the end."""
        if self.known is not None:
            self.known.later.add(statement, row)
        else:
            self._db.execute(text(statement, 1), row)


def marks(n: int) -> str:
    return ",".join("?" * n)


def padded(values: Iterable[Any]) -> list[Any]:
    """The last one again and again, up to the next power of two: so that there are few statements
    to keep prepared."""
    found = list(values)
    room = 1 << (len(found) - 1).bit_length()
    return found + found[-1:] * (room - len(found))


_MARKS = {"%": "\\%", "_": "\\_", "\\": "\\\\"}


def like(text: str) -> str:
    """The pattern that finds `text` anywhere, for LIKE ? ESCAPE '\\'."""
    return f"%{''.join(_MARKS.get(c, c) for c in text)}%"
