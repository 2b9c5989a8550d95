"""A labeler looks at a DICOM picture in another window."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, expect
from pydicom import examples

from tests.browser.pages import open_labeling, signed_in
from tests.servers import Bench

pytestmark = pytest.mark.browser


async def test_window_and_level(browser: Browser, bench: Bench, tmp_path: Path) -> None:
    folder = tmp_path / "scans"
    folder.mkdir()
    for name in ("ct", "ybr_color"):
        shutil.copy(examples.get_path(name), folder / f"{name}.dcm")
    await bench.make(folder, page_size=4)
    page = await signed_in(browser, bench)
    await open_labeling(page, bench)
    await expect(page.locator(".tile-picture img")).to_have_count(2)
    stage, controls = page.locator(".zoom-stage img"), page.locator(".zoom-window")

    seen = []
    for tile in await page.locator(".tile").all():
        await tile.dblclick()
        seen.append(await page.locator(".zoom-name").inner_text())
        if seen[-1] == "ct.dcm · 128 × 128":
            break
        # In colour there is no window; of a film it says which frame this is.
        await expect(controls).to_have_text("frame 16 of 30")
        await page.keyboard.press("Escape")
    assert seen[-1].startswith("ct.dcm")
    plain = await stage.get_attribute("src")
    assert plain is not None

    level = page.get_by_label("Level")
    await level.focus()
    await page.keyboard.press("Home")
    await expect(stage).to_have_attribute(
        "src", re.compile(re.escape(plain) + r"\?wc=-?[\d.]+&ww=[\d.]+$")
    )
    await stage.evaluate("image => image.decode()")
    # All is above the lowest level, so all is white.
    assert await page.evaluate(MEAN) > 200
    await page.get_by_role("button", name="Reset").click()
    await expect(stage).to_have_attribute("src", plain)
    await stage.evaluate("image => image.decode()")
    assert await page.evaluate(MEAN) < 150

    # The file itself names the patient: it is not for labelers.
    original = plain.rpartition("/")[0] + "/o"
    answer = await page.request.get(bench.server.url + original)
    assert answer.status == 403
    headers = {"Authorization": f"Bearer {bench.server.token}"}
    async with httpx.AsyncClient(base_url=bench.server.url, headers=headers) as admin:
        assert (await admin.get(original)).content == examples.get_path("ct").read_bytes()
        for query in ("wc=1", "wc=a&ww=2", "wc=1&ww=0", "wc=nan&ww=5"):
            assert (await admin.get(f"{plain}?{query}")).status_code == 400


MEAN = """() => {
  const image = document.querySelector('.zoom-stage img');
  const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
  const context = canvas.getContext('2d');
  context.drawImage(image, 0, 0);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
  return pixels.filter((_, i) => i % 4 === 0).reduce((a, b) => a + b, 0) / pixels.length * 4;
}"""
