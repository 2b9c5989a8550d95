"""What one commit has read or written already, so that nobody asks the database for it again."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from chorus.server.domain.assignment import Pool
from chorus.server.domain.values import Schema
from chorus.server.storage.tx.later import Later
from chorus.server.storage.tx.windows import Windows

Row = Sequence[Any]


class VoteAhead(NamedTuple):
    """What a vote will look at; read for many votes at once (see `tx.votes_ahead`)."""

    vote_id: str
    item_id: int
    user_id: str


class PageAhead(NamedTuple):
    """What dealing a page will look at. floors: see `dealing.Floors`."""

    project_id: str
    user_id: str
    size: int
    floors: Mapping[str, int]


class Known:
    """Of the writer's connection, from BEGIN to COMMIT. Rows are as the tables have them, or will
    have: whoever writes such a row by `Base.put` or `later` changes it here too, and any other
    write forgets them all.

    later: what is still to be written. heads: how far each project's log has come; stored before
    the commit, once for all writes.
    """

    def __init__(self) -> None:
        self.heads: dict[str, int] = {}
        self.later = Later()
        self.projects: dict[str, Row] = {}
        self.pages: dict[int, tuple[str, int, int | None]] = {}
        """(kind, size, round), which never change."""
        self.items: dict[int, Row] = {}
        self.votes: dict[str, tuple[str, int, int] | None] = {}
        """(user_id, item_id, seq); None: there is no such vote."""
        self.leases: dict[tuple[int, str], Row | None] = {}
        """The newest by (item, person); None: there is none."""
        self.lease_of: dict[int, tuple[int, str]] = {}
        """The key in `leases`, by lease_id."""
        self.standing: dict[int, list[Any]] = {}
        self.schemas: dict[str, Schema] = {}
        self.paused: dict[tuple[str, str], bool] = {}
        """Of (project, person): are they told to pause?"""
        self.pools: dict[tuple[str, str], list[Pool]] = {}
        self.urgent: dict[str, bool] = {}
        self.second_looks: dict[str, bool] = {}
        """Of a project: does anything wait to be looked at again?"""
        self.gold: dict[str, bool] = {}
        """Of a project: is anything gold?"""
        self.windows = Windows()
        self.last_ids: dict[str, int] = {}
        """The highest id of a table's rows, written or kept back."""
        self.times_forgotten = 0

    def back_to(self, heads: dict[str, int]) -> None:
        """A write is undone: what it has emitted, and what it may have changed."""
        self.heads = dict(heads)
        self.later.forget()
        self.forget()

    def done(self, db: sqlite3.Connection) -> tuple[int, int]:
        """Another one if anything was changed or kept back since; not if only what others have kept
        back was written."""
        return db.total_changes - self.later.written, self.later.count

    def write(self, db: sqlite3.Connection) -> None:
        """What was kept back."""
        if self.later:
            self.later.write(db, self.items)

    def forget(self) -> None:
        """What is known; nothing may be kept back then."""
        self.times_forgotten += 1
        for rows in (
            self.projects, self.pages, self.items, self.votes, self.leases, self.lease_of,
            self.standing, self.schemas, self.paused, self.pools, self.urgent, self.second_looks,
            self.gold, self.last_ids,
        ):  # fmt: skip
            rows.clear()
        self.windows.clear()

    def store(self, db: sqlite3.Connection) -> None:
        for project_id, seq in self.heads.items():
            db.execute("UPDATE project SET last_seq = ? WHERE project_id = ?", (seq, project_id))
