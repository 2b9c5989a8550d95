"""Reading for many pages at once what dealing each will look at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from chorus.server.domain.queue import ORDER, floor_key
from chorus.server.storage.tx.assignments import AssignmentSql
from chorus.server.storage.tx.base import ITEM, marks, padded
from chorus.server.storage.tx.checks import CheckSql
from chorus.server.storage.tx.items import ItemSql
from chorus.server.storage.tx.known import PageAhead
from chorus.server.storage.tx.projects import ProjectSql
from chorus.server.storage.tx.windows import Window

FEW = 3
"""For fewer pages of a project it is not worth while."""
MOST = 256
"""Items of a queue, at most."""


class PagesAheadSql(ProjectSql, ItemSql, AssignmentSql, CheckSql):
    def pages_ahead(self, asked: Sequence[PageAhead]) -> None:
        """Of what is nobody's in particular: other assignments are looked at page by page."""
        if self.known is None:
            return
        projects: defaultdict[str, list[PageAhead]] = defaultdict(list)
        for page in asked:
            projects[page.project_id].append(page)
        for project_id, pages in projects.items():
            if len(pages) >= FEW:
                self._people_ahead(project_id, list({page.user_id for page in pages}))
                for queue in ORDER:
                    self._queue_ahead(project_id, queue, pages)

    def _people_ahead(self, project_id: str, user_ids: list[str]) -> None:
        known = self.known
        assert known is not None
        self.has_urgent(project_id)
        self.has_second_looks(project_id)
        self.has_gold(project_id)
        known.paused.update({(project_id, user_id): False for user_id in user_ids})
        people = padded(user_ids)
        for (user_id,) in self.rows(
            "SELECT user_id FROM member WHERE project_id = ? AND paused_at IS NOT NULL"
            f" AND user_id IN ({marks(len(people))})",
            (project_id, *people),
        ):
            known.paused[project_id, user_id] = True
        if not self.row("SELECT 1 FROM assignment WHERE project_id = ? LIMIT 1", (project_id,)):
            known.pools.update({(project_id, user_id): [] for user_id in user_ids})

    def _queue_ahead(self, project_id: str, queue: str, pages: Sequence[PageAhead]) -> None:
        known, project = self.known, self.project(project_id)
        assert known is not None
        if project is None:  # deleted meanwhile
            return
        begin = min(page.floors.get(floor_key(queue, 0), 0) for page in pages)
        # Each item goes to several people; nobody gets what they have answered, and whoever is
        # given alike items looks a page further.
        room = sum(page.size for page in pages) // max(1, project.votes_min)
        limit = min(MOST, room + 4 * max(page.size for page in pages))
        rows = self.rows(
            f"SELECT {ITEM} FROM item WHERE project_id = ? AND assigned = 0 AND queue = ?"
            " AND room > 0 AND queue_pos >= ? ORDER BY queue_pos LIMIT ?",
            (project_id, queue, begin, limit),
        )
        known.items.update({row[0]: row for row in rows})
        item_ids = [row[0] for row in rows]
        several = padded(item_ids)
        of_items = f"item_id IN ({marks(len(several))})"
        known.windows.put(
            (project_id, queue, 0), Window(begin, item_ids, len(rows) < limit),
            self.rows(
                f"SELECT item_id, user_id FROM lease WHERE {of_items} AND released_at IS NULL",
                several,
            ),
            self.rows(f"SELECT item_id, user_id FROM standing WHERE {of_items}", several),
        )  # fmt: skip
