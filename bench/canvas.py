"""`python -m bench.canvas`: how smoothly many boxes are worked on, in the real labeling page.

A real server, real headless Chromium, one picture with 0, 1, 30, 300 and 1,000 predicted boxes,
and one of 8,000 × 8,000 pixels. A mouse and keys do what people do; meanwhile the page counts its
frames (requestAnimationFrame), and Chromium the time of scripts and of the whole main thread. The
same movements on the picture without boxes are the ceiling: on a busy machine only ratios say
something. It takes some minutes.
"""

from __future__ import annotations

import asyncio
import io
import json
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import Annotated, Any

import numpy as np
import typer
import uvloop
from PIL import Image
from playwright.async_api import Browser, CDPSession, Page
from rich.console import Console
from rich.table import Table

from bench import chromium
from chorus.client import Rest
from chorus.client.process import ServerProcess

CLASSES = ["RBC", "WBC", "Platelets"]
COUNTS = (0, 1, 30, 300, 1000)
SIZE = 1600, 1200
LARGE = 8000, 8000
VIEW = {"width": 1400, "height": 900}
STEPS = 60
"""Events of the mouse or of a key in a gesture."""
Box = tuple[float, float, float, float]

COUNT_FRAMES = """() => {
    window.benchFrames = [];
    const tick = now => {
        window.benchFrames.push(now);
        window.benchTick = requestAnimationFrame(tick);
    };
    window.benchTick = requestAnimationFrame(tick);
}"""
FRAMES = """() => {
    cancelAnimationFrame(window.benchTick);
    return window.benchFrames;
}"""


