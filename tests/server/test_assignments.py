"""Items given to some people first, or to them only: who gets what, and how many votes it gets."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chorus.client import ApiError
from chorus.server.domain.assignment import Pool, Wanted, tiers
from chorus.server.domain.model import BY_HAND
from chorus.server.services.assignments import _public
from chorus.server.storage.tx import Tx
from tests.server.world import World
from tests.servers import Bench, eventually, page_of, pictures, vote_page

pools = st.lists(
    st.builds(Pool, st.integers(1, 30), st.booleans(), st.booleans()), unique_by=lambda p: p.number
)


@pytest.fixture
def w() -> Iterator[World]:
    world = World(gold_rate=0)
    world.add(40)
    yield world
    world.close()


def got(w: World, user: str, size: int = 4) -> list[int]:
    page = w.deal(user, size).page
    return [] if page is None else [item["item_id"] for item in page["items"]]


def all_of(w: World, user: str, size: int = 4) -> list[int]:
    """Everything that a person is given, answered page by page."""
    out = []
    while page := got(w, user, size):
        for item_id in page:
            w.cast(user, item_id, "1")
        out += page
    return out


def by_chance(w: World) -> list[int]:
    return [i.item_id for i in sorted(w.items(), key=lambda i: i.rank)]


def of(w: World, number: int) -> set[int]:
    return {i.item_id for i in w.items() if i.assigned == number}


@given(pools)
def test_what_is_theirs_comes_first_and_others_alone_never(known: list[Pool]) -> None:
    flat = [number for tier in tiers(known) for number in tier]
    assert len(flat) == len(set(flat))
    places = {number: at for at, number in enumerate(flat)}
    for pool in known:
        if pool.mine:
            assert places[pool.number] < places[0]
        elif pool.only:
            assert pool.number not in places
        else:
            assert places[pool.number] > places[0]


@given(st.integers(1, 30), st.floats(0.01, 1), st.floats(0.01, 1), st.integers(0, 2**61))
def test_a_share_is_the_same_whenever_asked_and_grows(
    number: int, one: float, other: float, rank: int
) -> None:
    small, large = sorted((one, other))
    if Wanted(share=small).takes(number, rank, "a", None):
        assert Wanted(share=large).takes(number, rank, "a", None)
    assert Wanted(share=1.0).takes(number, rank, "a", None)


def test_shares_of_two_assignments_are_not_the_same_items() -> None:
    half = Wanted(share=0.5)
    one, two = ({r for r in range(4000) if half.takes(n, r * 977, "x", None)} for n in (1, 2))
    assert 1800 < len(one) < 2200
    assert 800 < len(one & two) < 1200


def test_theirs_first_then_everybodys_then_what_is_others_first(w: World) -> None:
    order = by_chance(w)
    number = w.assign(["u0"], share=0.25)
    mine = of(w, number)
    assert 3 <= len(mine) <= 20
    first = [i for i in order if i in mine]
    page = got(w, "u0", 9)
    assert page[: len(first)] == first[:9]
    w.leave("u0")
    rest = [i for i in order if i not in mine]
    assert got(w, "u1", 9) == rest[:9], "others do not get them before what is everybody's"
    w.leave("u1")
    done = all_of(w, "u1")
    assert done[: len(rest)] == rest
    assert set(done) == set(order), "in the end nothing waits for one person"
    assert all(i.chosen == 0 for i in w.items()), "a share is drawn by chance"
    assert w.findings() == []


def test_a_page_by_hand_is_filled_with_what_is_everybodys(w: World) -> None:
    number = w.assign(["u0"], text="1.jpg")  # 1, 11, 21, 31
    mine = of(w, number)
    assert len(mine) == 4
    page = got(w, "u0", 9)
    assert set(page[:4]) == mine
    assert page[4:] == [i for i in by_chance(w) if i not in mine][:5]
    assert all(w.item(i).chosen == BY_HAND for i in mine), "no chance has brought them"
    assert all(w.item(i).chosen == 0 for i in page[4:])


def test_others_never_get_what_is_theirs_only(w: World) -> None:
    number = w.assign(["u0", "u1"], only=True, share=0.5)
    mine = of(w, number)
    assert set(all_of(w, "u2")) == {i.item_id for i in w.items()} - mine
    assert w.deal("u2").reason == "done", "there is nothing to wait for"
    assert set(all_of(w, "u0")) == mine
    assert {i.state for i in w.items()} == {"labeled"}
    assert w.findings() == []


def test_what_nobody_can_get_is_said(w: World) -> None:
    w = World(gold_rate=0, votes_min=2, votes_max=2)
    w.add(20)
    number = w.assign(["u0"], only=True)
    (found,) = _public(Tx(w.db), "p")
    assert (found["open"], found["stuck"]) == (20, 0), "there is still something to do"
    all_of(w, "u0")
    (found,) = _public(Tx(w.db), "p")
    assert (found["open"], found["stuck"]) == (20, 20), "a second vote can come from nobody"
    w.unassign(number)
    assert _public(Tx(w.db), "p") == []
    all_of(w, "u1")
    assert {i.state for i in w.items()} == {"labeled"}
    nobody = w.assign(["stranger"], only=True, text="none has it")
    w.unassign(nobody)
    w.add(5)
    w.assign(["stranger"], only=True)
    (found,) = _public(Tx(w.db), "p")
    assert found["stuck"] == 5, "no member may have them"
    w.close()


def test_items_that_come_later_follow_the_rule(w: World) -> None:
    number = w.assign(["u0"], only=True, share=0.5, later=True)
    before = len(of(w, number))
    w.add(40)
    after = of(w, number)
    assert before + 10 < len(after) < before + 30
    again = w.assign(["u1"], share=0.5)
    assert not of(w, again) & after, "an item is in one assignment at most"


def test_ending_one_gives_back_what_chance_had(w: World) -> None:
    number = w.assign(["u0"], text="1.jpg")
    given = of(w, number)
    (held,) = got(w, "u0", 1)
    free = given - {held}
    w.cast("u0", held, "1")
    w.unassign(number)
    assert of(w, number) == set()
    assert all(w.item(i).chosen == 0 for i in free)
    assert w.item(held).chosen == BY_HAND, "it was not chance that brought it"


@settings(max_examples=20)
@given(st.data())
def test_every_item_gets_exactly_its_votes_whoever_has_it(data: st.DataObject) -> None:
    """Invariant 1 with assignments that come and go."""
    votes = data.draw(st.integers(1, 2))
    w = World(gold_rate=0, votes_min=votes, votes_max=votes, people=3)
    w.add(12)
    made: list[int] = []
    for _ in range(data.draw(st.integers(4, 14))):
        act = data.draw(st.sampled_from(["assign", "end", "page", "leave"]))
        user = data.draw(st.sampled_from(w.people))
        if act == "assign" and len(made) < 3:
            made.append(
                w.assign(
                    [user], only=data.draw(st.booleans()), share=data.draw(st.floats(0.1, 1)),
                    text=data.draw(st.sampled_from(["", "1"])),
                )
            )  # fmt: skip
        elif act == "end" and made:
            w.unassign(made.pop())
        elif act == "page":
            for item_id in got(w, user):
                w.cast(user, item_id, "1")
        elif act == "leave":
            w.leave(user)
    for number in made:
        w.unassign(number)
    for user in w.people:
        w.leave(user)
        all_of(w, user)
    assert {(i.state, i.n_labels) for i in w.items()} == {("labeled", votes)}
    assert w.findings() == []
    w.close()


async def test_a_team_has_its_items_over_real_sockets(bench: Bench, tmp_path: Path) -> None:
    await bench.make(pictures(tmp_path, 16), page_size=4)
    project_id = bench.project.project_id
    ann, ben = await bench.person(), await bench.person()
    members = (await bench.admin.request("GET", f"/api/projects/{project_id}/members")).json()
    first = members["members"][0]["user_id"]
    team = await bench.admin.add_team(f"Team {secrets.token_hex(3)}")
    await bench.admin.set_team_person(team.team_id, first)
    wrong: list[dict[str, Any]] = [
        {}, {"teams": ["none"]}, {"people": [first], "guess": "red", "later": True},
    ]  # fmt: skip
    for how in wrong:
        with pytest.raises(ApiError) as caught:
            await bench.admin.assign(project_id, **how)
        assert caught.value.code == "bad_value"
    (made,) = await bench.admin.assign(project_id, people=[first], only=True, text="red")
    (given_on,) = await bench.admin.reassign(project_id, made.number, teams=[team.team_id])
    assert (given_on.people, given_on.teams[0].name, given_on.only) == ([], team.name, True)
    streams = [await bench.labeler(token) for token in (ann, ben)]
    given: list[set[str]] = []
    for stream in streams:
        names: set[str] = set()
        for _ in range(2):
            page = await page_of(stream)
            names |= {item.name.partition("-")[0] for item in page.items}
            await vote_page(stream, page)
        given.append(names)
    assert sorted(map(sorted, given)) == [["green"], ["red"]]
    for stream in streams:
        await eventually(stream, lambda stream=stream: stream.empty == "done")  # type: ignore[misc]
    await bench.admin.end_assignment(project_id, made.number)
    assert {a.state for a in await bench.admin.assignments(project_id)} <= {"ending"}
    changes = (await bench.admin.request("GET", f"/api/projects/{project_id}/changes")).json()
    assert changes["changes"][2]["change"]["assignment"]["only"] is True


async def test_who_comes_into_a_team_gets_its_items_at_once(bench: Bench, tmp_path: Path) -> None:
    await bench.make(pictures(tmp_path, 16), page_size=9)
    project_id = bench.project.project_id
    ann = await bench.person()
    members = (await bench.admin.request("GET", f"/api/projects/{project_id}/members")).json()
    team = await bench.admin.add_team(f"Team {secrets.token_hex(3)}")
    await bench.admin.assign(project_id, teams=[team.team_id], only=True, text="red")
    stream = await bench.labeler(ann)
    await vote_page(stream, await page_of(stream))
    await eventually(stream, lambda: stream.empty == "done")
    await bench.admin.set_team_person(team.team_id, members["members"][0]["user_id"])
    await eventually(stream, lambda: bool(stream.pages))
    (page,) = stream.pages.values()
    assert {item.name.partition("-")[0] for item in page.items} == {"red"}
