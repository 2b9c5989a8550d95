"""Practice: who has done it, on which gold items, and what they answered; notes on gold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from chorus.server.domain.model import Item
from chorus.server.storage.tx.base import ITEM, Base, marks, same


class Practised(NamedTuple):
    """How a person's latest practice went."""

    user_id: str
    run: int
    finished_at: int | None
    answered: int
    judged: int
    """Answers to items whose truth was known."""
    right: int


class PracticeSql(Base):
    def practice(self, project_id: str, user_id: str) -> tuple[int, int | None] | None:
        """(run, when it was finished)."""
        row = self.row(
            "SELECT run, finished_at FROM practice WHERE project_id = ? AND user_id = ?",
            (project_id, user_id),
        )
        return (int(row[0]), row[1]) if row else None

    def set_practice(
        self, project_id: str, user_id: str, run: int, finished_at: int | None
    ) -> None:
        self.run(
            "INSERT INTO practice VALUES (?,?,?,?) ON CONFLICT (project_id, user_id)"
            " DO UPDATE SET run = excluded.run, finished_at = excluded.finished_at",
            (project_id, user_id, run, finished_at),
        )

    def at_work(self, project_id: str, user_id: str) -> bool:
        """Has the person answered anything that was no practice, or do they hold it?"""
        row = self.row(
            "SELECT EXISTS (SELECT 1 FROM vote WHERE user_id = ? AND project_id = ?)"
            " OR EXISTS (SELECT 1 FROM check_vote WHERE user_id = ? AND project_id = ?)"
            " OR EXISTS (SELECT 1 FROM lease l JOIN page p ON p.page_id = l.page_id"
            " WHERE l.project_id = ? AND l.user_id = ? AND l.released_at IS NULL"
            " AND p.kind <> 'practice')",
            (user_id, project_id, user_id, project_id, project_id, user_id),
        )
        return bool(row[0])

    def practice_in_hand(self, project_id: str, user_id: str) -> list[int]:
        """page_id of each practice item that the person holds."""
        rows = self.rows(
            "SELECT l.page_id FROM lease l JOIN page p ON p.page_id = l.page_id"
            " WHERE l.project_id = ? AND l.user_id = ? AND l.released_at IS NULL"
            " AND p.kind = 'practice'",
            (project_id, user_id),
        )
        return [page_id for (page_id,) in rows]

    def practice_pages(self, project_id: str, user_id: str, run: int) -> list[int]:
        """page_id of each item that the person has answered in this run."""
        rows = self.rows(
            "SELECT MIN(page_id) FROM practice_answer WHERE project_id = ? AND user_id = ?"
            " AND run = ? GROUP BY item_id",
            (project_id, user_id, run),
        )
        return [page_id for (page_id,) in rows]

    def practice_gold(self, project_id: str, user_id: str, run: int, limit: int) -> list[Item]:
        """Gold that the person neither holds nor has answered in this run: first what they have
        never answered, of that what has a note, in order of rank."""
        free = (
            "i.project_id = ? AND i.gold = 1 AND i.state = 'labeled' AND NOT EXISTS"
            " (SELECT 1 FROM lease l WHERE l.item_id = i.item_id AND l.user_id = ?"
            " AND l.released_at IS NULL) AND NOT EXISTS"
            " (SELECT 1 FROM practice_answer a WHERE a.item_id = i.item_id AND a.user_id = ?"
            " AND a.run = ?)"
        )
        seen = " OR ".join(
            f"EXISTS (SELECT 1 FROM {table} v WHERE v.item_id = i.item_id AND v.user_id = ?)"
            for table in ("vote", "check_vote", "practice_answer")
        )
        noted = "i.item_id IN (SELECT item_id FROM gold_note WHERE project_id = ?)"
        found: list[Item] = []
        for part, args in (
            (f"NOT ({seen}) AND {noted}", [user_id] * 3 + [project_id]),
            (f"NOT ({seen}) AND NOT {noted}", [user_id] * 3 + [project_id]),
            (f"({seen})", [user_id] * 3),
        ):
            if len(found) < limit:
                found += [
                    Item(*row)
                    for row in self.rows(
                        f"SELECT {ITEM} FROM item AS i WHERE {free} AND {part}"
                        " ORDER BY i.rank LIMIT ?",
                        (project_id, user_id, user_id, run, *args, limit - len(found)),
                    )
                ]
        return found

    # -- answers

    def add_practice_answer(self, values: tuple[Any, ...]) -> None:
        """values in table order."""
        self.run(f"INSERT INTO practice_answer VALUES ({marks(len(values))})", values)

    def practice_answer(
        self, vote_id: str
    ) -> tuple[str, int, int, str, str | None, str | None] | None:
        """(user_id, item_id, seq, kind, value, truth)."""
        row = self.row(
            "SELECT user_id, item_id, seq, kind, value, truth FROM practice_answer"
            " WHERE vote_id = ?",
            (vote_id,),
        )
        return tuple(row) if row else None

    def practice_given(
        self, item_id: int, user_id: str, page_id: int
    ) -> tuple[str, str, str | None] | None:
        """(vote_id, kind, value) of the answer given on this page."""
        row = self.row(
            "SELECT vote_id, kind, value FROM practice_answer WHERE item_id = ? AND user_id = ?"
            " AND page_id = ?",
            (item_id, user_id, page_id),
        )
        return tuple(row) if row else None

    def practised(self, project_id: str) -> list[Practised]:
        """Of everybody who was asked to practise."""
        return [
            Practised(*row)
            for row in self.rows(
                "SELECT p.user_id, p.run, p.finished_at, COUNT(a.vote_id), COUNT(a.truth),"
                f" COALESCE(SUM(a.kind = 'label' AND {same('a.value', 'a.truth')}), 0)"
                " FROM practice p"
                " LEFT JOIN practice_answer a ON a.project_id = p.project_id"
                " AND a.user_id = p.user_id AND a.run = p.run"
                " WHERE p.project_id = ? AND p.run > 0 GROUP BY p.user_id, p.run, p.finished_at",
                (project_id,),
            )
        ]

    # -- notes

    def gold_note(self, item_id: int) -> str | None:
        row = self.row("SELECT text FROM gold_note WHERE item_id = ?", (item_id,))
        return row[0] if row else None

    def gold_notes(self, item_ids: Sequence[int]) -> dict[int, str]:
        return dict(
            self.rows(
                f"SELECT item_id, text FROM gold_note WHERE item_id IN ({marks(len(item_ids))})",
                item_ids,
            )
        )

    def set_gold_note(self, project_id: str, item_id: int, text: str) -> None:
        """Of an empty text nothing is kept."""
        self.run("DELETE FROM gold_note WHERE item_id = ?", (item_id,))
        if text:
            self.run("INSERT INTO gold_note VALUES (?,?,?)", (item_id, project_id, text))

    # -- for fsck

    def misplaced_practice(self, project_id: str) -> list[str]:
        """vote_id of answers that were not asked for as practice, or count as something else."""
        rows = self.rows(
            "SELECT a.vote_id FROM practice_answer a WHERE a.project_id = ? AND ("
            "NOT EXISTS (SELECT 1 FROM lease l JOIN page p ON p.page_id = l.page_id"
            " WHERE l.page_id = a.page_id AND l.item_id = a.item_id AND l.user_id = a.user_id"
            " AND l.blind_check = 1 AND p.kind = 'practice')"
            " OR EXISTS (SELECT 1 FROM vote v WHERE v.vote_id = a.vote_id)"
            " OR EXISTS (SELECT 1 FROM check_vote c WHERE c.vote_id = a.vote_id))",
            (project_id,),
        )
        return [vote_id for (vote_id,) in rows]
