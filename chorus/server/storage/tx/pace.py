"""What each way of working costs: answers as they were given, timed and judged, and how pages
turned out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from chorus.server.domain.model import BY_HAND
from chorus.server.storage.tx.base import CHECK_STANDS, Base, marks, padded, same
from chorus.server.storage.tx.items import FRESH

_VIEW = "CASE WHEN p.kind <> 'manual' THEN p.kind WHEN p.size > 1 THEN 'grid' ELSE 'single' END"
"""domain/pace.view_of in SQL, of page AS p."""
_JUDGED = (
    "i.label IS NOT NULL AND (i.label_source = 'review' OR i.n_labels > 1) AND i.doubted IS NULL"
)
"""Of item AS i: its label is more than the word of the one who is judged by it, and the item
is no likelier than others to have a wrong answer."""


class Timed(NamedTuple):
    """One vote as it was given."""

    vote_id: str
    item_id: int
    page_id: int | None
    view: str | None
    """None without a page."""
    duration_ms: int | None


class PaceSql(Base):
    # -- the pass over the log

    def pace_seq(self, project_id: str) -> int:
        """The event up to which everything here is counted."""
        row = self.row("SELECT seq FROM pace_mark WHERE project_id = ?", (project_id,))
        return int(row[0]) if row else 0

    def set_pace_seq(self, project_id: str, seq: int) -> None:
        self.run(
            "INSERT INTO pace_mark VALUES (?,?)"
            " ON CONFLICT (project_id) DO UPDATE SET seq = excluded.seq",
            (project_id, seq),
        )

    def timed_votes(self, vote_ids: Sequence[str]) -> list[Timed]:
        vote_ids = padded(vote_ids)
        return [
            Timed(*row)
            for row in self.packed(
                "vote_id, item_id, page_id, view, duration_ms",
                f"SELECT v.vote_id, v.item_id, v.page_id, {_VIEW} AS view, v.duration_ms"
                " FROM vote v LEFT JOIN page p ON p.page_id = v.page_id"
                f" WHERE v.vote_id IN ({marks(len(vote_ids))})",
                vote_ids,
            )
        ]

    def pages_of_checks(self, vote_ids: Sequence[str]) -> list[int]:
        """The pages that these answers on checks were given on; some more than once."""
        if not vote_ids:
            return []
        vote_ids = padded(vote_ids)
        found = self.packed(
            "page_id",
            f"SELECT page_id FROM check_vote WHERE vote_id IN ({marks(len(vote_ids))})",
            vote_ids,
        )
        return [page_id for (page_id,) in found]

    # -- seconds

    def add_times(self, project_id: str, rows: Sequence[tuple[str, int, int]]) -> None:
        """rows: (view, bin, answers more)."""
        self.run_many(
            "INSERT INTO pace_time VALUES (?,?,?,?) ON CONFLICT (project_id, view, bin)"
            " DO UPDATE SET n = pace_time.n + excluded.n",
            [(project_id, *row) for row in rows],
        )

    def times(self, project_id: str) -> list[tuple[str, int, int]]:
        """(view, bin, answers)."""
        return self.rows(
            "SELECT view, bin, n FROM pace_time WHERE project_id = ? ORDER BY view, bin",
            (project_id,),
        )

    def durations_until(self, project_id: str, seq: int) -> list[tuple[str, int, int]]:
        """(view, ms, answers) of all votes up to event `seq` that correct none, counted anew."""
        return self.rows(
            f"SELECT {_VIEW}, v.duration_ms, COUNT(*) FROM vote v"
            " JOIN page p ON p.page_id = v.page_id WHERE v.project_id = ? AND v.seq <= ?"
            " AND v.supersedes IS NULL AND v.duration_ms > 0 GROUP BY 1, 2",
            (project_id, seq),
        )

    # -- pages

    def page_answers(self, page_ids: Sequence[int]) -> list[tuple[int, int, str, str | None]]:
        """(page_id, item_id, kind, value) of every vote of the pages' holders there, the oldest
        first; nothing of a page of which some is still open, or of one of prelabels."""
        page_ids = padded(page_ids)
        found = self.packed(
            "seq, page_id, item_id, kind, value",
            "SELECT v.seq, p.page_id, v.item_id, v.kind, v.value FROM page p"
            " JOIN lease l ON l.page_id = p.page_id JOIN vote v ON v.item_id = l.item_id"
            " AND v.user_id = l.user_id AND v.page_id = l.page_id"
            f" WHERE p.page_id IN ({marks(len(page_ids))}) AND p.kind <> 'prelabeled'"
            " AND NOT EXISTS (SELECT 1"
            " FROM lease o WHERE o.page_id = p.page_id AND o.released_at IS NULL)",
            page_ids,
        )
        found.sort(key=lambda row: row[0])
        return [(page_id, item_id, kind, value) for _, page_id, item_id, kind, value in found]

    def turnouts_stored(self, page_ids: Sequence[int]) -> list[tuple[int, tuple[int, int]]]:
        """(page_id, (answered, alike))"""
        page_ids = padded(page_ids)
        found = self.packed(
            "page_id, answered, alike",
            f"SELECT page_id, answered, alike FROM page WHERE page_id IN ({marks(len(page_ids))})",
            page_ids,
        )
        return [(page_id, (answered, alike)) for page_id, answered, alike in found]

    def set_turnouts(self, rows: Iterable[tuple[int, int, int]]) -> None:
        """rows: (page_id, answered, alike)."""
        self.run_many(
            "UPDATE page SET answered = ?, alike = ? WHERE page_id = ?",
            ((answered, alike, page_id) for page_id, answered, alike in rows),
        )

    def pages_after(self, project_id: str, page_id: int, limit: int) -> list[tuple[int, int, int]]:
        """(page_id, answered, alike) of the next pages."""
        return self.rows(
            "SELECT page_id, answered, alike FROM page WHERE project_id = ? AND page_id > ?"
            " ORDER BY page_id LIMIT ?",
            (project_id, page_id, limit),
        )

    def turnouts(self, project_id: str) -> list[tuple[str, int | None, int, int, int]]:
        """(kind, round, answered, alike, pages) of pages that say something of how alike their
        items are. Served by the index page_turnout alone."""
        return self.rows(
            "SELECT kind, round, answered, alike, COUNT(*) FROM page"
            " WHERE project_id = ? AND answered > 0 GROUP BY kind, round, answered, alike",
            (project_id,),
        )

    def turnouts_of(self, project_id: str, number: int) -> list[tuple[int, int, int]]:
        """(answered, alike, pages) of the clustered pages of one round."""
        return self.rows(
            "SELECT answered, alike, COUNT(*) FROM page WHERE project_id = ?"
            " AND kind = 'clustered' AND round = ? AND answered > 0 GROUP BY answered, alike",
            (project_id, number),
        )

    # -- errors

    def judged_votes(self, item_ids: Sequence[int]) -> list[tuple[int, str, int, int]]:
        """(item_id, view, answers judged, wrong ones): votes that stand against labels that two
        people or a review have made, and answers on checks against gold."""
        item_ids = padded(item_ids)
        some = marks(len(item_ids))
        return self.packed(
            "item_id, view, n, wrong",
            "SELECT item_id, view, SUM(n) AS n, SUM(wrong) AS wrong FROM ("
            f"SELECT s.item_id AS item_id, {_VIEW} AS view, COUNT(*) AS n,"
            f" SUM(NOT {same('s.value', 'i.label')}) AS wrong FROM standing s"
            " JOIN item i ON i.item_id = s.item_id JOIN vote v ON v.vote_id = s.vote_id"
            f" JOIN page p ON p.page_id = v.page_id WHERE s.item_id IN ({some})"
            f" AND s.kind = 'label' AND {_JUDGED} GROUP BY 1, 2 UNION ALL"
            f" SELECT c.item_id, {_VIEW}, COUNT(*), SUM(NOT {same('c.value', 'i.label')})"
            " FROM check_vote c"
            " JOIN item i ON i.item_id = c.item_id JOIN page p ON p.page_id = c.page_id"
            f" WHERE c.item_id IN ({some}) AND c.kind = 'label' AND i.gold = 1"
            f" AND i.label IS NOT NULL AND {CHECK_STANDS} GROUP BY 1, 2"
            ") GROUP BY item_id, view",
            [*item_ids, *item_ids],
        )

    def pace_items(self, item_ids: Sequence[int]) -> list[tuple[int, str, int, int]]:
        """(item_id, view, judged, wrong) as counted so far."""
        item_ids = padded(item_ids)
        return self.packed(
            "item_id, view, n, wrong",
            "SELECT item_id, view, n, wrong FROM pace_item"
            f" WHERE item_id IN ({marks(len(item_ids))})",
            item_ids,
        )

    def set_pace_items(
        self, project_id: str, item_ids: Sequence[int], rows: Sequence[tuple[int, str, int, int]]
    ) -> None:
        """rows: all there is to say of these items: (item_id, view, judged, wrong)."""
        item_ids = padded(item_ids)
        self.run(f"DELETE FROM pace_item WHERE item_id IN ({marks(len(item_ids))})", item_ids)
        self.run_many(
            "INSERT INTO pace_item VALUES (?,?,?,?,?)",
            [(item_id, view, project_id, n, wrong) for item_id, view, n, wrong in rows],
        )

    def pace_items_between(
        self, project_id: str, first: int, last: int
    ) -> list[tuple[int, str, int, int]]:
        """(item_id, view, judged, wrong) of items first..last (ids, inclusive)."""
        return self.rows(
            "SELECT item_id, view, n, wrong FROM pace_item WHERE item_id BETWEEN ? AND ?"
            " AND project_id = ?",
            (first, last, project_id),
        )

    def add_errors(self, project_id: str, rows: Sequence[tuple[str, int, int]]) -> None:
        """rows: (view, answers judged more, wrong ones more)."""
        self.run_many(
            "INSERT INTO pace_error VALUES (?,?,?,?) ON CONFLICT (project_id, view)"
            " DO UPDATE SET n = pace_error.n + excluded.n,"
            " wrong = pace_error.wrong + excluded.wrong",
            [(project_id, *row) for row in rows],
        )

    def errors(self, project_id: str) -> list[tuple[str, int, int]]:
        """(view, answers judged, wrong ones)."""
        return self.rows(
            "SELECT view, n, wrong FROM pace_error WHERE project_id = ? AND n > 0", (project_id,)
        )

    # -- clusters

    def last_done_round(self, project_id: str) -> int | None:
        row = self.row(
            "SELECT MAX(number) FROM round WHERE project_id = ? AND state = 'done'", (project_id,)
        )
        return None if row[0] is None else int(row[0])

    def clustered_items(self, project_id: str) -> list[int]:
        """Open items that would come on a clustered page."""
        return [
            row[0]
            for row in self.rows(
                "SELECT item_id FROM item WHERE project_id = ? AND queue = 'clustered'"
                " AND state IN ('unlabeled', 'in_progress') ORDER BY item_id",
                (project_id,),
            )
        ]

    def to_manual(self, project_id: str, item_ids: Sequence[int], below: int) -> int:
        """Those of these items that still wait on clustered pages before queue_pos `below` wait
        in the manual queue now, each in its random place; how many."""
        return self.run(
            "UPDATE item SET queue = 'manual', queue_pos = rank, queue_block = 0, odd = NULL,"
            f" chosen = CASE WHEN {FRESH} THEN {BY_HAND} * MAX(priority, picked) ELSE chosen END"
            f" WHERE item_id IN ({marks(len(item_ids))}) AND project_id = ?"
            " AND queue = 'clustered' AND queue_pos < ?"
            " AND state IN ('unlabeled', 'in_progress')",
            [*item_ids, project_id, below],
        )
