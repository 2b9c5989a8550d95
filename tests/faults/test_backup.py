"""Backups beside a running server: whole, incremental, verified, restored; damage is found."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import closing
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
from chorus.server.lock import serving
from chorus.server.settings import Settings
from chorus.server.storage.backup.making import WHOLE, make
from chorus.server.storage.backup.places import BackupError, FolderPlace, Place, open_place
from chorus.server.storage.backup.restoring import restore
from chorus.server.storage.backup.shelf import PACKED_MOST, Shelf
from chorus.server.storage.backup.snapshots import (
    LIST_BYTES,
    Entry,
    FileList,
    chosen,
    cut,
    entries,
    ids,
    line_of,
    new_id,
    superfluous,
)
from chorus.server.storage.locks import Busy, locked
from chorus.server.storage.migrations import migrate
from chorus.server.storage.sqlite import connect
from chorus.server.storage.tx import Tx
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
    # All that is well is there, and what is not is named.
    partly = tmp_path / "partly"
    done = await chorus("restore", to, "--data-dir", partly, code=1)
    here = lost.relative_to(data)
    assert done["damaged"] == [f"{here.as_posix()}: {thing.relative_to(to).as_posix()} is damaged"]
    assert not (partly / here).exists()
    assert (partly / damaged.relative_to(data)).read_bytes() == kept
    checked = await asyncio.to_thread(CliRunner().invoke, app, ["fsck", "--data-dir", str(partly)])
    assert checked.exit_code == 0, checked.output
    # Of the database nothing may be missing.
    made = msgspec.json.decode((to / "snapshots" / f"{made['snapshot_id']}.json").read_bytes())
    piece = to / "objects" / made["parts"][0][:2] / f"{made['parts'][0]}.z"
    piece.write_bytes(piece.read_bytes()[:-1])
    failed = await chorus("restore", to, "--data-dir", restored, code=1)
    assert "is damaged" in failed["error"]
    assert not (restored / "chorus.sqlite").exists()
    thing.unlink()  # the next backup writes them anew
    piece.unlink()
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


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder without a server."""
    with closing(connect_new(tmp_path / "data")):
        return tmp_path / "data"


def connect_new(folder: Path) -> Any:
    folder.mkdir()
    db = connect(folder / "chorus.sqlite")
    migrate(db)
    return db


def quiet(what: str, done: int, of: int) -> None:
    pass


