"""The write-ahead log is folded beside the writer, whoever waits, and nothing waits for it."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from chorus.server.storage.checkpoints import Checkpoints
from chorus.server.storage.sqlite import CHECKPOINT_ROWS, SqliteStore, connect
from chorus.server.storage.tx import Tx
from tests.servers import PATIENCE


async def test_what_was_written_is_folded_into_the_database(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "chorus.sqlite", lambda events: None)
    await store.write(lambda tx: tx.db.execute("CREATE TABLE t (n INTEGER)"))
    done = store.checkpoints.done

    def fill(tx: Tx) -> None:
        tx.db.executemany("INSERT INTO t VALUES (?)", ((n,) for n in range(CHECKPOINT_ROWS)))

    await store.write(fill)
    assert await asyncio.to_thread(store.checkpoints.wait, done + 1, PATIENCE)
    # The file alone, without its log.
    shutil.copyfile(tmp_path / "chorus.sqlite", tmp_path / "alone.sqlite")
    with sqlite3.connect(tmp_path / "alone.sqlite") as db:
        assert db.execute("SELECT COUNT(*) FROM t").fetchone() == (CHECKPOINT_ROWS,)
    await store.close()


def test_a_connection_that_cannot_be_opened_is_said_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chorus.server.storage.checkpoints.AGAIN_S", 0.01)
    folder = tmp_path / "unplugged"
    checkpoints = Checkpoints(lambda: connect(folder / "chorus.sqlite"))
    checkpoints.ask()
    assert checkpoints.wait(2, PATIENCE), "it tries again by itself"
    assert checkpoints.failing == "unable to open database file"
    folder.mkdir()
    for _ in range(2):  # the first may have begun before
        checkpoints.ask()
        assert checkpoints.wait(checkpoints.done + 1, PATIENCE)
    checkpoints.stop()
    assert checkpoints.failing is None
    assert [r.message for r in caplog.records] == [
        "the write-ahead log is not folded, tried again: unable to open database file",
        "the write-ahead log is folded again",
    ]


async def test_writes_of_one_step_share_a_commit_and_keep_their_order(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "chorus.sqlite", lambda events: None)
    await store.write(lambda tx: tx.db.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, w INTEGER)"))

    def put(n: int, fails: bool) -> Callable[[Tx], int]:
        def fn(tx: Tx) -> int:
            tx.db.execute("INSERT INTO t (w) VALUES (?)", (n,))
            if fails:
                raise ValueError(n)
            return n

        return fn

    asked = [store.write(put(n, n % 7 == 3)) for n in range(700)]
    assert store.waiting == 700
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert [isinstance(one, ValueError) for one in found] == [n % 7 == 3 for n in range(700)]
    assert store.waiting == 0
    kept = await store.read(lambda tx: tx.rows("SELECT w FROM t ORDER BY n"))
    assert [n for (n,) in kept] == [n for n in range(700) if n % 7 != 3]
    await store.close()
