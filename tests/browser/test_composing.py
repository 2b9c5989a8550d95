"""Who writes with an input method confirms words by Enter: that sends nothing, leaves no field."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.browser.pages import composing, open_labeling, open_review, open_room, signed_in
from tests.servers import Bench, TestServer, page_of, pictures, vote_page

pytestmark = pytest.mark.browser


async def leaves_by_enter_alone(page: Page, field: Locator) -> None:
    await field.focus()
    await composing(field)
    await expect(field).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(field).not_to_be_focused()


async def test_of_a_labeler(server: TestServer, browser: Browser, folder: Path) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 4), page_size=4)
        page = await signed_in(browser, bench)
        await open_labeling(page, bench)
        await page.keyboard.press("c")
        field = page.locator("#comment textarea")
        await field.fill("这是什么？")
        await composing(field)
        await expect(page.locator("#comment")).to_be_visible()
        await expect(page.locator(".thread")).to_have_count(0)
        await page.keyboard.press("Enter")
        await expect(page.locator("#comment")).to_be_hidden()
        await expect(page.locator(".thread")).to_have_count(1)
        await open_room(page, bench, "history")
        await leaves_by_enter_alone(page, page.locator('#filters [name="text"]'))


async def test_of_a_supervisor(server: TestServer, browser: Browser, folder: Path) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 4), page_size=4)
        stream = await bench.labeler()
        await vote_page(stream, await page_of(stream))
        page = await signed_in(browser, bench, "supervisor")
        await open_review(page, bench, "?state=labeled")
        await page.keyboard.press("c")
        field = page.locator("#comments textarea")
        await field.fill("这是红色的")
        await composing(field)
        await expect(field).to_have_value("这是红色的")
        await page.keyboard.press("Enter")
        await expect(field).to_have_value("")
        await expect(page.locator(".rv-threads")).to_contain_text("这是红色的")
        await page.keyboard.press("Escape")
        await page.locator("#do-filter").click()
        await leaves_by_enter_alone(page, page.locator('#filters [name="text"]'))
        await open_room(page, bench, "settings")
        await leaves_by_enter_alone(page, page.locator(".class-row-name").first)
