"""A labeler flags and asks, a supervisor answers in the review room, both live."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from chorus.client import LabelerStream
from tests.browser.pages import (
    Wire,
    go_offline,
    names,
    open_labeling,
    open_review,
    open_room,
    signed_in,
)
from tests.servers import Bench, TestServer, page_of, pictures

pytestmark = pytest.mark.browser


async def test_a_flag_with_a_question_is_answered(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 12), page_size=4)
        boss = await signed_in(browser, bench, "supervisor")
        await open_room(boss, bench, "review")
        await expect(boss.locator("#connection")).to_have_attribute("data-state", "live")
        page = await signed_in(browser, bench)
        await open_labeling(page, bench)
        await page.keyboard.press("f")
        await page.locator("#comment textarea").fill("Is this a picture at all?")
        await page.keyboard.press("Enter")
        await expect(page.locator("#comment")).to_be_hidden()
        await expect(page.locator(".tile .chip").first).to_have_text("Flagged")
        # The keyboard is back with the pictures, at the next one.
        await expect(page.locator('.tile[data-focused="true"]')).to_have_attribute(
            "aria-label", "Picture 2, no answer yet"
        )
        await expect(page.locator(".thread")).to_contain_text("Is this a picture at all?")
        await page.keyboard.press("a")
        await page.keyboard.press("a")
        for key in ("1", "2", "1", "Enter"):
            await page.keyboard.press(key)
        # It arrives under the supervisor's eyes, the question with it.
        await expect(boss.locator("#unread")).to_have_text("1 new comment")
        await expect(boss.locator(".rv-threads")).to_contain_text("Is this a picture at all?")
        await expect(boss.locator("#unread")).to_be_hidden()
        await boss.keyboard.press("c")
        await boss.locator("#comments textarea").fill("Yes: all red.")
        await boss.keyboard.press("Enter")
        # And the answer beside the labeler's work, new until it is read.
        await expect(page.locator(".thread-unread")).to_have_text("1 new")
        await expect(page.locator(".toast").last).to_contain_text("Yes: all red.")
        await page.locator(".thread").click()
        await expect(page.locator("#comment .comment-entry")).to_have_count(2)
        await expect(page.locator(".thread-unread")).to_be_hidden()
        await page.keyboard.press("Escape")
        await page.reload()
        await expect(page.locator(".thread-last")).to_have_text("Yes: all red.")
        await expect(page.locator(".thread-unread")).to_be_hidden()


async def test_words_that_were_not_sent_are_there_when_the_dialog_opens_again(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 12), page_size=4)
        page = await signed_in(browser, bench)
        await open_labeling(page, bench)
        field = page.locator("#comment textarea")
        await page.keyboard.press("c")
        await page.keyboard.type("Half of it is")
        await page.keyboard.press("Escape")
        await expect(page.locator("#comment")).to_be_hidden()
        # Not about another picture.
        await page.keyboard.press("ArrowRight")
        await page.keyboard.press("f")
        await expect(field).to_have_value("")
        await page.keyboard.press("Escape")
        await page.keyboard.press("ArrowLeft")
        await page.keyboard.press("f")
        await expect(field).to_have_value("Half of it is")
        await page.keyboard.type(" green.")
        await page.keyboard.press("Enter")
        await expect(page.locator(".thread")).to_contain_text("Half of it is green.")
        await page.keyboard.press("ArrowLeft")
        await page.keyboard.press("c")
        await expect(page.locator("#comment .comment-entry")).to_have_count(1)
        await expect(field).to_have_value("")


async def test_a_comment_written_offline_arrives(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 4), page_size=4)
        page = await signed_in(browser, bench)
        await open_labeling(page, bench)
        await go_offline(page)
        await page.keyboard.press("c")
        await page.locator("#comment textarea").fill("Kept for later")
        await page.keyboard.press("Enter")
        await expect(page.locator("#unsynced")).to_have_text("1 unsynced")
        await page.context.set_offline(False)
        await expect(page.locator("#unsynced")).to_be_hidden()
        await expect(page.locator(".tile-comment[data-n]")).to_have_count(1)
        path = f"/api/projects/{bench.project.project_id}/comments"
        threads = (await bench.admin.request("GET", path)).json()
        assert [t["last"]["text"] for t in threads["threads"]] == ["Kept for later"]


async def test_a_flag_does_not_hit_what_came_in_its_place(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 12), page_size=4)
        page = await signed_in(browser, bench)
        await open_labeling(page, bench)

        async def settle(item: str) -> None:
            path = f"/api/projects/{bench.project.project_id}/items/{item}/review"
            decision = {"action": "change", "value": {"class": "red"}}
            await bench.admin.request("POST", path, json=decision)
            await expect(page.locator(f'.tile[data-item="{item}"]')).to_have_count(0)

        flagged = page.locator(".tile .chip", has_text="Flagged")
        first = (await names(page))[0]
        await page.keyboard.press("f")
        await page.locator("#comment textarea").fill("It is blurred.")
        await settle(first)
        await page.keyboard.press("Enter")
        await expect(page.locator(".toast").last).to_contain_text("nothing was flagged")
        await expect(page.locator("#comment")).to_be_hidden()
        await expect(flagged).to_have_count(0)
        await expect(page.locator(".thread")).to_contain_text("It is blurred.")
        # Of several, those that are still there.
        await page.keyboard.press("a")
        await page.keyboard.press("f")
        await expect(page.locator("#comment textarea")).to_be_focused()
        await settle((await names(page))[1])
        await page.keyboard.press("Enter")
        await expect(page.locator(".toast").last).to_contain_text("Flagged for a supervisor.")
        await expect(flagged).to_have_count(3)
        await expect(page.locator(".tile").nth(1).locator(".chip:visible")).to_have_count(0)


async def test_a_reply_goes_to_whoever_wrote(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        rules = {"votes_min": 2, "votes_max": 2, "consensus": "majority", "page_size": 4}
        await bench.make(pictures(folder, 2), **rules)
        project_id = bench.project.project_id
        voter, writer = [await bench.labeler(page_size=4, credit=1) for _ in range(2)]
        items = list((await page_of(voter)).items)
        await page_of(writer)
        for item in items:
            await voter.cast(item, "label", "red")
            await writer.cast(item, "label", "green")

        async def writes(stream: LabelerStream, item_id: int, text: str) -> None:
            body = {"item_id": item_id, "text": text, "comment_id": str(uuid.uuid4())}
            await stream.socket.request("comment.add", {"project_id": project_id, **body})

        async def threads() -> dict[str, str]:
            """What was said last to each labeler."""
            path = f"/api/projects/{project_id}/comments"
            found = (await bench.admin.request("GET", path)).json()["threads"]
            return {thread["last"]["text"]: thread["labeler"] for thread in found}

        for item in items:
            await writes(voter, item.item_id, "Is this mine?")
            await writes(writer, item.item_id, "Is this green?")
        boss = await signed_in(browser, bench, "supervisor")
        wire = await Wire.on(boss)
        # Before it is known who wrote, nobody is offered; what is typed meanwhile is kept.
        wire.lose = lambda frame: "comments" in (frame.get("body") or {})
        await open_review(boss, bench)
        field, to = boss.locator("#comments textarea"), boss.locator("#comments select")
        await boss.keyboard.press("c")
        await expect(field).to_be_focused()
        await boss.keyboard.type("Yes, green.")
        await boss.keyboard.press("Enter")
        await expect(to.locator("option")).to_have_count(0)
        wire.lose = lambda frame: False
        await wire.cut()
        await expect(to.locator("option")).to_have_count(2)
        await expect(field).to_have_value("Yes, green.")
        await boss.keyboard.press("Enter")
        await expect(boss.locator(".rv-threads")).to_contain_text("Yes, green.")
        said = await threads()
        name = said["Yes, green."]
        assert said["Is this mine?"] != name
        await expect(to.locator("option:checked")).to_have_text(f"To {name}")
        # A choice holds while others write, and the keyboard stays where it is.
        await to.select_option(label=f"To {said['Is this mine?']}")
        await field.click()
        await boss.keyboard.type("No")
        item_id = await boss.locator(".rv-thumb[aria-current]").get_attribute("data-item")
        await writes(writer, int(str(item_id)), "Thank you.")
        await expect(boss.locator(".rv-threads")).to_contain_text("Thank you.")
        await boss.keyboard.type(", theirs.")
        await expect(field).to_have_value("No, theirs.")
        await boss.keyboard.press("Enter")
        await expect(boss.locator(".rv-threads")).to_contain_text("No, theirs.")
        assert (await threads())["No, theirs."] == said["Is this mine?"]
        # Of the next item nothing has been chosen.
        await boss.keyboard.press("j")
        await expect(boss.locator(".rv-threads .comment-entry")).to_have_count(2)
        await expect(to.locator("option:checked")).to_have_text(f"To {name}")
