"""A person looks for their own answers, looks at one again, corrects it by keys alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.pages import few_at_a_time, go_offline, open_labeling, open_room, signed_in
from tests.servers import Bench, TestServer, pictures

pytestmark = pytest.mark.browser


async def test_an_old_answer_is_found_and_corrected(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 12), page_size=4)
        page = await signed_in(browser, bench)
        await open_labeling(page, bench)
        for key in ("a", "1", "Enter"):
            await page.keyboard.press(key)
        await expect(page.locator("#today")).to_have_text("4")
        await page.get_by_role("link", name="All my answers").click()
        cards = page.locator(".answer")
        await expect(cards).to_have_count(4)
        await page.keyboard.press("ArrowRight")
        await page.keyboard.press("2")
        watch = await bench.watch()
        await watch.until(lambda s: s.labels == {"green": 3, "red": 1})
        await expect(cards.nth(1)).to_contain_text("red")
        await page.keyboard.press("u")
        await watch.until(lambda s: s.labels["green"] == 4)
        await page.keyboard.press("2")
        await watch.until(lambda s: s.labels == {"green": 3, "red": 1})
        # The filter narrows the list, and is in the address.
        await page.locator('[name="class"]').select_option("red")
        await expect(cards).to_have_count(1)
        await page.reload()
        await expect(cards).to_have_count(1)
        await page.keyboard.press("z")
        await expect(page.locator("#zoom .chip-word")).to_have_text("red")
        await page.keyboard.press("Escape")
        # What a supervisor has decided can be looked at, and no more.
        item_id = int(str(await cards.first.get_attribute("data-item")))
        path = f"/api/projects/{bench.project.project_id}/items/{item_id}/review"
        await bench.admin.request("POST", path, json={"action": "approve"})
        await page.reload()
        await expect(cards.first).to_contain_text("decided")
        await page.keyboard.press("1")
        await expect(page.locator(".toast")).to_contain_text("A supervisor has decided this one")
        await page.locator("#clear-filters").click()
        await expect(cards).to_have_count(4)


async def test_large_answers_come_a_few_at_a_time_and_who_reads_keeps_the_place(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 9), page_size=9)
        page = await signed_in(browser, bench)
        await open_labeling(page, bench)
        for key in ("a", "1", "Enter"):
            await page.keyboard.press(key)
        await expect(page.locator("#today")).to_have_text("9")
        await few_at_a_time(page)
        await open_room(page, bench, "history")
        cards = page.locator(".answer")
        await expect(cards).to_have_count(9)
        for _ in range(7):
            await page.keyboard.press("ArrowRight")
        current = page.locator('.answer[aria-current="true"]')
        place = await cards.nth(7).get_attribute("data-item")
        await expect(current).to_have_attribute("data-item", str(place))
        await go_offline(page)
        path = f"/api/projects/{bench.project.project_id}/items/{place}/review"
        await bench.admin.request("POST", path, json={"action": "approve"})
        await page.context.set_offline(False)
        await expect(cards.nth(7)).to_contain_text("decided")
        await expect(current).to_have_attribute("data-item", str(place))


async def with_four_answers(browser: Browser, bench: Bench, folder: Path) -> Page:
    """The list of somebody who has given four pictures their first tag each."""
    await bench.make(pictures(folder, 4), page_size=4, task_type="multilabel")
    page = await signed_in(browser, bench)
    await open_labeling(page, bench)
    for key in ("a", "1", "Enter"):
        await page.keyboard.press(key)
    await expect(page.locator("#today")).to_have_text("4")
    await open_room(page, bench, "history")
    return page


async def test_tags_are_put_together_and_saved(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        page = await with_four_answers(browser, bench, folder)
        await expect(page.locator(".answer")).to_have_count(4)
        await page.keyboard.press("2")
        await expect(page.locator('.answer[data-draft="true"] .chip')).to_have_count(2)
        await page.keyboard.press("Escape")
        await expect(page.locator('.answer[data-draft="true"]')).to_have_count(0)
        await page.keyboard.press("2")
        await page.keyboard.press("Enter")
        watch = await bench.watch()
        await watch.until(lambda s: (s.labels["green"], s.labels["red"]) == (4, 1))


async def test_a_correction_not_saved_yet_outlives_a_lost_connection(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        page = await with_four_answers(browser, bench, folder)
        cards = page.locator(".answer")
        await expect(cards).to_have_count(4)
        await page.keyboard.press("2")
        draft = page.locator('.answer[data-draft="true"] .chip')
        await expect(draft).to_have_count(2)
        await go_offline(page)
        # The list that is read anew says what has happened meanwhile.
        item_id = await cards.nth(1).get_attribute("data-item")
        path = f"/api/projects/{bench.project.project_id}/items/{item_id}/review"
        await bench.admin.request("POST", path, json={"action": "approve"})
        await page.context.set_offline(False)
        await expect(cards.nth(1)).to_contain_text("decided")
        await expect(draft).to_have_count(2)
        await page.keyboard.press("Enter")
        watch = await bench.watch()
        await watch.until(lambda s: (s.labels["green"], s.labels["red"]) == (4, 1))
        # A flag is of the answer that was in view.
        await page.keyboard.press("ArrowRight")
        await page.keyboard.press("ArrowRight")
        await page.keyboard.press("f")
        await page.keyboard.press("Enter")
        await expect(cards.nth(2)).to_contain_text("Flagged")
