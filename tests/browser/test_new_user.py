"""The whole way as new users go it, by the pages alone: an admin makes a project by the wizard from
a folder, two labelers and a supervisor work, and what comes out opens in pycocotools."""

from __future__ import annotations

import asyncio
import csv
import json
import secrets
import shutil
import zipfile
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.pages import PATIENCE_MS, admin_page
from tests.servers import Bench, TestServer

CLASSES = ("dress", "hat", "pants", "shirt", "shoes", "t-shirt")
COUNT = 60


def wardrobe(clothing: Path, folder: Path) -> dict[str, str]:
    """COUNT photos of a few classes in `folder`; name -> class."""
    folder.mkdir(parents=True)
    with (clothing / "gold.csv").open(newline="") as rows:
        known = [(r["item"], r["label"]) for r in csv.DictReader(rows) if r["label"] in CLASSES]
    chosen = dict(known[:COUNT])
    for name in chosen:
        shutil.copy(clothing / "images" / name, folder / name)
    return chosen


async def newcomer(browser: Browser, bench: Bench, name: str) -> Page:
    """Somebody with an account and nothing else."""
    user = await bench.admin.create_user(f"{name}-{secrets.token_hex(3)}", name)
    page = await (await browser.new_context(viewport={"width": 1280, "height": 800})).new_page()
    page.set_default_timeout(PATIENCE_MS)
    await page.goto(await bench.admin.signin_link(user.user_id))
    return page


async def label_all(page: Page, right: dict[int, str], project: str) -> None:
    """From the start page on, by keyboard, until there is nothing left. right: item_id -> class,
    what a person sees at a glance."""
    await page.get_by_role("link", name=project).first.click()
    done = page.locator("#cover:visible", has_text="All done")
    while True:
        await page.locator(".tile:visible").or_(done).first.wait_for()
        if await done.count():
            return
        tiles = page.locator(".tile")
        shown = await tiles.evaluate_all("t => t.map(e => e.dataset.item)")
        for item_id in shown:
            await page.keyboard.press(str(CLASSES.index(right[int(item_id)]) + 1))
        await page.keyboard.press("Enter")
        first = shown[0]
        await expect(page.locator(f'.tile[data-item="{first}"]')).to_be_hidden()


@pytest.mark.timeout(300)
async def test_from_a_folder_to_an_export(
    server: TestServer, browser: Browser, clothing: Path, tmp_path: Path
) -> None:
    right = wardrobe(clothing, tmp_path / "wardrobe")
    async with Bench(server) as bench:
        name = f"Wardrobe {secrets.token_hex(3)}"
        ann, ben, boss = [await newcomer(browser, bench, n) for n in ("Ann", "Ben", "Boss")]
        admin = await admin_page(browser, bench)
        await admin.goto(server.url)
        await admin.get_by_role("link", name="New project").first.click()
        await admin.get_by_label("Name", exact=True).fill(name)
        following = admin.get_by_role("button", name="Next")
        await following.click()
        await following.click()
        await admin.get_by_text("On the server", exact=True).click()
        await admin.get_by_label("Folder or table on the server").fill(str(tmp_path / "wardrobe"))
        await admin.get_by_role("button", name="Look").click()
        await expect(admin.locator("#found")).to_contain_text(f"{COUNT} pictures here")
        await following.click()
        await admin.locator("#list").fill("\n".join(CLASSES))
        await following.click()
        await admin.locator("textarea[name=instructions]").fill("What is worn above all?")
        for _ in range(3):
            await following.click()
        for person, role in (("Ann", "labeler"), ("Ben", "labeler"), ("Boss", "supervisor")):
            row = admin.locator("#people tr", has_text=person).last
            await row.locator("select").select_option(role)
        await following.click()
        await expect(admin.locator("#estimate")).to_contain_text(f"{COUNT} votes")
        await admin.get_by_role("button", name="Initialize").click()
        await admin.wait_for_url("**/p/*")

        await boss.reload()
        await boss.get_by_role("link", name=name).first.click()
        await expect(boss.locator("#done-of")).to_have_text(f"0 of {COUNT} labeled")
        await boss.evaluate("window.sameDocument = true")
        await asyncio.gather(ann.reload(), ben.reload())
        project_id = boss.url.rpartition("/")[2]
        items = (
            await bench.admin.request("GET", f"/api/projects/{project_id}/items?limit=200")
        ).json()
        seen = {i["item_id"]: right[Path(i["name"]).name] for i in items["items"]}
        await asyncio.gather(*(label_all(page, seen, name) for page in (ann, ben)))
        await expect(boss.locator("#done-of")).to_have_text(f"{COUNT} of {COUNT} labeled")
        assert await boss.evaluate("window.sameDocument") is True, "by itself"

        # The supervisor puts one right, and takes the labels along.
        await boss.get_by_role("link", name="Data", exact=True).click()
        await boss.get_by_text("COCO", exact=True).click()
        await boss.get_by_role("button", name="Export").click()
        row = boss.locator("#past tbody tr")
        async with boss.expect_download() as started:
            await row.get_by_role("link", name="Download").click()
        await (await started.value).save_as(tmp_path / "coco.zip")
    with zipfile.ZipFile(tmp_path / "coco.zip") as packed:
        inside = next(n for n in packed.namelist() if n.endswith(".json") and "manifest" not in n)
        (tmp_path / "coco.json").write_bytes(packed.read(inside))
    from pycocotools.coco import COCO  # a second to load, for this test alone

    coco = COCO(str(tmp_path / "coco.json"))
    assert {c["name"] for c in coco.loadCats(coco.getCatIds())} == set(CLASSES)
    found = {
        Path(coco.loadImgs(a["image_id"])[0]["file_name"]).name: coco.loadCats(a["category_id"])[0][
            "name"
        ]
        for a in coco.loadAnns(coco.getAnnIds())
    }
    assert found == right
    assert json.loads((tmp_path / "coco.json").read_text())["images"]
