"""Pictures of every other page: the wizard step by step, people, settings of oneself, the overview,
the wall, webhooks, and the doors (signing in, an invitation, the first admin)."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, expect

Save = Callable[[Page, str], object]
SETUP = re.compile(r"http\S+/setup\?token=\S+")
START_S = 60
STEPS = [
    "name",
    "task",
    "data",
    "classes",
    "instructions",
    "quality",
    "assist",
    "people",
    "summary",
]


def take_rooms(browser: Browser, admin: Page, project: str, emoji: Path, save: Save) -> None:
    """`admin` is signed in as one; `project`: a running project's address; `emoji`: pictures for a
    new one; `save(page, name)` takes the picture."""
    base = "{0.scheme}://{0.netloc}".format(urlsplit(admin.url))
    project_id = project.rpartition("/")[2]
    _people(admin, base, project_id)
    for path, name in (
        ("/", "projects"), ("/people", "people"), ("/overview", "overview"),
        ("/me", "me"), ("/me/tokens", "tokens"), (f"/p/{project_id}/webhooks", "webhooks"),
        (f"/p/{project_id}/wall", "wall"), ("/api/docs", "api"), ("/nowhere", "error"),
    ):  # fmt: skip
        admin.goto(base + path)
        save(admin, name)
    _wizard(admin, base, emoji, save)
    _doors(browser, admin, base, project_id, save)


def _post(admin: Page, base: str, path: str, body: Any, method: str = "POST") -> Any:
    answer = admin.request.fetch(
        f"{base}{path}", method=method, data=body, headers={"Origin": base}
    )
    assert answer.ok, answer.text()
    return answer.json()


def _people(admin: Page, base: str, project_id: str) -> None:
    """A team of some of the colleagues, with a share of its own: something to see."""
    members = _post(admin, base, f"/api/projects/{project_id}/members", None, "GET")["members"]
    teams = _post(admin, base, "/api/teams", {"name": "Early shift"})["teams"]
    team = next(t["team_id"] for t in teams if t["name"] == "Early shift")
    for member in [m for m in members if m["role"] == "labeler"][:3]:
        _post(admin, base, f"/api/teams/{team}/people/{member['user_id']}", None, "PUT")
    _post(admin, base, f"/api/projects/{project_id}/teams/{team}", {"role": "labeler"}, "PUT")
    share = {"teams": [team], "share": 0.3}
    _post(admin, base, f"/api/projects/{project_id}/assignments", share)


def _wizard(admin: Page, base: str, emoji: Path, save: Save) -> None:
    admin.goto(f"{base}/projects/new")
    admin.get_by_label("Name", exact=True).fill("Street photos")
    following = admin.get_by_role("button", name="Next")
    for step in STEPS:
        expect(admin.locator(f'[data-step="{step}"]')).to_be_visible()
        if step == "data":
            admin.get_by_text("On the server", exact=True).click()
            admin.get_by_label("Folder or table on the server").fill(str(emoji))
            admin.get_by_role("button", name="Look").click()
            expect(admin.locator("#found")).to_contain_text("here")
        if step == "classes":
            admin.locator("#list").fill("Animal\nFood\nVehicle\nPlant")
        if step == "instructions":
            admin.get_by_role("button", name=re.compile("template", re.IGNORECASE)).first.click()
        save(admin, f"wizard-{step}")
        if step != STEPS[-1]:
            following.click()
    admin.on("dialog", lambda dialog: dialog.accept())
    admin.get_by_role("button", name="Discard").last.click()
    admin.wait_for_url(f"{base}/")


def _doors(browser: Browser, admin: Page, base: str, project_id: str, save: Save) -> None:
    invite = {"role": "labeler", "project_id": project_id}
    link = _post(admin, base, "/api/invites", invite)["url"]
    stranger = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    for address, name in ((f"{base}/signin", "signin"), (link, "invitation")):
        stranger.goto(address)
        save(stranger, name)


def take_setup(browser: Browser, scratch: Path, save: Save) -> None:
    """The page of a server's first admin, by a server that has none. `scratch`: an empty folder."""
    log = scratch / "setup.log"
    chorus = Path(sys.executable).parent / "chorus"
    with log.open("w") as out:
        server = subprocess.Popen(
            [chorus, "serve", "--data-dir", scratch / "setup", "--port", "8766"],
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + START_S
        while not (found := SETUP.search(log.read_text())):
            if time.monotonic() > deadline or server.poll() is not None:
                raise SystemExit(f"the server did not start:\n{log.read_text()}")
            time.sleep(0.5)
        page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
        while True:
            try:
                page.goto(found.group(0))
                break
            except Exception:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)
        save(page, "setup")
    finally:
        server.terminate()
        server.wait(30)
