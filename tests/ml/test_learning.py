"""Nobody is scored by a head that has seen their label, and every open item gets one place."""

from __future__ import annotations

from typing import Any

import hnswlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chorus.ml import cluster, learn
from chorus.ml.basis import fit_basis
from chorus.ml.cluster import BLOCK, ClassViews, make_blocks
from chorus.ml.folds import FOLDS, REPEATS, make_folds, scorers
from chorus.ml.head import fit_temperature, softmax

seeds = st.integers(0, 2**31 - 1)


def islands(n: int, classes: int, seed: int, spread: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """(features (n, 16), labels (n,)): a cloud of points for each class."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(7).normal(size=(classes, 16)) * 2
    labels = random.integers(classes, size=n)
    points = centres[labels] + spread * random.normal(size=(n, 16))
    return points.astype(np.float32), labels


def trained(features: np.ndarray, labels: np.ndarray, classes: int, seed: int = 0) -> learn.Model:
    targets = np.eye(classes, dtype=np.float32)[labels]
    return learn.train(features, targets, labels, features, seed=seed, threads=1)


@given(labels=st.lists(st.integers(0, 5), min_size=1, max_size=80), seed=seeds)
def test_folds_deal_every_row_once_per_repeat_and_spread_the_classes(
    labels: list[int], seed: int
) -> None:
    classes = np.array(labels)
    folds = make_folds(classes, seed)
    masks = folds.masks()
    assert masks.shape == (REPEATS * FOLDS, len(labels))
    for r in range(REPEATS):
        unseen = ~masks[r * FOLDS : (r + 1) * FOLDS]
        assert (unseen.sum(axis=0) == 1).all(), "one head of each repeat has not seen a row"
        for c in np.unique(classes):
            sizes = np.bincount(folds.fold[r][classes == c], minlength=FOLDS)
            assert sizes.max() - sizes.min() <= 1


@given(count=st.integers(0, 200), seed=seeds)
def test_open_items_are_scored_by_one_head_of_each_repeat(count: int, seed: int) -> None:
    chosen = scorers(count, seed)
    assert chosen.shape == (REPEATS, count)
    assert (chosen // FOLDS == np.arange(REPEATS)[:, None]).all()


def test_out_of_fold_scores_do_not_know_the_own_label() -> None:
    """One row with a label that nothing else supports: the heads that saw it may repeat it, the
    out-of-fold score must not."""
    features, labels = islands(120, 2, seed=1)
    truth = labels[0]
    labels[0] = 1 - truth
    model = trained(features, labels, 2)
    logits = learn.out_of_fold_logits(model, features)
    assert logits[0].argmax() == truth
    right = logits.argmax(axis=1)[1:] == labels[1:]
    assert right.mean() > 0.95


def test_out_of_fold_logits_are_the_mean_of_the_unseeing_heads() -> None:
    features, labels = islands(40, 3, seed=2)
    model = trained(features, labels, 3)
    logits = learn.out_of_fold_logits(model, features)
    seen = model.heads.project(features)
    for i in (0, 17, 39):
        unseeing = np.flatnonzero(~model.folds.masks()[:, i])
        mean = np.mean([model.heads.logits(seen[i : i + 1], m)[0] for m in unseeing], axis=0)
        assert logits[i] == pytest.approx(mean, abs=1e-4)


def test_learning_is_the_same_for_the_same_seed() -> None:
    features, labels = islands(60, 3, seed=3)
    one, two = trained(features, labels, 3, seed=5), trained(features, labels, 3, seed=5)
    assert (one.heads.w1 == two.heads.w1).all()


def test_new_items_are_recognised_and_embedded_near_their_kind() -> None:
    features, labels = islands(150, 4, seed=4)
    fresh, truth = islands(200, 4, seed=5)
    model = trained(features, labels, 4)
    assert (learn.open_logits(model, fresh, 0).argmax(axis=1) == truth).mean() > 0.95
    embedding = learn.embed(model, fresh)
    unit = embedding / np.linalg.norm(embedding, axis=1, keepdims=True)
    near = unit @ unit.T
    np.fill_diagonal(near, -1)
    assert (truth[near.argmax(axis=1)] == truth).mean() > 0.95


def test_soft_targets_make_an_unsure_head() -> None:
    features, labels = islands(100, 2, seed=6)
    half = np.full((100, 2), 0.5, dtype=np.float32)
    model = learn.train(features, half, labels, features, seed=0, threads=1)
    assert softmax(learn.out_of_fold_logits(model, features)).max(axis=1).mean() < 0.6


@given(temperature=st.floats(0.3, 4.0))
@settings(max_examples=20)
def test_temperature_is_found_again(temperature: float) -> None:
    random = np.random.default_rng(0)
    logits = random.normal(size=(4000, 3)).astype(np.float32) * 2
    # Gumbel: the largest of logits plus this noise is drawn with the softmax's probabilities.
    labels = (logits + random.gumbel(size=logits.shape)).argmax(axis=1)
    found = fit_temperature(logits * np.float32(temperature), labels)
    assert found == pytest.approx(temperature, rel=0.15)


@given(
    n=st.integers(0, 150), classes=st.integers(2, 5), seed=seeds, size=st.sampled_from([4, 6, 9])
)
@settings(max_examples=40)
def test_every_open_item_has_one_place(n: int, classes: int, seed: int, size: int) -> None:
    random = np.random.default_rng(seed)
    embedding = random.random((n, 8)).astype(np.float32)
    probabilities = random.dirichlet(np.ones(classes), size=n).astype(np.float32)
    blocks = make_blocks(embedding, ClassViews(probabilities), seed, threads=1, size=size)
    places = list(zip(blocks.block.tolist(), blocks.pos.tolist(), strict=True))
    assert len(places) == len(set(places)) == n
    if n:
        sizes = np.bincount(blocks.block)
        # All but the last are as large as a page.
        assert sorted(sizes.tolist(), reverse=True)[:-1] == [size] * (len(sizes) - 1)
        assert 1 <= sizes.min() <= sizes.max() <= size
        for block, count in enumerate(sizes):
            assert sorted(blocks.pos[blocks.block == block]) == list(range(count))
    assert ((blocks.odd >= 0) & (blocks.odd <= 1)).all()


def test_identical_pictures_and_zero_embeddings_do_no_harm() -> None:
    """HNSW finds few neighbours among equal points; everybody still gets a place."""
    sure = np.full((60, 2), 0.5, dtype=np.float32)
    blocks = make_blocks(np.zeros((60, 8), dtype=np.float32), ClassViews(sure), 0, threads=1)
    assert np.bincount(blocks.block).max() <= BLOCK
    assert len(blocks.block) == 60


class Poor(hnswlib.Index):
    """A graph with too few edges to be walked through, as thousands of equal points can make it."""

    def init_index(self, **options: Any) -> None:
        super().init_index(**{**options, "M": 2, "ef_construction": 2})


def test_where_no_neighbours_are_found_what_the_model_says_makes_the_blocks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cluster.hnswlib, "Index", Poor)
    points, kinds = np.random.default_rng(0).normal(size=(300, 8)), np.arange(300) % 3
    probabilities = np.full((300, 3), 0.1, dtype=np.float32)
    probabilities[np.arange(300), kinds] = 0.8
    blocks = make_blocks(points.astype(np.float32), ClassViews(probabilities), 0, threads=1)
    places = list(zip(blocks.block.tolist(), blocks.pos.tolist(), strict=True))
    assert len(set(places)) == 300
    pages = [kinds[blocks.block == block] for block in np.unique(blocks.block)]
    assert sum(len(set(page.tolist())) == 1 for page in pages) >= len(pages) - 2


def test_clusters_put_like_with_like() -> None:
    points, labels = islands(360, 4, seed=8)
    # The chance of the right class is high, but the grouping is by the points.
    probabilities = np.full((360, 4), 0.1, dtype=np.float32)
    probabilities[np.arange(360), labels] = 0.7
    blocks = make_blocks(points, ClassViews(probabilities), 0, threads=1)
    purity = [
        np.bincount(labels[blocks.block == b]).max() / (blocks.block == b).sum()
        for b in np.unique(blocks.block)
    ]
    assert np.mean(purity) > 0.9
    assert blocks.worth


def test_the_basis_keeps_what_differs() -> None:
    """Rows that fill five dimensions of forty: eight directions keep all distances."""
    random = np.random.default_rng(1)
    rows = random.normal(size=(300, 5)) @ random.normal(size=(5, 40)) + 3
    rows = rows.astype(np.float32)
    mean, basis = fit_basis(rows, seed=2, width=8)
    seen = (rows - mean) @ basis
    assert seen.shape == (300, 8)
    assert np.square(seen).mean() == pytest.approx(1, rel=1e-3)
    scaled = (rows - mean) / (rows.std(axis=0) + 1e-2)
    ratio = np.linalg.norm(seen[1:] - seen[:-1], axis=1)
    ratio /= np.linalg.norm(scaled[1:] - scaled[:-1], axis=1)
    assert ratio.std() < 1e-3 * ratio.mean()


@given(rows=st.integers(1, 30), d=st.integers(1, 20), seed=seeds)
@settings(max_examples=30)
def test_a_basis_of_anything(rows: int, d: int, seed: int) -> None:
    sample = np.random.default_rng(seed).normal(size=(rows, d)).astype(np.float32)
    for some in (sample, np.zeros_like(sample)):
        mean, basis = fit_basis(some, seed)
        assert mean.shape == (d,)
        assert basis.shape[0] == d
        assert np.isfinite(basis).all()
        assert (fit_basis(some, seed)[1] == basis).all()


def test_scoring_in_batches_gives_each_row_its_own() -> None:
    features, labels = islands(90, 3, seed=4)
    model = trained(features, labels, 3)
    parts = [learn.score(model, features[:50], 1), learn.score(model, features[50:], 2)]
    logits = np.concatenate([p[0] for p in parts])
    embedding = np.concatenate([p[1] for p in parts])
    assert (logits.argmax(axis=1) == labels).mean() > 0.95
    np.testing.assert_allclose(embedding, learn.embed(model, features), atol=1e-4)
