"""Texts come in as a table, are read and labeled by keyboard, and stay text whatever they hold."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.pages import names, open_labeling, open_room, signed_in
from tests.browser.test_accessible import no_barrier
from tests.servers import Bench, TestServer

pytestmark = pytest.mark.browser

NASTY = "<script>document.title = 'taken over'</script><img src=x onerror=alert(1)> & so on"
LONG = "\n\n".join(f"Paragraph {n}: " + "it goes on and on about nothing. " * 9 for n in range(12))


def table(path: Path, rows: Sequence[Sequence[str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows(rows)
    return path


async def make(bench: Bench, task_type: str = "text-multiclass", **settings: Any) -> None:
    await bench.make(task_type=task_type, classes=["praise", "blame", "ask"], **settings)


async def bring(bench: Bench, page: Page, path: Path) -> None:
    """A supervisor chooses a file in the settings."""
    await open_room(page, bench, "settings")
    await page.locator("#files").set_input_files(str(path))


async def filled(bench: Bench, browser: Browser, path: Path, count: int) -> None:
    boss = await signed_in(browser, bench, "supervisor")
    await bring(bench, boss, path)
    await expect(boss.locator("#import-text")).to_contain_text(f"Done: {count} added")


async def open_texts(page: Page, bench: Bench) -> None:
    await open_labeling(page, bench)
    await page.wait_for_selector(".tile .reading p")


async def reader(bench: Bench, browser: Browser, path: Path, count: int) -> Page:
    """A new labeler's page with texts on it, once a supervisor has brought `count` in."""
    await filled(bench, browser, path, count)
    page = await signed_in(browser, bench)
    await open_texts(page, bench)
    return page


async def test_a_table_comes_in_by_the_columns_chosen_and_is_labeled_by_key(
    server: TestServer, browser: Browser, tmp_path: Path
) -> None:
    async with Bench(server) as bench:
        await make(bench, page_size=4)
        rows = [["title", "Text", "internal", "label"]]
        rows += [
            [f"Title {n}", f"  Text {n},\n  in two lines", f"secret {n}", ""] for n in range(8)
        ]
        boss = await signed_in(browser, bench, "supervisor")
        await bring(bench, boss, table(tmp_path / "reviews.csv", rows))
        dialog = boss.get_by_role("dialog")
        await expect(dialog).to_contain_text("What do people read of reviews.csv?")
        await expect(dialog.get_by_label("title")).to_be_checked()
        await expect(dialog.get_by_label("label")).not_to_be_checked()
        await expect(dialog).to_contain_text("secret 0")
        await no_barrier(boss)
        await dialog.get_by_label("internal").uncheck()
        await dialog.get_by_role("button", name="Import").click()
        await expect(boss.locator("#import-text")).to_contain_text("Done: 8 added")

        page = await signed_in(browser, bench)
        await open_texts(page, bench)
        await expect(page.locator(".banner-text")).to_have_text("Give each text its class.")
        first = page.locator(".tile").first
        await expect(first.locator("h4")).to_have_text(["title", "Text"])
        # What stands between the words stands there on the page, too.
        shown = await first.locator("p").nth(1).evaluate("p => p.innerText")
        assert shown.startswith("  Text ")
        assert ",\n  in two lines" in shown
        await expect(page.locator("#grid")).not_to_contain_text("secret")
        count = len(await names(page))
        for key in "12312312"[:count]:
            await page.keyboard.press(key)
        await page.keyboard.press("Enter")
        await expect(page.locator("#today")).to_have_text(str(count))
        assert (await bench.stats()).votes == count


async def test_a_text_is_shown_as_text_whatever_it_holds(
    server: TestServer, browser: Browser, tmp_path: Path
) -> None:
    async with Bench(server) as bench:
        await make(bench, page_size=1, votes_max=2)
        path = tmp_path / "nasty.txt"
        path.write_text(NASTY, encoding="utf-8")
        await filled(bench, browser, path, 1)
        page = await signed_in(browser, bench)
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        await open_texts(page, bench)
        await expect(page.locator(".tile p")).to_have_text(NASTY)
        await expect(page.locator(".tile h4")).to_have_count(0)
        await page.keyboard.press("z")
        await expect(page.locator(".zoom-text p")).to_have_text(NASTY)
        boss = await signed_in(browser, bench, "supervisor")
        review = f"{server.url}/p/{bench.project.project_id}/review?state=all"
        await boss.goto(review)
        await expect(boss.locator(".rv-text p")).to_have_text(NASTY)
        await boss.keyboard.press("g")
        await expect(boss.locator(".rv-tile .snippet")).to_have_text(NASTY[:160])
        assert "taken over" not in await page.title() + await boss.title()
        assert errors == []


async def test_the_letters_keep_their_size(
    server: TestServer, browser: Browser, tmp_path: Path
) -> None:
    async with Bench(server) as bench:
        await make(bench, page_size=1)
        rows = [["text"], *([f"A text to read, number {n}."] for n in range(6))]
        page = await reader(bench, browser, table(tmp_path / "short.csv", rows), 6)

        async def size() -> float:
            script = "p => Number.parseFloat(getComputedStyle(p).fontSize)"
            return float(await page.locator(".tile p").first.evaluate(script))

        usual = await size()
        for _ in range(2):
            await page.keyboard.press("+")
        larger = await size()
        assert larger > usual
        await page.reload()
        await expect(page.locator(".tile .reading p").first).to_have_css(
            "font-size", f"{larger:g}px"
        )
        for _ in range(4):
            await page.get_by_role("button", name="Smaller letters").click()
        assert await size() < usual
        await expect(page.get_by_role("button", name="Smaller letters")).to_be_disabled()


