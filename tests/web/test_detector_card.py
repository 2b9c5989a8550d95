"""The threshold card of a detector's round, as its page draws it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.conftest import Run

pytestmark = pytest.mark.browser

DRAW = """async ({found}) => {
    if (!window.echarts) await new Promise((onload) => document.head.append(
        Object.assign(document.createElement("script"), {src: "/vendor/echarts.min.js", onload})));
    const { CardView } = await import("/card_view.js");
    const root = document.body.appendChild(document.createElement("div"));
    new CardView(root, () => {}).show(found, [], "/model");
    const text = (s) => [...root.querySelectorAll(s)].map((n) => n.textContent);
    const hidden = (s) => root.querySelector(s).hidden;
    return {
        figures: text(".figure"), head: text(".per-class th"), cells: text(".per-class td"),
        why: hidden(".why") ? null : text(".why p")[0], charts: !hidden(".card-charts"),
        mixed: !hidden(".mixed"), model: text(".card-model")[0],
    };
}"""
ROUND = {"number": 3, "labels": 60, "state": "done", "shapes": True}
CARD: dict[str, Any] = {
    "shapes": True, "target": 0.8, "delta": 0.05, "labels": 60, "evidence": 58, "n": 58,
    "map50": 0.84, "model_accuracy": 0.84, "threshold": 0.5, "lower_bound": 0.81, "accuracy": 0.86,
    "recall": 0.7, "n_above": 480, "coverage": 0.95, "curve": [], "reliability": [],
    "confusion": None, "reason": None, "labels_needed": None,
    "per_class": [
        {"class": 0, "n": 600, "ap50": 0.83, "threshold": 0.6, "precision": 0.85,
         "lower_bound": 0.81, "recall": 0.68, "n_above": 480},
        {"class": 1, "n": 60, "ap50": 0.7, "threshold": None, "precision": None,
         "lower_bound": None, "recall": None, "n_above": 0},
    ],
}  # fmt: skip


def draw(run: Run, **more: Any) -> dict[str, Any]:
    model = {"available": False, "reason": "Detectors cannot be downloaded in this version."}
    found = {
        "round": ROUND, "jobs": [{"kind": "train", "error": None}], "card": {**CARD, **more},
        "classes": [{"name": "RBC", "color": "#c00"}, {"name": "WBC", "color": "#00c"}],
        "model": model,
    }  # fmt: skip
    return dict(run(DRAW, {"found": found}))


def test_it_shows_each_class_s_threshold_and_how_much_is_found(run: Run) -> None:
    shown = draw(run)
    assert shown["figures"][0].startswith("84.0 %mAP50, on 58 pictures")
    assert shown["figures"][1].startswith("70 %of people's boxes would be shown")
    assert shown["head"] == ["Class", "Boxes", "AP50", "Shown from", "Right", "At least", "Found"]
    assert shown["cells"][1:7] == ["600", "83.0 %", "0.600", "85.0 %", "81.0 %", "68 %"]
    assert shown["cells"][10] == "not shown"
    assert (shown["why"], shown["charts"], shown["mixed"]) == (None, False, False)
    assert shown["model"].startswith("Detectors cannot be downloaded")


def test_without_a_threshold_it_says_why_and_what_it_takes(run: Run) -> None:
    shown = draw(run, threshold=None, reason="No predicted boxes yet: so it is.", labels_needed=12)
    assert shown["why"] == "No predicted boxes yet: so it is. About 12 more labels."
    assert shown["figures"][1].startswith("none")
