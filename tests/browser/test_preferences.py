"""A person's language, keys and password, in the pages."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.browser.pages import open_labeling, open_room, signed_in
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
        await page.get_by_role("button", name="Save").click()
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
        await open_room(page, bench, "history")
        await page.locator("#do-help").click()
        await expect(page.locator('#help [data-key-of="skip"]')).to_have_text("K")
        await page.locator(".keys-reset").click()
        await expect(page.locator('#help [data-key-of="skip"]')).to_have_text("S")


async def test_a_password_is_set_and_changed_on_ones_own_page(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 4), page_size=4)
        page = await signed_in(browser, bench)
        login = (await (await page.request.get(f"{server.url}/api/me")).json())["user"]["login"]
        await page.goto(f"{server.url}/me")
        form = page.locator("#password-form")
        old = form.get_by_label("Old password")
        await expect(old).to_be_hidden()  # they came by a link
        await form.get_by_label("New password").fill("correct horse")
        await form.get_by_role("button").click()
        await expect(form.get_by_role("status")).to_contain_text("by the new password")
        await expect(old).to_be_visible()
        await expect(form.get_by_label("New password")).to_be_empty()

        other = await (await browser.new_context()).new_page()
        await other.goto(f"{server.url}/signin")
        await other.get_by_label("Login").fill(login)
        await other.get_by_label("Password", exact=True).fill("correct horse")
        await other.keyboard.press("Enter")
        await other.wait_for_url(f"{server.url}/")
        await open_labeling(other, bench)

        await page.reload()
        await old.fill("correct hose")
        await form.get_by_label("New password").fill("battery staple")
        await page.keyboard.press("Enter")
        await expect(form.get_by_role("alert")).to_have_text("The old password is wrong.")
        await expect(old).to_be_focused()
        await expect(old).to_have_attribute("aria-invalid", "true")
        await old.fill("correct horse")
        await page.keyboard.press("Enter")
        await expect(form.get_by_role("status")).to_be_visible()
        await expect(form.get_by_role("alert")).to_have_count(0)
        await expect(other.get_by_role("dialog")).to_contain_text("Your session has ended")
        await page.reload()
        await expect(page.locator("h1")).to_have_text("My settings")
