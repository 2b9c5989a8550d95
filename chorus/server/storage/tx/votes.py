"""Votes, the standing vote of each person on each item, and reviews."""

from __future__ import annotations

from typing import Any

from chorus.server.domain.filters import Answers
from chorus.server.domain.model import StandingVote, VoteKind
from chorus.server.storage.tx.base import (
    CHECK_STANDS,
    STANDING,
    Base,
    has_part,
    like,
    part_args,
    same,
)
from chorus.server.storage.tx.later import Statement

_VOTE = Statement("INSERT INTO vote", 14)
_STANDING = Statement(
    "INSERT INTO standing", 8,
    "ON CONFLICT (item_id, user_id) DO UPDATE SET vote_id = excluded.vote_id,"
    " kind = excluded.kind, value = excluded.value, prelabel = excluded.prelabel,"
    " seq = excluded.seq",
)  # fmt: skip


class VoteSql(Base):
    def vote_seq(self, vote_id: str) -> tuple[str, int, int] | None:
        """(user_id, item_id, seq) of a stored vote, or of an answer on a check or in
        practice."""
        if self.known is not None and vote_id in self.known.votes:
            return self.known.votes[vote_id]
        row = self.row(
            "SELECT user_id, item_id, seq FROM vote WHERE vote_id = ? UNION ALL"
            " SELECT user_id, item_id, seq FROM check_vote WHERE vote_id = ? UNION ALL"
            " SELECT user_id, item_id, seq FROM practice_answer WHERE vote_id = ?",
            (vote_id, vote_id, vote_id),
        )
        return tuple(row) if row else None

    def vote_page(self, vote_id: str) -> tuple[int | None, str | None]:
        """(page_id, page kind) a vote was given on."""
        row = self.row("SELECT page_id, page_kind FROM vote WHERE vote_id = ?", (vote_id,))
        return row[0], row[1]

    def add_vote(self, values: tuple[Any, ...]) -> None:
        """values in table order."""
        self.later(_VOTE, values)
        if self.known is not None:
            vote_id, _, item_id, user_id, seq, *_ = values
            self.known.votes[vote_id] = user_id, item_id, seq

    def standing(self, item_id: int) -> list[StandingVote]:
        """All standing votes of an item, oldest first."""
        if self.known is not None and (found := self.known.standing.get(item_id)) is not None:
            return list(found)
        return [
            StandingVote(*row)
            for row in self.rows(
                f"SELECT {STANDING} FROM standing WHERE item_id = ? ORDER BY seq", (item_id,)
            )
        ]

    def standing_between(
        self, project_id: str, first: int, last: int
    ) -> dict[int, list[StandingVote]]:
        """Standing votes of items first..last (ids, inclusive) by item, oldest first."""
        found: dict[int, list[StandingVote]] = {}
        for row in self.rows(
            f"SELECT {STANDING} FROM standing WHERE item_id BETWEEN ? AND ? AND project_id = ?"
            " ORDER BY item_id, seq",
            (first, last, project_id),
        ):
            found.setdefault(row[0], []).append(StandingVote(*row))
        return found

    def label_votes(
        self, project_id: str, after: tuple[int, str], limit: int
    ) -> list[tuple[int, str, str, str | None]]:
        """(item_id, user_id, value, prelabel) of standing label votes behind (item_id, user_id),
        in that order."""
        return self.rows(
            "SELECT item_id, user_id, value, prelabel FROM standing"
            " WHERE (item_id, user_id) > (?, ?) AND project_id = ? AND kind = 'label'"
            " ORDER BY item_id, user_id LIMIT ?",
            (*after, project_id, limit),
        )

    def set_standing(
        self, item_id: int, user_id: str, project_id: str, vote_id: str, kind: VoteKind,
        value: str | None, prelabel: str | None, seq: int,
    ) -> None:  # fmt: skip
        self.later(
            _STANDING, (item_id, user_id, project_id, vote_id, kind, value, prelabel, seq)
        )  # fmt: skip
        if self.known is None:
            return
        self.known.windows.answer(item_id, user_id)
        if (found := self.known.standing.get(item_id)) is not None:
            now = StandingVote(item_id, user_id, vote_id, kind, value, prelabel, seq)
            others = [vote for vote in found if vote.user_id != user_id]
            # Of an import the votes may come in another order than they were given in.
            self.known.standing[item_id] = sorted([*others, now], key=lambda vote: vote.seq)

    def clear_standing(self, item_id: int) -> None:
        self.run("DELETE FROM standing WHERE item_id = ?", (item_id,))

    def history(
        self, project_id: str, user_id: str, before: int, limit: int, wanted: Answers
    ) -> list[Any]:
        """(vote_id, item_id, kind, value, page_id, created_at, prelabel, seq, is a check) of a
        person's standing votes and answers on checks, newest first."""
        votes, args = _answers("v", wanted)
        checks, _ = _answers("c", wanted)
        person = (user_id, project_id, before, *args)
        return self.rows(
            "SELECT v.vote_id, v.item_id, v.kind, v.value, v.page_id, v.created_at, v.prelabel,"
            " v.seq, 0 FROM vote v JOIN standing s ON s.vote_id = v.vote_id"
            " AND s.item_id = v.item_id AND s.user_id = v.user_id"
            f" WHERE v.user_id = ? AND v.project_id = ? AND v.seq < ?{votes} UNION ALL"
            " SELECT c.vote_id, c.item_id, c.kind, c.value, c.page_id, c.created_at, NULL, c.seq, 1"
            f" FROM check_vote c WHERE c.user_id = ? AND c.project_id = ? AND c.seq < ?{checks}"
            f" AND {CHECK_STANDS} ORDER BY 8 DESC LIMIT ?",
            (*person, *person, limit),
        )

    def count_votes(self, project_id: str, user_id: str, since: int) -> tuple[int, int]:
        """(answers since that time, answers ever) of one person, corrections not counted twice."""
        row = self.row(
            "SELECT COALESCE(SUM(created_at >= ?), 0), COUNT(*) FROM ("
            "SELECT created_at FROM vote"
            " WHERE user_id = ? AND project_id = ? AND supersedes IS NULL UNION ALL"
            " SELECT created_at FROM check_vote"
            " WHERE user_id = ? AND project_id = ? AND supersedes IS NULL)",
            (since, user_id, project_id, user_id, project_id),
        )
        return int(row[0]), int(row[1])

    def last_answer_at(self, project_id: str, user_id: str) -> int | None:
        """When the person answered last, corrections and checks included."""
        times = [
            self.row(
                f"SELECT created_at FROM {table} WHERE user_id = ? AND project_id = ?"
                " ORDER BY seq DESC LIMIT 1",
                (user_id, project_id),
            )
            for table in ("vote", "check_vote")
        ]
        return max((int(row[0]) for row in times if row is not None), default=None)

    def answer_times(self, project_id: str, user_id: str, limit: int) -> list[int]:
        """When the person gave their newest answers, checks among them, oldest first."""
        times = [
            at
            for table in ("vote", "check_vote")
            for (at,) in self.rows(
                f"SELECT created_at FROM {table} WHERE user_id = ? AND project_id = ?"
                " AND supersedes IS NULL ORDER BY seq DESC LIMIT ?",
                (user_id, project_id, limit),
            )
        ]
        return sorted(times)[-limit:]

    def own_agreement(
        self, project_id: str, user_id: str, before: int, limit: int
    ) -> tuple[int, int]:
        """(answers, those that the label agrees with) among the person's newest standing label
        votes on items that several people or a decision settled before that time. Gold is no part
        of it: it would tell which items are checks; nor what was looked at again, which is no fair
        sample."""
        row = self.row(
            "SELECT COUNT(*), COALESCE(SUM(same), 0) FROM"
            f" (SELECT {same('v.value', 'i.label')} AS same"
            " FROM vote v JOIN standing s ON s.item_id = v.item_id AND s.user_id = v.user_id"
            " AND s.vote_id = v.vote_id JOIN item i ON i.item_id = v.item_id"
            " WHERE v.user_id = ? AND v.project_id = ? AND v.kind = 'label'"
            " AND i.state = 'labeled' AND i.gold = 0 AND i.label_at < ?"
            " AND (i.n_labels > 1 OR i.label_source = 'review')"
            " AND i.doubted IS NULL ORDER BY v.seq DESC LIMIT ?)",
            (user_id, project_id, before, limit),
        )
        return int(row[0]), int(row[1])

    def add_review(
        self, project_id: str, item_id: int, user_id: str, action: str, value: str | None,
        seq: int, at: int, bulk_id: str | None = None,
    ) -> None:  # fmt: skip
        self.run(
            "INSERT INTO review (project_id, item_id, user_id, action, value, seq, created_at,"
            " bulk_id) VALUES (?,?,?,?,?,?,?,?)",
            (project_id, item_id, user_id, action, value, seq, at, bulk_id),
        )

    def reviews(self, item_id: int) -> list[tuple[str, str | None, int]]:
        """(action, value, seq), oldest first."""
        return self.rows(
            "SELECT action, value, seq FROM review WHERE item_id = ? ORDER BY seq, review_id",
            (item_id,),
        )

    def board_labelers(self, project_id: str) -> list[Any]:
        """(user_id, votes, labels, skips, prelabels seen, prelabels changed) from standing."""
        return self.rows(
            "SELECT user_id, COUNT(*), SUM(kind = 'label'), SUM(kind = 'skip'),"
            " SUM(prelabel IS NOT NULL),"
            " SUM(prelabel IS NOT NULL AND kind = 'label' AND value <> prelabel)"
            " FROM standing WHERE project_id = ? GROUP BY user_id",
            (project_id,),
        )

    def last_vote_at(self, project_id: str) -> list[tuple[str, int]]:
        return self.rows(
            "SELECT user_id, MAX(created_at) FROM vote WHERE project_id = ? GROUP BY user_id",
            (project_id,),
        )


def _answers(table: str, wanted: Answers) -> tuple[str, list[Any]]:
    """The same conditions on votes and on answers to checks."""
    parts: list[str] = []
    args: list[Any] = []

    def also(sql: str, *values: Any) -> None:
        parts.append(f" AND {sql}")
        args.extend(values)

    if wanted.kind is not None:
        also(f"{table}.kind = ?", wanted.kind)
    if wanted.value is not None:
        also(f"{table}.value = ?", wanted.value)
    if wanted.part is not None:
        also(has_part(f"{table}.value"), *part_args(wanted.part))
    if wanted.since is not None:
        also(f"{table}.created_at >= ?", wanted.since)
    if wanted.until is not None:
        also(f"{table}.created_at < ?", wanted.until)
    if wanted.text:
        also(
            f"EXISTS (SELECT 1 FROM item i WHERE i.item_id = {table}.item_id"
            " AND i.name LIKE ? ESCAPE '\\')",
            like(wanted.text),
        )
    return "".join(parts), args
