"""One decision for very many items is followed further by a page that is loaded anew."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.browser.pages import Frame, Wire, open_review, signed_in
from tests.servers import Bench, TestServer, page_of, pictures, right

pytestmark = pytest.mark.browser

COUNT = 150


def of_a_bulk(frame: Frame) -> bool:
    return "of" in (frame.get("body") or {})


async def flagged(bench: Bench, folder: Path, gold_rate: float = 0) -> None:
    """A project whose every item somebody wants reviewed."""
    await bench.make(pictures(folder, COUNT), page_size=9, gold_rate=gold_rate)
    person = await bench.labeler(credit=1)
    while (page := await person.next_page()) is not None:
        for item in page.items:
            await person.cast(item, "flag")
        await person.finish(page)


async def test_a_bulk_is_followed_further_after_a_reload(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await flagged(bench, folder)
        page = await signed_in(browser, bench, "supervisor")
        wire = await Wire.on(page)
        await open_review(page, bench, "?view=grid")
        await expect(page.locator(".rv-tile")).to_have_count(60)
        await page.keyboard.press("a")
        await expect(page.locator("#selected")).to_have_text("60 selected")
        await page.keyboard.press("a")
        await expect(page.locator("#selected")).to_have_text(f"All {COUNT} selected")
        # Away before anything is heard of how it goes.
        wire.lose = of_a_bulk
        await page.keyboard.press("2")
        await expect(page.locator("#running")).to_be_visible()
        wire.lose = lambda frame: False
        await page.reload()
        await expect(page.locator("#done")).to_have_text(f"{COUNT} items changed to red")
        await expect(page.locator("#nothing h2")).to_have_text("Nothing to review")
        assert (await bench.stats()).labels["red"] == COUNT

        # What was decided before the reload can be taken back after it, and that survives one too.
        wire.lose = of_a_bulk
        await page.keyboard.press("u")
        await expect(page.locator("#running")).to_be_visible()
        wire.lose = lambda frame: False
        await page.reload()
        await expect(page.locator("#done")).to_have_text(f"{COUNT} decisions taken back")
        counts = (await bench.stats()).counts
        assert (counts.needs_review, counts.labeled) == (COUNT, 0)

        # Once its end is known nothing is kept: the next reload says nothing of it.
        await page.reload()
        await expect(page.locator(".rv-tile")).to_have_count(60)
        await expect(page.locator("#done")).to_have_text("")
        kept = "Object.keys(sessionStorage).filter((k) => k.startsWith('chorus.bulk.')).length"
        assert await page.evaluate(kept) == 0


async def test_a_bulk_that_the_server_has_forgotten_is_not_begun_again(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await flagged(bench, folder)
        page = await signed_in(browser, bench, "supervisor")
        await open_review(page, bench, "?view=grid")
        await expect(page.locator(".rv-tile")).to_have_count(60)
        await page.evaluate(
            """async () => {
              const boot = JSON.parse(document.body.dataset.boot);
              const me = (await (await fetch("/api/me")).json()).user.user_id;
              const filter = { state: "needs_review", action: "remove" };
              const body = { bulk_id: crypto.randomUUID(), ...filter };
              sessionStorage.setItem(`chorus.bulk.${me}.${boot.project.project_id}`,
                JSON.stringify({ body, told: { action: "remove", classes: null } }));
            }"""
        )
        await page.reload()
        await expect(page.locator(".toast")).to_contain_text("The server was restarted")
        await expect(page.locator(".rv-tile")).to_have_count(60)
        assert (await bench.stats()).counts.removed == 0


async def test_a_flag_on_a_check_leads_the_supervisor_to_the_item(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 40), page_size=4, gold_rate=0.5)
        project_id = bench.project.project_id
        first = await bench.labeler(credit=1)
        gold = []
        for _ in range(4):
            for item in (page := await page_of(first)).items:
                await first.cast(item, "label", right(item.name))
                gold.append(item.item_id)
            await first.finish(page)
        await bench.admin.request(
            "POST", f"/api/projects/{project_id}/gold", json={"item_ids": gold}
        )
        boss = await signed_in(browser, bench, "supervisor")
        await boss.goto(f"{server.url}/p/{project_id}")
        await expect(boss.locator("#done-of")).to_contain_text("16 of 40")
        await expect(boss.locator("#flagged")).to_be_hidden()
        second = await bench.labeler(credit=1)
        flags = 0
        while not flags:
            for item in (page := await page_of(second)).items:
                check = item.item_id in gold
                flags += check
                await second.cast(item, "flag" if check else "skip")
            await second.finish(page)
        link = boss.locator("#flagged")
        await expect(link).to_have_text(f"{flags} flag{'s' if flags > 1 else ''} on gold")
        await link.click()
        await expect(boss.locator("#found")).to_contain_text(str(flags))
        await expect(boss.locator(".rv-why")).to_contain_text("Flagged as a check by labeler-")
        for _ in range(flags):
            await boss.keyboard.press("Enter")
        await expect(boss.locator("#nothing h2")).to_be_visible()
        await boss.goto(f"{server.url}/p/{project_id}")
        await expect(boss.locator("#done-of")).to_contain_text("of 40")
        await expect(boss.locator("#flagged")).to_be_hidden()
