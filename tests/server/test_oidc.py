"""Signing in by OpenID Connect, with a real provider (Authlib's server side) in this process."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from typer.testing import CliRunner

with pytest.warns():  # it still uses a module of Authlib's that will go
    import oidc_provider_mock

from chorus.server.cli import app
from tests.servers import Bench, TestServer, running

PASSWORD = "correct horse"


class Site:
    def __init__(self, server: TestServer, provider: str) -> None:
        self.server = server
        self.provider = provider

    def knows(self, sub: str, **claims: Any) -> None:
        httpx.put(f"{self.provider}/users/{sub}", json=claims).raise_for_status()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server that takes no passwords, and its provider."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    folder = tmp_path_factory.mktemp("oidc")
    secret = folder / "client-secret"
    secret.write_text("shh\n")
    with oidc_provider_mock.run_server_in_thread(require_nonce=True) as provider:
        issuer = f"http://localhost:{provider.server_port}"
        with running(
            folder / "data",
            CHORUS_OIDC_ISSUER=issuer,
            CHORUS_OIDC_CLIENT_ID="chorus",
            CHORUS_OIDC_SECRET_FILE=str(secret),
            CHORUS_PASSWORDS="false",
        ) as server:
            yield Site(server, issuer)


def browser(site: Site) -> httpx.Client:
    return httpx.Client(base_url=site.server.url, headers={"Origin": site.server.url}, timeout=60)


def consent(there: str, sub: str) -> str:
    """Say yes at the provider; where it sends the browser."""
    answer = httpx.post(there, data={"sub": sub}, timeout=60)
    assert answer.status_code == 302, answer.text
    return answer.headers["location"]


def sign_in(site: Site, person: httpx.Client, sub: str, target: str = "/") -> httpx.Response:
    begun = person.get("/oidc/start", params={"next": target})
    assert begun.status_code == 302, begun.text
    return person.get(consent(begun.headers["location"], sub))


def me(person: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = person.get("/api/me").json()
    return found


async def invited(site: Site, login: str, email: str) -> str:
    async with Bench(site.server) as bench:
        project = await bench.make()
        text = f"login,email,name\n{login},{email},Ada"
        body = {"text": text, "project_id": project.project_id}
        await bench.admin.request("POST", "/api/invites/list", json=body)
        return project.project_id


async def test_an_invited_address_gets_the_account_and_the_project(site: Site) -> None:
    login = f"ada-{secrets.token_hex(3)}"
    project = await invited(site, login, f"{login}@example.org")
    site.knows(login, email=f"{login}@Example.org", email_verified=True, name="Ada L.")
    with browser(site) as person:
        begun = person.get("/oidc/start")
        asked = parse_qs(urlsplit(begun.headers["location"]).query)
        assert asked["code_challenge_method"] == ["S256"]
        assert asked["state"] != asked["nonce"]
        done = sign_in(site, person, login)
        assert (done.status_code, done.headers["location"]) == (303, "/")
        found = me(person)
        assert (found["user"]["login"], found["user"]["name"]) == (login, "Ada")
        assert [p["project_id"] for p in found["projects"]] == [project]
        user_id = found["user"]["user_id"]
        assert person.delete("/api/session").status_code == 204
        assert person.get("/api/me").status_code == 401
        out = person.get("/oidc/signed-out")
        assert out.headers["location"].startswith(f"{site.provider}/oauth2/end_session")
        sign_in(site, person, login)
        assert me(person)["user"]["user_id"] == user_id, "known by `sub` from now on"


async def test_nobody_else_comes_in(site: Site) -> None:
    login = f"bob-{secrets.token_hex(3)}"
    await invited(site, login, f"{login}@example.org")
    site.knows("stranger", email="stranger@example.org", email_verified=True)
    site.knows("claims", email=f"{login}@example.org", email_verified=False)
    for sub in ("stranger", "claims"):
        with browser(site) as person:
            answer = sign_in(site, person, sub)
            assert answer.status_code == 403
            assert "ask for an invitation" in answer.text
            assert person.get("/api/me").status_code == 401


async def test_an_invitation_link_lets_one_in_to_accept_it(site: Site) -> None:
    async with Bench(site.server) as bench:
        project = await bench.make()
        invite = {"role": "labeler", "project_id": project.project_id}
        token = (await bench.admin.request("POST", "/api/invites", json=invite)).json()["token"]
    sub = f"cy-{secrets.token_hex(3)}"
    site.knows(sub, email=f"{sub}@example.org", email_verified=True, preferred_username="cy!")
    with browser(site) as person:
        target = f"/invite/{token}"
        assert "Sign in with" in person.get(target).text
        refused = person.post(
            f"/api/invites/{token}", json={"login": "x", "name": "x", "password": PASSWORD}
        )
        assert refused.status_code == 403, "passwords are off"
        assert sign_in(site, person, sub, target).headers["location"] == target
        assert me(person)["projects"] == []
        assert person.post(f"/api/invites/{token}", json={}).status_code == 200
        assert len(me(person)["projects"]) == 1


def test_a_callback_counts_only_where_it_was_begun(site: Site) -> None:
    site.knows("eve")
    with browser(site) as eve, browser(site) as victim:
        back = consent(eve.get("/oidc/start").headers["location"], "eve")
        assert victim.get(back).status_code == 403, "no cookie: begun elsewhere"
        victim.get("/oidc/start")
        assert victim.get(back).status_code == 403, "another state"
        assert victim.get("/api/me").status_code == 401


def test_passwords_are_off_and_an_account_can_be_linked(site: Site) -> None:
    body = {"login": "admin", "password": "whatever it is"}
    with browser(site) as person:
        answer = person.post("/api/session", json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
        page = person.get("/signin").text
        assert "Sign in with" in page
        assert 'type="password"' not in page
        options = ["--login", "admin", "--issuer", site.provider, "--sub", "boss"]
        data = ["--data-dir", str(site.server.process.data_dir)]
        linked = CliRunner().invoke(app, ["user", "link", *options, *data])
        assert linked.exit_code == 0, linked.output
        assert CliRunner().invoke(app, ["user", "link", *options, *data]).exit_code == 1
        done = sign_in(site, person, "boss", "//evil.example")
        assert done.headers["location"] == "/", "never to another site"
        assert me(person)["user"]["admin"] is True
