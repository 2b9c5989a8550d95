"""The audit finds what it is there to find."""

from __future__ import annotations

from chorus.simulate.answers import Truth
from chorus.simulate.audit import ItemRow, VoteRow, accuracy, check


def row(vote: str, item: int, labeler: str, label: str, *, standing: bool = True) -> VoteRow:
    return VoteRow(vote, item, labeler, "label", label, standing)


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
