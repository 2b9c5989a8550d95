"""The detector's rules, without a network: sizes, views, matching, thresholds, cards."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chorus.ml import detect_score as score
from chorus.ml.detect_base import Detections
from chorus.ml.detect_card import PLENTY, make_card
from chorus.ml.detect_files import FOLDS, boxes_of, fold_of
from chorus.ml.detect_loss import assign
from chorus.ml.detect_size import (
    AREA_MAX,
    LARGEST,
    STEP,
    WINDOW,
    fit,
    scale_for,
    typical_size,
    window,
)  # fmt: skip
from chorus.ml.detect_views import view
from chorus.ml.validate import DELTA, binomial_upper_tail, least_n

SIDES = st.integers(16, 8000)


def found(right: list[bool], per_picture: int = 1, truth: int | None = None) -> score.Found:
    """Detections in order of their scores, so many side by side on each picture."""
    n = len(right)
    return score.Found(
        scores=1 - np.arange(n) / (n + 1),
        right=np.array(right, dtype=bool),
        picture=np.arange(n) // per_picture,
        truth=sum(right) if truth is None else truth,
        pictures=-(-n // per_picture),
        average_precision=None,
    )


# -- sizes


@given(SIDES, SIDES, st.floats(2, 3000))
def test_a_picture_fits_its_canvas_and_costs_no_more_than_it_may(
    w: int, h: int, size: float
) -> None:
    canvas = fit(w, h, scale_for([(w, h)], size))
    assert canvas.width % STEP == canvas.height % STEP == 0
    assert round(w * canvas.scale) <= canvas.width
    assert round(h * canvas.scale) <= canvas.height
    assert canvas.scale <= LARGEST * STEP  # only what is narrower than one step grows more
    longest = max(w, h) / min(w, h)
    if longest < 4:
        assert canvas.width * canvas.height <= 1.5 * AREA_MAX
    part = window(canvas)
    assert part.width % STEP == part.height % STEP == 0
    assert (part.width, part.height) <= (canvas.width, canvas.height)
    assert part.width * part.height <= WINDOW * WINDOW
    assert part == canvas or part.width * part.height >= 0.8 * WINDOW * WINDOW


@given(st.floats(8, 400), st.floats(1.1, 4))
def test_smaller_things_are_seen_larger(size: float, times: float) -> None:
    pictures = [(2000, 1500)]
    assert scale_for(pictures, size) >= scale_for(pictures, size * times)


def test_the_smallest_class_decides_unless_it_is_hardly_there() -> None:
    assert typical_size([0] * 50 + [1] * 5, [100.0] * 50 + [40.0] * 5) == 40
    assert typical_size([0] * 50 + [1] * 2, [100.0] * 50 + [5.0] * 2) == 100
    assert typical_size([0], [30.0]) == 30
    assert typical_size([], []) is None


# -- learning


@given(st.integers(0, 2**32 - 1))
def test_what_a_view_shows_lies_where_its_boxes_say(seed: int) -> None:
    from PIL import Image

    pixels = np.zeros((60, 90, 3), dtype=np.uint8)
    pixels[20:40, 30:60] = 255
    boxes = boxes_of([[1, 30, 20, 30, 20]], [1.0])
    canvas = fit(90, 60, 1.0)
    rng = np.random.default_rng(seed)
    shown, moved = view(Image.fromarray(pixels), (90, 60), canvas, boxes, rng)
    assert shown.shape == (canvas.height, canvas.width, 3)
    if not len(moved.classes):
        return  # cut off by more than half
    left, top, right, bottom = moved.boxes[0]
    ys, xs = np.nonzero(shown[:, :, 0] > 155)  # brighter than an empty canvas
    if len(ys):
        seen = np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])
        assert np.abs(seen - [left, top, right, bottom]).max() <= 2


def test_a_cell_stands_for_the_smallest_box_around_it() -> None:
    boxes = boxes_of([[0, 0, 0, 96, 96], [1, 36, 36, 24, 24]], [1.0, 0.75])
    classes, targets, weights = assign(boxes, 12, 12)
    middle = 6 * 12 + 6  # of stride 8, at (52, 52)
    assert int(classes[middle]) == 1
    assert targets[middle].tolist() == [36, 36, 60, 60]
    assert float(weights[middle]) == 0.75
    assert set(classes.tolist()) <= {-1, 0, 1}
    none, _, _ = assign(boxes_of([], []), 12, 12)
    assert (none == -1).all(), "an empty picture is one of nothing but background"


def test_what_half_of_the_people_drew_is_neither_learned_nor_held_against() -> None:
    boxes = boxes_of([[1, 36, 36, 24, 24]], [1 / 3])
    classes, _, weights = assign(boxes, 12, 12)
    assert (classes == -1).all()
    assert float(weights.min()) == pytest.approx(2 / 3)


@given(st.text("0123456789abcdef", min_size=8, max_size=64))
def test_a_picture_has_one_fold_for_good(content_hash: str) -> None:
    assert 0 <= fold_of(content_hash) < FOLDS
    assert fold_of(content_hash) == fold_of(content_hash)


# -- matching


def test_matching_is_by_class_and_overlap_and_one_to_one() -> None:
    truth = [boxes_of([[0, 10, 10, 20, 20], [1, 50, 50, 20, 20]], [1, 1]), boxes_of([], [])]
    seen = [
        Detections(
            np.array([[10, 10, 30, 30], [11, 10, 31, 30], [50, 50, 70, 70]], dtype=np.float32),
            np.array([0.9, 0.8, 0.7], dtype=np.float32),
            np.array([0, 0, 0]),
        ),
        Detections(
            np.array([[0, 0, 9, 9]], dtype=np.float32), np.array([0.6], dtype=np.float32),
            np.array([1]),
        ),
    ]  # fmt: skip
    first, second = score.match(truth, seen, 2)
    assert first.right.tolist() == [True, False, False]
    assert (first.truth, second.truth) == (1, 1)
    assert second.right.tolist() == [False]
    assert first.average_precision == pytest.approx(1.0)
    assert second.average_precision == 0.0
    nothing = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, int))
    none = score.match(truth, [nothing, nothing], 2)
    assert [f.truth for f in none] == [1, 1]
    assert score.mean_average_precision(none) == 0.0


# -- thresholds


@given(st.integers(0, 40), st.integers(1, 40))
def test_of_independent_boxes_the_bound_is_that_of_the_exact_test(right: int, n: int) -> None:
    right = min(right, n)
    bound = score.lower_bound(right, n, 1.0)
    if right:
        assert binomial_upper_tail(right, n, bound) == pytest.approx(DELTA, abs=1e-6)
    assert bound <= right / n


@given(st.integers(2, 40), st.integers(2, 40), st.floats(1, 10), st.floats(1.1, 5))
def test_boxes_that_are_alike_prove_less(right: int, n: int, effect: float, more: float) -> None:
    right = min(right, n)
    assert score.lower_bound(right, n, effect * more) <= score.lower_bound(right, n, effect)


def test_boxes_of_one_picture_that_are_right_together_count_as_one() -> None:
    picture = np.repeat(np.arange(20), 5)
    together = np.repeat(np.arange(20) % 2 == 0, 5)
    apart = np.tile(np.arange(5) % 2 == 0, 20)
    assert score.correlation(together, picture) > 0.9
    assert score.correlation(apart, picture) == 0
    assert score.design_effect(picture, 1.0) == 5
    assert score.design_effect(picture, 0.0) == 1


@given(
    st.lists(st.booleans(), min_size=1, max_size=200), st.integers(1, 8),
    st.sampled_from([0.6, 0.8, 0.9]),
)  # fmt: skip
def test_a_threshold_keeps_what_the_card_says(
    right: list[bool], per_picture: int, target: float
) -> None:
    some = found(right, per_picture)
    threshold = score.find_threshold(some, target)
    if threshold is None:
        return
    at = score.at_threshold(some, threshold)
    assert at["n_above"] >= least_n(target)
    assert at["precision"] >= at["lower_bound"] >= target - 1e-9
    assert at["recall"] <= 1
    # Nothing else that is proven would help people more.
    mine = score.gain(some, int(at["n_above"]))
    for tests in score.sequences(some, target):
        assert all(score.gain(some, n) <= mine for n in tests.proven())


def test_boxes_that_are_wrong_more_often_than_right_are_not_shown_for_the_average_s_sake() -> None:
    some = found([True] * 60 + [True, False, False] * 20, truth=100)
    threshold = score.find_threshold(some, 0.6)
    assert threshold is not None
    at = score.at_threshold(some, threshold)
    assert at["precision"] > 0.9, "and not 0.6, which would be proven, too"
    assert at["n_above"] >= 55


def test_a_threshold_is_broken_seldom_though_boxes_of_a_picture_are_alike() -> None:
    """Worlds with pictures of 8 boxes each, a third of which are hard: on those most boxes are
    wrong. The true precision at each threshold is known."""
    rng = np.random.default_rng(0)
    target, broken, got = 0.8, 0, 0
    for _ in range(300):
        hard = np.repeat(rng.random(60) < 1 / 3, 8)
        scores = rng.random(len(hard))
        chance = np.clip(0.55 + 0.5 * scores - 0.35 * hard, 0, 1)
        order = np.argsort(-scores)
        some = score.Found(
            scores[order], (rng.random(len(hard)) < chance)[order],
            np.repeat(np.arange(60), 8)[order], int(chance.sum()), 60, None,
        )  # fmt: skip
        threshold = score.find_threshold(some, target)
        if threshold is None:
            continue
        got += 1
        grid = np.linspace(threshold, 1, 200)
        true = np.clip(0.55 + 0.5 * grid, 0, 1) * 2 / 3 + np.clip(0.2 + 0.5 * grid, 0, 1) / 3
        broken += true.mean() < target
    assert got > 100
    assert broken / 300 <= 0.08, (broken, got)


def test_a_card_says_what_passes_and_what_it_takes() -> None:
    good = found([True] * 40)
    bad = found([True, False] * 20)
    card = make_card([good, bad], 40, 0.8)
    first, second = card["per_class"]
    assert first["threshold"] is not None
    assert first["recall"] == 1.0
    assert second["threshold"] is None
    assert card["threshold"] == first["threshold"]
    assert card["recall"] == pytest.approx(40 / 60)
    assert card["reason"] is None


def test_a_class_begins_once_it_is_worth_it_since_showing_it_ends_its_evidence() -> None:
    good = found([True] * 40)
    rest = replace(found([True] * 25 + [False] * 90, truth=90), pictures=40)
    card = make_card([good, rest], 40, 0.8, begun=())
    first, second = card["per_class"]
    assert (first["threshold"] is None, second["threshold"]) == (False, None)
    assert (first["waits"], second["waits"]) == (False, True)
    card = make_card([rest], 40, 0.8, begun=())
    assert card["threshold"] is None
    assert "too few: 28% of people's boxes" in card["reason"]
    assert card["labels_needed"] == PLENTY - 40
    for more in (make_card([rest], 40, 0.8, begun=[0]), make_card([rest], 40, 0.8)):
        assert more["threshold"] is not None
    plenty = replace(rest, pictures=PLENTY)
    assert make_card([plenty], 40, 0.8, begun=())["threshold"] is not None


@pytest.mark.parametrize(
    ("right", "said"),
    [
        ([True] * 5, f"takes at least {least_n(0.8)} boxes"),
        ([True, False] * 40, "not precise enough: of the"),
        ([True] * 12 + [False] + [True] * 5, "too little evidence: of the"),
        ([False] * 30, "0.0% are among"),
    ],
)
def test_a_card_without_a_threshold_says_what_is_missing(right: list[bool], said: str) -> None:
    card = make_card([found(right, truth=len(right))], len(right), 0.8)
    assert card["threshold"] is None
    assert said in card["reason"]
    if "evidence" in said or "takes" in said:
        assert card["labels_needed"] >= 5


@given(
    st.lists(st.booleans(), min_size=6, max_size=120), st.integers(1, 6),
    st.sampled_from([0.6, 0.8, 0.9]),
)  # fmt: skip
def test_what_a_card_gives_as_the_reason_is_below_the_target(
    right: list[bool], per_picture: int, target: float
) -> None:
    card = make_card([found(right, per_picture)], 20, target)
    assert (card["reason"] is None) == (card["threshold"] is not None)
    if card["reason"] and "prove only" in card["reason"]:
        proven = float(card["reason"].split("at least ")[1].split("%")[0])
        assert proven <= 100 * target


def test_recall_weighs_classes_by_how_often_they_are_there() -> None:
    """A class not shown yet has evidence on three times as many pictures."""
    shown, late = found([True] * 40), found([False] * 120, truth=120)
    card = make_card([shown, late], 40, 0.6)
    assert (card["per_class"][1]["pictures"], card["evidence"]) == (120, 120)
    assert card["recall"] == pytest.approx(0.5)
