"""What the browser tests do again and again."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable
from typing import Any

from playwright.async_api import Browser, Locator, Page, WebSocketRoute, expect

from chorus.simulate.setup import add_person
from tests.servers import Bench

PATIENCE_MS = 60_000
Frame = dict[str, Any]
expect.set_options(timeout=PATIENCE_MS)


async def signed_in(
    browser: Browser, bench: Bench, role: str = "labeler", *, touch: bool = False
) -> Page:
    """A page of a new member, signed in by the link that an admin can make; `touch`: of a screen
    that has it."""
    name = f"{role} {len(browser.contexts)}"
    login = f"{role}-{secrets.token_hex(4)}"
    user, _ = await add_person(bench.admin, bench.project.project_id, login, name, role)  # type: ignore[arg-type]
    context = await browser.new_context(viewport={"width": 1280, "height": 800}, has_touch=touch)
    page = await context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    await page.goto(await bench.admin.signin_link(user.user_id))
    return page


async def admin_page(browser: Browser, bench: Bench) -> Page:
    """A page of the bench's admin."""
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    page = await context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    me = await bench.admin.me()
    await page.goto(await bench.admin.signin_link(me.user_id))
    return page


async def open_room(page: Page, bench: Bench, room: str = "") -> None:
    """Of the bench's project: `settings`, `quality` …; the dashboard without a name."""
    await page.goto(f"{bench.server.url}/p/{bench.project.project_id}/{room}".rstrip("/"))


async def open_labeling(page: Page, bench: Bench) -> None:
    await open_room(page, bench, "label")
    await page.wait_for_selector(".tile")


async def go_offline(page: Page) -> None:
    """Once it is connected; `page.context.set_offline(False)` brings it back."""
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    await page.context.set_offline(True)
    await page.evaluate("dispatchEvent(new Event('offline'))")
    await expect(page.locator("#connection")).to_have_attribute("data-state", "lost")


async def names(page: Page) -> list[str]:
    """Ids of the items in view."""
    found = await page.locator(".tile").evaluate_all("t => t.map(e => e.dataset.item)")
    return [str(name) for name in found]


async def open_review(page: Page, bench: Bench, query: str = "") -> None:
    await open_room(page, bench, f"review{query}")
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    await expect(page.locator("#found")).not_to_be_empty()


async def composing(field: Locator) -> None:
    """Enter as an input method has it: it confirms what was put together, and is no key of ours."""
    await field.dispatch_event("keydown", {"key": "Enter", "isComposing": True})


class Wire:
    """A page's websocket with a hand on it: `lose` says which frames never arrive."""

    def __init__(self) -> None:
        self.lose: Callable[[Frame], bool] = lambda frame: False
        self.lost: list[Frame] = []
        self._page: WebSocketRoute | None = None
        self._server: WebSocketRoute | None = None

    @classmethod
    async def on(cls, page: Page) -> Wire:
        wire = cls()
        await page.route_web_socket("**/ws", wire._connect)
        return wire

    def _connect(self, page: WebSocketRoute) -> None:
        server = page.connect_to_server()
        page.on_message(lambda text: self._pass(server, text))
        server.on_message(lambda text: self._pass(page, text))
        self._page, self._server = page, server

    def _pass(self, to: WebSocketRoute, text: str | bytes) -> None:
        frame = json.loads(text)
        if self.lose(frame):
            self.lost.append(frame)
        else:
            to.send(text)

    async def cut(self) -> None:
        """End the connection, both ways; the page connects anew by itself."""
        assert self._page is not None
        assert self._server is not None
        await self._server.close()
        await self._page.close()


async def few_at_a_time(page: Page, most: int = 2) -> None:
    """The page's lists come in answers of so many rows, as where each row is large."""

    def connect(ws: WebSocketRoute) -> None:
        server = ws.connect_to_server()
        limit = f'"limit":{most}'
        ws.on_message(lambda text: server.send(re.sub(r'"limit":\d+', limit, str(text))))

    await page.route_web_socket("**/ws", connect)
