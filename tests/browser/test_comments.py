"""A labeler flags and asks, a supervisor answers in the review room, both live."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.browser.pages import go_offline, open_labeling, signed_in
from tests.servers import Bench, TestServer, pictures

pytestmark = pytest.mark.browser


async def test_a_flag_with_a_question_is_answered(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 12), page_size=4)
        boss = await signed_in(browser, bench, "supervisor")
        await boss.goto(f"{server.url}/p/{bench.project.project_id}/review")
        await expect(boss.locator("#connection")).to_have_attribute("data-state", "live")
        page = await signed_in(browser, bench)
        await open_labeling(page, bench)
        await page.keyboard.press("f")
        await page.locator("#comment textarea").fill("Is this a picture at all?")
        await page.keyboard.press("Enter")
        await expect(page.locator("#comment")).to_be_hidden()
        await expect(page.locator(".tile .chip").first).to_have_text("Flagged")
        # The keyboard is back with the pictures, at the next one.
        await expect(page.locator('.tile[data-focused="true"]')).to_have_attribute(
            "aria-label", "Picture 2, no answer yet"
        )
        await expect(page.locator(".thread")).to_contain_text("Is this a picture at all?")
        await page.keyboard.press("a")
        await page.keyboard.press("a")
        for key in ("1", "2", "1", "Enter"):
            await page.keyboard.press(key)
        # It arrives under the supervisor's eyes, the question with it.
        await expect(boss.locator("#unread")).to_have_text("1 new comment")
        await expect(boss.locator(".rv-threads")).to_contain_text("Is this a picture at all?")
        await expect(boss.locator("#unread")).to_be_hidden()
        await boss.keyboard.press("c")
        await boss.locator("#comments textarea").fill("Yes: all red.")
        await boss.keyboard.press("Enter")
        # And the answer beside the labeler's work, new until it is read.
        await expect(page.locator(".thread-unread")).to_have_text("1 new")
        await expect(page.locator(".toast").last).to_contain_text("Yes: all red.")
        await page.locator(".thread").click()
        await expect(page.locator("#comment .comment-entry")).to_have_count(2)
        await expect(page.locator(".thread-unread")).to_be_hidden()
        await page.keyboard.press("Escape")
        await page.reload()
        await expect(page.locator(".thread-last")).to_have_text("Yes: all red.")
        await expect(page.locator(".thread-unread")).to_be_hidden()


async def test_a_comment_written_offline_arrives(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 4), page_size=4)
        page = await signed_in(browser, bench)
        await open_labeling(page, bench)
        await go_offline(page)
        await page.keyboard.press("c")
        await page.locator("#comment textarea").fill("Kept for later")
        await page.keyboard.press("Enter")
        await expect(page.locator("#unsynced")).to_have_text("1 unsynced")
        await page.context.set_offline(False)
        await expect(page.locator("#unsynced")).to_be_hidden()
        await expect(page.locator(".tile-comment[data-n]")).to_have_count(1)
        path = f"/api/projects/{bench.project.project_id}/comments"
        threads = (await bench.admin.request("GET", path)).json()
        assert [t["last"]["text"] for t in threads["threads"]] == ["Kept for later"]
