"""Health, metrics, logs and traces of a real server, and what doctor says of a machine."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from httpx._config import DEFAULT_LIMITS
from prometheus_client.parser import text_string_to_metric_families as parse
from starlette.applications import Starlette
from typer.testing import CliRunner

from chorus.client.process import ServerProcess
from chorus.server import doctor, logs, serving
from chorus.server.cli import app
from chorus.server.services.accounts import digest, invite_id
from chorus.server.services.instruments import Instruments
from chorus.server.settings import Settings
from chorus.server.tracing import OFF
from tests.docs_pages import DOCS
from tests.servers import PATIENCE, Bench, TestServer, page_of, pictures, running, vote_page

TOKEN = "a long token of the metrics' own"
LOCAL_PROXY = {"X-Forwarded-For": "203.0.113.7"}


class Collector(ThreadingHTTPServer):
    """Takes what OpenTelemetry sends, as a collector would."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Take)
        self.bodies: list[bytes] = []
        self.came = threading.Event()


class _Take(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.came.set()
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with Collector() as found:
        thread = threading.Thread(target=found.serve_forever, daemon=True)
        thread.start()
        yield found
        found.shutdown()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[TestServer]:
    """A server of its own: with traces, a token for its metrics, and a log of everything."""
    folder = tmp_path_factory.mktemp("operations")
    secret = folder / "token"
    secret.write_text(TOKEN + "\n")
    env = {
        "CHORUS_LOG_FORMAT": "json", "CHORUS_LOG_LEVEL": "info", "CHORUS_OTEL": "1",
        "CHORUS_METRICS_TOKEN_FILE": str(secret), "OTEL_BSP_SCHEDULE_DELAY": "100",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}",
    }  # fmt: skip
    with running(folder / "data", **env) as started:
        yield started


