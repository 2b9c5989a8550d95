"""Items: their rows, the queues, leases and pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from chorus.server.domain.model import BY_HAND, Item, Lease
from chorus.server.domain.queue import MORE_VOTES, SECOND_LOOK
from chorus.server.storage.tx.base import ITEM, LEASE, Base, marks
from chorus.server.storage.tx.later import DERIVED_AT, Statement, text, update_item

_INSERT_COLUMNS = ITEM.split(", ")[1:]
_INSERT = (
    f"INSERT OR IGNORE INTO item ({', '.join(_INSERT_COLUMNS)})"
    f" VALUES ({marks(len(_INSERT_COLUMNS))})"
)


_LEASE = Statement(f"INSERT INTO lease ({LEASE})", len(LEASE.split(", ")))
_PAGE = Statement(
    "INSERT INTO page (page_id, project_id, user_id, tab, kind, size, round, created_at)", 8
)
_RELEASE = Statement(
    "UPDATE lease SET released_at = v.column2, release_reason = v.column3 FROM (", 3,
    ") AS v WHERE lease.lease_id = v.column1 AND released_at IS NULL", first=True,
)  # fmt: skip
_RELEASED = Lease.__struct_fields__.index("released_at")
assert Lease.__struct_fields__[_RELEASED + 1] == "release_reason"


FRESH = f"(n_leases = 0 AND n_labels = 0 AND n_skips = 0 AND queue_pos < {MORE_VOTES})"
"""Nobody has or has had the item before them: a round may choose it, or leave it to chance."""


class OpenItem(NamedTuple):
    item_id: int
    queue: str
    pre_value: str | None
    rank: int
    fresh: int
    """1: nobody has or has had it before them."""


class QueueRow(NamedTuple):
    """Where an item lies before a round's answers land."""

    item_id: int
    state: str
    queue: str
    queue_pos: int
    pre_value: str | None
    rank: int
    n_labels: int
    chosen: int
    fresh: int
    preset: str | None
    priority: int
    picked: int
    """1: assigned by what it is, not by chance."""


