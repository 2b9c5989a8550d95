"""A supervisor asks for practice; a newcomer practises, is told what is right, and goes to work."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.browser.pages import open_labeling, open_review, signed_in
from tests.browser.test_accessible import no_barrier, violations
from tests.server.test_blindness import with_gold
from tests.servers import Bench, TestServer

pytestmark = pytest.mark.browser


async def test_a_newcomer_practises_and_is_told_what_is_right(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await with_gold(bench, folder, 8, 4, page_size=4, gold_rate=0)
        boss = await signed_in(browser, bench, "supervisor")
        root = f"{server.url}/p/{bench.project.project_id}"
        await boss.goto(f"{root}/settings")
        await boss.get_by_label("Practice before the first page").fill("4")
        await boss.get_by_role("button", name="Save", exact=True).click()
        await expect(boss.locator("#saved")).to_be_visible()

        await open_review(boss, bench, "?state=labeled&view=grid")
        await boss.locator(".rv-tile").first.click()
        await boss.get_by_role("button", name="Practice note").click()
        await boss.get_by_label("Why its label is right").fill("Its middle says it.")
        await no_barrier(boss)
        await boss.get_by_role("button", name="Keep it").click()
        await expect(boss.locator("#gold-note-dialog")).to_be_hidden()

        page = await signed_in(browser, bench)
        await open_labeling(page, bench)
        banner = page.locator("#banner")
        await expect(banner).to_contain_text("Practice, 1 to 4 of 4")
        for _ in range(4):
            await page.keyboard.press("1")
        await page.keyboard.press("Enter")
        verdicts = page.locator(".tile-verdict b")
        await expect(banner).to_contain_text("of 4 right")
        said = await verdicts.all_inner_texts()
        assert len(said) == 4
        right = said.count("Right")
        assert sum(text.startswith("Wrong: it is ") for text in said) == 4 - right
        await expect(banner).to_contain_text(f"{right} of 4 right")
        await expect(page.locator(".tile-note")).to_have_text(["Its middle says it."])
        assert await violations(page) == []
        await page.reload()
        await expect(verdicts).to_have_count(4)
        assert await verdicts.all_inner_texts() == said, "a reload tells it again"
        await expect(page.locator(".tile-note")).to_have_text(["Its middle says it."])
        await page.keyboard.press("2")
        assert await verdicts.all_inner_texts() == said, "it cannot be changed any more"
        await expect(page.get_by_role("button", name="Go on")).to_be_enabled()
        await page.keyboard.press("Enter")
        await expect(banner).to_contain_text("Tasks manual")
        await expect(page.locator(".tile-verdict:visible")).to_have_count(0)
        await page.reload()
        await page.wait_for_selector(".tile")
        await expect(banner).to_contain_text("Tasks manual")
        await expect(page.locator("#recent")).to_be_hidden()

        await boss.goto(f"{root}/quality")
        row = boss.locator("#people tbody tr").filter(has_text=f"{right} of 4 right")
        await expect(row).to_have_count(1)
        await row.get_by_role("button", name="Practise again").click()
        await expect(row).to_have_count(0)
        await expect(boss.locator("#people")).to_contain_text("at it now, practice no. 2")
        assert (await bench.stats()).votes == 0
