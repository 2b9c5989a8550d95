"""The audit finds what it is there to find."""

from __future__ import annotations

import pytest

from chorus.simulate.answers import Truth
from chorus.simulate.audit import (
    ItemRow,
    VoteRow,
    accuracy,
    check,
    labelers,
    majority_accuracy,
    tags_f1,
)
from chorus.simulate.labels import cell


def row(vote: str, item: int, labeler: str, label: str, *, standing: bool = True) -> VoteRow:
    return VoteRow(vote, item, f"{item}.jpg", labeler, "label", label, standing)


def test_a_clean_project() -> None:
    rows = [row("1", 1, "ann", "cat"), row("2", 1, "bob", "dog"), row("3", 1, "eve", "cat")]
    found = check(rows, {"1", "2", "3"}, votes_min=2, votes_max=3)
    assert (found.lost, found.duplicate, found.over, found.stored) == (0, 0, 0, 3)


def test_lost_duplicate_and_over_votes() -> None:
    rows = [
        row("1", 1, "ann", "cat"),
        row("2", 1, "bob", "cat"),
        row("3", 1, "eve", "cat"),  # two had agreed already
        row("4", 2, "ann", "cat"),
        row("5", 2, "ann", "dog"),  # twice the same person
        row("5", 3, "ann", "dog"),  # twice the same id
    ]
    found = check(rows, {"1", "9"}, votes_min=2, votes_max=3)
    assert (found.lost, found.duplicate, found.over) == (1, 2, 1)


def test_corrections_do_not_count_twice() -> None:
    rows = [row("1", 1, "ann", "cat", standing=False), row("2", 1, "ann", "dog")]
    found = check(rows, {"1", "2"}, votes_min=1, votes_max=1)
    assert (found.lost, found.duplicate, found.over, found.standing_labels) == (0, 0, 0, 1)


def test_accuracy_of_labeled_and_of_all() -> None:
    truth = Truth({"a": "cat", "b": "dog", "c": "cat", "d": "dog"})
    rows = [
        ItemRow("a", "labeled", "cat", ""),
        ItemRow("b", "labeled", "cat", ""),
        ItemRow("c", "needs_review", "", "cat"),
        ItemRow("d", "unlabeled", "", ""),
        ItemRow("no gold", "labeled", "cat", ""),
    ]
    assert accuracy(rows, truth) == (0.5, 0.5)
    assert accuracy([], truth) == (None, None)


def test_what_the_same_votes_are_worth_when_all_count_the_same() -> None:
    truth = Truth({"1.jpg": "cat", "2.jpg": "dog", "3.jpg": "cat"})
    rows = [
        row("1", 1, "ann", "cat"),
        row("2", 1, "bob", "dog"),
        row("3", 1, "eve", "cat"),
        row("4", 2, "ann", "cat"),
        row("5", 2, "ann", "dog", standing=False),
        row("6", 9, "ann", "dog"),
    ]
    assert majority_accuracy(rows, truth) == 0.5
    assert majority_accuracy([], truth) is None


def test_label_sets_are_judged_as_sets_and_by_class() -> None:
    truth = Truth({"1.jpg": "a|b", "2.jpg": "", "3.jpg": "c"})
    rows = [
        ItemRow("1.jpg", "labeled", "a", None),
        ItemRow("2.jpg", "labeled", "", None),
        ItemRow("3.jpg", "needs_review", None, None),  # flagged: no votes at all
    ]
    assert accuracy(rows, truth) == (0.5, 1 / 3)
    assert tags_f1(rows, truth) == pytest.approx(2 / 3)
    votes = [
        row("1", 1, "ann", "a|b"),
        row("2", 1, "bob", "a"),  # "b" is tied: one more
        row("3", 1, "eve", "b"),
        row("4", 2, "ann", ""),
        row("5", 2, "bob", ""),
        row("6", 2, "eve", "a"),  # two had agreed already
    ]
    assert check(votes, set(), 2, 3, "by_class").over == 1
    assert check(votes, set(), 2, 3, "majority").over == 1
    assert majority_accuracy(votes, truth, multilabel=True) == 1.0


def test_cells_of_sets() -> None:
    assert [cell(text, True) for text in ("b|a", "|", "", "a")] == ["a|b", "", None, "a"]
    assert [cell(text, False) for text in ("b|a", "")] == ["b|a", None]


def test_people_beside_what_is_estimated_of_them() -> None:
    truth = Truth({"1.jpg": "cat", "2.jpg": "dog"})
    rows = [row("1", 1, "ann", "cat"), row("2", 2, "ann", "cat"), row("3", 2, "bob", "dog")]
    skill = {"value": 0.6, "low": 0.3, "high": 0.8}
    quality = {
        "labelers": [
            {"user_id": "1", "name": "Ann", "role": "labeler", "skill": skill},
            {"user_id": "2", "name": "Bob", "role": "labeler", "skill": None},
            {"user_id": "3", "name": "Boss", "role": "supervisor", "skill": None},
        ]
    }
    bob, ann = labelers(rows, truth, quality, {"1": "ann", "2": "bob"})
    assert (bob["name"], bob["right"], bob["skill"]) == ("Bob", 1.0, None)
    assert (ann["votes"], ann["right"], ann["skill_high"]) == (2, 0.5, 0.8)
