"""What is chosen to be labeled next: which items, and that each choice is sound."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chorus.ml.acquire import (
    BATCH_LEAST,
    CANDIDATES,
    HELPING_MAX,
    HELPINGS,
    ORDERINGS,
    batch_size,
    choose,
    choose_blocks,
)


@st.composite
def pools(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """(doubts (n,), places (n, h)); many of either may be equal."""
    n, h = draw(st.integers(0, 60)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    kinds = draw(st.integers(1, 60))
    places = rng.standard_normal((kinds, h)).astype(np.float32)[rng.integers(kinds, size=n)]
    doubts = rng.integers(0, draw(st.integers(1, 50)), size=n) / 50
    return doubts.astype(np.float32), places


@given(pools(), st.sampled_from(ORDERINGS), st.integers(1, 80), st.integers(0, 5))
def test_a_batch_has_no_item_twice(
    pool: tuple[np.ndarray, np.ndarray], ordering: str, count: int, seed: int
) -> None:
    doubts, places = pool
    batch = choose(ordering, doubts, places.__getitem__, count, seed)
    assert len(set(batch.tolist())) == len(batch)
    assert set(batch.tolist()) <= set(range(len(doubts)))
    assert len(batch) == (0 if ordering == "random" else min(count, len(doubts)))
    again = choose(ordering, doubts, places.__getitem__, count, seed)
    assert batch.tolist() == again.tolist(), "the same labels give the same batch"


@given(pools(), st.integers(1, 80))
def test_uncertain_is_by_doubt_alone(pool: tuple[np.ndarray, np.ndarray], count: int) -> None:
    doubts, places = pool
    batch = choose("uncertain", doubts, places.__getitem__, count, 0)
    assert doubts[batch].tolist() == sorted(doubts.tolist(), reverse=True)[:count]


@pytest.mark.parametrize("count", [8, 40, 400])
def test_auto_is_in_doubt_and_does_not_ask_the_same_twice(count: int) -> None:
    """Twenty crowds of lookalikes in doubt, and many items that the model is sure of."""
    rng = np.random.default_rng(1)
    crowds = 20
    middles = rng.standard_normal((crowds, 16)) * 3
    # The most doubtful of all are the lookalikes of one crowd.
    crowd = np.repeat(np.arange(crowds), 100)
    places = (middles[crowd] + 0.1 * rng.standard_normal((2000, 16))).astype(np.float32)
    doubts = (0.9 - 0.005 * crowd + 0.001 * rng.random(2000)).astype(np.float32)
    sure = rng.standard_normal((20_000, 16)).astype(np.float32)
    everything = np.concatenate([places, sure])
    all_doubts = np.concatenate([doubts, np.full(20_000, 0.1, dtype=np.float32)])
    batch = choose("auto", all_doubts, everything.__getitem__, count, 3)
    helping = -(-count // HELPINGS)
    assert (batch[: HELPINGS * helping] < 2000).all(), "all of them in doubt"
    # Among the candidates of a helping, each crowd is asked about before one is asked twice.
    seen = crowd[batch[:helping]]
    reached = -(-CANDIDATES * helping // 100)
    assert len(set(seen.tolist())) >= min(helping, reached) * 0.9
    plain = crowd[choose("uncertain", all_doubts, everything.__getitem__, helping, 3)]
    assert len(set(seen.tolist())) >= len(set(plain.tolist()))


def test_only_what_is_in_doubt_is_looked_at() -> None:
    """Of half a million items, few need to be read from disk again."""
    asked = []

    def places_of(some: np.ndarray) -> np.ndarray:
        asked.append(len(some))
        return np.ones((len(some), 2), dtype=np.float32)

    doubts = np.linspace(0, 1, 100_000, dtype=np.float32)
    batch = choose("auto", doubts, places_of, 5000, 1)
    assert len(batch) == len(set(batch.tolist())) == 5000
    assert asked == [(CANDIDATES + HELPINGS - 1) * HELPING_MAX]
    choose("uncertain", doubts, places_of, 5000, 1)
    assert len(asked) == 1


@given(pools(), st.integers(1, 12), st.integers(1, 9))
def test_blocks_are_chosen_whole_and_by_their_mean(
    pool: tuple[np.ndarray, np.ndarray], count: int, size: int
) -> None:
    doubts, places = pool
    block = np.arange(len(doubts)) // size
    numbers = choose_blocks("uncertain", doubts, places, block, count, 0)
    blocks = len(set(block.tolist()))
    assert len(set(numbers.tolist())) == len(numbers) == min(count, blocks)
    means = [float(doubts[block == b].mean()) for b in range(blocks)]
    chosen = [means[b] for b in numbers.tolist()]
    assert chosen == pytest.approx(sorted(means, reverse=True)[:count])
    assert len(choose_blocks("auto", doubts, places, block, count, 0)) == len(numbers)
    assert not len(choose_blocks("random", doubts, places, block, count, 0))


def test_batches_grow_with_the_labels() -> None:
    assert batch_size(30) == BATCH_LEAST
    assert batch_size(1000) == 300
