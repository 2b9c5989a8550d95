"""Webhooks against a real receiver: signed, tried again, nothing lost over `kill -9`."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chorus.client import ApiError, Rest
from chorus.server.domain.model import Webhook
from chorus.server.domain.webhooks import GIVE_UP_MS, MOST_MS, gives_up, signature, wait_ms
from chorus.server.errors import ApiError as ServerError
from chorus.server.services.accounts import leave
from chorus.server.services.fitting import ANSWER_BYTES
from chorus.server.services.news import News
from chorus.server.services.webhooks import NewWebhook, WebhookChange, Webhooks
from chorus.server.storage.outbound import Outbound, Refused, parts_of, public
from chorus.server.storage.sqlite import SqliteStore
from chorus.server.storage.vault import Vault
from tests.server.world import World
from tests.servers import PATIENCE, Bench, TestServer, pictures, running


class Receiver(ThreadingHTTPServer):
    """Keeps what comes; `answer` says with which status."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.changed = threading.Condition()
        self.messages: list[tuple[dict[str, str], bytes]] = []
        self.answer: Callable[[], int] = lambda: 204
        self.url = f"http://127.0.0.1:{self.server_address[1]}/hook?of=chorus"

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait for what messages bring about."""

        def wait() -> bool:
            with self.changed:
                return self.changed.wait_for(condition, PATIENCE)

        assert await asyncio.to_thread(wait)

    def seqs(self) -> list[int]:
        return [
            event["seq"] for _, body in list(self.messages) for event in json.loads(body)["events"]
        ]


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.changed:
            status = self.server.answer()
            if status == 204:
                headers = {k.lower(): v for k, v in self.headers.items()}
                self.server.messages.append((headers, body))
            self.server.changed.notify_all()
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TestServer]:
    with running(tmp_path / "data", CHORUS_ALLOW_WEBHOOK_HOSTS="127.0.0.1") as server:
        yield server


@contextmanager
def receiving() -> Iterator[Receiver]:
    with Receiver() as receiver:
        thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield receiver
        receiver.shutdown()
        thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


async def test_signed_tried_again_and_nothing_lost(
    server: TestServer, receiver: Receiver, tmp_path: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(tmp_path / "in", 3))
        one = f"/api/projects/{bench.project.project_id}"

        async def ask(method: str, path: str, **body: Any) -> Any:
            response = await bench.admin.request(method, one + path, json=body)
            return response.json() if response.content else None

        async def change(text: str) -> None:
            await bench.admin.change_project(bench.project.project_id, description=text)

        hook = await ask("POST", "/webhooks", url=receiver.url, types=["project.changed"])
        path = f"/webhooks/{hook['webhook_id']}"
        assert "secret" not in (await ask("GET", "/webhooks"))["webhooks"][0]
        assert (await ask("POST", f"{path}/test"))["ok"]
        headers, body = receiver.messages.pop()
        assert headers["webhook-signature"] == signature(
            hook["secret"], headers["webhook-id"], int(headers["webhook-timestamp"]), body
        )
        assert headers["host"] == f"127.0.0.1:{receiver.server_address[1]}"
        assert json.loads(body)["type"] == "test"

        await change("one")
        await receiver.until(lambda: len(receiver.seqs()) == 1)
        # Nobody is well at the other end, and then the server is killed.
        refused: list[int] = []

        def unwell() -> int:
            refused.append(1)
            return [500, 302][len(refused) % 2]

        receiver.answer = unwell
        await change("two")
        await change("three")
        await receiver.until(lambda: len(refused) >= 3)
        server.process.kill9()
        receiver.answer = lambda: 204
        await server.process.restart()
        await change("four")
        await receiver.until(lambda: len(set(receiver.seqs())) == 4)
        assert receiver.seqs() == sorted(set(receiver.seqs())), "in order, and none twice"
        log = [e async for e in bench.admin.events(bench.project.project_id, 0, follow=False)]
        changed = [e.seq for e in log if e.type == "project.changed"]
        assert receiver.seqs() == changed[-4:]
        async with asyncio.timeout(PATIENCE):
            tried = (await ask("GET", f"{path}/deliveries"))["deliveries"]
            while tried[0]["status"] != 204:  # the answer is on its way into the database
                tried = (await ask("GET", f"{path}/deliveries"))["deliveries"]
        assert {d["status"] for d in tried if d["error"]} == {500, 302}

        # Who supervises another project cannot silence it.
        other = await bench.admin.create_project("Other", ["yes", "no"])
        there = f"/api/projects/{other.project_id}{path}"
        with pytest.raises(ApiError) as refused_to:
            await bench.admin.request("PATCH", there, json={"active": False})
        assert refused_to.value.code == "not_found"
        await change("five")
        await receiver.until(lambda: len(receiver.seqs()) == 5)

        # Off, and on again: what happened meanwhile comes too. Gone: it turns itself off.
        await ask("PATCH", path, active=False)
        await change("six")
        assert len(receiver.seqs()) == 5
        await ask("PATCH", path, active=True)
        await receiver.until(lambda: len(receiver.seqs()) == 6)
        receiver.answer = lambda: 410
        await change("seven")
        async with asyncio.timeout(PATIENCE):
            while (await ask("GET", "/webhooks"))["webhooks"][0]["state"] != "failed":
                pass  # the answer is on its way into the database
        await ask("DELETE", path)
        assert (await ask("GET", "/webhooks"))["webhooks"] == []


async def test_large_events_come_a_few_at_a_time(
    server: TestServer, receiver: Receiver, tmp_path: Path
) -> None:
    async with Bench(server) as bench:
        await bench.make(pictures(tmp_path / "in", 1))
        one = f"/api/projects/{bench.project.project_id}"
        order = {"url": receiver.url, "types": ["project.changed"]}
        hook = (await bench.admin.request("POST", f"{one}/webhooks", json=order)).json()
        path = f"{one}/webhooks/{hook['webhook_id']}"
        await bench.admin.request("PATCH", path, json={"active": False})
        texts = [str(n).rjust(100_000, "x") for n in range(24)]
        assert sum(map(len, texts)) > ANSWER_BYTES
        for text in texts:
            await bench.admin.change_project(bench.project.project_id, instructions=text)
        await bench.admin.request("PATCH", path, json={"active": True})
        await receiver.until(lambda: len(receiver.seqs()) == len(texts))
        sent = [event for _, body in receiver.messages for event in json.loads(body)["events"]]
        assert [event["body"]["instructions"] for event in sent] == texts
        assert max(len(body) for _, body in receiver.messages) < ANSWER_BYTES + 1000
        # Nor does the list of what was changed come at once.
        told: list[Any] = []
        before: int | None = 0
        while before is not None:
            url = f"{one}/changes?limit=200&before={before}"
            answer = await bench.admin.request("GET", url)
            assert len(answer.content) < ANSWER_BYTES + 1000
            told += answer.json()["changes"]
            before = answer.json()["next"]
        assert [t["change"]["instructions"] for t in told[: len(texts)]] == texts[::-1]
        assert len(told) == len({t["seq"] for t in told}) > len(texts)


async def removed(bench: Bench, user_id: str, login: str) -> None:
    path = f"/api/projects/{bench.project.project_id}/members/{user_id}"
    await bench.admin.request("DELETE", path)


async def made_a_labeler(bench: Bench, user_id: str, login: str) -> None:
    await bench.admin.set_member(bench.project.project_id, user_id, "labeler")


async def out_of_the_team(bench: Bench, user_id: str, login: str) -> None:
    (team,) = [t for t in await bench.admin.teams() if user_id in t.people]
    await bench.admin.set_team_person(team.team_id, user_id, False)


async def no_admin_any_more(bench: Bench, user_id: str, login: str) -> None:
    await bench.admin.change_user(user_id, admin=False)


async def erased(bench: Bench, user_id: str, login: str) -> None:
    await bench.admin.erase_user(user_id, login)


async def test_one_ends_with_the_role_of_whoever_made_it(
    server: TestServer, receiver: Receiver, tmp_path: Path
) -> None:
    async with Bench(server) as bench:
        for deed in (removed, made_a_labeler, out_of_the_team, no_admin_any_more, erased):
            project_id = (await bench.make()).project_id
            path = f"/api/projects/{project_id}/webhooks"
            login = f"eve-{deed.__name__}"
            eve = await bench.admin.create_user(login, login)
            if deed is out_of_the_team:
                team = await bench.admin.add_team("Night")
                await bench.admin.set_team_person(team.team_id, eve.user_id)
                await bench.admin.set_team_role(project_id, team.team_id, "supervisor")
            elif deed is no_admin_any_more:
                await bench.admin.change_user(eve.user_id, admin=True)
            else:
                await bench.admin.set_member(project_id, eve.user_id, "supervisor")
            body = {"url": receiver.url, "types": ["project.changed"]}
            async with Rest(server.url) as hers:
                await hers.sign_in_by(await bench.admin.signin_link(eve.user_id))
                secret = await hers.create_token("test")
            async with Rest(server.url, secret) as hers:
                hook = (await hers.request("POST", path, json=body)).json()
            assert (hook["made_by"], hook["maker_left"]) == (login, False)
            own = (await bench.admin.request("POST", path, json=body)).json()

            receiver.messages.clear()
            await bench.admin.change_project(project_id, description="before")
            await receiver.until(lambda: len(receiver.seqs()) == 2)
            await deed(bench, eve.user_id, login)
            await bench.admin.change_project(project_id, description="after")
            await receiver.until(lambda: len(receiver.seqs()) == 3)

            found = {
                h["webhook_id"]: h
                for h in (await bench.admin.request("GET", path)).json()["webhooks"]
            }
            hers_now, own_now = found[hook["webhook_id"]], found[own["webhook_id"]]
            assert (hers_now["state"], hers_now["maker_left"]) == ("off", True), deed.__name__
            assert (own_now["state"], own_now["maker_left"]) == ("active", False)
            # Whoever turns it on has it: it goes on, and what happened meanwhile comes.
            one = f"{path}/{hook['webhook_id']}"
            on = (await bench.admin.request("PATCH", one, json={"active": True})).json()
            assert (on["state"], on["made_by"], on["maker_left"]) == ("active", "Admin", False)
            await receiver.until(lambda: len(receiver.seqs()) == 4)
            assert receiver.seqs()[2:] == [receiver.seqs()[2]] * 2
            if deed is not erased:
                await bench.admin.set_member(project_id, eve.user_id, "supervisor")
                await bench.admin.set_member(project_id, eve.user_id, "labeler")
                (again, _) = (await bench.admin.request("GET", path)).json()["webhooks"]
                assert again["state"] == "active"


@asynccontextmanager
async def sending(world: World, folder: Path) -> AsyncIterator[tuple[SqliteStore, Webhooks]]:
    store = SqliteStore(world.path, lambda events: None, readers=1)
    service = Webhooks(
        store, Vault(folder / "key"), Outbound(["127.0.0.1"]), News(), lambda event: event.body
    )
    yield store, service
    await service.stop()
    await store.close()
    world.close()


async def promote(store: SqliteStore, *people: str) -> None:
    for user_id in people:
        await store.write(lambda tx, u=user_id: tx.set_member("p", u, "supervisor", 1))  # type: ignore[misc]


async def test_what_was_being_sent_does_not_turn_it_on_again(
    receiver: Receiver, tmp_path: Path
) -> None:
    async with sending(World(), tmp_path) as (store, service):
        await promote(store, "u0", "u1")
        made = await service.add("p", "u0", NewWebhook(receiver.url))
        webhook_id = made["webhook_id"]
        reads = await store.read(lambda tx: tx.webhook(webhook_id))
        assert reads is not None
        await store.write(lambda tx: leave(tx, "p", "u0", 1))
        # Its answer comes now, a good one or a bad one.
        for state in ("active", "failed"):
            reads.state = state
            reads.delivered_seq += 1
            await store.write(lambda tx: tx.webhook_sent(reads))
            (shown,) = await service.of("p")
            assert (shown["state"], shown["delivered_seq"]) == ("off", reads.delivered_seq)
        # Nor does one that was waiting for its next try send anything.
        await store.write(lambda tx: tx.emit("p", 1, "person.renamed", {"user_id": "u0"}))
        assert await service._step(webhook_id, 0) == 0
        assert receiver.messages == []


async def test_who_is_removed_while_an_address_is_looked_up_leaves_nothing(
    receiver: Receiver, tmp_path: Path
) -> None:
    async with sending(World(), tmp_path) as (store, service):
        await promote(store, "u0", "u1")
        hook = await service.add("p", "u1", NewWebhook(receiver.url))
        await store.write(lambda tx: leave(tx, "p", "u0", 1))
        with pytest.raises(ServerError, match="supervisor"):
            await service.add("p", "u0", NewWebhook(receiver.url))
        with pytest.raises(ServerError, match="supervisor"):
            await service.change("p", "u0", hook["webhook_id"], WebhookChange(url=receiver.url))
        (shown,) = await service.of("p")
        assert (shown["state"], shown["made_by"]) == ("active", "U1")


async def test_whoever_leads_it_elsewhere_has_it(receiver: Receiver, tmp_path: Path) -> None:
    async with sending(World(), tmp_path) as (store, service):
        await promote(store, "u0", "u1")
        hook = await service.add("p", "u1", NewWebhook("http://127.0.0.1/"))
        change = WebhookChange(url=receiver.url)
        assert (await service.change("p", "u0", hook["webhook_id"], change))["made_by"] == "U0"
        await store.write(lambda tx: leave(tx, "p", "u0", 1))
        (shown,) = await service.of("p")
        assert (shown["state"], shown["maker_left"]) == ("off", True)


async def test_what_an_older_chorus_let_go_on_ends(receiver: Receiver, tmp_path: Path) -> None:
    async with sending(World(), tmp_path) as (store, service):
        sealed = service._vault.seal(b"whsec_AAAA", "w")
        hook = Webhook("w", "p", receiver.url, "[]", sealed, "active", 0, 0, None, 0, "u0", 1)
        await store.write(lambda tx: tx.put_webhook(hook))
        await service.start()
        await service._tasks["w"]
        assert receiver.messages == []
        (shown,) = await service.of("p")
        assert (shown["state"], shown["maker_left"]) == ("off", True)


async def test_what_is_refused(server: TestServer) -> None:
    async with Bench(server) as bench:
        await bench.make()
        path = f"/api/projects/{bench.project.project_id}/webhooks"
        for url in (
            "http://localhost/x", "http://169.254.169.254/latest/meta-data", "http://10.0.0.1/",
            "http://[::1]/", "http://[::ffff:10.0.0.1]/", "http://0x7f.1/", "ftp://example.org/x",
            "http://me:it@127.0.0.1/", "nowhere", "http://",
        ):  # fmt: skip
            with pytest.raises(ApiError) as refused:
                await bench.admin.request("POST", path, json={"url": url})
            assert refused.value.code == "bad_value", url
        body = {"url": "http://127.0.0.1/", "types": ["label.decide"]}
        with pytest.raises(ApiError) as refused:
            await bench.admin.request("POST", path, json=body)
        assert "label.decide" in refused.value.message


async def test_it_goes_to_the_address_that_was_checked(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that leads elsewhere when it is looked up again gains nothing: it is not."""
    asked = []

    async def look_up(host: str, port: int, **how: Any) -> list[tuple[Any, ...]]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look_up)
    port = receiver.server_address[1]
    outbound, body = Outbound(["hook.example"]), b'{"events": []}'
    assert await outbound.post(f"http://hook.example:{port}/x", body, {}) == 204
    await outbound.close()
    assert asked == ["hook.example"]
    ((headers, kept),) = receiver.messages
    assert (headers["host"], kept) == (f"hook.example:{port}", body)


