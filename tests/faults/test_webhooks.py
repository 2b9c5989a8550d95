"""Webhooks against a real receiver: signed, tried again, nothing lost over `kill -9`."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chorus.client import ApiError
from chorus.server.domain.webhooks import GIVE_UP_MS, MOST_MS, gives_up, signature, wait_ms
from chorus.server.storage.outbound import Outbound, Refused, parts_of, public
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
        tried = (await ask("GET", f"{path}/deliveries"))["deliveries"]
        assert {d["status"] for d in tried if d["error"]} == {500, 302}
        assert tried[0]["status"] == 204

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
