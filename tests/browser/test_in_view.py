"""What a person is about to answer, or to press, can be seen and reached: on a phone, on a page
enlarged by the browser, and beside messages."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.browser.drawing import CLASSES, cells, open_drawing
from tests.browser.pages import open_labeling, signed_in
from tests.browser.test_accessible import violations
from tests.server.test_blindness import with_gold
from tests.servers import Bench, TestServer, pictures

pytestmark = pytest.mark.browser

MANY = [f"class {n:02}" for n in range(1, 13)]
HIDDEN = """tile => {
    const of = selector => document.querySelector(selector).getBoundingClientRect();
    const box = tile.getBoundingClientRect();
    return Math.max(of(".top").bottom - box.top, box.bottom - of(".classes").top, 0);
}"""
"""Pixels of a picture above or below what is to be seen, where the classes are at the bottom."""


def in_focus(page: Page) -> Locator:
    return page.locator('.tile[data-focused="true"]')


@pytest.mark.parametrize(("width", "height"), [(360, 740), (640, 400)])
async def test_the_picture_that_a_key_or_a_tap_is_about_is_in_view(
    server: TestServer, browser: Browser, folder: Path, width: int, height: int
) -> None:
    """A phone, and a window of 1,280 × 800 enlarged twice."""
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 20), page_size=9)
        page = await signed_in(browser, bench, touch=True)
        await page.set_viewport_size({"width": width, "height": height})
        await open_labeling(page, bench)
        first = page.locator(".tile").first
        for n in range(9):
            assert await in_focus(page).evaluate(HIDDEN) == 0, f"picture {n + 1}"
            if n % 2:
                await page.keyboard.press("1")
            else:
                await page.locator(".class-button").first.tap()
            await expect(page.locator(".tile .chip:visible")).to_have_count(n + 1)
        await page.locator("#do-submit").tap()
        await expect(page.locator("#page-progress")).to_have_text("0 / 9")
        await expect(first).to_have_attribute("data-focused", "true")
        assert await first.evaluate(HIDDEN) == 0, "the next page"
        if height > 480:
            await expect(page.locator(".banner-title")).to_be_in_viewport(ratio=1)


async def test_on_a_touch_screen_the_buttons_on_a_picture_leave_it_to_be_seen(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 12), page_size=9)
        page = await signed_in(browser, bench, touch=True)
        phone = await page.context.new_cdp_session(page)
        await phone.send(
            "Emulation.setEmulatedMedia", {"features": [{"name": "pointer", "value": "coarse"}]}
        )
        await page.set_viewport_size({"width": 360, "height": 740})
        await open_labeling(page, bench)
        assert await page.evaluate("matchMedia('(pointer: coarse)').matches")
        second = page.locator(".tile").nth(1)
        await expect(second.get_by_role("button", name="Select")).to_be_visible()
        for name in ("Comments", "Zoom"):
            await expect(second.get_by_role("button", name=name)).to_be_hidden()
        await second.tap()
        for name in ("Select", "Comments", "Zoom"):
            button = second.get_by_role("button", name=name)
            await expect(button).to_be_visible()
            box, sign = await button.bounding_box(), await button.locator("svg").bounding_box()
            assert box is not None
            assert sign is not None
            assert min(box["width"], box["height"]) >= 44, "room for a thumb"
            assert max(sign["width"], sign["height"]) <= 30, "little of the picture"


async def test_a_message_is_not_in_the_way_of_what_it_asks_for(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(cells(folder, 4), classes=CLASSES, task_type="boxes", votes_max=1)
        page = await signed_in(browser, bench)
        await open_drawing(page, bench)
        submit = page.locator("#do-submit")
        await submit.click()
        toast = page.locator(".toast", has_text="Submit once more")
        said, asked = await toast.bounding_box(), await page.locator(".bar").bounding_box()
        assert said is not None
        assert asked is not None
        assert said["y"] + said["height"] <= asked["y"]
        await page.set_viewport_size({"width": 390, "height": 844})
        await submit.click(position={"x": 4, "y": 4})
        await expect(page.locator("#today")).to_have_text("1")
        assert await toast.count() == 0, "it was about the picture before"


async def test_all_of_a_dozen_classes_are_in_view_where_there_is_room(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 12), page_size=4, classes=MANY)
        page = await signed_in(browser, bench)
        await open_labeling(page, bench)
        last = page.get_by_role("button", name=MANY[-1])
        await expect(last).to_be_in_viewport(ratio=0.95)
        # Where there is not, the list scrolls, and what is below it stays within reach.
        await page.set_viewport_size({"width": 1280, "height": 420})
        await last.scroll_into_view_if_needed()
        await expect(last).to_be_in_viewport(ratio=0.95)
        await page.get_by_role("link", name="All my answers").click(trial=True)


async def test_groups_of_classes_stay_one_row_on_a_phone(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        classes = [f"upper body/{name}" for name in ("shirt", "vest")] + ["feet/shoe"]
        await bench.make(pictures(folder, 12), page_size=4, classes=classes)
        page = await signed_in(browser, bench)
        await page.set_viewport_size({"width": 360, "height": 640})
        await open_labeling(page, bench)
        group = await page.locator(".class-group").first.bounding_box()
        bar = await page.locator(".classes").bounding_box()
        assert group is not None
        assert bar is not None
        assert group["height"] < 30, "a line"
        assert bar["height"] < 80


async def test_words_are_not_cut_off(server: TestServer, browser: Browser, folder: Path) -> None:
    async with Bench(server) as bench:
        names = ["a long-sleeved shirt", "red"]
        await bench.make(pictures(folder, 24), page_size=9, classes=names)
        page = await signed_in(browser, bench)
        await open_labeling(page, bench)
        # Nothing but the pointer over a button that is not ready yet.
        await page.locator("#do-submit").hover()
        assert await violations(page, "#do-submit") == []
        await page.keyboard.press("Space")
        chip = page.locator("#selection")
        await expect(chip).to_contain_text("1 selected")
        cut = """(chip, words) => {
            const range = document.createRange();
            range.setStart(chip.firstChild, 0);
            range.setEnd(chip.firstChild, words.length);
            return range.getBoundingClientRect().right - chip.getBoundingClientRect().right;
        }"""
        assert await chip.evaluate(cut, "1 selected") < 0
        await page.keyboard.press("1")
        await page.keyboard.press("z")
        word = page.locator("#zoom .chip-word")
        await expect(word).to_have_text(names[0])
        assert await word.evaluate("e => e.scrollWidth <= e.clientWidth")


async def test_a_page_that_is_begun_says_that_another_size_comes_later(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 24), page_size=4)
        page = await signed_in(browser, bench)
        await open_labeling(page, bench)
        await page.keyboard.press("1")
        await page.locator('#sizes button[data-size="6"]').click()
        await expect(page.locator(".toast")).to_contain_text("the next ones are of 6")
        await expect(page.locator(".tile")).to_have_count(4)


async def test_no_line_above_the_pictures_makes_a_narrow_window_scroll_sideways(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await with_gold(bench, folder, 12, 4, page_size=4, gold_rate=0, practice=4)
        page = await signed_in(browser, bench)
        await page.set_viewport_size({"width": 360, "height": 640})
        wide = "document.documentElement.scrollWidth"
        await open_labeling(page, bench)
        title = page.locator(".banner-title")
        await expect(title).to_contain_text("Practice, 1 to 4")
        assert await page.evaluate(wide) == 360
        for key in ("a", "1", "Enter"):
            await page.keyboard.press(key)
        await expect(title).to_contain_text("of 4 right")
        assert await page.evaluate(wide) == 360
        await page.keyboard.press("Enter")
        for key in ("a", "1", "Enter"):
            await page.keyboard.press(key)
        await expect(page.locator(".mosaic")).to_have_count(1)
        await page.keyboard.press("u")
        await expect(title).to_have_text("Correcting an earlier page")
        assert await page.evaluate(wide) == 360
