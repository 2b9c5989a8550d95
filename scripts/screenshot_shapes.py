"""Pictures of boxes: a picture that is drawn on, one with predicted boxes, and the review of what
two people drew. Blood cells of ../shared/data/cells where they are, else drawn ones."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from PIL import Image, ImageDraw
from playwright.sync_api import Page, expect

CELLS = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "cells"
CLASSES = ["RBC", "WBC", "Platelets"]
MOST = 12
DRAWN = 8
Box = tuple[float, float, float, float]
Truth = dict[str, list[tuple[str, Box]]]
"""By a picture's name, what is on it."""


def take_shapes(admin: Page, scratch: Path, save: Callable[[Page, str], object]) -> None:
    """Make a project (`admin` is signed in as one), draw, and review; `save(page, name)` takes the
    picture. `scratch`: an empty folder for what is made."""
    folder = scratch / "cells"
    folder.mkdir(parents=True)
    truth = _real(folder) if (CELLS / "gold.coco.json").is_file() else _made(folder)
    room = _Room(admin, folder)
    admin.goto(f"{room.page}/label")
    _ready(admin)
    rng = random.Random(4)
    for cls, box in _shown(admin, truth)[:DRAWN]:
        _draw(admin, CLASSES.index(cls) + 1, box)
    save(admin, "label-boxes")
    admin.keyboard.press("Enter")
    expect(admin.locator("#today")).to_have_text("1")
    room.bring("prelabels", _seen(truth, rng, scored=True))
    # The picture in hand and the one ahead were handed out before.
    while admin.locator("#banner").get_attribute("data-kind") != "prelabeled":
        name = admin.locator(".drawing").get_attribute("data-name")
        admin.keyboard.press("0")
        expect(admin.locator(".drawing")).not_to_have_attribute("data-name", str(name))
    _ready(admin)
    save(admin, "label-boxes-predicted")
    for person in ("Ann", "Ben"):
        room.bring("votes", _seen(truth, rng), person=person)
    admin.goto(f"{room.page}/review")
    _ready(admin)
    save(admin, "review-boxes")


class _Room:
    """A project of boxes with its pictures on the way."""

    def __init__(self, admin: Page, folder: Path) -> None:
        self._admin = admin
        base = "{0.scheme}://{0.netloc}".format(urlsplit(admin.url))
        self._headers = {"Origin": base}
        settings = {"task_type": "boxes", "prelabel": False, "votes_min": 2, "votes_max": 2}
        body = {"name": "Blood cells", "classes": CLASSES, **settings, "shape_agreement": 1.0}
        made = admin.request.post(f"{base}/api/projects", data=body, headers=self._headers)
        self.page = f"{base}/p/{made.json()['project_id']}"
        self._root = f"{base}/api/projects/{made.json()['project_id']}"
        source = {"folder": str(folder)}
        assert admin.request.post(f"{self._root}/import", data=source, headers=self._headers).ok

    def bring(self, kind: str, lines: list[dict[str, Any]], **options: str) -> None:
        """Labels from a file, and wait until they are in."""
        content = "\n".join(json.dumps(line) for line in lines).encode()
        file = {"name": "in.jsonl", "mimeType": "application/jsonl", "buffer": content}
        parts: dict[str, Any] = {"file": file, "options": json.dumps({"kind": kind, **options})}
        post = self._admin.request.post
        begun = post(f"{self._root}/label-imports", multipart=parts, headers=self._headers)
        one = f"{self._root}/label-imports/{begun.json()['import_id']}"
        self._until(one, "ready")
        wanted = {"add_people": True, "leave_out": True}
        assert post(f"{one}/apply", data=wanted, headers=self._headers).ok
        self._until(one, "done")

    def _until(self, one: str, state: str) -> None:
        while (found := self._admin.request.get(one).json())["state"] != state:
            assert found["state"] != "failed", found
            self._admin.wait_for_timeout(100)


def _real(folder: Path) -> Truth:
    gold = json.loads((CELLS / "gold.coco.json").read_text())
    kinds = {kind["id"]: kind["name"] for kind in gold["categories"]}
    names = {i["id"]: Path(i["file_name"]).name for i in gold["images"][:MOST]}
    truth: Truth = {name: [] for name in names.values()}
    for one in gold["annotations"]:
        if one["image_id"] in names:
            truth[names[one["image_id"]]].append((kinds[one["category_id"]], tuple(one["bbox"])))
    for name in truth:
        shutil.copy(CELLS / "images" / name, folder)
    return truth


def _made(folder: Path) -> Truth:
    rng = random.Random(2)
    truth: Truth = {}
    for n in range(MOST):
        image = Image.new("RGB", (400, 300), (232, 222, 228))
        draw = ImageDraw.Draw(image)
        found = truth[f"cell-{n:02}.png"] = []
        for k in range(9):
            cls, side = (("RBC", 54), ("WBC", 80), ("Platelets", 22))[
                0 if k < 6 else k - 6 - k // 8
            ]
            x, y = rng.uniform(0, 400 - side), rng.uniform(0, 300 - side)
            fill = {"RBC": (204, 132, 128), "WBC": (122, 96, 196), "Platelets": (160, 120, 190)}[
                cls
            ]
            draw.ellipse((x, y, x + side, y + side), fill=fill)
            found.append((cls, (round(x), round(y), side, side)))
        image.save(folder / f"cell-{n:02}.png")
    return truth


def _seen(truth: Truth, rng: random.Random, scored: bool = False) -> list[dict[str, Any]]:
    """What somebody finds: not all of it, and not to the pixel."""
    lines = []
    for name, found in truth.items():
        boxes: list[dict[str, Any]] = []
        for cls, (x, y, w, h) in found:
            if rng.random() < 0.15:
                continue
            dx, dy = min(w, h) * rng.uniform(0, 0.06), min(w, h) * rng.uniform(0, 0.06)
            box = [round(v, 1) for v in (x + dx, y + dy, w - dx, h - dy)]
            score = {"score": round(rng.uniform(0.6, 0.98), 2)} if scored else {}
            boxes.append({"class": cls, "box": box, **score})
        lines.append({"name": name, "label": {"boxes": boxes}})
    return lines


def _ready(page: Page) -> None:
    page.wait_for_selector('.drawing-canvas[data-picture="there"]')


def _shown(page: Page, truth: Truth) -> list[tuple[str, Box]]:
    """What is on the picture in view."""
    name = page.locator(".drawing").get_attribute("data-name")
    return truth[str(name)]


def _draw(page: Page, key: int, box: Box) -> None:
    canvas = page.locator(".drawing-canvas")
    frame = canvas.bounding_box()
    assert frame is not None
    scale, left, top = map(float, str(canvas.get_attribute("data-view")).split())
    x, y, w, h = box
    start = (frame["x"] + left + x * scale, frame["y"] + top + y * scale)
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(start[0] + w * scale, start[1] + h * scale, steps=4)
    page.mouse.up()
    page.keyboard.press(str(key))