async def test_a_name_with_one_address_inside_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def look_up(host: str, port: int, **how: Any) -> list[tuple[Any, ...]]:
        found = ("93.184.216.34", "10.0.0.1")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in found]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look_up)
    outbound = Outbound([])
    with pytest.raises(Refused, match="not on the public internet"):
        await outbound.look_up("https://hook.example/x")
    await outbound.close()


def test_addresses_of_the_public_internet() -> None:
    for inside in (
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "0.0.0.0", "224.0.0.1", "::1", "::", "fe80::1%eth0", "fd00::1", "::ffff:127.0.0.1",
        "64:ff9b::a00:1", "2002:7f00:1::",
    ):  # fmt: skip
        assert not public(inside), inside
    for outside in (
        "93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "64:ff9b::808:808", "::ffff:8.8.8.8",
    ):  # fmt: skip
        assert public(outside), outside
    assert parts_of("https://example.org/x") == ("example.org", 443)
    for odd in ("https://me:it@example.org/", "https://me@example.org/", "ftp://example.org/"):
        with pytest.raises(Refused):
            parts_of(odd)


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_waits_grow_to_an_hour(failures: int, chance: float) -> None:
    wait = wait_ms(failures, chance)
    assert 500 <= wait <= MOST_MS
    assert wait_ms(failures + 1, chance) >= wait
    assert not gives_up(None, GIVE_UP_MS * 2)
    assert gives_up(0, GIVE_UP_MS)
