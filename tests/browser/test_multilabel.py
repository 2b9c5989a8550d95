"""A person tags pictures by keyboard and mouse: sets are put together, taken apart and sent."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.pages import admin_page, names, open_labeling, open_room, signed_in
from tests.servers import Bench, TestServer, page_of, pictures, right

pytestmark = pytest.mark.browser

TAGS = ["warm", "green", "red"]
SETS = {"task_type": "multilabel", "classes": TAGS, "page_size": 4}


async def tags(page: Page) -> list[list[str]]:
    """The chips of each item in view, as they stand there."""
    script = """tiles => tiles.map(tile =>
      [...tile.querySelectorAll('.chip-word')].map(word => word.textContent))"""
    found: list[list[str]] = await page.locator(".tile").evaluate_all(script)
    return found


async def press(page: Page, keys: Iterable[str]) -> None:
    for key in keys:
        await page.keyboard.press(key)


async def stored(bench: Bench, item: str) -> list[object]:
    """The values of an item's votes, oldest first."""
    path = f"/api/projects/{bench.project.project_id}/items/{item}"
    votes = (await bench.admin.request("GET", path)).json()["votes"]
    return [vote["value"] for vote in sorted(votes, key=lambda vote: vote["created_at"])]


async def test_sets_are_put_together_and_stored_as_they_were(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 24), **SETS)
        page = await signed_in(browser, bench)
        await open_labeling(page, bench)
        items = await names(page)
        pressed = page.locator("#classes [aria-pressed=true] .class-name")

        # A tag on, another, in whatever order; the focus stays until Tab.
        await press(page, ["3", "1"])
        assert (await tags(page))[0] == ["warm", "red"]
        await expect(pressed).to_have_text(["warm", "red"])
        # None of these is an answer, and the next item's turn.
        await press(page, ["Tab", "0"])
        assert (await tags(page))[1] == ["None of these"]
        # Off again: then it has no answer.
        await press(page, ["2", "2", "Enter"])
        await expect(page.locator("#do-submit")).to_contain_text("2 to go")
        # All of them: those that lack it get it, and once all have it, all lose it.
        await press(page, ["a", "2"])
        assert await tags(page) == [["warm", "green", "red"], ["green"], ["green"], ["green"]]
        await press(page, ["2"])
        assert await tags(page) == [["warm", "red"], [], [], []]
        await press(page, ["u"])
        assert await tags(page) == [["warm", "green", "red"], ["green"], ["green"], ["green"]]
        # The selection ends where the person turns to one item.
        await press(page, ["ArrowRight", "1"])
        assert sum("warm" in item for item in await tags(page)) == 2
        # A tag's own button takes it off.
        await page.locator(".tile").nth(0).get_by_role("button", name="Take green off").click()
        assert (await tags(page))[0] == ["warm", "red"]
        said = await tags(page)
        await press(page, ["Enter"])
        await expect(page.locator("#today")).to_have_text("4")
        for item, names_said in zip(items, said, strict=True):
            assert await stored(bench, item) == [{"classes": names_said}]

        # The page sent last comes back, is corrected, and its votes are superseded.
        await press(page, ["u"])
        await expect(page.locator(".banner-title")).to_have_text("Correcting an earlier page")
        assert await tags(page) == said
        await press(page, ["0", "Enter"])
        await expect(page.locator(".banner-title")).to_have_text("Tasks manual")
        watch = await bench.watch()
        stats = await watch.until(lambda s: s.labels.get("", 0) == 1)
        assert stats.labels["green"] == 3
        assert await stored(bench, items[0]) == [{"classes": said[0]}, {"classes": []}]


async def test_tags_outlive_a_reload(server: TestServer, browser: Browser, folder: Path) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 12), **SETS)
        page = await signed_in(browser, bench)
        await open_labeling(page, bench)
        await press(page, ["1", "3", "Tab", "0", "s"])
        await expect(page.locator(".tile .chip", has_text="Skipped")).to_have_count(1)
        before = await names(page), await tags(page)
        await page.reload()
        await page.wait_for_selector(".tile")
        await expect(page.locator(".tile .chip", has_text="Skipped")).to_have_count(1)
        assert (await names(page), await tags(page)) == before
        assert before[1] == [["warm", "red"], ["None of these"], ["Skipped"], []]


async def test_alone_on_its_page_an_item_is_sent_by_enter_or_by_none(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 6), **{**SETS, "page_size": 1})
        page = await signed_in(browser, bench)
        await open_labeling(page, bench)
        await press(page, ["1", "2"])
        await expect(page.locator("#do-submit")).to_contain_text("Submit")
        await expect(page.locator("#today")).to_have_text("0")
        await press(page, ["Enter"])
        await expect(page.locator("#today")).to_have_text("1")
        await page.get_by_role("button", name="None of these").click()
        await expect(page.locator("#today")).to_have_text("2")
        assert (await bench.stats()).labels == {"warm": 1, "green": 1, "red": 0, "": 1}


async def test_tab_leaves_the_page_at_its_ends(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 12), **SETS)
        page = await signed_in(browser, bench)
        await open_labeling(page, bench)
        focused = page.locator(".tile[data-focused=true]")
        ids = await names(page)
        await press(page, ["Tab", "Tab", "Tab"])
        await expect(focused).to_have_attribute("data-item", ids[3])
        await press(page, ["Shift+Tab"])
        await expect(focused).to_have_attribute("data-item", ids[2])
        await press(page, ["Tab", "Tab"])
        await expect(page.locator("#sizes button").first).to_be_focused()


