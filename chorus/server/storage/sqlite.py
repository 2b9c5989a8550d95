"""SQLite: one writer thread with group commit, a few reader threads, WAL, synchronous=FULL.

Why not aiosqlite: it offers no public way to run a whole function on its thread, and one
awaited statement at a time is twenty times slower (docs/decisions/0002-one-writer-thread.md). The
standard library's sqlite3 on a thread of our own is the same thing without the private call.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter, perf_counter_ns
from typing import Any, TypeVar

from chorus.server.domain.model import Event
from chorus.server.domain.values import alike
from chorus.server.errors import ApiError
from chorus.server.geometry import load
from chorus.server.matching import shapes_right
from chorus.server.storage.checkpoints import Checkpoints
from chorus.server.storage.line import Line
from chorus.server.storage.migrations import keep_copy, migrate
from chorus.server.storage.tx import Tx
from chorus.server.storage.tx.known import Known, PageAhead, VoteAhead
from chorus.server.storage.watch import Commit, Watch, Written

log = logging.getLogger(__name__)
T = TypeVar("T")

GATHER_S = 0.02
"""While many write at once, a commit begins so long after the last one's end, or …"""
GATHER_WRITES = 32
"""… as soon as so many wait. A commit costs the same for one page as for five, and pages that
several people's votes change are written once."""
CROWDED = 2.5
"""Many: commits were shared by so many steps of the event loop, on average."""
CHECKPOINT_ROWS = 2000
"""Rows changed (a vote: about ten) after which the log is folded into the database, beside the
writer (storage/checkpoints)."""
AGAIN_S = 2.0
"""How long `persist` waits before it tries again."""
WAL_PAGES = 16_000
"""Pages (64 MB) after which the writer does so itself: by then nearly all are folded, and the log
begins anew. SQLite's own 1,000 would stop it every other commit under load, which costs a third of
all time."""


def connect(path: Path, *, readonly: bool = False) -> sqlite3.Connection:
    # Statements kept prepared: those with lists of any length are many, and not small.
    db = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, timeout=30,
        cached_statements=128 if readonly else 512,
    )  # fmt: skip
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES}")
    db.execute("PRAGMA foreign_keys=ON")
    # In KB. A reader's is small: there are several, and the system keeps the file's pages anyway.
    db.execute(f"PRAGMA cache_size={-16_384 if readonly else -65_536}")
    db.execute("PRAGMA temp_store=MEMORY")
    # People's shapes are never equal, only alike.
    db.create_function("alike", 2, alike, deterministic=True)
    db.create_function("shapes_in", 1, lambda value: len(load(value)), deterministic=True)
    db.create_function("shapes_right", 2, shapes_right, deterministic=True)
    if readonly:
        db.execute("PRAGMA query_only=ON")
    return db


class _Write:
    __slots__ = (
        "ahead", "asked", "began", "context", "ended", "error", "fn", "future", "patience",
        "repeatable", "result",
    )  # fmt: skip

    def __init__(
        self, fn: Callable[[Tx], Any], future: asyncio.Future[Any], context: Any, repeatable: bool,
        ahead: VoteAhead | PageAhead | None = None, patience_s: float = 0.0,
    ) -> None:  # fmt: skip
        self.fn = fn
        self.ahead = ahead
        self.patience = int(patience_s * 1e9)
        self.repeatable = repeatable
        self.future = future
        self.context = context
        self.asked = self.began = self.ended = perf_counter_ns()
        self.result: Any = None
        self.error: BaseException | None = None


