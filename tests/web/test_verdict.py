"""A decision about shapes: whatever a reviewer accepts, drops and draws, in whatever order."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.web.conftest import Run

pytestmark = pytest.mark.browser

many = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])

PLAY = """({item, actions}, {shapes_verdict, shapes_shapes}) => {
    let verdict = shapes_verdict.begin(item);
    const out = [];
    const keep = () => out.push({
        open: shapes_verdict.openOf(verdict).length, past: verdict.past.length,
        decision: shapes_shapes.write("boxes", shapes_verdict.decisionOf(verdict)).boxes,
        differs: shapes_verdict.differs(verdict, item),
        said: verdict.shapes.map(s => shapes_verdict.supportWords(verdict.support.get(s.id))),
    });
    keep();
    for (const [what, at] of actions) {
        const open = shapes_verdict.openOf(verdict);
        const one = open[at % Math.max(1, open.length)];
        if (what === "undo") verdict = shapes_verdict.stepped(verdict, -1);
        else if (what === "redo") verdict = shapes_verdict.stepped(verdict, 1);
        else if (what === "draw") {
            verdict = shapes_verdict.changed(verdict, shapes_shapes.edited(
                verdict.shapes, {type: "add", cls: "b", form: {box: [at, at, 5, 5]}}));
        } else if (one) verdict = shapes_verdict[what](verdict, one.id);
        keep();
    }
    return out;
}"""


def shape(n: int, **more: Any) -> dict[str, Any]:
    return {"class": "a", "box": [10 * n, 10, 8, 8], **more}


@st.composite
def items(draw: st.DrawFn) -> dict[str, Any]:
    agreed, disputed = draw(st.integers(0, 3)), draw(st.integers(0, 3))
    merged = [shape(n, seen=2, of=3, iou=0.8, by=["u", "v"]) for n in range(agreed)]
    return {
        "label": None,
        "source": None,
        "provisional": [shape(n) for n in range(agreed)],
        "consensus": {
            "shapes": merged,
            "disputed": [shape(n, seen=1, of=3, iou=1.0, by=["w"]) for n in range(5, 5 + disputed)],
        },
    }


actions = st.lists(
    st.tuples(
        st.sampled_from(["accepted", "dropped", "undo", "redo", "draw"]), st.integers(0, 4)
    ).map(list),
    max_size=12,
)


@many
@given(item=items(), actions=actions)
def test_accepted_ones_are_in_it_and_dropped_ones_are_not(
    run: Run, item: dict[str, Any], actions: list[Any]
) -> None:
    states = run(PLAY, {"item": item, "actions": actions})
    merged = item["provisional"]
    disputed = len(item["consensus"]["disputed"])
    assert states[0]["open"] == disputed
    assert states[0]["differs"] is False
    assert states[0]["said"] == ["2 of 3, IoU 0.80"] * len(merged) + ["1 of 3"] * disputed
    for (what, _), before, after in zip(actions, states, states[1:], strict=False):
        if what in ("undo", "redo"):
            continue
        # What most people drew stays, whatever becomes of the others.
        assert all(one in after["decision"] for one in merged)
        if what == "draw":
            assert (after["open"], len(after["decision"])) == (
                before["open"], len(before["decision"]) + 1,
            )  # fmt: skip
        elif before["open"]:
            assert after["open"] == before["open"] - 1
            more = int(what == "accepted")
            assert len(after["decision"]) == len(before["decision"]) + more
        assert after["differs"] == (sorted(map(str, after["decision"])) != sorted(map(str, merged)))


@many
@given(item=items(), actions=actions)
def test_all_can_be_taken_back(run: Run, item: dict[str, Any], actions: list[Any]) -> None:
    done = [a for a in actions if a[0] not in ("undo", "redo")]
    states = run(PLAY, {"item": item, "actions": done})
    steps = states[-1]["past"]
    back = run(PLAY, {"item": item, "actions": [*done, *[["undo", 0]] * steps]})
    assert back[-1]["decision"] == states[0]["decision"]
    again = run(
        PLAY, {"item": item, "actions": [*done, *[["undo", 0]] * steps, *[["redo", 0]] * steps]}
    )
    assert again[-1]["decision"] == states[-1]["decision"]


def test_what_was_decided_is_where_one_goes_on(run: Run) -> None:
    item = {
        "label": [shape(1), shape(6)],
        "source": "review",
        "provisional": [shape(1)],
        "consensus": {
            "shapes": [shape(1, seen=2, of=3, iou=0.9, by=[])],
            "disputed": [shape(6, seen=1, of=3, iou=1.0, by=[]), shape(7, seen=1, of=3, by=[])],
        },
    }
    (state,) = run(PLAY, {"item": item, "actions": []})
    assert state["open"] == 0
    assert state["decision"] == item["label"]
    assert state["said"] == ["2 of 3, IoU 0.90", "1 of 3"]
