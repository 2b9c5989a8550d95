"""The review room: filtered lists in keyset pages, all votes of a page, last decisions, notes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from chorus.server.domain.model import Item
from chorus.server.storage.tx.base import ITEM, Base, marks

COUNT_MAX = 10_000
"""Counting stops here: beyond it nobody works by the exact number."""
_ITEM = ", ".join(f"i.{c}" for c in ITEM.split(", "))
DOUBT = (
    "CAST(1000 * (1 - COALESCE(i.agreement, 0)) + 1000 * (1 - COALESCE(i.confidence, 0))"
    " + CASE WHEN i.model_value <> COALESCE(i.label, i.provisional)"
    " THEN 1000 * COALESCE(i.model_score, 0) ELSE 0 END AS INTEGER)"
)
"""How informative a look at the item is, 0 … 3000: the votes' disagreement, the doubt left in
their consensus, and how surely the model says something else. Nobody's vote is full doubt."""
_MARKS = {"%": "\\%", "_": "\\_", "\\": "\\\\"}


class Wanted(msgspec.Struct, frozen=True):
    """Which items a reviewer wants to see; values are canonical (as stored)."""

    state: str | None = None
    """None: all but the removed ones."""
    value: str | None = None
    labeler: str | None = None
    confidence_min: float | None = None
    confidence_max: float | None = None
    disagreement: str | None = None
    """'people': their votes differ; 'model': it contradicts them."""
    prelabel_changed: bool = False
    text: str = ""
    item_ids: tuple[int, ...] | None = None


class ReviewSql(Base):
    def review_items(
        self, project_id: str, wanted: Wanted, after: tuple[int | None, int], limit: int,
        by_doubt: bool,
    ) -> list[tuple[int, Item]]:  # fmt: skip
        """(doubt, item), in order of falling doubt, then item_id (or of item_id alone).

        `after`: (doubt, item_id) of the last one seen; (None, 0) to begin.
        """
        where, args = _where(project_id, wanted)
        doubt, item_id = after
        if by_doubt:
            order = "doubt DESC, i.item_id"
            if doubt is not None:
                where += f" AND ({DOUBT} < ? OR ({DOUBT} = ? AND i.item_id > ?))"
                args += [doubt, doubt, item_id]
        else:
            order = "i.item_id"
            where += " AND i.item_id > ?"
            args.append(item_id)
        rows = self.rows(
            f"SELECT {DOUBT} AS doubt, {_ITEM} FROM item AS i WHERE {where}"
            f" ORDER BY {order} LIMIT ?",
            [*args, limit],
        )
        return [(int(row[0]), Item(*row[1:])) for row in rows]

    def count_review_items(self, project_id: str, wanted: Wanted) -> int:
        """How many match, but no more than COUNT_MAX + 1."""
        where, args = _where(project_id, wanted)
        (n,) = self.row(
            f"SELECT COUNT(*) FROM (SELECT 1 FROM item AS i WHERE {where} LIMIT ?)",
            [*args, COUNT_MAX + 1],
        )
        return int(n)

    def votes_of_items(self, item_ids: Sequence[int]) -> list[Any]:
        """Every vote ever cast on these items, oldest first: (item_id, vote_id, user_id, name,
        kind, value, created_at, duration_ms, page_kind, prelabel, prelabel_score, stands,
        corrected)."""
        return self.rows(
            "SELECT v.item_id, v.vote_id, v.user_id, p.name, v.kind, v.value, v.created_at,"
            " v.duration_ms, v.page_kind, v.prelabel, v.prelabel_score, s.vote_id IS NOT NULL,"
            " EXISTS (SELECT 1 FROM vote w WHERE w.item_id = v.item_id"
            " AND w.supersedes = v.vote_id)"
            " FROM vote v JOIN person p ON p.user_id = v.user_id"
            " LEFT JOIN standing s ON s.item_id = v.item_id AND s.user_id = v.user_id"
            " AND s.vote_id = v.vote_id"
            f" WHERE v.item_id IN ({marks(len(item_ids))}) ORDER BY v.item_id, v.seq",
            item_ids,
        )

    def last_reviews(self, item_ids: Sequence[int]) -> dict[int, tuple[Any, ...]]:
        """item_id -> (seq, user_id, name or None, action, value, created_at) of its newest one."""
        rows = self.rows(
            "SELECT r.item_id, r.seq, r.user_id, p.name, r.action, r.value, r.created_at"
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

    def notes(self, project_id: str, limit: int) -> list[tuple[int, str, int]]:
        """(seq, body as JSON, at), newest first. Served by the partial index event_notes."""
        return self.rows(
            "SELECT seq, body, at FROM event WHERE project_id = ? AND type = 'note.added'"
            " ORDER BY seq DESC LIMIT ?",
            (project_id, limit),
        )


def _where(project_id: str, wanted: Wanted) -> tuple[str, list[Any]]:
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
    if wanted.value is not None:
        # A labeled item's class has an index of its own.
        column = "i.label" if wanted.state == "labeled" else "COALESCE(i.label, i.provisional)"
        also(f"{column} = ?", wanted.value)
    if wanted.confidence_min is not None:
        also("i.confidence >= ?", wanted.confidence_min)
    if wanted.confidence_max is not None:
        also("i.confidence <= ?", wanted.confidence_max)
    if wanted.disagreement == "people":
        also("i.agreement < 1")
    elif wanted.disagreement == "model":
        also("i.model_value <> COALESCE(i.label, i.provisional)")
    if wanted.text:
        text = "".join(_MARKS.get(c, c) for c in wanted.text)
        also("i.name LIKE ? ESCAPE '\\'", f"%{text}%")
    standing = "EXISTS (SELECT 1 FROM standing s WHERE s.item_id = i.item_id"
    if wanted.labeler is not None:
        also(f"{standing} AND s.user_id = ?)", wanted.labeler)
    if wanted.prelabel_changed:
        changed = "s.kind = 'label' AND s.prelabel IS NOT NULL AND s.value <> s.prelabel"
        also(f"i.n_prelabel_votes > 0 AND {standing} AND {changed})")
    return " AND ".join(parts), args
