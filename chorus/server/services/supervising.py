"""What a supervisor does about one person's work: pause them, take votes back, undo that.

Votes are facts and stay. A takeback is a fact of its own, which says that some of them do not
count; consensus, queues, training set and dashboard follow from that, and undoing it brings back
exactly what was there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from chorus.server.clock import now_ms
from chorus.server.domain.model import Item, Project, StandingVote, Takeback
from chorus.server.errors import ApiError
from chorus.server.services.assigning import release
from chorus.server.services.background import Tasks
from chorus.server.services.recording import Delta, close
from chorus.server.services.remerging import recount
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx

CHUNK = 100
"""Votes per transaction and event: a labeler's vote waits behind one at most, and an event stays
small enough to be sent to every follower."""
DRAWN_CHUNK = 10
"""The same of drawings, each of which may be hundreds of kilobytes."""
SHOWN = 50


class TakeBack(msgspec.Struct):
    """Which votes: of one person, cast from `since` to `until` (ms; absent: all so far)."""

    user_id: str
    since: int = 0
    until: int | None = None


class Supervising:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._landing = Tasks[tuple[str, int]](
            "in project %s, take-back %d has not landed", lambda key: self.changed(key[0])
        )
        self.changed: Callable[[str], None] = lambda project_id: None

    async def pause(self, project_id: str, user_id: str, paused: bool, by: str) -> None:
        """Paused, a person gets no pages and what they hold goes back. Raises not_found."""

        await self._store.write(lambda tx: pause(tx, project_id, user_id, paused, by, now_ms()))

    async def take_back(self, project_id: str, which: TakeBack, by: str) -> dict[str, Any]:
        """Returns `{"takeback_id", "items", "pending"}`; pending: it has yet to land on some of
        the items. Raises bad_value, conflict."""

        def fn(tx: Tx) -> dict[str, Any]:
            return take_back(tx, project_id, which, by, now_ms())

        done = await self._store.write(fn)
        if done["pending"]:
            self._wake(project_id, done["takeback_id"])
        return done

    async def undo(self, project_id: str, takeback_id: int) -> dict[str, Any]:
        """Returns `{"items", "pending"}`. Raises not_found, conflict (undone already)."""

        def fn(tx: Tx) -> dict[str, Any]:
            return undo(tx, project_id, takeback_id, now_ms())

        done = await self._store.write(fn)
        if done["pending"]:
            self._wake(project_id, takeback_id)
        return done

    async def takebacks(self, project_id: str) -> list[dict[str, Any]]:
        names = (
            "takeback_id", "user_id", "name", "since", "until", "by", "votes", "created_at",
            "undone_at", "pending",
        )  # fmt: skip
        rows = await self._store.read(lambda tx: tx.takebacks(project_id, SHOWN))
        return [dict(zip(names, (*row[:-1], bool(row[-1])), strict=True)) for row in rows]

    # -- landing on the items

    async def start(self) -> None:
        """Go on with what a stop of the server cut off."""
        for takeback in await self._store.read(lambda tx: tx.pending_takebacks()):
            self._wake(takeback.project_id, takeback.takeback_id)

    async def stop(self) -> None:
        await self._landing.stop()

    def landing(self, project_id: str) -> bool:
        """Votes are being taken back, or come back, and not all items follow yet."""
        return any(project_id == landing for landing, _ in self._landing)

    def _wake(self, project_id: str, takeback_id: int) -> None:
        self._landing.begin((project_id, takeback_id), lambda: self._land(takeback_id))

    async def _land(self, takeback_id: int) -> None:
        while await self._store.persist(lambda tx: land(tx, takeback_id, now_ms())):
            pass


def pause(tx: Tx, project_id: str, user_id: str, paused: bool, by: str, now: int) -> None:
    """The whole transaction. Raises not_found."""
    if tx.member_paused(project_id, user_id) == paused:
        return
    if not tx.set_member_paused(project_id, user_id, now if paused else None):
        raise ApiError("not_found", "not a member of this project")
    body = {"user_id": user_id, "paused": paused, "by": by}
    tx.emit(project_id, now, "member.paused", body)
    if paused:
        release(tx, project_id, user_id, tx.leases_of_user(project_id, user_id), "returned")


def take_back(tx: Tx, project_id: str, which: TakeBack, by: str, now: int) -> dict[str, Any]:
    """The first transaction: the fact, and what follows from it for a first chunk of votes."""
    until = now if which.until is None else min(which.until, now)
    if which.since > until:
        raise ApiError("bad_value", "the time must begin before it ends")
    items = tx.count_items_voted(project_id, which.user_id, which.since, until)
    if not items:
        raise ApiError("conflict", "this person cast no votes in that time")
    project = tx.project(project_id)
    assert project is not None
    takeback_id = tx.add_takeback(
        project_id, which.user_id, which.since, until, by, items, now, project.last_seq
    )
    pending = land(tx, takeback_id, now)
    return {"takeback_id": takeback_id, "items": items, "pending": pending}


def undo(tx: Tx, project_id: str, takeback_id: int, now: int) -> dict[str, Any]:
    """The first transaction, as of `take_back`."""
    found = tx.takeback(takeback_id)
    if found is None or found.project_id != project_id:
        raise ApiError("not_found", "no such takeback")
    if not tx.undo_takeback(project_id, takeback_id, now):
        raise ApiError("conflict", "these votes count again already")
    items = tx.count_items_voted(project_id, found.user_id, found.since, found.until)
    return {"items": items, "pending": land(tx, takeback_id, now)}


def land(tx: Tx, takeback_id: int, now: int) -> bool:
    """The transaction of one more chunk of the person's votes; whether some are left.

    Which vote counts is found from the facts alone, so that it does not matter what happened
    between two chunks: votes, corrections, decisions, other takebacks, this one's undoing.
    """
    takeback = tx.takeback(takeback_id)
    if takeback is None or takeback.pending_after is None:
        return False
    project = tx.project(takeback.project_id)
    assert project is not None
    most = min(CHUNK, DRAWN_CHUNK) if project.shapes else CHUNK
    votes = tx.votes_in(takeback, takeback.pending_after, most)
    items = sorted({item_id for _, item_id in votes})
    if items:
        _restand(tx, project, takeback, items, now)
    last = votes[-1][0] if len(votes) == most else None
    tx.set_takeback_pending(takeback_id, last)
    return last is not None


def _restand(
    tx: Tx, project: Project, takeback: Takeback, item_ids: Sequence[int], now: int
) -> None:
    """Find anew which vote of the person counts on these items, and what follows from it."""
    user_id = takeback.user_id
    votes: list[list[dict[str, Any] | None]] = []
    changed = []
    was: dict[int, list[StandingVote]] = {}
    delta = Delta()
    for item in tx.items_by_id(item_ids):
        was[item.item_id] = tx.standing(item.item_id)
        old = next((v for v in was[item.item_id] if v.user_id == user_id), None)
        new = tx.counting_vote(item.item_id, user_id, item.requeue_seq)
        if old == new:
            continue
        if new is None:
            tx.drop_standing(item.item_id, user_id)
        else:
            tx.set_standing(
                item.item_id, user_id, project.project_id, new.vote_id, new.kind, new.value,
                new.prelabel, new.seq,
            )  # fmt: skip
            _let_go(tx, item, user_id, delta, now)
        votes.append([_told(old), _told(new)])
        changed.append(item)
    if not changed:
        return
    undone = takeback.undone_at is not None
    body = {
        "takeback_id": takeback.takeback_id, "since": takeback.since, "until": takeback.until,
        "by": takeback.by_user, "user_id": user_id, "votes": votes,
    }  # fmt: skip
    event = "votes.restored" if undone else "votes.taken_back"
    recount(tx, project, changed, event, body, now, delta, was)


def _let_go(tx: Tx, item: Item, user_id: str, delta: Delta, now: int) -> None:
    """Whoever has answered an item holds it no more: it may have come to them again meanwhile."""
    for lease in tx.open_leases(item.item_id):
        if lease.user_id == user_id:
            close(tx, lease, delta, now)
            item.n_leases -= 1


def _told(vote: StandingVote | None) -> dict[str, Any] | None:
    if vote is None:
        return None
    return {
        "vote_id": vote.vote_id, "item_id": vote.item_id, "kind": vote.kind, "value": vote.value,
        "prelabel": vote.prelabel,
    }  # fmt: skip
