"""What happens to people's answers: restarts behind a proxy, sleep, bad wifi, a crash, two tabs, a
full disk. Nothing is reloaded by hand, and every answer is kept once."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from chorus.client.process import descendants
from tests.browser.pages import go_offline, names, open_labeling, open_room, signed_in
from tests.chromium import launching
from tests.faults.proxy import Proxy
from tests.faults.shim import Shim, needed
from tests.servers import PATIENCE, Bench, TestServer, pictures, running

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300), pytest.mark.slow]

PING_EVERY_MS = 15_000
"""As in socket.js."""


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Shim:
    needed()
    folder = tmp_path_factory.mktemp("network")
    return Shim(folder / "shim", folder / "data")


@pytest.fixture(scope="module")
def server(shim: Shim, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestServer]:
    """Of this module's own: it is stopped, and its disk fails."""
    with running(Path(shim.env["FAULTY_ROOT"]), **shim.env) as started:
        yield started
    checked = started.process.fsck()
    assert checked.returncode == 0, checked.stdout


@pytest_asyncio.fixture(loop_scope="session")
async def proxy(server: TestServer) -> AsyncIterator[Proxy]:
    async with Proxy(server.process.port) as proxy:
        yield proxy


async def through(page: Page, bench: Bench, proxy: Proxy) -> None:
    """The labeling page by way of the proxy (cookies do not mind the port)."""
    await page.goto(f"{proxy.url}/p/{bench.project.project_id}/label")
    await page.wait_for_selector(".tile")
    await page.evaluate("window.sameDocument = true")


async def answer(page: Page) -> None:
    """All of the page in view alike, and send it."""
    await expect(page.locator(".tile")).to_have_count(4)
    for key in ("a", "1", "Enter"):
        await page.keyboard.press(key)


async def kept(page: Page, bench: Bench, count: int) -> None:
    """All answers are on the server, once, and the page was never reloaded."""
    await expect(page.locator("#unsynced")).to_be_hidden()
    watch = await bench.watch()
    await asyncio.wait_for(watch.until(lambda s: s.votes >= count), PATIENCE)
    rows = await bench.votes()
    assert len(rows) == len({row.item_id for row in rows}) == count
    assert await page.evaluate("window.sameDocument") is True


async def test_a_restart_behind_a_proxy(
    server: TestServer, browser: Browser, bench: Bench, proxy: Proxy, folder: Path
) -> None:
    await bench.make(pictures(folder, 24), page_size=4)
    page = await signed_in(browser, bench)
    await through(page, bench, proxy)
    proxy.open = False  # nobody gets through yet
    await server.process.stop()
    await expect(page.locator("#connection")).to_have_attribute("data-state", "lost")
    await answer(page)
    await expect(page.locator("#unsynced")).to_have_text("4 unsynced")
    await server.process.restart()
    proxy.open = True
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    await expect(page.locator("#today")).to_have_text("4")
    await answer(page)
    await kept(page, bench, 8)


async def test_a_laptop_sleeps(browser: Browser, bench: Bench, proxy: Proxy, folder: Path) -> None:
    """Nothing arrives and nobody is told; the connection is dead when it wakes."""
    await bench.make(pictures(folder, 24), page_size=4)
    page = await signed_in(browser, bench)
    await page.clock.install()
    await through(page, bench, proxy)
    await answer(page)
    await expect(page.locator("#today")).to_have_text("4")
    proxy.passing.clear()
    await answer(page)
    await expect(page.locator("#unsynced")).to_have_text("4 unsynced")
    # The page finds out by itself that the line is dead (its pings), not by an error.
    await page.clock.fast_forward(PING_EVERY_MS)
    await page.clock.fast_forward(PING_EVERY_MS)
    await expect(page.locator("#connection")).to_have_attribute("data-state", "lost")
    proxy.reset()
    proxy.well()
    await kept(page, bench, 8)


async def test_flaky_wifi(browser: Browser, bench: Bench, proxy: Proxy, folder: Path) -> None:
    await bench.make(pictures(folder, 40), page_size=4)
    page = await signed_in(browser, bench)
    await through(page, bench, proxy)
    proxy.delay_s, proxy.piece = 0.03, 700
    for number in range(1, 6):
        await expect(page.locator(".tile")).to_have_count(4)
        before = await names(page)
        await answer(page)
        proxy.reset()  # whatever was on its way: the votes, or their acknowledgements
        if number < 5:
            await expect(page.locator(f'.tile[data-item="{before[0]}"]')).to_have_count(0)
    proxy.well()
    await kept(page, bench, 20)


