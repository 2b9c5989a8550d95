"""A data folder of every released schema, with rows that the code of its time wrote, is upgraded:
nothing is lost, what is derived is right, people go on, and it can be undone."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from importlib.resources import files
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chorus.server.cli import app
from chorus.server.lock import serving
from chorus.server.services import fsck
from chorus.server.storage import migrations
from chorus.server.storage.migrations import VERSION
from chorus.server.storage.sqlite import SqliteStore, connect
from chorus.server.storage.tx import Tx
from chorus.simulate.setup import import_pictures
from tests.servers import Bench, TestServer, ends_clean, page_of, pictures, running

RELEASED = Path(__file__).parent / "released"
KEPT = ("vote", "standing", "lease", "page", "person", "member", "label_class", "review", "event")


def made(folder: Path, version: int) -> Path:
    """A data folder as a Chorus of this schema has left it."""
    folder.mkdir()
    path = folder / "chorus.sqlite"
    with closing(connect(path)) as db:
        db.execute("PRAGMA foreign_keys=OFF")
        for number in range(1, version + 1):
            sql = files("chorus.server.storage").joinpath(f"schema_{number}.sql")
            db.executescript(sql.read_text("utf-8"))
        db.executescript((RELEASED / f"schema_{version}.sql").read_text("utf-8"))
        db.execute(f"PRAGMA user_version = {version}")
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    return path


def rows(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Votes whole, of the other tables how many."""
    with closing(sqlite3.connect(path)) as db:
        found = {t: db.execute(f"SELECT COUNT(*) FROM {t}").fetchall() for t in KEPT}
        found["vote"] = db.execute(
            "SELECT vote_id, item_id, user_id, seq, kind, value, created_at FROM vote ORDER BY seq"
        ).fetchall()
        found["item"] = db.execute("SELECT item_id, name, state, label FROM item").fetchall()
    return found


async def opened(path: Path) -> None:
    await SqliteStore(path, lambda events: None, readers=1).close()


def version_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        (version,) = db.execute("PRAGMA user_version").fetchone()
    return int(version)


@pytest.mark.parametrize("version", range(1, VERSION))
async def test_nothing_is_lost_and_it_can_be_undone(tmp_path: Path, version: int) -> None:
    path = made(tmp_path / "data", version)
    before = rows(path)
    assert len(before["vote"]) > 20
    await opened(path)
    assert version_of(path) == VERSION
    assert rows(path) == before
    with closing(connect(path, readonly=True)) as db:
        assert list(fsck.check(Tx(db))) == []
        fresh = connect(tmp_path / "fresh.sqlite")
        migrations.migrate(fresh)
        schema = "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name"
        assert db.execute(schema).fetchall() == fresh.execute(schema).fetchall()
        fresh.close()
    copy = path.with_name(f"chorus.sqlite.before-{VERSION}")
    assert version_of(copy) == version
    assert rows(copy) == before
    await opened(path)
    assert version_of(copy) == version, "an upgraded one is not copied"


@pytest.fixture(params=[1, VERSION - 1])
def upgraded(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[TestServer]:
    made(tmp_path / "data", request.param)
    with running(tmp_path / "data") as server:
        yield server


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_people_go_on_after_it(upgraded: TestServer, tmp_path: Path) -> None:
    before = rows(upgraded.process.data_dir / f"chorus.sqlite.before-{VERSION}")
    ((votes,),) = before["standing"]
    async with Bench(upgraded) as bench:
        bench.project = await bench.admin.project("p")
        assert (await bench.stats()).votes == int(str(votes))
        await import_pictures(bench.admin, "p", pictures(tmp_path / "more", 8), upload=False)
        stream = await bench.labeler(credit=1)
        page = await page_of(stream)
        for item in page.items:
            await stream.cast(item, "label", "cat")
        assert (await bench.stats()).votes > int(str(votes)), "a check among them is no vote"
    await ends_clean(upgraded)


async def test_a_newer_one_is_refused_untouched(tmp_path: Path) -> None:
    path = made(tmp_path / "data", VERSION - 1)
    await opened(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    before = path.read_bytes()
    with pytest.raises(RuntimeError, match="newer"):
        await opened(path)
    for command in (["fsck"], ["serve"], ["user", "list"]):
        arguments = [*command, "--data-dir", str(path.parent)]
        done = await asyncio.to_thread(CliRunner().invoke, app, arguments)
        assert done.exit_code == 1
        assert "newer" in done.output
    assert path.read_bytes() == before


async def test_no_command_upgrades_what_an_older_server_still_writes(tmp_path: Path) -> None:
    path = made(tmp_path / "data", VERSION - 1)
    arguments = ["user", "list", "--data-dir", str(path.parent)]
    with serving(path.parent):
        done = await asyncio.to_thread(CliRunner().invoke, app, arguments)
    assert done.exit_code == 1
    assert "older Chorus runs" in done.output
    assert version_of(path) == VERSION - 1
    done = await asyncio.to_thread(CliRunner().invoke, app, arguments)
    assert done.exit_code == 0, done.output
    assert version_of(path) == VERSION


async def test_an_upgrade_that_was_cut_off_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy stays that of before the first step, whatever the second start finds."""
    path = made(tmp_path / "data", 3)
    before = rows(path)
    monkeypatch.setattr(migrations, "VERSION", 5)
    with closing(connect(path)) as db:
        migrations.keep_copy(db, path)
        migrations.migrate(db)
    copy = path.with_name("chorus.sqlite.before-5")
    copy.rename(path.with_name(f"chorus.sqlite.before-{VERSION}"))
    monkeypatch.undo()
    await opened(path)
    assert version_of(path.with_name(f"chorus.sqlite.before-{VERSION}")) == 3
    assert rows(path) == before
    # It is undone, and done again later: the copy is the newer one.
    path.with_name(f"chorus.sqlite.before-{VERSION}").replace(path)
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    await opened(path)
    await opened(path)
    assert version_of(path.with_name(f"chorus.sqlite.before-{VERSION}")) == 3


async def test_without_room_for_a_copy_nothing_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made(tmp_path / "data", 4)
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(RuntimeError, match="no room"):
        await opened(path)
    assert version_of(path) == 4
