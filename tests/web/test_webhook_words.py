"""What is said of a webhook that sends nothing: why, and whether it goes on by itself."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.conftest import Run

pytestmark = pytest.mark.browser

LEFT = "off: Ada is no longer a supervisor here"


@pytest.mark.parametrize(
    ("hook", "said"),
    [
        ({"state": "active"}, ["active", "good"]),
        ({"state": "off"}, ["paused", ""]),
        ({"state": "failed"}, ["turned off: it failed for three days", "bad"]),
        ({"state": "off", "maker_left": True}, [LEFT, "warn"]),
        ({"state": "failed", "maker_left": True}, [LEFT, "warn"]),
        # Whoever made it was erased.
        (
            {"state": "off", "maker_left": True, "made_by": None},
            ["off: its maker is no longer a supervisor here", "warn"],
        ),
        (
            {"state": "active", "failures": 2, "failing_since": 60_000, "next_at": 630_000},
            ["2 failures in a row since 9 min ago; tried again in 30 s", "warn"],
        ),
    ],
)
def test_the_state_of_a_webhook(run: Run, hook: dict[str, Any], said: list[str]) -> None:
    hook = {"failures": 0, "maker_left": False, "made_by": "Ada", **hook}
    assert run("(hook, {webhook_words}) => webhook_words.stateOf(hook, 600_000)", hook) == said