async def test_a_reviewer_changes_sets_by_tagging(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        rules = {"votes_min": 2, "votes_max": 2, "set_rule": "exact", "consensus": "majority"}
        await bench.make(pictures(folder, 6), **{**SETS, "page_size": 9, **rules})
        for answer in (["warm", "red"], ["red"]):
            stream = await bench.labeler(page_size=9, credit=1)
            shown = await page_of(stream)
            for item in list(shown.items):
                await stream.cast(item, "label", answer)
            await stream.finish(shown)
        page = await signed_in(browser, bench, "supervisor")
        await open_room(page, bench, "review")
        await expect(page.locator("#found")).to_have_text("1 of 6")
        approve = page.locator('[data-action="approve"]')
        await expect(page.locator(".rv-vote .rv-chip")).to_have_text(["warm", "red", "red"])
        # Keys change a draft; Escape forgets it, Enter decides it.
        standing = await approve.inner_text()
        await press(page, ["2"])
        await expect(approve).to_contain_text("Decide ")
        await expect(approve).to_contain_text("green")
        await press(page, ["Escape"])
        await expect(approve).to_have_text(standing)
        await press(page, ["0"])
        await expect(approve).to_contain_text("Decide None of these")
        await press(page, ["1", "2", "Enter"])
        await expect(page.locator("#done")).to_have_text("Decided: warm, green")
        await expect(page.locator("#found")).to_have_text("1 of 5")
        # Nothing of it is left for the next one.
        await expect(approve).to_contain_text("Approve ")
        await press(page, ["Enter"])
        await expect(page.locator("#done")).to_contain_text("Approved as ")

        # Many at once, and taken back.
        await press(page, ["g", "a", "0", "Enter"])
        await expect(page.locator("#done")).to_have_text("4 items changed to None of these")
        assert (await bench.stats()).labels[""] == 4
        await page.locator("#tabs").get_by_role("button", name="Labeled").click()
        tiles = page.locator(".rv-tile")
        await expect(tiles).to_have_count(6)
        await page.keyboard.press("f")
        by_class = page.get_by_label("Class", exact=True)
        await by_class.select_option("None of these")
        await expect(tiles).to_have_count(4)
        await by_class.select_option("green")
        await expect(tiles).to_have_count(1)
        await expect(tiles.locator(".rv-chip")).to_have_text(["warm", "green"])
        await page.reload()
        await expect(tiles).to_have_count(1)


async def test_a_project_is_made_for_label_sets(server: TestServer, browser: Browser) -> None:
    async with Bench(server) as bench:
        await bench.make()
        page = await admin_page(browser, bench)
        await page.goto(f"{server.url}/projects/new")
        await page.get_by_label("Name", exact=True).fill("Moods")
        await page.keyboard.press("Enter")
        rules = page.get_by_role("group", name="How several people's answers become one")
        await expect(rules).to_be_hidden()
        # Radio cards answer to the arrow keys.
        await page.get_by_role("radio", name="Pictures, one class").focus()
        for _ in range(5):
            await page.keyboard.press("ArrowDown")
        await expect(page.get_by_role("radio", name="Texts, several classes")).to_be_checked()
        await page.get_by_role("radio", name="The exact set").check()
        following = page.get_by_role("button", name="Next")
        await following.click()
        await expect(page.locator("#drop")).to_contain_text("texts")
        await page.get_by_role("radio", name="Later").check()
        await following.click()
        await page.get_by_label("One in a line").fill("glad\nsad")
        for _ in range(5):
            await following.click()
        await page.get_by_role("button", name="Initialize").click()
        await page.wait_for_url("**/p/*")
        made = (await bench.admin.request("GET", "/api/projects")).json()["projects"]
        moods = next(p for p in made if p["name"] == "Moods")
        assert (moods["task_type"], moods["set_rule"]) == ("text-multilabel", "exact")
        assert moods["cluster"] is False
        # What was chosen can be changed where the other settings are.
        await page.goto(f"{server.url}/p/{moods['project_id']}/settings")
        await page.get_by_role("radio", name="Class by class").check()
        await page.get_by_role("button", name="Save", exact=True).click()
        await expect(page.locator("#saved")).to_be_visible()
        path = f"/api/projects/{moods['project_id']}"
        assert (await bench.admin.request("GET", path)).json()["set_rule"] == "class"


@pytest.mark.slow
async def test_the_models_tags_are_corrected(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        helps = {"prelabel": True, "target": 0.8, "audit_share": 0.0}
        await bench.make(pictures(folder, 120), **{**SETS, "page_size": 9, **helps})
        watch = await bench.watch()
        colleague = await bench.labeler(page_size=9, credit=1)
        for _ in range(8):
            shown = await page_of(colleague)
            for item in list(shown.items):
                # All that are red are warm.
                answer = ["warm", "red"] if right(item.name) == "red" else ["green"]
                await colleague.cast(item, "label", answer)
            await colleague.finish(shown)
        await watch.until(lambda s: s.queue["prelabeled"] >= 20 and not s.assist.running)
        page = await signed_in(browser, bench)
        await open_labeling(page, bench)
        await expect(page.locator(".banner-title")).to_have_text("Tasks prelabeled")
        items, said = await names(page), await tags(page)
        assert all(item in (["warm", "red"], ["green"]) for item in said)
        by_model = page.locator('.tile[data-by="model"]')
        await expect(by_model).to_have_count(len(items))
        await expect(page.locator(".tile").first.locator(".chip-model")).to_contain_text("model")
        # One more tag makes the answer the person's own; the others stay the model's.
        await press(page, ["3" if "red" not in said[0] else "2"])
        await expect(by_model).to_have_count(len(items) - 1)
        mine = (await tags(page))[0]
        assert set(mine) > set(said[0])
        await press(page, ["Enter"])
        await expect(page.locator("#today")).to_have_text(str(len(items)))
        assert await stored(bench, items[0]) == [{"classes": mine}]
        assert await stored(bench, items[1]) == [{"classes": said[1]}]
