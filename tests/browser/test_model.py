"""The model's room: from nothing to a card, two rounds side by side, a cancelled round, logs and
what can be taken away."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import zipfile
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.browser.pages import signed_in
from tests.browser.test_accessible import no_barrier
from tests.faults.test_worker_killed import workers
from tests.servers import Bench, TestServer, page_of, pictures, vote_page

pytestmark = pytest.mark.browser


async def test_a_supervisor_looks_into_the_model(
    server: TestServer, browser: Browser, folder: Path, tmp_path: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(
            pictures(folder, 100), page_size=9, target=0.9, cluster=True, prelabel=True
        )
        watch = await bench.watch()
        await watch.until(lambda s: s.assist.featurized == s.assist.featurize_total > 0)
        boss = await signed_in(browser, bench, "supervisor")
        root = f"{server.url}/p/{bench.project.project_id}"
        errors: list[str] = []
        boss.on("pageerror", lambda error: errors.append(str(error)))
        await boss.goto(root)
        await boss.get_by_role("link", name="Model", exact=True).click()

        # Nothing yet, and what is missing.
        await expect(boss.locator("#card")).to_contain_text("No prelabels yet.")
        await expect(boss.locator("#blocked")).to_contain_text("two classes")
        start = boss.get_by_role("button", name="Start now")
        await expect(start).to_be_disabled()

        # Rounds come as people label; the page follows without a reload.
        await boss.evaluate("window.sameDocument = true")
        colleague = await bench.labeler(credit=1)
        for _ in range(3):
            await vote_page(colleague, await page_of(colleague))
        title = boss.locator("#card .card-title")
        await expect(title).to_contain_text("Round 1, ")
        await watch.until(lambda s: not s.assist.running and not s.assist.round_due)
        await expect(start).to_be_enabled()
        await start.click()
        await expect(title).to_contain_text("Round 2, ")
        assert await boss.evaluate("window.sameDocument") is True
        await expect(boss.locator("#card .per-class tbody tr")).to_have_count(2)
        await expect(boss.locator("#card .confusion tbody td")).to_have_count(4)
        await expect(boss.locator("#card .reliability canvas")).to_be_visible()
        await expect(boss.locator("#history-table tbody tr")).to_have_count(2)

        # One round back by key, and the two side by side; the address keeps them.
        await boss.keyboard.press("ArrowLeft")
        await expect(title).to_contain_text("Round 1, ")
        await boss.keyboard.press("ArrowRight")
        await boss.keyboard.press("c")
        await expect(boss.locator("#card-beside .card-title")).to_contain_text("Round 1, ")
        assert "round=2&with=1" in boss.url
        await boss.reload()
        await expect(boss.locator("#card-beside .card-title")).to_contain_text("Round 1, ")
        await boss.get_by_label("beside").select_option("nothing")
        await expect(boss.locator("#card-beside")).to_be_hidden()

        # A cancelled round can be had again, and its log says so. (So small a one might be over
        # before the click: its worker is stopped meanwhile.)
        chip = boss.locator(".round-chip")
        stopped = workers(server)
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            await start.click()
            await boss.get_by_role("button", name="Cancel the round").click()
            await expect(chip).to_have_text(re.compile(r"round \d+ cancelled"))
        finally:
            for pid in stopped:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
        await expect(boss.locator(".round-why")).to_contain_text("cancelled by supervisor")
        await boss.get_by_role("button", name="Retry").click()
        await expect(chip).to_have_text(re.compile(r"round \d+, "))
        await boss.locator('.job[data-kind="train"] .job-log').click()
        await expect(boss.locator("#log-text")).to_contain_text("train done in")
        await no_barrier(boss)
        await boss.keyboard.press("Escape")
        await expect(boss.locator("#log")).to_be_hidden()

        # The model and the features to take away.
        for name, inside in (("Download this model", "model.onnx"), ("Features", "features.npy")):
            async with boss.expect_download() as begun:
                await boss.get_by_role("link", name=name).click()
            path = tmp_path / "taken.zip"
            await (await begun.value).save_as(path)
            with zipfile.ZipFile(path) as files:
                assert inside in files.namelist()

        # A phone shows all of it without a sideways scroll.
        await boss.set_viewport_size({"width": 390, "height": 844})
        width = await boss.evaluate("document.documentElement.scrollWidth")
        assert width <= 390
        assert errors == []
