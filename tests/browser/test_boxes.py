"""A person draws boxes and polygons with mouse and keys, in a real Chromium."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from tests.browser.drawing import CLASSES, Canvas, cells, labels, near, open_drawing
from tests.browser.pages import go_offline, open_review, open_room, signed_in
from tests.browser.test_accessible import violations
from tests.server.test_label_imports import bring
from tests.servers import Bench, TestServer, page_of

pytestmark = pytest.mark.browser

BOXES: dict[str, Any] = {"classes": CLASSES, "task_type": "boxes", "votes_min": 1, "votes_max": 1}
POLYGONS = {**BOXES, "task_type": "polygons"}


async def test_boxes_are_drawn_put_right_and_sent(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(cells(folder, 6), **BOXES)
        page = await signed_in(browser, bench)
        canvas = await open_drawing(page, bench)
        # A stray click or the shortest drag draws nothing, and says so.
        await canvas.click(50, 50)
        await canvas.drag((60, 60), (61, 60))
        await canvas.has(0)
        # Two boxes; the second gets its class after it is drawn.
        await canvas.drag((20, 30), (80, 90))
        await canvas.drag((200, 100), (150, 60))
        await page.keyboard.press("2")
        await canvas.has(2)
        assert [said.partition(",")[0] for said in await canvas.shapes()] == ["RBC", "WBC"]
        # A template: 50 × 50, or, T again, as large as the last.
        await page.keyboard.press("t")
        await canvas.click(300, 200)
        await page.keyboard.press("t")
        await canvas.click(350, 60)
        await canvas.has(4)
        assert "50 × 40" in (await canvas.shapes())[2]
        assert "50 × 50" in (await canvas.shapes())[3]
        # In hand with M: what is pointed at is what keys are about.
        await page.keyboard.press("m")
        await canvas.drag((50, 60), (60, 80))
        await canvas.drag((90, 110), (100, 140))
        await canvas.point(350, 60)
        await page.keyboard.press("3")
        await canvas.point(300, 200)
        await page.keyboard.press("Delete")
        await canvas.has(3)
        # Back and forth.
        await page.keyboard.press("Control+z")
        await canvas.has(4)
        await page.keyboard.press("Control+Shift+z")
        await canvas.has(3)
        # What is locked stays where it is and what it is.
        await canvas.point(350, 60)
        await page.keyboard.press("l")
        await page.keyboard.press("x")
        await expect(page.locator(".toast")).to_contain_text("locked")
        await canvas.drag((350, 60), (300, 60))
        await canvas.has(3)
        await page.keyboard.press("Enter")
        await expect(page.locator("#today")).to_have_text("1")
        await canvas.has(0)
        (label,) = await labels(bench)
        drawn = {box["class"]: box["box"] for box in label}
        assert near(drawn["RBC"], [30, 50, 70, 90])
        assert near(drawn["WBC"], [150, 60, 50, 40])
        assert near(drawn["Platelets"], [325, 35, 50, 50])


async def test_a_picture_to_draw_on_that_failed_once_comes_after_all(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(cells(folder, 2), **BOXES)
        page = await signed_in(browser, bench)
        await page.route("**/media/**", lambda route: route.abort())
        await open_room(page, bench, "label")
        picture = page.locator(".drawing-canvas")
        await expect(picture).to_have_attribute("data-picture", "missing")
        await page.unroute("**/media/**")
        await page.evaluate("dispatchEvent(new Event('online'))")
        await expect(picture).to_have_attribute("data-picture", "there")


async def test_keys_alone_suffice(server: TestServer, browser: Browser, folder: Path) -> None:
    async with Bench(server) as bench:
        await bench.make(cells(folder, 6), **BOXES)
        page = await signed_in(browser, bench)
        canvas = await open_drawing(page, bench)
        for key in ("2", "t", "Space", "m"):
            await page.keyboard.press(key)
        await canvas.has(1)
        assert (await canvas.shapes())[0] == "WBC, 50 × 50 at 175, 125"
        for key in (
            "ArrowLeft",
            "Shift+ArrowDown",
            "Control+ArrowRight",
            "Control+Shift+ArrowDown",
        ):
            await page.keyboard.press(key)
        assert (await canvas.shapes())[0] == "WBC, 51 × 60 at 174, 135"
        # Nudges of one kind are one step back.
        for _ in range(3):
            await page.keyboard.press("ArrowLeft")
        await page.keyboard.press("Control+z")
        assert (await canvas.shapes())[0] == "WBC, 51 × 60 at 174, 135"
        for key in ("d", "1", "k", "3"):
            await page.keyboard.press(key)
        assert [said.partition(",")[0] for said in await canvas.shapes()] == ["Platelets", "RBC"]
        await page.keyboard.press("Shift+X")
        await canvas.has(0)
        # Nothing here is an answer: asked for once, or said by 0.
        await page.keyboard.press("Enter")
        await expect(page.locator(".toast")).to_contain_text("Nothing is drawn")
        await expect(page.locator("#today")).to_have_text("0")
        await page.keyboard.press("Enter")
        await expect(page.locator("#today")).to_have_text("1")
        await page.keyboard.press("0")
        await expect(page.locator("#today")).to_have_text("2")
        assert await labels(bench) == [[], []]


async def test_what_was_sent_is_corrected_and_comes_back_after_a_reload(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(cells(folder, 6), **BOXES)
        page = await signed_in(browser, bench)
        canvas = await open_drawing(page, bench)
        await canvas.drag((20, 30), (80, 90))
        await page.reload()
        await canvas.ready()
        await canvas.has(1)
        await go_offline(page)
        await page.keyboard.press("Enter")
        await expect(page.locator("#unsynced")).to_have_text("1 unsynced")
        await canvas.ready()
        await canvas.has(0)
        # The next picture is here, and can be drawn on.
        await canvas.drag((100, 100), (160, 160))
        await page.keyboard.press("Enter")
        await expect(page.locator("#unsynced")).to_have_text("2 unsynced")
        await page.context.set_offline(False)
        await expect(page.locator("#unsynced")).to_be_hidden()
        await expect(page.locator("#today")).to_have_text("2")
        await page.locator(".mosaic").first.click()
        await canvas.ready()
        await canvas.has(1)
        await page.keyboard.press("m")
        await canvas.point(130, 130)
        await page.keyboard.press("2")
        await page.keyboard.press("Enter")
        watch = await bench.watch()
        await watch.until(lambda s: (s.labels.get("RBC"), s.labels.get("WBC")) == (1, 1))
        assert sorted(box["class"] for one in await labels(bench) for box in one) == [
            "RBC", "WBC",
        ]  # fmt: skip


async def test_a_correction_that_one_key_too_many_has_left_is_gone_on_with(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(cells(folder, 6), **BOXES)
        page = await signed_in(browser, bench)
        canvas = await open_drawing(page, bench)
        await canvas.drag((20, 30), (80, 90))
        await page.keyboard.press("Enter")
        await expect(page.locator("#today")).to_have_text("1")
        await page.locator(".mosaic").click()
        await canvas.has(1)
        await page.keyboard.press("r")
        for x in (120, 200, 280):
            await canvas.drag((x, 100), (x + 40, 140))
        await canvas.has(4)
        # The first lets the box go, the second the picture.
        await page.keyboard.press("Escape")
        await page.keyboard.press("Escape")
        await expect(page.locator(".banner-title")).to_have_text("Tasks manual")
        await expect(page.locator(".toast")).to_contain_text("not saved")
        await page.locator(".mosaic").click()
        await canvas.has(4)
        await page.keyboard.press("Enter")
        await expect(page.locator(".banner-title")).to_have_text("Tasks manual")
        await page.locator(".mosaic").click()
        await canvas.has(4)
        # Left as it was, it is left without a word.
        await page.keyboard.press("Escape")
        await expect(page.locator(".banner-title")).to_have_text("Tasks manual")
        watch = await bench.watch()
        await watch.until(lambda s: s.labels.get("RBC") == 4)


async def test_polygons_get_points_and_lose_them(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(cells(folder, 6), **POLYGONS)
        page = await signed_in(browser, bench)
        canvas = await open_drawing(page, bench)
        for x, y in ((50, 50), (150, 50), (150, 150)):
            await canvas.click(x, y)
        # Not ended: Submit says so, and ends it.
        await page.locator("#do-submit").click()
        await expect(page.locator(".toast")).to_contain_text("The polygon is ended")
        await canvas.has(1)
        for x, y in ((250, 50), (350, 50), (350, 150)):
            await canvas.click(x, y)
        await page.mouse.dblclick(*await canvas.at(250, 150))
        await canvas.has(2)
        # A bow tie is no polygon.
        for x, y in ((50, 200), (150, 280), (150, 200), (50, 280)):
            await canvas.click(x, y)
        await page.keyboard.press("Enter")
        await expect(page.locator(".toast").last).to_contain_text("cross itself")
        await page.keyboard.press("Escape")
        await canvas.has(2)
        await page.keyboard.press("u")
        await canvas.drag((100, 100), (60, 140))
        await canvas.click(350, 50)
        await page.keyboard.press("Enter")
        await expect(page.locator("#today")).to_have_text("1")
        (label,) = await labels(bench)
        counts = sorted(len(one["points"]) for one in label)
        assert counts == [3, 4]
        moved = next(one["points"] for one in label if len(one["points"]) == 4)
        assert any(near(point, [60, 140]) for point in moved)


async def cast(bench: Bench, boxes: list[list[Any]]) -> None:
    """A new colleague's answer on the next picture."""
    colleague = await bench.labeler(credit=1)
    page = await page_of(colleague)
    value = {"boxes": [{"class": cls, "box": box} for cls, *box in boxes]}
    await colleague.socket.cast(colleague.vote(page.items[0], "label", value, duration_ms=5))
    await colleague.finish(page)


