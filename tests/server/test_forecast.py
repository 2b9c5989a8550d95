"""The forecast of votes still to give: honest for items that did not settle at once."""

from __future__ import annotations

import random
from collections import Counter

from chorus.server.domain.forecast import Forecast, votes_left

VOTES_MIN, VOTES_MAX = 2, 5
CHANCE = {2: 0.7, 3: 0.4, 4: 0.3}


def test_nothing_is_said_too_early_and_nothing_is_left_at_the_end() -> None:
    assert votes_left({0: 50}, {2: 9}, {}, 2, 5) is None
    assert votes_left({}, {2: 9}, {}, 2, 5) == Forecast(0, 0, 0)


def test_what_did_not_settle_takes_at_least_one_more() -> None:
    """75 items with two votes that differ: the average item took two, these take a third."""
    assert votes_left({2: 75}, {2: 150, 3: 3}, {}, 2, 3) == Forecast(75, 75, 75)


def test_one_vote_each_is_certain() -> None:
    assert votes_left({0: 40}, {1: 60}, {}, 1, 1) == Forecast(40, 40, 40)


def work(rng: random.Random, votes: int) -> int:
    """How many votes an item with `votes` takes in all."""
    while votes < VOTES_MAX:
        votes += 1
        if rng.random() < CHANCE.get(votes, 0.0):
            break
    return votes


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    rng = random.Random(7)
    hits = 0
    runs = 400
    bias = 0.0
    for _ in range(runs):
        # 300 items in order of import, breadth first: some done, some half way, some untouched.
        opened: Counter[int] = Counter()
        settled: Counter[int] = Counter()
        stuck: Counter[int] = Counter()
        left = 0
        for n in range(300):
            votes = work(rng, 0)
            given = votes if n < 120 else min(votes, rng.randint(0, 4)) if n < 220 else 0
            if given < votes:
                opened[given] += 1
                left += votes - given
            elif votes == VOTES_MAX and rng.random() < 0.5:
                stuck[votes] += 1
            else:
                settled[votes] += 1
        found = votes_left(opened, settled, stuck, VOTES_MIN, VOTES_MAX)
        assert found is not None
        hits += found.low <= left <= found.high
        bias += found.value / left - 1
    assert 0.93 <= hits / runs <= 0.985
    assert abs(bias / runs) < 0.03
