"""A picture that shapes are drawn on, for tests: what is at a pixel of it, on the screen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw
from playwright.async_api import Locator, Page, expect

from tests.browser.pages import open_room
from tests.servers import Bench

CLASSES = ["RBC", "WBC", "Platelets"]


def cells(folder: Path, count: int, size: tuple[int, int] = (400, 300)) -> Path:
    """Pictures of a few round things each, no two alike."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        image = Image.new("RGB", size, (236, 228, 232))
        draw = ImageDraw.Draw(image)
        for k in range(5):
            x, y = (40 + 71 * k + 13 * i) % (size[0] - 60), (30 + 47 * k + 29 * i) % (size[1] - 60)
            draw.ellipse((x, y, x + 48, y + 48), fill=(200, 90 + 12 * k, 110 + i % 100))
        image.save(folder / f"cell-{i:03}.png")
    return folder


class Canvas:
    """The picture in view."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.node: Locator = page.locator(".drawing-canvas")

    async def ready(self) -> None:
        await expect(self.node).to_have_attribute("data-picture", "there")

    async def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a pixel of the picture is in the window."""
        box = await self.node.bounding_box()
        assert box is not None
        view = await self.node.get_attribute("data-view")
        assert view is not None
        scale, left, top = map(float, view.split())
        return box["x"] + left + x * scale, box["y"] + top + y * scale

    async def point(self, x: float, y: float) -> None:
        await self.page.mouse.move(*await self.at(x, y))

    async def click(self, x: float, y: float) -> None:
        await self.page.mouse.click(*await self.at(x, y))

    async def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        await self.point(*start)
        await self.page.mouse.down()
        middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        await self.point(*middle)
        await self.point(*end)
        await self.page.mouse.up()

    async def shapes(self) -> list[str]:
        """What the list beside it says of each shape."""
        found = self.page.locator(".shape-choose")
        return [str(await one.text_content()) for one in await found.all()]

    async def has(self, count: int) -> None:
        await expect(self.page.locator(".shape-row")).to_have_count(count)


async def open_drawing(page: Page, bench: Bench) -> Canvas:
    await open_room(page, bench, "label")
    canvas = Canvas(page)
    await canvas.ready()
    return canvas


def near(box: list[float], wanted: list[float], off: float = 2.0) -> bool:
    """A mouse is as exact as the screen."""
    return all(abs(a - b) <= off for a, b in zip(box, wanted, strict=True))


async def labels(bench: Bench) -> list[list[dict[str, Any]]]:
    """The shapes of each labeled picture, as the server says them."""
    answer = await bench.admin.request(
        "GET", f"/api/projects/{bench.project.project_id}/items?state=labeled&limit=200"
    )
    return [item["label"] for item in answer.json()["items"]]