async def test_two_tabs_and_one_of_them_closed_with_answers_in_it(
    browser: Browser, bench: Bench, folder: Path
) -> None:
    await bench.make(pictures(folder, 24), page_size=4)
    first = await signed_in(browser, bench)
    await open_labeling(first, bench)
    second = await first.context.new_page()
    await open_labeling(second, bench)
    assert set(await names(first)).isdisjoint(await names(second))
    await answer(first)
    await expect(first.locator("#unsynced")).to_be_hidden()
    await go_offline(second)
    await answer(second)
    await expect(second.locator("#unsynced")).to_have_text("4 unsynced")
    await second.close()
    await first.context.set_offline(False)
    third = await first.context.new_page()
    await open_labeling(third, bench)
    await third.evaluate("window.sameDocument = true")
    await kept(third, bench, 8)


async def test_the_disk_is_full(browser: Browser, bench: Bench, shim: Shim, folder: Path) -> None:
    """Answers wait, also those of a page that is opened meanwhile; no word of it being over."""
    await bench.make(pictures(folder, 24), page_size=4)
    page = await signed_in(browser, bench)
    await open_labeling(page, bench)
    await page.evaluate("window.sameDocument = true")
    other = await signed_in(browser, bench)
    shim.full()
    try:
        await answer(page)
        await expect(page.locator("#unsynced")).to_have_text("4 unsynced")
        before = shim.hits
        await open_room(other, bench, "label")
        async with asyncio.timeout(PATIENCE):
            while shim.hits < before + 3:  # noqa: ASYNC110 (another process counts)
                await asyncio.sleep(0.05)
    finally:
        shim.well()
    await other.wait_for_selector(".tile")
    await kept(page, bench, 4)


async def test_the_browser_crashes(bench: Bench, folder: Path, tmp_path: Path) -> None:
    """`kill -9` of all of Chromium with answers that were never sent; started again, it sends
    them."""
    await bench.make(pictures(folder, 24), page_size=4)
    profile = tmp_path / "profile"
    user_id = await member(bench)
    async with async_playwright() as playwright:

        async def start() -> BrowserContext:
            return await playwright.chromium.launch_persistent_context(profile, **launching())

        context = await start()
        page = context.pages[0]
        await page.goto(await bench.admin.signin_link(user_id))
        await open_labeling(page, bench)
        await go_offline(page)
        await answer(page)
        await expect(page.locator("#unsynced")).to_have_text("4 unsynced")
        vote_ids = await page.evaluate(
            "Object.keys(localStorage).filter(k => k.startsWith('chorus.vote.'))"
            ".map(k => JSON.parse(localStorage[k]).body.vote_id)"
        )
        assert len(vote_ids) == 4
        # What a page stores reaches Chromium's disk a few seconds later.
        async with asyncio.timeout(PATIENCE):
            while not on_disk(profile, vote_ids):  # noqa: ASYNC110 (another process writes)
                await asyncio.sleep(0.1)
        for pid in of_profile(profile):
            os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(PATIENCE):
            while of_profile(profile):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        for lock in profile.glob("Singleton*"):
            lock.unlink()
        context = await start()
        page = context.pages[0]
        # So new a cookie is not on the disk yet.
        await page.goto(await bench.admin.signin_link(user_id))
        await open_labeling(page, bench)
        await page.evaluate("window.sameDocument = true")
        await kept(page, bench, 4)
        assert {row.vote_id for row in await bench.votes()} == set(vote_ids)
        await context.close()


async def member(bench: Bench) -> str:
    user = await bench.admin.create_user("crash", "Crash")
    await bench.admin.set_member(bench.project.project_id, user.user_id, "labeler")
    return user.user_id


def on_disk(profile: Path, texts: list[str]) -> bool:
    files = (profile / "Default" / "Local Storage" / "leveldb").glob("*")
    found = b"".join(path.read_bytes() for path in files if path.is_file())
    return all(text.encode() in found for text in texts)


def of_profile(profile: Path) -> list[int]:
    """Processes of the Chromium that has it."""
    found = []
    for pid in descendants(os.getpid()):
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if f"--user-data-dir={profile}".encode() in command:
            found.append(pid)
    return found
