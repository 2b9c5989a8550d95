"""Writes that share a commit know of each other what they have read and written (`tx/known`):
together they leave the same database as one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from chorus.server.errors import ApiError
from chorus.server.services import dealing, fsck, labeling, review
from chorus.server.services.labeling import VoteCast
from chorus.server.services.recording import give_back
from chorus.server.storage.sqlite import SqliteStore
from chorus.server.storage.tx import Tx
from chorus.server.storage.tx.known import Ahead
from tests.server.world import World

TABLES = ("item", "lease", "page", "vote", "standing", "check_vote", "event", "check_debt")
KINDS = st.sampled_from(["label", "label", "label", "label", "skip", "flag"])
PEOPLE = 3
ITEMS = 5
"""Few, so that several people answer the same one, and everybody holds most of them."""


class Act(NamedTuple):
    """What somebody does. `item`: the number of one in order of import."""

    what: str
    person: int
    item: int = 0
    kind: str = "label"
    value: str = "0"
    again: int = 0
    """Of a vote: the same one as that many votes before; a correction names that one."""


votes = st.builds(
    Act, st.sampled_from(["cast", "cast", "cast", "correct", "repeat", "fail"]),
    st.integers(0, PEOPLE - 1), st.integers(0, ITEMS - 1), KINDS, st.sampled_from(["0", "1"]),
    st.integers(0, 3),
)  # fmt: skip
deals = st.builds(Act, st.just("deal"), st.integers(0, PEOPLE - 1))
others = st.builds(
    Act, st.sampled_from(["leave", "decide"]), st.integers(0, PEOPLE - 1), st.integers(0, ITEMS - 1)
)


def _vote(act: Act, n: int) -> VoteCast:
    old = f"vote-{max(0, n - act.again - 1):04d}"
    return VoteCast(
        old if act.what == "repeat" else f"vote-{n:04d}",
        act.item + 1, act.kind,  # type: ignore[arg-type]
        duration_ms=900, supersedes=old if act.what == "correct" else None,
        project_id="p",
    )  # fmt: skip


def _fn(world: World, act: Act, n: int) -> tuple[Callable[[Tx], Any], Ahead | None]:
    user, now = world.people[act.person], world.now

    def deal(tx: Tx) -> Any:
        return dealing.deal(tx, "p", user, "t", 4, {}, now).reason

    def leave(tx: Tx) -> Any:
        project = tx.project("p")
        assert project is not None
        body = give_back(tx, project, tx.leases_of_tab("p", user, "t"), "returned", now).body()
        return tx.emit("p", now, "page.closed", {"page_ids": [], "user_id": user, **body})

    def decide(tx: Tx) -> Any:
        item = tx.item(act.item + 1)
        assert item is not None
        review.decide(tx, item, "boss", "change", "2", now)

    def cast(tx: Tx) -> Any:
        value = act.value if act.kind == "label" else None
        done = labeling.cast(tx, user, user.upper(), vote, value, now)
        if act.what == "fail":
            raise ApiError("conflict", "it was done, and is undone")
        return done

    if act.what == "deal":
        return deal, None
    if act.what in ("leave", "decide"):
        return {"leave": leave, "decide": decide}[act.what], None
    vote = _vote(act, n)
    return cast, Ahead(vote.vote_id, vote.item_id, user)


def _said(found: Any) -> Any:
    return found.code if isinstance(found, ApiError) else found


def _alone(world: World, acts: list[Act]) -> list[Any]:
    """Each in a transaction of its own, that knows of nothing before."""
    found: list[Any] = []
    for n, act in enumerate(acts):
        fn, _ = _fn(world, act, n)
        tx = world.tx()
        try:
            found.append(fn(tx))
        except ApiError as error:
            world.rollback()
            found.append(error.code)
        else:
            world.commit(tx)
    return found


async def _together(world: World, acts: list[Act]) -> list[Any]:
    store = SqliteStore(world.path, lambda events: None, readers=1)
    asked = []
    for n, act in enumerate(acts):
        fn, ahead = _fn(world, act, n)
        asked.append(store.write(fn, repeatable=act.what not in ("leave", "decide"), ahead=ahead))
    found = await asyncio.gather(*asked, return_exceptions=True)
    await store.close()
    return [_said(one) for one in found]


def _rows(world: World) -> dict[str, list[Any]]:
    return {
        table: sorted(world.db.execute(f"SELECT * FROM {table}").fetchall(), key=repr)
        for table in TABLES
    }


@settings(max_examples=60)
@given(
    acts=st.lists(st.one_of(votes, votes, votes, deals, others), min_size=12, max_size=40),
    n=st.integers(1, 3), gold=st.booleans(),
)  # fmt: skip
def test_writes_of_one_commit_leave_what_they_leave_one_by_one(
    acts: list[Act], n: int, gold: bool
) -> None:
    # One begins with something to answer, the others have to get it first.
    acts = [Act("deal", 0), *acts]
    worlds = [
        World(votes_min=n, votes_max=n, people=PEOPLE, gold_rate=0.3 * gold) for _ in range(2)
    ]
    for world in worlds:
        world.add(ITEMS)
        if gold:
            world.add(3, "0", gold=True)
    one, other = worlds
    apart, together = _alone(one, acts), asyncio.run(_together(other, acts))
    assert together == apart
    assert _rows(other) == _rows(one)
    assert list(fsck.check(Tx(other.db))) == []
    for world in worlds:
        world.close()
