"""What each way of working costs: seconds and errors by view, counted behind the votes' backs."""

from __future__ import annotations

import random
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from importlib.resources import files
from itertools import pairwise
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chorus.server.domain import pace, purity
from chorus.server.domain.interval import wilson
from chorus.server.errors import ApiError
from chorus.server.services import background, labeling
from chorus.server.services import pace as counting
from chorus.server.services.labeling import VoteCast
from chorus.server.storage.tx import Tx
from chorus.server.storage.tx.base import Base
from tests.server.world import World

BINS = st.lists(st.integers(1, 600_000), min_size=pace.LEAST_TIMED, max_size=200)


# -- the rules


@given(BINS)
def test_the_median_and_quartiles_are_those_of_the_durations(ms: list[int]) -> None:
    bins: dict[int, int] = {}
    for m in ms:
        bins[pace.bin_of(m)] = bins.get(pace.bin_of(m), 0) + 1
    found = pace.times(bins)
    assert found is not None
    ordered = sorted(min(m, pace.IDLE_MS) / 1000 for m in ms)
    n = len(ordered)
    for share, told in ((0.25, found.low), (0.5, found.seconds), (0.75, found.high)):
        true = ordered[max(0, -int(-share * n // 1) - 1)]
        # A bin is 4.4 % wide and stands for its middle; told to a hundredth of a second.
        assert told == pytest.approx(true, rel=0.03, abs=0.006)
    assert found.low <= found.seconds <= found.high


@given(st.integers(1, 10**7), st.integers(1, 10**7))
def test_longer_is_never_counted_as_shorter_and_idle_time_not_at_all(a: int, b: int) -> None:
    a, b = sorted((a, b))
    assert pace.bin_of(a) <= pace.bin_of(b) <= pace.bin_of(pace.IDLE_MS)


def test_a_few_answers_say_nothing() -> None:
    assert pace.times({10: pace.LEAST_TIMED - 1}) is None
    assert pace.times({10: pace.LEAST_TIMED}) is not None
    assert pace.errors(pace.LEAST_JUDGED - 1, 0) is None


@given(n=st.integers(pace.LEAST_JUDGED, 5000), share=st.floats(0, 1))
def test_errors_come_with_wilsons_interval(n: int, share: float) -> None:
    wrong = round(share * n)
    found = pace.errors(n, wrong)
    assert found is not None
    assert (found.low, found.high) == pytest.approx(wilson(wrong, n), abs=1e-4)
    assert found.low - 1e-4 <= found.value <= found.high + 1e-4


def test_what_is_saved_and_what_is_lost_is_said() -> None:
    hand, fast, slow = (pace.Times(1000, s, s, s) for s in (2.4, 0.9, 3.4))
    assert pace.saved({"grid": hand, "clustered": fast}, "clustered") == 1500
    assert pace.saved({"grid": hand}, "clustered") is None
    assert pace.saved({"clustered": fast}, "clustered") is None
    assert pace.note({}) == "How long an item takes is known after a few pages."
    assert pace.note({"single": hand}) == "An item by hand takes 2.4 s."
    assert pace.note({"grid": hand, "clustered": fast}) == (
        "A clustered item takes 0.9 s, one by hand 2.4 s: clusters have saved about 25 min."
    )
    assert "prelabels have cost about 17 min." in pace.note({"single": hand, "prelabeled": slow})
    many = pace.Times(100_000, 0.9, 0.9, 0.9)
    assert "about 41.7 hours" in pace.note({"grid": hand, "clustered": many})


# -- counted from the log


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@given(st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), TEXTS, st.none() | TEXTS), max_size=6))
def test_rows_in_one_step_are_the_rows(rows: list[tuple[int, str, str | None]]) -> None:
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute("CREATE TABLE t (a INTEGER, b TEXT, c TEXT)")
        db.executemany("INSERT INTO t VALUES (?,?,?)", rows)
        found = Base(db).packed("a, b, c", "SELECT a, b, c FROM t")
    assert sorted(map(repr, map(tuple, found))) == sorted(map(repr, rows))


@pytest.fixture
def world() -> Iterator[World]:
    made = World(votes_min=2, votes_max=2, gold_rate=0)
    yield made
    made.close()


def wrong(world: World) -> list[str]:
    return list(counting.findings(Tx(world.db), "p"))


def figures(world: World) -> dict[str, dict[str, object]]:
    return {row["view"]: row for row in counting.figures(Tx(world.db), "p")["views"]}


def answer(
    world: World, user_id: str, item_id: int, value: str | None, ms: int, old: str | None = None
) -> str:
    vote_id = str(uuid.uuid4())
    kind = "label" if value is not None else "skip"
    tx = world.tx()
    vote = VoteCast(
        vote_id, item_id, kind, None, ms, supersedes=old, project_id="p"  # type: ignore[arg-type]
    )  # fmt: skip
    labeling.cast(tx, user_id, user_id.upper(), vote, value, world.now)
    world.commit(tx)
    return vote_id


