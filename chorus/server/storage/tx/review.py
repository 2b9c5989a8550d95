"""The review room: filtered lists in keyset pages, all votes of a page, last decisions, notes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from chorus.server.domain.filters import Filter
from chorus.server.domain.model import Item
from chorus.server.storage.tx.base import (
    FLAGGED,
    ITEM,
    Base,
    has_part,
    like,
    marks,
    part_args,
    same,
)
from chorus.server.storage.tx.comments import UNREAD
from chorus.server.storage.tx.takebacks import COVERING

COUNT_MAX = 10_000
"""Counting stops here: beyond it nobody works by the exact number."""
_ITEM = ", ".join(f"i.{c}" for c in ITEM.split(", "))
DOUBT = (
    "CASE WHEN i.n_labels = 0 THEN 2000 ELSE"
    " CAST(1000 * (1 - COALESCE(i.agreement, 0)) + 1000 * (1 - COALESCE(i.confidence, 0))"
    " + CASE WHEN i.model_value <> COALESCE(i.label, i.provisional)"
    " AND substr(i.model_value, 1, 1) <> '['"
    " THEN 1000 * COALESCE(i.model_score, 0) ELSE 0 END AS INTEGER) END"
)
"""How informative a look at the item is, 0 … 3000: the votes' disagreement, the doubt left in
their consensus, and how surely the model says something else (of shapes it always does, if only by
a pixel: that tells nothing). Nobody's vote is full doubt of both.
The index item_doubt has the same expression: neither changes without the other."""
_DOUBT_STATES = ("needs_review", "skipped", "in_progress", "labeled")
"""What item_doubt holds: an unlabeled item has no votes, and is as doubtful as the next."""
_INDEXED = f" AND i.state IN ({', '.join(repr(s) for s in _DOUBT_STATES)})"
"""Without this, which says nothing new, SQLite would not know that it may use item_doubt."""


class ExportItem(NamedTuple):
    """What of an item goes into an export; values are canonical."""

    item_id: int
    name: str
    content_hash: str
    width: int
    height: int
    length: int
    state: str
    label: str | None
    provisional: str | None
    confidence: float | None
    agreement: float | None
    n_labels: int
    label_source: str | None
    gold: int
    model_value: str | None
    model_score: float | None
    doubted: str | None


_EXPORT = ", ".join(f"i.{c}" for c in ExportItem._fields)


class ReviewSql(Base):
    def review_items(
        self, project_id: str, wanted: Filter, after: tuple[int | None, int], limit: int
    ) -> list[tuple[int, Item]]:
        """(doubt, item), in order of falling doubt, then item_id (or of item_id alone, see
        `Filter.by_doubt`).

        `after`: (doubt, item_id) of the last one seen; (None, 0) to begin.
        """
        if not wanted.by_doubt:
            where, args = _where(project_id, wanted)
            sql = f"SELECT {DOUBT}, {_ITEM} FROM item AS i WHERE {where} AND i.item_id > ?"
            rows = self.rows(f"{sql} ORDER BY i.item_id LIMIT ?", [*args, after[1], limit])
        else:
            # Each state's head by its index; of these the first.
            rows = []
            states = ("unlabeled", *_DOUBT_STATES, *(("removed",) if wanted.item_ids else ()))
            for state in (wanted.state,) if wanted.state else states:
                rows += self._by_doubt(project_id, wanted, state, after, limit)
            rows.sort(key=lambda row: (-row[0], row[1]))
        return [(int(row[0]), Item(*row[1:])) for row in rows[:limit]]

    def _by_doubt(
        self, project_id: str, wanted: Filter, state: str, after: tuple[int | None, int], limit: int
    ) -> list[Any]:
        where, args = _where(project_id, msgspec.structs.replace(wanted, state=state))
        doubt, item_id = after
        if state != "unlabeled":
            # Few are disputed among many settled ones: sorting those is less than passing the rest.
            settled = state == "labeled" and wanted.disagreement is not None
            if state in _DOUBT_STATES and not settled:
                where += _INDEXED
            if doubt is not None:
                where += f" AND {DOUBT} <= ? AND ({DOUBT} < ? OR i.item_id > ?)"
                args += [doubt, doubt, item_id]
            order, value = "doubt DESC, i.item_id", DOUBT
        else:
            order, value = "i.item_id", "2000"
            if doubt is not None and doubt < 2000:
                return []
            where += " AND i.item_id > ?"
            args.append(item_id if doubt == 2000 else 0)
        return self.rows(
            f"SELECT {value} AS doubt, {_ITEM} FROM item AS i WHERE {where}"
            f" ORDER BY {order} LIMIT ?",
            [*args, limit],
        )

    def count_review_items(self, project_id: str, wanted: Filter) -> int:
        """How many match, but no more than COUNT_MAX + 1."""
        where, args = _where(project_id, wanted)
        (n,) = self.row(
            f"SELECT COUNT(*) FROM (SELECT 1 FROM item AS i WHERE {where} LIMIT ?)",
            [*args, COUNT_MAX + 1],
        )
        return int(n)

    def review_answers(
        self, project_id: str, wanted: Filter, after: int, limit: int
    ) -> list[tuple[int, str | None]]:
        """(item_id, its label or what its votes say so far) of what matches, by item_id."""
        where, args = _where(project_id, wanted)
        return self.rows(
            "SELECT i.item_id, COALESCE(i.label, i.provisional) FROM item AS i"
            f" WHERE {where} AND i.item_id > ? ORDER BY i.item_id LIMIT ?",
            [*args, after, limit],
        )

    def export_items(
        self, project_id: str, wanted: Filter | None, after: int, limit: int
    ) -> list[ExportItem]:
        """What of the items that match goes into an export, by item_id; None: all there are."""
        where, args = "i.project_id = ?", [project_id]
        if wanted is not None:
            where, args = _where(project_id, wanted)
        return [
            ExportItem(*row)
            for row in self.rows(
                f"SELECT {_EXPORT} FROM item AS i WHERE {where} AND i.item_id > ?"
                " ORDER BY i.item_id LIMIT ?",
                [*args, after, limit],
            )
        ]

    def bulk_reviews(self, bulk_id: str, after: int, limit: int) -> list[tuple[int, int]]:
        """(item_id, seq) of the decisions of one bulk, by item_id. To have taken one back is none:
        taken back once more, it would be the one before that goes."""
        return self.rows(
            "SELECT item_id, MAX(seq) FROM review WHERE bulk_id = ? AND item_id > ?"
            " AND action <> 'undo' GROUP BY item_id ORDER BY item_id LIMIT ?",
            (bulk_id, after, limit),
        )

    def bulk_project(self, bulk_id: str) -> str | None:
        """The project in which the bulk has decided something."""
        row = self.row("SELECT project_id FROM review WHERE bulk_id = ? LIMIT 1", (bulk_id,))
        return str(row[0]) if row else None

    def votes_of_items(self, item_ids: Sequence[int]) -> list[Any]:
        """Every vote ever cast on these items, oldest first: (item_id, vote_id, user_id, name,
        kind, value, created_at, duration_ms, page_kind, prelabel, prelabel_score, stands,
        corrected, name of who took it back or None, when)."""
        return self.rows(
            "SELECT v.item_id, v.vote_id, v.user_id, p.name, v.kind, v.value, v.created_at,"
            " v.duration_ms, v.page_kind, v.prelabel, v.prelabel_score, s.vote_id IS NOT NULL,"
            " EXISTS (SELECT 1 FROM vote w WHERE w.item_id = v.item_id"
            " AND w.supersedes = v.vote_id), b.name, t.created_at"
            " FROM vote v JOIN person p ON p.user_id = v.user_id"
            f" LEFT JOIN takeback t ON t.takeback_id = (SELECT MIN(t.takeback_id) {COVERING})"
            " LEFT JOIN person b ON b.user_id = t.by_user"
            " LEFT JOIN standing s ON s.item_id = v.item_id AND s.user_id = v.user_id"
            " AND s.vote_id = v.vote_id"
            f" WHERE v.item_id IN ({marks(len(item_ids))}) ORDER BY v.item_id, v.seq",
            item_ids,
        )

    def last_reviews(self, item_ids: Sequence[int]) -> dict[int, tuple[Any, ...]]:
        """item_id -> (seq, user_id, name or None, action, value, created_at, bulk_id or None) of
        its newest one."""
        rows = self.rows(
            "SELECT r.item_id, r.seq, r.user_id, p.name, r.action, r.value, r.created_at, r.bulk_id"
            " FROM review r LEFT JOIN person p ON p.user_id = r.user_id"
            f" WHERE r.item_id IN ({marks(len(item_ids))}) ORDER BY r.item_id, r.seq, r.review_id",
            item_ids,
        )
        return {row[0]: tuple(row[1:]) for row in rows}

    def items_by_content(self, project_id: str, hashes: Sequence[str]) -> list[Item]:
        return [
            Item(*row)
            for row in self.rows(
                f"SELECT {ITEM} FROM item WHERE project_id = ?"
                f" AND content_hash IN ({marks(len(hashes))})",
                [project_id, *hashes],
            )
        ]

    def notes(self, project_id: str, before: int, limit: int) -> list[tuple[int, str, int]]:
        """(seq, body as JSON, at) of notes older than `before`, newest first. Served by the partial
        index event_notes."""
        return self.rows(
            "SELECT seq, body, at FROM event WHERE project_id = ? AND type = 'note.added'"
            " AND seq < ? ORDER BY seq DESC LIMIT ?",
            (project_id, before, limit),
        )


def _where(project_id: str, wanted: Filter) -> tuple[str, list[Any]]:
    # With a state, its index leads to the rows in order. Without one, the rows are in order by
    # themselves; an index of the project would have all of them sorted for one page.
    project = "i.project_id" if wanted.state is not None else "i.project_id || ''"
    parts, args = [f"{project} = ?"], [project_id]

    def also(sql: str, *values: Any) -> None:
        parts.append(sql)
        args.extend(values)

    if wanted.item_ids is not None:
        also(f"i.item_id IN ({marks(len(wanted.item_ids))})", *wanted.item_ids)
    if wanted.state is not None:
        also("i.state = ?", wanted.state)
    elif wanted.item_ids is None:
        also("i.state <> 'removed'")
    # A labeled item's class has an index of its own.
    column = "i.label" if wanted.state == "labeled" else "COALESCE(i.label, i.provisional)"
    if wanted.value is not None:
        also(f"{column} = ?", wanted.value)
    if wanted.part is not None:
        also(has_part(column), *part_args(wanted.part))
    if wanted.guess is not None:
        also("i.model_value = ?", wanted.guess)
    if wanted.guess_part is not None:
        also(has_part("i.model_value"), *part_args(wanted.guess_part))
    if wanted.confidence_min is not None:
        also("i.confidence >= ?", wanted.confidence_min)
    if wanted.confidence_max is not None:
        also("i.confidence <= ?", wanted.confidence_max)
    if wanted.disagreement == "people":
        also("i.agreement < 1")
    elif wanted.disagreement == "model":
        also(f"NOT {same('i.model_value', 'COALESCE(i.label, i.provisional)')}")
    if wanted.text:
        also("i.name LIKE ? ESCAPE '\\'", like(wanted.text))
    standing = "EXISTS (SELECT 1 FROM standing s WHERE s.item_id = i.item_id"
    if wanted.labeler is not None:
        also(f"{standing} AND s.user_id = ?)", wanted.labeler)
    if wanted.gold:
        # By its own small index, whatever else the list is found by.
        also(
            "i.item_id IN (SELECT item_id FROM item WHERE project_id = ? AND gold = 1)", project_id
        )
    if wanted.flagged:
        also(
            "i.item_id IN (SELECT c.item_id FROM check_vote c WHERE c.project_id = ?"
            f" AND {FLAGGED})",
            project_id,
        )
    if wanted.comments is not None:
        new = f" AND {UNREAD}" if wanted.comments == "unread" else ""
        also(
            f"i.item_id IN (SELECT c.item_id FROM comment c WHERE c.project_id = ?{new})",
            project_id,
            *((wanted.reader, wanted.reader) if new else ()),
        )
    if wanted.prelabel_changed:
        changed = "s.kind = 'label' AND s.prelabel IS NOT NULL AND s.value <> s.prelabel"
        also(f"i.n_prelabel_votes > 0 AND {standing} AND {changed})")
    return " AND ".join(parts), args
