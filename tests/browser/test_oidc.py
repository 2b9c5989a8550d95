"""Signing in with an account elsewhere, in a real browser, with a real provider."""

from __future__ import annotations

from playwright.async_api import Browser, expect

from tests.browser.pages import PATIENCE_MS
from tests.server.test_oidc import Site, invited, site

__all__ = ["site"]


async def test_an_invited_person_signs_in_elsewhere_and_out_again(
    site: Site, browser: Browser
) -> None:
    site.knows("ada", email="ada@example.org", email_verified=True, name="Ada")
    project_id = await invited(site, "ada", "ada@example.org")
    page = await (await browser.new_context()).new_page()
    page.set_default_timeout(PATIENCE_MS)
    await page.goto(f"{site.server.url}/p/{project_id}/history")
    # No password is asked for where there are none.
    await expect(page.locator("input[type=password]")).to_have_count(0)
    await page.get_by_role("link", name="Sign in with").click()
    await page.get_by_placeholder("sub").fill("ada")
    await page.get_by_role("button", name="Authorize").click()
    # Back where they wanted to go, as a member.
    await page.wait_for_url(f"{site.server.url}/p/{project_id}/history")
    await expect(page.locator("details.menu")).to_contain_text("Ada")
    await page.locator("details.menu summary").click()
    await page.get_by_role("button", name="Sign out").click()
    await page.wait_for_url(lambda url: not url.startswith(f"{site.server.url}/p/"))
    await page.goto(f"{site.server.url}/p/{project_id}/history")
    await expect(page.get_by_role("link", name="Sign in with")).to_be_visible()

    # Who is not invited is told so, and gets nothing.
    stranger = await (await browser.new_context()).new_page()
    await stranger.goto(site.server.url)
    await stranger.get_by_role("link", name="Sign in with").click()
    await stranger.get_by_placeholder("sub").fill("mallory")
    await stranger.get_by_role("button", name="Authorize").click()
    await expect(stranger.locator("main")).to_contain_text("invitation")
