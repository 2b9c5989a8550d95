"""Labels that are sets of classes: what is said is right as a whole, or not at all."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chorus.ml import answers, learn, run
from chorus.ml.backbones import DEFAULT
from chorus.ml.card import limits_of, make_set_card, rule_of
from chorus.ml.cluster import BLOCK, SetViews, make_blocks
from chorus.ml.files import read_items
from chorus.ml.folds import FOLDS, REPEATS, make_set_folds
from chorus.ml.sets import (
    Rule,
    Whole,
    choose_cuts,
    cross_fit,
    fit_rule,
    fit_whole,
    from_text,
    joint_odds,
    sigmoid,
    to_text,
)
from chorus.ml.store import Features, FeatureStore, Writer

seeds = st.integers(0, 2**31 - 1)


def drawn(n: int, classes: int, seed: int, noise: float = 0.6) -> tuple[np.ndarray, np.ndarray]:
    """(features (n, 24), sets (n, classes)): each class present adds its own direction."""
    random = np.random.default_rng(seed)
    directions = np.random.default_rng(7).normal(size=(classes, 24))
    sets = random.random((n, classes)) < np.linspace(0.2, 0.5, classes)
    points = sets @ directions + noise * random.normal(size=(n, 24))
    return points.astype(np.float32), sets


def chances(n: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(logits, truth): calibrated, independent classes."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(n, classes)) * 2.5
    return logits, random.random((n, classes)) < sigmoid(logits)


# -- texts and folds


@given(st.lists(st.booleans(), min_size=1, max_size=12))
def test_a_set_is_written_and_read_again(row: list[bool]) -> None:
    text = to_text(np.array(row))
    assert text
    assert from_text(text, len(row)).tolist() == row
    assert (text == "-") == (not any(row))


@given(n=st.integers(1, 60), classes=st.integers(1, 6), share=st.floats(0, 1), seed=seeds)
@settings(max_examples=60)
def test_folds_deal_every_row_once_and_spread_the_rarest_class(
    n: int, classes: int, share: float, seed: int
) -> None:
    sets = np.random.default_rng(seed).random((n, classes)) < share
    folds = make_set_folds(sets, seed)
    assert folds.fold.shape == (REPEATS, n)
    assert ((folds.fold >= 0) & (folds.fold < FOLDS)).all()
    counts = sets.sum(axis=0)
    if counts.any():
        rarest = int(np.where(counts > 0, counts, n + 1).argmin())
        for fold in folds.fold:
            sizes = np.bincount(fold[sets[:, rarest]], minlength=FOLDS)
            assert sizes.max() - sizes.min() <= 1


def test_folds_of_realistic_sets_are_even() -> None:
    _, sets = drawn(300, 6, seed=1)
    for fold in make_set_folds(sets, 3).fold:
        rows = np.bincount(fold, minlength=FOLDS)
        assert rows.max() - rows.min() <= 6
        for c in range(6):
            of = np.bincount(fold[sets[:, c]], minlength=FOLDS)
            assert of.max() - of.min() <= 5
    assert (make_set_folds(sets, 3).fold == make_set_folds(sets, 3).fold).all()


# -- probabilities, cuts, scores


@given(seed=seeds, slope=st.floats(0.5, 3.0), shift=st.floats(-1.0, 1.0))
@settings(max_examples=15, deadline=None)
def test_scaling_is_found_again(seed: int, slope: float, shift: float) -> None:
    """Logits that are stretched and moved the same way for all classes become calibrated again."""
    logits, truth = chances(3000, 3, seed)
    rule = fit_rule(((logits - shift) / slope).astype(np.float32), truth)
    assert rule.slope == pytest.approx(np.full(3, slope), rel=0.25)
    assert rule.shift == pytest.approx(np.full(3, shift), abs=0.3)


def test_a_class_with_hardly_an_example_is_held_to_the_others() -> None:
    logits, truth = chances(400, 4, 3)
    truth[:, 3], logits[:, 3] = False, -3.0
    truth[0, 3] = True
    rule = fit_rule(logits.astype(np.float32), truth)
    assert np.isfinite(rule.slope).all()
    assert rule.probabilities(logits.astype(np.float32))[:, 3].max() < 0.2


@given(n=st.integers(0, 12), classes=st.integers(1, 4), seed=seeds)
@settings(max_examples=40, deadline=None)
def test_any_labels_give_a_rule(n: int, classes: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    logits = (random.normal(size=(n, classes)) * 30).astype(np.float32)
    truth = random.random((n, classes)) < random.random()
    rule = fit_rule(logits, truth)
    found = rule.probabilities(logits)
    assert ((found > 0) & (found < 1)).all()
    assert ((rule.cut >= 0.2) & (rule.cut <= 0.8)).all()
    sets = rule.sets(found)
    odds = joint_odds(found, sets)
    assert np.isfinite(fit_whole(odds, (sets == truth).all(axis=1)).scores(odds)).all()


def test_one_half_is_the_cut_of_calibrated_independent_classes() -> None:
    """No cut beats it but by chance, which does not move it far."""
    moved = []
    for seed in range(20):
        logits, truth = chances(300, 4, seed)
        moved.append(np.abs(choose_cuts(sigmoid(logits), truth) - 0.5))
    assert np.mean(moved) < 0.1


def test_a_cut_moves_where_that_makes_more_whole_sets_right() -> None:
    """A class that is always there when it is given 0.35: all its sets are wrong at one half."""
    probabilities = np.tile([[0.9, 0.35]], (40, 1))
    truth = np.ones((40, 2), dtype=bool)
    assert choose_cuts(probabilities, truth)[1] <= 0.35
    # Two of three would not be enough to be sure of.
    assert choose_cuts(probabilities[:3], truth[:3] & [[True, False]]).tolist() == [0.5, 0.5]


@given(seed=seeds)
@settings(max_examples=15, deadline=None)
def test_chosen_cuts_never_make_fewer_of_their_own_sets_right(seed: int) -> None:
    logits, truth = chances(150, 4, seed)
    p = sigmoid(logits + np.random.default_rng(seed).normal(size=4))
    right = ((p >= choose_cuts(p, truth)) == truth).all(axis=1).sum()
    assert right >= ((p >= 0.5) == truth).all(axis=1).sum()


def test_no_row_has_a_say_in_its_own_answer() -> None:
    logits, truth = chances(80, 3, 4)
    logits = logits.astype(np.float32)
    fold = make_set_folds(truth, 0).fold[0]
    before = cross_fit(logits, truth, fold)
    changed = truth.copy()
    changed[fold == 2] = ~changed[fold == 2]
    after = cross_fit(logits, changed, fold)
    for one, two in zip(before, after, strict=True):
        assert (one[fold == 2] == two[fold == 2]).all()


def test_the_score_is_the_chance_that_the_whole_set_is_right() -> None:
    logits, truth = chances(6000, 3, 5)
    # Classes that hang together: the product of their chances would be too low.
    truth[:, 1] = truth[:, 0]
    logits[:, 1] = logits[:, 0]
    logits = logits.astype(np.float32)
    rule = fit_rule(logits[:3000], truth[:3000])
    p = rule.probabilities(logits)
    sets = rule.sets(p)
    right = (sets == truth).all(axis=1)
    odds = joint_odds(p, sets)
    assert odds[:50] == pytest.approx(
        np.log((q := np.where(sets, p, 1 - p).prod(axis=1)) / (1 - q))[:50], abs=1e-3
    )
    scores = fit_whole(odds[:3000], right[:3000]).scores(odds)
    assert (np.diff(scores[np.argsort(odds)]) >= 0).all(), "the order is that of the odds"
    for low in (0.2, 0.4, 0.6, 0.8):
        some = (scores[3000:] >= low) & (scores[3000:] < low + 0.2)
        assert right[3000:][some].mean() == pytest.approx(scores[3000:][some].mean(), abs=0.08)


# -- heads


def test_sets_are_learned_and_unseen_items_recognised() -> None:
    features, sets = drawn(300, 5, seed=1)
    fresh, truth = drawn(400, 5, seed=2)
    model = learn.train(features, sets.astype(np.float32), sets, features, seed=0, threads=1)
    unseen = learn.out_of_fold_logits(model, features)
    rule = fit_rule(unseen, sets)
    said = rule.sets(rule.probabilities(learn.open_logits(model, fresh, 0)))
    assert (said == truth).all(axis=1).mean() > 0.85
    assert (said == truth).mean() > 0.95
    assert not truth.any(axis=1).all(), "the empty set is among them"
    again = learn.train(features, sets.astype(np.float32), sets, features, seed=0, threads=1)
    assert (again.heads.w2 == model.heads.w2).all()


def test_out_of_fold_sets_do_not_know_the_own_label() -> None:
    features, sets = drawn(200, 3, seed=6, noise=0.3)
    truth = sets[0].copy()
    sets[0] = ~truth
    model = learn.train(features, sets.astype(np.float32), sets, features, seed=0, threads=1)
    assert ((learn.out_of_fold_logits(model, features)[0] > 0) == truth).all()


def test_soft_targets_are_probabilities_of_each_class() -> None:
    features, sets = drawn(150, 2, seed=8)
    targets = np.stack([sets[:, 0].astype(np.float32), np.full(150, 0.5, np.float32)], axis=1)
    model = learn.train(features, targets, sets, features, seed=0, threads=1)
    p = sigmoid(learn.out_of_fold_logits(model, features))
    assert np.abs(p[:, 1] - 0.5).mean() < 0.15
    assert ((p[:, 0] > 0.5) == sets[:, 0]).mean() > 0.9


# -- answers, card, clusters


def test_answers_carry_their_classes_whatever_is_likeliest() -> None:
    probabilities = np.array([[0.9] * 6 + [0.3], [0.1] * 6 + [0.05]])
    rule = Rule(np.ones(7), np.zeros(7), np.array([0.95] * 6 + [0.25]))
    said = answers.class_sets(probabilities, rule.sets(probabilities), rule, Whole(1.0, 0.0))
    assert list(said.values()) == ["6", "-"]
    first, second = said.likeliest()
    assert first.endswith("6:0.3000")
    assert first.count(",") == 5
    assert second.count(":") == 5
    assert said.margins == pytest.approx([0.05, 0.2])


def test_one_class_is_a_set_of_one() -> None:
    said = answers.one_class(np.array([[0.7, 0.2, 0.1], [0.15, 0.05, 0.8]], dtype=np.float32))
    assert list(said.values()) == ["0", "2"]
    assert said.margins == pytest.approx([0.5, 0.65])
    assert list(said.likeliest()) == ["0:0.7000,1:0.2000,2:0.1000", "2:0.8000,0:0.1500,1:0.0500"]


def card(said: np.ndarray, truth: np.ndarray, target: float = 0.9) -> dict[str, Any]:
    n, c = truth.shape
    rule = Rule(np.ones(c), np.zeros(c), np.full(c, 0.5))
    scores = np.linspace(1, 0.5, n)
    return make_set_card(scores, said, truth, np.ones(n, dtype=bool), rule, Whole(1.0, 0.0), target)


def test_card_of_sets_is_about_whole_sets() -> None:
    truth = np.random.default_rng(0).random((200, 3)) < 0.5
    found = card(truth, truth)
    assert found["multilabel"]
    assert found["confusion"] is None
    assert found["threshold"] is not None
    assert found["model_accuracy"] == found["accuracy"] == 1.0
    assert [row["cut"] for row in found["per_class"]] == [0.5] * 3
    assert all(row["recall"] == row["precision"] == 1.0 for row in found["per_class"])
    _, counts = np.unique(truth, axis=0, return_counts=True)
    assert found["baseline"] == counts.max() / 200
    assert json.loads(json.dumps(found)) == found
    assert rule_of(found)[0].cut.tolist() == [0.5] * 3
    # One class wrong of three makes the set wrong.
    said = truth.copy()
    said[::2, 1] = ~said[::2, 1]
    poor = card(said, truth)
    assert poor["model_accuracy"] == 0.5
    assert poor["threshold"] is None
    assert "right about the whole set" in poor["reason"]
    assert "the target is 90%" in poor["reason"]


def test_a_set_with_a_class_that_is_clearly_worse_is_not_prelabeled() -> None:
    truth = np.zeros((400, 4), dtype=bool)
    truth[:, 0] = np.arange(400) % 2 == 0
    said = truth.copy()
    # Class 1 is said of twenty, wrongly of ten; class 2 of two alone; class 3 of none.
    said[100:300:10, 1] = True
    truth[100:200:10, 1] = True
    truth[301:303, 2] = said[301:303, 2] = True
    found = card(said, truth)
    t = found["threshold"]
    assert [row["threshold"] for row in found["per_class"]] == [t, None, None, None]
    rows = np.array([[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]], dtype=bool)
    assert limits_of(found, rows).tolist() == [t, np.inf, np.inf, t]
    found["threshold"] = None
    assert np.isinf(limits_of(found, rows)).all()


@given(n=st.integers(0, 120), classes=st.integers(1, 5), seed=seeds)
@settings(max_examples=30, deadline=None)
def test_every_open_item_has_one_place(n: int, classes: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    p = random.uniform(0.01, 0.99, (n, classes))
    views = SetViews(p, p >= 0.5, random.random(n))
    blocks = make_blocks(random.random((n, 8)).astype(np.float32), views, seed, threads=1)
    places = set(zip(blocks.block.tolist(), blocks.pos.tolist(), strict=True))
    assert len(places) == n
    assert not n or np.bincount(blocks.block).max() <= BLOCK
    assert ((blocks.odd >= 0) & (blocks.odd <= 1)).all()


def test_purity_of_a_page_is_about_whole_sets() -> None:
    """Items with the same first class and half of them a second one: a page of them is half pure,
    however sure the first class is."""
    sets = np.ones((36, 2), dtype=bool)
    sets[::2, 1] = False
    p = np.where(sets, 0.999, 0.001)
    views = SetViews(p, sets, np.full(36, 0.99))
    share, alike = views.common(np.arange(8))
    assert share == pytest.approx(0.5, abs=0.01)
    assert sorted(np.round(alike).tolist()) == [0.0] * 4 + [1.0] * 4


# -- files and jobs


HEADER = "item_id\tcontent_hash\tlabel\tsoft\ttrusted\tsurvivor\topen\n"


class SetRound:
    """A round's folder with `drawn` features in a real store."""

    def __init__(self, folder: Path, labeled: int, total: int, classes: int = 4) -> None:
        self.folder, self.labeled, self.classes = folder, labeled, classes
        features, self.truth = drawn(total, classes, seed=11)
        self.hashes = [f"{i:064x}" for i in range(total)]
        with Writer(FeatureStore(folder / "features", "some", 24)) as out:
            out.append(self.hashes, features)
        with (folder / "items.tsv").open("w") as lines:
            lines.write(HEADER)
            for i, content in enumerate(self.hashes):
                known = int(i < labeled)
                label = to_text(self.truth[i]) if known else ""
                soft = "0:0.6,1:0.25" if i == 3 else ""
                lines.write(f"{i + 1}\t{content}\t{label}\t{soft}\t{known}\t1\t{1 - known}\n")
        self.params: dict[str, Any] = {
            "store": str(folder / "features"), "backbone": "some", "round_dir": str(folder),
            "classes": classes, "target": 0.8, "prelabel": True, "seed": 1, "threads": 1,
            "progress": str(folder / "progress"), "multilabel": True,
        }  # fmt: skip

    def rows(self, name: str) -> list[dict[str, str]]:
        head, *lines = (self.folder / name).read_text().splitlines()
        return [dict(zip(head.split("\t"), x.split("\t"), strict=True)) for x in lines]


