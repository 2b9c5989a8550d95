"""A project starts over: all labels so far are set aside, and everything is asked again.

It is a decision on every item, `requeue`, made chunk by chunk and under one bulk id, so that the
votes stay facts and all of it can be taken back (`POST /bulks` with `undoes`). Meanwhile the
project is paused. What a stop of the server cuts off goes on at the next start.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chorus.server.clock import now_ms
from chorus.server.services.background import Tasks
from chorus.server.services.review import decide
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

CHUNK = 100


class StartingOver:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._tasks = Tasks[str]("starting %s over failed", lambda key: self.changed(key))
        self._last: dict[str, tuple[int, str]] = {}
        self.changed: Callable[[str], None] = lambda project_id: None

    async def start(self) -> None:
        for project_id in await self._store.read(lambda tx: tx.starts_over()):
            self.wake(project_id)

    async def stop(self) -> None:
        await self._tasks.stop()

    def state(self, project_id: str) -> dict[str, Any]:
        """`{"running", "done", "bulk_id"}`: items set aside so far by the last start over since the
        server's start; `bulk_id` (null: there was none) takes it back."""
        running = project_id in self._tasks
        done, bulk_id = self._last.get(project_id, (0, None))
        return {"running": running, "done": done, "bulk_id": bulk_id}

    def wake(self, project_id: str) -> None:
        self._tasks.begin(project_id, lambda: self._run(project_id))

    async def _run(self, project_id: str) -> None:
        while not self._tasks.closed:
            done = await self._store.persist(lambda tx: chunk(tx, project_id, CHUNK, now_ms()))
            if done is None:
                break
            self._last[project_id] = done
            self.changed(project_id)


def chunk(tx: Tx, project_id: str, limit: int, now: int) -> tuple[int, str] | None:
    """The transaction of a chunk: (how many items are done by now, the bulk's id); None at the
    end."""
    begun = tx.start_over(project_id)
    if begun is None:
        return None
    item_ids = tx.to_start_over(project_id, begun.after_item, limit)
    if not item_ids:
        _end(tx, begun.resume, project_id, begun.user_id, begun.done, now)
        return None
    for item in tx.items_by_id(item_ids):
        votes = tx.standing(item.item_id)
        if item.review is None and votes and all(v.seq > begun.seq for v in votes):
            continue  # answered since: with the new classes
        decide(
            tx, item, begun.user_id, "requeue", None, now,
            bulk_id=begun.bulk_id, preset=begun.preset,
        )  # fmt: skip
        begun.done += 1
    begun.after_item = item_ids[-1]
    tx.put_start_over(begun)
    return begun.done, begun.bulk_id


def _end(tx: Tx, resume: bool, project_id: str, user_id: str, done: int, now: int) -> None:
    tx.end_start_over(project_id)
    user = tx.user(user_id)
    body: dict[str, Any] = {
        "user_id": user_id,
        "by": user.name if user else user_id,
        "started_over": done,
    }
    project = tx.project(project_id)
    if resume and project is not None and project.state == "paused":  # not archived meanwhile
        tx.change_project(project_id, {"state": "running"})
        body["state"] = "running"
    tx.emit(project_id, now, "project.changed", body)
