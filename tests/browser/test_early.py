"""A form that is sent before the page's script has come, as on a slow line."""

from __future__ import annotations

import asyncio
import secrets

from playwright.async_api import Browser, Page, Route, expect

from tests.servers import Bench, TestServer

PASSWORD = "quite a long password"


async def sign_in(page: Page, login: str) -> None:
    await page.get_by_label("Login").fill(login)
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()


async def test_a_form_waits_for_its_script_and_is_sent_then(
    server: TestServer, browser: Browser
) -> None:
    async with Bench(server) as bench:
        login = f"early-{secrets.token_hex(4)}"
        await bench.admin.create_user(login, "Early", password=PASSWORD)
        page = await (await browser.new_context()).new_page()
        asked, come = asyncio.Event(), asyncio.Event()

        async def late(route: Route) -> None:
            asked.set()
            await come.wait()
            await route.continue_()

        await page.route("**/static/js/form.js", late)
        await page.goto(f"{server.url}/signin", wait_until="commit")
        await asked.wait()
        await sign_in(page, login)
        # What was typed is still there, and not in the address, where logs and histories keep it.
        await expect(page.get_by_label("Login")).to_have_value(login)
        assert page.url == f"{server.url}/signin"
        come.set()
        await expect(page.get_by_text("Early", exact=True)).to_be_visible()
        assert page.url == f"{server.url}/"


async def test_without_its_script_a_form_goes_nowhere(server: TestServer, browser: Browser) -> None:
    page = await (await browser.new_context()).new_page()
    await page.route("**/static/js/form.js", lambda route: route.abort())
    await page.goto(f"{server.url}/signin")
    await sign_in(page, "somebody")
    await expect(page.get_by_label("Login")).to_have_value("somebody")
    assert page.url == f"{server.url}/signin"
