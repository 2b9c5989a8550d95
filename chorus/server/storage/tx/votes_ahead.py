"""Reading for many votes at once what each of them will look at: one statement for a table, where
each vote alone would need one."""

from __future__ import annotations

from collections.abc import Sequence

from chorus.server.domain.model import StandingVote
from chorus.server.storage.tx.base import ITEM, LEASE, STANDING, Base, marks, padded
from chorus.server.storage.tx.known import VoteAhead

_LEASE = ", ".join(f"l.{column}" for column in LEASE.split(", "))


class VotesAheadSql(Base):
    def votes_ahead(self, asked: Sequence[VoteAhead]) -> None:
        """asked: of votes that share a commit (line.MOST at most)."""
        known = self.known
        if known is None:
            return
        vote_ids = [a.vote_id for a in asked]
        known.votes.update(dict.fromkeys(vote_ids))
        vote_ids = padded(vote_ids)
        many = marks(len(vote_ids))
        for vote_id, *found in self.rows(
            f"SELECT vote_id, user_id, item_id, seq FROM vote WHERE vote_id IN ({many}) UNION ALL"
            f" SELECT vote_id, user_id, item_id, seq FROM check_vote WHERE vote_id IN ({many})"
            " UNION ALL SELECT vote_id, user_id, item_id, seq FROM practice_answer"
            f" WHERE vote_id IN ({many})",
            vote_ids * 3,
        ):
            known.votes[vote_id] = found[0], found[1], found[2]
        item_ids = padded(dict.fromkeys(a.item_id for a in asked))
        of_items = f"item_id IN ({marks(len(item_ids))})"
        for row in self.rows(f"SELECT {ITEM} FROM item WHERE {of_items}", item_ids):
            known.items[row[0]] = row
        known.standing.update({item_id: [] for item_id in item_ids})
        for row in self.rows(
            f"SELECT {STANDING} FROM standing WHERE {of_items} ORDER BY item_id, seq", item_ids
        ):
            known.standing[row[0]].append(StandingVote(*row))
        self._leases_ahead([(a.item_id, a.user_id) for a in asked])

    def _leases_ahead(self, pairs: list[tuple[int, str]]) -> None:
        known = self.known
        assert known is not None
        known.leases.update(dict.fromkeys(pairs))
        several = padded(pairs)
        pages: dict[int, None] = {}
        for row in self.rows(
            # Joined, because SQLite looks through all leases for `(a, b) IN (VALUES …)`.
            f"SELECT {_LEASE} FROM (VALUES {','.join(['(?,?)'] * len(several))}) AS v"
            " CROSS JOIN lease AS l ON l.item_id = v.column1 AND l.user_id = v.column2"
            " ORDER BY l.lease_id",
            [part for pair in several for part in pair],
        ):
            key = row[2], row[3]
            known.leases[key] = row  # the newest is the last
            known.lease_of[row[0]] = key
            if row[5] not in known.pages:
                pages[row[5]] = None
        if pages:
            page_ids = padded(pages)
            for page_id, *page in self.rows(
                f"SELECT page_id, kind, size, round FROM page WHERE page_id IN"
                f" ({marks(len(page_ids))})",
                page_ids,
            ):
                known.pages[page_id] = page[0], page[1], page[2]
