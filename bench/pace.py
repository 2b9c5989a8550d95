"""`python -m bench.pace`: what the measuring of work costs at 500,000 votes.

Makes a database of pages, leases, votes and their events; counts it from the first event, as after
an upgrade; then a page more, as while people work; and reads the dashboard's figures. Times are
those of a processor, so that what else it does meanwhile is not in them.
"""

from __future__ import annotations

import random
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

import msgspec

from chorus.server.domain.model import Item, LabelClass, Project, User
from chorus.server.services import pace
from chorus.server.services.accounts import insert_user, join
from chorus.server.storage.migrations import migrate
from chorus.server.storage.sqlite import connect
from chorus.server.storage.tx import Tx
from chorus.server.storage.tx.base import ITEM, LEASE, marks

ITEMS = 250_000
PEOPLE = 30
SIZE = 9
CLASSES = 10
NOW = 1_700_000_000_000


def fill(db: sqlite3.Connection, items: int) -> int:
    """Every item answered twice, on pages of nine of all kinds; returns the last page_id."""
    rng = random.Random(1)
    tx = Tx(db)
    tx.add_project(
        Project(
            "p", "Large", "", "", "multiclass", 2, 2, 2, "majority", 0.95, SIZE, 600_000, True,
            True, "running", 1, 0, "epoch", NOW, 0, 0,
        )
    )  # fmt: skip
    for c in range(CLASSES):
        tx.add_class("p", c, LabelClass(f"class {c}", "#111111"))
    for n in range(PEOPLE):
        insert_user(tx, User(f"u{n}", f"u{n}", f"Person {n}", False, None, 1, NOW))
        join(tx, "p", tx.user(f"u{n}"), "labeler", NOW)  # type: ignore[arg-type]
    db.executemany(
        f"INSERT INTO item ({ITEM}) VALUES ({marks(len(Item.__struct_fields__))})",
        _items(items, rng),
    )
    page_id, seq = 0, tx.project("p").last_seq  # type: ignore[union-attr]
    for _ in range(2):
        order = list(range(1, items + 1))
        rng.shuffle(order)
        for at in range(0, items, SIZE):
            page_id += 1
            seq = answer(db, page_id, order[at : at + SIZE], seq, rng)
    db.execute("UPDATE project SET last_seq = ?", (seq,))
    return page_id


def _items(items: int, rng: random.Random) -> Iterator[list[Any]]:
    for n in range(1, items + 1):
        label = str(rng.randrange(CLASSES))
        row = Item(
            n, "p", f"{n}.jpg", f"{n:064x}", 8, 8, rng.getrandbits(62), None, "labeled", 0, 2, 0,
            0, 0, 0, True, label, 0.9, 1.0, label, "votes", 1, NOW, None, None, 0, "manual", 0, 0,
            None, None, None, None, None, 0,
        )  # fmt: skip
        yield [int(v) if isinstance(v, bool) else v for v in msgspec.structs.astuple(row)]


def answer(
    db: sqlite3.Connection, page_id: int, items: list[int], seq: int, rng: random.Random
) -> int:
    """One page, answered; returns the seq of its last vote."""
    user = f"u{rng.randrange(PEOPLE)}"
    kind = rng.choice(["manual", "clustered", "prelabeled"])
    number = None if kind == "manual" else 1 + page_id // 2000
    db.execute(
        "INSERT INTO page (page_id, project_id, user_id, tab, kind, size, round, created_at)"
        " VALUES (?,?,?,?,?,?,?,?)",
        (page_id, "p", user, "t", kind, SIZE, number, NOW),
    )
    leases = LEASE.split(", ", 1)[1]
    for pos, item_id in enumerate(items):
        seq += 1
        value, vote_id = str(rng.randrange(CLASSES)), f"vote-{seq:031}"
        db.execute(
            f"INSERT INTO lease ({leases}) VALUES ({marks(leases.count(',') + 1)})",
            ("p", item_id, user, "t", page_id, pos, None, None, None, NOW, NOW, NOW, "voted", 0),
        )
        db.execute(
            f"INSERT INTO vote VALUES ({marks(14)})",
            (vote_id, "p", item_id, user, seq, "label", value, page_id, kind, None, None,
             rng.randrange(300, 6000), None, NOW),
        )  # fmt: skip
        db.execute(
            "INSERT OR REPLACE INTO standing VALUES (?,?,?,?,?,?,?,?)",
            (item_id, user, "p", vote_id, "label", value, None, seq),
        )
        body = {"vote_id": vote_id, "item_id": item_id, "user_id": user, "kind": "label",
                "value": value, "page_kind": kind, "prelabel": None}  # fmt: skip
        db.execute(
            "INSERT INTO event (project_id, seq, type, body, at) VALUES (?,?,?,?,?)",
            ("p", seq, "vote.cast", msgspec.json.encode(body).decode(), NOW),
        )
    return seq


def count(db: sqlite3.Connection) -> list[tuple[float, float]]:
    """The pass to its end: seconds on the reader and on the writer, of each chunk."""
    took: list[tuple[float, float]] = []
    while True:
        began = process_time()
        found = pace.look(Tx(db), "p", pace.CHUNK)
        looked = process_time() - began
        if found is None:
            return took
        db.execute("BEGIN IMMEDIATE")
        began = process_time()
        pace.keep(Tx(db), "p", found, NOW)
        kept = process_time() - began
        db.execute("COMMIT")
        took.append((looked, kept))


def main(items: int = ITEMS) -> None:
    with tempfile.TemporaryDirectory() as folder:
        db = connect(Path(folder) / "large.sqlite")
        db.execute("PRAGMA synchronous=OFF")
        migrate(db)
        db.execute("BEGIN")
        page_id = fill(db, items)
        db.execute("COMMIT")
        print(f"{2 * items:,} votes on {page_id:,} pages")
        took = count(db)
        whole = sum(a + b for a, b in took)
        print(f"from the first event: {whole:.1f} s in {len(took):,} chunks of {pace.CHUNK} events")
        print(f"  a chunk: {1000 * median(a for a, _ in took):.1f} ms on a reader,"
              f" {1000 * median(b for _, b in took):.1f} ms on the writer"
              f" (longest {1000 * max(b for _, b in took):.1f})")  # fmt: skip
        pages = []
        rng = random.Random(2)
        for _ in range(50):
            page_id += 1
            db.execute("BEGIN")
            (seq,) = db.execute("SELECT last_seq FROM project").fetchone()
            seq = answer(db, page_id, rng.sample(range(1, items + 1), SIZE), seq, rng)
            db.execute("UPDATE project SET last_seq = ?", (seq,))
            db.execute("COMMIT")
            pages += count(db)
        print(f"  a page more: {1000 * median(a for a, _ in pages):.2f} ms on a reader,"
              f" {1000 * median(b for _, b in pages):.2f} ms on the writer")  # fmt: skip
        figures = []
        for _ in range(9):
            began = process_time()
            pace.figures(Tx(db), "p")
            figures.append(process_time() - began)
        print(f"  the dashboard's figures: {1000 * median(figures):.1f} ms")
        db.close()


if __name__ == "__main__":
    main()
