"""Data sources against a real S3 server: what comes in, what is said of trouble, what is secret."""

from __future__ import annotations

import asyncio
import json
import socket
import sqlite3
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from chorus.client import ApiError, Rest
from chorus.client.source_cli import source as source_commands
from chorus.server.services.refreshing import BATCH
from tests.buckets import Buckets
from tests.servers import Bench, TestServer, running
from tests.sources import Sources, at, count, drawn, files


@pytest.fixture(scope="module")
def allowed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("allowed")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, allowed: Path) -> Iterator[TestServer]:
    data_dir = tmp_path_factory.mktemp("sources")
    # What the machine has for other programs must not leak into a source.
    theirs = {"AWS_ACCESS_KEY_ID": "other", "AWS_ENDPOINT": "http://127.0.0.1:9"}
    with running(data_dir, CHORUS_ALLOW_FOLDERS=str(allowed), **theirs) as found:
        yield found


async def test_new_files_come_in_and_nothing_is_deleted(project: Sources, s3: Buckets) -> None:
    s3.make(
        "photos", {**files(40), "day/notes.txt": b"x", "day/bad.png": b"no", "x.png": drawn(99)}
    )
    made = await project.ask("POST", body=at(s3, "photos", name="Photos"))
    assert made["last"] is None
    assert made["next_at"] is None
    source = made["source_id"]

    last = await project.refreshed(source)
    assert last["state"] == "done", last
    assert count(last, "listed", "others", "added", "faulty", "gone", "changed") == [
        41, 1, 40, 1, 0, 0,
    ]  # fmt: skip
    items = await project.items()
    assert sorted(items) == [f"{n:03}.png" for n in range(40)]
    image = await project.get(items["007.png"]["image"])
    assert image.content == drawn(7)  # copied in: served without the source
    faulty = await project.ask("GET", f"/{source}/objects?state=faulty")
    assert [(o["name"], o["reason"][:12]) for o in faulty["objects"]] == [
        ("bad.png", "not an image")
    ]

    # Nothing new: nothing is read again, the bad one neither.
    last = await project.refreshed(source)
    assert count(last, "listed", "total", "added", "faulty") == [41, 0, 0, 0]

    s3.put("photos", "day/040.png", drawn(40))
    s3.put("photos", "day/001.png", drawn(1, size=30))  # another picture
    s3.put("photos", "day/002.png", drawn(2))  # the same once more
    s3.remove("photos", "day/003.png")
    s3.put("photos", "day/bad.png", drawn(41))
    last = await project.refreshed(source)
    assert count(last, "added", "changed", "gone", "faulty") == [2, 1, 1, 0]
    found = (await project.ask("GET", f"/{source}"))["objects"]
    assert found == {"in": 40, "changed": 1, "gone": 1}
    items = await project.items()
    assert len(items) == 42
    for name in ("001.png", "003.png"):  # what came in is kept, as it came in
        assert (await project.get(items[name]["image"])).status_code == 200

    # What was gone and has changed may come back.
    s3.put("photos", "day/003.png", drawn(3))
    s3.put("photos", "day/001.png", drawn(1))
    last = await project.refreshed(source)
    assert count(last, "added", "changed", "gone") == [0, 0, 0]
    assert (await project.ask("GET", f"/{source}"))["objects"] == {"in": 42}

    assert await project.ask("DELETE", f"/{source}") is None
    assert (await project.ask("GET"))["sources"] == []
    assert len(await project.items()) == 42


async def test_what_comes_first_is_from_all_over_a_source(project: Sources, s3: Buckets) -> None:
    s3.make("sorted", files(12 * BATCH - 5))
    source = (await project.ask("POST", body=at(s3, "sorted")))["source_id"]
    assert count(await project.refreshed(source), "added") == [12 * BATCH - 5]
    names = await project.names()
    assert len(set(names)) == len(names) == 12 * BATCH - 5
    runs = [names[0]]
    for before, name in pairwise(names):
        if int(name[:3]) != int(before[:3]) + 1:
            runs.append(name)
    assert len(runs) > 2
    assert runs != sorted(runs)


