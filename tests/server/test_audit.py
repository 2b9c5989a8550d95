"""The blind audit: some prelabels stay hidden, and a broken promise ends them all."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chorus.server.domain import audit
from chorus.server.domain.model import Item, Round
from chorus.server.services import landing, quality, round_files, round_records
from chorus.server.services.round_files import Prediction
from chorus.server.storage.tx import Tx
from tests.server.world import World

TARGETS = st.sampled_from([0.8, 0.9, 0.95, 0.99])


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


def prelabel_all(world: World, share: float, value: str = "0", number: int = 1) -> list[Item]:
    """A round finds all open items to be `value`; the audited ones."""
    ids = [i.item_id for i in world.items() if i.state == "unlabeled"]
    guess = {i: Prediction(value, 0.99, f"{value}:0.99") for i in ids}
    places = {i: at for at, i in enumerate(ids)}
    plan = landing.Plan(number, landing.Limits({value: 0.9}), True, guess, {}, places, share)
    tx = world.tx()
    landing.land_chunk(tx, "p", plan, ids, world.now)
    world.commit(tx)
    return [i for i in world.items() if i.audit]


def audited(world: World) -> tuple[audit.Audit, round_records.Stay]:
    """What a round that lands now finds, and which prelabels stay."""
    tx = world.tx()
    _, found, stay = round_records.audit_round(tx, "p", world.now)
    world.commit(tx)
    return found, stay


def judge(world: World) -> audit.Audit:
    return audited(world)[0]


def ends_prelabels(world: World) -> bool:
    return audited(world)[1] == "none"


@given(share=st.floats(0, 0.5), seed=st.integers(0, 1000))
def test_the_audit_takes_its_share_and_more_of_it_keeps_who_was_in(share: float, seed: int) -> None:
    ranks = [random.Random(seed * 5000 + n).getrandbits(62) for n in range(2000)]
    taken = {r for r in ranks if audit.chosen(r, share)}
    assert abs(len(taken) / len(ranks) - share) < 0.06
    assert taken <= {r for r in ranks if audit.chosen(r, min(1.0, share + 0.1))}


@given(n=st.integers(0, 400), wrong=st.integers(0, 400), target=TARGETS)
def test_more_mistakes_never_speak_for_the_model(n: int, wrong: int, target: float) -> None:
    wrong = min(wrong, n)
    found = audit.judge(n, n - wrong, target)
    if n:
        assert found.low is not None
        assert found.high is not None
        assert found.low <= (n - wrong) / n + 1e-4 <= found.high + 2e-4
    if found.breached and wrong < n:
        assert audit.breached(wrong + 1, n, target)
    if wrong <= n * (1 - target):
        assert not found.breached, "it has kept its promise"


@pytest.mark.parametrize("target", [0.9, 0.95])
def test_who_keeps_the_promise_is_hardly_ever_suspended(target: float) -> None:
    """However often one looks: here after every single answer, at the very edge."""
    suspended = 0
    for seed in range(400):
        draw = random.Random(seed)
        wrong = 0
        for n in range(1, 301):
            wrong += draw.random() >= target
            if audit.breached(wrong, n, target):
                suspended += 1
                break
    assert suspended / 400 <= audit.RISK + 0.02


def test_a_much_worse_model_is_found_soon() -> None:
    answers = 0
    for seed in range(50):
        draw = random.Random(seed)
        wrong = n = 0
        while not audit.breached(wrong, n, 0.95):
            n += 1
            wrong += draw.random() >= 0.8
        answers += n
    assert answers / 50 < 60


def test_audited_items_come_without_the_models_answer(world: World) -> None:
    world.add(40)
    hidden = {i.item_id for i in prelabel_all(world, 0.3)}
    assert 0 < len(hidden) < 40
    seen = 0
    while (dealt := world.deal("u0", 9)).page is not None:
        assert dealt.page["kind"] == "prelabeled"
        for item in dealt.page["items"]:
            assert (item["prelabel"] is None) == (item["item_id"] in hidden)
            world.cast("u0", item["item_id"], "0")
            seen += 1
    assert seen == 40
    assert all(world.item(i).n_prelabel_votes == 0 for i in hidden)
    found = judge(world)
    assert (found.n, found.right, found.breached) == (len(hidden), len(hidden), False)


def test_the_audit_tells_who_waves_wrong_prelabels_through(world: World) -> None:
    world.add(60)
    hidden = {i.item_id for i in prelabel_all(world, 0.5)}
    while (dealt := world.deal("u0", 9)).page is not None:
        for n, item in enumerate(dealt.page["items"]):
            wrong = item["item_id"] in hidden and n % 2 == 0
            world.cast("u0", item["item_id"], "1" if wrong else "0")
    n, right = Tx(world.db).audited("p", 0)
    whole, _ = quality.quality(Tx(world.db), "p", ["cat", "dog", "cow"])
    (person,) = (p for p in whole["labelers"] if p["user_id"] == "u0")
    assert person["prelabels_changed"] == 0
    assert person["prelabels_wrong_expected"] == pytest.approx((60 - n) * (1 - right / n), abs=0.06)
    assert person["prelabels_wrong_expected"] > 5


def test_a_broken_promise_ends_prelabels_and_old_labels_prove_nothing(
    world: World, tmp_path: Path
) -> None:
    world.add(80)
    hidden = {i.item_id for i in prelabel_all(world, 0.5)}
    for _ in range(6):
        page = world.deal("u0", 9).page
        assert page is not None
        for item in page["items"]:
            # Right where people are told, wrong where they are not: people wave it through.
            world.cast("u0", item["item_id"], "1" if item["item_id"] in hidden else "0")
    world.now += 1000
    found = judge(world)
    assert found.breached
    assert found.right == 0
    assert [e.body["n"] for e in world.events if e.type == "prelabels.suspended"] == [found.n]
    project = Tx(world.db).project("p")
    assert project is not None
    assert project.evidence_since == world.now
    assert all(i.easy_round == 0 for i in world.items() if i.state != "labeled")
    path = tmp_path / "items.tsv"
    round_files.write_items(Tx(world.db), "p", path)
    rows = [line.split("\t") for line in path.read_text("ascii").splitlines()[1:]]
    assert all(row[4] == "0" for row in rows), "what was labeled before is no evidence"
    assert judge(world).n == 0, "the audit begins anew"
    world.now += 1000
    page = world.deal("u1", 9).page
    assert page is not None
    world.cast("u1", page["items"][0]["item_id"], "0")
    assert world.findings() == []
    assert ends_prelabels(world), "the round that found it out was cut off"
    tx = world.tx()
    tx.put_round(Round("p", 2, "done", 54, world.now, world.now + 500, "{}"))
    world.commit(tx)
    assert not ends_prelabels(world)


def test_without_audit_nothing_is_hidden(world: World) -> None:
    world.add(20)
    assert prelabel_all(world, 0.0) == []


def test_a_decision_without_anybodys_answer_is_no_blind_answer(world: World) -> None:
    """Who decides has the model's answer on the screen, and may have looked for it."""
    world.add(40)
    hidden = [i.item_id for i in prelabel_all(world, 0.5)]
    for item_id in hidden:
        world.decide(item_id, "change", "0")
    assert judge(world).n == 0
    assert Tx(world.db).audited("p", 0) == (0, 0)


def test_a_higher_target_is_not_held_against_what_was_promised_less(world: World) -> None:
    world.add(60)
    hidden = {i.item_id for i in prelabel_all(world, 0.5)}

    def done(number: int, target: float) -> None:
        tx = world.tx()
        body = f'{{"target": {target}}}'
        tx.put_round(Round("p", number, "done", 0, world.now, world.now + 1, body))
        world.commit(tx)

    done(1, 0.8)
    tx = world.tx()
    tx.change_project("p", {"target": 0.8})
    world.commit(tx)
    for n, item in enumerate(hidden):
        world.deal("u0", 60)
        world.cast("u0", item, "1" if n % 6 == 0 else "0")  # right as often as it had promised
    assert audited(world) == (judge(world), "all")
    assert judge(world).n == len(hidden)
    tx = world.tx()
    tx.change_project("p", {"target": 0.99})
    world.commit(tx)
    found, stay = audited(world)
    assert (found.n, found.breached, stay) == (0, False, "proven")
    assert all(i.easy_round == 0 for i in world.items() if i.state == "unlabeled")
    done(2, 0.99)
    assert audited(world)[1] == "all"