def boxes(count: int, size: tuple[int, int]) -> list[Box]:
    """In rows, none on another, in a random order."""
    if not count:
        return []
    width, height = size
    columns = max(1, round((count * width / height) ** 0.5))
    rows = -(-count // columns)
    wide, high = width / columns, height / rows
    places = [(i % columns * wide, i // columns * high) for i in range(count)]
    np.random.default_rng(1).shuffle(places)
    return [
        (round(x + wide / 4, 2), round(y + high / 4, 2), round(wide / 2, 2), round(high / 2, 2))
        for x, y in places
    ]


def picture(size: tuple[int, int]) -> bytes:
    """A JPEG with the detail of a photo."""
    coarse = np.random.default_rng(2).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    smooth = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
    smooth.putpixel((0, 0), (size[0] % 256, 0, 0))
    out = io.BytesIO()
    smooth.save(out, "JPEG", quality=85)
    return out.getvalue()


class Desk:
    """The labeling page with one picture, and a hand on it."""

    def __init__(self, page: Page, cdp: CDPSession, there: list[Box]) -> None:
        self.page, self._cdp, self.there = page, cdp, there

    async def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a pixel of the picture is in the window."""
        node = self.page.locator(".drawing-canvas")
        box, view = await node.bounding_box(), await node.get_attribute("data-view")
        assert box is not None
        assert view is not None
        scale, left, top = map(float, view.split())
        return box["x"] + left + x * scale, box["y"] + top + y * scale

    async def keys(self, *keys: str) -> None:
        for key in keys:
            await self.page.keyboard.press(key)

    async def pull(
        self, start: tuple[float, float], end: tuple[float, float], down: bool = True
    ) -> None:
        """The mouse from one place of the window to another, in `STEPS` events."""
        mouse = self.page.mouse
        await mouse.move(*start)
        if down:
            await mouse.down()
        for step in range(1, STEPS + 1):
            share = step / STEPS
            await mouse.move(*(a + (b - a) * share for a, b in zip(start, end, strict=True)))
        if down:
            await mouse.up()

    async def measured(self, doing: Awaitable[None], events: int = STEPS) -> dict[str, float]:
        before = await self._spent()
        await self.page.evaluate(COUNT_FRAMES)
        await doing
        frames = await self.page.evaluate(FRAMES)
        after = await self._spent()
        gaps = np.diff(frames).tolist()
        return {
            "fps": 1000 * len(gaps) / max(1e-9, sum(gaps)),
            "frame_p95_ms": quantiles(gaps, n=20)[-1],
            "script_ms": 1000 * (after["ScriptDuration"] - before["ScriptDuration"]) / events,
            "task_ms": 1000 * (after["TaskDuration"] - before["TaskDuration"]) / events,
        }

    async def _spent(self) -> dict[str, float]:
        """Seconds of the page's main thread until now, by kind."""
        metrics = (await self._cdp.send("Performance.getMetrics"))["metrics"]
        return {one["name"]: one["value"] for one in metrics}


# -- what people do. Without boxes the same movements are made, over nothing.


async def point(desk: Desk) -> None:
    """Over all boxes, in hand."""
    await desk.keys("m")
    await desk.pull(await desk.at(40, 40), await desk.at(SIZE[0] - 40, SIZE[1] - 40), down=False)


async def move(desk: Desk) -> None:
    await desk.keys("m")
    x, y, w, h = desk.there[0] if desk.there else (600.0, 400.0, 30.0, 30.0)
    start = await desk.at(x + w / 2, y + h / 2)
    await desk.pull(start, await desk.at(SIZE[0] / 2, SIZE[1] / 2))


async def resize(desk: Desk) -> None:
    await desk.keys("m")
    x, y, w, h = desk.there[-1] if desk.there else (600.0, 400.0, 30.0, 30.0)
    await desk.pull(await desk.at(x + w, y + h), await desk.at(SIZE[0] / 3, SIZE[1] / 3))


async def draw(desk: Desk) -> None:
    await desk.keys("r")
    await desk.pull(await desk.at(30, 30), await desk.at(900, 800))


async def pan(desk: Desk) -> None:
    await desk.keys("z")
    await desk.page.keyboard.down(" ")
    await desk.pull((600, 500), (300, 300))
    await desk.page.keyboard.up(" ")
    await desk.keys("z")


async def zoom(desk: Desk) -> None:
    await desk.page.mouse.move(600, 500)
    for way in (-40, 40):
        for _ in range(STEPS // 2):
            await desk.page.mouse.wheel(0, way)


async def choose(desk: Desk) -> None:
    await desk.keys(*["j"] * STEPS)


async def nudge(desk: Desk) -> None:
    await desk.keys(*["ArrowLeft", "ArrowDown"] * (STEPS // 2))


async def recolor(desk: Desk) -> None:
    """A class by key, and the next one."""
    await desk.keys(*["2", "j", "3", "j"] * (STEPS // 4))


GESTURES: dict[str, Callable[[Desk], Awaitable[None]]] = {
    "pointing at boxes": point, "moving one": move, "resizing one": resize, "drawing one": draw,
    "panning": pan, "zooming": zoom, "choosing the next": choose, "nudging": nudge,
    "class by class": recolor,
}  # fmt: skip


async def gestures(desk: Desk, repeats: int) -> dict[str, dict[str, float]]:
    """The median of each figure of each gesture."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in GESTURES}
    for _ in range(repeats):
        for name, gesture in GESTURES.items():
            found[name].append(await desk.measured(gesture(desk)))
    return {
        name: {figure: round(median(one[figure] for one in some), 2) for figure in some[0]}
        for name, some in found.items()
    }


# -- the server and the pages


@asynccontextmanager
async def labeling(
    process: ServerProcess, admin: Rest, browser: Browser, size: tuple[int, int], count: int
) -> AsyncIterator[tuple[Desk, dict[str, float]]]:
    """The page of a new labeler, with a picture that has so many predicted boxes; and how long it
    took until the picture was there."""
    there = boxes(count, size)
    project_id = await _project(admin, size, there)
    person = await admin.create_user(f"p{size[0]}-{count}", "Person", "secret-" + "x" * 20)
    await admin.set_member(project_id, person.user_id, "labeler")
    context = await browser.new_context(viewport=VIEW)  # type: ignore[arg-type]
    page = await context.new_page()
    await page.goto(await admin.signin_link(person.user_id))
    cdp = await context.new_cdp_session(page)
    # By the processor: what others do on the machine counts for nothing.
    await cdp.send("Performance.enable", {"timeDomain": "threadTicks"})
    began = perf_counter()
    await page.goto(f"{process.url}/p/{project_id}/label")
    await page.wait_for_selector('.drawing-canvas[data-picture="there"]')
    # What is asked for now is answered after the next paint.
    await page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
    took = {"first_picture_ms": round(1000 * (perf_counter() - began), 1)}
    assert await page.locator(".shape-row").count() == count
    try:
        yield Desk(page, cdp, there), took
    finally:
        await context.close()


async def _project(admin: Rest, size: tuple[int, int], there: list[Box]) -> str:
    name = f"{size[0]} pixels, {len(there)} boxes"
    project = await admin.create_project(name, CLASSES, task_type="boxes", prelabel=False)
    project_id = project.project_id
    job = await admin.upload(project_id, {"picture.jpg": picture(size)})
    await admin.wait_for_job(project_id, job)
    if there:
        shapes = [
            {"class": CLASSES[n % 3], "score": 0.9, "box": box} for n, box in enumerate(there)
        ]
        line = json.dumps({"name": "picture.jpg", "label": {"boxes": shapes}}).encode()
        one = await admin.begin_label_import(project_id, "boxes.jsonl", line, "prelabels")
        await _until(admin, project_id, one.import_id, "ready")
        await admin.apply_label_import(project_id, one.import_id)
        await _until(admin, project_id, one.import_id, "done")
    return project_id


async def _until(admin: Rest, project_id: str, import_id: str, state: str) -> None:
    while (one := await admin.label_import(project_id, import_id)).state != state:
        if one.state == "failed":
            raise RuntimeError(one.error)
        await asyncio.sleep(0.1)


async def canvas(folder: Path, counts: tuple[int, ...], large: bool, repeats: int) -> Any:
    path = chromium.found()
    if path is None:
        raise SystemExit("no Chromium: run `make chromium`")
    process = ServerProcess(folder)
    token = process.add_user("admin", "Admin", admin=True)
    await process.start()
    found: dict[str, Any] = {}
    try:
        async with (
            Rest(process.url, token, timeout=300.0) as admin,
            chromium.browsing(path) as browser,
        ):
            asked = [(SIZE, count) for count in counts]
            if large:
                asked += [(LARGE, 0), (LARGE, 300)]
            for size, count in asked:
                async with labeling(process, admin, browser, size, count) as (desk, took):
                    found[f"{size[0]}/{count}"] = {**took, **await gestures(desk, repeats)}
    finally:
        await process.stop()
    return found


def table(found: dict[str, Any]) -> Table:
    """Beside the picture without boxes: frames, and the main thread's time."""
    title = "frames beside no boxes · slowest in 20, ms · script of the main thread, ms an event"
    out = Table("", *found, title=title)
    waits = [f"{one['first_picture_ms']:.0f} ms" for one in found.values()]
    out.add_row("until the picture is there", *waits)
    for name in GESTURES:
        cells = []
        for key, one in found.items():
            now, empty = one[name], found.get(f"{key.split('/')[0]}/0", one)[name]
            share = now["fps"] / empty["fps"]
            spent = f"{now['script_ms']:.1f} of {now['task_ms']:.1f}"
            cells.append(f"{share:.2f} · {now['frame_p95_ms']:.0f} · {spent}")
        out.add_row(name, *cells)
    return out


def main(
    counts: Annotated[str, typer.Option(help="Numbers of boxes.")] = ",".join(map(str, COUNTS)),
    large: Annotated[bool, typer.Option(help="Also 8,000 × 8,000 pixels.")] = True,
    repeats: Annotated[int, typer.Option(help="Each gesture; the median counts.")] = 3,
) -> None:
    """How smooth many boxes are."""
    with tempfile.TemporaryDirectory(prefix="chorus-canvas-") as folder:
        some = tuple(int(count) for count in counts.split(","))
        found = uvloop.run(canvas(Path(folder), some, large, repeats))
    print(json.dumps(found, indent=2))
    Console(width=180).print(table(found))


if __name__ == "__main__":
    typer.run(main)