def label_all(world: World, user_id: str, size: int, ms: int, mistakes: int = 0) -> None:
    """Everything that a person is handed is a cat, but for the first `mistakes` items."""
    while (dealt := world.deal(user_id, size)).page is not None:
        for item in dealt.page["items"]:
            answer(world, user_id, item["item_id"], "1" if mistakes > 0 else "0", ms)
            mistakes -= 1


def test_seconds_and_errors_by_view(world: World) -> None:
    world.add(60)
    label_all(world, "u0", 1, 4000)
    label_all(world, "u1", 9, 1000, mistakes=6)
    world.count()
    found = figures(world)
    assert found["single"]["timed"] == found["grid"]["timed"] == 60
    assert found["single"]["seconds"]["seconds"] == pytest.approx(4, rel=0.03)  # type: ignore[index]
    assert found["grid"]["seconds"]["seconds"] == pytest.approx(1, rel=0.03)  # type: ignore[index]
    # Where two people say different things nobody has settled it yet: not an error of anybody.
    assert found["grid"]["judged"] == 54
    split = [i.item_id for i in world.items() if i.state == "needs_review"]
    assert len(split) == 6
    for item_id in split:
        world.decide(item_id, "change", "0")
    world.count()
    found = figures(world)
    assert found["grid"]["judged"] == found["single"]["judged"] == 60
    assert found["grid"]["errors"]["value"] == pytest.approx(0.1)  # type: ignore[index]
    assert found["single"]["errors"]["value"] == 0  # type: ignore[index]
    assert world.findings() == []


def test_a_correction_takes_no_time_and_mends_the_error() -> None:
    world = World(votes_min=1, votes_max=1, gold_rate=0)
    world.add(40)
    votes = {}
    while (dealt := world.deal("u0", 4)).page is not None:
        for item in dealt.page["items"]:
            votes[item["item_id"]] = answer(world, "u0", item["item_id"], "1", 500)
    world.count()
    found = figures(world)["grid"]
    # One person's label is no judge of that person.
    assert (found["timed"], found["judged"], found["errors"]) == (40, 0, None)
    for item_id in list(votes)[:30]:
        world.decide(item_id, "change", "0")
    for item_id in list(votes)[30:]:
        answer(world, "u0", item_id, "0", 9000, old=votes[item_id])
    world.count()
    found = figures(world)["grid"]
    assert (found["timed"], found["judged"]) == (40, 30)
    assert found["errors"]["value"] == 1  # type: ignore[index]
    # What is taken back is no longer judged.
    world.take_back("u0", 0, world.now)
    world.count()
    assert figures(world)["grid"]["judged"] == 0
    assert world.findings() == []
    world.close()


def test_answers_on_gold_are_judged_where_nobody_else_votes() -> None:
    world = World(votes_min=1, votes_max=1, gold_rate=0.5)
    world.add(60, label="0", gold=True)
    world.add(60)
    checks = 0
    while (dealt := world.deal("u0", 4)).page is not None:
        for n, item in enumerate(dealt.page["items"]):
            gold = bool(world.item(item["item_id"]).gold)
            checks += gold
            answer(world, "u0", item["item_id"], "1" if gold and n == 0 else "0", 800)
    world.count()
    found = figures(world)["grid"]
    assert checks >= pace.LEAST_JUDGED
    assert found["judged"] == checks
    assert 0 < found["errors"]["value"] < 1  # type: ignore[index]
    assert world.findings() == []
    world.close()


def test_a_page_is_done_with_whatever_answer_comes_last() -> None:
    """Also with one on a check, which is no vote."""
    world = World(votes_min=2, votes_max=2, gold_rate=0.3)
    world.add(60)
    world.add(40, label="0", gold=True)
    pages, ended = 0, 0
    while (dealt := world.deal("u0", 9)).page is not None:
        items = [item["item_id"] for item in dealt.page["items"]]
        items.sort(key=lambda item_id: world.item(item_id).gold)
        checks = sum(world.item(item_id).gold for item_id in items)
        pages += len(items) - checks >= purity.LEAST_ANSWERED
        ended += checks > 0
        for item_id in items:
            answer(world, "u0", item_id, "0", 800)
            world.count()
    assert ended > 3
    assert wrong(world) == []
    by_hand = counting.figures(Tx(world.db), "p")["by_hand"]
    assert (by_hand["pages"], by_hand["alike"]) == (pages, 1)
    world.close()