async def test_a_long_text_scrolls_in_its_card_and_the_classes_stay(
    server: TestServer, browser: Browser, tmp_path: Path
) -> None:
    async with Bench(server) as bench:
        await make(bench, "text-multilabel", page_size=1)
        page = await reader(bench, browser, table(tmp_path / "long.csv", [["text"], [LONG]]), 1)
        card, body = page.locator(".tile-text"), page.locator(".tile-body")
        await expect(card).to_have_attribute("data-more", "true")
        await expect(page.locator("#classes")).to_be_in_viewport(ratio=1)
        box, stage = (
            await page.locator(".tile").bounding_box(),
            await page.locator(".stage").bounding_box(),
        )
        assert box is not None
        assert stage is not None
        assert box["height"] <= stage["height"]
        # No line is longer than is good to read.
        line = await page.locator(".tile .reading").bounding_box()
        assert line is not None
        assert line["width"] < 750
        await page.keyboard.press("ArrowDown")
        assert 0 < await body.evaluate("b => b.scrollTop") < 100
        for _ in range(40):
            await page.keyboard.press("PageDown")
        await expect(card).to_have_attribute("data-more", "false")
        for key in ("1", "3", "Enter"):
            await page.keyboard.press(key)
        await expect(page.locator("#today")).to_have_text("1")
        assert (await bench.stats()).labels == {"praise": 1, "blame": 0, "ask": 1, "": 0}


async def test_as_many_texts_as_fit_and_the_next_page_at_once(
    server: TestServer, browser: Browser, tmp_path: Path
) -> None:
    async with Bench(server) as bench:
        await make(bench, page_size=1)
        rows = [["text"], *([f"Short {n}."] for n in range(60))]
        page = await reader(bench, browser, table(tmp_path / "short.csv", rows), 60)
        tiles = page.locator(".tile")
        # One on a page would be a waste: the first page comes anew.
        await expect(tiles).to_have_count(9)
        await expect(page.locator('.tile-text[data-more="true"]')).to_have_count(0)
        # Without the server the page that comes next is there, with its texts.
        await page.wait_for_load_state("networkidle")
        await page.context.set_offline(True)
        for key in ("a", "1", "Enter"):
            await page.keyboard.press(key)
        await expect(tiles).to_have_count(9)
        await expect(page.locator(".tile .reading p")).to_have_count(9)
        await expect(page.locator(".tile .chip")).to_have_count(0)
        await page.context.set_offline(False)
        await expect(page.locator("#today")).to_have_text("9")
        # Once a size is chosen it stays, also after a reload.
        await page.locator('#sizes [data-size="4"]').click()
        await expect(tiles).to_have_count(4)
        await page.reload()
        await expect(tiles).to_have_count(4)


async def test_a_reviewer_reads_and_decides(
    server: TestServer, browser: Browser, tmp_path: Path
) -> None:
    async with Bench(server) as bench:
        await make(bench, "text-multilabel")
        rows = [["title", "text"], ["Long", LONG], ["Short", "A word."]]
        path = table(tmp_path / "two.csv", rows)
        root = f"/api/projects/{bench.project.project_id}"
        await bench.admin.request("POST", f"{root}/import", json={"csv": str(path)})
        watch = await bench.watch()
        await watch.until(lambda s: s.counts.items == 2)
        boss = await signed_in(browser, bench, "supervisor")
        await open_room(boss, bench, "review?state=all")
        text = boss.locator(".rv-text")
        await expect(text.locator("p").first).to_have_text("Long")
        await boss.keyboard.press("PageDown")
        assert await text.evaluate("t => t.scrollTop") > 100
        for key in ("1", "3", "Enter"):
            await boss.keyboard.press(key)
        await expect(boss.locator("#done")).to_have_text("Decided: praise, ask")
        # The next text begins at its beginning.
        await expect(text.locator("p")).to_have_text(["Short", "A word."])
        await boss.keyboard.press("z")
        await expect(boss.locator(".zoom-text p").first).to_have_text("Short")
        await boss.keyboard.press("Escape")
        await boss.keyboard.press("0")
        await boss.keyboard.press("Enter")
        await expect(boss.locator("#done")).to_have_text("Decided: None of these")
        await watch.until(lambda s: s.labels == {"praise": 1, "blame": 0, "ask": 1, "": 1})
        await open_room(boss, bench)
        await expect(boss.locator("#done-of")).to_have_text("2 of 2 labeled")
        await open_room(boss, bench, "quality")
        await expect(boss.locator("#confusion tbody tr")).to_have_count(3)


async def test_a_page_of_one_grows_again_when_texts_become_short(
    server: TestServer, browser: Browser, tmp_path: Path
) -> None:
    async with Bench(server) as bench:
        await make(bench, page_size=1)
        long = table(tmp_path / "long.csv", [["text"], [LONG * 2]])
        page = await reader(bench, browser, long, 1)
        rows = [["text"], *([f"Short {n}."] for n in range(30))]
        await filled(bench, browser, table(tmp_path / "short.csv", rows), 30)
        tiles = page.locator(".tile")
        await expect(tiles).to_have_count(1)
        # The key labels the one text and sends it, and a few more.
        for n in range(1, 9):
            if await tiles.count() > 1:
                break
            await page.keyboard.press("1")
            await expect(page.locator("#today")).to_have_text(str(n))
        await expect(tiles).to_have_count(9)
