"""A supervisor makes gold, sees how people do on it, and writes to one of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from chorus.simulate.setup import import_pictures
from tests.browser.pages import open_labeling, signed_in
from tests.browser.test_accessible import no_barrier
from tests.servers import Bench, TestServer, page_of, pictures, vote_page

pytestmark = pytest.mark.browser


async def work(bench: Bench, answer: str | None = None) -> None:
    """One person answers one page after the other to the end."""
    stream = await bench.labeler(page_size=4, credit=1)
    while await stream.next_page() is not None:
        await vote_page(stream, await page_of(stream), answer)
    await stream.close()


async def test_gold_is_made_served_and_judged_and_one_person_written_to(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder / "first", 8), page_size=4)
        await work(bench)
        boss = await signed_in(browser, bench, "supervisor")
        root = f"{server.url}/p/{bench.project.project_id}"

        await boss.goto(f"{root}/review?state=labeled&view=grid")
        tiles = boss.locator(".rv-tile")
        await expect(tiles).to_have_count(8)
        await tiles.nth(0).click()
        await tiles.nth(5).click(modifiers=["Shift"])
        await boss.get_by_role("button", name="Make gold").click()
        await expect(boss.locator(".rv-gold")).to_have_count(6)
        await boss.keyboard.press("f")
        await boss.get_by_label("Gold", exact=True).check()
        await expect(tiles).to_have_count(6)
        assert "gold=1" in boss.url
        await tiles.nth(0).click()
        await boss.get_by_role("button", name="No gold").click()
        await expect(tiles).to_have_count(5)

        await boss.goto(f"{root}/settings")
        await boss.get_by_label("Gold checks").fill("60")
        await boss.get_by_role("button", name="Save", exact=True).click()
        await expect(boss.get_by_label("Gold checks")).to_be_focused()
        await boss.get_by_label("Gold checks").fill("50")
        await boss.get_by_role("button", name="Save", exact=True).click()
        # What it changes is said before it does.
        await expect(boss.locator("#effect")).to_contain_text("500 would be checks")
        await no_barrier(boss)
        # Whoever closes it goes on choosing; whoever leaves it as it is sees what is in force.
        await boss.keyboard.press("Escape")
        await expect(boss.get_by_label("Gold checks")).to_have_value("50")
        await boss.get_by_role("button", name="Save", exact=True).click()
        await boss.get_by_role("button", name="Leave it as it is").click()
        await expect(boss.get_by_label("Gold checks")).not_to_have_value("50")
        await boss.get_by_label("Gold checks").fill("50")
        await boss.get_by_role("button", name="Save", exact=True).click()
        await boss.get_by_role("button", name="Apply it").click()
        await expect(boss.locator("#saved")).to_be_visible()

        more = pictures(folder / "more", 12, start=8)
        await import_pictures(bench.admin, bench.project.project_id, more, upload=False)
        await work(bench, "green")
        await boss.goto(f"{root}/quality")
        await expect(boss.locator("#gold")).to_contain_text("5 gold pictures")
        rows = boss.locator("#people tbody tr")
        checked = rows.filter(has_text="of 5")
        await expect(checked).to_have_count(1)
        right_on_gold = checked.locator("td").nth(2)
        assert (await right_on_gold.inner_text()).split()[0] not in ("100%", "–")
        assert "95 %" in (await right_on_gold.get_attribute("title") or "")
        whose = boss.locator("#whose option")
        await expect(whose).to_have_count(3)

        labelers = [await signed_in(browser, bench) for _ in range(2)]
        await import_pictures(
            bench.admin, bench.project.project_id, pictures(folder / "last", 24, start=20),
            upload=False,
        )  # fmt: skip
        for page in labelers:
            await open_labeling(page, bench)
        name = await labelers[0].locator(".menu summary").inner_text()
        row = rows.filter(has_text=name)
        await row.get_by_role("button", name="Message").click()
        await boss.get_by_label("One sentence").fill("Green is not always green.")
        await boss.get_by_role("button", name="Send").click()
        banner = labelers[0].locator("#note-banner")
        await expect(banner).to_contain_text("Green is not always green.")
        await expect(banner).to_contain_text("to you")
        await row.get_by_role("button", name="Message").click()
        await expect(boss.locator(".message-sent")).to_contain_text("Green is not always green.")
        await no_barrier(boss)
        await boss.keyboard.press("Escape")
        await labelers[0].reload()
        await expect(banner).to_contain_text("Green is not always green.")
        await labelers[0].get_by_role("button", name="Got it").first.click()
        await labelers[0].reload()
        await labelers[0].wait_for_selector(".tile")
        await expect(labelers[0].locator("#notes-list")).to_contain_text("Green is not always")
        await expect(banner).to_be_hidden()
        await labelers[1].reload()
        await labelers[1].wait_for_selector(".tile")
        await expect(labelers[1].locator("#note-banner")).to_be_hidden()
        await expect(labelers[1].locator("#notes-list li")).to_have_count(0)
