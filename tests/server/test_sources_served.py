"""Pictures shown from where they lie, and sources that are read by themselves."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import shutil
import sqlite3
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import examples

from chorus.client.process import ServerProcess
from tests.buckets import Buckets, buckets
from tests.servers import Bench, TestServer, running
from tests.sources import Sources, at, count, drawn, files


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestServer]:
    with running(tmp_path_factory.mktemp("served")) as found:
        yield found


def blobs(server: TestServer, content_hash: str) -> list[Path]:
    return list((server.process.data_dir / "blobs").rglob(f"{content_hash}*"))


def forget(server: TestServer) -> None:
    """As if the cache had been full."""
    for folder in (server.process.data_dir / "cache").iterdir():
        if folder.name != ".staging":
            shutil.rmtree(folder)


async def test_pictures_are_shown_from_where_they_lie(
    project: Sources, s3: Buckets, server: TestServer
) -> None:
    ct = examples.get_path("ct").read_bytes()
    s3.make("lying", {**files(5), "day/scan.dcm": ct})
    source = (await project.ask("POST", body=at(s3, "lying", mode="reference")))["source_id"]
    assert count(await project.refreshed(source), "added") == [6]
    items = await project.items()
    hashes = {n: hashlib.sha256(drawn(n)).hexdigest() for n in range(5)}
    assert not any(blobs(server, h) for h in hashes.values())  # nothing has been copied

    async def status(n: int, size: str = "m") -> tuple[int, str]:
        answer = await project.get(items[f"{n:03}.png"]["image"][:-1] + size)
        code = json.loads(answer.content)["error"]["code"] if answer.is_error else ""
        return answer.status_code, code

    for size in ("s", "m"):
        image = await project.get(items["000.png"]["image"][:-1] + size)
        assert image.headers["content-type"] == "image/jpeg"
        assert "immutable" in image.headers["cache-control"]
    assert (await project.get(items["000.png"]["image"][:-1] + "o")).content == drawn(0)
    window = await project.get(items["scan.dcm"]["image"] + "?wc=0&ww=500")
    assert window.headers["content-type"] == "image/jpeg"

    forget(server)
    assert await asyncio.gather(*(status(0) for _ in range(5))) == [(200, "")] * 5
    s3.put("lying", "day/001.png", drawn(101))
    s3.remove("lying", "day/002.png")
    assert await status(1) == (410, "source_changed")  # and not another picture in its place
    assert await status(2) == (410, "source_gone")
    found = (await project.ask("GET", f"/{source}"))["objects"]
    assert found == {"in": 4, "changed": 1, "gone": 1}
    assert count(await project.refreshed(source), "added", "gone") == [0, 0]

    # It may not be removed while it is shown from; copied, it may.
    refusal = await project.refused("DELETE", f"/{source}")
    assert refusal.startswith("conflict: 4 pictures are shown from it")
    await project.ask("PATCH", f"/{source}", {"mode": "copy"})
    refusal = await project.refused("DELETE", f"/{source}")
    assert refusal.startswith("conflict: 4 pictures are not copied yet")
    assert count(await project.refreshed(source), "added", "changed", "gone") == [0, 0, 0]
    forget(server)
    assert blobs(server, hashes[0])
    s3.remove("lying", "day/000.png")
    assert await status(0) == (200, "")
    await project.ask("DELETE", f"/{source}")
    assert await status(3) == (200, "")


async def test_a_source_that_cannot_be_reached(project: Sources, server: TestServer) -> None:
    """… is said to be so, at once the second time; when it is back, all is well."""
    with buckets() as shaky:
        shaky.make("shaky", files(2))
        made = await project.ask("POST", body=at(shaky, "shaky", mode="reference"))
        await project.refreshed(made["source_id"])
        items = await project.items()
        forget(server)
    for _ in range(2):
        answer = await project.get(items["001.png"]["image"])
        assert answer.status_code == 503
        error = json.loads(answer.content)["error"]
        assert (error["code"], error["retry"]) == ("source_unreachable", True)
    last = await project.refreshed(made["source_id"])
    assert last["state"] == "failed"
    assert "nothing answers at its address" in last["error"]
    assert (await project.ask("GET", f"/{made['source_id']}"))["objects"] == {"in": 2}


async def test_the_model_sees_pictures_that_lie_elsewhere(bench: Bench, s3: Buckets) -> None:
    await bench.make(prelabel=True)
    project = Sources(bench)
    s3.make("seen", files(20))
    source = (await project.ask("POST", body=at(s3, "seen", mode="reference")))["source_id"]
    assert count(await project.refreshed(source), "added") == [20]
    watch = await bench.watch()
    await watch.until(lambda s: s.assist.featurized == s.assist.featurize_total == 20)
    # All of them have features, so all were here to be seen.
    answer = await bench.admin.request(
        "GET", f"/api/projects/{bench.project.project_id}/features.zip"
    )
    with zipfile.ZipFile(io.BytesIO(answer.content)) as found:
        assert len(found.read("items.csv").splitlines()) == 21


async def test_a_schedule_outlives_the_server(tmp_path: Path, s3: Buckets) -> None:
    s3.make("daily", files(2))
    process = ServerProcess(tmp_path / "data")
    server = TestServer(process, process.add_user("admin", "Admin", admin=True))
    await process.start()
    try:
        async with Bench(server) as bench:
            await bench.make()
            project = Sources(bench)
            made = await project.ask("POST", body=at(s3, "daily", every_minutes=60))
            source = made["source_id"]
            assert made["next_at"] is not None
            # It begins by itself, and knows when it will again.
            assert count(await project.settled(source), "added") == [2]
            kept = await project.ask("GET", f"/{source}")
            by_hand = (await project.ask("POST", body=at(s3, "daily")))["source_id"]
            await project.refreshed(by_hand)
            assert kept["next_at"] == kept["last"]["started_at"] + 3_600_000

            await server.process.stop()
            s3.put("daily", "day/002.png", drawn(2))
            with sqlite3.connect(tmp_path / "data" / "chorus.sqlite") as db:
                # An hour later; a refresh was under way when the server died.
                db.execute("UPDATE source SET next_at = 1 WHERE every_ms IS NOT NULL")
                db.execute("UPDATE job SET state = 'running' WHERE kind = 'refresh'")
            db.close()
            await server.process.start()
            found = await project.until(
                source, lambda s: s["last"]["state"] == "done" and s["last"]["added"] == 1
            )
            assert found["objects"] == {"in": 3}
            assert found["next_at"] > found["last"]["started_at"]
            assert found["last"]["job_id"] != kept["last"]["job_id"]
            # One without a schedule waits for somebody to ask, and says why.
            last = (await project.ask("GET", f"/{by_hand}"))["last"]
            assert last["state"] == "failed"
            assert "restarted" in last["error"]
            changed = await project.ask("PATCH", f"/{source}", {"every_minutes": None})
            assert changed["next_at"] is None
    finally:
        await process.stop()
