"""A project put away, copied, deleted; and who changed what."""

from __future__ import annotations

import asyncio
import json
import secrets
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chorus.client import ApiError, Rest
from chorus.client.project_cli import project as project_commands
from chorus.server.storage.tx.deleting import ELSEWHERE, OF_ITEMS, OF_PROJECT
from chorus.simulate.setup import import_pictures
from tests.server.test_changing import send
from tests.server.world import World
from tests.servers import (
    PATIENCE,
    Bench,
    TestServer,
    eventually,
    page_of,
    pictures,
    right,
    running,
    vote_page,
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestServer]:
    with running(tmp_path_factory.mktemp("life")) as found:
        yield found


def test_every_table_of_a_project_is_emptied() -> None:
    world = World()
    try:
        tables = {
            row[0]
            for row in world.db.execute(
                "SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c"
                " WHERE m.type = 'table' AND c.name IN ('project_id', 'item_id')"
            )
        }
    finally:
        world.close()
    # A new table belongs in one of the lists of storage/tx/deleting.py.
    assert tables == {*OF_ITEMS, *OF_PROJECT, *ELSEWHERE}


async def test_an_archived_project_is_read_only_and_comes_back(
    bench: Bench, tmp_path: Path
) -> None:
    await bench.make(pictures(tmp_path, 8), page_size=4)
    token = await bench.person()
    stream = await bench.labeler(token, credit=1)
    page = await page_of(stream)
    supervisor = await bench.person("supervisor")
    await send(bench, "PATCH", state="archived")
    await eventually(stream, lambda: stream.project.state == "archived")
    async with Rest(bench.server.url, token) as person:
        assert await person.projects() == []
    for method, path, body in (
        ("PATCH", "", {"name": "x"}),
        ("POST", "/classes", {"name": "x"}),
        ("POST", "/import", {"folder": str(tmp_path)}),
        ("POST", "/notes", {"text": "x"}),
    ):
        with pytest.raises(ApiError, match="archived"):
            await send(bench, method, path, **body)
    socket = await bench.socket(supervisor)
    for type in ("project.train", "tuning.start"):
        with pytest.raises(ApiError, match="archived"):
            await socket.request(type, {"project_id": bench.project.project_id})
    assist = (await bench.stats()).assist
    assert assist.train_blocked == "the project has been put away"
    assert assist.prelabel_reason == "The project has been put away."
    # What was in hand when it was put away still counts.
    await vote_page(stream, page)
    assert (await bench.stats()).counts.labeled == 4
    async with Rest(bench.server.url, supervisor) as boss:
        assert [p.project_id for p in await boss.projects()] == [bench.project.project_id]
        with pytest.raises(ApiError, match="only an admin"):
            await send(bench, "PATCH", "", boss, state="paused")
    await send(bench, "PATCH", state="running")
    await eventually(stream, lambda: bool(stream.pages))
    changes = (await send(bench, "GET", "/changes"))["changes"]
    assert [c["change"].get("state") for c in changes] == ["running", "archived", "running"]
    assert {c["by"] for c in changes} == {"Admin"}