async def test_disputed_boxes_are_accepted_or_dropped(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(cells(folder, 1), **{**BOXES, "votes_min": 2, "votes_max": 2})
        await cast(bench, [["RBC", 20, 20, 60, 60], ["WBC", 200, 40, 50, 50]])
        await cast(bench, [["RBC", 24, 20, 60, 60], ["Platelets", 300, 200, 30, 30]])
        watch = await bench.watch()
        await watch.until(lambda s: s.counts.needs_review == 1)
        page = await signed_in(browser, bench, "supervisor")
        await open_review(page, bench)
        canvas = Canvas(page)
        await canvas.ready()
        await canvas.has(3)
        await expect(page.locator(".rv-person")).to_have_count(2)
        await expect(page.locator(".rv-disputed")).to_have_text("2 disputed shapes")
        # Enter asks first; A takes one in, X leaves one out.
        await page.keyboard.press("Enter")
        await expect(page.locator(".toast")).to_contain_text("2 disputed shapes left")
        await page.keyboard.press("a")
        await expect(page.locator(".rv-disputed")).to_have_text("1 disputed shape")
        await page.keyboard.press("x")
        await canvas.has(2)
        await page.keyboard.press("Control+z")
        await canvas.has(3)
        await page.keyboard.press("x")
        await expect(page.locator(".rv-disputed")).to_have_text("Nothing is disputed.")
        # What was merged can be put right on the same picture.
        await page.keyboard.press("e")
        await page.keyboard.press("r")
        await canvas.drag((100, 200), (150, 240))
        await canvas.has(3)
        await page.keyboard.press("3")
        await page.keyboard.press("Escape")
        await page.keyboard.press("Escape")
        await page.keyboard.press("Enter")
        await expect(page.locator("#done")).to_contain_text("Decided")
        (label,) = await labels(bench)
        drawn = {one["class"]: one["box"] for one in label}
        assert near(drawn["RBC"], [22, 20, 60, 60], 3)
        assert drawn["WBC"] == [200, 40, 50, 50]
        assert near(drawn["Platelets"], [100, 200, 50, 40])
        # A decision is taken back like any other.
        await page.keyboard.press("u")
        await canvas.ready()
        await expect(page.locator(".rv-disputed")).to_have_text("2 disputed shapes")


async def test_an_old_drawing_is_opened_and_corrected(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(cells(folder, 4), **BOXES)
        page = await signed_in(browser, bench)
        canvas = await open_drawing(page, bench)
        await canvas.drag((20, 30), (80, 90))
        await page.keyboard.press("Enter")
        await expect(page.locator("#today")).to_have_text("1")
        await page.get_by_role("link", name="All my answers").click()
        await expect(page.locator(".answer .chip")).to_have_text("1 RBC")
        await expect(page.locator(".answer polygon")).to_have_count(1)
        await page.keyboard.press("Enter")
        await canvas.ready()
        await canvas.point(50, 60)
        await page.keyboard.press("2")
        await page.keyboard.press("r")
        await canvas.drag((200, 100), (260, 160))
        await page.keyboard.press("Enter")
        await expect(page.locator("#drawing")).to_be_hidden()
        await expect(page.locator(".answer polygon")).to_have_count(2)
        # Escape lets go of the shape, then closes it as it was.
        await page.keyboard.press("Enter")
        await canvas.point(50, 60)
        await page.keyboard.press("x")
        await canvas.has(1)
        for _ in range(3):
            await page.keyboard.press("Escape")
        await expect(page.locator("#drawing")).to_be_hidden()
        await expect(page.locator(".answer polygon")).to_have_count(2)
        watch = await bench.watch()
        await watch.until(lambda s: s.labels.get("WBC") == 2)


async def test_nothing_about_drawing_is_a_barrier(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(cells(folder, 4), **{**BOXES, "votes_min": 2, "votes_max": 2})
        page = await signed_in(browser, bench)
        canvas = await open_drawing(page, bench)
        await canvas.drag((20, 30), (80, 90))
        barriers = {"drawing": await violations(page)}
        await page.keyboard.press("b")
        barriers["light"] = await violations(page)
        await page.keyboard.press("Escape")
        await page.keyboard.press("?")
        await expect(page.locator("#help")).to_be_visible()
        barriers["keys"] = await violations(page)
        await page.keyboard.press("Escape")
        # Out of the picture by Tab, and on to the list beside it.
        await canvas.node.focus()
        await page.keyboard.press("Tab")
        assert await page.evaluate("!document.activeElement.matches('.drawing-canvas')")
        await page.locator(".shape-choose").focus()
        await page.keyboard.press("Enter")
        await page.keyboard.press("3")
        assert (await canvas.shapes())[0].startswith("Platelets")
        await page.locator(".shape-remove").press("Enter")
        await canvas.has(0)
        await page.keyboard.press("0")
        await expect(page.locator("#today")).to_have_text("1")
        await page.set_viewport_size({"width": 390, "height": 844})
        barriers["phone"] = await violations(page)
        await cast(bench, [["RBC", 20, 20, 60, 60]])
        boss = await signed_in(browser, bench, "supervisor")
        await open_review(boss, bench, "?state=all")
        await Canvas(boss).ready()
        barriers["review"] = await violations(boss)
        assert {place: found for place, found in barriers.items() if found} == {}


async def predicted(bench: Bench, boxes: dict[str, list[list[Any]]]) -> None:
    """Boxes that a model is said to have found, by picture: [class, score, x, y, width, height]."""
    lines = [
        {
            "name": name,
            "label": {"boxes": [{"class": c, "score": s, "box": b} for c, s, *b in found]},
        }
        for name, found in boxes.items()
    ]
    content = "\n".join(json.dumps(line) for line in lines).encode()
    done = await bring(bench, "l.jsonl", content, "prelabels")
    assert done.state == "done", done.error
    watch = await bench.watch()
    await watch.until(lambda s: s.queue["prelabeled"] == len(boxes))


COUNT_DRAWS = """() => {
    const [picture, shapes] = Konva.stages[0].getLayers();
    window.drawn = { picture: 0, shapes: 0 };
    picture.on("draw", () => { drawn.picture += 1; });
    shapes.on("draw", () => { drawn.shapes += 1; });
    window.rows = [...document.querySelectorAll(".shape-row")];
}"""
DRAWS = "[drawn.picture, drawn.shapes, rows.every(row => row.isConnected)]"
"""How often the picture and the shapes at rest were drawn; do the rows of the list still stand?"""


async def test_predicted_boxes_are_put_right_and_sent(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(cells(folder, 2), **BOXES)
        found = [["RBC", 0.91, 20, 30, 60, 60], ["WBC", 0.62, 200, 100, 50, 50]]
        extra = ["Platelets", 0.55, 300, 200, 30, 30]
        await predicted(bench, {f"cell-{n:03}.png": [*found, extra] for n in range(2)})
        page = await signed_in(browser, bench)
        canvas = await open_drawing(page, bench)
        await expect(page.locator(".banner-title")).to_have_text("Tasks prelabeled")
        await canvas.has(3)
        assert (await canvas.shapes())[0] == "RBC, 91 %, 60 × 60 at 20, 30, model 91 %"
        # Pointing draws no other shape anew; to drag one draws them without it, then with it.
        await canvas.point(5, 5)
        await page.evaluate(COUNT_DRAWS)
        for x, y in ((50, 60), (225, 125), (315, 215), (225, 125)):
            await canvas.point(x, y)
        assert await page.evaluate(DRAWS) == [0, 0, True]
        # One key or one drag each: moved, another class, deleted; the one that is right stays.
        await page.mouse.down()
        for x in range(226, 236):
            await canvas.point(x, 125)
        await page.mouse.up()
        await expect(page.locator(".shape-row").nth(1)).to_contain_text("at 210, 100")
        picture, shapes, stand = await page.evaluate(DRAWS)
        assert (picture, stand) == (0, True)
        assert shapes <= 2
        await canvas.point(315, 215)
        await page.keyboard.press("x")
        await page.keyboard.press("Enter")
        await expect(page.locator("#today")).to_have_text("1")
        await canvas.ready()
        await canvas.has(3)
        await canvas.point(50, 60)
        await page.keyboard.press("3")
        # A takes all the others as they are.
        await page.keyboard.press("a")
        assert not any("model" in said for said in await canvas.shapes())
        await expect(page.locator('[data-do="accept"]')).to_be_hidden()
        await page.keyboard.press("Enter")
        await expect(page.locator("#today")).to_have_text("2")
        first, second = sorted(await labels(bench), key=len)
        drawn = {one["class"]: one["box"] for one in first}
        assert drawn["RBC"] == [20, 30, 60, 60]
        assert near(drawn["WBC"], [210, 100, 50, 50])
        assert sorted(one["class"] for one in second) == ["Platelets", "Platelets", "WBC"]
        assert all(set(one) == {"class", "box"} for one in second)


async def test_fingers_draw_and_enlarge(server: TestServer, browser: Browser, folder: Path) -> None:
    async with Bench(server) as bench:
        await bench.make(cells(folder, 2), **BOXES)
        page = await signed_in(browser, bench, touch=True)
        await page.set_viewport_size({"width": 390, "height": 844})
        canvas = await open_drawing(page, bench)
        hand = await page.context.new_cdp_session(page)

        async def touch(kind: str, *points: tuple[float, float]) -> None:
            fingers = [{"x": x, "y": y, "id": n} for n, (x, y) in enumerate(points)]
            await hand.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})

        start, end = await canvas.at(50, 50), await canvas.at(120, 110)
        await touch("touchStart", start)
        await touch("touchMove", end)
        await touch("touchEnd")
        await canvas.has(1)
        # The list below the picture follows, and the picture stays under the finger.
        await expect(page.locator('.shape-row[data-current="true"]')).to_have_count(1)
        assert await page.evaluate("new Promise(requestAnimationFrame).then(() => scrollY)") == 0
        # Two fingers enlarge, and what the first began is no box.
        before = str(await canvas.node.get_attribute("data-view"))
        left, right = await canvas.at(150, 150), await canvas.at(250, 150)
        await touch("touchStart", left)
        await touch("touchStart", left, right)
        await touch("touchMove", (left[0] - 60, left[1]), (right[0] + 60, right[1]))
        await touch("touchEnd")
        await expect(canvas.node).not_to_have_attribute("data-view", before)
        after = str(await canvas.node.get_attribute("data-view"))
        assert float(after.split()[0]) > 1.2 * float(before.split()[0])
        await canvas.has(1)
