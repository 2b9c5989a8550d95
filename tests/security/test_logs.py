"""Nobody writes lines of their own into the log, and nobody who reads it gets in by it."""

from __future__ import annotations

import io
import json
import logging
import re
import secrets
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from starlette.routing import Mount, Route, WebSocketRoute

from chorus.server.app import build
from chorus.server.logs import Json, Text, new_id
from chorus.server.services.accounts import digest, invite_id
from chorus.server.settings import Settings
from chorus.server.transport.observing import shown


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


SECRET = re.compile(r"token|secret|password|code|link|key", re.IGNORECASE)
"""What a parameter with a secret would be called."""
NO_SECRET = {"token_id"}
"""Names of things to the outside."""


def test_no_secret_of_a_path_is_in_the_log(tmp_path: Path) -> None:
    """Of every route there is; a new one with a secret in its path fails here."""
    found = 0
    for route in build(Settings(data_dir=tmp_path)).routes:
        assert isinstance(route, Route | WebSocketRoute | Mount)
        names = re.findall(r"{(\w+)", route.path)
        values = {name: secrets.token_urlsafe(24) for name in names}
        path = re.sub(r"{(\w+)[^}]*}", lambda m, v=values: v[m[1]], route.path)  # type: ignore[misc]
        hidden = [name for name in names if SECRET.search(name) and name not in NO_SECRET]
        if not hidden:
            assert shown(path) == path
        for name in hidden:
            assert values[name] not in shown(path), route.path
            found += 1
    assert found >= 3


def test_nor_in_an_address_that_was_copied_badly() -> None:
    token = secrets.token_urlsafe(24)
    for path in ("/invite/{}/", "/invite//{}", "//invite/{}", "/Invite/{}", "/api/invites/{}/x"):
        assert token not in shown(path.format(token)), path
    # Who reads it may tell which invitation it was, as the list of open ones calls it.
    assert shown(f"/invite/{token}") == f"/invite/{invite_id(digest(token))}"
