"""What the browser tests do again and again."""

from __future__ import annotations

import re

from playwright.async_api import Browser, Page, expect

from tests.servers import Bench

PATIENCE_MS = 60_000
expect.set_options(timeout=PATIENCE_MS)


async def signed_in(browser: Browser, bench: Bench, role: str = "labeler") -> Page:
    """A page of a new member, signed in by the link that an admin can make."""
    name = f"{role} {len(browser.contexts)}"
    from chorus.simulate.setup import add_person

    login = re.sub(r"\W", "-", f"{name}-{id(bench)}").lower()
    user, _ = await add_person(bench.admin, bench.project.project_id, login, name, role)  # type: ignore[arg-type]
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    page = await context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    await page.goto(await bench.admin.signin_link(user.user_id))
    return page


async def open_labeling(page: Page, bench: Bench) -> None:
    await page.goto(f"{bench.server.url}/p/{bench.project.project_id}/label")
    await page.wait_for_selector(".tile")


async def names(page: Page) -> list[str]:
    """Ids of the items in view."""
    found = await page.locator(".tile").evaluate_all("t => t.map(e => e.dataset.item)")
    return [str(name) for name in found]