def write(path: Path, content: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


class Meanwhile:
    """A place where `happens` is called when a large file is about to be copied, up to `times`."""

    def __init__(self, place: Place, happens: Callable[[], object], times: int) -> None:
        self.address, self.flush = place.address, place.flush
        self.get, self.names, self.remove = place.get, place.names, place.remove
        self._place, self._happens, self._left = place, happens, times

    def put(self, name: str, data: bytes | Iterator[bytes]) -> None:
        if not isinstance(data, bytes) and self._left:
            self._left -= 1
            self._happens()
        self._place.put(name, data)


@pytest.mark.parametrize("bucket", [False, True])
@pytest.mark.parametrize("times", [1, 100])
async def test_a_large_file_that_is_being_written(
    data: Path, tmp_path: Path, restored: Path, s3: Buckets, times: int, bucket: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """It is in the backup as it was at one moment, or named as missing; nothing else suffers."""
    to = str(tmp_path / "backups")
    if bucket:
        for name, value in {
            "AWS_ENDPOINT_URL": s3.url, "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y",
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        s3.make(f"growing-{times}", {})
        to = f"s3://growing-{times}/of"
    small = write(data / "drafts/d/files/a")
    large = write(data / "drafts/d/files/b", b"b" * (WHOLE + 1))
    write(data / "drafts/d/files/c", b"c")

    def grows() -> None:
        with large.open("ab") as file:
            file.write(b"more")

    shelf = Shelf(Meanwhile(open_place(to), grows, times))
    made = await asyncio.to_thread(make, data, shelf, 0, False, quiet)
    kept = {"a": small.read_bytes(), "c": b"c"}
    if times == 1:
        kept["b"] = large.read_bytes()
    assert made.missing == ([] if times == 1 else ["drafts/d/files/b"])
    (found,) = (await chorus("backup", "verify", to)).values()
    assert found == []
    await chorus("restore", to, "--data-dir", restored)
    assert files_of(restored / "drafts/d/files") == kept
    if bucket:
        left = s3.s3.list_multipart_uploads(Bucket=f"growing-{times}")
        assert not left.get("Uploads")


def test_a_large_file_that_is_renamed_while_it_is_copied(
    data: Path, tmp_path: Path, restored: Path
) -> None:
    large = write(data / "exports/p/a.zip", b"z" * WHOLE)
    away = Meanwhile(
        FolderPlace(tmp_path / "to"), lambda: large.rename(large.with_name("b.zip")), 1
    )
    shelf = Shelf(away)
    made = make(data, shelf, 0, False, quiet)
    assert made.missing == []
    assert restore(shelf, made, restored, quiet, keep_tokens=False)[1] == []
    assert files_of(restored / "exports") == {"p/a.zip": b"z" * WHOLE}


def test_what_an_export_is_made_of_is_not_in_it(data: Path, tmp_path: Path, restored: Path) -> None:
    write(data / "exports/p/a.zip")
    write(data / "exports/p/b.zip.part")
    write(data / "exports/p/b.work/rows")
    write(data / "drafts/d/files/somebody's.part")
    write(data / "drafts/d/files/somebody's.work/rows")
    shelf = Shelf(FolderPlace(tmp_path / "to"))
    made = make(data, shelf, 0, False, quiet)
    restore(shelf, made, restored, quiet, keep_tokens=False)
    assert files_of(restored / "exports") == {"p/a.zip": b"x"}
    assert files_of(restored / "drafts") == files_of(data / "drafts")
    assert made.missing == []


def test_others_on_the_machine_cannot_look_into_it(data: Path, tmp_path: Path) -> None:
    """It has what the data folder has, and with --with-keys the keys."""
    folder = tmp_path / "new" / "backups"
    make(data, Shelf(FolderPlace(folder)), 0, True, quiet)
    assert folder.stat().st_mode & 0o007 == 0
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)
    make(data, Shelf(FolderPlace(shared)), 0, True, quiet)
    assert shared.stat().st_mode & 0o777 == 0o755, "one that was there is its owner's"


def test_files_of_any_name(data: Path, tmp_path: Path, restored: Path) -> None:
    folder = data / "drafts/d/files"
    for ending in "\r\v\f\x1c\x1d\x1e\x85\u2028\u2029":
        write(folder / f"before{ending}after{ending}")
    write(folder / " with  spaces ")
    write(folder / ("n" * 255))
    kept = files_of(folder)
    write(folder / "two\nlines")
    shelf = Shelf(FolderPlace(tmp_path / "to"))
    for _ in range(2):
        made = make(data, shelf, 0, False, quiet)
        assert made.missing == ["drafts/d/files/two\nlines"], "it cannot be in it, and that is said"
    assert restore(shelf, made, restored, quiet, keep_tokens=False)[1] == []
    assert files_of(restored / "drafts/d/files") == kept


def test_a_folder_of_many_files(data: Path, tmp_path: Path, restored: Path) -> None:
    """Its list is longer than one object may be."""
    deep = data / "drafts/d" / "/".join(["f" * 250] * 12)
    deep.mkdir(parents=True)
    for number in range(LIST_BYTES // 3000 + 1):
        (deep / str(number)).write_bytes(b"x")
    shelf = Shelf(FolderPlace(tmp_path / "to"))
    first = make(data, shelf, 0, False, quiet)
    assert [one.folder for one in first.lists] == ["drafts/d"] * 2
    again = Shelf(FolderPlace(tmp_path / "to"))
    second = make(data, again, 1, False, quiet)
    assert (second.lists, again.new_objects) == (first.lists, 0)
    assert restore(again, second, restored, quiet, keep_tokens=False)[1] == []
    assert files_of(restored / "drafts") == files_of(data / "drafts")


def test_a_long_list_of_an_older_one_is_read(tmp_path: Path) -> None:
    """They were not cut."""
    entry = Entry("a" * 64, 1, 1, "p" * 4000)
    lines = line_of(entry).encode() * (PACKED_MOST // 4000 + 1)
    assert len(lines) > PACKED_MOST
    shelf = Shelf(FolderPlace(tmp_path))
    sha256 = shelf.add_packed(lines)
    shelf.place.flush()
    found = shelf.entries(FileList("drafts/d", 0, 0, sha256))
    assert len(found) * len(line_of(entry)) == len(lines)
    assert set(found) == {entry}


_PATHS = st.text(st.characters(exclude_characters="\0/\n", codec="utf-8"), min_size=3, max_size=40)


@given(st.lists(st.builds(Entry, st.just("a" * 64), st.integers(0), st.integers(), _PATHS)))
def test_lists_are_read_as_they_were_written(found: list[Entry]) -> None:
    lists = list(cut(found, 300))
    assert [entry for kept, _ in lists for entry in kept] == found
    for kept, data in lists:
        assert list(entries(data)) == kept
        assert len(data) <= 300 or len(kept) == 1


async def test_a_damaged_list_ends_no_later_backup(
    data: Path, tmp_path: Path, restored: Path
) -> None:
    to = tmp_path / "to"
    for folder in ("d", "e"):
        write(data / f"drafts/{folder}/files/a", folder.encode())

    def damage(made: Any, folder: str) -> Path:
        found = msgspec.json.decode((to / "snapshots" / f"{made['snapshot_id']}.json").read_bytes())
        (sha256,) = (one["sha256"] for one in found["lists"] if one["folder"] == folder)
        path = to / "objects" / sha256[:2] / f"{sha256}.z"
        path.write_bytes(b"nonsense")
        return path

    made = await chorus("backup", "make", to, "--data-dir", data)
    path = damage(made, "drafts/d")
    done = await chorus("restore", to, "--data-dir", tmp_path / "partly", code=1)
    name = path.relative_to(to).as_posix()
    assert done["damaged"] == [f"1 files of drafts/d: {name} is damaged"]
    assert files_of(tmp_path / "partly/drafts") == {"e/files/a": b"e"}

    made = await chorus("backup", "make", to, "--data-dir", data)
    assert made["unreadable"] == [f"files of drafts/d: {name} is damaged"]
    assert len(await chorus("backup", "verify", to, "--all")) == 2, "the same list is written again"
    # The list has changed since: that of the older backup stays damaged.
    damage(made, "drafts/d")
    write(data / "drafts/d/files/b", b"b")
    objects = {path for path in (to / "objects").rglob("*") if path.is_file()}
    made = await chorus("backup", "make", to, "--data-dir", data, "--keep", "2")
    assert made["unreadable"]
    assert objects <= set((to / "objects").rglob("*")), "what it needs, nobody knows"
    await chorus("backup", "verify", to)
    await chorus("restore", to, "--data-dir", restored)
    assert files_of(restored / "drafts") == files_of(data / "drafts")
    (to / "snapshots" / f"{made['snapshot_id']}.json").write_bytes(b"nonsense")
    said = f"backup {made['snapshot_id']} is damaged: its description is"
    made = await chorus("backup", "make", to, "--data-dir", data)
    assert said in made["unreadable"]
    made = await chorus("backup", "make", to, "--data-dir", data, "--keep", "1")
    assert made["unreadable"] == []
    assert len(await chorus("backup", "verify", to, "--all")) == 1


async def test_a_damaged_description_hides_no_other_backup(data: Path, tmp_path: Path) -> None:
    to = tmp_path / "to"
    made = [await chorus("backup", "make", to, "--data-dir", data) for _ in range(3)]
    first, harmed, last = (one["snapshot_id"] for one in made)
    (to / "snapshots" / f"{harmed}.json").write_bytes(b"nonsense")
    said = f"backup {harmed} is damaged: its description is"
    listed = await chorus("backup", "list", to, code=1)
    assert [one["snapshot_id"] for one in listed] == [first, harmed, last]
    assert [one.get("damaged") for one in listed] == [None, said, None]
    assert listed[2]["files"] == made[2]["files"]
    done = CliRunner().invoke(app, ["backup", "list", str(to)])
    assert (done.exit_code, done.stderr) == (1, f"{said}\n")
    assert [line.split()[0] for line in done.stdout.splitlines()] == [first, last]
    verified = await chorus("backup", "verify", to, "--all", code=1)
    assert verified == {first: [], harmed: [said], last: []}


def test_a_bad_sector_costs_one_file(data: Path, tmp_path: Path, restored: Path) -> None:
    write(data / "drafts/d/files/a", b"a")
    write(data / "drafts/d/files/b", b"b")
    shelf = Shelf(FolderPlace(tmp_path / "to"))
    made = make(data, shelf, 0, False, quiet)
    sha256 = hashlib.sha256(b"a").hexdigest()
    thing = tmp_path / "to/objects" / sha256[:2] / sha256
    thing.unlink()
    thing.symlink_to("/proc/self/mem")  # reading it is an input/output error
    _, damaged = restore(shelf, made, restored, quiet, keep_tokens=False)
    assert [line.partition(":")[0] for line in damaged] == ["drafts/d/files/a"]
    assert files_of(restored / "drafts") == {"d/files/b": b"b"}


def test_nothing_starts_where_a_backup_is_restored(
    data: Path, tmp_path: Path, restored: Path
) -> None:
    shelf = Shelf(FolderPlace(tmp_path / "to"))
    made = make(data, shelf, 0, False, quiet)
    here = ["--data-dir", str(restored)]
    add = ["user", "add", "--login", "ada", "--password", "correct horse", *here]
    tried: list[str] = []

    def others(what: str, done: int, of: int) -> None:
        if tried:
            return
        command = CliRunner().invoke(app, add)
        assert command.exit_code == 1
        tried.append(command.output)
        with pytest.raises(Busy), locked(Settings(data_dir=restored).serving):
            pass
        with pytest.raises(BackupError, match="another restore"):
            restore(shelf, made, restored, quiet, keep_tokens=False)

    restore(shelf, made, restored, others, keep_tokens=False)
    assert "being restored" in tried[0]
    assert CliRunner().invoke(app, add).exit_code == 0


def test_a_restore_begins_beside_no_server(data: Path, tmp_path: Path, restored: Path) -> None:
    shelf = Shelf(FolderPlace(tmp_path / "to"))
    made = make(data, shelf, 0, False, quiet)
    for lock in (locked(Settings(data_dir=restored).serving), serving(restored)):
        with lock, pytest.raises(BackupError, match="stop it"):
            restore(shelf, made, restored, quiet, keep_tokens=False)
    assert not (restored / "chorus.sqlite").exists()
    restore(shelf, made, restored, quiet, keep_tokens=False)


@pytest.mark.parametrize("name", ["chorus.sqlite", "chorus.sqlite-wal", "chorus.sqlite-journal"])
def test_a_database_that_came_meanwhile_stays(
    data: Path, tmp_path: Path, restored: Path, name: str
) -> None:
    """A program of another kind knows no locks."""
    shelf = Shelf(FolderPlace(tmp_path / "to"))
    made = make(data, shelf, 0, False, quiet)

    def comes(what: str, done: int, of: int) -> None:
        write(restored / name, b"another's")

    with pytest.raises(BackupError, match="restore into another folder"):
        restore(shelf, made, restored, comes, keep_tokens=False)
    assert (restored / name).read_bytes() == b"another's"


async def test_pictures_of_instructions_are_missed(data: Path, tmp_path: Path) -> None:
    to = tmp_path / "to"
    picture = b"a picture"
    name = hashlib.sha256(picture).hexdigest()
    with closing(connect(data / "chorus.sqlite")) as db:
        Tx(db).add_prose_picture("p", name, "image/png", 1)
    await chorus("backup", "make", to, "--data-dir", data)
    ((_, findings),) = (await chorus("backup", "verify", to, code=1)).items()
    assert findings == [f"picture or text {name}: not in the backup"]
    write(data / "blobs" / name[:2] / name, picture)
    await chorus("backup", "make", to, "--data-dir", data)
    await chorus("backup", "verify", to)


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
        metrics = await bench.admin.request("GET", "/metrics")
        assert "chorus_backup_timestamp_seconds 0.0" in metrics.text
        assert "the backup to" in small.process.log_tail(1000)
        to.unlink()
        await small.process.stop()
        (small.process.data_dir / "backups.json").unlink()  # it would wait a while
        await small.process.restart(*plan)
        made = await until(lambda found: found["at"] is not None)
        assert (made["error"], made["failing_since"]) == (None, None)
        metrics = await bench.admin.request("GET", "/metrics")
        (told,) = re.findall(r"^chorus_backup_timestamp_seconds (\S+)$", metrics.text, re.M)
        assert float(told) == made["at"] / 1000
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
    assert new_id(1767225600_000, known[1:]) == "20260101T000000Z-3", "newest, though 1 is free"
    assert new_id(1767225601_000, known) == "20260101T000001Z"
    assert superfluous(known, 0) == []
    assert superfluous(known, 1) == known[:1]
    for line in (
        "a" * 64 + " 1 1 ../x",
        "a" * 64 + " 1 1 /etc/passwd",
        "x 1 1 y",
        "a" * 64 + " 1 1",
    ):
        with pytest.raises(BackupError):
            list(entries(line.encode()))


@given(st.integers(0, 1 << 42), st.integers(60_000, 1 << 32), st.integers(0, 1 << 42))
def test_a_clock_that_jumps_delays_no_backup_for_longer_than_a_turn(
    at: int, every: int, now: int
) -> None:
    assert 0 <= wait_ms(Last("x", at), every, now) <= every
    assert wait_ms(Last("x", at, error="full"), every, now) <= every
