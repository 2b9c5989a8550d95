"""The pages' pure JavaScript modules in a real Chromium, without a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Route, sync_playwright

from tests.chromium import launching

JS = Path(__file__).resolve().parents[2] / "chorus" / "web" / "static" / "js"
ORIGIN = "http://chorus.test"

Run = Callable[..., Any]


def _serve(route: Route) -> None:
    name = route.request.url.removeprefix(f"{ORIGIN}/")
    if name.startswith("vendor/"):
        route.fulfill(path=JS.parent / name, content_type="text/javascript")
    elif name.endswith(".js"):
        route.fulfill(path=JS / name, content_type="text/javascript")
    else:
        route.fulfill(body="<!doctype html>", content_type="text/html")


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """`run(script, argument)`: a function's source, called with the argument and `js`, the
    modules by their names (`js.page_state.reduce`, `js.shapes_pad.step`); its JSON result."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**launching())
        page = browser.new_page()
        page.route("**/*", _serve)
        page.goto(ORIGIN)
        names = [
            "answering",
            "change_words",
            "break_clock",
            "class_tree",
            "content",
            "drafts",
            "effect",
            "ids",
            "keys",
            "outbox",
            "page_state",
            "page_words",
            "preload",
            "review_filter",
            "review_room",
            "session",
            "socket",
            "table_head",
            "task",
            "text_layout",
            "webhook_words",
            "format",
            "wizard_words",
            "shapes/geometry",
            "shapes/hits",
            "shapes/keys",
            "shapes/pad",
            "shapes/shapes",
            "shapes/tiles",
            "shapes/verdict",
            "shapes/view",
        ]
        page.evaluate(
            """async names => {
                window.js = {};
                for (const name of names) js[name.replace('/', '_')] = await import(`/${name}.js`);
            }""",
            names,
        )
        yield lambda script, argument=None: page.evaluate(
            f"argument => ({script})(argument, js)", argument
        )
        browser.close()
