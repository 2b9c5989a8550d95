"""axe-core finds nothing on any page of the app, in light and dark, nor in the labeler's dialogs;
and the keyboard gets everywhere and out again."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect
from starlette.routing import Route

from chorus.server.transport.pages import routes
from tests.browser.pages import open_labeling, signed_in
from tests.servers import Bench, TestServer, page_of, pictures, vote_page

pytestmark = pytest.mark.browser

AXE = Path(__file__).parents[2] / "chorus" / "web" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
UNFOLD = "for (const one of document.querySelectorAll('main details')) one.open = true"
RUN = """async ([runOnly, where]) => {
    const found = await axe.run(where ?? document, {
        runOnly,
        resultTypes: ["violations"],
    });
    return found.violations.map(v => [v.id, v.help,
        v.nodes.slice(0, 9).map(n =>
            `${n.target} ${(n.any[0] ?? n.all[0] ?? n.none[0])?.message}`)]);
}"""


async def violations(page: Page, where: str | None = None) -> list[Any]:
    """What axe finds in light and then in dark; `where`: a selector, of a part of the page."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE.read_text(encoding="utf-8"))
    found = []
    # Only the colours are others in the dark.
    for scheme, rules in (("light", RULES), ("dark", ["color-contrast"])):
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        found += [[scheme, *one] for one in await page.evaluate(RUN, [rules, where])]
    return found


async def no_barrier(page: Page, where: str = "dialog[open]") -> None:
    """Of a dialog that is open, in whichever test opens it."""
    await expect(page.locator(where)).to_have_count(1)
    assert await violations(page, where) == []


async def something_of_everything(bench: Bench) -> None:
    """A team with a share of the items, and a source: rows and forms that else are not."""
    project_id = bench.project.project_id
    team = await bench.admin.add_team(f"Team {secrets.token_hex(3)}")
    await bench.admin.set_team_role(project_id, team.team_id, "labeler")
    await bench.admin.assign(project_id, teams=[team.team_id], share=0.1)
    await bench.admin.add_source(
        project_id,
        {"url": "s3://photos/day", "credentials": {"access_key": "a", "secret_key": "b"}},
    )


def addresses(project_id: str) -> list[str]:
    """Every page that there is, and one that there is not."""
    paths = [route.path for route in routes() if isinstance(route, Route)]
    named = [path.replace("{project_id}", project_id) for path in paths]
    return [path for path in named if "{" not in path] + ["/nowhere/to/be/found"]


@pytest.mark.timeout(300)
async def test_no_page_has_a_barrier(server: TestServer, browser: Browser, folder: Path) -> None:
    assert AXE.is_file(), "run `npm ci` in chorus/web"
    async with Bench(server) as bench:
        await bench.make(
            pictures(folder, 24), page_size=4, votes_min=2, votes_max=3,
            instructions="# How\n\nPick **one**. [More](https://example.org)",
        )  # fmt: skip
        for answer in ("green", None):
            colleague = await bench.labeler(credit=1)
            await vote_page(colleague, await page_of(colleague), answer)
        project_id = bench.project.project_id
        await bench.admin.note(project_id, "Look twice.")
        await something_of_everything(bench)
        shapes = await bench.admin.create_project(
            secrets.token_hex(4), ["green", "red"], task_type="boxes", prelabel=False
        )
        page = await signed_in(browser, bench, "supervisor")
        admin = (await bench.admin.request("GET", "/api/me")).json()["user"]
        labeler = page
        barriers: dict[str, list[Any]] = {}
        boss = await (await browser.new_context(viewport={"width": 1280, "height": 800})).new_page()
        for path in ("/signin", "/nowhere/to/be/found"):
            await boss.goto(server.url + path)
            barriers[f"nobody {path}"] = await violations(boss)
        await boss.goto(await bench.admin.signin_link(admin["user_id"]))
        for path in [*addresses(project_id), f"/p/{shapes.project_id}/settings"]:
            await boss.goto(server.url + path)
            if await boss.locator("#connection").count():
                live = '#connection[data-state="live"]'
                await boss.wait_for_selector(live, state="attached")
            if path != "/api/docs":  # hundreds, all alike
                await boss.evaluate(UNFOLD)
            barriers[path] = await violations(boss)
        await open_labeling(labeler, bench)
        await labeler.keyboard.press("1")
        await labeler.keyboard.press(" ")
        barriers["labeling"] = await violations(labeler)
        for key, dialog in (("?", "#help"), ("c", "#comment"), ("z", "#zoom")):
            await labeler.keyboard.press(key)
            await expect(labeler.locator(dialog)).to_be_visible()
            barriers[dialog] = await violations(labeler)
            await labeler.keyboard.press("Escape")
            await expect(labeler.locator(dialog)).to_be_hidden()
        await labeler.set_viewport_size({"width": 390, "height": 844})
        await labeler.locator(".top .menu summary").click()
        # Within reach: a bar that scrolls would cut its list off.
        await labeler.get_by_role("link", name="My settings").click(trial=True)
        barriers["phone"] = await violations(labeler)
        assert {path: found for path, found in barriers.items() if found} == {}


async def test_the_keyboard_is_trapped_nowhere(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 8), page_size=4, task_type="multilabel")
        page = await signed_in(browser, bench)
        await open_labeling(page, bench)
        reached = set()
        for _ in range(60):
            await page.keyboard.press("Tab")
            reached.add(
                await page.evaluate(
                    "document.activeElement.id || document.activeElement.className || 'body'"
                )
            )
        # Through the page, out of it, and round again: the browser's own chrome is `body` here.
        for wanted in ("tile", "do-submit", "do-help", "class-button", "skip-link", "brand"):
            assert any(wanted in name for name in reached), (wanted, reached)


async def test_what_a_key_has_done_is_said_to_those_who_do_not_see_it(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 8), page_size=4, task_type="multilabel")
        page = await signed_in(browser, bench)
        await open_labeling(page, bench)
        said = page.locator("#said")
        await expect(said).to_have_role("status")
        await page.keyboard.press("1")
        await expect(said).to_have_text("Picture 1, answered green")
        await page.keyboard.press("2")
        await expect(said).to_have_text("Picture 1, answered green, red")
        await page.keyboard.press("u")
        await expect(said).to_have_text("Picture 1, answered green")
        await page.keyboard.press("ArrowRight")
        await page.keyboard.press("s")
        await expect(said).to_have_text("Picture 2, answered Skipped")


async def test_focus_and_what_is_pressed_are_seen_in_the_systems_own_colours(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    """High contrast takes shadows and backgrounds away."""
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 8), page_size=4)
        page = await signed_in(browser, bench)
        await page.emulate_media(forced_colors="active")
        await open_labeling(page, bench)
        await page.keyboard.press("Space")
        look = "e => { const s = getComputedStyle(e); return [s.outlineStyle, s.backgroundColor]; }"

        async def looks(selector: str) -> list[str]:
            found: list[str] = await page.locator(selector).first.evaluate(look)
            return found

        here, there = [await looks(f'.tile[data-focused="{on}"]') for on in ("true", "false")]
        assert (here[0], there[0]) == ("solid", "none")
        for button in (".tile-select", "#sizes button"):
            on, off = [
                (await looks(f'{button}[aria-pressed="{pressed}"]'))[1]
                for pressed in ("true", "false")
            ]
            assert on != off, button