async def test_a_test_says_plainly_what_is_wrong(project: Sources, s3: Buckets) -> None:
    s3.make("some", files(3))
    s3.make("none", {"day/a.mp4": b"film", "day/b.zip": b"PK"})
    s3.make("empty", {})

    async def said(body: dict[str, Any]) -> str:
        answer = await project.ask("POST", "/test", body)
        assert answer["ok"] == answer["message"].startswith("It works")
        return str(answer["message"])

    assert await said(at(s3, "some")) == "It works: 3 pictures."
    assert await said(at(s3, "nope")) == "There is no bucket nope."
    with s3.strict():
        key = s3.keys["reader"]
        wrong = {**key, "access_key": "AKIAIOSFODNN7EXAMPLE"}
        assert "the access key is not known" in await said(at(s3, "some", credentials=wrong))
        wrong = {**key, "secret_key": "nonsense"}
        assert "does not belong to the access key" in await said(at(s3, "some", credentials=wrong))
        assert await said(at(s3, "some", "stranger")) == (
            "No permission to read the bucket some with these credentials."
        )
    assert "2 files, but none of a known kind" in await said(at(s3, "none"))
    assert "holds nothing" in await said(at(s3, "empty"))
    assert "nothing answers at its address" in await said(
        at(s3, "some", endpoint="http://127.0.0.1:1")
    )
    assert "host name nowhere.invalid is not known" in await said(
        at(s3, "some", endpoint="http://nowhere.invalid")
    )
    s3.make("sloppy", {"day/a//b.png": drawn(1), "day/c.png": drawn(2)})
    assert "must be renamed: 'day/a//b.png'" in await said(at(s3, "sloppy"))
    assert (await project.ask("GET"))["sources"] == []  # a test keeps nothing


