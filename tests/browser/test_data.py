"""The data room in a real browser: an export made, watched, downloaded, looked into and deleted."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.browser.pages import admin_page, open_room, signed_in
from tests.browser.test_accessible import no_barrier
from tests.servers import Bench, TestServer, page_of, pictures, vote_page

pytestmark = pytest.mark.browser


async def test_a_supervisor_takes_labels_out(
    server: TestServer, browser: Browser, folder: Path, tmp_path: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 12), page_size=9)
        stream = await bench.labeler()
        await vote_page(stream, await page_of(stream))
        boss = await signed_in(browser, bench, "supervisor")
        errors: list[str] = []
        boss.on("pageerror", lambda error: errors.append(str(error)))
        await open_room(boss, bench)
        await boss.get_by_role("link", name="Data", exact=True).click()
        await expect(boss.locator("#past-none")).to_be_visible()

        await boss.get_by_text("JSON Lines").click()
        await boss.get_by_label("State").select_option("labeled")
        await boss.get_by_label("Class").select_option("red")
        await boss.get_by_label("Pseudonyms in place of people's logins").check()
        await boss.get_by_role("button", name="Export").click()
        row = boss.locator("#past tbody tr")
        await expect(row).to_contain_text("Labeled, red, pseudonyms")
        async with boss.expect_download() as started:
            await row.get_by_role("link", name="Download").click()
        target = tmp_path / "export.zip"
        await (await started.value).save_as(target)
        with zipfile.ZipFile(target) as packed:
            lines = [json.loads(x) for x in packed.read("items.jsonl").splitlines()]
        assert {line["label"] for line in lines} == {"red"}
        await expect(row.locator("td.num").first).to_have_text(str(len(lines)))

        await row.get_by_role("button", name="Manifest").click()
        await expect(boss.locator("#manifest-text")).to_contain_text('"format": "jsonl"')
        await no_barrier(boss)
        await boss.keyboard.press("Escape")
        await row.get_by_role("button", name="Delete").click()
        await no_barrier(boss)
        await boss.get_by_role("button", name="Keep it").click()
        await expect(row).to_have_count(1)
        await row.get_by_role("button", name="Delete").click()
        await boss.get_by_role("dialog").get_by_role("button", name="Delete").click()
        await expect(boss.locator("#past-none")).to_be_visible()
        assert errors == []


async def test_a_supervisor_brings_labels_in(
    server: TestServer, browser: Browser, folder: Path, tmp_path: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 6))
        boss = await signed_in(browser, bench, "supervisor")
        errors: list[str] = []
        boss.on("pageerror", lambda error: errors.append(str(error)))
        await open_room(boss, bench, "data")
        file = tmp_path / "labels.csv"
        rows = ["photos/green-00000.png,green", "red-00001.png,teal", "nobody.png,red"]
        file.write_text("path,label\n" + "\n".join(rows), encoding="utf-8")
        await expect(boss.locator("input[value=votes]")).to_have_count(0)  # an admin's
        await boss.locator("#labels-file").set_input_files(str(file))
        await boss.get_by_role("button", name="Look through").click()
        # What would happen, line by line; nothing has.
        await expect(boss.locator("#result-said")).to_contain_text("1 would go in")
        await expect(boss.locator("#result-faults")).to_contain_text("nobody.png")
        bring = boss.locator("#result-apply")
        await expect(bring).to_be_disabled()
        assert (await bench.stats()).counts.labeled == 0
        await boss.get_by_label("Make 1 new class: teal").check()
        await boss.get_by_label("Leave out what cannot be used").check()
        await expect(bring).to_have_text("Bring in 2")
        await bring.click()
        await expect(boss.locator("#result-said")).to_contain_text("2 brought in")
        assert (await bench.stats()).labels == {"green": 1, "red": 0, "teal": 1}
        await expect(boss.locator("#brought tbody tr")).to_contain_text("2 brought in")
        watch = await bench.watch()
        await boss.get_by_role("button", name="Take them back").click()
        await watch.until(lambda stats: stats.counts.labeled == 0)
        assert errors == []


async def test_files_are_dropped_where_they_are_wanted(
    server: TestServer, browser: Browser, folder: Path, tmp_path: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 2))
        page = await admin_page(browser, bench)
        await open_room(page, bench, "data")
        place = page.locator("#labels-drop")
        labels = ["labels.csv", "path,label\ngreen-00000.png,green\n"]
        dropped = await page.evaluate_handle(
            """([name, text]) => {
                const dropped = new DataTransfer();
                dropped.items.add(new File([text], name));
                return dropped;
            }""",
            labels,
        )
        await place.dispatch_event("dragover", {"dataTransfer": dropped})
        await expect(place).to_have_attribute("data-over", "true")
        await place.dispatch_event("drop", {"dataTransfer": dropped})
        await expect(place).to_have_attribute("data-over", "false")
        await page.get_by_role("button", name="Look through").click()
        await expect(page.locator("#result-said")).to_contain_text("1 would go in")