def test_items_are_read_as_sets(tmp_path: Path) -> None:
    made = SetRound(tmp_path, 20, 30)
    items = read_items(tmp_path, Features(tmp_path / "features", "some"), 4, multilabel=True)
    assert (items.sets == made.truth[:20]).all()
    assert (items.labels >= 0).tolist() == [True] * 20 + [False] * 10
    assert items.targets[3].tolist() == pytest.approx([0.6, 0.25, 0, 0])
    assert (np.delete(items.targets, 3, axis=0) == np.delete(made.truth[:20], 3, axis=0)).all()


def test_a_whole_round_of_sets(tmp_path: Path) -> None:
    labeled, total = 200, 500
    made = SetRound(tmp_path, labeled, total)
    assert run.train(made.params)["trained_on"] == labeled
    told = run.validate(made.params)
    assert told["model_accuracy"] > 0.75
    assert told["threshold"] is not None
    unseen = made.rows("oof.tsv")
    assert [int(row["item_id"]) for row in unseen] == list(range(1, labeled + 1))
    own = [row["value"] == to_text(made.truth[i]) for i, row in enumerate(unseen)]
    assert np.mean(own) == told["model_accuracy"]

    assert run.infer(made.params)["items"] == total - labeled
    found = made.rows("predictions.tsv")
    right = np.array(
        [row["value"] == to_text(made.truth[int(row["item_id"]) - 1]) for row in found]
    )
    assert right.mean() > 0.75
    assert "-" in {row["value"] for row in found}
    scores = np.array([float(row["score"]) for row in found])
    assert scores.mean() == pytest.approx(right.mean(), abs=0.08)
    above = scores >= told["threshold"]
    assert right[above].mean() >= 0.8
    for row in found:
        chance = dict(pair.split(":") for pair in row["probs"].split(","))
        assert set(row["value"].replace("-", "").split(",")) - {""} <= set(chance)
        assert all(0 <= float(p) <= 1 for p in chance.values())

    run.cluster(made.params)
    stored = json.loads((tmp_path / "card.json").read_text())
    said = np.array([from_text(row["value"], 4) for row in found])
    below = {
        int(row["item_id"])
        for row, score, limit in zip(found, scores, limits_of(stored, said), strict=True)
        if score < limit
    }
    clustered = [int(row["item_id"]) for row in made.rows("clusters.tsv")]
    assert len(clustered) == len(set(clustered))
    assert len(set(clustered) ^ below) <= 1, "to the six digits of the file"


