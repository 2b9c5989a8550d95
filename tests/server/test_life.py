"""A project put away, copied, deleted; and who changed what."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from chorus.client import ApiError, Rest
from chorus.server.storage.tx.deleting import ELSEWHERE, OF_ITEMS, OF_PROJECT
from tests.server.test_changing import send
from tests.server.world import World
from tests.servers import (
    PATIENCE,
    Bench,
    TestServer,
    eventually,
    page_of,
    pictures,
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


async def test_a_clone_has_everything_but_the_labels(bench: Bench, tmp_path: Path) -> None:
    await bench.make(pictures(tmp_path, 6), page_size=6, instructions="How.", votes_max=3)
    await send(bench, "PATCH", "/classes/0", color="#123456", key="2")
    stream = await bench.labeler(credit=1)
    await vote_page(stream, await page_of(stream))
    made = await send(bench, "POST", "/clone", name="Again", items=True)
    assert (made["name"], made["items"], made["state"]) == ("Again", 6, "running")
    assert (made["instructions"], made["votes_max"]) == ("How.", 3)
    assert made["classes"] == (await send(bench, "GET"))["classes"]
    stats = await bench.admin.stats(made["project_id"])
    assert (stats.counts.unlabeled, stats.votes) == (6, 0)


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
