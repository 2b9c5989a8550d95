"""Nobody writes lines of their own into the log."""

from __future__ import annotations

import io
import json
import logging

from hypothesis import given
from hypothesis import strategies as st

from chorus.server.logs import Json, Text, new_id


def written(form: logging.Formatter, message: str, *args: object, exc: Exception | None) -> str:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(form)
    logger = logging.Logger("chorus.test")
    logger.addHandler(handler)
    logger.error(message, *args, exc_info=exc)
    return out.getvalue().removesuffix("\n")


@given(st.text(max_size=60))
def test_one_entry_begins_once(name: str) -> None:
    text = written(Text(), "preparing %s failed", name, exc=ValueError(name))
    first, *rest = text.split("\n")
    assert " error chorus.test preparing" in first
    for line in rest:
        assert line.startswith("    ")
    assert len(text.splitlines()) == len(rest) + 1, "no other kind of line break"
    text = written(Json(), "preparing %s failed", name, exc=ValueError(name))
    assert len(text.splitlines()) == 1
    assert json.loads(text)["message"] == f"preparing {name} failed"


def test_a_forged_entry_and_a_terminals_command_are_seen_as_what_they_are() -> None:
    forged = "a.png\n2026-01-01 info chorus admin signed in\x1b[2J\r"
    for form in (Text(), Json()):
        text = written(form, "no file %s", forged, exc=None)
        assert "\x1b" not in text
        assert "\r" not in text
        assert "\n" not in text
        traced = written(form, "it failed", exc=ValueError(forged))
        assert "\x1b" not in traced
        assert "\r" not in traced
        assert "\n2026" not in traced


def test_a_request_id_that_is_given_is_a_plain_word() -> None:
    """It stands in the log, and goes back in a header."""
    assert new_id("3f2a-9.x_") == "3f2a-9.x_"
    for given_ in ("a\nb", "a b", "a\x1b[2J", "a\n", "é", "a" * 65, ""):
        assert new_id(given_) != given_