def test_a_repeated_round_of_sets_gives_the_same(tmp_path: Path) -> None:
    made = SetRound(tmp_path, 60, 90)
    found = []
    for _ in range(2):
        for job in (run.train, run.validate, run.infer, run.cluster):
            job(made.params)
        names = ("model.npz", "oof.tsv", "card.json", "predictions.tsv", "clusters.tsv")
        found.append([(tmp_path / name).read_bytes() for name in names])
    assert found[0] == found[1]


# -- real photos

CLOTHING = Path(__file__).parents[3] / "shared" / "data" / "clothing"
TAGS = {
    "upper": "dress longsleeve outwear shirt t-shirt",
    "lower": "dress pants shorts skirt",
    "long": "dress longsleeve outwear pants",
    "feet": "shoes",
}


@pytest.mark.slow
@pytest.mark.skipif(not CLOTHING.is_dir(), reason="no ../shared/data/clothing")
def test_properties_of_real_photos_are_learned(tmp_path: Path, models: Path) -> None:
    """Four properties that follow from the class of clothing; a hat has none of them."""
    labeled, total = 240, 400
    rows = list(csv.DictReader((CLOTHING / "gold.csv").open()))
    # The file goes class by class; what people label is drawn at random.
    rows = [rows[i] for i in np.random.default_rng(1).permutation(len(rows))[:total]]
    truth = np.array([[row["label"] in of.split() for of in TAGS.values()] for row in rows])
    paths = [CLOTHING / "images" / row["item"] for row in rows]
    hashes = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    params: dict[str, Any] = {
        "store": str(tmp_path / "features"), "models": str(models), "backbone": DEFAULT,
        "round_dir": str(tmp_path), "classes": 4, "multilabel": True, "target": 0.8,
        "prelabel": True, "seed": 3, "threads": 2, "progress": str(tmp_path / "progress"),
    }  # fmt: skip
    pairs = tmp_path / "pictures.tsv"
    pairs.write_text("".join(f"{h}\t{p}\n" for h, p in zip(hashes, paths, strict=True)))
    run.featurize({**params, "items": str(pairs), "start": 0, "stop": total})
    with (tmp_path / "items.tsv").open("w") as lines:
        lines.write(HEADER)
        for i, content in enumerate(hashes):
            known = int(i < labeled)
            label = to_text(truth[i]) if known else ""
            lines.write(f"{i + 1}\t{content}\t{label}\t\t{known}\t1\t{1 - known}\n")
    for job in (run.train, run.validate, run.infer):
        job(params)
    card = json.loads((tmp_path / "card.json").read_text())
    assert card["model_accuracy"] > card["baseline"] + 0.2
    assert card["threshold"] is not None
    head, *found = (tmp_path / "predictions.tsv").read_text().splitlines()
    assert head.startswith("item_id\tvalue\tscore")
    right, above = [], []
    for line in found:
        item_id, value, score, *_ = line.split("\t")
        right.append(value == to_text(truth[int(item_id) - 1]))
        above.append(float(score) >= card["threshold"])
    assert np.mean(right) > card["baseline"] + 0.2
    assert np.mean(np.array(right)[above]) >= 0.8
    assert np.mean(above) > 0.2