class SqliteStore:
    """See `Store`. `publish` is called on the event loop after each commit, in commit order."""

    def __init__(
        self,
        path: Path,
        publish: Callable[[Sequence[Event]], None],
        readers: int = 3,
        watch: Watch | None = None,
    ) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._publish = publish
        self._watch = watch
        self._loop = asyncio.get_running_loop()
        self._db = connect(path)
        keep_copy(self._db, path)
        migrate(self._db)
        self._queue: queue.SimpleQueue[list[_Write] | None] = queue.SimpleQueue()
        self._asked: list[_Write] = []
        """Writes of this step of the event loop: handed to the writer together, at its end. So what
        came in one go shares a commit, and the writer's thread is woken once."""
        self._untold: tuple[list[_Write], list[Event] | None, int] | None = None
        """What `_finish` is to be called with for the last commit (see `_tell`)."""
        self._waiting = 0
        self.checkpoints = Checkpoints(lambda: connect(path))
        self._closed = False
        self._writer = threading.Thread(target=self._write_loop, name="writer", daemon=True)
        self._writer.start()
        self._local = threading.local()
        self._reader_connections: list[sqlite3.Connection] = []
        self._readers = ThreadPoolExecutor(readers, "reader")

    # -- writing

    def write(
        self, fn: Callable[[Tx], T], repeatable: bool = False,
        ahead: VoteAhead | PageAhead | None = None, patience_s: float = 0.0,
    ) -> asyncio.Future[T]:  # fmt: skip
        future: asyncio.Future[T] = self._loop.create_future()
        if self._closed:
            future.set_exception(ApiError("shutting_down", "the server is shutting down"))
        else:
            context = None if self._watch is None else self._watch.context()
            if not self._asked:
                self._loop.call_soon(self._hand_over)
            self._asked.append(_Write(fn, future, context, repeatable, ahead, patience_s))
            self._waiting += 1
        return future

    def _hand_over(self) -> None:
        if self._asked:
            self._queue.put(self._asked)
            self._asked = []

    @property
    def waiting(self) -> int:
        """Writes that wait for the writer, or for their commit."""
        return self._waiting

    async def persist(self, fn: Callable[[Tx], T]) -> T:
        while True:
            try:
                return await self.write(fn)
            except sqlite3.OperationalError as error:
                log.warning("a write is tried again: %s", error)
            await asyncio.sleep(AGAIN_S)

    def _write_loop(self) -> None:
        stop = False
        folded = self._db.total_changes
        line: Line[_Write] = Line()
        ended, crowd = 0.0, 1.0
        while line or not stop:
            asked = 0
            if not line:
                first = self._queue.get()
                if first is None:
                    break
                line.add(first)
                asked = 1
                if crowd >= CROWDED:
                    asked += self._gather(line, ended + GATHER_S)
            # Whatever has piled up while the last commit was being synced shares this one.
            while not stop:
                try:
                    more = self._queue.get_nowait()
                except queue.Empty:
                    break
                if more is None:
                    stop = True
                else:
                    line.add(more)
                    asked += 1
            if asked:
                crowd += (asked - crowd) / 8
            batch = line.take(perf_counter_ns())
            events = self._commit(batch)
            self._tell()
            self._untold = batch, events, perf_counter_ns()
            if not line and self._queue.empty():
                self._tell()
            ended = perf_counter()
            if self._db.total_changes - folded >= CHECKPOINT_ROWS:
                folded = self._db.total_changes
                self.checkpoints.ask()
        self._tell()

    def _tell(self) -> None:
        """What the last commit has kept is told the event loop when the next one comes to where
        SQLite works without Python's lock. The loop has so much to do then that, told at once, it
        and the next commit's functions would each wait for the lock, and nobody while SQLite works.
        """
        if self._untold is not None:
            untold, self._untold = self._untold, None
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is waiting
                self._loop.call_soon_threadsafe(self._finish, *untold)

    def _gather(self, line: Line[_Write], until: float) -> int:
        """Let more writes come, until that time or there are enough; returns how many steps of the
        event loop they came from. Somebody who writes alone, one after the other, never waits here.
        """
        asked = 0
        while self._waiting < GATHER_WRITES and not self._closed:
            left = until - perf_counter()
            if left <= 0:
                break
            try:
                more = self._queue.get(timeout=left)
            except queue.Empty:
                break
            if more is None:
                self._queue.put(None)  # the end, for who asks next
                break
            line.add(more)
            asked += 1
        return asked

    def _commit(self, batch: list[_Write]) -> list[Event] | None:
        """The events of what was kept; None: the commit failed, and nothing was."""
        db = self._db
        events: list[Event] = []
        known = Known()
        try:
            db.execute("BEGIN IMMEDIATE")
            for some in _runs(batch):
                if len(some) == 1 or not self._together(some, known, events):
                    for write in some:
                        self._alone(write, known, events)
            known.store(db)
            self._tell()
            db.execute("COMMIT")
        except Exception as error:
            # Disk full, I/O error …: nobody in this batch may be told that their write is kept.
            log.exception("commit failed")
            with contextlib.suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            for write in batch:
                write.error = write.error or error
            return None
        return events

    def _alone(self, write: _Write, known: Known, events: list[Event]) -> None:
        """Run one write; what it did is undone if it fails."""
        db, before = self._db, dict(known.heads)
        self._tell()
        write.began = perf_counter_ns()
        tx = Tx(db, known)
        db.execute("SAVEPOINT w")
        try:
            write.result = write.fn(tx)
            known.write(db)
        except Exception as error:
            db.execute("ROLLBACK TO w")
            known.back_to(before)
            write.error = _in_words(error)
        else:
            events += tx.events
        db.execute("RELEASE w")
        write.ended = perf_counter_ns()

    def _together(self, some: list[_Write], known: Known, events: list[Event]) -> bool:
        """Run repeatable writes under one savepoint: one of its own for each vote costs a tenth of
        the vote. False: one failed in the middle, and nothing of them is done."""
        db, before = self._db, dict(known.heads)
        told: list[Event] = []
        db.execute("SAVEPOINT w")
        looks = _Look(VoteAhead, Tx.votes_ahead), _Look(PageAhead, Tx.pages_ahead)
        for n, write in enumerate(some):
            due = [look for look in looks if look.due(write, known)]
            if write.ahead is None or (due and n):  # it will read
                self._tell()
            write.began = perf_counter_ns()
            tx, done = Tx(db, known), known.done(db)
            try:
                for look in due:
                    look.ahead(some[n:], tx, known)
            except Exception:  # what was kept back could not be written
                self._undo(some, known, before)
                return False
            try:
                write.result = write.fn(tx)
            except Exception as error:
                if not db.in_transaction:
                    # SQLite has rolled all of it back by itself (a page could not be read): what
                    # came after would be kept statement by statement.
                    raise
                if known.done(db) != done:
                    self._undo(some, known, before)
                    return False
                write.error = _in_words(error)
            else:
                told += tx.events
            write.ended = perf_counter_ns()
        self._tell()
        try:
            known.write(db)
        except Exception:
            self._undo(some, known, before)
            return False
        db.execute("RELEASE w")
        events += told
        return True

    def _undo(self, some: list[_Write], known: Known, heads: dict[str, int]) -> None:
        self._db.execute("ROLLBACK TO w")
        self._db.execute("RELEASE w")
        known.back_to(heads)
        for one in some:
            one.result = one.error = None

    def _finish(self, batch: list[_Write], events: list[Event] | None, kept: int) -> None:
        self._waiting -= len(batch)
        if events:
            self._publish(events)
        if self._watch is not None:
            self._watch.committed(
                Commit(
                    [Written(w.context, w.asked, w.began, w.ended) for w in batch],
                    len(events or ()),
                    batch[-1].ended,
                    kept,
                    perf_counter_ns(),
                    events is None,
                )
            )
        for write in batch:
            if write.future.done():  # the caller was cancelled; the write stands all the same
                continue
            if write.error is not None:
                write.future.set_exception(write.error)
            else:
                write.future.set_result(write.result)

    # -- reading

    def read(self, fn: Callable[[Tx], T]) -> asyncio.Future[T]:
        return asyncio.ensure_future(self._loop.run_in_executor(self._readers, self._read, fn))

    def _read(self, fn: Callable[[Tx], T]) -> T:
        db = getattr(self._local, "db", None)
        if db is None:
            db = self._local.db = connect(self._path, readonly=True)
            self._reader_connections.append(db)
        # One transaction, so that all statements of fn see the same moment.
        db.execute("BEGIN")
        try:
            return fn(Tx(db))
        except (OverflowError, UnicodeEncodeError) as error:
            raise _in_words(error) from None
        finally:
            db.execute("ROLLBACK")

    async def close(self) -> None:
        """Finish what is queued, then close. Later writes are refused as `shutting_down`."""
        self._closed = True
        self._hand_over()
        self._queue.put(None)
        await asyncio.to_thread(self._writer.join)
        await asyncio.to_thread(self.checkpoints.stop)
        await asyncio.sleep(0)  # let the last _finish run
        await asyncio.to_thread(self._readers.shutdown)
        for db in self._reader_connections:
            db.close()
        self._db.close()


