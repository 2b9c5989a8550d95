"""People as an admin and a supervisor deal with them in a browser: roles, teams, lists, tokens."""

from __future__ import annotations

import secrets
from pathlib import Path

import httpx
from playwright.async_api import Browser, Dialog, expect

from chorus.simulate.setup import add_person
from tests.browser.pages import admin_page, open_room, signed_in
from tests.browser.test_accessible import no_barrier
from tests.servers import Bench, TestServer, pictures


async def accept(dialog: Dialog) -> None:
    await dialog.accept()


async def test_teams_and_roles_are_changed_in_the_table_itself(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 4), page_size=4)
        project_id = bench.project.project_id
        mark = secrets.token_hex(3)
        ann, _ = await add_person(bench.admin, project_id, f"ann-{mark}", f"Ann {mark}", "labeler")
        ben = await bench.admin.create_user(f"ben-{mark}", f"Ben {mark}")
        page = await admin_page(browser, bench)
        page.on("dialog", accept)
        await page.goto(f"{server.url}/people")
        await page.get_by_label("Name, login or address has in it").fill(mark)
        rows = page.locator("#users tbody tr")
        await expect(rows).to_have_count(2)
        await page.get_by_label("Name of a new team").fill(f"Night {mark}")
        await page.get_by_role("button", name="Make a team").click()
        await expect(page.locator("#teams")).to_contain_text(f"Night {mark}")
        await page.get_by_label(f"Take Ben {mark} into a team").select_option(f"Night {mark}")
        hers = page.locator(f'#users tr[data-user="{ben.user_id}"]')
        await expect(hers).to_contain_text(f"Night {mark}")
        await page.get_by_label(f"Add Night {mark} to a project").select_option(
            f"labeler {project_id}"
        )
        await expect(hers).to_contain_text("labeler, by a team")
        # A role of one's own, and back to the team's.
        role = page.get_by_label(f"Ben {mark} in {bench.project.name}")
        await role.select_option("supervisor")
        await expect(hers).not_to_contain_text("by a team")
        await page.get_by_label("Of which team").select_option(f"Night {mark}")
        await expect(rows).to_have_count(1)
        await page.get_by_label("Of which team").select_option("")
        await (
            page.locator(f'#users tr[data-user="{ann.user_id}"]')
            .get_by_role("button", name="Make an admin")
            .click()
        )
        await expect(page.locator(f'#users tr[data-user="{ann.user_id}"]')).to_contain_text(
            "No admin any more"
        )
        await hers.get_by_role("button", name="Reset password").click()
        await expect(page.locator("#link")).to_contain_text(f"For Ben {mark}, once")
        await page.get_by_role("button", name=f"Take Ben {mark} out of Night {mark}").click()
        await expect(hers.locator(".chip-plain")).to_have_count(0)
        await expect(page.locator(".toast")).to_have_count(0)


async def test_a_supervisor_sees_teams_clocks_and_who_was_here(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 4), page_size=4)
        project_id = bench.project.project_id
        name = f"Early {secrets.token_hex(3)}"
        context = await browser.new_context(timezone_id="Asia/Tokyo")
        user, _ = await add_person(bench.admin, project_id, name.replace(" ", "-"), name, "labeler")
        theirs = await context.new_page()
        async with theirs.expect_response("**/api/me/time-zone") as told:
            await theirs.goto(await bench.admin.signin_link(user.user_id))
        assert (await told.value).status == 204
        other = await bench.person()
        del other
        team = await bench.admin.add_team(name)
        await bench.admin.set_team_person(team.team_id, user.user_id)

        boss = await signed_in(browser, bench, "supervisor")
        await boss.goto(f"{server.url}/p/{project_id}/settings#people")
        row = boss.locator(f'#members tr[data-user="{user.user_id}"]')
        await expect(row).to_contain_text("UTC+9")
        await expect(row).to_contain_text("just now")
        await boss.goto(f"{server.url}/p/{project_id}")
        await expect(boss.locator("#labelers tbody tr")).to_have_count(3)
        await boss.get_by_label("Of which team").select_option(name)
        await expect(boss.locator("#labelers tbody tr")).to_have_count(1)
        await boss.goto(f"{server.url}/p/{project_id}/quality")
        await boss.get_by_label("Of which team").select_option(name)
        await expect(boss.locator("#people tbody tr")).to_have_count(1)


