"""What a supervisor does about one person's work: pause them, take votes back, undo that.

Votes are facts and stay. A takeback is a fact of its own, which says that some of them do not
count; consensus, queues, training set and dashboard follow from that, and undoing it brings back
exactly what was there.
"""

from __future__ import annotations

from typing import Any

import msgspec

from chorus.server.clock import now_ms
from chorus.server.domain.model import StandingVote
from chorus.server.errors import ApiError
from chorus.server.services.assigning import release
from chorus.server.services.labeling import announce
from chorus.server.services.recording import Before, Delta, count, keep
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

CHUNK = 200
"""Items per event: an event stays small enough to be sent to every follower."""
SHOWN = 50


class TakeBack(msgspec.Struct):
    """Which votes: of one person, cast from `since` to `until` (ms; absent: all so far)."""

    user_id: str
    since: int = 0
    until: int | None = None


class Supervising:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def pause(self, project_id: str, user_id: str, paused: bool, by: str) -> None:
        """Paused, a person gets no pages and what they hold goes back. Raises not_found."""

        def fn(tx: Tx) -> None:
            now = now_ms()
            if tx.member_paused(project_id, user_id) == paused:
                return
            if not tx.set_member_paused(project_id, user_id, now if paused else None):
                raise ApiError("not_found", "not a member of this project")
            body = {"user_id": user_id, "paused": paused, "by": by}
            tx.emit(project_id, now, "member.paused", body)
            if paused:
                leases = tx.leases_of_user(project_id, user_id)
                release(tx, project_id, user_id, leases, "returned")

        await self._store.write(fn)

    async def take_back(self, project_id: str, which: TakeBack, by: str) -> dict[str, Any]:
        """Returns `{"takeback_id", "items"}`. Raises bad_value, conflict."""

        def fn(tx: Tx) -> dict[str, Any]:
            return take_back(tx, project_id, which, by, now_ms())

        return await self._store.write(fn)

    async def undo(self, project_id: str, takeback_id: int, by: str) -> dict[str, Any]:
        """Raises not_found, conflict (undone already)."""

        def fn(tx: Tx) -> dict[str, Any]:
            return undo(tx, project_id, takeback_id, by, now_ms())

        return await self._store.write(fn)

    async def takebacks(self, project_id: str) -> list[dict[str, Any]]:
        names = (
            "takeback_id", "user_id", "name", "since", "until", "by", "votes", "created_at",
            "undone_at",
        )  # fmt: skip
        rows = await self._store.read(lambda tx: tx.takebacks(project_id, SHOWN))
        return [dict(zip(names, row, strict=True)) for row in rows]


def take_back(tx: Tx, project_id: str, which: TakeBack, by: str, now: int) -> dict[str, Any]:
    """The whole transaction."""
    until = now if which.until is None else min(which.until, now)
    if which.since > until:
        raise ApiError("bad_value", "the time must begin before it ends")
    items = tx.items_voted(project_id, which.user_id, which.since, until)
    if not items:
        raise ApiError("conflict", "this person cast no votes in that time")
    takeback_id = tx.add_takeback(
        project_id, which.user_id, which.since, until, by, len(items), now
    )
    body = {"takeback_id": takeback_id, "since": which.since, "until": until, "by": by}
    _restand(tx, project_id, which.user_id, items, "votes.taken_back", body, now)
    return {"takeback_id": takeback_id, "items": len(items)}


def undo(tx: Tx, project_id: str, takeback_id: int, by: str, now: int) -> dict[str, Any]:
    """The whole transaction."""
    found = tx.takeback(project_id, takeback_id)
    if found is None:
        raise ApiError("not_found", "no such takeback")
    if not tx.undo_takeback(project_id, takeback_id, now):
        raise ApiError("conflict", "these votes count again already")
    user_id, since, until = found
    items = tx.items_voted(project_id, user_id, since, until)
    body = {"takeback_id": takeback_id, "by": by}
    _restand(tx, project_id, user_id, items, "votes.restored", body, now)
    return {"items": len(items)}


def _restand(
    tx: Tx, project_id: str, user_id: str, item_ids: list[int], event: str, body: dict[str, Any],
    now: int,
) -> None:  # fmt: skip
    """Find anew which vote of the person counts on these items, and what follows from it."""
    project = tx.project(project_id)
    assert project is not None
    params = tx.params(project)
    for at in range(0, len(item_ids), CHUNK):
        delta = Delta()
        votes: list[list[dict[str, Any] | None]] = []
        said = []
        for item in tx.items_by_id(item_ids[at : at + CHUNK]):
            standing = tx.standing(item.item_id)
            old = next((v for v in standing if v.user_id == user_id), None)
            new = tx.counting_vote(item.item_id, user_id, item.requeue_seq)
            if old == new:
                continue
            if new is None:
                tx.drop_standing(item.item_id, user_id)
            else:
                tx.set_standing(
                    item.item_id, user_id, project_id, new.vote_id, new.kind, new.value,
                    new.prelabel, new.seq,
                )  # fmt: skip
            before, revision = Before.of(item), item.revision
            count(item, tx.standing(item.item_id), project, params)
            keep(tx, project, item, before, delta, now)
            votes.append([_told(old), _told(new)])
            said.append((item, before, revision))
        if votes:
            about = {**body, "user_id": user_id, "votes": votes, **delta.body()}
            tx.emit(project_id, now, event, about)
        for item, before, revision in said:
            announce(tx, item, before, revision, now)


def _told(vote: StandingVote | None) -> dict[str, Any] | None:
    if vote is None:
        return None
    return {
        "vote_id": vote.vote_id, "item_id": vote.item_id, "kind": vote.kind, "value": vote.value,
        "prelabel": vote.prelabel,
    }  # fmt: skip
