"""Backups beside a running server: whole, incremental, verified, restored; damage is found."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from chorus.server.cli import app, mount_others
from chorus.server.domain.backups import Last, every_of, wait_ms
from chorus.server.storage.backup.places import BackupError
from chorus.server.storage.backup.snapshots import chosen, entries, ids, new_id, superfluous
from chorus.server.storage.sqlite import connect
from chorus.simulate import audit
from chorus.simulate.setup import import_pictures
from tests.buckets import Buckets
from tests.faults.test_server_killed import Crew
from tests.servers import (
    PATIENCE,
    Bench,
    TestServer,
    ends_clean,
    page_of,
    pictures,
    running,
    vote_page,
)

pytestmark = [pytest.mark.timeout(240)]
mount_others()


async def chorus(*arguments: str | Path, code: int = 0) -> Any:
    """Run a command with `--json` in this process; what it printed."""
    words = [*map(str, arguments), "--json"]
    done = await asyncio.to_thread(CliRunner().invoke, app, words)
    assert done.exit_code == code, (words, done.output, done.exception)
    return msgspec.json.decode(done.stdout.strip().splitlines()[-1])


@pytest.fixture
def restored(tmp_path: Path) -> Path:
    return tmp_path / "restored"


async def test_beside_a_running_server_nothing_acknowledged_is_missing(
    server: TestServer, tmp_path: Path, restored: Path
) -> None:
    """People vote without pause while a backup is made: it holds all that was acknowledged before
    it began, and what it holds is right by `chorus fsck`."""
    data, to = server.process.data_dir, tmp_path / "backups"
    async with Bench(server) as bench:
        await bench.make(
            pictures(tmp_path / "pictures", 400), page_size=4, votes_min=2, votes_max=3
        )
        crew = Crew()
        streams = [await bench.labeler(credit=2) for _ in range(3)]
        tasks = [asyncio.ensure_future(crew.work(stream)) for stream in streams]
        await crew.until(60)
        before = set(crew.acked)
        first = await chorus("backup", "make", to, "--data-dir", data)
        # By now they may have answered everything.
        after = len(crew.acked)
        more = pictures(tmp_path / "more", 40, start=400)
        await import_pictures(bench.admin, bench.project.project_id, more, upload=False)
        await crew.until(after + 40)
        middle = set(crew.acked)
        second = await chorus("backup", "make", to, "--data-dir", data)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert after > len(before), "nobody waited for the backup"
    assert second["files"] >= first["files"] + 40 >= 440
    assert second["new_objects"] < first["new_objects"], "pictures are written once"
    found = await chorus("backup", "verify", to, "--all")
    assert found == {first["snapshot_id"]: [], second["snapshot_id"]: []}
    assert await chorus("restore", to, "--data-dir", data, code=1)

    await chorus("restore", to, "--data-dir", restored, "--snapshot", first["snapshot_id"])
    assert not (restored / "secret").exists()
    with_all = tmp_path / "newest"
    await chorus("restore", to, "--data-dir", with_all)
    for folder, acked in ((restored, before), (with_all, middle)):
        done = await asyncio.to_thread(CliRunner().invoke, app, ["fsck", "--data-dir", str(folder)])
        assert done.exit_code == 0, done.output
        assert acked <= votes_of(folder) <= crew.acked | votes_of(data)


def votes_of(data_dir: Path) -> set[str]:
    db = connect(data_dir / "chorus.sqlite", readonly=True)
    try:
        return {row[0] for row in db.execute("SELECT vote_id FROM vote")}
    finally:
        db.close()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[TestServer]:
    with running(tmp_path / "data") as server:
        yield server


async def test_people_go_on_with_what_was_restored(
    small: TestServer, tmp_path: Path, restored: Path
) -> None:
    to = tmp_path / "backups"
    async with Bench(small) as bench:
        project = await bench.make(pictures(tmp_path / "pictures", 12), page_size=4)
        stream = await bench.labeler(credit=1)
        await vote_page(stream, await page_of(stream))
        boss = await bench.admin.create_user("boss", "Boss")
        async with httpx.AsyncClient(base_url=small.url, timeout=PATIENCE) as browser:
            await browser.get(await bench.admin.signin_link(boss.user_id))
            cookies = dict(browser.cookies)
            assert (await browser.get("/api/me")).status_code == 200
        link = await bench.admin.signin_link(boss.user_id)
        invitation = {"role": "labeler", "project_id": project.project_id}
        made = await bench.admin.request("POST", "/api/invites", json=invitation)
        assert made.status_code in (200, 201), made.text
        await chorus("backup", "make", to, "--data-dir", small.process.data_dir, "--with-keys")
        await vote_page(stream, await page_of(stream))  # lost: it came after
        events = await bench.admin.request("GET", f"/api/projects/{project.project_id}/events")
        stale = events.json()
    await small.process.stop()
    # Whether tokens and invitations were revoked or used up since, a backup cannot know.
    strict = tmp_path / "strict"
    done = await chorus("restore", to, "--data-dir", strict)
    assert (done["tokens_ended"], done["invitations_ended"]) == (2, 1)
    db = connect(strict / "chorus.sqlite", readonly=True)
    assert not db.execute("SELECT 1 FROM token UNION ALL SELECT 1 FROM invite").fetchall()
    db.close()
    done = await chorus("restore", to, "--data-dir", restored, "--keep-tokens")
    assert (done["tokens_ended"], done["invitations_ended"]) == (0, 0)
    assert (restored / "secret").stat().st_mode & 0o777 == 0o600
    small.process.data_dir = restored
    small.process.log = restored / "server.log"
    await small.process.restart()
    # Sessions and links are void, although the key that signed them is back.
    async with httpx.AsyncClient(base_url=small.url, timeout=PATIENCE, cookies=cookies) as browser:
        assert (await browser.get("/api/me")).status_code == 401
    async with httpx.AsyncClient(base_url=small.url, timeout=PATIENCE) as browser:
        assert (await browser.get(link)).status_code == 403
    async with Bench(small) as bench:
        bench.project = await bench.admin.project(project.project_id)
        stats = await bench.stats()
        assert stats.votes == 4
        assert stats.epoch != stale["epoch"], "open dashboards must load anew"
        stream = await bench.labeler(credit=1)
        page = await page_of(stream)
        picture = await bench.admin.request("GET", page.items[0].image or "")
        assert picture.status_code == 200
        await vote_page(stream, page)
        assert audit.check(await bench.votes(), [], 1, 1).duplicate == 0
    await ends_clean(small)


async def test_damage_is_found_and_a_cut_off_restore_goes_on(
    small: TestServer, tmp_path: Path, restored: Path
) -> None:
    data, to = small.process.data_dir, tmp_path / "backups"
    async with Bench(small) as bench:
        await bench.make(pictures(tmp_path / "pictures", 6), page_size=4)
    lost, damaged, *_ = sorted(p for p in (data / "blobs").rglob("*") if len(p.name) == 64)
    kept = damaged.read_bytes()
    damaged.write_bytes(b"not what its name says")
    made = await chorus("backup", "make", to, "--data-dir", data)
    assert made["missing"] == [damaged.relative_to(data).as_posix()]
    ((one, findings),) = (await chorus("backup", "verify", to, code=1)).items()
    assert findings == [f"picture or text {damaged.name}: not in the backup"]
    damaged.write_bytes(kept)
    made = await chorus("backup", "make", to, "--data-dir", data)
    assert made["missing"] == []
    assert made["snapshot_id"] != one
    await chorus("backup", "verify", to)

    thing = to / "objects" / lost.name[:2] / lost.name
    thing.write_bytes(thing.read_bytes()[:-1])
    ((_, findings),) = (await chorus("backup", "verify", to, code=1)).items()
    assert "is damaged" in findings[0]
    failed = await chorus("restore", to, "--data-dir", restored, code=1)
    assert "is damaged" in failed["error"]
    assert not (restored / "chorus.sqlite").exists()
    thing.unlink()  # the next backup writes it anew
    await chorus("backup", "make", to, "--data-dir", data)
    # The log of a database that was removed by hand: SQLite would play it on the restored one.
    log = restored / "chorus.sqlite-wal"
    log.write_bytes(b"x")
    failed = await chorus("restore", to, "--data-dir", restored, code=1)
    assert f"{log} is left" in failed["error"]
    log.unlink()
    await chorus("restore", to, "--data-dir", restored)
    assert (restored / lost.relative_to(data)).read_bytes() == lost.read_bytes()
    assert not [name for _, _, names in os.walk(restored) for name in names if "restoring" in name]


async def test_old_ones_go_and_take_only_what_no_one_needs(
    small: TestServer, tmp_path: Path
) -> None:
    data, to = small.process.data_dir, tmp_path / "backups"
    async with Bench(small) as bench:
        await bench.make(pictures(tmp_path / "pictures", 6), page_size=4)
        stream = await bench.labeler(credit=1)
        for _ in range(2):
            await chorus("backup", "make", to, "--data-dir", data, "--keep", "2")
            await vote_page(stream, await page_of(stream))
    await small.process.stop()  # nothing is written between this one and the last
    made = await chorus("backup", "make", to, "--data-dir", data, "--keep", "2")
    listed = await chorus("backup", "list", to)
    assert [one["snapshot_id"] for one in listed][-1] == made["snapshot_id"]
    assert len(listed) == 2
    assert len(await chorus("backup", "verify", to, "--all")) == 2
    objects = {p for p in (to / "objects").rglob("*") if p.is_file()}
    await chorus("backup", "make", to, "--data-dir", data, "--keep", "1")
    left = {p for p in (to / "objects").rglob("*") if p.is_file()}
    assert left < objects
    assert len(await chorus("backup", "verify", to, "--all")) == 1


async def test_to_a_bucket(
    small: TestServer, s3: Buckets, tmp_path: Path, restored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.make("backups", {})
    for name, value in {
        "AWS_ENDPOINT_URL": s3.url, "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": s3.keys["owner"]["access_key"],
        "AWS_SECRET_ACCESS_KEY": s3.keys["owner"]["secret_key"],
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    to, data = "s3://backups/of/chorus", small.process.data_dir
    async with Bench(small) as bench:
        await bench.make(pictures(tmp_path / "pictures", 6), page_size=4)
        with s3.strict():
            await chorus("backup", "make", to, "--data-dir", data)
            stream = await bench.labeler(credit=1)
            await vote_page(stream, await page_of(stream))
            second = await chorus("backup", "make", to, "--data-dir", data, "--keep", "1")
            assert await chorus("backup", "verify", to, "--all") == {second["snapshot_id"]: []}
            await chorus("restore", to, "--data-dir", restored)
    assert len(votes_of(restored)) == 4
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with s3.strict():
        failed = await chorus("backup", "make", to, "--data-dir", data, code=1)
    assert "secret key" in failed["error"]
    failed = await chorus("backup", "list", tmp_path / "nothing", code=1)
    assert "no backups" in failed["error"]


async def test_on_a_schedule_and_its_failure_is_seen(
    small: TestServer, tmp_path: Path, restored: Path
) -> None:
    to = tmp_path / "backups"
    to.write_text("a file where the folder should be")
    plan = ("--backup-to", str(to), "--backup-every", "1h")
    await small.process.stop()
    await small.process.restart(*plan)
    async with Bench(small) as bench:
        await bench.make(pictures(tmp_path / "pictures", 6), page_size=4)
        socket = await bench.socket(small.token)
        seen: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

        async def until(wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
            async with asyncio.timeout(PATIENCE):
                while not wanted(found := await seen.get()):
                    pass
            return found

        await socket.subscribe(
            "subscribe",
            lambda: {"topic": "server"},
            lambda frame: seen.put_nowait(msgspec.json.decode(frame.body)["backup"]),
        )
        failed = await until(lambda found: found["error"] is not None)
        assert str(to) in failed["error"]
        assert failed["at"] is None
        assert failed["failing_since"] is not None
        answer = await bench.admin.request("GET", "/api/server")
        assert answer.json()["backup"]["error"] == failed["error"]
        assert "the backup to" in small.process.log_tail(1000)
        to.unlink()
        await small.process.stop()
        (small.process.data_dir / "backups.json").unlink()  # it would wait a while
        await small.process.restart(*plan)
        made = await until(lambda found: found["at"] is not None)
        assert (made["error"], made["failing_since"]) == (None, None)
    await chorus("backup", "verify", to)
    await chorus("restore", to, "--data-dir", restored)


def test_moments_and_names() -> None:
    assert every_of("30m") * 2 == every_of("1h") == every_of("1d") // 24
    for wrong in ("", "0h", "1", "h", "1.5h", "-1h", "1w"):
        with pytest.raises(ValueError, match="how often"):
            every_of(wrong)
    known = ids(
        ["snapshots/20260101T000000Z.json", "snapshots/x.json", "snapshots/20260101T000000Z-2.json"]
    )
    assert known == ["20260101T000000Z", "20260101T000000Z-2"]
    assert chosen(known, None, None) == known[-1]
    assert chosen(known, None, 1767225600_000) == known[-1]
    with pytest.raises(BackupError, match="that time"):
        chosen(known, None, 1767225599_000)
    assert new_id(1767225600_000, known) == "20260101T000000Z-3"
    assert superfluous(known, 0) == []
    assert superfluous(known, 1) == known[:1]
    for line in (
        "a" * 64 + " 1 1 ../x",
        "a" * 64 + " 1 1 /etc/passwd",
        "x 1 1 y",
        "a" * 64 + " 1 1",
    ):
        with pytest.raises(BackupError):
            list(entries(line))


@given(st.integers(0, 1 << 42), st.integers(60_000, 1 << 32), st.integers(0, 1 << 42))
def test_a_clock_that_jumps_delays_no_backup_for_longer_than_a_turn(
    at: int, every: int, now: int
) -> None:
    assert 0 <= wait_ms(Last("x", at), every, now) <= every
    assert wait_ms(Last("x", at, error="full"), every, now) <= every
