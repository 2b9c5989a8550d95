"""No text that somebody gives ever runs: not in a class's name, a file's, a person's, in
instructions, comments, notes, or in the address."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import httpx
from PIL import Image
from playwright.async_api import Browser, Page

from chorus.client import Rest
from chorus.client.errors import ApiError
from chorus.simulate.setup import add_person
from tests.browser.pages import PATIENCE_MS
from tests.servers import Bench, page_of, vote_page

TAGS = "<img src=x onerror=window.ran=1>"
QUOTES = "\"'><svg onload=window.ran=2>"
SCRIPT = "</script><script>window.ran=3</script>"
TEMPLATE = "{{7*7}}${7*7}"
LINK = "javascript:window.ran=4"
ROOMS = (
    "", "/label", "/history", "/review", "/quality", "/model", "/data", "/settings", "/wall",
)  # fmt: skip
OTHERS = ("/", "/overview", "/wall", "/people", "/me", "/me/tokens", "/projects/new")
INSTRUCTIONS = f"""{TAGS} {SCRIPT}

[a link]({LINK}) [another](data:text/html,<script>window.ran=5</script>) ![x]({LINK})

![x" onerror="window.ran=6](/api/projects/x/pictures/"onerror="window.ran=7)

<iframe src="{LINK}"></iframe> <a href="{LINK}">here</a>
"""


MADE = r"""() => {
  const runs = (a) => /^on/i.test(a.name)
    || (/^(href|src|action|formaction)$/.test(a.name)
      && /^\s*(javascript|data:text)/i.test(a.value));
  const bad = (e) => [...e.attributes].some(runs) || e.localName === "iframe"
    || (e.localName === "script" && !e.src && e.type !== "application/json");
  return [...document.querySelectorAll("*")].filter(bad).map((e) => e.outerHTML);
}"""
"""Elements of a page that run something, or would if the policy let them."""


async def watched(page: Page) -> list[str]:
    """What the page tries that its policy forbids, and what it asks the person: filled as it
    happens."""
    found: list[str] = []

    def refused(text: str) -> None:
        found.append(text)

    await page.expose_function("reportRefused", refused)
    await page.add_init_script(
        "addEventListener('securitypolicyviolation',"
        " e => reportRefused(`${e.violatedDirective} ${e.blockedURI} ${e.sample}`))"
    )
    page.on("dialog", lambda dialog: found.append(f"dialog {dialog.message}"))
    return found


def drawn(folder: Path) -> Path:
    """Pictures with such names."""
    folder.mkdir()
    for n, name in enumerate((f"{TAGS}.png".replace("/", ""), "' onerror=window.ran=8 '.png")):
        Image.new("RGB", (16, 16), (n * 90, 10, 10)).save(folder / name)
    for n in range(6):
        Image.new("RGB", (16, 16), (9, n * 30, 10)).save(folder / f"{TEMPLATE}{n}.png")
    return folder


async def filled(bench: Bench, folder: Path) -> None:
    """A project with such texts wherever people can put them."""
    classes = [TAGS, f"{QUOTES} b", TEMPLATE, f"Group{TAGS}/{SCRIPT.replace('/', '')}"]
    await bench.make(
        folder, classes=classes, page_size=4, instructions=INSTRUCTIONS,
        description=TAGS + SCRIPT,
    )  # fmt: skip
    project = bench.project.project_id
    one, admin = f"/api/projects/{project}", bench.admin
    await admin.request("PATCH", one, json={"name": QUOTES + TAGS + SCRIPT})
    user, token = await add_person(
        admin, project, f"tag-{secrets.token_hex(4)}", (TAGS + QUOTES)[:100], "labeler"
    )
    stream = await bench.labeler(token, credit=1, page_size=4)
    page = await page_of(stream)
    await vote_page(stream, page, TAGS)
    item_id = page.items[0].item_id
    async with Rest(bench.server.url, token) as own:
        body = {"comment_id": secrets.token_hex(8), "text": TAGS + SCRIPT + QUOTES}
        await own.request("POST", f"{one}/items/{item_id}/comments", json=body)
        await own.request("POST", "/api/tokens", json={"name": TAGS + QUOTES})
    await admin.request("POST", "/api/tokens", json={"name": TAGS + QUOTES})
    for to in (None, user.user_id):
        note = {"text": TAGS + QUOTES, "item_id": item_id, "to": to}
        await admin.request("POST", f"{one}/notes", json=note)
    await admin.request("POST", f"{one}/gold", json={"item_ids": [item_id]})
    await admin.request("PUT", f"{one}/gold/{item_id}/note", json={"text": TAGS + QUOTES})
    await admin.request("POST", f"{one}/exports", json={"format": "csv"})
    await admin.request("POST", f"{one}/takebacks", json={"user_id": user.user_id})
    await admin.request("POST", "/api/drafts", json={"name": TAGS + QUOTES})
    people = f"{QUOTES},{TAGS},labeler"
    await admin.request("POST", "/api/invites/list", json={"text": people, "dry_run": True})


async def test_nothing_that_people_write_runs(browser: Browser, bench: Bench, folder: Path) -> None:
    await filled(bench, drawn(folder))
    me = (await bench.admin.me()).user_id
    context = await browser.new_context()
    page = await context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    found = await watched(page)
    await page.goto(await bench.admin.signin_link(me))
    project = f"/p/{bench.project.project_id}"
    paths = [*(project + room for room in ROOMS), *OTHERS]
    paths += [
        f"/nowhere/{TAGS}", f"/signin?next={LINK}", f"/signin?next=//evil.example/{TAGS}",
        f"{project}/review?name={TAGS}&class={QUOTES}&state={SCRIPT}", f"/invite/{QUOTES}",
        f"{project}/review#{TAGS}", f"/setup?token={QUOTES}{SCRIPT}",
    ]  # fmt: skip
    shown = 0
    for path in paths:
        await page.goto(bench.server.url + path)
        await page.wait_for_load_state("networkidle")
        ran: Any = await page.evaluate("window.ran ?? null")
        assert ran is None, f"{path}: {ran}"
        # The text stands there as it was written …
        shown += TAGS in await page.locator("body").inner_text()
        # … and made nothing of its own: no element, no attribute, no address that runs.
        made = await page.evaluate(MADE)
        assert made == [], path
        assert page.url.startswith(bench.server.url), path
    assert shown >= 8
    assert found == []


async def test_a_picture_that_is_a_page_is_refused_or_only_a_picture(bench: Bench) -> None:
    project = await bench.make()
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" onload="window.ran=1"><script>1</script></svg>'
    page = b"<html><script>window.ran=1</script>"
    one = f"/api/projects/{project.project_id}"
    for content in (svg, page, b"GIF89a" + page):
        try:
            answer = await bench.admin.request("POST", f"{one}/pictures", content=content)
        except ApiError as error:
            assert error.code == "bad_value"
            continue
        # It begins like a GIF, so that is what it is called: no browser runs a GIF.
        headers = {"Authorization": f"Bearer {bench.server.token}"}
        async with httpx.AsyncClient(base_url=bench.server.url, headers=headers) as http:
            found = await http.get(answer.json()["url"])
        assert found.headers["content-type"] == "image/gif"
        assert found.headers["x-content-type-options"] == "nosniff"
        assert found.headers["content-security-policy"].startswith("default-src 'none'")
