"""Agreement against published tables."""

from __future__ import annotations

import time

import numpy as np
import pytest

from chorus.server.consensus import agreement

# Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), example C: four observers,
# twelve units, missing values; nominal alpha 0.743.
OBSERVERS = [
    "1 2 3 3 2 1 4 1 2 . . .",
    "1 2 3 3 2 2 4 1 2 5 . 3",
    ". 3 3 3 2 3 4 2 2 5 1 .",
    "1 2 3 3 2 4 4 1 2 5 1 .",
]
# The same, example B: two observers, twelve units, values a to e; nominal alpha 0.692.
PAIR = ["a a b b d c c c e d d a", "b a b b b c c c e d d d"]
# The example of Wikipedia's article on alpha: nominal 0.691.
CODERS = [
    ". . . . . 3 4 1 2 1 1 3 3 . 3",
    "1 . 2 1 3 3 4 3 . . . . . . .",
    ". . 2 1 3 4 4 . 2 1 1 3 3 . 4",
]
# Fleiss' kappa: the example of Wikipedia's article: ten subjects, fourteen raters, five
# categories; kappa 0.210.
FLEISS = [
    [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
]  # fmt: skip


def columns(rows: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    cells = [
        (n, rater, "12345abcde".index(value))
        for rater, row in enumerate(rows)
        for n, value in enumerate(row.split())
        if value != "."
    ]
    return tuple(np.array(cells, dtype=np.int64).T)


def from_counts(counts: list[list[int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    cells = []
    for item, row in enumerate(counts):
        values = [value for value, n in enumerate(row) for _ in range(n)]
        cells += [(item, rater, value) for rater, value in enumerate(values)]
    return tuple(np.array(cells, dtype=np.int64).T)


def test_krippendorff_published() -> None:
    assert agreement.krippendorff_alpha(*columns(OBSERVERS)).value == pytest.approx(0.743, abs=5e-4)
    assert agreement.krippendorff_alpha(*columns(PAIR)).value == pytest.approx(0.692, abs=1e-3)
    assert agreement.krippendorff_alpha(*columns(CODERS)).value == pytest.approx(0.691, abs=5e-4)


def test_fleiss_published() -> None:
    found = agreement.fleiss_kappa(*from_counts(FLEISS))
    assert found.value == pytest.approx(0.210, abs=5e-4)
    assert found.low < found.value < found.high


def test_cohen_published() -> None:
    """The usual example: 20 yes-yes, 5 yes-no, 10 no-yes, 15 no-no; kappa 0.4."""
    a = np.repeat([0, 0, 1, 1], [20, 5, 10, 15])
    b = np.repeat([0, 1, 0, 1], [20, 5, 10, 15])
    item = np.tile(np.arange(50), 2)
    rater = np.repeat([0, 1], 50)
    found = agreement.cohen_kappa(item, rater, np.r_[a, b], 3)
    assert found.kappa[0, 1] == found.kappa[1, 0] == pytest.approx(0.4)
    assert found.shared[0, 1] == 50
    assert np.isnan(found.kappa[0, 2])
    # Fleiss, Cohen and Everitt (1969) give a standard error of 0.127 for this table.
    assert (found.high - found.low)[0, 1] / (2 * agreement.Z) == pytest.approx(0.127, abs=2e-3)


def test_intervals_cover() -> None:
    """By simulation: the interval holds the value of a very large sample about 95 times in 100."""
    rng = np.random.default_rng(0)

    def draw(n: int):
        truth = rng.choice(3, n, p=[0.5, 0.3, 0.2])
        item, rater = np.repeat(np.arange(n), 3), np.tile(np.arange(3), n)
        guess = rng.integers(3, size=3 * n)
        return item, rater, np.where(rng.random(3 * n) < 0.7, truth[item], guess)

    for measure in (agreement.krippendorff_alpha, agreement.fleiss_kappa):
        true = measure(*draw(200_000)).value
        found = [measure(*draw(150)) for _ in range(300)]
        assert 0.91 < np.mean([f.low <= true <= f.high for f in found]) < 0.985


def test_edges() -> None:
    nothing = np.zeros(0, dtype=np.int64)
    one = np.array([0])
    for measure in (agreement.krippendorff_alpha, agreement.fleiss_kappa):
        assert np.isnan(measure(nothing, nothing, nothing).value)
        assert np.isnan(measure(one, one, one).value)
        same = measure(np.array([0, 0]), np.array([0, 1]), np.array([2, 2]))
        assert np.isnan(same.value)  # one value only: nothing to agree about
        perfect = measure(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1]))
        assert perfect.value == 1
    assert agreement.cohen_kappa_matrix(nothing, nothing, nothing, 2)[0].shape == (2, 2)
    assert np.isnan(agreement.with_others(nothing, nothing, nothing, 2)).all()


def test_agreement_with_others() -> None:
    item, rater = np.array([7, 7, 7, 9, 9]), np.array([0, 1, 2, 0, 1])
    value = np.array([0, 0, 1, 1, 1])
    np.testing.assert_allclose(
        agreement.with_others(item, rater, value, 4), [0.75, 0.75, 0, np.nan]
    )


def test_quick() -> None:
    rng = np.random.default_rng(0)
    item, rater = np.repeat(np.arange(20_000), 5), rng.integers(50, size=100_000)
    value = rng.integers(10, size=100_000)
    began = time.process_time()
    agreement.krippendorff_alpha(item, rater, value)
    agreement.fleiss_kappa(item, rater, value)
    agreement.cohen_kappa(item, rater, value, 50)
    assert time.process_time() - began < 1.5  # about 0.2 s of an idle processor
