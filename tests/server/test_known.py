"""Writes that share a commit know of each other what they have read and written (`tx/known`):
together they leave the same database as one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chorus.server.domain.queue import ROUND_SPAN
from chorus.server.errors import ApiError
from chorus.server.services import checking, dealing, fsck, labeling, review
from chorus.server.services.labeling import VoteCast
from chorus.server.services.recording import give_back
from chorus.server.services.remerging import recount
from chorus.server.storage.sqlite import SqliteStore
from chorus.server.storage.tx import Tx
from chorus.server.storage.tx.known import Known, PageAhead, VoteAhead
from tests.server.world import World

TABLES = ("item", "lease", "page", "vote", "standing", "check_vote", "event", "check_debt")
KINDS = st.sampled_from(["label", "label", "label", "label", "skip", "flag"])
PEOPLE = 3
ITEMS = 5
"""Few, so that several people answer the same one, and everybody holds most of them."""


class Act(NamedTuple):
    """What somebody does. `item`: the number of one in order of import; of a page, its size."""

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
deals = st.builds(Act, st.just("deal"), st.integers(0, PEOPLE - 1), st.just(4))
others = st.builds(
    Act,
    st.sampled_from(["leave", "decide", "gold"]),
    st.integers(0, PEOPLE - 1),
    st.integers(0, ITEMS - 1),
)


ALONE = ("leave", "decide", "gold")
"""Never made together with others."""


def _vote(act: Act, n: int) -> VoteCast:
    old = f"vote-{max(0, n - act.again - 1):04d}"
    return VoteCast(
        old if act.what == "repeat" else f"vote-{n:04d}",
        act.item + 1, act.kind,  # type: ignore[arg-type]
        duration_ms=900, supersedes=old if act.what == "correct" else None,
        project_id="p",
    )  # fmt: skip


def _fn(
    world: World, act: Act, n: int, floors: dealing.Floors
) -> tuple[Callable[[Tx], Any], VoteAhead | PageAhead | None]:
    user, now = world.people[act.person], world.now
    size = act.item

    def deal(tx: Tx) -> Any:
        dealt = dealing.deal(tx, "p", user, "t", size, floors.get("p", user), now)
        return dealt.reason or [one["item_id"] for one in (dealt.page or {})["items"]]

    def leave(tx: Tx) -> Any:
        project = tx.project("p")
        assert project is not None
        body = give_back(tx, project, tx.leases_of_tab("p", user, "t"), "returned", now).body()
        return tx.emit("p", now, "page.closed", {"page_ids": [], "user_id": user, **body})

    def decide(tx: Tx) -> Any:
        item = tx.item(act.item + 1)
        assert item is not None
        review.decide(tx, item, "boss", "change", "2", now)

    def gold(tx: Tx) -> Any:
        return checking.mark(tx, "p", [act.item + 1], True, "boss", now)[0]

    def cast(tx: Tx) -> Any:
        value = act.value if act.kind == "label" else None
        done = labeling.cast(tx, user, user.upper(), vote, value, now)
        if act.what == "fail":
            raise ApiError("conflict", "it was done, and is undone")
        return done

    def answer(tx: Tx) -> Any:
        held = tx.leases_of_tab("p", user, "t")
        if not held:
            return None
        vote = _vote(act._replace(item=held[act.item % len(held)].item_id - 1), n)
        value = act.value if act.kind == "label" else None
        return labeling.cast(tx, user, user.upper(), vote, value, now)

    if act.what == "answer":
        return answer, None
    if act.what == "deal":
        return deal, PageAhead("p", user, size, floors.get("p", user))
    if act.what in ALONE:
        return {"leave": leave, "decide": decide, "gold": gold}[act.what], None
    vote = _vote(act, n)
    return cast, VoteAhead(vote.vote_id, vote.item_id, user)


def _said(found: Any) -> Any:
    return found.code if isinstance(found, ApiError) else found


def _alone(world: World, acts: list[Act], floors: dealing.Floors) -> list[Any]:
    """Each in a transaction of its own, that knows of nothing before."""
    found: list[Any] = []
    for n, act in enumerate(acts):
        fn, _ = _fn(world, act, n, floors)
        tx = world.tx()
        try:
            found.append(fn(tx))
        except ApiError as error:
            world.rollback()
            found.append(error.code)
        else:
            world.commit(tx)
    return found


async def _together(world: World, acts: list[Act], floors: dealing.Floors) -> list[Any]:
    store = SqliteStore(world.path, lambda events: None, readers=1)
    asked = []
    for n, act in enumerate(acts):
        fn, ahead = _fn(world, act, n, floors)
        asked.append(store.write(fn, repeatable=act.what not in ALONE, ahead=ahead))
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
    acts = [Act("deal", 0, 4), *acts]
    worlds = [
        World(votes_min=n, votes_max=n, people=PEOPLE, gold_rate=0.3 * gold) for _ in range(2)
    ]
    for world in worlds:
        world.add(ITEMS)
        if gold:
            world.add(3, "0", gold=True)
    one, other = worlds
    apart = _alone(one, acts, dealing.Floors())
    together = asyncio.run(_together(other, acts, dealing.Floors()))
    assert together == apart
    assert _rows(other) == _rows(one)
    assert list(fsck.check(Tx(other.db))) == []
    for world in worlds:
        world.close()


class NoFloors(dealing.Floors):
    """Everybody looks from the head of the queue on."""

    def get(self, project_id: str, user_id: str) -> dict[str, int]:
        return {}


pages = st.builds(
    Act, st.just("deal"), st.integers(0, 3), st.sampled_from([1, 1, 2, 4])
)  # fmt: skip
answers = st.builds(
    Act, st.just("answer"), st.integers(0, 3), st.integers(0, 5),
    st.sampled_from(["label", "label", "skip", "flag"]), st.sampled_from(["0", "1"]),
)  # fmt: skip


@settings(max_examples=300)
@example(  # an item that an earlier look ahead knew of, given back after a later one
    acts=[
        Act("deal", 1, 4), Act("deal", 3, 1), Act("deal", 0, 1), Act("leave", 1), Act("deal", 2, 4),
        Act("deal", 1, 2), Act("deal", 2, 1), Act("leave", 3), Act("deal", 3, 1),
    ],
    n=1, skips=1, urgent={12, 15}, clustered=0, prelabeled=1, assigned=0, paused=False, gold=False,
    begun=0, hints=False, doubted=0,
)  # fmt: skip
@given(
    acts=st.lists(
        st.one_of(pages, pages, answers, others.filter(lambda act: act.what == "leave")),
        min_size=8, max_size=40,
    ),
    n=st.integers(1, 3), skips=st.integers(1, 2), urgent=st.sets(st.integers(1, 16), max_size=3),
    clustered=st.integers(0, 6), prelabeled=st.integers(0, 3), assigned=st.integers(0, 2),
    paused=st.booleans(), gold=st.booleans(), begun=st.integers(0, 3), hints=st.booleans(),
    doubted=st.integers(0, 6),
)  # fmt: skip
def test_pages_of_one_commit_are_the_ones_that_are_dealt_one_by_one(
    acts: list[Act], n: int, skips: int, urgent: set[int], clustered: int, prelabeled: int,
    assigned: int, paused: bool, gold: bool, begun: int, hints: bool, doubted: int,
) -> None:  # fmt: skip
    worlds = [
        World(votes_min=n, votes_max=n + 1, skips_max=skips, people=6, gold_rate=0.2 * gold)
        for _ in range(2)
    ]
    for world in worlds:
        world.add(16)
        if gold:
            world.add(3, "0", gold=True)
        _doubt(world, doubted)
        tx = world.tx()
        for item_id in range(1, 1 + clustered):
            _put_in(tx, item_id, "clustered", item_id // 3)
        for item_id in range(8, 8 + prelabeled):
            _put_in(tx, item_id, "prelabeled", 0)
        tx.set_priority(sorted(urgent), True)
        if paused:
            world.db.execute("UPDATE member SET paused_at = 1 WHERE user_id = 'u2'")
        world.commit(tx)
        if assigned:
            world.assign(["u0"], only=assigned == 2, share=0.3)
        for person in range(begun):
            world.deal(f"u{person}", tab="t" if hints else "other")
    one, other = worlds
    floors = dealing.Floors if hints else NoFloors
    apart, together = _alone(one, acts, floors()), asyncio.run(_together(other, acts, floors()))
    assert together == apart
    assert _rows(other) == _rows(one)
    for world in worlds:
        world.close()


def _doubt(world: World, items: int) -> None:
    """Somebody labels some, and others are to look at them again."""
    dealt = world.deal("u5", items, tab="other") if items else None
    given = [e["item_id"] for e in dealt.page["items"]] if dealt and dealt.page else []
    for item_id in given:
        world.cast("u5", item_id, "0", vote_id=f"before-{item_id:04d}")
    tx = world.tx()
    project = tx.project("p")
    assert project is not None
    found = [i for i in tx.items_by_id(given) if i.state == "labeled" and i.n_labels == 1]
    for item in found:
        item.doubted = "1"
    recount(tx, project, found, "labels.remerged", {}, world.now)
    world.commit(tx)


def _put_in(tx: Tx, item_id: int, queue: str, block: int) -> None:
    pre = ("0", 0.9) if queue == "prelabeled" else (None, None)
    tx.set_queues(
        [(queue, ROUND_SPAN + item_id, block, *pre, "0", 0.9, None, None, 0, 0, 0, item_id)]
    )


def test_who_gives_an_item_back_may_have_it_again_in_the_same_commit() -> None:
    """However the rows that are kept back lie: what is released makes room for what is dealt."""
    world = World()
    world.add(2)
    world.deal("ada", 1)
    (held,) = world.leases("ada")
    other = next(i.item_id for i in world.items() if i.item_id != held.item_id)
    tx = Tx(world.db, known := Known())
    again = [
        msgspec.structs.replace(held, item_id=item_id, released_at=None)
        for item_id in (other, held.item_id)
    ]
    tx.add_leases(again[:1])
    tx.release(held.lease_id, world.now, "returned")
    tx.add_leases(again[1:])
    known.write(world.db)
    assert {lease.item_id for lease in world.leases("ada")} == {other, held.item_id}
    world.close()