async def test_a_schedule_that_finds_the_same_again_leaves_nothing_behind(
    project: Sources, s3: Buckets, server: TestServer
) -> None:
    """Files that may be listed but not read, as in an archive, are tried again at each refresh."""
    s3.make("archive", files(2))

    def put_away(n: int) -> None:
        s3.s3.put_object(
            Bucket="archive", Key=f"day/{n:03}.png", Body=drawn(n), StorageClass="GLACIER"
        )

    def kept() -> tuple[int, int]:
        """Refreshes of the project, and faults of them."""
        of_project = "WHERE kind = 'refresh' AND project_id = ?"
        with sqlite3.connect(server.process.data_dir / "chorus.sqlite", timeout=30) as db:
            (jobs,), (faults,) = (
                db.execute(f"{count} {of_project}", (project.bench.project.project_id,)).fetchone()
                for count in (
                    "SELECT COUNT(*) FROM job", "SELECT COUNT(*) FROM fault NATURAL JOIN job",
                )
            )  # fmt: skip
        db.close()
        return jobs, faults

    async def told() -> list[tuple[str, int, int]]:
        events = project.bench.admin.events(project.bench.project.project_id, 0, follow=False)
        jobs = [e.body["job"] async for e in events if e.type == "import.finished"]
        return [(job["state"], job["added"], job["faulty"]) for job in jobs]

    async def by_schedule(source: str) -> dict[str, Any]:
        """The next refresh, which nobody asks for."""
        last = (await project.ask("GET", f"/{source}"))["last"]
        await project.ask("PATCH", f"/{source}", {"every_minutes": 60})
        found = await project.until(
            source, lambda s: s["last"] != last and s["last"]["state"] != "running"
        )
        return dict(found["last"])

    for n in (2, 3, 4):
        put_away(n)
    source = (await project.ask("POST", body=at(s3, "archive", every_minutes=60)))["source_id"]
    assert count(await project.settled(source), "added", "faulty") == [2, 3]
    for _ in range(2):
        last = await by_schedule(source)
        assert count(last, "state", "added", "faulty") == ["done", 0, 3]
    assert kept() == (1, 3)
    assert await told() == [("done", 2, 3)]
    # Its faults are there to be looked at.
    job = f"/api/projects/{project.bench.project.project_id}/jobs/{last['job_id']}"
    answer = await project.bench.admin.request("GET", job)
    errors = json.loads(answer.content)["errors"]
    assert sorted(e["name"] for e in errors) == ["002.png", "003.png", "004.png"]
    # As many, but not the same; then what somebody has asked for.
    s3.remove("archive", "day/002.png")
    put_away(5)
    await by_schedule(source)
    await by_schedule(source)
    assert (await told())[1:] == [("done", 0, 3)]
    await project.refreshed(source)
    assert (await told())[2:] == [("done", 0, 3)]

    # A place that cannot be reached, and is there again.
    await project.ask("PATCH", f"/{source}", {"endpoint": "http://127.0.0.1:1",
                                              "credentials": s3.keys["reader"]})  # fmt: skip
    await by_schedule(source)
    await by_schedule(source)
    await project.ask("PATCH", f"/{source}", {"endpoint": s3.url,
                                              "credentials": s3.keys["reader"]})  # fmt: skip
    await by_schedule(source)
    assert (await told())[3:] == [("failed", 0, 0), ("done", 0, 3)]

    # What an earlier version has left goes; another source's last stays.
    s3.make("beside", files(1))
    beside = (await project.ask("POST", body=at(s3, "beside")))["source_id"]
    await project.refreshed(beside)
    with sqlite3.connect(server.process.data_dir / "chorus.sqlite", timeout=30) as db:
        for n in range(50):
            db.execute(
                "INSERT INTO job (job_id, project_id, kind, state, progress, attempts, created_at)"
                " VALUES (?, ?, 'refresh', 'done', 1.0, 1, ?)",
                (f"old{n}", project.bench.project.project_id, n),
            )
            db.execute("INSERT INTO fault VALUES (?, 'a.png', 'old')", (f"old{n}",))
    db.close()
    assert kept() == (52, 53)
    await by_schedule(source)
    assert kept() == (2, 3)
    assert (await project.ask("GET", f"/{beside}"))["last"]["state"] == "done"


async def test_what_cannot_be_meant_is_refused(
    project: Sources, s3: Buckets, tmp_path: Path
) -> None:
    ok = at(s3, "some")
    for change, words in (
        ({"url": "http://example.org/x"}, "s3://, gs://, az:// or file://"),
        ({"url": "memory://x"}, "s3://, gs://, az:// or file://"),
        ({"url": "s3://user:pw@bucket/x"}, "no login, password or port"),
        ({"url": "s3://bucket/../other"}, ".."),
        ({"url": "s3://b@d.example.org#x/y"}, "?"),
        ({"credentials": {"access_key": "a"}}, "access_key and secret_key"),
        ({"credentials": {"account_key": "a"}}, "access_key and secret_key"),
        ({"region": "us-east-1.evil.example.org/"}, "region"),
        ({"url": "az://container/x", "account": "evil.example.org/"}, "account"),
        ({"url": "gs://bucket/x", "credentials": {}}, "endpoint"),
        ({"every_minutes": 0}, "every_minutes"),
        ({"mode": "move"}, "mode"),
    ):
        refusal = await project.refused("POST", body={**ok, **change})
        assert refusal.startswith(("bad_value", "bad_message")), (change, refusal)
        assert words in refusal, (change, refusal)
    # Addresses at which machines of clouds find their own credentials.
    for endpoint in (
        "http://169.254.169.254", "http://[fe80::1]", "http://[::ffff:169.254.169.254]",
        "http://100.100.100.200", "http://0.0.0.0:9000", "http://2852039166", "ftp://example.org",
        "http://user:pw@example.org",
    ):  # fmt: skip
        answer = await project.ask("POST", "/test", {**ok, "endpoint": endpoint})
        assert not answer["ok"]
        assert answer["message"].startswith("Endpoint: "), answer
    # Folders of the server: those that its operator allows, and nothing that leads out of them.
    answer = await project.ask("POST", "/test", {"url": f"file://{tmp_path}"})
    assert "not below those that the server's operator allows" in answer["message"]