async def test_many_are_invited_by_a_list_and_join_by_their_links(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 4), page_size=4)
        boss = await signed_in(browser, bench, "supervisor")
        await open_room(boss, bench, "settings#people")
        mark = secrets.token_hex(3)
        form = boss.locator("#invite-list")
        await form.locator("textarea").fill(f"cleo-{mark},Cleo\nnot a login!,x")
        await form.get_by_role("button", name="Check the list").click()
        await expect(boss.locator("#list-result")).to_contain_text("nothing is done")
        await form.locator("textarea").fill(f"cleo-{mark},Cleo\ndan-{mark},Dan")
        await form.get_by_role("button", name="Check the list").click()
        await boss.get_by_role("button", name="Make 2 links").click()
        links = boss.locator("#list-result code")
        await expect(links).to_have_count(2)

        guest = await (await browser.new_context()).new_page()
        link = await links.first.inner_text()
        await guest.goto(link)
        await guest.get_by_label("Password", exact=True).fill("correct horse")
        await guest.keyboard.press("Enter")
        await guest.wait_for_url("**/label")
        await boss.reload()
        await expect(boss.locator("#members")).to_contain_text("Cleo")
        again = await (await browser.new_context()).new_page()
        await again.goto(link)
        await expect(again.locator("main")).to_contain_text("not valid")


async def test_an_open_invitation_is_seen_and_ended(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 4), page_size=4)
        project_id = bench.project.project_id
        mark = secrets.token_hex(3)
        gone, _ = await add_person(
            bench.admin, project_id, f"gone-{mark}", f"Gone {mark}", "labeler"
        )
        boss = await signed_in(browser, bench, "supervisor")
        boss.on("dialog", accept)
        await boss.goto(f"{server.url}/p/{project_id}/settings#people")
        await expect(boss.locator("#members tbody tr")).to_have_count(2)
        card = boss.get_by_role("region", name="Open invitations")
        await expect(card).to_be_hidden()
        make = boss.get_by_role("button", name="Make an invitation link")
        await make.click()
        await expect(
            card.get_by_role("cell", name="whoever has the link", exact=True)
        ).to_be_visible()
        link = await boss.locator("#invitation code").inner_text()
        await no_barrier(boss, "#open-invites")
        await card.get_by_role("button", name="End the invitation").click()
        await expect(card).to_be_hidden()
        guest = await (await browser.new_context()).new_page()
        await guest.goto(link)
        await expect(guest.locator("main")).to_contain_text("not valid")
        # Links end with a removal, too, and it says so.
        await make.click()
        await expect(card).to_be_visible()
        row = boss.locator(f'#members tr[data-user="{gone.user_id}"]')
        await row.get_by_role("button", name="Remove").click()
        await expect(boss.locator(".toast")).to_have_text("1 open invitation ended, too.")
        await expect(card).to_be_hidden()

        await bench.admin.request(
            "POST", "/api/invites/list", json={"text": f"cleo-{mark}", "project_id": project_id}
        )
        admin = await admin_page(browser, bench)
        admin.on("dialog", accept)
        await admin.goto(f"{server.url}/people")
        hers = admin.locator("#invites tbody tr", has_text=f"cleo-{mark}")
        await expect(hers).to_contain_text(bench.project.name)
        await no_barrier(admin, "#open-invites")
        await hers.get_by_role("button", name=f"End the invitation for cleo-{mark}").click()
        await expect(hers).to_have_count(0)


