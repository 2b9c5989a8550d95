"""Skill where a label is a set of classes: from votes in a database to better labels."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest

from chorus.server.consensus.decide_sets import SetWitness, decide_sets
from chorus.server.consensus.estimate import Estimate
from chorus.server.consensus.sets import merge_sets
from chorus.server.domain.values import canonical
from chorus.server.jobs import estimate_sets
from chorus.server.jobs.estimate import estimate
from chorus.server.jobs.vote_files import VoteFiles

CLASSES, PEOPLE, ITEMS, VOTES = 6, 6, 500, 3
MISSES = (0.05, 0.1, 0.1, 0.15, 0.2, 0.6)
"""How often each person overlooks a class that is there; the last one most of the time."""
INVENTS = 0.02


def crowd(
    seed: int, hard: Sequence[float] = (1,) * CLASSES
) -> tuple[list[str], list[list[tuple[str, str]]]]:
    """(the truth of each item, its votes as (person, set)). Class 5 is rare. `hard`: by class, how
    many times as often as others everybody overlooks it."""
    chance = np.random.default_rng(seed)
    common = np.array([0.3, 0.4, 0.25, 0.2, 0.35, 0.015])
    truth = chance.random((ITEMS, CLASSES)) < common
    votes = []
    for n in range(ITEMS):
        given = []
        for who in chance.permutation(PEOPLE)[:VOTES]:
            miss = chance.random(CLASSES) < np.minimum(MISSES[who] * np.array(hard), 0.9)
            add = chance.random(CLASSES) < INVENTS
            given.append((f"u{who}", canonical(np.flatnonzero(np.where(truth[n], ~miss, add)))))
        votes.append(given)
    return [canonical(np.flatnonzero(row)) for row in truth], votes


def write(folder: Path, votes: list[list[tuple[str, str]]], gold: dict[int, str]) -> None:
    """What services/skills writes."""
    lines = [f"{n}\t{who}\t{value}\t\n" for n, given in enumerate(votes) for who, value in given]
    (folder / "votes.tsv").write_text("".join(lines))
    (folder / "checks.tsv").write_text("")
    (folder / "model.tsv").write_text("")
    (folder / "gold.tsv").write_text("".join(f"{n}\t{label}\n" for n, label in gold.items()))
    rules = {"classes": CLASSES, "method": "auto", "sets": True}
    (folder / "rules.json").write_bytes(msgspec.json.encode(rules))


def labels(found: Estimate | None, votes: list[list[tuple[str, str]]]) -> list[str | None]:
    out = []
    for given in votes:
        if found is None:
            values = [value for _, value in given]
            out.append(merge_sets(values, rule="class", votes_min=1, votes_max=3).value)
        else:
            witnesses = [SetWitness(who, value) for who, value in given]
            rules = {"votes_min": 1, "votes_max": 3, "target": 0.95}
            out.append(decide_sets(found.params, witnesses, **rules).value)  # type: ignore[arg-type]
    return out


def sees(found: Estimate, who: str, c: int) -> float:
    """How often the person ticks the class where it is, by the estimate."""
    assert found.params.sets is not None
    no, yes = np.exp(found.params.sets.says[who][c])
    return float((1 - no) / (yes - no) * yes)


def gain(found: Estimate, truth: list[str], votes: list[list[tuple[str, str]]]) -> float:
    """By how much more of the labels are right than if every vote counted the same."""
    right = [
        np.mean([a == b for a, b in zip(labels(known, votes), truth, strict=True)])
        for known in (None, found)
    ]
    return float(right[1] - right[0])


def test_whoever_overlooks_much_is_found_out_and_labels_get_better(tmp_path: Path) -> None:
    gains = []
    for seed in range(3):
        truth, votes = crowd(seed)
        write(tmp_path, votes, {})
        found = msgspec.convert(estimate({"folder": str(tmp_path)}), Estimate)
        skill = [found.skills[f"u{who}"].value for who in range(PEOPLE)]
        assert min(skill) == skill[-1], "the one who overlooks most"
        assert found.skills["u5"].high < found.skills["u0"].low
        # Of a class that is there, by the estimate and in truth.
        for who in (0, 5):
            seen = [sees(found, f"u{who}", c) for c in range(5)]
            assert abs(float(np.mean(seen)) - (1 - MISSES[who])) < 0.08
        gains.append(gain(found, truth, votes))
    assert np.mean(gains) > 0.02, gains


def test_a_class_that_everybody_overlooks_is_learned_by_itself(tmp_path: Path) -> None:
    gains = []
    for seed in range(3):
        truth, votes = crowd(seed, hard=(1, 1, 1, 1, 4, 1))
        write(tmp_path, votes, {})
        found = msgspec.convert(estimate({"folder": str(tmp_path)}), Estimate)
        assert sees(found, "u1", 4) < sees(found, "u1", 0) - 0.1
        assert "of the 6 classes by what is known of that class" in found.note
        gains.append(gain(found, truth, votes))
    assert np.mean(gains) > 0.05, gains


def test_where_people_are_alike_nothing_is_lost(tmp_path: Path) -> None:
    gains = []
    for seed in range(3):
        truth, votes = crowd(seed)
        even = [[(who, value) for who, value in given if who != "u5"] for given in votes]
        write(tmp_path, even, {})
        found = msgspec.convert(estimate({"folder": str(tmp_path)}), Estimate)
        gains.append(gain(found, truth, even))
    assert np.mean(gains) > -0.005, gains


def test_the_same_answers_give_the_same_estimate_whoever_gave_them(tmp_path: Path) -> None:
    _, votes = crowd(4)
    write(tmp_path, votes, {})
    first = estimate({"folder": str(tmp_path)})
    names = {f"u{n}": f"z{9 - n}" for n in range(PEOPLE)}
    write(tmp_path, [[(names[who], v) for who, v in given] for given in votes], {})
    second = estimate({"folder": str(tmp_path)})
    assert {names[who]: skill for who, skill in first["skills"].items()} == second["skills"]


def test_known_truths_count(tmp_path: Path) -> None:
    """Everybody overlooks class 0 most of the time: gold tells."""
    chance = np.random.default_rng(5)
    votes = [
        [(f"u{w}", "0" if n % 2 and chance.random() < 0.25 else "-") for w in range(3)]
        for n in range(200)
    ]
    seen = []
    for gold in ({}, {n: "0" if n % 2 else "-" for n in range(100)}):
        write(tmp_path, votes, gold)
        found = msgspec.convert(estimate({"folder": str(tmp_path)}), Estimate)
        seen.append(float(np.mean([sees(found, who, 0) for who in ("u0", "u1", "u2")])))
    assert abs(seen[1] - 0.25) < 0.08
    assert abs(seen[1] - 0.25) < abs(seen[0] - 0.25)


def test_a_few_votes_are_enough_to_run(tmp_path: Path) -> None:
    write(tmp_path, [[("u0", "-"), ("u1", "0,5")], [("u0", "-")]], {})
    found = msgspec.convert(estimate({"folder": str(tmp_path)}), Estimate)
    assert found.params.sets is not None
    assert len(found.params.sets.prior) == CLASSES
    assert set(found.skills) == {"u0", "u1"}


def test_an_answer_that_nobody_else_has_given_does_not_vouch_for_itself(tmp_path: Path) -> None:
    """Most items have one answer, as where work stops when it is sure."""
    misses, invents = (0.1, 0.15, 0.2, 0.25, 0.3, 0.6), np.array([0.05, 0.05, 0.08, 0.1, 0.1, 0.3])
    common = np.array([0.3, 0.4, 0.25, 0.2, 0.35, 0.05])
    for seed in range(2):
        chance = np.random.default_rng(seed)
        votes, right = [], []
        for said in chance.random((600, CLASSES)) < common:
            given = []
            for who in chance.permutation(PEOPLE)[: 1 if chance.random() < 0.85 else 3]:
                miss, add = chance.random(CLASSES), chance.random(CLASSES)
                answer = np.where(said, miss >= misses[who], add < invents[who])
                given.append((f"u{who}", canonical(np.flatnonzero(answer))))
                if who == 5:
                    right.append((answer == said).mean())
            votes.append(given)
        folder = tmp_path / str(seed)
        folder.mkdir()
        write(folder, votes, {})
        found = msgspec.convert(estimate({"folder": str(folder)}), Estimate)
        assert abs(found.skills["u5"].value - float(np.mean(right))) < 0.05


def test_items_that_nothing_is_learned_from_take_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All classes of all items of a large project would take gigabytes."""
    monkeypatch.setattr(estimate_sets, "ANSWERS_MAX", 6_000)
    classes, chance = 60, np.random.default_rng(0)
    truth = chance.integers(classes, size=2_000)
    votes = [[(f"u{who}", str(c)) for who in chance.permutation(PEOPLE)[:2]] for c in truth]
    write(tmp_path, votes, {})
    rules = {"classes": classes, "method": "auto", "sets": True}
    (tmp_path / "rules.json").write_bytes(msgspec.json.encode(rules))
    answers = estimate_sets.Answers(VoteFiles(tmp_path))
    tracemalloc.start()
    try:
        estimate_sets._together(answers)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100 * classes * len(votes), "bytes for each class of each item"
