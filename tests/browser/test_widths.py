"""No page is wider than its window, be the window narrow and the names long."""

from __future__ import annotations

import secrets
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from chorus.simulate.setup import add_person
from tests.browser.pages import open_review, signed_in
from tests.browser.test_accessible import addresses, something_of_everything
from tests.browser.test_setup import admin_page
from tests.servers import Bench, TestServer, page_of, pictures, vote_page

pytestmark = pytest.mark.browser

WIDTHS = (360, 640, 720, 800, 960)
"""A phone's; 1280 at 200 %, 175 % and 160 %; 1920 at 200 %. CSS pixels."""
BEYOND = """async () => {
    const beyond = () =>
        document.documentElement.scrollWidth - document.documentElement.clientWidth;
    // A chart takes the new width a moment after the window has it.
    const end = performance.now() + 3000;
    while (beyond() && performance.now() < end) await new Promise(requestAnimationFrame);
    return beyond();
}"""


def unbroken() -> str:
    """A name as long as one may be, without a place to break it."""
    return (secrets.token_hex(4) + "Lepidopterologist" * 12)[:200]


async def too_wide(page: Page, where: str) -> list[str]:
    """At which widths of the window the page that is open scrolls sideways, and by how much."""
    found = []
    for width in WIDTHS:
        await page.set_viewport_size({"width": width, "height": 700})
        if beyond := await page.evaluate(BEYOND):
            found.append(f"{where} at {width}: {beyond} px")
    return found


@pytest.mark.timeout(300)
async def test_no_page_scrolls_sideways(server: TestServer, browser: Browser, folder: Path) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 9), page_size=9, classes=["green", unbroken()[:100]])
        project_id = bench.project.project_id
        await bench.admin.change_project(project_id, name=unbroken())
        await something_of_everything(bench)
        page = await admin_page(browser, bench)
        found: list[str] = []
        for path in addresses(project_id):
            await page.set_viewport_size({"width": 1280, "height": 700})
            await page.goto(server.url + path)
            if await page.locator("#connection").count():
                live = '#connection[data-state="live"]'
                await page.wait_for_selector(live, state="attached")
            found += await too_wide(page, path)
        assert found == [], "\n".join(found)


async def test_the_open_room_and_the_menu_are_in_sight_in_a_narrow_window(
    browser: Browser, bench: Bench, folder: Path
) -> None:
    await bench.make(pictures(folder, 4), page_size=4)
    page = await signed_in(browser, bench, "supervisor")
    for width in WIDTHS:
        await page.set_viewport_size({"width": width, "height": 700})
        await page.goto(f"{bench.server.url}/p/{bench.project.project_id}/review")
        await expect(page.locator(".tabs [aria-current]")).to_be_in_viewport(ratio=0.9)
        await expect(page.locator(".top .menu summary")).to_be_in_viewport(ratio=0.9)


async def test_a_long_name_leaves_the_table_of_people_its_buttons(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 4), page_size=4)
        mark = secrets.token_hex(3)
        await bench.admin.create_project(unbroken(), ["a", "b"])
        await add_person(
            bench.admin, bench.project.project_id, f"ann-{mark}", f"Ann {mark}", "labeler"
        )
        page = await admin_page(browser, bench)
        await page.set_viewport_size({"width": 1280, "height": 800})
        await page.goto(f"{server.url}/people")
        await page.get_by_label("Name, login or address has in it").fill(mark)
        row = page.locator("#users tbody tr")
        await expect(row).to_have_count(1)
        for name in ("Sign-in link", "Reset password", "Erase …"):
            await expect(row.get_by_role("button", name=name)).to_be_in_viewport(ratio=0.9)
        box = await row.bounding_box()
        assert box is not None
        assert box["height"] < 120, box


async def test_in_a_small_window_review_lays_nothing_over_anything(
    browser: Browser, bench: Bench, folder: Path
) -> None:
    """A tablet held sideways and upright, and a laptop at 150 %."""
    await bench.make(pictures(folder, 4), page_size=4, votes_min=2, votes_max=2)
    for answer in ("green", "red"):
        stream = await bench.labeler(credit=1)
        await vote_page(stream, await page_of(stream), answer)
    page = await signed_in(browser, bench, "supervisor")
    await open_review(page, bench)
    for width, height in ((800, 600), (768, 1024), (853, 533)):
        await page.set_viewport_size({"width": width, "height": height})
        parts = [".rv-picture", ".rv-caption", ".rv-right"]
        boxes = [await page.locator(part).bounding_box() for part in parts]
        for (upper, lower), (above, below) in zip(pairwise(parts), pairwise(boxes), strict=True):
            assert above is not None
            assert below is not None
            assert above["y"] + above["height"] <= below["y"] + 1, (upper, lower, width)
        await page.get_by_role("button", name="Send back").click(trial=True)


async def test_long_names_of_classes_are_not_written_over_each_other(
    browser: Browser, bench: Bench, folder: Path
) -> None:
    classes = [
        f"Kingdom animalia, a subgroup with quite a long name, number {n}" for n in range(40)
    ]
    await bench.make(pictures(folder, 4), page_size=4, classes=classes)
    page = await signed_in(browser, bench, "supervisor")
    for room in ("label", "review?state=all&view=single"):
        await page.goto(f"{bench.server.url}/p/{bench.project.project_id}/{room}")
        names = page.locator(".class-button .class-name")
        await expect(names).to_have_count(40)
        await expect(names.first).to_be_visible()
        over = await page.locator(".class-button").evaluate_all(
            "all => all.filter(b => b.scrollHeight > b.clientHeight + 1).length"
        )
        assert over == 0, room
