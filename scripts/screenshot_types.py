"""Pictures of the other task types: a page of tags and a page of texts, labeled by key."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Page, expect

SETTLED_MS = 1500
TAGS = ["Animal", "Food", "Vehicle", "Plant", "Red", "Green", "Yellow", "Round"]
TAGGED = {
    "1f353": "Food|Red", "1f692": "Vehicle|Red", "1f438": "Animal|Green", "1f966": "Food|Green",
    "1f424": "Animal|Yellow", "1f34b": "Food|Yellow|Round", "1f339": "Plant|Red",
    "1f696": "Vehicle|Yellow", "1f34e": "Food|Red|Round", "1f335": "Plant|Green",
    "1f995": "Animal|Green", "1f68c": "Vehicle", "1f33b": "Plant|Yellow|Round",
    "1f980": "Animal|Red", "1f349": "Food|Red|Green", "1f3b2": "", "1f345": "Food|Red|Round",
    "1f422": "Animal|Green", "1f69c": "Vehicle", "1f337": "Plant|Red", "1f9c0": "Food|Yellow",
    "1f41e": "Animal|Red|Round", "1f4a1": "", "1f384": "Plant|Green",
}  # fmt: skip
"""Emoji (of the demo's pictures, by code point) and what they are."""

TOPICS = ["Praise", "Complaint", "Question", "Delivery", "Size"]
TEXTS = [
    ("Arrived a day early, and the colour is exactly the one shown. Thank you!", "Praise|Delivery"),
    ("The zip broke on the second day. I would like my money back.", "Complaint"),
    ("Is the M more like a European 38 or a 40? I am between the two.", "Question|Size"),
    ("Left in the rain:\n– box soaked\n– coat fine\n– card missing", "Complaint|Delivery"),
    ("Second one I buy. The first lasted four winters and still looks good.", "Praise"),
    ("Runs small. I took one size up, and it is still tight at the shoulders.", "Complaint|Size"),
    ("هل يمكن إرجاعه إذا كان المقاس غير مناسب؟", "Question|Size"),
    ("Lovely.", "Praise"),
    ("Do you ship to Norway, and how long does it take?", "Question|Delivery"),
    ("Warm, light, deep pockets. The sleeves could be a little longer for me.", "Praise|Size"),
    ("It smells of paint. After a week outside it still does.", "Complaint"),
    ("Two parcels came instead of one. Where do I send the other?", "Question|Delivery"),
]  # fmt: skip


def take_types(
    admin: Page, emoji: Path, scratch: Path, save: Callable[[Page, str], object]
) -> None:
    """Make the projects (`admin` is signed in as one) and label a page of each; `save(page, name)`
    takes the picture. `emoji`: the demo's pictures; `scratch`: an empty folder for what is made."""
    scratch.mkdir(parents=True)
    pictures = scratch / "tags"
    pictures.mkdir()
    for name in TAGGED:
        shutil.copy(emoji / f"{name}.png", pictures)
    _open(
        admin, _project(admin, "Emoji tags", "multilabel", TAGS, folder=str(pictures)), ".tile img"
    )
    _label(admin, {f"{name}.png": tags for name, tags in TAGGED.items()}, TAGS, ".zoom-name", 4)
    save(admin, "label-tags")

    table = scratch / "reviews.csv"
    with table.open("w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows([("text",), *((text,) for text, _ in TEXTS)])
    project = _project(admin, "Shop reviews", "text-multilabel", TOPICS, csv=str(table))
    _open(admin, project, ".tile .reading p")
    _label(admin, dict(TEXTS), TOPICS, ".zoom-text p", 3)
    save(admin, "label-texts")


def _project(admin: Page, name: str, task_type: str, classes: list[str], **source: str) -> str:
    """A new project's page for labelers, its data on the way."""
    base = "{0.scheme}://{0.netloc}".format(urlsplit(admin.url))
    settings = {"cluster": False, "prelabel": False, "page_size": 9}
    body = {"name": name, "task_type": task_type, "classes": classes, **settings}
    headers = {"Origin": base}
    made = admin.request.post(f"{base}/api/projects", data=body, headers=headers).json()
    root = f"{base}/api/projects/{made['project_id']}"
    assert admin.request.post(f"{root}/import", data=source, headers=headers).ok
    return f"{base}/p/{made['project_id']}/label"


def _open(page: Page, address: str, shown: str) -> None:
    page.goto(address)
    # The first page comes by itself as soon as something is in.
    page.wait_for_selector(shown)
    # Texts come once more, in the size that suits them.
    page.wait_for_timeout(SETTLED_MS)
    expect(page.locator(".tile")).not_to_have_count(0)


def _label(page: Page, truth: dict[str, str], classes: list[str], shown: str, count: int) -> None:
    """Tag the first `count` items rightly, looking at each one enlarged."""
    for _ in range(count):
        page.keyboard.press("z")
        said = page.locator(shown).inner_text().partition(" · ")[0].strip()
        page.keyboard.press("Escape")
        tags = [tag for tag in truth[said].split("|") if tag]
        for tag in tags:
            page.keyboard.press(str(classes.index(tag) + 1))
        page.keyboard.press("Tab" if tags else "0")
