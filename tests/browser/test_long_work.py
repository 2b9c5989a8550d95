"""Work that takes longer than a page may lie untouched is neither taken away nor sent half done."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.browser.drawing import CLASSES, cells, labels, open_drawing
from tests.browser.pages import Frame, Wire, signed_in
from tests.servers import Bench, TestServer, page_of

pytestmark = pytest.mark.browser

BOXES = {"classes": CLASSES, "task_type": "boxes", "votes_min": 1, "votes_max": 1}
LEASE_MS = 600_000


async def test_who_draws_for_long_is_still_there(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(cells(folder, 4), lease_ms=LEASE_MS, **BOXES)
        page = await signed_in(browser, bench)
        await page.clock.install()
        wire = await Wire.on(page)
        signs: list[Frame] = []

        def sign(frame: Frame) -> bool:
            if frame.get("type") == "labeling.credit" and frame["body"]["n"] == 0:
                signs.append(frame)
            return False

        canvas = await open_drawing(page, bench)
        await expect(page.locator("#connection")).to_have_attribute("data-state", "live")
        wire.lose = sign
        await canvas.drag((20, 30), (80, 90))
        await page.keyboard.press("2")
        await canvas.has(1)
        assert signs == [], "not at each stroke"
        # A quarter of an hour, shape by shape.
        for n in range(2, 5):
            await page.clock.fast_forward(LEASE_MS // 2)
            await canvas.drag((40 * n, 120), (40 * n + 30, 180))
            await canvas.has(n)
        assert len(signs) == 3
        await page.keyboard.press("Enter")
        await expect(page.locator("#today")).to_have_text("1")
        assert len((await labels(bench))[0]) == 4


async def test_a_drawing_left_half_done_is_not_sent_and_can_be_finished(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(cells(folder, 1), lease_ms=1_000, **BOXES)
        page = await signed_in(browser, bench)
        canvas = await open_drawing(page, bench)
        await canvas.drag((20, 30), (80, 90))
        await canvas.has(1)
        # It goes to somebody else, who does nothing about it.
        colleague = await bench.labeler(credit=1)
        await page_of(colleague)
        assert (await bench.stats()).votes == 0
        await canvas.drag((200, 100), (150, 60))
        await canvas.has(2)
        await page.keyboard.press("Enter")
        await expect(page.locator("#today")).to_have_text("1")
        assert len((await labels(bench))[0]) == 2