class ItemSql(Base):
    def item(self, item_id: int) -> Item | None:
        known = self.known
        row = None if known is None else known.items.get(item_id)
        if row is None:
            row = self.row(f"SELECT {ITEM} FROM item WHERE item_id = ?", (item_id,))
            if row is None:
                return None
            if known is not None:
                known.items[item_id] = row
        return Item(*row)

    def _items(self, rows: list[Any]) -> list[Item]:
        if self.known is not None:
            self.known.items.update({row[0]: row for row in rows})
        return [Item(*row) for row in rows]

    def items_by_id(self, item_ids: Sequence[int]) -> list[Item]:
        return self._items(
            self.rows(
                f"SELECT {ITEM} FROM item WHERE item_id IN ({marks(len(item_ids))})"
                " ORDER BY item_id",
                item_ids,
            )
        )

    def add_item(self, item: Item) -> int | None:
        """Insert (item_id is ignored); returns the new id, or None if the content is known."""
        values = [int(v) if isinstance(v, bool) else v for v in msgspec.structs.astuple(item)[1:]]
        if self.known is not None:
            self.known.windows.clear()
            if item.gold:
                self.known.gold.pop(item.project_id, None)
        cursor = self.put(_INSERT, values)
        return cursor.lastrowid if cursor.rowcount == 1 else None

    def update_item(self, item: Item) -> None:
        """Store the derived columns; where it is known what is stored, those that have changed:
        SQLite writes an index anew for every column that a statement names, changed or not."""
        row = None if self.known is None else self.known.items.get(item.item_id)
        values = msgspec.structs.astuple(item)
        if self.known is not None:
            if item.priority:
                self.known.urgent.pop(item.project_id, None)
            if item.doubted is not None:
                self.known.second_looks.pop(item.project_id, None)
        if row is None or self.known is None:
            if self.known is not None:
                self.known.windows.clear()
            args = [item.item_id, *(values[at] for at in DERIVED_AT)]
            self.put(text(update_item(DERIVED_AT), 1), args)
            return
        changed = [at for at in DERIVED_AT if values[at] != row[at]]
        if not changed:
            return
        self.known.later.item(item.item_id, row)
        after = list(row)
        for at in changed:
            after[at] = values[at]
        self.known.items[item.item_id] = after
        self.known.windows.changed(row, after)

    def items_in_state(
        self, project_id: str, state: str | None, after: int, limit: int
    ) -> list[Item]:
        where = "AND state = ?" if state else ""
        args: list[Any] = [project_id, *([state] if state else []), after, limit]
        return [
            Item(*row)
            for row in self.rows(
                f"SELECT {ITEM} FROM item WHERE project_id = ? {where} AND item_id > ?"
                " ORDER BY item_id LIMIT ?",
                args,
            )
        ]

    def items_with_votes(self, project_id: str, after: int, limit: int) -> list[Item]:
        return [
            Item(*row)
            for row in self.rows(
                f"SELECT {ITEM} FROM item WHERE project_id = ? AND item_id > ? AND n_labels > 0"
                " ORDER BY item_id LIMIT ?",
                (project_id, after, limit),
            )
        ]

    def has_content(self, project_id: str, content_hash: str) -> bool:
        return (
            self.row(
                "SELECT 1 FROM item WHERE project_id = ? AND content_hash = ?",
                (project_id, content_hash),
            )
            is not None
        )

    # -- queues

    def next_items(
        self, project_id: str, queue: str, user_id: str, from_pos: int, limit: int,
        urgent: bool = False, assigned: int = 0,
    ) -> list[Item]:  # fmt: skip
        """Head of a queue for one person: room left, no vote and no open lease of theirs. urgent:
        only what a supervisor wants first. assigned: of this assignment; 0: of what is in none."""
        known = self.known
        if known is not None and known.windows and not urgent:
            key = project_id, queue, assigned
            rows = known.windows.next_items(key, user_id, from_pos, limit, known.items)
            if rows is not None:
                return [Item(*row) for row in rows]
        first = " AND priority = 1" if urgent else ""
        return self._items(
            self.rows(
                f"SELECT {ITEM} FROM item AS i WHERE project_id = ? AND assigned = ?"
                f" AND queue = ? AND room > 0{first} AND queue_pos >= ? AND NOT EXISTS"
                " (SELECT 1 FROM standing s WHERE s.item_id = i.item_id AND s.user_id = ?)"
                " AND NOT EXISTS (SELECT 1 FROM lease l WHERE l.item_id = i.item_id"
                " AND l.user_id = ? AND l.released_at IS NULL)"
                " ORDER BY queue_pos LIMIT ?",
                (project_id, assigned, queue, from_pos, user_id, user_id, limit),
            )
        )

    def has_second_looks(self, project_id: str) -> bool:
        """Does anything wait to be looked at again?"""
        known = None if self.known is None else self.known.second_looks
        return self.any_item(known, project_id, "doubted IS NOT NULL AND room > 0")

    def second_looks(self, project_id: str, user_id: str, limit: int, assigned: int) -> list[Item]:
        """Items that one person may look at again; `next_items` where they lie."""
        return self.next_items(project_id, "manual", user_id, SECOND_LOOK, limit, assigned=assigned)

    def to_doubt(self, project_id: str, sure: float, limit: int) -> list[int]:
        """Labels by one person's vote, given without a prelabel, that the model contradicts with
        that confidence; the surest first."""
        return [
            row[0]
            for row in self.rows(
                "SELECT item_id FROM item WHERE project_id = ? AND state = 'labeled'"
                " AND model_value <> COALESCE(label, provisional) AND label_source = 'votes'"
                " AND n_labels = 1 AND n_prelabel_votes = 0 AND n_skips = 0 AND doubted IS NULL"
                " AND gold = 0 AND model_score >= ? ORDER BY model_score DESC, item_id LIMIT ?",
                (project_id, sure, limit),
            )
        ]

    def count_doubted(self, project_id: str) -> tuple[int, int]:
        """(items that were to be looked at again, those of them labeled as the model said)."""
        doubted, changed = self.row(
            "SELECT COUNT(*), COALESCE(SUM(state = 'labeled' AND label = doubted), 0) FROM item"
            " WHERE project_id = ? AND doubted IS NOT NULL",
            (project_id,),
        )
        return int(doubted), int(changed)

    def has_urgent(self, project_id: str) -> bool:
        """Is there anything to hand out that a supervisor wants first?"""
        known = None if self.known is None else self.known.urgent
        return self.any_item(known, project_id, "room > 0 AND priority = 1")

    def set_priority(self, item_ids: Sequence[int], raised: bool) -> int:
        """Of these items those that are open and were not so yet; how many. What comes first is no
        sample drawn by chance; what goes back before anybody had it is again."""
        chosen = (
            f"CASE WHEN chosen = 0 THEN {BY_HAND} ELSE chosen END"
            if raised
            else f"CASE WHEN chosen = {BY_HAND} AND picked = 0 AND {FRESH} THEN 0 ELSE chosen END"
        )
        return self.run(
            f"UPDATE item SET priority = ?, chosen = {chosen}"
            f" WHERE item_id IN ({marks(len(item_ids))}) AND priority <> ?"
            " AND state IN ('unlabeled', 'in_progress')",
            (int(raised), *item_ids, int(raised)),
        )

    def count_urgent(self, project_id: str) -> int:
        (n,) = self.row(
            "SELECT COUNT(*) FROM item WHERE project_id = ? AND priority = 1"
            " AND state IN ('unlabeled', 'in_progress')",
            (project_id,),
        )
        return int(n)

    def open_for(self, project_id: str, user_id: str, assigned: int = 0) -> bool:
        """Is any unsettled item of an assignment (0: of none) left that this person has not
        answered (leased or not)?"""
        return (
            self.row(
                # The states as the index item_open has them.
                "SELECT 1 FROM item AS i WHERE project_id = ? AND assigned = ?"
                " AND state IN ('in_progress', 'unlabeled') AND NOT EXISTS"
                " (SELECT 1 FROM standing s WHERE s.item_id = i.item_id AND s.user_id = ?) LIMIT 1",
                (project_id, assigned, user_id),
            )
            is not None
        )

    def set_queues(self, rows: Iterable[Sequence[Any]]) -> None:
        """rows: (queue, pos, block, pre_value, pre_score, model_value, model_score, model_probs,
        odd, easy_round, audit, chosen, item_id). An easy_round that is already set stays."""
        self.run_many(
            "UPDATE item SET queue = ?, queue_pos = ?, queue_block = ?, pre_value = ?,"
            " pre_score = ?, model_value = ?, model_score = ?, model_probs = ?, odd = ?,"
            " easy_round = CASE WHEN easy_round = 0 THEN ? ELSE easy_round END, audit = ?,"
            " chosen = ? WHERE item_id = ?",
            rows,
        )

    def set_views(self, rows: Iterable[Sequence[Any]]) -> None:
        """What the model says of labeled items, by heads that never saw their labels. rows:
        (model_value, model_score, model_probs, easy_round, item_id)."""
        self.run_many(
            "UPDATE item SET model_value = ?, model_score = ?, model_probs = ?,"
            " easy_round = CASE WHEN easy_round = 0 THEN ? ELSE easy_round END WHERE item_id = ?",
            rows,
        )

    def queues_of(self, item_ids: Sequence[int]) -> list[QueueRow]:
        return [
            QueueRow(*row)
            for row in self.rows(
                "SELECT item_id, state, queue, queue_pos, pre_value, rank, n_labels, chosen,"
                f" {FRESH}, preset, priority, picked FROM item"
                f" WHERE item_id IN ({marks(len(item_ids))})",
                item_ids,
            )
        ]

    def open_items(self, project_id: str) -> list[OpenItem]:
        """All open items, in order of item_id."""
        return [
            OpenItem(*row)
            for row in self.rows(
                f"SELECT item_id, queue, pre_value, rank, {FRESH} FROM item WHERE project_id = ?"
                " AND state IN ('unlabeled', 'in_progress') ORDER BY item_id",
                (project_id,),
            )
        ]

    # -- leases and pages

    def add_page(
        self, project_id: str, user_id: str, tab: str, kind: str, size: int,
        round_number: int | None, at: int,
    ) -> int:  # fmt: skip
        page_id = self._next_id("page")
        row = page_id, project_id, user_id, tab, kind, size, round_number, at
        self.later(_PAGE, row)
        if self.known is not None:
            self.known.pages[page_id] = kind, size, round_number
        return page_id

    def _next_id(self, table: str) -> int:
        """Of a row to insert, as SQLite would number it: nobody else writes."""
        last = None if self.known is None else self.known.last_ids.get(table)
        if last is None:
            (last,) = self.row(f"SELECT COALESCE(MAX({table}_id), 0) FROM {table}")
        if self.known is not None:
            self.known.last_ids[table] = last + 1
        return int(last) + 1

    def page(self, page_id: int) -> tuple[str, int, int | None] | None:
        """(kind, size, round)."""
        known = None if self.known is None else self.known.pages.get(page_id)
        if known is None:
            row = self.row("SELECT kind, size, round FROM page WHERE page_id = ?", (page_id,))
            if row is None:
                return None
            known = row[0], row[1], row[2]
            if self.known is not None:
                self.known.pages[page_id] = known
        return known

    def add_leases(self, leases: Sequence[Lease]) -> None:
        """Sets their lease_id."""
        for lease in leases:
            lease.lease_id = self._next_id("lease")
            row = [int(v) if isinstance(v, bool) else v for v in msgspec.structs.astuple(lease)]
            self.later(_LEASE, row)
            if self.known is not None:
                self._newest(row)
                self.known.windows.leased(lease.item_id, lease.user_id)

    def _newest(self, row: Sequence[Any]) -> None:
        known = self.known
        assert known is not None
        key = row[2], row[3]
        known.leases[key] = row
        known.lease_of[row[0]] = key

    def lease_of(self, item_id: int, user_id: str) -> Lease | None:
        """The newest lease of this person on this item, open or released."""
        if self.known is not None and (item_id, user_id) in self.known.leases:
            row = self.known.leases[item_id, user_id]
        else:
            row = self.row(
                f"SELECT {LEASE} FROM lease WHERE item_id = ? AND user_id = ?"
                " ORDER BY lease_id DESC LIMIT 1",
                (item_id, user_id),
            )
        return Lease(*row) if row else None

    def _leases(self, where: str, args: Sequence[Any]) -> list[Lease]:
        return [
            Lease(*row)
            for row in self.rows(
                f"SELECT {LEASE} FROM lease WHERE released_at IS NULL AND {where}"
                " ORDER BY page_id, pos",
                args,
            )
        ]

    def open_leases(self, item_id: int) -> list[Lease]:
        """Of work on the item: checks need nothing from it and take nothing away."""
        return self._leases("item_id = ? AND blind_check = 0", (item_id,))

    def leases_of_tab(self, project_id: str, user_id: str, tab: str) -> list[Lease]:
        return self._leases(
            "project_id = ? AND user_id = ? AND tab = ?", (project_id, user_id, tab)
        )

    def leases_of_user(self, project_id: str, user_id: str) -> list[Lease]:
        return self._leases("project_id = ? AND user_id = ?", (project_id, user_id))

    def leases_of_page(self, page_id: int) -> list[Lease]:
        """Open and released ones."""
        return [
            Lease(*row)
            for row in self.rows(
                f"SELECT {LEASE} FROM lease WHERE page_id = ? ORDER BY pos, lease_id", (page_id,)
            )
        ]

    def half_answered(self, project_id: str, since: int) -> set[int]:
        """Pages that somebody is in the middle of: answered in part, last after `since`."""
        rows = self.rows(
            "SELECT DISTINCT o.page_id FROM lease o WHERE o.project_id = ?"
            " AND o.released_at IS NULL AND EXISTS (SELECT 1 FROM lease d"
            " WHERE d.page_id = o.page_id AND d.released_at > ?"
            " AND d.release_reason IN ('voted', 'skipped'))",
            (project_id, since),
        )
        return {page_id for (page_id,) in rows}

    def leases_of_project(self, project_id: str) -> list[Lease]:
        return self._leases("project_id = ?", (project_id,))

    def expired_leases(self, now: int, limit: int) -> list[Lease]:
        return [
            Lease(*row)
            for row in self.rows(
                f"SELECT {LEASE} FROM lease WHERE released_at IS NULL AND expires_at <= ?"
                " ORDER BY expires_at LIMIT ?",
                (now, limit),
            )
        ]

    def release(self, lease_id: int, now: int, reason: str) -> None:
        known = self.known
        if known is not None and known.later.holds(_LEASE, lease_id):
            known.write(self._db)  # the row must be there
        self.later(_RELEASE, (lease_id, now, reason))
        if known is None:
            return
        if (key := known.lease_of.get(lease_id)) is None:
            known.windows.clear()
        else:
            row = known.leases[key]
            if row is not None and row[0] == lease_id and row[_RELEASED] is None:
                known.windows.released(*key)
                known.leases[key] = (
                    *row[:_RELEASED], now, reason, *row[_RELEASED + 2 :]
                )  # fmt: skip

    def set_tab_expiry(self, project_id: str, user_id: str, tab: str, expires_at: int) -> None:
        self.run(
            "UPDATE lease SET expires_at = ? WHERE project_id = ? AND user_id = ? AND tab = ?"
            " AND released_at IS NULL",
            (expires_at, project_id, user_id, tab),
        )

    def clock_jumped(self, jump: int, now: int) -> None:
        """Open leases last as long as before, although the clock has jumped by `jump` ms to `now`:
        what that ended goes on, and none lasts longer than one that begins now."""
        if jump > 0:
            self.run(
                "UPDATE lease SET expires_at = expires_at + ?"
                " WHERE released_at IS NULL AND expires_at <= ?",
                (jump, now),
            )
        else:
            most = "? + (SELECT lease_ms FROM project p WHERE p.project_id = lease.project_id)"
            self.run(
                f"UPDATE lease SET expires_at = {most}"
                f" WHERE released_at IS NULL AND expires_at > {most}",
                (now, now),
            )

    def hasten_expiry(self, latest: int, tab: tuple[str, str, str] | None = None) -> None:
        """No open lease (of one (project, user, tab), or of anybody) lasts beyond `latest`."""
        where = " AND project_id = ? AND user_id = ? AND tab = ?" if tab else ""
        self.run(
            "UPDATE lease SET expires_at = ? WHERE released_at IS NULL AND expires_at > ?" + where,
            (latest, latest, *(tab or ())),
        )