async def figures(url: str, **headers: str) -> dict[str, float]:
    """Every sample of /metrics, read by Prometheus' own parser: name{labels} -> value."""
    async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
        answer = await http.get("/metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    out = {}
    for family in parse(answer.text):
        assert family.documentation, family.name
        for sample in family.samples:
            labels = ",".join(f"{k}={v}" for k, v in sorted(sample.labels.items()))
            out[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return out


async def test_the_metrics_count_what_happens(server: TestServer, tmp_path: Path) -> None:
    before = await figures(server.url)
    async with Bench(server) as bench:
        await bench.make(pictures(tmp_path / "p", 9))
        stream = await bench.labeler(credit=1)
        page = await page_of(stream)
        await vote_page(stream, page)
        with pytest.raises(Exception, match="no command"):
            await stream.socket.request("no.such.command")
        after = await figures(server.url)

    def more(name: str) -> float:
        return after.get(name, 0) - before.get(name, 0)

    assert more("chorus_votes_total{kind=label}") == 9
    assert more("chorus_pages_total{kind=manual}") == 1
    assert more("chorus_ack_seconds_count") == 9
    assert more("chorus_commands_total{outcome=ok,type=votes.cast}") == 1
    assert more("chorus_commands_total{outcome=unknown_type,type=unknown}") == 1
    assert after["chorus_sockets{role=labeler}"] == 1
    assert more("chorus_events_total") >= 10
    assert 1 <= more("chorus_commit_seconds_count") <= more("chorus_write_wait_seconds_count")
    assert after["chorus_database_bytes"] > 4096
    assert after["chorus_disk_free_bytes"] > 0
    made = "chorus_http_request_seconds_count{method=POST,route=/api/projects,status=201}"
    assert more(made) == 1
    assert after["process_resident_memory_bytes"] > 1e6


async def test_who_may_see_the_metrics(server: TestServer) -> None:
    async with Bench(server) as bench, httpx.AsyncClient(base_url=server.url) as http:
        await bench.make()
        labeler = await bench.person()
        for headers, status in (
            ({}, 200),  # from this machine
            (LOCAL_PROXY, 401),  # from elsewhere, by a proxy on this machine
            ({**LOCAL_PROXY, "Authorization": f"Bearer {TOKEN}"}, 200),
            ({**LOCAL_PROXY, "Authorization": f"Bearer {TOKEN[:-1]}"}, 401),
            ({**LOCAL_PROXY, "Authorization": f"Bearer {labeler}"}, 403),
            ({**LOCAL_PROXY, "Authorization": f"Bearer {server.token}"}, 200),
        ):
            answer = await http.get("/metrics", headers=headers)
            assert answer.status_code == status, headers


async def test_ready_says_what_must_be_well(server: TestServer) -> None:
    async with httpx.AsyncClient(base_url=server.url) as http:
        answer = await http.get("/readyz")
    assert answer.status_code == 200
    checks = {"database": None, "disk": None, "workers": None}
    assert answer.json() == {"ok": True, "checks": checks}


async def test_a_request_is_found_in_the_log_by_its_id(server: TestServer) -> None:
    async with httpx.AsyncClient(base_url=server.url) as http:
        given = await http.get("/healthz", headers={"X-Request-ID": "from-the-proxy-1"})
        forged = await http.get("/healthz", headers={"X-Request-ID": "two words"})
    assert given.headers["X-Request-ID"] == "from-the-proxy-1"
    assert re.fullmatch(r"[0-9a-f]{16}", forged.headers["X-Request-ID"])
    async with Bench(server) as bench:
        await bench.make()
        stream = await bench.labeler()
        await stream.socket.request("ping")
    rows = [
        json.loads(line) for line in server.process.log.read_text().splitlines() if line[0] == "{"
    ]
    mine = [row for row in rows if row.get("request_id") == "from-the-proxy-1"]
    assert [(row["path"], row["status"], row["level"]) for row in mine] == [
        ("/healthz", 200, "info")
    ]
    pings = [row for row in rows if row.get("command") == "ping"]
    assert re.fullmatch(r"[0-9a-f]{16}\.\d+", pings[-1]["request_id"])
    assert pings[-1]["outcome"] == "ok"


async def test_no_link_that_lets_somebody_in_is_in_the_log_or_a_trace(
    server: TestServer, collector: Collector
) -> None:
    async with Bench(server) as bench, httpx.AsyncClient(base_url=server.url) as http:
        made = await bench.admin.request("POST", "/api/invites", json={"role": "admin"})
        invite = made.json()["token"]
        user = await bench.admin.create_user("linked", "Linked")
        link = (await bench.admin.signin_link(user.user_id)).removeprefix(server.url)
        asked = [f"/invite/{invite}", f"/invite/{invite}/", f"/api/invites/{invite}", link]
        for n, path in enumerate([*asked, "/setup?token=a-token-of-the-set-up", "/last-of-them"]):
            await http.get(path, headers={"X-Request-ID": f"opened-{n}"})
        async with asyncio.timeout(PATIENCE):
            while not any(b"/last-of-them" in body for body in collector.bodies):
                collector.came.clear()
                await asyncio.to_thread(collector.came.wait, PATIENCE)
    written = server.process.log.read_text()
    assert '"request_id": "opened-5"' in written
    traced = b"".join(collector.bodies)
    for secret in (invite, link.partition("=")[2], "a-token-of-the-set-up"):
        assert secret not in written
        assert secret.encode() not in traced
    assert f"/invite/{invite_id(digest(invite))}" in written


async def test_a_vote_is_traced_from_its_command_to_the_publishing(
    server: TestServer, collector: Collector, tmp_path: Path
) -> None:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    def spans() -> list[Any]:
        return [
            span
            for body in collector.bodies
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    async with Bench(server) as bench:
        await bench.make(pictures(tmp_path / "p", 1))
        stream = await bench.labeler(credit=1)
        await vote_page(stream, await page_of(stream))
    async with asyncio.timeout(PATIENCE):
        while not (votes := [s for s in spans() if s.name == "command vote.cast"]):
            collector.came.clear()
            await asyncio.to_thread(collector.came.wait, PATIENCE)
    vote = votes[-1]
    family = {s.span_id: s for s in spans() if s.trace_id == vote.trace_id}
    write = next(s for s in family.values() if s.name == "write")
    assert write.parent_span_id == vote.span_id
    parts = [s.name for s in family.values() if s.parent_span_id == write.span_id]
    assert sorted(parts) == ["commit", "publish", "queued", "run"]
    for span in family.values():
        assert span.start_time_unix_nano <= span.end_time_unix_nano


def test_the_reference_of_metrics_is_that_of_the_code(server: TestServer) -> None:
    """docs/operations.md lists every figure of ours, and no other."""
    text = httpx.get(f"{server.url}/metrics").text
    ours = {f.name: f.documentation for f in parse(text) if f.name.startswith("chorus_")}
    page = (DOCS / "operations.md").read_text("utf-8")
    listed = dict(
        re.findall(r"^\| `(chorus_\w+?)(?:_total)?`[^|]*\| \w+ \| ([^|]*?) \|", page, re.M)
    )
    assert listed == ours
    for name in re.findall(r"chorus_\w+", page):
        bare = re.sub(r"_(total|bucket|sum|count)$", "", name)
        assert bare in ours or name in ours, f"docs/operations.md names {name}"


def test_nothing_in_a_line_of_the_log_looks_like_another_line() -> None:
    said = logs.plain("login\nINFO all is well\x1b[2J\u2028.")
    assert said == "login\\nINFO all is well\\x1b[2J\\u2028."


def test_a_figure_that_cannot_be_had_leaves_the_others() -> None:
    def gone() -> float:
        raise FileNotFoundError

    instruments = Instruments("0", OFF)
    instruments.gauge("chorus_gone", "Not there.", gone)
    found = {f.name for f in parse(instruments.exposition({("train", "done"): 2}).decode())}
    assert {"chorus_gone", "chorus_jobs"} <= found


# -- doctor


def test_doctor_finds_nothing_bad_in_a_good_folder(server: TestServer) -> None:
    folder = str(server.process.data_dir)
    done = CliRunner().invoke(app, ["doctor", "--data-dir", folder, "--no-models", "--json"])
    found = {row["name"]: row for row in json.loads(done.stdout)["findings"]}
    assert done.exit_code == 0, done.stdout
    assert "whole" in found["database"]["found"]
    assert found["fsync"]["found"].startswith("fsync takes")
    assert found["detectors"]["found"].startswith("fcos; weights of larger ones are not here")


def test_doctor_says_what_is_wrong_and_how_to_mend_it(server: TestServer, tmp_path: Path) -> None:
    (tmp_path / "chorus.sqlite").write_bytes(b"no database at all" * 1000)
    with (tmp_path / "chorus.sqlite-wal").open("wb") as file:
        file.truncate(doctor.LOG_WARN + 1)
    secret = tmp_path / "secret"
    secret.write_text("open" * 16)
    secret.chmod(0o644)
    tmp_path.chmod(0o755)
    found = {
        f.name: f for f in doctor.examine(tmp_path, "0.0.0.0", server.process.port, models=False)
    }
    assert found["database"].state == "bad"
    assert found["wal"].state == "warn"
    assert found["secrets"].state == "bad"
    assert f"chmod 600 {secret}" in found["secrets"].mend
    assert found["folder"].state == "warn"
    assert found["port"].state == "warn"
    assert found["address"].state == "warn"
    assert all(f.mend for f in found.values() if f.state != "ok")
    tmp_path.chmod(0o750)
    if os.getuid() == 0:  # a command that was run as root beside a server that is not
        os.chown(secret, 65534, 65534)
        (folder,) = (
            f for f in doctor.examine(tmp_path, "::1", 0, models=False) if f.name == "folder"
        )
        assert folder.state == "warn"
        assert str(secret) in folder.found
        os.chown(secret, 0, 0)
    runner = CliRunner()
    done = runner.invoke(app, ["doctor", "--data-dir", str(tmp_path), "--no-models"])
    assert done.exit_code == 1
    assert "→ `chmod 600" in done.stdout


def test_doctor_comes_to_its_end_where_it_cannot_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_file = tmp_path / "file"
    a_file.write_text("")
    closed = tmp_path / "closed"
    closed.mkdir()
    # As for somebody who is not root: folders without the right to enter them.
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != closed)
    for folder, said in ((a_file, "is a file"), (closed, "cannot be read and written")):
        found = {f.name: f for f in doctor.examine(folder, "127.0.0.1", 0, models=False)}
        assert found["folder"].state == "bad"
        assert said in found["folder"].found
        assert "database" not in found


def test_doctor_says_that_a_gpu_is_of_no_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    for there, state in ((False, "ok"), (True, "warn")):
        monkeypatch.setattr(Settings, "gpu", there)
        gpu = doctor._gpu(Settings(data_dir=tmp_path), models=True)
        assert gpu.state == state
    assert "torch cannot use" in gpu.found
    assert "nvidia-smi" in gpu.mend


def test_a_connection_outlives_what_clients_and_proxies_keep_theirs_for(tmp_path: Path) -> None:
    """Or a request is lost now and then: sent on a connection that the server just closes."""
    kept = serving.config(Starlette(), Settings(data_dir=tmp_path)).timeout_keep_alive
    assert (ours := DEFAULT_LIMITS.keepalive_expiry) is not None
    nginx, caddy = 60, 120
    assert kept > max(ours, nginx, caddy)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://localhost:8000"),
        ("::", "http://localhost:8000"),
        ("::1", "http://[::1]:8000"),
        ("labels.example.org", "http://labels.example.org:8000"),
    ],
)
def test_the_first_link_is_one_that_a_browser_opens(host: str, url: str, tmp_path: Path) -> None:
    assert Settings(data_dir=tmp_path, host=host).url == url


def test_a_server_on_a_terminal_says_where_it_is(tmp_path: Path) -> None:
    process = ServerProcess(tmp_path / "data")
    process.add_user("ada", "Ada", admin=True)
    ours, terminal = os.openpty()
    command = [Path(sys.executable).with_name("chorus"), "serve"]
    options = ["--data-dir", process.data_dir, "--port", str(process.port)]
    with subprocess.Popen([*command, *options], stdout=terminal) as server:
        os.close(terminal)
        said = b""
        while b"\n" not in said:
            said += os.read(ours, 1000)
        server.terminate()
    os.close(ours)
    assert process.url in said.decode()
    assert str(process.data_dir) in said.decode()