async def test_a_folder_that_the_operator_allows(
    project: Sources, allowed: Path, tmp_path: Path
) -> None:
    folder = allowed / "mine"
    folder.mkdir()
    for name, data in files(3).items():
        (folder / name.rpartition("/")[2]).write_bytes(data)
    (tmp_path / "secret.png").write_bytes(drawn(50))
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    (allowed / "away").symlink_to(tmp_path)
    answer = await project.ask("POST", "/test", {"url": f"file://{allowed}/away"})
    assert not answer["ok"]
    answer = await project.ask("POST", "/test", {"url": f"file://{allowed}/mine/../../.."})
    assert not answer["ok"]
    made = await project.ask("POST", body={"url": f"file://{folder}"})
    last = await project.refreshed(made["source_id"])
    assert count(last, "added", "listed") == [3, 3]
    (folder / "000.png").unlink()
    (folder / "new.png").write_bytes(drawn(60))
    last = await project.refreshed(made["source_id"])
    assert count(last, "added", "gone", "changed") == [1, 1, 0]


async def test_credentials_go_in_and_never_come_out(
    project: Sources, s3: Buckets, server: TestServer
) -> None:
    s3.make("private", files(2))
    secret = s3.keys["reader"]["secret_key"]
    made = await project.ask("POST", body=at(s3, "private"))
    source = made["source_id"]
    assert made["has_credentials"] is True
    await project.refreshed(source)
    shown = json.dumps([made, await project.ask("GET"), await project.ask("GET", f"/{source}")])
    assert secret not in shown
    assert s3.keys["reader"]["access_key"] not in shown
    kept = server.process.data_dir
    for file in [*kept.glob("chorus.sqlite*"), kept / "server.log"]:
        if file.exists():
            assert secret.encode() not in file.read_bytes()
    assert (kept / "sources.key").stat().st_mode & 0o777 == 0o600

    # Nobody gets them sent to a server of their own.
    refusal = await project.refused("PATCH", f"/{source}", {"endpoint": "http://127.0.0.1:1"})
    assert "enter them again" in refusal
    changed = await project.ask("PATCH", f"/{source}", {"name": "Mine", "every_minutes": None})
    assert (changed["name"], changed["has_credentials"]) == ("Mine", True)
    changed = await project.ask("PATCH", f"/{source}", {"credentials": {}})
    assert changed["has_credentials"] is False
    with s3.strict():
        last = await project.refreshed(source)
    assert (last["state"], last["added"]) == ("failed", 0)
    assert last["error"]
    # A sealed text that is moved to another source does not open there.
    other = (await project.ask("POST", body=at(s3, "private")))["source_id"]
    with sqlite3.connect(kept / "chorus.sqlite", timeout=30) as db:
        db.execute(
            "UPDATE source SET secret = (SELECT secret FROM source WHERE source_id = ?)"
            " WHERE source_id = ?",
            (other, source),
        )
    db.close()
    answer = await project.ask("POST", f"/{source}/test")
    assert "enter them again" in answer["message"]
    assert (await project.ask("POST", f"/{other}/test"))["ok"]


