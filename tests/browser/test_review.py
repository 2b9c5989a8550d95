"""Reviewers at work in real browsers: by keyboard, two at once, many at once, with a note."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.pages import open_labeling, signed_in
from tests.servers import Bench, TestServer, page_of, pictures, right

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


async def disputed(bench: Bench, folder: Path, count: int = 4, **settings: object) -> None:
    """Two people label `count` pictures and never agree."""
    await bench.make(pictures(folder, count), votes_min=2, votes_max=2, page_size=9, **settings)
    for wrong in (False, True):
        stream = await bench.labeler(page_size=9, credit=1)
        while (page := await stream.next_page()) is not None:
            for item in list(page.items):
                answer = right(item.name)
                if wrong:
                    answer = "green" if answer == "red" else "red"
                await stream.cast(item, "label", answer)
            await stream.finish(page)


async def open_review(page: Page, bench: Bench, query: str = "") -> None:
    await page.goto(f"{bench.server.url}/p/{bench.project.project_id}/review{query}")
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    await expect(page.locator("#found")).not_to_be_empty()


async def current(page: Page) -> str | None:
    return await page.locator(".rv-thumb[aria-current]").get_attribute("data-item")


async def test_three_items_by_a_key_each_and_one_taken_back(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await disputed(bench, folder)
        page = await signed_in(browser, bench, "supervisor")
        await open_review(page, bench)
        await expect(page.locator("#found")).to_have_text("1 of 4")
        await expect(page.locator(".rv-why")).to_have_text("People disagree")
        await expect(page.locator(".rv-vote")).to_have_count(2)
        first = await current(page)
        await page.keyboard.press("Enter")
        await expect(page.locator("#done")).to_contain_text("Approved as")
        await expect(page.locator("#found")).to_have_text("1 of 3")
        assert await current(page) != first
        await page.keyboard.press("2")
        await expect(page.locator("#done")).to_have_text("Decided: red")
        await page.keyboard.press("r")
        await expect(page.locator("#done")).to_have_text("Sent back to the labelers")
        await expect(page.locator("#found")).to_have_text("1 of 1")
        await page.keyboard.press("u")
        await expect(page.locator("#done")).to_have_text("Votes stand again")
        await expect(page.locator("#found")).to_contain_text("of 2")
        # A removal that is stopped within its second is never written.
        last = await current(page)
        await page.keyboard.press("Delete")
        await expect(page.locator("#done")).to_have_text("Removed")
        await page.keyboard.press("u")
        await expect(page.locator("#done")).to_have_text("Not removed")
        assert await current(page) == last
        counts = (await bench.stats()).counts
        assert (counts.labeled, counts.needs_review, counts.removed) == (2, 2, 0)
        await page.keyboard.press("Delete")
        watch = await bench.watch()
        await watch.until(lambda s: s.counts.removed == 1)
        await page.keyboard.press("Enter")
        await expect(page.locator("#nothing h2")).to_have_text("All reviewed")


async def test_two_reviewers_share_the_inbox(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await disputed(bench, folder)
        ann = await signed_in(browser, bench, "supervisor")
        await open_review(ann, bench)
        ben = await signed_in(browser, bench, "supervisor")
        await open_review(ben, bench)
        hers = await current(ann)
        await expect(ben.locator(f'.rv-thumb[data-item="{hers}"] .rv-by')).to_be_visible()
        assert await current(ben) != hers
        # What one decides leaves the other's list, who keeps their place.
        his = await current(ben)
        await ann.keyboard.press("Enter")
        await expect(ben.locator("#found")).to_contain_text("of 3")
        assert await current(ben) == his
        # Ben looks at what Ann has open, and she is quicker: he is told, nothing is lost.
        hers = await current(ann)
        await ben.locator(f'.rv-thumb[data-item="{hers}"]').click()
        await expect(ben.locator(".rv-notice")).to_contain_text("is on it")
        await ann.keyboard.press("2")
        await expect(ben.locator(".rv-notice")).to_contain_text("decided it as red")
        await ben.keyboard.press("j")
        await expect(ben.locator(".rv-notice")).to_be_empty()
        assert (await bench.stats()).counts.needs_review == 2


async def test_a_grid_of_many_decided_at_once(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await disputed(bench, folder, 8)
        page = await signed_in(browser, bench, "supervisor")
        await open_review(page, bench)
        await page.keyboard.press("g")
        tiles = page.locator(".rv-tile")
        await expect(tiles).to_have_count(8)
        await tiles.nth(1).click()
        await tiles.nth(3).click(modifiers=["Shift"])
        await expect(page.locator("#selected")).to_have_text("3 selected")
        await page.keyboard.press("1")
        await expect(page.locator("#done")).to_have_text("3 items changed to green")
        await expect(tiles).to_have_count(5)
        await page.keyboard.press("a")
        await page.keyboard.press("Space")
        await expect(page.locator("#selected")).to_have_text("4 selected")
        await page.keyboard.press("y")
        await expect(page.locator("#done")).to_contain_text(
            "4 refused: 4× this item is not skipped"
        )
        await expect(page.locator("#selected")).to_have_text("4 selected")
        await page.keyboard.press("Enter")
        await expect(page.locator("#done")).to_have_text("4 items approved")
        await expect(tiles).to_have_count(1)
        await page.keyboard.press("u")
        await expect(tiles).to_have_count(5)
        assert "view=grid" in page.url
        await page.locator('#tabs [data-state="labeled"]').click()
        await expect(tiles).to_have_count(3)
        await page.reload()
        await expect(tiles).to_have_count(3)
        await page.keyboard.press("f")
        await page.keyboard.type("red-")
        await expect(page.locator("#filter-count")).to_have_text("1")
        assert "text=red-" in page.url
        left = (await bench.stats()).counts
        assert (left.labeled, left.needs_review) == (3, 5)


async def test_a_new_case_and_a_note_arrive_by_themselves(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 20), page_size=4)
        boss = await signed_in(browser, bench, "supervisor")
        await open_review(boss, bench)
        await expect(boss.locator("#nothing h2")).to_have_text("All reviewed")
        labeler = await signed_in(browser, bench)
        await open_labeling(labeler, bench)
        colleague = await bench.labeler(page_size=1, credit=1)
        item = (await page_of(colleague)).items[0]
        await colleague.cast(item, "flag")
        await expect(boss.locator(".rv-why")).to_contain_text("Flagged by")
        assert await current(boss) == str(item.item_id)
        await boss.keyboard.press("2")
        await expect(boss.locator("#done")).to_have_text("Decided: red")
        await boss.keyboard.press("n")
        await boss.keyboard.type("A shadow is no colour.")
        await boss.get_by_role("button", name="Send", exact=True).click()
        banner = labeler.locator("#note-banner")
        await expect(banner).to_contain_text("A shadow is no colour.")
        await expect(banner).to_contain_text("supervisor")
        await labeler.locator("#note-done").click()
        await expect(banner).to_be_hidden()
        await labeler.reload()
        await expect(labeler.locator("#notes-list")).to_contain_text("A shadow is no colour.")
        await expect(banner).to_be_hidden()
