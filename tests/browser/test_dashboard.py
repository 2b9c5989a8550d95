"""A supervisor follows the work live, steps in, and looks back."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.pages import names, open_labeling, signed_in
from tests.browser.test_accessible import no_barrier
from tests.servers import Bench, page_of, pictures, vote_page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


async def test_a_supervisor_follows_the_work_steps_in_and_looks_back(
    bench: Bench, browser: Browser, folder: Path
) -> None:
    await bench.make(pictures(folder, 40), gold_rate=0, seed=7)
    project = bench.project.project_id
    ada = await signed_in(browser, bench)
    await open_labeling(ada, bench)
    boss = await signed_in(browser, bench, "supervisor")
    errors: list[str] = []
    boss.on("pageerror", lambda error: errors.append(str(error)))
    boss.on("console", lambda m: m.type == "error" and errors.append(m.text))
    await boss.goto(f"{bench.server.url}/p/{project}")
    await expect(boss.locator("#done-of")).to_have_text("0 of 40 labeled")
    await expect(boss.locator('#server [data-key="people"] dd')).to_have_text(re.compile("[2-9]"))

    # What Ada sees, live; her page is taken back, and her screen says so and has another.
    person = boss.locator("#labelers .person").first
    name = await person.inner_text()
    await person.click()
    dialog = boss.locator("#person")
    await expect(dialog.locator(".person-page li")).to_have_count(9)
    await no_barrier(boss)
    before = await names(ada)
    await dialog.get_by_role("button", name="Take this page back").click()
    await expect(ada.locator(".toast").last).to_contain_text("took this page back")
    await expect(ada.locator(".tile").first).to_be_visible()
    assert not set(before) & set(await names(ada))
    await expect(boss.locator(".toast").last).to_contain_text(f"taken back from {name}")
    await boss.locator("#person-close").click()
    (who,) = (p.user_id for p in (await bench.stats()).labelers if p.name == name)
    held = (await get(bench, f"people/{who}/pages"))["pages"]
    hers = {item["name"] for page in held for item in page["items"]}

    quiet = time.time() * 1000

    # Some pictures come first, to whoever asks next.
    await boss.get_by_role("button", name="First …").click()
    await boss.locator("#priority-text").fill("red-0003")
    await expect(boss.locator("#priority-found")).to_contain_text("5 open pictures match")
    await no_barrier(boss)
    await boss.get_by_role("button", name="Let them come first").click()
    await expect(boss.locator('#queue [data-kind="first"] b')).to_have_text("5")
    ben = await bench.labeler(page_size=6)
    page = await page_of(ben)
    wanted = {f"red-0003{n}.png" for n in (1, 3, 5, 7, 9)} - hers
    assert wanted <= {item.name for item in page.items}

    # The numbers follow.
    await vote_page(ben, page)
    await expect(boss.locator("#done-of")).to_have_text("6 of 40 labeled")
    live = await boss.locator("#done-of").inner_text()
    await expect(boss.locator("#labels-table")).to_contain_text("red")
    await expect(boss.locator("#curve-chart canvas")).to_be_visible()
    await boss.locator(".curve-card summary").click()
    newest = boss.locator("#curve-table tbody tr").first.locator("td").nth(1)
    await expect(newest).to_have_text(live.partition(" ")[0])

    # At another time: before Ben's answers there were fewer; and back.
    await look_back(boss, bench, quiet)
    await expect(boss.locator("#time-live")).to_be_visible()
    await expect(boss.locator("#done-of")).to_have_text("0 of 40 labeled")
    await expect(boss.locator("#pause")).to_be_hidden()
    shots = os.environ.get("CHORUS_SHOTS")
    if shots:
        await boss.screenshot(path=f"{shots}/dashboard-past.png", full_page=True)
    await boss.locator("#time-live").click()
    await expect(boss.locator("#done-of")).to_have_text(live)
    await expect(boss.locator("#pause")).to_be_visible()

    # Side by side, on the wall, and through to the items.
    await boss.goto(f"{bench.server.url}/overview")
    card = boss.locator(f'[data-project="{project}"]')
    await expect(card).to_contain_text(live)
    await boss.goto(f"{bench.server.url}/p/{project}/wall")
    await expect(boss.locator(".wall-done")).to_have_text(live)
    await expect(boss.locator("button, input, a")).to_have_count(0)
    await boss.goto(f"{bench.server.url}/p/{project}")
    await boss.locator("#states a", has_text="labeled").first.click()
    await expect(boss).to_have_url(re.compile("state=labeled"))
    assert errors == []


async def get(bench: Bench, path: str) -> Any:
    answer = await bench.admin.request("GET", f"/api/projects/{bench.project.project_id}/{path}")
    return answer.json()


async def look_back(page: Page, bench: Bench, at: float) -> None:
    """Move the slider to a time."""
    began = await page.evaluate("JSON.parse(document.body.dataset.boot).project.created_at")
    step = int(1000 * (at - began) / (time.time() * 1000 - began))
    slider = page.get_by_role("slider", name="Time shown")
    await slider.evaluate(
        "(s, step) => { s.value = step; s.dispatchEvent(new Event('input')); }", step
    )
