"""Rows that a commit will write, kept back so that many go by one statement.

SQLite takes a row of many in less time than one alone. And Python's lock is given away for each
row that is written by itself, and must be waited for again. Only `Base.later` and `update_item`
keep back; every other statement writes first what was (`Base.db`), so nobody reads what is old.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from chorus.server.domain.model import Item

Row = Sequence[Any]
AT_ONCE = (128, 32, 8, 2, 1)
"""Rows by one statement: few sizes, so that there are few statements to keep prepared."""

_DERIVED = (
    "state", "room", "n_labels", "n_skips", "n_flags", "n_leases", "n_prelabel_votes", "reached",
    "provisional", "confidence", "agreement", "label", "label_source", "revision", "label_at",
    "review", "review_value", "requeue_seq", "queue", "queue_pos", "queue_block", "pre_value",
    "pre_score", "odd", "preset", "doubted",
)  # fmt: skip
DERIVED_AT = tuple(Item.__struct_fields__.index(column) for column in _DERIVED)


class Statement(NamedTuple):
    """A statement with a list of rows, each of `width` values: `{head} VALUES (…), (…) {tail}`.

    Of two rows for one and the same target an `UPDATE … FROM` takes either: whoever keeps those
    back sees to it that there is one (items by their id, leases because released ones are known).
    """

    head: str
    width: int
    tail: str = ""
    first: bool = False
    """Written before all others: it makes room for them."""


@cache
def text(statement: Statement, n: int) -> str:
    """With n rows."""
    row = f"({','.join('?' * statement.width)})"
    return f"{statement.head} VALUES {','.join([row] * n)} {statement.tail}"


@cache
def update_item(changed: tuple[int, ...]) -> Statement:
    """Stores these fields of items; a row is the item_id and they."""
    names = [Item.__struct_fields__[at] for at in changed]
    new = ", ".join(f"{name} = v.column{n}" for n, name in enumerate(names, 2))
    return Statement(
        f"UPDATE item SET {new} FROM (", 1 + len(names), ") AS v WHERE item.item_id = v.column1"
    )


class Later:
    def __init__(self) -> None:
        self.count = 0
        """How much was ever kept back."""
        self.written = 0
        """Changes of the database by what was kept back (as `total_changes` counts)."""
        self._failed: Exception | None = None
        self._rows: defaultdict[Statement, list[Row]] = defaultdict(list)
        self._items: dict[int, Row] = {}
        """As they are stored, by item_id."""

    def __bool__(self) -> bool:
        return bool(self._rows or self._items or self._failed)

    def add(self, statement: Statement, row: Row) -> None:
        self.count += 1
        self._rows[statement].append(row)

    def holds(self, statement: Statement, first: object) -> bool:
        """Is a row of this statement kept back that begins with `first`?"""
        return any(row[0] == first for row in self._rows.get(statement, ()))

    def item(self, item_id: int, stored: Row) -> None:
        """It has changed, from what is stored, or has once more."""
        self.count += 1
        self._items.setdefault(item_id, stored)

    def forget(self) -> None:
        self._rows.clear()
        self._items.clear()
        self._failed = None

    def write(self, db: sqlite3.Connection, items: Mapping[int, Row]) -> None:
        """items: as they are to be, by item_id. What could not be written fails the next time too:
        whoever was in the middle of something else cannot pass over it."""
        if self._failed is not None:
            raise self._failed
        before = db.total_changes
        try:
            for statement in sorted(self._rows, key=lambda s: not s.first):
                rows = self._rows[statement]
                self._run(db, statement, rows)
            for changed, rows in self._updates(items).items():
                self._run(db, update_item(changed), rows)
        except Exception as error:
            self._failed = error
            raise
        finally:
            self.written += db.total_changes - before
        self.forget()

    def _updates(self, items: Mapping[int, Row]) -> dict[tuple[int, ...], list[Row]]:
        """What to store of which items, by the fields that have changed."""
        updates: defaultdict[tuple[int, ...], list[Row]] = defaultdict(list)
        for item_id, before in self._items.items():
            after = items[item_id]
            changed = tuple([at for at in DERIVED_AT if after[at] != before[at]])
            if changed:
                updates[changed].append((item_id, *[after[at] for at in changed]))
        return updates

    @staticmethod
    def _run(db: sqlite3.Connection, statement: Statement, rows: Sequence[Row]) -> None:
        done = 0
        for size in AT_ONCE:
            while len(rows) - done >= size:
                some = rows[done : done + size]
                db.execute(text(statement, size), [value for row in some for value in row])
                done += size
