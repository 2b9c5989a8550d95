"""A person labels by keyboard, loses the connection and gets it back; a dashboard moves."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, Route, expect

from tests.browser.pages import Frame, Wire, go_offline, names, open_labeling, open_room, signed_in
from tests.servers import Bench, TestServer, page_of, pictures, vote_page

pytestmark = pytest.mark.browser


async def test_three_pages_by_keyboard_while_the_dashboard_moves(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 40), page_size=4)
        boss = await signed_in(browser, bench, "supervisor")
        await open_room(boss, bench)
        await expect(boss.locator("#done-of")).to_have_text("0 of 40 labeled")
        await boss.evaluate("window.sameDocument = true")
        page = await signed_in(browser, bench)
        await open_labeling(page, bench)
        await expect(page.locator(".tile")).to_have_count(4)
        # First page: a key each.
        before = await names(page)
        await expect(page.locator("#do-submit")).to_contain_text("4 to go")
        for key in "1212":
            await page.keyboard.press(key)
        await expect(page.locator(".tile .chip:visible")).to_have_count(4)
        await page.keyboard.press("u")
        await expect(page.locator(".tile .chip:visible")).to_have_count(3)
        await page.keyboard.press("2")
        await page.keyboard.press("Enter")
        await expect(page.locator("#today")).to_have_text("4")
        assert not set(before) & set(await names(page))
        # Second page: all at once, one of them otherwise.
        await page.keyboard.press("a")
        await page.keyboard.press("1")
        await page.keyboard.press("ArrowRight")
        await page.keyboard.press("s")
        await expect(page.locator(".tile .chip", has_text="Skipped")).to_have_count(1)
        await page.keyboard.press("Enter")
        await expect(page.locator("#today")).to_have_text("8")
        # Third page: two by Space, the others by key; nothing is sent while answers miss.
        await page.keyboard.press("Space")
        await page.keyboard.press("ArrowRight")
        await page.keyboard.press("Space")
        await page.keyboard.press("2")
        await page.keyboard.press("Enter")
        await expect(page.locator("#do-submit")).to_contain_text("2 to go")
        await page.keyboard.press("1")
        await page.keyboard.press("1")
        await page.keyboard.press("Enter")
        await expect(page.locator("#today")).to_have_text("12")
        await expect(boss.locator("#done-of")).to_have_text("11 of 40 labeled")
        assert await boss.evaluate("window.sameDocument") is True
        assert (await bench.stats()).counts.labeled == 11


async def test_answers_given_offline_arrive(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 24), page_size=4)
        page = await signed_in(browser, bench)
        await open_labeling(page, bench)
        await go_offline(page)
        await page.keyboard.press("a")
        await page.keyboard.press("1")
        await page.keyboard.press("Enter")
        await expect(page.locator("#unsynced")).to_have_text("4 unsynced")
        await page.context.set_offline(False)
        await expect(page.locator("#unsynced")).to_be_hidden()
        await expect(page.locator("#today")).to_have_text("4")
        assert (await bench.stats()).votes == 4


async def test_an_earlier_page_is_corrected_and_the_size_lasts(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 30), page_size=4)
        page = await signed_in(browser, bench)
        await open_labeling(page, bench)
        for key in ("a", "1", "Enter"):
            await page.keyboard.press(key)
        await expect(page.locator("#today")).to_have_text("4")
        await page.keyboard.press("u")
        await expect(page.locator(".banner-title")).to_have_text("Correcting an earlier page")
        await page.keyboard.press("2")
        await page.keyboard.press("Enter")
        await expect(page.locator(".banner-title")).to_have_text("Tasks manual")
        await expect(page.locator(".tile .chip:visible")).to_have_count(0)
        watch = await bench.watch()
        stats = await watch.until(lambda s: s.labels.get("red", 0) == 1)
        assert stats.labels["green"] == 3
        await page.locator('#sizes button[data-size="6"]').click()
        await expect(page.locator(".tile")).to_have_count(6)
        await page.reload()
        await expect(page.locator(".tile")).to_have_count(6)


async def test_answers_outlive_a_reload_whose_connection_is_lost_before_the_page_comes(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 12), page_size=4)
        page = await signed_in(browser, bench)
        wire = await Wire.on(page)
        await open_labeling(page, bench)
        for key in ("s", "Tab", "s"):
            await page.keyboard.press(key)
        skipped = page.locator(".tile .chip", has_text="Skipped")
        await expect(skipped).to_have_count(2)
        lost = asyncio.Event()

        def opening(frame: Frame) -> bool:
            if frame.get("type") != "labeling.open":
                return False
            lost.set()
            return True

        wire.lose = opening
        await page.reload()
        await lost.wait()
        wire.lose = lambda frame: False
        await wire.cut()
        await page.wait_for_selector(".tile")
        await expect(skipped).to_have_count(2)


async def test_a_pause_covers_the_page_and_goes_away(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 12), page_size=4)
        page = await signed_in(browser, bench)
        await open_labeling(page, bench)
        boss = await signed_in(browser, bench, "supervisor")
        await open_room(boss, bench)
        await boss.get_by_role("button", name="Pause").click()
        await expect(page.locator("#cover h2")).to_have_text("Paused")
        await boss.get_by_role("button", name="Resume").click()
        await expect(page.locator("#cover")).to_be_hidden()
        await expect(page.locator(".tile")).to_have_count(4)


@pytest.mark.parametrize("kind", ["clustered", "prelabeled"])
async def test_the_model_helps(
    server: TestServer, browser: Browser, folder: Path, kind: str
) -> None:
    async with Bench(server) as bench:
        helps = {"cluster": kind == "clustered", "prelabel": kind == "prelabeled"}
        await bench.make(pictures(folder, 120), page_size=9, target=0.9, audit_share=0, **helps)
        watch = await bench.watch()
        colleague = await bench.labeler(credit=1)
        for _ in range(6):
            await vote_page(colleague, await page_of(colleague))
        await watch.until(lambda s: s.queue[kind] >= 30 and not s.assist.running)
        page = await signed_in(browser, bench)
        await open_labeling(page, bench)
        await expect(page.locator(".banner-title")).to_have_text(f"Tasks {kind}")
        # The colleague may hold one of these neighbours.
        count = len(await names(page))
        assert count >= 5
        if kind == "prelabeled":
            await expect(page.locator('.tile[data-by="model"]')).to_have_count(count)
            # Reviewed and right: Enter is all it takes, once it can have been seen.
            await expect(page.locator("#do-submit")).to_have_attribute("data-ready", "true")
            await page.keyboard.press("Enter")
        else:
            for key in ("a", "1", "Enter"):
                await page.keyboard.press(key)
        await expect(page.locator("#today")).to_have_text(str(count))


async def test_enter_pressed_twice_or_held_sends_no_page_that_nobody_has_seen(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    """Pages that come with answers filled in: one key sends each."""
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 12), page_size=4)
        watch, colleague = await bench.watch(), await bench.labeler(credit=1)
        for _ in range(3):
            await vote_page(colleague, await page_of(colleague))
        path = f"/api/projects/{bench.project.project_id}/classes"
        body = {"classes": ["blue"], "then": "start_over_preset"}
        await bench.admin.request("POST", path, json=body)
        await watch.until(lambda s: s.queue["prelabeled"] == 12 and s.state == "running")
        await colleague.socket.close()
        page = await signed_in(browser, bench)
        wire, both = await Wire.on(page), asyncio.Event()
        came: list[Frame] = []

        def seen(frame: Frame) -> bool:
            if frame.get("type") == "page":
                came.append(frame)
                if len(came) == 2:
                    both.set()
            return False

        wire.lose = seen
        await open_labeling(page, bench)
        await both.wait()
        ready = page.locator('#do-submit[data-ready="true"]')
        today = page.locator("#today")
        await expect(ready).to_be_visible()
        press = """keys => keys.forEach(repeat => document.querySelector(".tile").dispatchEvent(
            new KeyboardEvent("keydown", {key: "Enter", bubbles: true, repeat})))"""
        # As fast as can be: there is a page after this one, and nothing is waited for in between.
        await page.evaluate(press, [False, False, False])
        await expect(today).to_have_text("4")
        await expect(page.locator('.tile[data-by="model"]')).to_have_count(4)
        await expect(ready).to_be_visible()
        await page.evaluate(press, [False, True, True])
        await expect(today).to_have_text("8")
        await expect(ready).to_be_visible()
        await page.evaluate(press, [True, True])
        await expect(page.locator('.tile[data-by="model"]')).to_have_count(4)
        assert (await bench.stats()).votes == 8


async def test_a_wrong_password_and_a_closed_door(server: TestServer, browser: Browser) -> None:
    async with Bench(server) as bench:
        await bench.make()
        page = await (await browser.new_context()).new_page()
        await open_room(page, bench)
        await page.get_by_label("Login").fill("nobody")
        await page.get_by_label("Password").fill("not the password")
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("alert")).to_be_visible()
        labeler = await signed_in(browser, bench)
        answer = await labeler.goto(f"{server.url}/p/{bench.project.project_id}/settings")
        assert answer is not None
        assert answer.status == 403


async def test_an_upload_names_the_faulty_file(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make()
        files = [folder / f"{name}-{i:05}.png" for i, name in enumerate(("green", "red", "green"))]
        pictures(folder, 3)
        files.append(folder / "broken.png")
        files[-1].write_bytes(b"this is no picture")
        page = await signed_in(browser, bench, "supervisor")
        await open_room(page, bench, "settings")
        await page.locator("#files").set_input_files([str(file) for file in files])
        await expect(page.locator("#import-text")).to_contain_text("Done: 3 added")
        await expect(page.locator("#faults")).to_contain_text("broken.png")
        assert (await bench.stats()).counts.items == 3


async def test_an_enlarged_picture_leaves_the_keyboard_to_its_answer(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 12), page_size=4)
        page = await signed_in(browser, bench)
        await open_labeling(page, bench)
        enlarged, name = page.locator("#zoom"), page.locator("#zoom .zoom-name")
        await page.keyboard.press("z")
        await expect(enlarged).to_be_visible()
        first = await name.inner_text()
        await page.keyboard.press("ArrowRight")
        await expect(name).not_to_have_text(first)
        await page.keyboard.press("ArrowLeft")
        await expect(name).to_have_text(first)
        await page.keyboard.press("1")
        await expect(page.locator(".tile .chip:visible")).to_have_count(1)
        await expect(enlarged.locator('[name="brightness"]')).to_have_value("100")
        # Who has gone to a control stays there, whatever is drawn anew.
        await enlarged.locator('[name="contrast"]').focus()
        await page.keyboard.press("ArrowRight")
        await expect(enlarged.locator('[name="contrast"]')).to_have_value("105")


async def test_a_picture_that_failed_once_comes_when_the_network_is_back(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 8), page_size=4)
        page = await signed_in(browser, bench)
        lost = True

        async def answer(route: Route) -> None:
            await (route.abort() if lost else route.fallback())

        await page.route("**/media/**", answer)
        await open_labeling(page, bench)
        broken = page.locator('.tile[data-broken="true"]')
        await expect(broken).to_have_count(4)
        await page.keyboard.press("z")
        large = page.locator("#zoom img")
        await expect(large).to_have_attribute("alt", "picture could not be loaded")
        lost = False
        await page.evaluate("dispatchEvent(new Event('online'))")
        await expect(broken).to_have_count(0)
        await expect(large).to_have_js_property("naturalWidth", 16)
        await expect(large).to_have_attribute("alt", re.compile("png"))
        for image in await page.locator(".tile img").all():
            await expect(image).to_have_js_property("naturalWidth", 16)


async def test_a_double_click_sends_one_page(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 4), page_size=1)
        page = await signed_in(browser, bench)
        await open_labeling(page, bench)
        await page.locator("#classes .class-button").first.dblclick()
        await expect(page.locator("#today")).to_have_text("1")
        await page.locator("#do-skip").dblclick()
        await expect(page.locator("#today")).to_have_text("2")
        await expect(page.locator("#unsynced")).to_be_hidden()
        assert (await bench.stats()).votes == 2
        # The last page is sent: what was said there can still be taken back.
        await page.keyboard.press("1")
        await expect(page.locator("#today")).to_have_text("3")
        await page.keyboard.press("1")
        await expect(page.locator("#cover")).to_be_visible()
        await page.keyboard.press("u")
        await expect(page.locator(".banner-title")).to_have_text("Correcting an earlier page")
