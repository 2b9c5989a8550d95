"""Writes that share a commit: one that fails takes nothing of the others with it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chorus.server.domain.model import Event
from chorus.server.services import dealing
from chorus.server.storage.sqlite import SqliteStore
from chorus.server.storage.tx import Tx
from chorus.server.storage.tx.known import Known, PageAhead, VoteAhead
from chorus.server.storage.tx.later import Statement
from tests.server.world import DiskFull, World

_EVENT = Statement("INSERT INTO event (project_id, seq, type, body, at)", 5)
ENDS = st.sampled_from(["kept", "kept", "before", "after", "late"])
"""Of a write: kept, or it fails before, or after, it has written something, or only when what it
has kept back is written."""
AHEAD = st.sampled_from([
    None, VoteAhead("vote-1", 1, "u0"), PageAhead("p", "u0", 4, {}),
    PageAhead("deleted", "u1", 4, {}),
])  # fmt: skip
"""What is looked at for it beforehand, together with what is for others."""


@settings(max_examples=30)
@given(st.lists(st.tuples(ENDS, st.booleans(), AHEAD), min_size=1, max_size=14))
def test_what_fails_is_undone_alone_and_the_log_has_no_gap(
    writes: list[tuple[str, bool, VoteAhead | PageAhead | None]],
) -> None:
    world = World()
    published: list[Event] = []

    def act(n: int, end: str) -> Callable[[Tx], int]:
        def fn(tx: Tx) -> int:
            if end == "before":
                raise ValueError(n)
            at = 1 << 70 if end == "late" else world.now  # more than SQLite can hold
            seq = tx.emit("p", at, "note.added", {"n": n})
            if end == "after":
                raise ValueError(n)
            return seq

        return fn

    async def run() -> list[int | BaseException]:
        store = SqliteStore(world.path, published.extend, readers=1)
        asked = [
            store.write(act(n, end), repeatable=repeatable, ahead=ahead)
            for n, (end, repeatable, ahead) in enumerate(writes)
        ]
        found = await asyncio.gather(*asked, return_exceptions=True)
        await store.close()
        return found

    first = Tx(world.db).project("p")
    assert first is not None
    found = asyncio.run(run())
    kept = [n for n, (end, *_) in enumerate(writes) if end == "kept"]
    assert [n for n, one in enumerate(found) if isinstance(one, int)] == kept
    assert [found[n] for n in kept] == [first.last_seq + 1 + at for at in range(len(kept))]
    assert [e.body["n"] for e in published] == kept
    stored = Tx(world.db).events_since("p", first.last_seq, 100)
    assert [(e.seq, e.body["n"]) for e in stored] == [(found[n], n) for n in kept]
    world.close()


def test_looking_ahead_fails_nobody_but_who_is_to_blame() -> None:
    """Neither pages of a project that is gone meanwhile, nor a row that the next look is the first
    to write."""
    world = World()
    world.add(12)

    def twice(tx: Tx) -> None:
        tx.later(_EVENT, ("p", 1, "note.added", "{}", world.now))

    def note(tx: Tx) -> int:
        return tx.emit("p", world.now, "note.added", {})

    def page(project_id: str, user_id: str) -> Callable[[Tx], int]:
        def fn(tx: Tx) -> int:
            dealt = dealing.deal(tx, project_id, user_id, "t", 2, {}, world.now)
            assert dealt.page is not None
            return len(dealt.page["items"])

        return fn

    async def run() -> list[int | BaseException]:
        store = SqliteStore(world.path, lambda events: None, readers=1)
        asked = [store.write(note, repeatable=True), store.write(twice, repeatable=True)]
        for project_id in ("deleted", "p"):
            for user_id in ("u0", "u1", "u2"):
                asked.append(
                    store.write(
                        page(project_id, user_id), repeatable=True,
                        ahead=PageAhead(project_id, user_id, 2, {}),
                    )
                )  # fmt: skip
        found = await asyncio.gather(*asked, return_exceptions=True)
        await store.close()
        return found

    noted, again, *pages = asyncio.run(run())
    assert isinstance(noted, int)
    assert isinstance(again, sqlite3.IntegrityError)
    assert [isinstance(one, BaseException) for one in pages] == [True] * 3 + [False] * 3
    assert pages[3:] == [2, 2, 2]
    world.close()


def test_what_could_not_be_written_is_not_passed_over() -> None:
    """Whoever reads in between is told, and so is the end of the commit, even if they go on."""
    world = World()
    known = Known()
    tx = Tx(world.db, known)
    tx.emit("p", 1 << 70, "note.added", {})
    with pytest.raises(OverflowError):
        tx.project("p")
    tx.emit("p", world.now, "note.added", {})
    with pytest.raises(OverflowError):
        known.write(world.db)
    world.close()


def test_an_estimate_whose_commit_failed_merges_no_votes() -> None:
    """The next one has its number. What the lost one said of people is forgotten with it."""
    world = World(2, 2, consensus="one_coin")
    world.add(1)
    [item] = world.items()
    for user_id in ("u0", "u1"):
        world.deal(user_id)
    world.cast("u0", item.item_id, "0")
    world.cast("u1", item.item_id, "1")
    world.disk_full = True
    with pytest.raises(DiskFull):
        world.skills_are({"u0": 0.9, "u1": 0.6}, 0.0)
    world.disk_full = False
    world.skills_are({"u0": 0.6, "u1": 0.9}, 0.0)
    assert world.item(item.item_id).provisional == "1"
    assert world.findings() == []
    world.close()


async def test_what_the_database_has_undone_by_itself_is_kept_of_nobody() -> None:
    """SQLite rolls a whole transaction back when a page cannot be read, even for a SELECT."""
    world = World()
    store = SqliteStore(world.path, lambda events: None, readers=1)

    def noted(tx: Tx) -> int:
        return tx.emit("p", world.now, "note.added", {})

    def unreadable(tx: Tx) -> None:
        tx.db.execute("ROLLBACK")  # as SQLite does
        raise sqlite3.OperationalError("disk I/O error")

    asked = [store.write(fn, repeatable=True) for fn in (noted, unreadable, noted, noted)]
    told = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(one, sqlite3.Error) for one in told)
    assert world.findings() == []
    await store.write(noted)
    await store.close()
    assert world.findings() == []
    world.close()
