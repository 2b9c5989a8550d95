"""Gold items among the work: how many, which, when; and what people's answers on them say."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

import pytest

from chorus.server.domain.filters import Answers
from chorus.server.errors import ApiError
from chorus.server.jobs.estimate import estimate
from chorus.server.services import checking, fsck
from chorus.server.services.dealing import Dealt
from chorus.server.services.quality import quality
from chorus.server.services.skills import write_votes
from chorus.server.storage.migrations import VERSION, migrate
from chorus.server.storage.sqlite import connect
from chorus.server.storage.tx import Tx
from tests.server.world import World

CLASSES = ["cat", "dog", "cow"]


@pytest.fixture
def worlds() -> Iterator[list[World]]:
    made: list[World] = []
    yield made
    for world in made:
        assert world.findings() == []
        world.close()


def checks(world: World, user: str, dealt: Dealt) -> list[int]:
    """Items of a page that are checks."""
    assert dealt.page is not None
    return [
        x.item_id
        for x in world.leases(user)
        if x.blind_check and x.page_id == dealt.page["page_id"]
    ]


def work(world: World, user: str, size: int, wrong: int = 0) -> Iterator[tuple[int, bool]]:
    """Answer pages to the end with class 1 (every `wrong`th check with 0): (item, was a check)."""
    n = 0
    while (dealt := world.deal(user, size)).page is not None:
        checked = checks(world, user, dealt)
        for entry in dealt.page["items"]:
            item_id = entry["item_id"]
            n += item_id in checked
            bad = item_id in checked and wrong and n % wrong == 0
            world.cast(user, item_id, "0" if bad else "1")
            yield item_id, item_id in checked


@pytest.mark.parametrize("size", [1, 4, 9])
@pytest.mark.parametrize("rate", [0.05, 0.3])
def test_the_share_of_checks_is_the_rate(worlds: list[World], size: int, rate: float) -> None:
    world = World(people=1, gold_rate=rate)
    worlds.append(world)
    world.add(900)
    world.add(500, "1", gold=True)
    done = [check for _, check in work(world, "u0", size)]
    assert done.count(False) == 900
    assert sum(done) / len(done) == pytest.approx(rate, abs=size / len(done) + 0.01)
    at = [n for n, check in enumerate(done) if check]
    gaps = [b - a for a, b in pairwise(at)]
    assert len(set(gaps)) > 3, "nobody can count on when"
    assert len({i for i, check in work(world, "u0", size)}) == 0, "no checks without work"


def test_a_check_comes_at_any_place_of_a_page(worlds: list[World]) -> None:
    world = World(people=1, gold_rate=0.2)
    worlds.append(world)
    world.add(400)
    world.add(200, "1", gold=True)
    places = set()
    while (dealt := world.deal("u0", 4)).page is not None:
        checked = checks(world, "u0", dealt)
        ids = [entry["item_id"] for entry in dealt.page["items"]]
        places |= {ids.index(item_id) for item_id in checked}
        for item_id in ids:
            world.cast("u0", item_id, "1")
    assert places == {0, 1, 2, 3}


def test_no_gold_or_no_rate_gives_no_checks(worlds: list[World]) -> None:
    for gold, rate in ((0, 0.5), (20, 0.0)):
        world = World(people=1, gold_rate=rate)
        worlds.append(world)
        world.add(40)
        if gold:
            world.add(gold, "1", gold=True)
        assert not any(check for _, check in work(world, "u0", 4))


def test_unseen_gold_comes_first_and_the_same_again_only_much_later(worlds: list[World]) -> None:
    world = World(people=2, gold_rate=0.2)
    worlds.append(world)
    world.add(400)
    world.add(12, "1", gold=True)
    orders = []
    for user in ("u0", "u1"):
        done = []
        for entry in work(world, user, 4):
            done.append(entry)
            if len(done) == 240:
                break
        world.leave(user)
        asked = [(n, item_id) for n, (item_id, check) in enumerate(done) if check]
        first = [item_id for _, item_id in asked[:12]]
        # On the page with the last new one, an old one may stand before it.
        assert len(set(first)) >= 11, "every one once before any comes again"
        assert len({item_id for _, item_id in asked[:15]}) == 12
        orders.append(first)
        last: dict[int, int] = {}
        for n, item_id in asked:
            # A page is handed out before the one in hand is answered.
            assert n - last.get(item_id, -1000) > checking.GAP - 8
            last[item_id] = n
        assert len(asked) > 20, "and they do come again"
    assert orders[0] != orders[1]


def test_between_prelabeled_pages_checks_come_as_whole_manual_pages(worlds: list[World]) -> None:
    world = World(people=1, gold_rate=0.2)
    worlds.append(world)
    world.add(200)
    world.add(100, "1", gold=True)
    tx = world.tx()
    tx.run(
        "UPDATE item SET queue = 'prelabeled', queue_pos = 1000000000 + item_id,"
        " pre_value = '1', pre_score = 0.99 WHERE state = 'unlabeled'"
    )
    tx.emit("p", world.now, "queue.changed", {"queue": {"manual": -200, "prelabeled": 200}})
    world.commit(tx)
    pages = []
    while (dealt := world.deal("u0", 4)).page is not None:
        checked = checks(world, "u0", dealt)
        pages.append((dealt.page["kind"], len(checked), len(dealt.page["items"])))
        for entry in dealt.page["items"]:
            assert (entry["prelabel"] is None) == (entry["item_id"] in checked)
            world.cast("u0", entry["item_id"], "1")
    assert set(pages) == {("prelabeled", 0, 4), ("manual", 4, 4)}
    assert pages.count(("manual", 4, 4)) == pytest.approx(0.2 * len(pages), abs=2)


def answered(world: World, value: str = "1") -> tuple[int, int]:
    """u0 gets a check and answers it: (item, its seq)."""
    for _ in range(100):
        dealt = world.deal("u0", 4)
        if found := checks(world, "u0", dealt):
            seq, _ = world.cast("u0", found[0], value)
            return found[0], seq
    raise AssertionError("no check came")


def test_an_answer_survives_whatever_becomes_of_the_item(worlds: list[World]) -> None:
    for fate in ("unmark", "remove", "requeue", "change"):
        world = World(people=1, gold_rate=0.5)
        worlds.append(world)
        world.add(30)
        world.add(5, "1", gold=True)
        dealt = world.deal("u0", 9)
        while not checks(world, "u0", dealt):
            dealt = world.deal("u0", 9)
        item_id = checks(world, "u0", dealt)[0]
        if fate == "unmark":
            world.mark([item_id], gold=False)
        else:
            world.decide(item_id, fate, "2" if fate == "change" else None)
        assert world.findings() == []
        before = world.item(item_id)
        world.cast("u0", item_id, "1")
        assert world.item(item_id) == before
        rows = Tx(world.db).check_answers("p")
        assert [(row[0], row[3]) for row in rows] == [(item_id, "1")]
        assert rows[0][4] == ("2" if fate == "change" else None), "judged only by a truth"


def test_giving_back_a_check_changes_nothing_about_the_item(worlds: list[World]) -> None:
    world = World(people=1, gold_rate=0.5)
    worlds.append(world)
    world.add(30)
    world.add(5, "1", gold=True)
    dealt = world.deal("u0", 9)
    while not checks(world, "u0", dealt):
        dealt = world.deal("u0", 9)
    item_id = checks(world, "u0", dealt)[0]
    before = world.item(item_id)
    world.leave("u0")
    assert world.item(item_id) == before
    with pytest.raises(ApiError) as caught:
        world.cast("u1", item_id, "1")
    assert caught.value.code in ("not_leased", "item_closed")
    world.cast("u0", item_id, "0")  # on its way when the lease ended
    assert len(Tx(world.db).check_answers("p")) == 1


def test_only_labeled_items_are_marked(worlds: list[World]) -> None:
    world = World(people=1)
    worlds.append(world)
    world.add(2)
    world.add(2, "1")
    open_one, _, labeled, other = [i.item_id for i in world.items()]
    assert world.mark([open_one, labeled, 99]) == [labeled]
    assert world.mark([labeled, other]) == [labeled, other], "marked twice is marked"
    marked = [e.body["item_ids"] for e in world.events if e.type == "gold.marked"]
    assert marked == [[labeled], [other]]
    assert world.mark([labeled, open_one], gold=False) == [labeled, open_one]
    assert [bool(i.gold) for i in world.items()] == [False, False, False, True]


def test_what_the_quality_page_says(worlds: list[World]) -> None:
    world = World(people=2, gold_rate=0.5)
    worlds.append(world)
    world.add(200)
    world.add(10, "1", gold=True)
    with patch.object(checking, "GAP", 5):
        given = [check for _, check in work(world, "u0", 4, wrong=4)]
    whole, confusions = quality(Tx(world.db), "p", CLASSES)
    assert whole["gold"] == {"items": 10, "rate": 0.5}
    (mine,) = (p for p in whole["labelers"] if p["user_id"] == "u0")
    gold = mine["gold"]
    assert gold["n"] == sum(given)
    assert gold["value"] == pytest.approx(0.75, abs=0.02)
    # Wilson's interval of 30 of 40 is 0.598 to 0.858; of n answers here by the same formula.
    assert gold["low"] < gold["value"] < gold["high"] < 1
    again = mine["self_consistency"]
    assert again["n"] == sum(given) - 10, "every answer but the first on each"
    assert 0 < again["value"] < 1
    (other,) = (p for p in whole["labelers"] if p["user_id"] == "u1")
    assert other["gold"] is None
    assert other["self_consistency"] is None
    assert sum(n for _, _, n in confusions["u0"]) == 200, "checks are no votes"
    assert mine["labels"] == 200


def test_a_supervisors_change_of_the_truth_judges_old_answers_anew(worlds: list[World]) -> None:
    world = World(people=1, gold_rate=0.5)
    worlds.append(world)
    world.add(30)
    world.add(3, "1", gold=True)
    item_id, _ = answered(world, "2")
    share = quality(Tx(world.db), "p", CLASSES)[0]["labelers"][0]["gold"]
    assert (share["n"], share["value"]) == (1, 0.0)
    world.decide(item_id, "change", "2")
    share = quality(Tx(world.db), "p", CLASSES)[0]["labelers"][0]["gold"]
    assert (share["n"], share["value"]) == (1, 1.0)


@pytest.mark.parametrize("method", ["one_coin", "dawid_skene", "auto", "model"])
def test_gold_tells_people_apart_where_votes_cannot(
    worlds: list[World], tmp_path: Path, method: str
) -> None:
    """Two people, and whenever they differ nobody knows who is right."""
    world = World(1, 2, consensus=method, people=2, gold_rate=0.5)
    worlds.append(world)
    world.add(60)
    world.add(40, "1", gold=True)
    for item in world.items()[::2]:
        world.model_says(item.item_id, "1:0.9")
    found = {}
    for name in ("without", "with"):
        if name == "with":
            for user, wrong in (("u0", 0), ("u1", 2)):
                asked = list(work(world, user, 4, wrong=wrong))
                assert sum(check for _, check in asked) > 25
        else:
            for user in ("u0", "u1"):
                for entry in (world.deal(user, 4).page or {"items": []})["items"]:
                    world.cast(user, entry["item_id"], "1")
        folder = tmp_path / name
        folder.mkdir()
        write_votes(Tx(world.db), "p", folder)
        found[name] = estimate({"folder": str(folder)})["skills"]
    assert abs(found["without"]["u0"]["value"] - found["without"]["u1"]["value"]) < 0.05
    good, careless = found["with"]["u0"], found["with"]["u1"]
    assert careless["high"] < good["low"]
    # Every vote of theirs was right, and half of some forty answers on gold.
    assert careless["value"] == pytest.approx(0.8, abs=0.05)
    assert good["value"] > 0.95


def test_a_database_of_schema_2_keeps_what_it_holds(tmp_path: Path) -> None:
    db = connect(tmp_path / "old.sqlite")
    folder = files("chorus.server.storage")
    for version in (1, 2):
        db.executescript(folder.joinpath(f"schema_{version}.sql").read_text("utf-8"))
    db.execute("PRAGMA user_version = 2")
    _fill(db)
    migrate(db)
    assert db.execute("PRAGMA user_version").fetchone() == (VERSION,)
    tx = Tx(db)
    project = tx.project("p")
    assert project is not None
    assert project.gold_rate == 0.05
    (item,) = tx.items_in_state("p", None, 0, 10)
    assert (item.state, item.label, bool(item.gold)) == ("labeled", "1", False)
    assert [bool(x.blind_check) for x in tx.leases_of_page(1)] == [False]
    assert tx.history("p", "u", 1 << 62, 10, Answers())[0][:4] == ("vote-1", 1, "label", "1")
    assert list(fsck.check(tx)) == []
    db.execute("BEGIN IMMEDIATE")
    assert checking.mark(tx, "p", [1], True, "u", 9)[0] == [1]
    db.execute("COMMIT")
    assert tx.count_gold("p") == 1
    db.close()


def _fill(db: sqlite3.Connection) -> None:
    """A project with one voted item, as schema 2 stored it."""
    db.executescript("""
        INSERT INTO person VALUES ('u', 'u', 'U', 0, NULL, 1, 1);
        INSERT INTO project (project_id, name, description, instructions, task_type, votes_min,
          votes_max, skips_max, consensus, target, page_size, lease_ms, cluster, prelabel, state,
          seed, last_seq, epoch, created_at, featurized_to, featurized, class_count)
          VALUES ('p', 'P', '', '', 'multiclass', 1, 1, 1, 'majority', 0.95, 9, 600000, 0, 0,
          'running', 1, 5, 'e', 1, 0, 0, 2);
        INSERT INTO label_class VALUES ('p', 0, 'a', '#000000'), ('p', 1, 'b', '#ffffff');
        INSERT INTO member (project_id, user_id, role, joined_at) VALUES ('p', 'u', 'labeler', 1);
        INSERT INTO item (item_id, project_id, name, content_hash, width, height, rank, state,
          room, n_labels, n_skips, n_flags, n_leases, n_prelabel_votes, reached, provisional,
          confidence, agreement, label, label_source, revision, label_at, requeue_seq, queue,
          queue_pos, queue_block, easy_round) VALUES (1, 'p', 'x.png', 'h', 1, 1, 7, 'labeled', 0,
          1, 0, 0, 0, 0, 1, '1', 0.666667, 1.0, '1', 'votes', 1, 5, 0, 'manual', 7, 0, 0);
        INSERT INTO page VALUES (1, 'p', 'u', 't', 'manual', 1, NULL, 3);
        INSERT INTO lease VALUES (1, 'p', 1, 'u', 't', 1, 0, NULL, NULL, NULL, 3, 9, 4, 'voted');
        INSERT INTO vote VALUES ('vote-1', 'p', 1, 'u', 5, 'label', '1', 1, 'manual', NULL, NULL,
          10, NULL, 5);
        INSERT INTO standing VALUES (1, 'u', 'p', 'vote-1', 'label', '1', NULL, 5);
        INSERT INTO event VALUES
          ('p', 1, 'project.changed', '{"name":"P","state":"running","classes":["a","b"]}', 1),
          ('p', 2, 'member.joined', '{"user_id":"u","name":"U"}', 1),
          ('p', 3, 'items.added',
           '{"count":1,"moves":[[null,"unlabeled",1]],"queue":{"manual":1}}', 2),
          ('p', 4, 'page.opened', '{"moves":[["unlabeled","in_progress",1]]}', 3),
          ('p', 5, 'vote.cast', '{"vote_id":"vote-1","item_id":1,"user_id":"u","name":"U",
           "kind":"label","value":"1","page_kind":"manual","prelabel":null,
           "moves":[["in_progress","labeled",1]],"queue":{"manual":-1},"labels":{"1":1}}', 5);
    """)
