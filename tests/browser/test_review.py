"""Reviewers at work in real browsers: by keyboard, two at once, many at once, with a note."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.pages import (
    Wire,
    few_at_a_time,
    open_labeling,
    open_review,
    open_room,
    signed_in,
)
from tests.browser.test_accessible import no_barrier
from tests.servers import PATIENCE, Bench, TestServer, page_of, pictures, right

pytestmark = pytest.mark.browser


async def disputed(bench: Bench, folder: Path, count: int = 4, **settings: object) -> None:
    """Two people label `count` pictures and never agree; nobody counts for more than the other."""
    rules = {"votes_min": 2, "votes_max": 2, "consensus": "majority", "page_size": 9}
    await bench.make(pictures(folder, count), **{**rules, **settings})
    for wrong in (False, True):
        stream = await bench.labeler(page_size=9, credit=1)
        while (page := await stream.next_page()) is not None:
            for item in list(page.items):
                answer = right(item.name)
                if wrong:
                    answer = "green" if answer == "red" else "red"
                await stream.cast(item, "label", answer)
            await stream.finish(page)


async def current(page: Page) -> str | None:
    return await page.locator(".rv-thumb[aria-current]").get_attribute("data-item")


async def test_three_items_by_a_key_each_and_one_taken_back(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await disputed(bench, folder)
        page = await signed_in(browser, bench, "supervisor")
        await open_review(page, bench)
        await expect(page.locator("#found")).to_have_text("1 of 4")
        await expect(page.locator(".rv-why")).to_have_text("People disagree")
        await expect(page.locator(".rv-vote")).to_have_count(2)
        first = await current(page)
        await page.keyboard.press("Enter")
        await expect(page.locator("#done")).to_contain_text("Approved as")
        await expect(page.locator("#found")).to_have_text("1 of 3")
        assert await current(page) != first
        await page.keyboard.press("2")
        await expect(page.locator("#done")).to_have_text("Decided: red")
        await page.keyboard.press("r")
        await expect(page.locator("#done")).to_have_text("Sent back to the labelers")
        await expect(page.locator("#found")).to_have_text("1 of 1")
        await page.keyboard.press("u")
        await expect(page.locator("#done")).to_have_text("Votes stand again")
        await expect(page.locator("#found")).to_contain_text("of 2")
        # A removal that is stopped within its second is never written.
        last = await current(page)
        await page.keyboard.press("Delete")
        await expect(page.locator("#done")).to_have_text("Removed")
        await page.keyboard.press("u")
        await expect(page.locator("#done")).to_have_text("Not removed")
        assert await current(page) == last
        counts = (await bench.stats()).counts
        assert (counts.labeled, counts.needs_review, counts.removed) == (2, 2, 0)
        await page.keyboard.press("Delete")
        watch = await bench.watch()
        await watch.until(lambda s: s.counts.removed == 1)
        await page.keyboard.press("Enter")
        await expect(page.locator("#nothing h2")).to_have_text("Nothing to review")


async def test_two_reviewers_share_the_inbox(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await disputed(bench, folder)
        ann = await signed_in(browser, bench, "supervisor")
        await open_review(ann, bench)
        ben = await signed_in(browser, bench, "supervisor")
        await open_review(ben, bench)
        hers = await current(ann)
        await expect(ben.locator(f'.rv-thumb[data-item="{hers}"] .rv-by')).to_be_visible()
        assert await current(ben) != hers
        # What one decides leaves the other's list, who keeps their place.
        his = await current(ben)
        await ann.keyboard.press("Enter")
        await expect(ben.locator("#found")).to_contain_text("of 3")
        assert await current(ben) == his
        # Ben looks at what Ann has open, and she is quicker: he is told, nothing is lost.
        hers = await current(ann)
        await ben.locator(f'.rv-thumb[data-item="{hers}"]').click()
        await expect(ben.locator(".rv-notice")).to_contain_text("is on it")
        await ann.keyboard.press("2")
        await expect(ben.locator(".rv-notice")).to_contain_text("decided it as red")
        await ben.keyboard.press("j")
        await expect(ben.locator(".rv-notice")).to_be_empty()
        assert (await bench.stats()).counts.needs_review == 2


async def test_a_grid_of_many_decided_at_once(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await disputed(bench, folder, 8)
        page = await signed_in(browser, bench, "supervisor")
        await open_review(page, bench)
        await page.keyboard.press("g")
        tiles = page.locator(".rv-tile")
        await expect(tiles).to_have_count(8)
        await tiles.nth(1).click()
        await tiles.nth(3).click(modifiers=["Shift"])
        await expect(page.locator("#selected")).to_have_text("3 selected")
        await page.keyboard.press("1")
        await expect(page.locator("#done")).to_have_text("3 items changed to green")
        await expect(tiles).to_have_count(5)
        await page.keyboard.press("a")
        await page.keyboard.press("Space")
        await expect(page.locator("#selected")).to_have_text("4 selected")
        await page.keyboard.press("y")
        await expect(page.locator("#done")).to_contain_text(
            "4 refused: 4× this item is not skipped"
        )
        await expect(page.locator("#selected")).to_have_text("4 selected")
        await page.keyboard.press("Enter")
        await expect(page.locator("#done")).to_have_text("4 items approved")
        await expect(tiles).to_have_count(1)
        await page.keyboard.press("u")
        await expect(tiles).to_have_count(5)
        assert "view=grid" in page.url
        await page.locator('#tabs [data-state="labeled"]').click()
        await expect(tiles).to_have_count(3)
        await page.reload()
        await expect(tiles).to_have_count(3)
        await page.keyboard.press("f")
        await page.keyboard.type("red-")
        await expect(page.locator("#filter-count")).to_have_text("1")
        assert "text=red-" in page.url
        left = (await bench.stats()).counts
        assert (left.labeled, left.needs_review) == (3, 5)


async def test_large_items_come_a_few_at_a_time(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await disputed(bench, folder, 8)
        page = await signed_in(browser, bench, "supervisor")
        await few_at_a_time(page)
        await open_review(page, bench, "?view=grid")
        tiles = page.locator(".rv-tile")
        await expect(tiles).to_have_count(8)
        await tiles.nth(1).click()
        await tiles.nth(7).click(modifiers=["Shift"])
        await page.keyboard.press("1")
        await expect(tiles).to_have_count(1)
        # All of those that are asked for by their ids come back.
        await page.keyboard.press("u")
        await expect(tiles).to_have_count(8)


async def test_a_new_case_and_a_note_arrive_by_themselves(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 20), page_size=4)
        boss = await signed_in(browser, bench, "supervisor")
        await open_review(boss, bench)
        await expect(boss.locator("#nothing h2")).to_have_text("Nothing to review")
        labeler = await signed_in(browser, bench)
        await open_labeling(labeler, bench)
        colleague = await bench.labeler(page_size=1, credit=1)
        item = (await page_of(colleague)).items[0]
        await colleague.cast(item, "flag")
        await expect(boss.locator(".rv-why")).to_contain_text("Flagged by")
        assert await current(boss) == str(item.item_id)
        await boss.keyboard.press("2")
        await expect(boss.locator("#done")).to_have_text("Decided: red")
        await boss.keyboard.press("n")
        await boss.keyboard.type("A shadow is no colour.")
        await no_barrier(boss)
        await boss.get_by_role("button", name="Send", exact=True).click()
        banner = labeler.locator("#note-banner")
        await expect(banner).to_contain_text("A shadow is no colour.")
        await expect(banner).to_contain_text("supervisor")
        await labeler.locator("#note-done").click()
        await expect(banner).to_be_hidden()
        await labeler.reload()
        await expect(labeler.locator("#notes-list")).to_contain_text("A shadow is no colour.")
        await expect(banner).to_be_hidden()


async def test_a_stale_decision_is_refused_and_says_whose_came_first(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await disputed(bench, folder)
        page = await signed_in(browser, bench, "supervisor")
        wire = await Wire.on(page)
        await open_review(page, bench)
        item = await current(page)
        # What others do is not heard here for a moment.
        wire.lose = lambda frame: frame.get("type") in ("review.decided", "label.decided", "claims")
        decision = {"action": "change", "value": {"class": "green"}}
        path = f"/api/projects/{bench.project.project_id}/items/{item}/review"
        await bench.admin.request("POST", path, json=decision)
        await page.keyboard.press("2")
        await expect(page.locator(".toast")).to_contain_text("Admin changed it meanwhile")
        await expect(page.locator("#done")).to_have_text("Not decided: Admin changed it meanwhile")
        # It is out of the list, and nothing was overwritten.
        await expect(page.locator("#found")).to_contain_text("of 3")
        assert await current(page) != item
        assert (await bench.stats()).labels == {"green": 1, "red": 0}


async def test_an_answer_that_got_lost_is_found_again(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await disputed(bench, folder)
        page = await signed_in(browser, bench, "supervisor")
        wire = await Wire.on(page)
        await open_review(page, bench)
        # The decision arrives, its answer does not.
        first = await current(page)
        wire.lose = lambda frame: "re" in frame and "label" in (frame.get("body") or {})
        await page.keyboard.press("2")
        watch = await bench.watch()
        await watch.until(lambda s: s.counts.labeled == 1)
        await wire.cut()
        wire.lose = lambda frame: False
        await expect(page.locator("#done")).to_have_text("Decided: red")
        await page.keyboard.press("u")
        await expect(page.locator("#done")).to_have_text("Decision taken back")
        assert await current(page) == first
        # The decision itself does not arrive: it is sent again.
        wire.lose = lambda frame: frame.get("type") == "review.decide"
        await page.keyboard.press("1")
        await expect(page.locator("#found")).to_contain_text("of 3")
        async with asyncio.timeout(PATIENCE):
            while not any(frame.get("type") == "review.decide" for frame in wire.lost):
                await page.wait_for_timeout(20)
        assert (await bench.stats()).counts.labeled == 0
        await wire.cut()
        wire.lose = lambda frame: False
        await expect(page.locator("#done")).to_have_text("Decided: green")
        assert (await bench.stats()).labels["green"] == 1
        # Without a connection nothing is decided, and that is said.
        held = await current(page)
        await page.context.set_offline(True)
        await page.evaluate("dispatchEvent(new Event('offline'))")
        await expect(page.locator("#connection")).to_have_attribute("data-state", "lost")
        await page.keyboard.press("2")
        await expect(page.locator(".toast").last).to_contain_text("nothing was decided")
        assert await current(page) == held
        await page.context.set_offline(False)
        await expect(page.locator("#connection")).to_have_attribute("data-state", "live")
        assert (await bench.stats()).counts.labeled == 1


async def test_what_is_enlarged_is_what_keys_decide(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await disputed(bench, folder)
        page = await signed_in(browser, bench, "supervisor")
        await open_review(page, bench)
        enlarged, name = page.locator("#zoom"), page.locator("#zoom .zoom-name")
        await page.keyboard.press("z")
        before = await name.inner_text()
        await page.keyboard.press("j")
        await expect(page.locator("#found")).to_have_text("2 of 4")
        shown = await page.locator(".rv-name").inner_text()
        await expect(name).to_contain_text(shown)
        assert shown not in before
        item = await current(page)
        await page.keyboard.press("2")
        await expect(enlarged).to_be_hidden()
        await expect(page.locator("#done")).to_have_text("Decided: red")
        path = f"/api/projects/{bench.project.project_id}/items/{item}"
        assert (await bench.admin.request("GET", path)).json()["name"] == shown
        # In the grid the one in focus; after the last there is nothing to enlarge.
        await page.keyboard.press("g")
        await page.keyboard.press("z")
        for left in (2, 1, 0):
            await expect(enlarged).to_be_visible()
            focused = page.locator('.rv-tile[data-focused="true"]')
            label = str(await focused.get_attribute("aria-label"))
            await expect(name).to_contain_text(label.partition(",")[0])
            await page.keyboard.press("1")
            await expect(page.locator(".rv-tile")).to_have_count(left)
        await expect(enlarged).to_be_hidden()
        assert (await bench.stats()).labels == {"green": 3, "red": 1}


async def test_a_double_click_decides_one_item(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await disputed(bench, folder, 6)
        page = await signed_in(browser, bench, "supervisor")
        await open_review(page, bench)
        await page.locator('#single [data-action="approve"]').dblclick()
        await expect(page.locator("#found")).to_have_text("1 of 5")
        await page.locator("#classes .class-button").first.dblclick()
        await expect(page.locator("#found")).to_have_text("1 of 4")
        await page.keyboard.press("g")
        await page.locator(".rv-tile").first.click()
        await page.locator('[data-many="approve"]').dblclick()
        await expect(page.locator(".rv-tile")).to_have_count(3)
        await expect(page.locator("#done")).to_have_text("1 item approved")
        assert (await bench.stats()).counts.labeled == 3


async def test_more_than_nine_classes_are_found_by_typing(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await disputed(bench, folder)
        path = f"/api/projects/{bench.project.project_id}/classes"
        for name in ("blue", "dark blue", "grey", "pink", "teal", "plum", "navy", "rust", "lime"):
            await bench.admin.request("POST", path, json={"name": name})
        page = await signed_in(browser, bench, "supervisor")
        await open_review(page, bench)
        await page.keyboard.press("9")
        await expect(page.locator("#done")).to_have_text("Decided: navy")
        await page.keyboard.press("/")
        await page.keyboard.type("lu")
        # An input method's own Enter chooses no class.
        search = page.locator("#classes .class-search")
        await search.dispatch_event("keydown", {"key": "Enter", "isComposing": True})
        await expect(search).to_have_value("lu")
        shown = page.locator("#classes .class-button:visible")
        await expect(shown).to_have_count(3)
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("Enter")
        await expect(page.locator("#done")).to_have_text("Decided: dark blue")
        await page.keyboard.press("/")
        await page.keyboard.type("zzz")
        await page.keyboard.press("Enter")
        await expect(shown).to_have_count(0)
        await page.keyboard.press("Escape")
        await expect(shown).to_have_count(11)
        # The keyboard is the room's again.
        await page.keyboard.press("1")
        await expect(page.locator("#done")).to_have_text("Decided: green")
        assert (await bench.stats()).counts.labeled == 3


async def test_filters_narrow_the_list_and_live_in_the_address(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await disputed(bench, folder, 6)
        page = await signed_in(browser, bench, "supervisor")
        await open_review(page, bench, "?state=all&view=grid")
        tiles = page.locator(".rv-tile")
        await expect(tiles).to_have_count(6)
        await page.keyboard.press("f")
        await expect(page.locator('#filters [name="text"]')).to_be_focused()
        await page.keyboard.type("GREEN-")
        await page.keyboard.press("Enter")
        await expect(tiles).to_have_count(3)
        await page.locator('#filters [name="disagreement"]').select_option("model")
        await expect(page.locator("#nothing h2")).to_have_text("Nothing matches")
        await page.locator('#filters [name="disagreement"]').select_option("people")
        await expect(tiles).to_have_count(3)
        await page.locator('#filters [name="max"]').fill("10")
        await expect(page.locator("#nothing h2")).to_have_text("Nothing matches")
        await page.locator('#filters [name="max"]').fill("")
        labeler = page.locator('#filters [name="labeler"] option').nth(1)
        await page.locator('#filters [name="labeler"]').select_option(
            str(await labeler.get_attribute("value"))
        )
        await expect(tiles).to_have_count(3)
        await expect(page.locator("#filter-count")).to_have_text("3")
        assert "disagreement=people" in page.url
        await page.reload()
        await expect(tiles).to_have_count(3)
        await expect(page.locator('#filters [name="text"]')).to_have_value("GREEN-")
        await page.locator("#clear-filters").click()
        await expect(tiles).to_have_count(6)


async def test_everything_that_matches_is_decided_and_taken_back(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    count = 140
    async with Bench(server) as bench:
        await disputed(bench, folder, count)
        page = await signed_in(browser, bench, "supervisor")
        await open_review(page, bench, "?view=grid")
        await expect(page.locator(".rv-tile")).to_have_count(60)
        await page.keyboard.press("a")
        await expect(page.locator("#selected")).to_have_text("60 selected")
        await page.keyboard.press("a")
        await expect(page.locator("#selected")).to_have_text(f"All {count} selected")
        await page.keyboard.press("Escape")
        await expect(page.locator("#bulk")).to_be_hidden()
        await page.keyboard.press("a")
        await page.locator("#select-rest").click()
        await page.keyboard.press("2")
        await expect(page.locator("#done")).to_have_text(f"{count} items changed to red")
        await expect(page.locator("#nothing h2")).to_have_text("Nothing to review")
        assert (await bench.stats()).labels["red"] == count
        await page.keyboard.press("u")
        await expect(page.locator("#done")).to_have_text(f"{count} decisions taken back")
        await expect(page.locator(".rv-tile")).to_have_count(60)
        counts = (await bench.stats()).counts
        assert (counts.needs_review, counts.labeled) == (count, 0)


async def test_a_bulk_goes_on_though_the_page_loses_its_connection(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    count = 140
    async with Bench(server) as bench:
        await disputed(bench, folder, count)
        page = await signed_in(browser, bench, "supervisor")
        wire = await Wire.on(page)
        await open_review(page, bench, "?view=grid")
        await page.keyboard.press("a")
        await page.keyboard.press("a")
        # Nothing of how it goes is heard.
        wire.lose = lambda frame: "of" in (frame.get("body") or {})
        await page.keyboard.press("Delete")
        await expect(page.locator("#running")).to_be_visible()
        watch = await bench.watch()
        await watch.until(lambda s: s.counts.removed == count)
        await expect(page.locator("#do-stop")).to_be_visible()
        wire.lose = lambda frame: False
        await wire.cut()
        await expect(page.locator("#done")).to_have_text(f"{count} items removed")
        assert (await bench.stats()).counts.removed == count


async def test_votes_taken_back_say_by_whom(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await disputed(bench, folder, 2)
        page = await signed_in(browser, bench, "supervisor")
        await open_review(page, bench)
        item = await current(page)
        path = f"/api/projects/{bench.project.project_id}"
        votes = (await bench.admin.request("GET", f"{path}/items/{item}")).json()["votes"]
        body = {"user_id": votes[0]["user_id"]}
        await bench.admin.request("POST", f"{path}/takebacks", json=body)
        await open_review(page, bench, "?state=in_progress")
        tag = page.locator(".rv-vote .rv-tags .chip-plain")
        await expect(tag).to_have_count(1)
        await expect(tag).to_have_text("taken back by Admin, just now")


@pytest.mark.slow
async def test_open_items_like_the_last_one_are_decided_together(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 12), page_size=4, cluster=True)
        watch = await bench.watch()
        await watch.until(lambda s: s.assist.featurized == 12)
        colleague = await bench.labeler(page_size=1, credit=1)
        await colleague.cast((await page_of(colleague)).items[0], "flag")
        page = await signed_in(browser, bench, "supervisor")
        await open_review(page, bench)
        await page.keyboard.press("1")
        await expect(page.locator("#do-similar")).to_be_visible()
        await page.keyboard.press("s")
        await expect(page.locator("#like")).to_be_visible()
        await expect(page.locator(".rv-tile")).to_have_count(11)
        # Another item enlarged: keys are not about it, and not about what is behind it.
        await page.keyboard.press("g")
        await page.locator(".rv-like").click()
        for key in ("j", "2", "Enter", "Delete"):
            await page.keyboard.press(key)
        await expect(page.locator("#zoom")).to_be_visible()
        await page.keyboard.press("z")
        await expect(page.locator("#zoom")).to_be_hidden()
        await expect(page.locator("#found")).to_have_text("1 of 11")
        await page.keyboard.press("g")
        await page.keyboard.press("a")
        await page.keyboard.press("1")
        await expect(page.locator("#done")).to_have_text("11 items changed to green")
        await expect(page.locator("#nothing h2")).to_have_text("Nothing left that looks like it")
        assert (await bench.stats()).counts.labeled == 12


async def test_the_dashboard_says_what_votes_have_brought(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 24), page_size=9, votes_min=2, votes_max=4)
        boss = await signed_in(browser, bench, "supervisor")
        await open_room(boss, bench)
        await expect(boss.locator("#votes-empty")).to_be_visible()
        await expect(boss.locator("#votes-note")).not_to_be_empty()
        streams = [await bench.labeler(page_size=9, credit=2) for _ in range(2)]
        for _ in range(2):
            for stream in streams:
                page = await page_of(stream)
                for item in list(page.items):
                    await stream.cast(item, "label", right(item.name))
                await stream.finish(page)
        figures = boss.locator("#votes .figure")
        await expect(figures.nth(0)).to_contain_text("36")
        await expect(figures.nth(1)).to_contain_text("2.00")
        await expect(figures.nth(2)).to_contain_text("saved by stopping early, against 4")
        await expect(figures.nth(3)).to_contain_text("12")
        await expect(boss.locator("#votes-empty")).to_be_hidden()
