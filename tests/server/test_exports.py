"""Exports to keep, over HTTP: of one moment, frozen, by filter, deleted for good."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import re
import resource
import signal
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from chorus.client import Rest
from chorus.client.errors import ApiError
from chorus.client.messages import Export
from chorus.server.domain.filters import Filter
from chorus.server.formats.blobfiles import blob_path
from chorus.server.jobs import runner
from chorus.server.jobs.pool import Pool
from chorus.server.services.exports import Exports, Order
from chorus.server.services.projects import Projects
from chorus.server.services.remerging import Remerging
from chorus.server.storage.sqlite import SqliteStore
from tests.server.world import World
from tests.servers import PATIENCE, Bench, TestServer, finished, page_of, pictures, vote_page

N = 8


async def exported(bench: Bench, format: str, **options: Any) -> Export:
    begun = await bench.admin.begin_export(bench.project.project_id, format, **options)
    return await finished(bench, begun)


async def unzipped(bench: Bench, export: Export) -> dict[str, bytes]:
    """The files of a past export, by name."""
    name = f"exports/{export.export_id}/file"
    async with bench.admin.download(bench.project.project_id, name) as chunks:
        data = b"".join([chunk async for chunk in chunks])
    assert len(data) == export.bytes
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def lines(files: dict[str, bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in files["items.jsonl"].splitlines()]


async def test_a_version_stays_as_it_was(bench: Bench, tmp_path: Path) -> None:
    await bench.make(pictures(tmp_path / "in", N), page_size=4)
    stream = await bench.labeler()
    await vote_page(stream, await page_of(stream))
    first = await exported(bench, "jsonl")
    assert (first.state, first.items, first.labeled, first.votes) == ("done", N, 4, 4)
    assert first.by == "Admin"
    await vote_page(stream, await page_of(stream))
    second = await exported(bench, "jsonl")
    before, after = await unzipped(bench, first), await unzipped(bench, second)
    assert sum(line["label"] is not None for line in lines(before)) == 4
    assert sum(line["label"] is not None for line in lines(after)) == N
    for line in lines(after):
        assert line["name"].startswith(line["label"])
        assert [v["value"] for v in line["votes"]] == [line["label"]]
    # Whether votes made the label or a reviewer did.
    assert {line["source"] for line in lines(after)} == {"votes"}
    assert {line["source"] for line in lines(before) if line["label"] is None} == {None}
    path = f"/api/projects/{bench.project.project_id}/items/{lines(after)[0]['item_id']}/review"
    await bench.admin.request("POST", path, json={"action": "approve"})
    decided, *others = lines(await unzipped(bench, await exported(bench, "jsonl")))
    assert (decided["label"], decided["source"]) == (lines(after)[0]["label"], "review")
    assert {line["source"] for line in others} == {"votes"}
    # What the manifest says of the moment and of the file.
    manifest = json.loads(before["manifest.json"])
    assert manifest == first.manifest
    data = before["items.jsonl"]
    assert manifest["files"] == [
        {"name": "items.jsonl", "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    ]
    assert manifest["seq"] < (second.manifest or {})["seq"]
    assert [c["name"] for c in manifest["classes"]] == ["green", "red"]
    assert manifest["project"]["votes_min"] == 1
    past = await bench.admin.past_exports(bench.project.project_id)
    assert [e.export_id for e in past][1:] == [second.export_id, first.export_id]


async def test_a_filter_and_what_it_finds(bench: Bench, tmp_path: Path) -> None:
    await bench.make(pictures(tmp_path / "in", N), page_size=9)
    stream = await bench.labeler()
    await vote_page(stream, await page_of(stream))
    wanted = {"state": "labeled", "class": "red", "text": "0000"}
    export = await exported(bench, "csv", filter=wanted)
    assert export.filter == wanted
    assert export.items == 4
    rows = (await unzipped(bench, export))["items.csv"].decode().splitlines()[1:]
    assert {row.split(",")[3] for row in rows} == {"red"}
    # Nothing found is an export, too.
    empty = await exported(bench, "coco", filter={"state": "needs_review"})
    assert (empty.state, empty.items) == ("done", 0)
    with pytest.raises(ApiError) as refused:
        await exported(bench, "csv", filter={"class": "blue"})
    assert refused.value.code == "bad_value"


async def test_pseudonyms_are_the_same_in_every_export_and_no_name(
    bench: Bench, tmp_path: Path
) -> None:
    await bench.make(pictures(tmp_path / "in", N), votes_min=2, votes_max=2)
    for _ in range(2):
        stream = await bench.labeler()
        await vote_page(stream, await page_of(stream))
    logins = await exported(bench, "jsonl")
    hidden = [await exported(bench, f, people="pseudonyms") for f in ("jsonl", "csv")]
    named = lines(await unzipped(bench, logins))
    masked = lines(await unzipped(bench, hidden[0]))
    pairs = {
        (a["labeler"], b["labeler"])
        for x, y in zip(named, masked, strict=True)
        for a, b in zip(x["votes"], y["votes"], strict=True)
    }
    assert len(pairs) == 2 == len({b for _, b in pairs})
    votes = (await unzipped(bench, hidden[1]))["votes.csv"].decode()
    for login, pseudonym in pairs:
        assert pseudonym.startswith("person-")
        assert pseudonym in votes
        assert login not in votes


@pytest.mark.parametrize("format", ["label-studio", "imagefolder", "parquet"])
async def test_other_formats_are_made(bench: Bench, tmp_path: Path, format: str) -> None:
    await bench.make(pictures(tmp_path / "in", 3))
    export = await exported(bench, format)
    assert (export.state, export.items) == ("done", 3), export.error
    files = await unzipped(bench, export)
    assert {f["name"] for f in json.loads(files["manifest.json"])["files"]} <= set(files)


async def test_deleted_is_gone(bench: Bench, tmp_path: Path, server: TestServer) -> None:
    await bench.make(pictures(tmp_path / "in", 2))
    export = await exported(bench, "csv")
    folder = server.process.data_dir / "exports" / bench.project.project_id
    assert [path.name for path in folder.iterdir()] == [f"{export.export_id}.zip"]
    await bench.admin.delete_export(bench.project.project_id, export.export_id)
    assert list(folder.iterdir()) == []
    assert await bench.admin.past_exports(bench.project.project_id) == []
    for ask in (
        bench.admin.past_export(bench.project.project_id, export.export_id),
        bench.admin.delete_export(bench.project.project_id, export.export_id),
        unzipped(bench, export),
    ):
        with pytest.raises(ApiError) as error:
            await ask
        assert error.value.code == "not_found"


async def test_who_may(bench: Bench, tmp_path: Path) -> None:
    await bench.make(pictures(tmp_path / "in", 2))
    export = await exported(bench, "csv")
    project_id = bench.project.project_id
    async with Rest(bench.server.url, await bench.person("labeler")) as labeler:
        for method, path in (
            ("GET", "exports"), ("POST", "exports"), ("GET", f"exports/{export.export_id}"),
            ("GET", f"exports/{export.export_id}/file"), ("DELETE", f"exports/{export.export_id}"),
        ):  # fmt: skip
            with pytest.raises(ApiError) as error:
                await labeler.request(method, f"/api/projects/{project_id}/{path}")
            assert error.value.code == "forbidden"
    # An export of another project is not there, whatever one may.
    await bench.make(pictures(tmp_path / "other", 1))
    with pytest.raises(ApiError) as error:
        await unzipped(bench, export)
    assert error.value.code == "not_found"
    with pytest.raises(ApiError) as error:
        await exported(bench, "yolo")
    assert error.value.code == "bad_value"


# -- without a server: what is left on disk


@asynccontextmanager
async def exporting(world: World, tmp_path: Path) -> AsyncIterator[tuple[Exports, Pool, Path]]:
    """The service with a worker of its own, and the folder of the project's exports."""
    store = SqliteStore(world.path, lambda events: None, readers=1)
    pool = Pool(1, 0)
    projects = Projects(store, Remerging(store))
    await projects.load()
    run_job, folder = runner.Runner(pool), tmp_path / "exports"
    exports = Exports(store, projects, run_job, folder, [tmp_path / "blobs"], "secret")
    try:
        yield exports, pool, folder / "p"
    finally:
        await exports.stop()
        await pool.close()
        await store.close()
        world.close()