async def test_a_token_is_made_shown_once_used_and_revoked(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 4), page_size=4)
        page = await signed_in(browser, bench)
        page.on("dialog", accept)
        await page.goto(f"{server.url}/me/tokens")
        await page.get_by_label("Name", exact=True).fill("my script")
        await page.get_by_label("It may").select_option("only read")
        await page.get_by_role("button", name="Make a token").click()
        secret = await page.locator("#made code").inner_text()
        headers = {"Authorization": f"Bearer {secret}"}
        async with httpx.AsyncClient(base_url=server.url, headers=headers) as program:
            assert (await program.get("/api/me")).status_code == 200
            assert (await program.post("/api/tokens", json={"name": "x"})).status_code == 403
            await page.reload()
            await expect(page.locator("#tokens")).to_contain_text("just now")
            await expect(page.get_by_text(secret)).to_have_count(0)
            await page.get_by_role("button", name="Revoke my script").click()
            await expect(page.get_by_text("my script", exact=True)).to_have_count(0)
            assert (await program.get("/api/me")).status_code == 401


async def test_items_go_to_one_person_alone_and_who_waits_is_said(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(folder, 8), page_size=4, votes_min=2, votes_max=2)
        project_id = bench.project.project_id
        mark = secrets.token_hex(3)
        await add_person(bench.admin, project_id, f"eve-{mark}", f"Eve {mark}", "labeler")
        boss = await signed_in(browser, bench, "supervisor")
        await boss.goto(f"{server.url}/p/{project_id}/settings")
        await boss.get_by_text("Give pictures to some people").click()
        await boss.get_by_label("People and teams").select_option(label=f"Eve {mark}")
        await boss.locator("#assign-text").fill("red")
        await boss.get_by_role("radio", name="Alone").check()
        await boss.get_by_role("button", name="Give them").click()
        row = boss.locator("#assignments li")
        await expect(row).to_contain_text(f"Eve {mark} alone: all pictures with “red” in the name")
        await expect(row).to_contain_text("4 still open")
        members = (await bench.admin.request("GET", f"/api/projects/{project_id}/members")).json()
        eve = next(m["user_id"] for m in members["members"] if m["name"] == f"Eve {mark}")
        await bench.admin.request(
            "POST", f"/api/projects/{project_id}/people/{eve}/pause", json={"paused": True}
        )
        await boss.goto(f"{server.url}/p/{project_id}")
        await expect(boss.locator("#stuck")).to_contain_text("Nobody can get 4 pictures")
        await boss.get_by_role("link", name="Let others have them").click()
        await boss.get_by_role("button", name=f"Let everybody have what is Eve {mark}'s").click()
        await expect(boss.locator("#no-assignments")).to_be_visible()


async def test_somebody_is_erased_with_their_login_typed(
    server: TestServer, browser: Browser, folder: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make()
        mark = secrets.token_hex(3)
        user, _ = await add_person(
            bench.admin, bench.project.project_id, f"eve-{mark}", f"Eve {mark}", "labeler"
        )
        page = await admin_page(browser, bench)
        await page.goto(f"{server.url}/people")
        hers = page.locator(f'#users tr[data-user="{user.user_id}"]')
        async with page.expect_download() as download:
            await hers.get_by_text("Their data").click()
        assert (await download.value).suggested_filename == f"eve-{mark}.json"
        await hers.get_by_role("button", name="Erase").click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_label("Their login, typed").fill("eve")
        await dialog.get_by_role("button", name="Erase").click()
        await expect(dialog).to_contain_text(f"type the login: eve-{mark}")
        await no_barrier(page)
        await dialog.get_by_label("Their login, typed").fill(f"eve-{mark}")
        await dialog.get_by_role("button", name="Erase").click()
        await expect(page.locator("#link")).to_contain_text(f"Eve {mark} is erased-")
        await expect(hers).to_contain_text("erased-")
        await expect(hers).not_to_contain_text("Eve")
