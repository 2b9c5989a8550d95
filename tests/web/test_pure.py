"""Smaller rules of the pages: keys, the head of a table, colours one can read, sizes of a page."""

from __future__ import annotations

import csv
import io
import uuid
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.web.conftest import Run

pytestmark = pytest.mark.browser

many = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
INTENT = "({event, task}, {keys}) => keys.intentOf(event, 4, task)"
COLUMNS = "({text, name}, {table_head}) => table_head.columnsOf(text, name)"


@pytest.mark.parametrize(
    ("event", "task", "intent"),
    [
        ({"key": "0"}, {"multi": True}, {"type": "none"}),
        ({"key": "à", "code": "Digit0"}, {"multi": True}, {"type": "none"}),
        ({"key": "0"}, {"multi": False}, None),
        ({"key": "Tab"}, {"multi": True}, {"type": "step", "by": 1}),
        ({"key": "Tab", "shiftKey": True}, {"multi": True}, {"type": "step", "by": -1}),
        ({"key": "Tab"}, {"multi": False}, None),
        ({"key": "-"}, {"text": True}, {"type": "letters", "by": -1}),
        ({"key": "+"}, {"text": True}, {"type": "letters", "by": 1}),
        ({"key": "-"}, {"text": False}, None),
        ({"key": "PageDown"}, {"text": True}, {"type": "read", "by": 1}),
        ({"key": "2"}, {"multi": True}, {"type": "class", "index": 1}),
        ({"key": "5"}, {"multi": True}, None),
    ],
)
def test_keys_by_task(
    run: Run, event: dict[str, Any], task: dict[str, bool], intent: dict[str, Any] | None
) -> None:
    assert run(INTENT, {"event": event, "task": task}) == intent


cells = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufeff\ufffd"), min_size=1
).map(str.strip).filter(bool)  # fmt: skip
heads = st.lists(cells.map(lambda c: f"x{c}"), min_size=2, max_size=6, unique_by=str.lower)


@many
@given(head=heads, data=st.data(), separator=st.sampled_from([",", "\t", ";"]))
def test_columns_are_those_that_the_table_has(
    run: Run, head: list[str], data: st.DataObject, separator: str
) -> None:
    row = data.draw(st.lists(cells, min_size=len(head), max_size=len(head)))
    # The server, too, tells the separator by the first line.
    head = [name.translate({ord(c): "_" for c in ',\t;"'}) for name in head]
    out = io.StringIO()
    csv.writer(out, delimiter=separator).writerows([head, row])
    found = run(COLUMNS, {"text": out.getvalue(), "name": "t.csv"})
    assert [c["name"] for c in found] == [name.strip() for name in head]
    assert [c["example"] for c in found] == row


def test_what_columns_are_for(run: Run) -> None:
    text = '\ufeffid,Title,text,Label,gold\n1,"A ""b""\nc",d,e,1\n'
    roles = {c["name"]: c["role"] for c in run(COLUMNS, {"text": text, "name": "a.csv"})}
    assert roles == {
        "id": "name",
        "Title": "text",
        "text": "text",
        "Label": "label",
        "gold": "gold",
    }
    lines = '{"text": "hello", "label": ["a"]}\n'
    assert [c["role"] for c in run(COLUMNS, {"text": lines, "name": "a.jsonl"})] == [
        "text",
        "label",
    ]
    for text, name in (("path,label\na.txt,x\n", "list.csv"), ("", "empty.csv"), ("{", "a.jsonl")):
        assert run(COLUMNS, {"text": text, "name": name}) is None


@many
@given(color=st.integers(0, 0xFFFFFF).map("#{:06x}".format))
def test_words_on_any_class_colour_can_be_read(run: Run, color: str) -> None:
    """WCAG 2.2, success criterion 1.4.3 (AA): a contrast of at least 4.5 : 1."""

    def luminance(hexa: str) -> float:
        parts = [int(hexa[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    ink = run("(color, {format}) => format.inkOn(color)", color)
    low, high = sorted((luminance(color), luminance(ink)))
    assert (high + 0.05) / (low + 0.05) >= 4.5


@many
@given(
    width=st.integers(300, 2500), height=st.integers(300, 1600), em=st.integers(14, 33),
    area=st.integers(1_000, 3_000_000),
)  # fmt: skip
def test_a_page_has_as_many_texts_as_fit(
    run: Run, width: int, height: int, em: int, area: int
) -> None:
    sizes = [1, 4, 6, 9]
    script = """({width, height, em, area, sizes}, {text_layout: t}) =>
      [t.sizeFor({width, height}, area, 50, em, sizes), t.columnsMost(width, em, 9)]"""
    asked = {"width": width, "height": height, "em": em, "area": area, "sizes": sizes}
    size, columns = run(script, asked)
    assert size in sizes
    # They fit, and one more row of them would not have: by their area alone.
    assert size == 1 or size * area <= 1.2 * width * height
    bigger = [s for s in sizes if s > size]
    if bigger:
        rows = -(-bigger[0] // columns)
        assert rows * (area / (width / columns - 40) + 50) > 1.2 * height
    else:
        assert 1 <= columns <= 3


CLOCK = """({steps, minutes}, {break_clock}) => {
    const clock = new break_clock.BreakClock(minutes);
    return steps.map(([what, at]) => {
        if (what === "rest") clock.rest(); else clock[what](at);
        return clock.due(at);
    });
}"""
MINUTE = 60_000


def test_a_break_is_suggested_after_work_without_one(run: Run) -> None:
    work = [["activity", minute * MINUTE] for minute in range(60)]
    said = run(CLOCK, {"steps": work, "minutes": 50})
    assert said == [0] * 50 + list(range(50, 60))
    assert run(CLOCK, {"steps": work, "minutes": 0}) == [0] * 60
    # Five minutes of nothing are a break, whenever they come.
    pause = work[:40] + [["activity", (minute + 5) * MINUTE] for minute in range(40, 60)]
    assert run(CLOCK, {"steps": pause, "minutes": 50}) == [0] * 60
    later = [*work[:51], ["later", 50 * MINUTE], *work[51:]]
    assert run(CLOCK, {"steps": later, "minutes": 50})[50:] == [50] + [0] * 10
    assert (
        run(CLOCK, {"steps": [*work[:51], ["rest", 0], *work[51:]], "minutes": 50})[51:] == [0] * 10
    )


def test_a_changed_key_does_what_the_old_one_did(run: Run) -> None:
    say = "({key}, {keys}) => keys.intentOf({key}, 4, undefined, {...keys.KEYS, skip: 'k'})"
    assert run(say, {"key": "K"}) == {"type": "skip"}
    assert run(say, {"key": "s"}) is None
    assert run(say, {"key": "f"}) == {"type": "flag"}


@many
@given(ms=st.integers(0, (1 << 48) - 1))
def test_ids_that_the_page_makes_come_in_order(run: Run, ms: int) -> None:
    """As those of the Python client (tests/client/test_ids.py)."""
    js = """({ms}, {ids}) => {
      const now = Date.now;
      Date.now = () => ms;
      try { return [ids.uuid(), ids.uuid()]; } finally { Date.now = now; }
    }"""
    first, second = (uuid.UUID(one) for one in run(js, {"ms": ms}))
    assert first != second
    for one in (first, second):
        assert (one.version, one.variant) == (7, uuid.RFC_4122)
        assert one.int >> 80 == ms