def ordered() -> Order:
    wanted = Filter(state=None)
    return Order(format="jsonl", wanted=wanted, filter={}, people="logins", content=True)


async def ended(exports: Exports, export_id: str) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE):
        while (await exports.get("p", export_id))["state"] in ("waiting", "running"):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return await exports.get("p", export_id)


def endless(tmp_path: Path) -> World:
    """A text whose file never ends: an export stops at it, with half of it written."""
    world = World(task_type="text-multiclass")
    world.add(1)
    path = blob_path(tmp_path / "blobs", f"{1:064x}", "o")
    path.parent.mkdir(parents=True)
    os.mkfifo(path)
    return world


async def has_come_to(tmp_path: Path) -> int:
    """Wait until a worker reads the endless text; a descriptor that keeps it waiting."""
    path = blob_path(tmp_path / "blobs", f"{1:064x}", "o")
    async with asyncio.timeout(PATIENCE):
        return await asyncio.to_thread(os.open, path, os.O_WRONLY)


async def test_what_did_not_fit_on_the_disk_does_not_stay(tmp_path: Path) -> None:
    world = World()
    world.add(2000)
    async with exporting(world, tmp_path) as (exports, pool, folder):
        most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        await pool.call("resource.setrlimit", resource.RLIMIT_FSIZE, (8192, most))
        begun = await exports.begin("p", "u0", ordered())
        done = await ended(exports, begun["export_id"])
        assert done["state"] == "failed"
        assert "too large" in done["error"]
        assert list(folder.iterdir()) == []


async def test_what_a_killed_worker_was_writing_does_not_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "ATTEMPTS", 1)
    async with exporting(endless(tmp_path), tmp_path) as (exports, _, folder):
        begun = await exports.begin("p", "u0", ordered())
        held = await has_come_to(tmp_path)
        (log,) = folder.glob("*.work/*.log")
        (worker,) = re.findall(r"process (\d+)", log.read_text())
        os.kill(int(worker), signal.SIGKILL)
        assert (await ended(exports, begun["export_id"]))["state"] == "failed"
        os.close(held)
        assert list(folder.iterdir()) == []


async def test_deleted_while_it_is_made_is_gone(tmp_path: Path) -> None:
    async with exporting(endless(tmp_path), tmp_path) as (exports, pool, folder):
        begun = await exports.begin("p", "u0", ordered())
        waits = await exports.begin("p", "u0", ordered())
        held = await has_come_to(tmp_path)
        for export in (waits, begun):
            await exports.delete("p", export["export_id"])
        os.close(held)
        assert list(folder.iterdir()) == []
        assert await exports.list("p") == []
        # The worker has ended, and has not written after all.
        await pool.close()
        assert list(folder.iterdir()) == []
