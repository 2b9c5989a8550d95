"""Making a project and changing it while somebody labels, as an admin does it in a browser."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path

from playwright.async_api import Browser, Dialog, Page, Route, expect

from tests.browser.pages import admin_page, open_labeling, open_room, signed_in
from tests.servers import Bench, TestServer, pictures


async def test_a_project_is_made_step_by_step_and_survives_a_closed_page(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        pictures(folder / "tops", 3)
        pictures(folder / "shoes", 3, start=10)
        page = await admin_page(browser, bench)
        await page.goto(f"{server.url}/projects/new")
        await page.get_by_label("Name", exact=True).fill("Wardrobe")
        await page.keyboard.press("Enter")
        following = page.get_by_role("button", name="Next")
        await following.click()
        await page.locator("#folder").set_input_files(str(folder))
        await expect(page.locator("#found")).to_contain_text("6 pictures here")
        await following.click()
        # Nothing without classes.
        await following.click()
        await expect(page.locator("#problem")).to_contain_text("two classes")
        await page.get_by_role("button", name="From the data's labels").click()
        await expect(page.locator(".class-row")).to_have_count(2)
        await expect(page.locator("#kept")).to_have_text("Kept")
        await page.goto("about:blank")

        await page.goto(f"{server.url}/projects/new")
        draft = page.locator("#drafts li", has_text="Wardrobe")
        await draft.get_by_role("link", name="Continue").click()
        await expect(page.get_by_label("Name of class 2")).to_have_value("tops")
        for _ in range(5):
            await following.click()
        await expect(page.locator("#estimate")).to_contain_text("6 votes, about 1 min of work")
        await page.get_by_label("Seconds an item takes").fill("600")
        await expect(page.locator("#estimate")).to_contain_text("about 1.0 h")
        await page.get_by_role("button", name="Initialize").click()
        await page.wait_for_url("**/p/*")
        made = next(p for p in await bench.admin.projects() if p.name == "Wardrobe")
        assert (made.class_names, made.items) == (["shoes", "tops"], 6)
        drafts = (await bench.admin.request("GET", "/api/drafts")).json()["drafts"]
        assert "Wardrobe" not in [d["body"]["name"] for d in drafts]
        await boxes_by_the_wizard(page, bench)


async def test_enter_counts_while_the_unfinished_ones_are_still_asked_for(
    browser: Browser, bench: Bench
) -> None:
    page = await admin_page(browser, bench)
    came = asyncio.Event()

    async def late(route: Route) -> None:
        await came.wait()
        await route.continue_()

    await page.route("**/api/drafts", late)
    await page.goto(f"{bench.server.url}/projects/new")
    await page.get_by_label("Name", exact=True).fill("Early")
    await page.keyboard.press("Enter")
    await expect(page.locator('[data-step="task"] h1')).to_be_visible()
    came.set()
    await expect(page.locator("#kept")).to_have_text("Kept")
    await expect(page.locator('[data-step="task"] h1')).to_be_visible()
    await expect(page.locator('[data-go="name"]')).to_contain_text("Early")


async def test_a_wrong_folder_is_said_and_forgotten_when_the_data_is_elsewhere(
    browser: Browser, bench: Bench
) -> None:
    page = await admin_page(browser, bench)
    await page.goto(f"{bench.server.url}/projects/new")
    await page.get_by_label("Name", exact=True).fill(f"Elsewhere {secrets.token_hex(3)}")
    following = page.get_by_role("button", name="Next")
    await following.click()
    await following.click()
    await page.get_by_text("On the server", exact=True).click()
    problem = page.locator("#problem")
    await page.get_by_role("button", name="Look").click()
    await expect(problem).to_contain_text("Name a folder or a table")
    await page.get_by_label("Folder or table on the server").fill("/no/such/folder")
    await expect(problem).to_be_hidden()
    await following.click()
    await expect(problem).to_contain_text("no folder /no/such/folder")
    await page.get_by_text("On this computer", exact=True).click()
    await expect(problem).to_be_hidden()
    await following.click()
    await expect(page.get_by_role("heading", name="Classes")).to_be_visible()
    # What the server would refuse at the very end is said here.
    await page.locator("#list").fill("a\n1/2/3/4/5/6/7")
    await following.click()
    await expect(problem).to_contain_text("“1/2/3/4/5/6/7” has 7 levels")
    await page.locator("#list").fill("a\n\nb\nb\n")
    await following.click()
    await expect(page.get_by_role("heading", name="Instructions", exact=True)).to_be_visible()


async def boxes_by_the_wizard(page: Page, bench: Bench) -> None:
    """It asks for what matters to boxes, with their own target, and for nothing else."""
    name = f"Boxes {secrets.token_hex(3)}"
    page = await page.context.new_page()  # what the last one still loads is not in the way
    await page.goto(f"{bench.server.url}/projects/new")
    await page.get_by_label("Name", exact=True).fill(name)
    following = page.get_by_role("button", name="Next")
    await following.click()
    await page.locator('[name="task_type"][value="boxes"]').check()
    await following.click()
    await page.get_by_text("Later", exact=True).click()
    await following.click()
    await page.locator("#list").fill("shoe\ntop")
    await following.click()
    await following.click()
    await expect(page.get_by_label("Right, %")).to_have_value("60")
    await page.get_by_label("Votes at most").fill("3")
    await page.locator('[name="iou"]').fill("60")
    await following.click()
    await expect(page.locator("#cluster-row")).to_be_hidden()
    await expect(page.locator("#detector-row")).to_contain_text("This server has no larger one")
    await following.click()
    await following.click()
    await page.get_by_role("button", name="Initialize").click()
    await page.wait_for_url("**/p/*")
    made = next(p for p in await bench.admin.projects() if p.name == name)
    assert (made.task_type, made.class_names, made.page_size) == ("boxes", ["shoe", "top"], 1)
    assert (made.iou, made.target, made.votes_max) == (0.6, 0.6, 3)


async def test_what_another_supervisor_has_set_meanwhile_stays(
    browser: Browser, bench: Bench, folder: Path
) -> None:
    await bench.make(pictures(folder, 4), page_size=4, votes_max=3)
    pages = [await signed_in(browser, bench, "supervisor") for _ in range(2)]
    for page in pages:
        await page.goto(f"{bench.server.url}/p/{bench.project.project_id}/settings")
    first, second = pages
    name = f"Renamed {secrets.token_hex(3)}"
    await first.get_by_label("Name", exact=True).fill(name)
    await first.get_by_label("Votes are merged by").select_option("majority")
    await first.get_by_label("Prelabels", exact=True).check()
    await first.get_by_role("button", name="Save", exact=True).click()
    await expect(first.locator("#saved")).to_be_visible()
    await second.get_by_label("Practice before the first page").fill("3")
    await second.get_by_label("Votes at most").fill("2")
    await second.get_by_role("button", name="Save", exact=True).click()
    effect = second.get_by_role("button", name="Apply it")
    await expect(effect.or_(second.locator("#saved"))).to_be_visible()
    if await effect.is_visible():
        await effect.click()
    await expect(second.locator("#saved")).to_be_visible()
    made = await bench.admin.project(bench.project.project_id)
    assert (made.name, made.consensus, made.prelabel) == (name, "majority", True)
    assert (made.practice, made.votes_max) == (3, 2)
    # And is seen, with nothing left that would be saved again.
    await expect(second.get_by_label("Name", exact=True)).to_have_value(name)
    await expect(second.get_by_label("Votes are merged by")).to_have_value("majority")
    await expect(second.get_by_label("Prelabels", exact=True)).to_be_checked()
    changes = f"/api/projects/{bench.project.project_id}/changes"
    before = (await bench.admin.request("GET", changes)).json()["changes"]
    assert set(before[0]["change"]) >= {"practice", "votes_max"}
    assert "name" not in before[0]["change"]


async def test_instructions_do_not_replace_those_of_another_without_a_word(
    browser: Browser, bench: Bench, folder: Path
) -> None:
    await bench.make(pictures(folder, 4), page_size=4, instructions="As it was.")
    pages = [await signed_in(browser, bench, "supervisor") for _ in range(2)]
    for page in pages:
        await page.goto(f"{bench.server.url}/p/{bench.project.project_id}/settings")
    first, second = pages
    save = [page.get_by_role("button", name="Save the instructions") for page in pages]
    await first.locator("#instructions").fill("Look twice.")
    await save[0].click()
    await expect(first.locator(".toast")).to_contain_text("Saved")
    # One's own next one asks nothing: nobody accepts a dialog here.
    await first.locator("#instructions").fill("Look three times.")
    await save[0].click()
    await expect(first.locator("#history")).to_contain_text("Instructions")

    asked: list[str] = []
    answers = [False, True]

    async def answer(dialog: Dialog) -> None:
        asked.append(dialog.message)
        await (dialog.accept() if answers.pop(0) else dialog.dismiss())

    second.on("dialog", answer)
    await second.locator("#instructions").fill("Mine.")
    await save[1].click()
    await expect(save[1]).to_be_enabled()
    assert len(asked) == 1
    assert "Somebody else has changed the instructions" in asked[0]
    kept = await bench.admin.project(bench.project.project_id)
    assert kept.instructions == "Look three times."
    await expect(second.locator("#instructions")).to_have_value("Mine.")
    await save[1].click()
    await expect(second.locator(".toast")).to_contain_text("Saved")
    assert (await bench.admin.project(bench.project.project_id)).instructions == "Mine."


async def test_every_room_says_that_a_project_is_archived(
    browser: Browser, bench: Bench, folder: Path
) -> None:
    await bench.make(pictures(folder, 4), page_size=4)
    at = f"{bench.server.url}/p/{bench.project.project_id}"
    page = await admin_page(browser, bench)
    watching = await signed_in(browser, bench, "supervisor")
    await watching.goto(at)
    pause = watching.get_by_role("button", name="Pause", exact=True)
    await expect(pause).to_be_enabled()
    await expect(watching.locator("#feed")).to_be_empty()
    said = page.get_by_role("link", name="archived", exact=True)
    await page.goto(f"{at}/settings")
    await page.get_by_role("button", name="Archive", exact=True).click()
    await expect(said).to_be_visible()
    # There is nothing to pause, and whoever has the dashboard open sees why.
    await expect(pause).to_be_hidden()
    await expect(watching.get_by_role("link", name="archived", exact=True)).to_be_visible()
    for room in ("review", "quality", "model", "data"):
        await page.goto(f"{at}/{room}")
        await expect(said).to_be_visible()
    await said.click()
    await page.get_by_role("button", name="Bring it back, paused").click()
    await expect(said).to_be_hidden()
    await expect(watching.get_by_role("button", name="Resume", exact=True)).to_be_visible()


async def test_labelers_see_new_names_and_read_new_instructions(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 6), classes=["Colours/green", "Colours/red"])
        labeler = await signed_in(browser, bench)
        await open_labeling(labeler, bench)
        await expect(labeler.locator(".class-group")).to_have_text(["Colours"])
        await labeler.keyboard.press("2")
        first = labeler.locator(".tile").first
        await expect(first).to_contain_text("Colours/red")
        boss = await signed_in(browser, bench, "supervisor")
        await open_room(boss, bench, "settings")
        await boss.get_by_label("Name of class 2").fill("Colours/crimson")
        await boss.keyboard.press("Enter")
        # What is answered is still answered, by the new name.
        await expect(first).to_contain_text("Colours/crimson")

        await boss.locator("#instructions").fill("## Look twice")
        await expect(boss.locator(".prose-preview h2")).to_have_text("Look twice")
        await boss.get_by_role("button", name="Save the instructions").click()
        reading = labeler.get_by_role("dialog", name="The instructions have changed")
        await expect(reading).to_contain_text("Look twice")
        await labeler.keyboard.press("Escape")
        await expect(reading).to_be_visible()
        answered = labeler.locator(".tile[data-answered=true]")
        await expect(answered).to_have_count(1)
        await labeler.get_by_role("button", name="I have read them").click()
        await labeler.keyboard.press("1")
        await expect(answered).to_have_count(2)
        await expect(boss.locator("#readers")).to_contain_text("read by 1 of 1")
