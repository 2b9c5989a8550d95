"""A password is changed by its owner, and taken away by an admin; who knew the old one is out."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import argon2
import httpx
import pytest
from typer.testing import CliRunner

from chorus.client import Socket
from chorus.server.cli import app
from chorus.server.errors import ApiError
from chorus.server.services.accounts import Accounts, CurrentUser
from chorus.server.services.limits import BY_LOGIN_AND_ADDRESS
from chorus.server.storage.sqlite import SqliteStore
from tests.security.test_doors import Browser, goodbye, me
from tests.servers import Bench

OLD, NEW = "correct horse", "battery staple"


async def password(browser: Browser, old: str | None, new: str) -> httpx.Response:
    return await browser.http.put("/api/me/password", json={"old": old, "new": new})


async def signs_in(browser: Browser, login: str, password: str) -> int:
    answer = await browser.http.post("/api/session", json={"login": login, "password": password})
    return answer.status_code


def code(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["code"])


async def test_a_changed_password_ends_whatever_was_opened_by_the_old_one(bench: Bench) -> None:
    login = f"ann-{secrets.token_hex(3)}"
    new = {"login": login, "name": "Ann", "password": OLD}
    user_id = (await bench.admin.request("POST", "/api/users", json=new)).json()["user_id"]
    own, other, stolen = (Browser(bench.server) for _ in range(3))
    async with own.http, other.http, stolen.http:
        assert await signs_in(own, login, OLD) == await signs_in(other, login, OLD) == 200
        stolen.http.cookies.set("chorus_session", own.http.cookies["chorus_session"])
        link = await bench.admin.signin_link(user_id)
        token = (await own.http.post("/api/tokens", json={"name": "t"})).json()["token"]
        async with own.socket() as first, other.socket() as second:
            assert code(await password(own, "wrong", NEW)) == "wrong_password"
            assert code(await password(own, None, NEW)) == "wrong_password"
            assert code(await password(own, OLD, "short")) == "bad_value"
            headers = {"Authorization": f"Bearer {token}"}
            body = {"old": OLD, "new": NEW}
            refused = await other.http.put("/api/me/password", json=body, headers=headers)
            assert code(refused) == "forbidden", "a token goes no further than itself"
            await second.send(json.dumps({"id": 1, "type": "ping", "body": {}}))
            assert json.loads(await second.recv())["ok"], "nothing has happened yet"
            assert (await password(own, OLD, NEW)).status_code == 204
            assert await goodbye(first) == await goodbye(second) == "session_ended"
        assert [await me(b) for b in (own, other, stolen)] == [200, 401, 401]
        assert (await other.open(link)).status_code == 403
        assert await signs_in(other, login, OLD) == 401
        assert await signs_in(other, login, NEW) == 200
        assert await me(own) == 200


async def test_an_admin_takes_a_password_away_and_its_owner_chooses_another(bench: Bench) -> None:
    login = f"ben-{secrets.token_hex(3)}"
    new = {"login": login, "name": "Ben", "password": OLD}
    user_id = (await bench.admin.request("POST", "/api/users", json=new)).json()["user_id"]
    thief, owner = Browser(bench.server), Browser(bench.server)
    async with thief.http, owner.http:
        assert await signs_in(thief, login, OLD) == 200
        async with thief.socket() as ws:
            path = f"/api/users/{user_id}/password"
            link = (await bench.admin.request("DELETE", path)).json()["url"]
            assert await goodbye(ws) == "session_ended"
        assert await me(thief) == 401
        assert await signs_in(thief, login, OLD) == 401
        assert (await owner.open(link)).status_code == 303
        assert (await password(owner, None, NEW)).status_code == 204
        assert await me(owner) == 200
        assert await signs_in(thief, login, OLD) == 401
        assert await signs_in(thief, login, NEW) == 200
    admin = (await bench.admin.me()).user_id
    with pytest.raises(Exception, match="change your own"):
        await bench.admin.request("DELETE", f"/api/users/{admin}/password")


async def test_one_that_the_operator_gives_ends_open_connections_of_the_running_server(
    bench: Bench,
) -> None:
    login = f"cleo-{secrets.token_hex(3)}"
    new = {"login": login, "name": "Cleo", "password": OLD}
    await bench.admin.request("POST", "/api/users", json=new)
    here = ["--data-dir", str(bench.server.process.data_dir)]
    thief = Browser(bench.server)
    async with thief.http:
        assert await signs_in(thief, login, OLD) == 200
        token = (await thief.http.post("/api/tokens", json={"name": "t"})).json()["token"]
        async with thief.socket() as ws, Socket(bench.server.url, token) as program:
            words = ["user", "password", login, *here]
            done = await asyncio.to_thread(CliRunner().invoke, app, words, input=f"{NEW}\n")
            assert done.exit_code == 0
            assert await goodbye(ws) == "session_ended"
            await program.request("ping", {})
            assert program.connections == 1, "tokens stay"
        assert await signs_in(thief, login, NEW) == 200
        async with thief.socket() as ws:
            await ws.send(json.dumps({"id": 1, "type": "ping", "body": {}}))
            assert json.loads(await ws.recv())["ok"]


# -- without a server


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "chorus.sqlite", lambda events: None, readers=1)
    yield store
    await store.close()


@pytest.fixture
def accounts(store: SqliteStore) -> Accounts:
    found = Accounts(store, "secret")
    found._hasher = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    return found


async def entered(accounts: Accounts, login: str, password: str | None) -> CurrentUser:
    """Somebody new, signed in by a link."""
    user = await accounts.add_user(login, login, password, False)
    _, cookie = await accounts.by_link(await accounts.signin_link(user.user_id))
    assert cookie is not None
    found = await accounts.by_session(cookie)
    assert found is not None
    return found


async def refused(accounts: Accounts, user: CurrentUser, old: str | None) -> str:
    with pytest.raises(ApiError) as caught:
        await accounts.change_password(user, old, NEW, "1.1.1.1")
    return caught.value.code


async def test_the_old_one_is_guessed_no_faster_than_by_signing_in(accounts: Accounts) -> None:
    user = await entered(accounts, "ann", OLD)
    guesses = [refused(accounts, user, f"guess {n}") for n in range(BY_LOGIN_AND_ADDRESS.most + 2)]
    codes = await asyncio.gather(*guesses)
    assert codes.count("wrong_password") == BY_LOGIN_AND_ADDRESS.most
    assert codes.count("rate_limited") == 2
    assert await refused(accounts, user, OLD) == "rate_limited"
    with pytest.raises(ApiError, match="too many"):
        await accounts.sign_in("ann", OLD, "1.1.1.1")
    await accounts.sign_in("ann", OLD, "2.2.2.2")


async def test_who_comes_by_a_provider_or_where_passwords_are_off_sets_none(
    accounts: Accounts, store: SqliteStore
) -> None:
    user = await entered(accounts, "ann", None)
    assert await accounts.password_of(user) == (False, True)
    await store.write(lambda tx: tx.add_identity("https://login.example", "1", user.user_id, 0))
    assert await accounts.password_of(user) == (False, False)
    assert await refused(accounts, user, None) == "forbidden"
    # Whoever has both changes the one.
    both = await entered(accounts, "ben", OLD)
    await store.write(lambda tx: tx.add_identity("https://login.example", "2", both.user_id, 0))
    await accounts.change_password(both, OLD, NEW, "")
    accounts.passwords = False
    third = await entered(accounts, "cleo", OLD)
    assert await refused(accounts, third, OLD) == "forbidden"


@pytest.mark.parametrize("end", ["sign_out", "sign_out_everywhere", "change_password"])
async def test_a_session_that_ended_meanwhile_changes_nothing(accounts: Accounts, end: str) -> None:
    user = await entered(accounts, "ann", OLD)
    if end == "sign_out":
        await accounts.sign_out(user)
    elif end == "sign_out_everywhere":
        await accounts.sign_out_everywhere(user.user_id)
    else:
        await accounts.change_password(user, OLD, OLD, "")
    assert await refused(accounts, user, OLD) == "not_signed_in"
    await accounts.sign_in("ann", OLD, "")


def test_from_the_command_line(tmp_path: Path) -> None:
    run = CliRunner()
    here = ["--data-dir", str(tmp_path)]
    words = ["user", "add", "--login", "ada", "--password", OLD, *here]
    assert run.invoke(app, words).exit_code == 0
    change = ["user", "password", "ada", *here]
    assert "at least 8" in run.invoke(app, change, input="short\n").stderr
    unknown = run.invoke(app, ["user", "password", "eda", *here], input=f"{NEW}\n")
    assert "nobody with the login" in unknown.stderr
    assert run.invoke(app, change, input=f"{NEW}\n").exit_code == 0

    async def signs_in(password: str) -> bool:
        store = SqliteStore(tmp_path / "chorus.sqlite", lambda events: None, readers=1)
        try:
            await Accounts(store, "secret").sign_in("ada", password, "")
        except ApiError:
            return False
        finally:
            await store.close()
        return True

    assert asyncio.run(signs_in(NEW))
    assert not asyncio.run(signs_in(OLD))
