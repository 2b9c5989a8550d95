"""Gold items, which of them a person is checked on next, and what people answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chorus.server.domain.model import Item
from chorus.server.storage.tx.base import CHECK_STANDS, FLAGGED, ITEM, Base, marks

SEEN_MAX = 1000
"""Gold items looked through for one that was seen long ago: the writer waits for it."""
_TRUE = "i.gold = 1 AND i.state = 'labeled'"
"""Of item AS i: there is a truth."""
_SERVABLE = (
    f"i.project_id = ? AND {_TRUE} AND NOT EXISTS"
    " (SELECT 1 FROM lease l WHERE l.item_id = i.item_id AND l.user_id = ?"
    " AND l.released_at IS NULL) AND NOT EXISTS"
    " (SELECT 1 FROM practice_answer a WHERE a.item_id = i.item_id AND a.user_id = ?)"
)
"""Of item AS i, for (project_id, user_id, user_id): there is a truth, and the person neither holds
it nor was told it in practice."""


class CheckSql(Base):
    def set_gold(self, item_id: int, gold: bool) -> None:
        self.run("UPDATE item SET gold = ? WHERE item_id = ?", (int(gold), item_id))

    def count_gold(self, project_id: str) -> int:
        (n,) = self.row(
            "SELECT COUNT(*) FROM item WHERE project_id = ? AND gold = 1", (project_id,)
        )
        return int(n)

    def has_gold(self, project_id: str) -> bool:
        known = None if self.known is None else self.known.gold
        return self.any_item(known, project_id, "gold = 1")

    # -- which ones a person gets

    def check_debt(self, project_id: str, user_id: str) -> float:
        row = self.row(
            "SELECT debt FROM check_debt WHERE project_id = ? AND user_id = ?",
            (project_id, user_id),
        )
        return float(row[0]) if row else 0.0

    def set_check_debt(self, project_id: str, user_id: str, debt: float) -> None:
        self.put(
            "INSERT INTO check_debt VALUES (?,?,?) ON CONFLICT (project_id, user_id)"
            " DO UPDATE SET debt = excluded.debt",
            (project_id, user_id, debt),
        )

    def unseen_gold(self, project_id: str, user_id: str, from_rank: int, limit: int) -> list[Item]:
        """Gold that a person has never answered, in order of rank from `from_rank` on and then
        from the beginning."""
        never = (
            "NOT EXISTS (SELECT 1 FROM vote v WHERE v.item_id = i.item_id AND v.user_id = ?)"
            " AND NOT EXISTS"
            " (SELECT 1 FROM check_vote c WHERE c.item_id = i.item_id AND c.user_id = ?)"
        )
        found: list[Item] = []
        for side in (">=", "<"):
            found += [
                Item(*row)
                for row in self.rows(
                    f"SELECT {ITEM} FROM item AS i WHERE {_SERVABLE} AND {never}"
                    f" AND i.rank {side} ? ORDER BY i.rank LIMIT ?",
                    (project_id, *[user_id] * 4, from_rank, limit - len(found)),
                )
            ]
        return found

    def seen_gold(self, project_id: str, user_id: str, answers: int, limit: int) -> list[Item]:
        """Gold that a person answered last before their newest `answers` answers (corrections not
        counted), the one they have not seen for longest first."""
        row = self.row(
            "SELECT seq FROM ("
            "SELECT seq FROM vote WHERE user_id = ? AND project_id = ?"
            " AND supersedes IS NULL UNION ALL"
            " SELECT seq FROM check_vote WHERE user_id = ? AND project_id = ?"
            " AND supersedes IS NULL)"
            " ORDER BY seq DESC LIMIT 1 OFFSET ?",
            (user_id, project_id, user_id, project_id, answers),
        )
        if row is None:
            return []
        last = (
            "MAX(COALESCE((SELECT MAX(v.seq) FROM vote v"
            " WHERE v.item_id = i.item_id AND v.user_id = ?), 0),"
            " COALESCE((SELECT MAX(c.seq) FROM check_vote c"
            " WHERE c.item_id = i.item_id AND c.user_id = ?), 0))"
        )
        return [
            Item(*found[:-1])
            for found in self.rows(
                f"SELECT * FROM (SELECT {ITEM}, {last} AS seen FROM item AS i WHERE {_SERVABLE}"
                " ORDER BY i.rank LIMIT ?) AS looked WHERE seen BETWEEN 1 AND ?"
                " ORDER BY seen LIMIT ?",
                (user_id, user_id, project_id, user_id, user_id, SEEN_MAX, row[0], limit),
            )
        ]

    # -- answers

    def add_check_vote(self, values: tuple[Any, ...]) -> None:
        """values in table order."""
        self.put(f"INSERT INTO check_vote VALUES ({marks(len(values))})", values)
        if self.known is not None:
            vote_id, _, item_id, user_id, seq, *_ = values
            self.known.votes[vote_id] = user_id, item_id, seq

    def check_vote(self, vote_id: str) -> tuple[str, int, int, str, str | None, bool] | None:
        """(user_id, item_id, page_id, kind, value, whether it stands)."""
        row = self.row(
            f"SELECT user_id, item_id, page_id, kind, value, {CHECK_STANDS} FROM check_vote c"
            " WHERE vote_id = ?",
            (vote_id,),
        )
        return (*row[:5], bool(row[5])) if row else None

    def check_answer(
        self, item_id: int, user_id: str, page_id: int
    ) -> tuple[str, str, str | None] | None:
        """(vote_id, kind, value) of the standing answer on the check that was on this page."""
        row = self.row(
            "SELECT c.vote_id, c.kind, c.value FROM check_vote c WHERE c.item_id = ?"
            f" AND c.user_id = ? AND c.page_id = ? AND {CHECK_STANDS}",
            (item_id, user_id, page_id),
        )
        return tuple(row) if row else None

    def check_answers(self, project_id: str) -> list[tuple[int, str, int, str, str | None]]:
        """(item_id, user_id, seq, value, label of the item where it is gold) of all standing
        label answers on checks, in order of (user_id, item_id, seq)."""
        return self.rows(
            "SELECT c.item_id, c.user_id, c.seq, c.value,"
            " CASE WHEN i.gold = 1 AND i.state = 'labeled' THEN i.label END"
            " FROM check_vote c JOIN item i ON i.item_id = c.item_id"
            f" WHERE c.project_id = ? AND c.kind = 'label' AND {CHECK_STANDS}"
            " ORDER BY c.user_id, c.item_id, c.seq",
            (project_id,),
        )

    def first_answers(self, project_id: str) -> list[tuple[int, str, int, str]]:
        """(item_id, user_id, seq, value) of standing label votes by people who have answered a
        check on the same item."""
        return self.rows(
            "SELECT s.item_id, s.user_id, s.seq, s.value FROM standing s JOIN"
            " (SELECT DISTINCT item_id, user_id FROM check_vote WHERE project_id = ?) c"
            " ON c.item_id = s.item_id AND c.user_id = s.user_id WHERE s.kind = 'label'",
            (project_id,),
        )

    def gold_truths(self, project_id: str) -> list[tuple[int, str]]:
        """(item_id, label) of gold whose label does not come from votes."""
        return self.rows(
            f"SELECT i.item_id, i.label FROM item AS i WHERE i.project_id = ? AND {_TRUE}"
            " AND i.label_source = 'review' ORDER BY i.rank",
            (project_id,),
        )

    def export_checks(self, item_ids: Sequence[int]) -> list[Any]:
        """Answers on checks of these items: (item_id, vote_id, user_id, login, kind, value,
        created_at, duration_ms, supersedes), by item and oldest first."""
        return self.rows(
            "SELECT c.item_id, c.vote_id, c.user_id, p.login, c.kind, c.value, c.created_at,"
            " c.duration_ms, c.supersedes FROM check_vote c"
            " JOIN person p ON p.user_id = c.user_id"
            f" WHERE c.item_id IN ({marks(len(item_ids))}) ORDER BY c.item_id, c.seq",
            item_ids,
        )

    def flagged_checks(self, item_ids: Sequence[int]) -> list[tuple[int, str, int]]:
        """(item_id, name of the person, when) of flags on checks that no decision has answered."""
        return self.rows(
            "SELECT c.item_id, p.name, c.created_at FROM check_vote c"
            " JOIN person p ON p.user_id = c.user_id"
            f" WHERE c.item_id IN ({marks(len(item_ids))}) AND {FLAGGED} ORDER BY c.seq",
            item_ids,
        )

    def count_flagged(self, project_id: str) -> int:
        """Items with such a flag."""
        row = self.row(
            "SELECT COUNT(DISTINCT c.item_id) FROM check_vote c WHERE c.project_id = ?"
            f" AND {FLAGGED}",
            (project_id,),
        )
        return int(row[0])

    # -- for fsck

    def misplaced_checks(self, project_id: str) -> list[str]:
        """vote_id of answers on checks that nobody was handed, that correct another person's or
        another item's answer, or that are a vote as well."""
        return [
            row[0]
            for row in self.rows(
                "SELECT c.vote_id FROM check_vote c WHERE c.project_id = ? AND ("
                "NOT EXISTS (SELECT 1 FROM lease l WHERE l.page_id = c.page_id"
                " AND l.item_id = c.item_id AND l.user_id = c.user_id AND l.blind_check = 1)"
                " OR (c.supersedes IS NOT NULL AND NOT EXISTS (SELECT 1 FROM check_vote o"
                " WHERE o.vote_id = c.supersedes AND o.item_id = c.item_id"
                " AND o.user_id = c.user_id AND o.page_id = c.page_id AND o.seq < c.seq))"
                " OR EXISTS (SELECT 1 FROM vote v WHERE v.vote_id = c.vote_id))",
                (project_id,),
            )
        ]

    def voted_on_checks(self, project_id: str) -> Sequence[str]:
        """vote_id of votes that were cast on a page where the item was a check."""
        return [
            row[0]
            for row in self.rows(
                "SELECT v.vote_id FROM lease l JOIN vote v ON v.item_id = l.item_id"
                " AND v.user_id = l.user_id AND v.page_id = l.page_id"
                " WHERE l.project_id = ? AND l.blind_check = 1",
                (project_id,),
            )
        ]