async def test_who_may_what(project: Sources, s3: Buckets) -> None:
    s3.make("roles", files(1))
    source = (await project.ask("POST", body=at(s3, "roles")))["source_id"]
    supervisor = await project.bench.person("supervisor")
    labeler = await project.bench.person("labeler")

    async def status(token: str, method: str, path: str = "", body: Any = None) -> int:
        async with Rest(project.bench.server.url, token) as rest:
            try:
                answer = await rest.request(method, project.root + path, json=body)
                return answer.status_code
            except ApiError as error:
                return error.status

    assert await status(supervisor, "GET") == 200
    assert await status(supervisor, "POST", f"/{source}/refresh") == 202
    await project.settled(source)
    for method, path, body in (
        ("POST", "", at(s3, "roles")), ("POST", "/test", at(s3, "roles")),
        ("PATCH", f"/{source}", {"name": "x"}), ("DELETE", f"/{source}", None),
        ("POST", f"/{source}/test", None),
    ):  # fmt: skip
        assert await status(supervisor, method, path, body) == 403
    for method, path in (("GET", ""), ("GET", f"/{source}"), ("POST", f"/{source}/refresh")):
        assert await status(labeler, method, path) == 403
    # Through another project neither.
    other = Bench(project.bench.server)
    async with other:
        await other.make()
        elsewhere = Sources(other)
        assert (await elsewhere.refused("GET", f"/{source}")).startswith("not_found")
        assert (await elsewhere.refused("POST", f"/{source}/refresh")).startswith("not_found")


async def test_a_refresh_can_be_cancelled(project: Sources) -> None:
    """A server that takes requests and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        body = {"url": "s3://bucket/day", "endpoint": endpoint}
        source = (await project.ask("POST", body=body))["source_id"]
        begun = await project.ask("POST", f"/{source}/refresh")
        assert begun["state"] == "running"
        assert (await project.refused("POST", f"/{source}/refresh")).startswith("conflict")
        assert (await project.refused("DELETE", f"/{source}")).startswith("conflict")
        after = await project.ask("DELETE", f"/{source}/refresh")
        assert after["last"]["state"] == "cancelled"
        assert (await project.refused("DELETE", f"/{source}/refresh")).startswith("not_found")


async def test_texts_come_from_a_bucket_too(bench: Bench, s3: Buckets) -> None:
    bench.project = await bench.admin.create_project(
        "Texts", ["a", "b"], task_type="text-multiclass", prelabel=False
    )
    project = Sources(bench)
    s3.make("words", {f"day/{n}.txt": f"Text number {n}".encode() for n in range(3)})
    refusal = await project.refused("POST", body=at(s3, "words", mode="reference"))
    assert "always copied in" in refusal
    source = (await project.ask("POST", body=at(s3, "words")))["source_id"]
    assert count(await project.refreshed(source), "added") == [3]
    s3.put("words", "day/1.txt", b"Text number 1")
    s3.put("words", "day/2.txt", b"Something else")
    assert count(await project.refreshed(source), "added", "changed") == [0, 1]


async def test_commands_add_test_list_and_refresh(
    bench: Bench, s3: Buckets, tmp_path: Path
) -> None:
    """`chorus source`, in this process, against the server."""
    await bench.make()
    s3.make("by-command", files(3))
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps(s3.keys["reader"]))
    run = CliRunner()
    project = bench.project.project_id
    there = ["--url", bench.server.url, "--token", bench.server.token]

    def call(*words: str) -> tuple[int, str]:
        done = run.invoke(source_commands, [*words, *there])
        return done.exit_code, done.output

    how = ["--endpoint", s3.url, "--credentials", str(keys)]
    code, said = await asyncio.to_thread(call, "add", project, "s3://by-comand/day", *how, "--test")
    assert (code, said) == (1, "There is no bucket by-comand.\n")
    code, said = await asyncio.to_thread(
        call, "add", project, "s3://by-command/day", *how, "--name", "Days"
    )
    assert (code, said.splitlines()[-1]) == (0, "Days: done: 3 added")
    s3.put("by-command", "day/009.png", drawn(9))
    code, said = await asyncio.to_thread(call, "refresh", project, "Days", "--json")
    assert code == 0
    assert json.loads(said.splitlines()[-1])["last"]["added"] == 1
    code, said = await asyncio.to_thread(call, "test", project, "Days")
    assert (code, said) == (0, "It works: 4 pictures.\n")
    code, said = await asyncio.to_thread(call, "list", project)
    assert "s3://by-command/day  on request  done: 1 added" in said
    assert s3.keys["reader"]["secret_key"] not in said
    code, said = await asyncio.to_thread(call, "refresh", project, "Nights")
    assert code == 1
