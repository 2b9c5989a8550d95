"""Where the model is sure that an item's only label is wrong, somebody else is asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chorus.server.domain import doubts
from chorus.server.domain.model import Item
from chorus.server.domain.queue import SECOND_LOOK
from chorus.server.services import round_files
from chorus.server.services.vote_columns import VoteColumns
from chorus.server.storage.tx import Tx
from tests.server.world import World

ITEMS = 400
"""So many that some twenty may be looked at again."""


def labeled(items: int = ITEMS, people: int = 3, wrong: int = 6, **how: int) -> World:
    """`people` have labeled everything as 0, one vote each; the model says 1 of the first few."""
    world = World(people=people, **how)
    world.add(items)
    left = True
    while left:
        left = False
        for user in world.people:
            dealt = world.deal(user, 9)
            for entry in dealt.page["items"] if dealt.page else ():
                world.cast(user, entry["item_id"], "0")
                left = True
    for item in world.items()[:wrong]:
        world.model_says(item.item_id, "1:0.97,0:0.03")
    for item in world.items()[wrong : wrong + 20]:
        world.model_says(item.item_id, "1:0.6,0:0.4")
    world.add(1)
    return world


def voter(world: World, item_id: int) -> str:
    return Tx(world.db).standing(item_id)[0].user_id


def others(world: World, item_id: int) -> list[str]:
    answered = {vote.user_id for vote in Tx(world.db).standing(item_id)}
    return [user for user in world.people if user not in answered]


def look(world: World, user: str, item_id: int, value: str | None, kind: str = "label") -> Item:
    """A person is given the item, blind, and answers."""
    dealt = world.deal(user, 9)
    assert dealt.page is not None
    (entry,) = [e for e in dealt.page["items"] if e["item_id"] == item_id]
    assert (dealt.page["kind"], entry["prelabel"], entry["odd"]) == ("manual", None, None)
    world.cast(user, item_id, value, kind)
    world.leave(user)
    return world.item(item_id)


def test_somebody_else_is_asked_and_two_of_three_decide() -> None:
    world = labeled()
    assert world.doubt() == 6
    assert world.doubt() == 0, "once is enough"
    stands, turns, differs, skipped = (i.item_id for i in world.items()[:4])
    assert world.item(stands).state == "in_progress"
    assert world.item(stands).queue_pos >= SECOND_LOOK
    assert voter(world, stands) not in others(world, stands)

    after = look(world, others(world, stands)[0], stands, "0")
    assert (after.state, after.label, after.n_labels) == ("labeled", "0", 2)

    after = look(world, others(world, turns)[0], turns, "1")
    assert (after.state, after.label, after.n_labels) == ("labeled", "1", 2), "as the model said"
    assert after.agreement == 0.5

    after = look(world, others(world, differs)[0], differs, "2")
    assert (after.state, after.label) == ("in_progress", None), "three say three things"
    after = look(world, others(world, differs)[0], differs, "2")
    assert (after.state, after.label, after.n_labels) == ("labeled", "2", 3)

    after = look(world, others(world, skipped)[0], skipped, None, "skip")
    assert (after.state, after.label) == ("labeled", "0"), "who cannot tell changes nothing"
    assert world.findings() == []
    assert Tx(world.db).count_doubted("p") == (6, 1)
    # What seemed wrong is no fair sample of how far people agree.
    assert Tx(world.db).agreements("p") == []
    classes = VoteColumns(Tx(world.db), "p", 3, False)
    assert classes.alpha().items == 0
    world.close()


def test_where_nobody_agrees_a_supervisor_decides() -> None:
    world = labeled()
    assert world.doubt() == 6
    item_id = world.items()[0].item_id
    look(world, others(world, item_id)[0], item_id, "2")
    after = look(world, others(world, item_id)[0], item_id, "1")
    assert (after.state, after.n_labels) == ("needs_review", 3)
    assert world.findings() == []
    world.close()


def test_nothing_waits_for_somebody_who_does_not_come() -> None:
    for people in (1, 2):
        few = labeled(people=people)
        assert few.doubt() == 0
        few.close()
    paused = labeled(people=3)
    tx = paused.tx()
    tx.set_member_paused("p", "u1", paused.now)
    paused.commit(tx)
    assert paused.doubt() == 0, "whoever is told to pause does not come"
    paused.close()


def test_what_everybody_is_done_with_stays_done() -> None:
    world = labeled()
    dealt = world.deal("u0", 9)
    assert dealt.page is not None
    for entry in dealt.page["items"]:
        world.cast("u0", entry["item_id"], "0")
    assert {i.state for i in world.items()} == {"labeled"}
    assert world.doubt() == 0
    world.close()


def test_what_is_not_one_persons_own_label_is_left_alone() -> None:
    several = labeled(votes_min=2, votes_max=2)
    assert several.doubt() == 0, "two people agree"
    several.close()
    world = labeled()
    decided, gold = (i.item_id for i in world.items()[:2])
    world.decide(decided, "approve")
    world.mark([gold])
    assert world.doubt() == 4
    assert (world.item(decided).state, world.item(gold).state) == ("labeled", "labeled")
    world.close()


def test_a_correction_to_what_the_model_says_ends_it() -> None:
    world = labeled()
    world.doubt()
    item_id = world.items()[0].item_id
    (vote,) = Tx(world.db).standing(item_id)
    world.cast(vote.user_id, item_id, "2", supersedes=vote.vote_id)
    assert world.item(item_id).state == "in_progress", "the model says something else again"
    (vote,) = Tx(world.db).standing(item_id)
    world.cast(vote.user_id, item_id, "1", supersedes=vote.vote_id)
    after = world.item(item_id)
    assert (after.state, after.label, after.doubted) == ("labeled", "1", None)
    assert world.findings() == []
    world.close()


def test_without_second_looks_first_answers_stand_at_once() -> None:
    world = labeled()
    world.doubt()
    world.new_rules(False, second_look=False)
    world.follow()
    assert [i.state for i in world.items()].count("labeled") == ITEMS
    assert world.doubt() == 0
    world.new_rules(False, second_look=True)
    world.follow()
    assert sum(i.state == "in_progress" for i in world.items()) == 6
    assert world.findings() == []
    world.close()


def test_they_come_before_other_work_once_they_fill_half_a_page() -> None:
    world = labeled(wrong=9)
    world.add(20)
    world.doubt()
    looked = [i.item_id for i in world.items()[:9]]
    user = max(world.people, key=lambda u: sum(voter(world, i) != u for i in looked))
    urgent = world.items()[-1].item_id
    world.prioritize([urgent])
    dealt = world.deal(user, 1)
    assert dealt.page is not None
    assert [e["item_id"] for e in dealt.page["items"]] == [urgent], "a supervisor comes first"
    dealt = world.deal(user, 9)
    assert dealt.page is not None
    first = [e["item_id"] for e in dealt.page["items"]]
    assert set(first) <= set(looked)
    assert len(first) >= 5
    rest = world.deal(user, 9)
    assert rest.page is not None
    assert not {e["item_id"] for e in rest.page["items"]} & set(looked)
    assert world.findings() == []
    world.close()


def test_the_model_is_tested_on_what_it_doubts(tmp_path: Path) -> None:
    """Or it would be tested only where it and people agree."""
    world = labeled()
    before = round_rows(world, tmp_path)
    world.doubt()
    after = round_rows(world, tmp_path)
    for item in world.items()[:6]:
        row = after[item.item_id]
        assert (row["label"], row["trusted"], row["survivor"]) == ("0", "1", "1")
        assert row["open"] == "0", "heads that never saw its label score it"
    assert {k: v["label"] for k, v in after.items()} == {k: v["label"] for k, v in before.items()}
    world.close()


def round_rows(world: World, folder: Path) -> dict[int, dict[str, str]]:
    path = folder / "items.tsv"
    round_files.write_items(Tx(world.db), "p", path)
    names, *lines = (line.split("\t") for line in path.read_text().splitlines())
    return {int(line[0]): dict(zip(names, line, strict=True)) for line in lines}


@given(st.floats(0.5, 0.999))
def test_the_model_is_sure_of_what_it_doubts(target: float) -> None:
    assert 0.5 <= doubts.sure(target) <= max(0.5, target)


@given(st.integers(0, 10**6), st.data())
def test_few_are_looked_at_again_and_hardly_any_in_vain(labels: int, data: st.DataObject) -> None:
    changed = data.draw(st.integers(0, 50))
    doubted = 0
    while room := doubts.room(labels, doubted, changed):
        doubted += room
    assert doubted <= doubts.SHARE * labels
    in_vain = doubted - changed
    assert in_vain <= doubts.FIRST + labels / doubts.LABELS + (doubts.FRUIT - 1) * changed


@pytest.mark.parametrize(
    ("votes", "doubted", "tells"),
    [
        (["0", "1"], "1", True),
        (["1", "0"], "1", True),
        (["0", "0"], "1", False),
        (["0", "2"], "1", False),
        (["0"], "1", False),
        (["0", "1", "2"], "1", False),
        (["0", "1"], None, False),
    ],
)
def test_two_of_three(votes: list[str], doubted: str | None, tells: bool) -> None:
    assert doubts.tells(votes, doubted) is tells
