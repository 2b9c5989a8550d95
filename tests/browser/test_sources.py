"""An admin adds a bucket, sees what is wrong with it, and what came of reading it."""

from __future__ import annotations

import shutil

import pytest
from playwright.async_api import Browser, expect

from tests.browser.pages import admin_page, open_labeling, open_room, signed_in
from tests.buckets import Buckets
from tests.servers import Bench
from tests.sources import drawn, files

pytestmark = pytest.mark.browser


async def test_a_bucket_from_address_to_pictures(
    browser: Browser, bench: Bench, s3: Buckets
) -> None:
    await bench.make()
    s3.make("street", {**files(12), "day/bad.png": b"no picture"})
    page = await admin_page(browser, bench)
    page.on("dialog", lambda dialog: dialog.accept())
    await open_room(page, bench, "settings")
    await page.locator("#source-new summary").click()
    await page.get_by_label("Address").fill("s3://strete/day")
    await expect(page.get_by_label("Storage account")).to_be_hidden()
    await page.get_by_label("Endpoint").fill(s3.url)
    await page.get_by_label("Access key").fill(s3.keys["reader"]["access_key"])
    await page.get_by_label("Secret key").fill(s3.keys["reader"]["secret_key"])
    await page.get_by_role("button", name="Test connection").click()
    said = page.locator("#source-said")
    await expect(said).to_have_text("There is no bucket strete.")
    await page.get_by_label("Address").fill("s3://street/day")
    await page.get_by_role("button", name="Test connection").click()
    await expect(said).to_contain_text("It works: 13 pictures.")
    await page.get_by_label("Name", exact=True).first.fill("Street")
    await page.get_by_text("Stay where they are").click()
    await page.get_by_role("button", name="Add and read it").click()
    card = page.locator(".source")
    await expect(card).to_contain_text("12 added, 1 faulty")
    await expect(card).to_contain_text("with credentials")
    assert s3.keys["reader"]["secret_key"] not in await page.content()
    await card.get_by_text("1 could not be taken in").click()
    await expect(card).to_contain_text("not an image")

    s3.remove("street", "day/003.png")
    s3.put("street", "day/012.png", drawn(12))
    await card.get_by_role("button", name="Refresh").click()
    await expect(card).to_contain_text("1 added, 1 found gone")
    await card.get_by_text("1 are no longer there").click()
    await expect(card).to_contain_text("003.png")
    await card.get_by_role("button", name="Remove").click()
    await expect(card).to_contain_text("pictures are shown from it")

    # What is gone altogether is said to be so, on a page that is whole.
    for name in files(13):
        s3.remove("street", name)
    for part in (bench.server.process.data_dir / "cache").glob("??"):
        shutil.rmtree(part)
    labeler = await signed_in(browser, bench)
    await open_labeling(labeler, bench)
    await expect(labeler.locator(".tile-broken").first).to_have_text(
        "This picture is no longer where it lay"
    )
    await expect(labeler.locator(".tile")).to_have_count(9)
    await labeler.locator(".tile").first.dblclick()
    await expect(labeler.locator(".zoom-stage img")).to_have_attribute(
        "alt", "This picture is no longer where it lay"
    )


async def test_a_project_is_made_from_a_bucket_in_the_wizard(
    browser: Browser, bench: Bench, s3: Buckets
) -> None:
    s3.make("wardrobe", files(6))
    page = await admin_page(browser, bench)
    await page.goto(f"{bench.server.url}/projects/new")
    await page.get_by_label("Name", exact=True).fill("From a bucket")
    following = page.get_by_role("button", name="Next")
    await following.click()
    await following.click()
    await page.get_by_text("In a bucket").click()
    await following.click()
    await expect(page.locator("#problem")).to_contain_text("address")
    await page.get_by_label("Address").fill("s3://wardrobe/nowhere")
    await page.get_by_label("Endpoint").fill(s3.url)
    await page.get_by_label("Access key").fill(s3.keys["reader"]["access_key"])
    await page.get_by_label("Secret key").fill(s3.keys["reader"]["secret_key"])
    await page.get_by_role("button", name="Test connection").click()
    said = page.locator("#place-said")
    await expect(said).to_contain_text("nothing")
    await page.get_by_label("Address").fill("s3://wardrobe/day")
    await page.get_by_role("button", name="Test connection").click()
    await expect(said).to_contain_text("It works: 6 pictures.")
    await following.click()
    await page.locator("#list").fill("day\nnight")
    for _ in range(3):
        await following.click()
    await page.get_by_label("Fine-tune the network").set_checked(False)
    await following.click()
    await following.click()
    # What is kept on the server on the way has no secrets in it.
    await expect(page.locator("#kept")).to_have_text("Kept")
    drafts = (await bench.admin.request("GET", "/api/drafts")).text
    assert "s3://wardrobe/day" in drafts
    assert s3.keys["reader"]["secret_key"] not in drafts
    await page.get_by_role("button", name="Initialize").click()
    await page.wait_for_url("**/p/*")
    made = next(p for p in await bench.admin.projects() if p.name == "From a bucket")
    assert (made.items, made.fine_tune) == (6, False)
    route = f"/api/projects/{made.project_id}/sources"
    (source,) = (await bench.admin.request("GET", route)).json()["sources"]
    assert (source["has_credentials"], source["every_minutes"]) == (True, 60)