class _Look:
    """Looking ahead for the writes of one kind that follow each other: all of them at once, and
    again when what was read is forgotten."""

    def __init__(self, kind: type[Any], read: Callable[[Tx, list[Any]], None]) -> None:
        self._kind = kind
        self._read = read
        self._forgotten: int | None = None
        """How often that had been, when it last looked."""

    def due(self, write: _Write, known: Known) -> bool:
        return isinstance(write.ahead, self._kind) and known.times_forgotten != self._forgotten

    def ahead(self, coming: Sequence[_Write], tx: Tx, known: Known) -> None:
        try:
            self._read(tx, [w.ahead for w in coming if isinstance(w.ahead, self._kind)])
        except (OverflowError, UnicodeEncodeError):
            # Whoever asked for what SQLite cannot hold is told in their turn.
            known.forget()
        self._forgotten = known.times_forgotten


def _runs(batch: list[_Write]) -> list[list[_Write]]:
    """Repeatable writes that follow each other, together; every other one alone."""
    runs: list[list[_Write]] = []
    for write in batch:
        if write.repeatable and runs and runs[-1][-1].repeatable:
            runs[-1].append(write)
        else:
            runs.append([write])
    return runs


def _in_words(error: Exception) -> Exception:
    """What SQLite cannot hold is the asker's mistake, wherever they put it."""
    if isinstance(error, OverflowError):
        return ApiError("bad_value", "a number is too large")
    if isinstance(error, UnicodeEncodeError):
        return ApiError("bad_value", "a text has characters that are none")
    return error
