"""Signs of cheating: who cheats shows them, and nobody who works does, however fast."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chorus.server.domain.signs import (
    Judged,
    Others,
    PageTime,
    Work,
    chance_of_fewer,
    chance_of_more,
    signs,
)
from chorus.server.services.quality import quality
from chorus.server.services.signs import page_times
from chorus.server.storage.tx import Tx
from tests.server.world import World

NAMES = ["cat", "dog", "cow"]
OTHERS = Others(
    judged=2000, wrong=100, seconds={"manual": 1.5, "clustered": 0.4, "prelabeled": 0.5},
    audited=400, audited_wrong=16,
)  # fmt: skip


def kinds(work: Work, others: Others = OTHERS) -> set[str]:
    return {sign.kind for sign in signs(work, others, NAMES)}


def honest(
    rng: random.Random, skew: float, accuracy: float, page_ms: int, answers: int = 600
) -> Work:
    """Somebody who looks: `skew` of the items are cats, and they are right with `accuracy`."""
    truths = [0 if rng.random() < skew else rng.choice((1, 2)) for _ in range(answers)]
    values = [t if rng.random() < accuracy else rng.choice((0, 1, 2)) for t in truths]
    seen = answers // 2
    wrong_shown = sum(rng.random() < 0.04 for _ in range(seen))
    return Work(
        pages=[
            PageTime("manual", 9, round(page_ms * rng.uniform(0.7, 1.5)))
            for _ in range(answers // 9)
        ],
        values=values,
        judged=[Judged(v, t) for v, t in zip(values, truths, strict=True)],
        prelabels_seen=seen,
        prelabels_changed=sum(rng.random() < accuracy for _ in range(wrong_shown)),
    )


@given(st.integers(0, 10_000), st.floats(0.2, 0.97), st.floats(0.95, 1.0), st.integers(600, 20_000))
@settings(max_examples=150)
def test_an_honest_labeler_shows_no_sign_however_fast(
    seed: int, skew: float, accuracy: float, page_ms: int
) -> None:
    """Even nine pictures in 0.6 s, even where nearly all are of one class."""
    assert kinds(honest(random.Random(seed), skew, accuracy, page_ms)) == set()


@given(st.integers(0, 10_000))
@settings(max_examples=50)
def test_somebody_slower_to_learn_is_no_cheat(seed: int) -> None:
    """Often wrong, at their own pace: that is for skills and practice to say."""
    work = honest(random.Random(seed), 0.5, 0.7, 14_000)
    assert "fast" not in kinds(work)
    assert "impossible" not in kinds(work)


@pytest.mark.parametrize("seed", range(10))
def test_who_presses_one_key_shows_it(seed: int) -> None:
    rng = random.Random(seed)
    truths = [rng.choice((0, 1, 2)) for _ in range(120)]
    work = Work(values=[0] * 120, judged=[Judged(0, t) for t in truths])
    found = signs(work, OTHERS, NAMES)
    assert [s.kind for s in found] == ["same"]
    assert "“cat” to 100 %" in found[0].text
    # Without a witness it is a guess, and nothing is said.
    assert kinds(Work(values=[0] * 120)) == set()


@pytest.mark.parametrize("seed", range(10))
def test_who_answers_anything_in_no_time_shows_it(seed: int) -> None:
    rng = random.Random(seed)
    pages = [PageTime("manual", 9, 900)] * 20
    judged = [Judged(rng.choice((0, 1, 2)), rng.choice((0, 1, 2))) for _ in range(60)]
    work = Work(pages=pages, values=[j.value for j in judged], judged=judged)
    assert kinds(work) == {"fast"}
    (found,) = signs(work, OTHERS, NAMES)
    assert "15 times as fast" in found.text


def test_a_program_shows_it() -> None:
    pages = [PageTime("manual", 9, 40)] * 12 + [PageTime("manual", 9, 8_000)] * 8
    assert kinds(Work(pages=pages)) == {"impossible"}
    assert kinds(Work(pages=pages[8:])) == set(), "a few pages may have come at once"


def test_who_waves_prelabels_through_shows_it() -> None:
    assert kinds(Work(prelabels_seen=900, prelabels_changed=0)) == {"accepts"}
    assert kinds(Work(prelabels_seen=900, prelabels_changed=25)) == set()
    assert kinds(Work(prelabels_seen=60, prelabels_changed=0)) == set(), "too few to say"
    right = Others(audited=400, audited_wrong=0)
    assert kinds(Work(prelabels_seen=9000), right) == set(), "nothing was wrong"


@given(st.integers(1, 60), st.data())
def test_the_bound_is_never_too_small(n: int, data: st.DataObject) -> None:
    from math import comb

    k = data.draw(st.integers(0, n))
    p = data.draw(st.floats(0.01, 0.99))
    more = sum(comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k, n + 1))
    fewer = sum(comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k + 1))
    assert chance_of_more(k, n, p) >= more * (1 - 1e-9)
    assert chance_of_fewer(k, n, p) >= fewer * (1 - 1e-9)


def test_time_is_what_the_page_says_or_what_has_passed() -> None:
    # Three pages sent at once after a lost connection: each was worked on for 5 s.
    sent = [(p, "manual", 2500, 60_000 + p) for p in (1, 2, 3) for _ in range(2)]
    assert [t.ms for t in page_times(sent)] == [5000, 5000]
    # A page that says nothing took as long as has passed since the one before.
    quiet = [(p, "manual", None, 1000 * p) for p in (1, 2, 3) for _ in range(2)]
    assert [t.ms for t in page_times(quiet)] == [1000, 1000]
    assert page_times([]) == []


def test_from_the_facts_of_a_project() -> None:
    world = World(votes_min=3, votes_max=3, people=4)
    world.add(90)
    truth = {}
    for user in ("u0", "u1", "u2"):
        while (page := world.deal(user).page) is not None:
            for item in page["items"]:
                item_id = item["item_id"]
                truth[item_id] = str(item_id % 3)
                world.cast(user, item_id, "0" if user == "u2" else truth[item_id])
            world.now += 20_000
    whole, _ = quality(Tx(world.db), "p", ["cat", "dog", "cow"])
    found = {p["user_id"]: [s["kind"] for s in p["signs"]] for p in whole["labelers"]}
    assert found["u0"] == found["u1"] == []
    assert found["u2"] == ["same"]
    assert world.findings() == []
    world.close()