async def test_a_clone_has_everything_but_the_labels(
    bench: Bench, server: TestServer, tmp_path: Path
) -> None:
    """By the commands that there are for it, which run in this process."""

    def call(*words: str) -> tuple[int, str]:
        there = ["--url", server.url, "--token", server.token]
        done = CliRunner().invoke(project_commands, [*words, *there])
        return done.exit_code, done.stdout

    name = secrets.token_hex(4)
    what = [name, "instructions=How.", "votes_max=3", "page_size=6", "networks=2"]
    code, said = await asyncio.to_thread(call, "add", *what, "--classes", "green, red", "--json")
    assert code == 0, said
    made = json.loads(said)
    bench.project = await bench.admin.project(made["project_id"])
    await import_pictures(bench.admin, made["project_id"], pictures(tmp_path, 6), upload=True)
    await send(bench, "PATCH", "/classes/0", color="#123456", key="2")
    known = (await send(bench, "GET", "/items?limit=1"))["items"][0]
    answer = right(known["name"])
    await bench.admin.review(made["project_id"], known["item_id"], "change", answer)
    stream = await bench.labeler(credit=1)
    await vote_page(stream, await page_of(stream))
    await bench.admin.mark_gold(made["project_id"], [known["item_id"]])
    await bench.admin.note_gold(made["project_id"], known["item_id"], "See its middle.")
    wrong = {"votes_max": "two", "networks": "9", "colour": "red", "votes": "", "": "1"}
    for setting, value in wrong.items():
        code, _ = await asyncio.to_thread(call, "change", name, f"{setting}={value}")
        assert code == 1, setting
    code, _ = await asyncio.to_thread(call, "change", name, "networks=1", "description=Two words")
    assert code == 0

    code, said = await asyncio.to_thread(call, "clone", name, f"{name} again", "--items", "--json")
    assert code == 0
    copy = json.loads(said)
    assert (copy["name"], copy["items"], copy["state"]) == (f"{name} again", 6, "running")
    assert (copy["instructions"], copy["votes_max"], copy["networks"]) == ("How.", 3, 1)
    assert copy["description"] == "Two words"
    assert copy["classes"] == (await send(bench, "GET"))["classes"]
    code, said = await asyncio.to_thread(call, "show", copy["project_id"])
    assert said == f"{name} again runs, 6 items: 5 unlabeled, 1 labeled\n"
    assert (await bench.admin.stats(copy["project_id"])).votes == 0
    # What is said of a gold item to whoever practises comes along.
    db = sqlite3.connect(f"file:{server.process.data_dir}/chorus.sqlite?mode=ro", uri=True)
    notes = db.execute("SELECT text FROM gold_note WHERE project_id = ?", (copy["project_id"],))
    assert notes.fetchall() == [("See its middle.",)]
    db.close()

    assert (await asyncio.to_thread(call, "delete", copy["project_id"], "--name", name))[0] == 1
    assert (await asyncio.to_thread(call, "change", copy["project_id"], "state=archived"))[0] == 0
    code, _ = await asyncio.to_thread(call, "delete", copy["project_id"], "--name", f"{name} again")
    assert code == 0
    code, said = await asyncio.to_thread(call, "list")
    assert f"{made['project_id']}  {name}  multiclass  6 items  running" in said
    assert copy["project_id"] not in said


async def test_deleting_takes_what_no_other_project_has(
    bench: Bench, server: TestServer, tmp_path: Path
) -> None:
    await bench.make(pictures(tmp_path / "both", 4))
    kept = bench.project
    blobs = server.process.data_dir / "blobs"

    def files() -> set[str]:
        return {p.name for p in blobs.rglob("*") if p.is_file()}

    pictures(tmp_path / "both", 3, start=40)
    before = files()
    await bench.make(tmp_path / "both", page_size=4)
    gone = bench.project.project_id
    name = bench.project.name
    stream = await bench.labeler(credit=1)
    await vote_page(stream, await page_of(stream))
    assert len(files()) > len(before)
    with pytest.raises(ApiError, match="only an archived"):
        await send(bench, "DELETE", name=name)
    await send(bench, "PATCH", state="archived")
    with pytest.raises(ApiError, match="type the project's name"):
        await send(bench, "DELETE", name="something else")
    await bench.admin.request("DELETE", f"/api/projects/{gone}", json={"name": name})
    assert gone not in {p.project_id for p in await bench.admin.projects()}
    with pytest.raises(ApiError) as missing:
        await bench.admin.stats(gone)
    assert missing.value.code in ("not_found", "forbidden")
    async with asyncio.timeout(PATIENCE):
        while files() != before:
            assert (await bench.admin.stats(kept.project_id)).counts.unlabeled == 4
