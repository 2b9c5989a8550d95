"""A person's language and keys, in the pages."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.browser.pages import open_labeling, signed_in
from tests.servers import Bench, TestServer, pictures

pytestmark = pytest.mark.browser


async def test_keys_are_changed_in_the_list_of_keys_and_work_in_any_language(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 8), page_size=4)
        page = await signed_in(browser, bench)
        await page.goto(f"{server.url}/me")
        await page.locator("#language").select_option("zh-Hans")
        await page.locator("button[type=submit]").click()
        await expect(page.locator("h1")).to_have_text("我的设置")
        await open_labeling(page, bench)
        await expect(page.locator(".banner-title")).to_have_text("人工任务")
        await page.keyboard.press("?")
        skip = page.locator('#help [data-change="skip"]')
        await skip.click()
        await page.keyboard.press("f")
        await expect(page.locator(".keys-said")).to_contain_text("F 已用于")
        await skip.click()
        await page.keyboard.press("Escape")
        await expect(page.locator("#help")).to_be_visible()
        await skip.click()
        await page.keyboard.press("k")
        await expect(page.locator('#do-skip [data-key-of="skip"]')).to_have_text("K")
        await page.keyboard.press("Escape")
        await expect(page.locator("#help")).to_be_hidden()
        await page.keyboard.press("k")
        await expect(page.locator(".tile .chip")).to_have_text("已跳过")
        # They are the person's, not the browser's.
        await page.goto(f"{server.url}/p/{bench.project.project_id}/history")
        await page.locator("#do-help").click()
        await expect(page.locator('#help [data-key-of="skip"]')).to_have_text("K")
        await page.locator(".keys-reset").click()
        await expect(page.locator('#help [data-key-of="skip"]')).to_have_text("S")
