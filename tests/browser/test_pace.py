"""The dashboard says what an item costs by each way of working, live, and when clusters pause."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.browser.pages import open_room, signed_in
from tests.servers import Bench, TestServer, page_of, pictures, vote_page

pytestmark = pytest.mark.browser

CLASSES = ["green", "red", "grey", "blue"]


async def test_a_supervisor_sees_what_clusters_save_and_when_they_pause(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        # Two answers to an item: one person alone settles nothing, and no second round comes.
        bench.project = await bench.admin.create_project(
            "Pace", CLASSES, cluster=True, prelabel=False, votes_min=2, votes_max=2,
            consensus="majority", page_size=9, gold_rate=0, ordering="random",
        )  # fmt: skip
        boss = await signed_in(browser, bench, "supervisor")
        errors: list[str] = []
        boss.on("pageerror", lambda error: errors.append(str(error)))
        await open_room(boss, bench)
        card = boss.locator(".pace-card")

        # Nothing is known yet, and the card says when it will be.
        await expect(card.locator("#pace-note")).to_contain_text("known after a few pages")
        await expect(card.locator("#purity-empty")).to_be_visible()
        await expect(card.locator("#pace-views")).to_be_hidden()
        await boss.evaluate("window.sameDocument = true")

        await bench.admin.import_folder(bench.project.project_id, pictures(folder, 260))
        watch = await bench.watch()
        await watch.until(lambda s: s.assist.featurized == s.assist.featurize_total >= 260)
        people = [await bench.labeler(credit=1) for _ in range(2)]
        for _ in range(3):
            for person in people:
                await vote_page(person, await page_of(person), duration_ms=2400)
        for person in people:
            await person.close()
        hand = card.locator('tr[data-view="grid"]')
        await expect(hand).to_contain_text(re.compile(r"2\.[345] s"))
        await expect(hand).to_contain_text("0.0 %")
        await expect(card.locator("#pace-note")).to_contain_text("An item by hand takes 2.")

        # Pages of clusters are alike: their purity is drawn.
        await watch.until(lambda s: bool(s.queue.get("clustered")) and not s.assist.running)
        person = await bench.labeler(credit=1)
        for _ in range(2):
            page = await page_of(person)
            assert page.kind == "clustered"
            await vote_page(person, page, duration_ms=600)
        await expect(card.locator("#purity-chart canvas")).to_be_visible()
        await card.locator("#purity-box summary").click()
        await expect(card.locator("#purity-table tbody tr")).to_have_count(1)
        await expect(card.locator("#clusters-note")).to_be_hidden()
        await expect(boss.locator('#queue [data-kind="clustered"] b')).not_to_have_text("0")

        # Then they turn out mixed: the card says so, and the queue is labeled by hand.
        page = await page_of(person)
        while page.kind == "clustered":
            for n, item in enumerate(page.items):
                await person.cast(item, "label", CLASSES[n % 4], duration_ms=600)
            await person.finish(page)
            page = await page_of(person)
        await expect(card.locator("#clusters-note")).to_contain_text("Clusters paused:")
        await expect(card.locator("#purity-table tbody")).to_contain_text("withdrawn")
        await expect(card.locator("#pace-note")).to_contain_text(
            re.compile(
                r"A clustered item takes 0\.6 s, one by hand 2\.[345] s: clusters have saved"
            )
        )
        await expect(boss.locator('#queue [data-kind="clustered"] b')).to_have_text("0")
        assert await boss.evaluate("window.sameDocument") is True

        shots = os.environ.get("CHORUS_SHOTS")
        for scheme in ("light", "dark") if shots else ():
            await boss.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            await card.screenshot(path=f"{shots}/pace-{scheme}.png")

        # A phone shows all of it without a sideways scroll of the page.
        await boss.set_viewport_size({"width": 390, "height": 844})
        await expect(boss.locator("html")).to_have_js_property("scrollWidth", 390)
        assert errors == []