@settings(max_examples=60)
@given(seed=st.integers(0, 1_000_000))
def test_whatever_happens_the_figures_are_what_the_facts_say(seed: int) -> None:
    """Votes, corrections, skips, decisions, take-backs and their undoing, gold and checks, pages
    that are left: counted in between or not, by few or many events at a time."""
    draw = random.Random(seed)
    world = World(votes_min=2, votes_max=3, gold_rate=draw.choice([0, 0.3]))
    world.add(12)
    world.add(draw.choice([0, 12]), "0", gold=True)
    votes: list[tuple[str, int, str]] = []
    takebacks: list[int] = []
    for _ in range(40):
        world.now += 1000
        user_id = draw.choice(world.people)
        deed = draw.random()
        try:
            if deed < 0.5:
                dealt = world.deal(user_id, draw.choice([1, 4, 9]))
                items = list(dealt.page["items"]) if dealt.page else []
                draw.shuffle(items)
                for item in items:
                    if draw.random() < 0.95:
                        value = draw.choice(["0", "0", "1", None])
                        vote_id = answer(
                            world, user_id, item["item_id"], value, draw.randrange(5000)
                        )
                        votes.append((user_id, item["item_id"], vote_id))
                    if draw.random() < 0.3:
                        world.count()
            elif deed < 0.6 and votes:
                user_id, item_id, old = votes.pop(draw.randrange(len(votes)))
                votes.append((user_id, item_id, answer(world, user_id, item_id, "1", 700, old)))
            elif deed < 0.7:
                action = draw.choice(["approve", "change", "requeue", "undo", "remove"])
                item_id = draw.choice(world.items()).item_id
                world.decide(item_id, action, "0" if action == "change" else None)
            elif deed < 0.78:
                world.leave(user_id)
            elif deed < 0.85:
                world.mark([draw.choice(world.items()).item_id], draw.random() < 0.7)
            elif deed < 0.9:
                takebacks.append(world.take_back(user_id, 0, world.now))
            elif deed < 0.93 and takebacks:
                world.undo(takebacks.pop())
            else:
                with patch.object(background, "HEARD_MOST", draw.choice([5, 5000])):
                    world.count(draw.choice([1, 7, 500]), heard=draw.random() < 0.5)
                assert wrong(world) == []
        except ApiError:
            if world.db.in_transaction:
                world.rollback()  # refused, as it may be
    assert wrong(world) == [], "counted up to an earlier event"
    world.count()
    assert wrong(world) == []
    assert Tx(world.db).pace_seq("p") == Tx(world.db).project("p").last_seq  # type: ignore[union-attr]
    world.close()


def test_a_wrong_figure_is_found(world: World) -> None:
    world.add(40)
    label_all(world, "u0", 9, 1000)
    label_all(world, "u1", 9, 1000)
    world.count()
    assert world.findings() == []
    for harm in (
        "UPDATE pace_time SET n = n + 1",
        "UPDATE page SET alike = 2 WHERE page_id = 1",
        "UPDATE pace_item SET wrong = wrong + 1 WHERE item_id = 3",
        "UPDATE pace_error SET n = n - 1",
    ):
        tx = world.tx()
        tx.run(harm)
        assert any(True for _ in counting.findings(tx, "p")), harm
        world.rollback()


def test_older_projects_are_counted_from_their_first_event(world: World) -> None:
    """A database from before anything was counted holds all that it takes."""
    world.add(40)
    label_all(world, "u0", 9, 1000)
    label_all(world, "u1", 4, 2000)
    world.count()
    before = counting.figures(Tx(world.db), "p")
    tx = world.tx()
    for table in ("pace_mark", "pace_time", "pace_item", "pace_error"):
        tx.run(f"DELETE FROM {table}")
    tx.run("UPDATE page SET answered = 0, alike = 0")
    world.commit(tx)
    world.count(3)
    assert counting.figures(Tx(world.db), "p") == before


@settings(max_examples=20)
@given(seed=st.integers(0, 1_000_000))
def test_pages_that_older_servers_missed_are_counted_by_the_upgrade(seed: int) -> None:
    draw = random.Random(seed)
    world = World(votes_min=2, votes_max=2, gold_rate=0.3)
    world.add(30)
    world.add(20, label="0", gold=True)
    for user_id in draw.choices(world.people, k=8):
        dealt = world.deal(user_id, draw.choice([4, 9]))
        items = list(dealt.page["items"]) if dealt.page else []
        choice = draw.choice([["0", "1", None], [None]])
        for item in items[draw.random() < 0.3 :]:
            vote_id = answer(world, user_id, item["item_id"], draw.choice(choice), 800)
            if draw.random() < 0.2:
                answer(world, user_id, item["item_id"], "2", 800, vote_id)
    world.count()
    rows = "SELECT page_id, answered, alike FROM page ORDER BY page_id"
    before = world.db.execute(rows).fetchall()
    checked = "page_id IN (SELECT page_id FROM check_vote)"
    world.db.execute(f"UPDATE page SET answered = 0, alike = 0 WHERE {checked}")
    upgrade = files("chorus.server.storage").joinpath("schema_8.sql").read_text("utf-8")
    world.db.executescript(upgrade)
    assert world.db.execute(rows).fetchall() == before
    assert wrong(world) == []
    world.close()


def test_events_that_change_no_figure_are_passed_over(world: World) -> None:
    world.add(9)
    seqs = [0]
    while (found := counting.look(Tx(world.db), "p", 2)) is not None:
        tx = world.tx()
        counting.keep(tx, "p", found, world.now)
        world.commit(tx)
        seqs.append(found.until)
    assert all(a < b for a, b in pairwise(seqs))
    assert figures(world)["grid"]["timed"] == 0
