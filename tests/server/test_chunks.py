"""Take-backs, rules and a round's answers reach the items chunk by chunk, while people go on."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chorus.server.domain.events import apply
from chorus.server.domain.model import OPEN_STATES
from chorus.server.domain.queue import MORE_VOTES as MORE
from chorus.server.domain.shapes import POINTS_IN_ALL_MAX
from chorus.server.services import landing, remerging, supervising
from chorus.server.services.dashboard import snapshot
from chorus.server.services.round_files import Place, Prediction
from chorus.server.storage.tx import Tx
from chorus.server.transport.hub import OUTBOX_MAX
from tests.server.world import World

VALUES = st.sampled_from(["0", "1", "2"])


def landed(world: World, takeback_id: int) -> bool:
    """One more chunk; whether that was the last."""
    tx = world.tx()
    left = supervising.land(tx, takeback_id, world.now)
    world.commit(tx)
    return not left


def state(world: World) -> list[object]:
    return [
        (i.state, i.label, i.provisional, i.confidence, i.n_labels, i.room) for i in world.items()
    ]


def answered(items: int, people: int = 3) -> World:
    """Everybody answers everything, the first person otherwise than the others."""
    world = World(2, 3, consensus="auto", people=people)
    world.add(items)
    for user in world.people:
        while (dealt := world.deal(user, 4)).page is not None:
            for entry in dealt.page["items"]:
                value = "2" if user == "u0" else str(entry["item_id"] % 2)
                world.cast(user, entry["item_id"], value)
    return world


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervising, "CHUNK", 3)
    monkeypatch.setattr(remerging, "WRITE_CHUNK", 3)


def test_drawings_that_are_taken_back_fit_every_follower(monkeypatch: pytest.MonkeyPatch) -> None:
    """However large each of them is: an event goes to a socket as a whole."""
    monkeypatch.undo()
    world = World(task_type="boxes")
    world.add(40)
    while (dealt := world.deal("u0", 1)).page is not None:
        for entry in dealt.page["items"]:
            world.cast("u0", entry["item_id"], "[[0,0,0,4,4]]")
    taken = world.take_back("u0", 0, world.now)
    while not landed(world, taken):
        pass
    events = [e for e in Tx(world.db).events_since("p", 0, 10_000) if e.type == "votes.taken_back"]
    sizes = [len(e.body["votes"]) for e in events]  # type: ignore[arg-type]
    assert sum(sizes) == 40
    number = len("1234.56,")
    largest = POINTS_IN_ALL_MAX * 2 * number
    assert max(sizes) * largest < OUTBOX_MAX
    assert {i.state for i in world.items()} == {"unlabeled"}
    assert world.findings() == []
    world.close()


@settings(max_examples=40, deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["land", "cast", "correct", "decide", "requeue", "deal"]), VALUES
        ),
        max_size=14,
    ),
    undone_at=st.integers(0, 14),
)
def test_whatever_happens_between_two_chunks_the_facts_win(
    steps: list[tuple[str, str]], undone_at: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(supervising, "CHUNK", 3)
        world = answered(10)
        world.add(4)
        for user in world.people:
            world.deal(user, 4)
        world.now += 1
        taken = world.take_back("u0", 0, world.now)
        done = False
        ids = [i.item_id for i in world.items()]
        for n, (step, value) in enumerate(steps):
            world.now += 1
            if n == undone_at:
                world.undo(taken)
                done = False
            if step == "land":
                done = landed(world, taken) or done
            elif step == "cast":
                leases = Tx(world.db).leases_of_tab("p", world.people[n % 3], "t")
                if leases:
                    world.cast(world.people[n % 3], leases[0].item_id, value)
            elif step == "deal":
                world.deal("u0", 4)
            elif step == "correct":
                standing = Tx(world.db).standing(ids[n])
                mine = [v for v in standing if v.user_id == "u0"]
                if mine and world.item(ids[n]).review is None:
                    world.cast("u0", ids[n], value, supersedes=mine[0].vote_id)
            elif step == "decide":
                world.decide(ids[-n % len(ids)], "change", value)
            else:
                world.decide(ids[n % len(ids)], "requeue")
            assert world.findings() == [], "what is half done is no finding"
        while not landed(world, taken):
            pass
        assert Tx(world.db).pending_takebacks() == []
        assert world.findings() == []
        if undone_at >= len(steps):
            world.undo(taken)
            while not landed(world, taken):
                pass
            assert world.findings() == []
        world.close()


def test_undone_half_way_everything_is_as_it_was() -> None:
    world = answered(12)
    before = state(world)
    for chunks in (0, 1, 3):
        taken = world.take_back("u0", 0, world.now)
        for _ in range(chunks):
            assert not landed(world, taken)
        assert state(world) != before
        world.undo(taken)
        while not landed(world, taken):
            pass
        assert state(world) == before
        assert world.findings() == []
    world.close()


def test_what_came_to_its_voter_again_goes_back_when_the_vote_counts_again() -> None:
    world = answered(9, people=1)
    taken = world.take_back("u0", 0, world.now)
    while not landed(world, taken):
        pass
    world.deal("u0", 9)
    assert len(world.leases("u0")) == 9
    world.undo(taken)
    assert world.findings() == [], "what still waits for its vote to come back is no finding"
    while not landed(world, taken):
        pass
    assert world.leases("u0") == []
    assert world.findings() == []
    world.close()


def test_a_vote_of_the_same_moment_but_later_counts() -> None:
    world = answered(4)
    world.add(1)
    new = world.items()[-1].item_id
    world.deal("u0", 1)
    taken = world.take_back("u0", 0, world.now)
    world.cast("u0", new, "1")  # the clock stands still
    while not landed(world, taken):
        pass
    assert [v.user_id for v in Tx(world.db).standing(new)] == ["u0"]
    assert world.findings() == []
    world.close()


def test_new_rules_reach_every_item_though_people_go_on() -> None:
    world = answered(20)
    world.add(4)
    tx = world.tx()
    tx.change_project("p", {"votes_min": 3, "votes_max": 5})
    assert remerging.begin(tx, "p", world.now), "more items than one chunk"
    world.commit(tx)
    assert world.findings() == [], "what has not followed yet is no finding"
    # Leases are given and go back on items that the rules have not reached.
    for user in world.people:
        world.deal(user, 9)
        world.leave(user)
    assert world.findings() == []
    after: int | None = 0
    while after is not None:
        tx = world.tx()
        after, items = remerging.differing(tx, "p", after)
        remerging.remerge(tx, "p", items, world.now)
        world.commit(tx)
    tx = world.tx()
    tx.end_remerge("p", 1)
    world.commit(tx)
    assert world.findings() == []
    assert {i.room for i in world.items() if i.n_labels == 0} == {3}
    world.close()


def disputed(votes_min: int, votes_max: int) -> World:
    """Two people say different things of one item; then two votes are enough, which has not reached
    it yet."""
    world = World(votes_min, votes_max)
    world.add(1)
    for user, value in (("u0", "0"), ("u1", "1")):
        world.deal(user, 1)
        world.cast(user, 1, value)
    return world


def says_so(world: World) -> bool:
    return [e.body for e in world.events if e.type == "item.needs_review"] == [{"item_id": 1}]


@pytest.mark.parametrize("at_once", [True, False])
def test_what_new_rules_leave_to_reviewers_goes_to_nobody_else(at_once: bool) -> None:
    world = disputed(2, 3)
    world.new_rules(at_once, votes_max=2)
    assert world.deal("u2", 1).page is None
    world.follow()
    assert (world.item(1).state, says_so(world)) == ("needs_review", True)
    assert world.findings() == []
    world.close()


@pytest.mark.parametrize("at_once", [True, False])
def test_what_new_rules_leave_to_reviewers_is_nobodys_any_more(at_once: bool) -> None:
    world = disputed(4, 4)
    for user in ("u2", "u3"):
        assert world.deal(user, 1).page is not None
    world.new_rules(at_once, votes_min=2, votes_max=2)
    world.leave("u2")
    world.follow()
    assert world.leases("u3") == []
    assert (world.item(1).state, says_so(world)) == ("needs_review", True)
    assert world.findings() == []
    world.close()


@settings(max_examples=15, deadline=None)
@given(
    scores=st.lists(st.sampled_from([0.5, 0.95]), min_size=20, max_size=20),
    steps=st.lists(st.sampled_from(["answer", "leave", "decide"]), min_size=6, max_size=6),
    until=st.integers(1, 6),
)
def test_a_round_lands_while_people_go_on_and_may_be_cut_off(
    scores: list[float], steps: list[str], until: int
) -> None:
    world = answered(6)
    world.add(20)
    before = len(world.events)
    board = snapshot(Tx(world.db), "p")
    ids = [i.item_id for i in world.items()]
    fresh = ids[6:]
    guesses = {
        item_id: Prediction("1", score, f"1:{score}")
        for item_id, score in zip(fresh, scores, strict=True)
    }
    clusters = {item_id: Place(n // 9, n % 9, 0.1) for n, item_id in enumerate(fresh[::2])}
    places = {item_id: n for n, item_id in enumerate(fresh)}
    plan = landing.Plan(1, landing.Limits({"1": 0.9}), True, guesses, clusters, places)
    # Only `until` of the chunks land: a stop of the server would cut off the others.
    for n, step in enumerate(steps):
        if n < until:
            tx = world.tx()
            some = fresh[4 * n : 4 * n + 4]
            prelabeled = landing.land_chunk(tx, "p", plan, some, world.now)
            world.commit(tx)
            taken = [i for i in some if guesses[i].score >= 0.9 and world.item(i).queue_pos < MORE]
            assert prelabeled == sum(world.item(i).state in OPEN_STATES for i in taken)
        user = world.people[n % 3]
        if step == "answer":
            dealt = world.deal(user, 4)
            for entry in dealt.page["items"] if dealt.page is not None else ():
                world.cast(user, entry["item_id"], "1")
        elif step == "leave":
            world.deal(user, 4)
            world.leave(user)
        else:
            world.decide(fresh[3 * n], "change", "2")
        assert world.findings() == []
    for event in world.events[before:]:
        apply(board, event)
    assert board == snapshot(Tx(world.db), "p")
    world.close()
