"""The disk is full, read-only, or loses what it was to keep: nobody is told that a vote is kept
which is not, everybody waits, and goes on by themselves once there is room. By a shim that is
loaded before the C library (faulty.c)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from chorus.client import ApiError, LabelerStream, Rest
from chorus.client.upload import follow
from chorus.server.formats.blobfiles import blob_path
from chorus.simulate import audit
from tests.faults.shim import Shim, needed
from tests.servers import (
    PATIENCE,
    Bench,
    TestServer,
    ends_clean,
    finished,
    page_of,
    pictures,
    right,
    running,
    vote_page,
)

pytestmark = [pytest.mark.timeout(240)]


@pytest.fixture
def shim(tmp_path: Path) -> Shim:
    needed()
    return Shim(tmp_path / "shim", tmp_path / "data")


@pytest.fixture
def faulty(tmp_path: Path, shim: Shim) -> Iterator[TestServer]:
    with running(tmp_path / "data", **shim.env) as server:
        yield server
        shim.well()


async def until(seen: Callable[[], bool]) -> None:
    """It is another process that does it, and tells nobody."""
    async with asyncio.timeout(PATIENCE):
        while not seen():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def works(stream: LabelerStream) -> None:
    """Until there is nothing for them."""
    while (page := await stream.next_page()) is not None:
        await vote_page(stream, page)


async def hit(shim: Shim, times: int = 1) -> None:
    """Somebody has run into it."""
    before = shim.hits
    await until(lambda: shim.hits >= before + times)


@pytest.mark.parametrize("trouble", [Shim.full, Shim.read_only, Shim.losing])
async def test_votes_wait_and_pages_come_again(
    faulty: TestServer, shim: Shim, tmp_path: Path, trouble: Callable[[Shim], None]
) -> None:
    async with Bench(faulty) as bench:
        await bench.make(pictures(tmp_path / "pictures", 24), page_size=4)
        stream = await bench.labeler(credit=1)
        leaving = await bench.labeler(credit=1)
        coming, looking = await bench.person(), await bench.person("supervisor")
        page = await page_of(stream)
        await page_of(leaving)
        trouble(shim)
        votes = [stream.vote(item, "label", right(item.name)) for item in page.items]
        casts = [asyncio.ensure_future(stream.socket.cast(vote)) for vote in votes]
        await hit(shim)
        # Whoever asks by REST hears of it; who comes now waits; who goes now has gone.
        with pytest.raises(ApiError) as refused:
            await bench.admin.request(
                "POST", f"/api/projects/{bench.project.project_id}/notes", json={"text": "Hello."}
            )
        assert refused.value.retry
        opening = asyncio.ensure_future(bench.labeler(coming, credit=1))
        finishing = asyncio.ensure_future(stream.finish(page))
        await leaving.socket.close()
        await hit(shim, 2)
        assert not any(cast.done() for cast in casts)
        assert not opening.done() or not opening.result().pages
        async with Rest(faulty.url, looking) as supervisor:  # who has not been here before
            assert (await supervisor.stats(bench.project.project_id)).votes == 0
        shim.well()
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*casts, finishing)
            arrived = await opening
            # A page for those for whom none could be dealt; four items wait for the one who left.
            seen = {item.item_id for item in (await page_of(stream)).items}
            await vote_page(stream, await page_of(stream))
            await asyncio.gather(works(stream), works(arrived))
        assert (await bench.stats()).counts.labeled == 20
        assert seen.isdisjoint(item.item_id for item in page.items)
        found = audit.check(await bench.votes(), [vote["vote_id"] for vote in votes], 1, 1)
        assert (found.lost, found.duplicate, found.over) == (0, 0, 0)
    await ends_clean(faulty)


async def test_what_could_not_be_synced_and_then_a_crash(
    faulty: TestServer, shim: Shim, tmp_path: Path
) -> None:
    """A vote whose sync failed may be found after a crash, or not; it is sent again, and is there
    once."""
    async with Bench(faulty) as bench:
        await bench.make(pictures(tmp_path / "pictures", 8), page_size=4)
        stream = await bench.labeler(credit=1)
        page = await page_of(stream)
        shim.losing()
        work = asyncio.ensure_future(vote_page(stream, page))
        await hit(shim)
        faulty.process.kill9()
        shim.well()
        await faulty.process.restart()
        acked = await asyncio.wait_for(work, PATIENCE)
        found = audit.check(await bench.votes(), acked, 1, 1)
        assert (found.lost, found.duplicate, found.stored) == (0, 0, 4)
    await ends_clean(faulty)


async def test_the_clock_is_set(faulty: TestServer, shim: Shim, tmp_path: Path) -> None:
    """By days, forward and back, while people hold pages: they keep them, and go on."""
    async with Bench(faulty) as bench:
        await bench.make(pictures(tmp_path / "pictures", 24), page_size=4)
        stream = await bench.labeler(credit=2)
        for jumps, days in enumerate((2, -2, 0), 1):
            page = await page_of(stream)
            shim.set_clock(days * 86400)
            said = partial(faulty.process.log_tail, 1000)
            await until(lambda: said().count("clock has jumped") >= jumps)  # noqa: B023
            assert page.page_id in stream.pages, "what was in hand stays"
            await vote_page(stream, page)
        assert (await bench.stats()).votes == 12
    await ends_clean(faulty)


async def test_work_behind_the_votes_goes_on_when_there_is_room(
    faulty: TestServer, shim: Shim, tmp_path: Path
) -> None:
    """A take-back that has begun lands after the trouble, without a restart."""
    async with Bench(faulty) as bench:
        await bench.make(pictures(tmp_path / "pictures", 900, size=8), page_size=9)
        token = await bench.person()
        stream = await bench.labeler(token, credit=4)
        for _ in range(100):
            await vote_page(stream, await page_of(stream))
        async with Rest(faulty.url, token) as person:
            user_id = (await person.me()).user_id
        path = f"/api/projects/{bench.project.project_id}/takebacks"
        done = (await bench.admin.request("POST", path, json={"user_id": user_id})).json()
        assert done["pending"]
        shim.full()
        await hit(shim)
        shim.well()
        watch = await bench.watch()
        await asyncio.wait_for(watch.until(lambda s: s.votes == 0 and not s.remerging), PATIENCE)
    await ends_clean(faulty)


async def test_an_export_that_fills_the_disk_ends_as_failed_and_leaves_nothing(
    faulty: TestServer, shim: Shim, tmp_path: Path
) -> None:
    """It says why, once there is room to say it; and the next one is made."""
    async with Bench(faulty) as bench:
        settings = {"task_type": "text-multiclass", "prelabel": False}
        bench.project = await bench.admin.create_project("Texts", ["good", "bad"], **settings)
        project_id, source = bench.project.project_id, tmp_path / "texts.csv"
        source.write_text("id,text\na,A text.\n", encoding="utf-8")
        job = await bench.admin.import_csv(project_id, source)
        await follow(bench.admin, project_id, job, lambda job: None)
        items = (await bench.admin.request("GET", f"/api/projects/{project_id}/items")).json()
        (content,) = (item["text"].split("/")[3] for item in items["items"])
        # The text does not end before it may: so long an export waits in the middle of it.
        blob = blob_path(tmp_path / "data" / "blobs", content, "o")
        text = blob.read_bytes()
        blob.unlink()
        os.mkfifo(blob)
        export = await bench.admin.begin_export(project_id, "jsonl", content=True)
        async with asyncio.timeout(PATIENCE):
            pipe = await asyncio.to_thread(blob.open, "wb", 0)
        shim.full()
        pipe.write(text)
        pipe.close()
        await hit(shim, 4)  # the worker has, and then the server, which would note the end
        blob.unlink()
        blob.write_bytes(text)
        shim.well()
        ended = await finished(bench, export)
        assert (ended.state, ended.bytes) == ("failed", None)
        assert ended.error is not None
        assert "No space left on device" in ended.error
        assert list((tmp_path / "data" / "exports" / project_id).iterdir()) == []
        export = await bench.admin.begin_export(project_id, "jsonl", content=True)
        assert (await finished(bench, export)).state == "done"
    await ends_clean(faulty)
