"""Webhooks as a supervisor makes, tries and pauses them in a browser, against a real receiver."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Dialog, expect

from chorus.client import Rest
from tests.browser.pages import open_room, signed_in
from tests.browser.test_accessible import no_barrier
from tests.faults.test_webhooks import Receiver, receiving
from tests.servers import Bench, TestServer, page_of, pictures, running, vote_page


@pytest.fixture
def allowing(tmp_path: Path) -> Iterator[TestServer]:
    with running(tmp_path / "data", CHORUS_ALLOW_WEBHOOK_HOSTS="127.0.0.1") as server:
        yield server


@pytest.fixture
def listening() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


async def accept(dialog: Dialog) -> None:
    await dialog.accept()


async def test_made_tried_failing_paused_and_removed(
    allowing: TestServer, listening: Receiver, browser: Browser, tmp_path: Path
) -> None:
    async with Bench(allowing) as bench:
        await bench.make(pictures(tmp_path / "in", 4), page_size=4)
        boss = await signed_in(browser, bench, "supervisor")
        boss.on("dialog", accept)
        await open_room(boss, bench, "settings")
        await boss.get_by_role("link", name="Send this project's events").click()
        await boss.get_by_label("Address").fill("http://10.0.0.1/inside")
        await boss.get_by_role("button", name="Make it").click()
        await expect(boss.locator("#webhook-form .error")).to_be_visible()
        await boss.get_by_label("Address").fill(listening.url)
        await boss.get_by_label("Events", exact=True).select_option(["label.decided"])
        await boss.get_by_role("button", name="Make it").click()
        secret = await boss.locator("#made code").inner_text()
        assert secret.startswith("whsec_")
        hook = boss.locator(".webhook")
        await expect(hook).to_contain_text("label.decided")
        await hook.get_by_role("button", name="Test").click()
        await expect(hook.locator("tbody")).to_contain_text("204 in")
        await no_barrier(boss, ".webhook")

        stream = await bench.labeler()
        await vote_page(stream, await page_of(stream))
        await listening.until(lambda: len(listening.seqs()) == 4)
        kinds = {e["type"] for _, b in listening.messages for e in json.loads(b)["events"]}
        assert kinds == {"label.decided"}
        await expect(hook.locator("tbody")).to_contain_text("events")

        listening.answer = lambda: 500
        await hook.get_by_role("button", name="Test").click()
        await expect(hook.locator("tbody")).to_contain_text("500")
        await hook.get_by_role("button", name="Pause").click()
        await expect(hook).to_contain_text("paused")
        await boss.reload()
        await expect(boss.get_by_text(secret)).to_have_count(0)
        await hook.get_by_role("button", name="Resume").click()
        await expect(hook).to_contain_text("active")

        # A colleague turns it on, so that it is theirs, and leaves.
        path = f"/api/projects/{bench.project.project_id}"
        async with Rest(allowing.url, await bench.person("supervisor")) as colleague:
            maker = await colleague.me()
            webhook = await hook.get_attribute("data-webhook")
            for active in (False, True):
                body = {"active": active}
                await colleague.request("PATCH", f"{path}/webhooks/{webhook}", json=body)
        await expect(hook).to_contain_text(f"by {maker.name}")
        await bench.admin.request("DELETE", f"{path}/members/{maker.user_id}")
        await expect(hook).to_contain_text(f"off: {maker.name} is no longer a supervisor here")
        await hook.get_by_role("button", name="Resume").click()
        await expect(hook).to_contain_text("active")
        await expect(hook).not_to_contain_text(maker.name)
        await hook.get_by_role("button", name="Remove").click()
        await expect(boss.locator("#no-webhooks")).to_be_visible()
