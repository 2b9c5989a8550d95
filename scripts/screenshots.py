"""`make screenshots`: the docs' pictures of every page, taken from a running demo in a real
Chromium. `--rooms`: only those that need no pages of labels, in a minute or two.

Starts `chorus demo` in a folder of its own and labels beside the colleagues, as a person would,
until each kind of page has come; pages of tags and of texts last. About five minutes. Writes
docs/images/*.png.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from scripts.screenshot_rooms import take_rooms, take_setup
from scripts.screenshot_shapes import take_shapes
from scripts.screenshot_types import take_types

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
LINK = re.compile(r"^\s*(Label|Supervise|Administer)\s+(http\S+)", re.MULTILINE)
BROWSERS = ("chromium", "chromium-browser", "chromium-headless-shell")
START_S = 300
WAIT_S = 600
PAGE_MS = 15_000
"""A page of nine at human pace; the script itself would be done in a second."""


def main() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="chorus-screenshots-") as folder:
        data, log = Path(folder) / "demo", Path(folder) / "demo.log"
        chorus = Path(sys.executable).parent / "chorus"
        with log.open("w") as out:
            demo = subprocess.Popen(
                [chorus, "demo", "--data-dir", data, "--port", "8765"],
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env={**os.environ, "COLUMNS": "200"},
            )
        try:
            how = take_some if "--rooms" in sys.argv[1:] else take
            how(links(demo, log), data / "emoji", Path(folder))
        finally:
            demo.send_signal(signal.SIGINT)
            demo.wait(60)


def links(demo: subprocess.Popen[bytes], log: Path) -> dict[str, str]:
    """Who -> sign-in link, as the demo prints them."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and demo.poll() is None:
        found = dict(LINK.findall(log.read_text()))
        if len(found) == 3 and "Ctrl-C" in log.read_text():
            return found
        time.sleep(0.5)
    raise SystemExit(f"the demo did not start:\n{log.read_text()}")


def gold(path: Path) -> dict[str, str]:
    with path.open(newline="", encoding="utf-8") as lines:
        return {row["item"]: row["label"] for row in csv.DictReader(lines)}


@contextmanager
def chromium() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        raise SystemExit("no Chromium: run `make chromium`")
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=[*sandbox, "--disable-background-networking"]
        )
        yield browser
        browser.close()


def take_some(signin: dict[str, str], emoji: Path, scratch: Path) -> None:
    """The rooms alone."""
    with chromium() as browser:
        boss = opened(browser, signin["Supervise"])
        project = boss.url.rstrip("/")
        take_rooms(browser, opened(browser, signin["Administer"], 1000), project, emoji, save)
        take_setup(browser, scratch, save)


def take(signin: dict[str, str], emoji: Path, scratch: Path) -> None:
    truth = gold(emoji / "gold.csv")
    with chromium() as browser:
        labeler = opened(browser, signin["Label"])
        boss = opened(browser, signin["Supervise"], height=1180)
        expect(boss.locator("#done-of")).to_contain_text("labeled")
        keys = {name: str(key) for key, name in enumerate(sorted(set(truth.values())), 1)}
        labeler.locator('#sizes button[data-size="9"]').click()
        expect(labeler.locator(".tile")).to_have_count(9, timeout=30_000)
        answer(labeler, truth, keys, 4)
        save(labeler, "label-manual")
        for kind in ("clustered", "prelabeled"):
            until(labeler, kind, truth, keys)
            save(labeler, f"label-{kind}")
        # A picture of work in full swing, with some history in its charts.
        boss.wait_for_timeout(20_000)
        save(boss, "dashboard")
        boss.emulate_media(color_scheme="dark")
        boss.reload()
        expect(boss.locator("#done-of")).to_contain_text("labeled")
        save(boss, "dashboard-dark")
        boss.emulate_media(color_scheme="light")
        boss.goto(boss.url.rstrip("/") + "/model")
        boss.wait_for_selector("canvas")
        save(boss, "model")
        project = boss.url.removesuffix("/model")
        for room in ("review", "quality", "data", "settings"):
            # Hardly anything needs review in so young a project: the doubtful labels instead.
            boss.goto(f"{project}/{room}{'?state=labeled&order=doubt' * (room == 'review')}")
            save(boss, room)
        labeler.goto(project + "/history")
        save(labeler, "history")
        admin = opened(browser, signin["Administer"], 1000)
        take_rooms(browser, admin, project, emoji, save)
        take_setup(browser, scratch, save)
        take_types(admin, emoji, scratch / "types", save)
        take_shapes(admin, scratch / "shapes", save)


def opened(browser: Browser, link: str, height: int = 800) -> Page:
    """A signed-in page that looks the same wherever it is taken."""
    context = browser.new_context(
        viewport={"width": 1280, "height": height}, color_scheme="light", reduced_motion="reduce"
    )
    page = context.new_page()
    page.goto(link)
    return page


def until(page: Page, kind: str, truth: dict[str, str], keys: dict[str, str]) -> None:
    """Label page after page, as a person does, until one of this kind comes."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        page.wait_for_selector(".tile img", timeout=WAIT_S * 1000)
        banner = page.locator("#banner")
        # Of clusters one that the model believes in: others come as well, and say so.
        if banner.get_attribute("data-kind") == kind and "not sure" not in banner.inner_text():
            return
        before = items(page)
        page.wait_for_timeout(PAGE_MS)
        answer(page, truth, keys, len(before))
        page.keyboard.press("Enter")
        page.wait_for_function(
            "b => document.querySelector('.tile')?.dataset.item !== b",
            arg=before[0],
            timeout=WAIT_S * 1000,
        )
    raise SystemExit(f"no {kind} page came within {WAIT_S} s")


def items(page: Page) -> list[str]:
    found: list[str] = page.locator(".tile").evaluate_all("t => t.map(e => e.dataset.item)")
    return found


def answer(page: Page, truth: dict[str, str], keys: dict[str, str], count: int) -> None:
    """Give the next `count` pictures their class, looking at each one enlarged."""
    for _ in range(count):
        page.keyboard.press("z")
        name = page.locator(".zoom-name").inner_text().partition(" · ")[0]
        page.keyboard.press("Escape")
        page.keyboard.press(keys[truth[name]])


def save(page: Page, name: str) -> None:
    page.wait_for_timeout(1000)
    page.screenshot(path=IMAGES / f"{name}.png")
    print(f"docs/images/{name}.png", flush=True)


if __name__ == "__main__":
    main()
