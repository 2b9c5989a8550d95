"""What the numbers say of somebody's work, on the Quality page."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from playwright.async_api import Browser, expect

from tests.browser.pages import admin_page, open_room
from tests.servers import Bench, page_of, pictures, vote_page


async def test_a_supervisor_reads_that_somebody_presses_one_key(
    browser: Browser, bench: Bench, folder: Path
) -> None:
    await bench.make(
        pictures(folder, 45), votes_min=3, votes_max=3, page_size=9, consensus="majority"
    )
    for answer in (None, None, "red"):
        stream = await bench.labeler(credit=1)
        for _ in range(5):
            await vote_page(stream, await page_of(stream), answer)
    page = await admin_page(browser, bench)
    await open_room(page, bench, "quality")
    await expect(page.get_by_role("heading", name="Worth a look")).to_be_visible()
    signs = page.locator("#sign-list li")
    await expect(signs).to_have_count(1)
    await expect(signs).to_contain_text("answered “red” to 100 % of all, also to 23 of 23 that are")
    await expect(page.locator("#signs")).to_contain_text("nothing follows from it by itself")


async def test_votes_of_the_last_hour_are_so_by_the_servers_clock(
    browser: Browser, bench: Bench, folder: Path
) -> None:
    """However wrong the supervisor's is."""
    await bench.make(pictures(folder, 9), page_size=9)
    stream = await bench.labeler(credit=1)
    await vote_page(stream, await page_of(stream))
    page = await admin_page(browser, bench)
    await page.clock.set_system_time(datetime.now() + timedelta(hours=5))
    await open_room(page, bench, "quality")
    await page.get_by_role("button", name="Take back …").first.click()
    dialog = page.locator("#take")
    await dialog.get_by_label("Votes of").select_option(label="the last hour")
    await dialog.get_by_role("button", name="Take back").click()
    await expect(page.locator("#takebacks tbody tr")).to_have_count(1)
    await expect(page.locator("#takebacks")).to_contain_text("just now")
    stats = await bench.watch()
    await stats.until(lambda seen: seen.counts.labeled == 0)
