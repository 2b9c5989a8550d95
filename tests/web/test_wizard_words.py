"""What the wizard works out, and what changes of a project are called."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.web.conftest import Run

pytestmark = pytest.mark.browser
ESTIMATE = "(what, {wizard_words}) => wizard_words.estimate(what)"
MISSING = "([step, a], {wizard_words}) => wizard_words.missingIn(step, a)"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    items=st.integers(0, 10**6),
    least=st.integers(1, 9),
    more=st.integers(0, 9),
    rate=st.floats(0, 0.5),
    gold=st.booleans(),
    seconds=st.floats(0.2, 60),
)
def test_an_estimate_is_items_times_votes_and_checks_on_top(
    run: Run, items: int, least: int, more: int, rate: float, gold: bool, seconds: float
) -> None:
    what = {"items": items, "votes_min": least, "votes_max": least + more, "gold_rate": rate,
            "gold": gold, "seconds": seconds}  # fmt: skip
    found = run(ESTIMATE, what)
    assert found["votes"] == items * least
    assert found["most"] == items * (least + more)
    share = rate if gold else 0
    # Of all that is handed out, this share is checks.
    assert found["checks"] == pytest.approx(share * (found["votes"] + found["checks"]), abs=1)
    hours = (found["votes"] + found["checks"]) * seconds / 3600
    assert found["hours"] == pytest.approx(hours)
    assert found["hours_most"] >= found["hours"] - seconds / 3600


BASE: dict[str, Any] = {
    "name": "x", "task_type": "multiclass", "classes": [{"name": "a"}, {"name": "b"}],
    "source": {"kind": "none", "path": ""}, "found": None, "votes_min": 1, "votes_max": 1,
    "target": 0.95, "gold_rate": 0.05, "audit_share": 0.05, "practice": 0, "iou": 0.5,
    "shape_agreement": 0.8,
}  # fmt: skip


@pytest.mark.parametrize(
    ("step", "changes", "field"),
    [
        ("name", {"name": " "}, "name"),
        ("classes", {"classes": [{"name": "a"}]}, "list"),
        ("classes", {"classes": [{"name": "a"}, {"name": "1/2/3/4/5/6/7"}]}, "list"),
        ("classes", {"classes": [{"name": "a"}, {"name": "b" * 101}]}, "list"),
        ("classes", {"classes": [{"name": str(n)} for n in range(2001)]}, "list"),
        ("classes", {"classes": [{"name": "a|b"}], "task_type": "multilabel"}, "list"),
        ("data", {"source": {"kind": "server", "path": ""}}, "path"),
        ("quality", {"votes_min": 3}, "votes_max"),
        ("quality", {"target": 1}, "target"),
        ("quality", {"task_type": "boxes", "iou": 1}, "iou"),
        ("quality", {"task_type": "polygons", "shape_agreement": 0}, "shape_agreement"),
        ("assist", {"audit_share": 0.9}, "audit_share"),
    ],
)
def test_a_step_says_what_is_missing(
    run: Run, step: str, changes: dict[str, Any], field: str
) -> None:
    assert run(MISSING, [step, BASE]) is None
    assert run(MISSING, [step, {**BASE, **changes}])[0] == field


def test_items_that_come_with_a_label_ask_nobody(run: Run) -> None:
    items = "(a, {wizard_words}) => wizard_words.itemsToLabel(a)"
    found = {"items": 5, "labeled": 2, "labels": [["a", 2]]}
    upload = {**BASE, "found": found, "source": {"kind": "upload", "path": ""}}
    assert run(items, upload) == 3
    assert run(items, {**upload, "source": {"kind": "server", "path": "/pictures"}}) == 5
    assert run(items, {**upload, "source": {"kind": "server", "path": "/gold.csv"}}) == 3
    assert run(items, {**upload, "source": {"kind": "none", "path": ""}}) == 0


def test_changes_in_words(run: Run) -> None:
    words = "(c, {change_words}) => change_words.changeWords(c)"
    assert run(words, {"state": "archived"}) == ["Archived"]
    assert run(words, {"votes_max": 3, "target": 0.9}) == [
        "Prelabels right: 90.0 %",
        "Votes at most: 3",
    ]
    change = {"index": 1, "from": {"name": "red"}, "to": {"name": "crimson"}}
    assert run(words, {"classes": ["a", "crimson"], "class": change}) == [
        "A class named crimson (was red)"
    ]
    added = {"classes": ["a", "b"], "added": ["b"], "then": "pause", "state": "paused"}
    assert run(words, added) == ["Classes added: b, and paused"]
