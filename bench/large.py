"""`python -m bench.large [FOLDER]`: the queries of dashboard and review room at 500,000 items.

Makes a database of items with votes in every state (once; a FOLDER that has one is used again),
then times each query on a fresh reader connection and says how SQLite goes about it.
"""

from __future__ import annotations

import random
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

import msgspec

from chorus.server.domain.model import Item, LabelClass, Project, User
from chorus.server.services.accounts import insert_user, join
from chorus.server.storage.migrations import migrate
from chorus.server.storage.sqlite import connect
from chorus.server.storage.tx import Tx
from chorus.server.storage.tx.base import ITEM, marks
from chorus.server.storage.tx.review import Filter

ITEMS = 500_000
CLASSES = 20
PEOPLE = 30
NOW = 1_700_000_000_000
SHARES = {
    "labeled": 0.55, "unlabeled": 0.3, "in_progress": 0.08, "needs_review": 0.05,
    "skipped": 0.015, "removed": 0.005,
}  # fmt: skip
REPEATS = 5


def fill(path: Path, count: int = ITEMS) -> None:
    """A project "p": states as in SHARES, names in folders, standing votes of PEOPLE."""
    db = connect(path)
    db.execute("PRAGMA synchronous=OFF")
    migrate(db)
    rng = random.Random(1)
    db.execute("BEGIN")
    tx = Tx(db)
    tx.add_project(
        Project(
            "p", "Large", "", "", "multiclass", 2, 5, 2, "auto", 0.95, 9, 600_000, True, True,
            "running", 1, 0, "epoch", NOW, 0, 0,
        )
    )  # fmt: skip
    for c in range(CLASSES):
        tx.add_class("p", c, LabelClass(f"class {c}", "#111111"))
    for n in range(PEOPLE):
        insert_user(tx, User(f"u{n}", f"u{n}", f"Person {n}", False, None, 1, NOW))
        join(tx, "p", tx.user(f"u{n}"), "labeler", NOW)  # type: ignore[arg-type]
    states = rng.choices(list(SHARES), list(SHARES.values()), k=count)
    insert = f"INSERT INTO item ({ITEM}) VALUES ({marks(len(Item.__struct_fields__))})"
    vote = f"INSERT INTO vote VALUES ({marks(14)})"
    seq = 0
    for first in range(0, count, 5000):
        items, votes, standing = [], [], []
        for n in range(first, min(count, first + 5000)):
            item = _item(rng, n + 1, states[n])
            items.append(msgspec.structs.astuple(item))
            for user in rng.sample(range(PEOPLE), item.n_labels):
                seq += 1
                shown = item.provisional if item.n_prelabel_votes else None
                value = item.provisional if rng.random() < 0.9 else str(rng.randrange(CLASSES))
                key = f"{seq:036}"
                votes.append(
                    (key, "p", item.item_id, f"u{user}", seq, "label", value, None, "manual",
                     shown, None, 900, None, NOW + seq)
                )  # fmt: skip
                standing.append((item.item_id, f"u{user}", "p", key, "label", value, shown, seq))
        db.executemany(insert, items)
        db.executemany(vote, votes)
        db.executemany("INSERT INTO standing VALUES (?,?,?,?,?,?,?,?)", standing)
    db.execute("COMMIT")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def _item(rng: random.Random, item_id: int, state: str) -> Item:
    votes = {"unlabeled": 0, "in_progress": 1, "needs_review": 5}.get(state, rng.randint(2, 4))
    value = str(rng.randrange(CLASSES)) if votes else None
    labeled = state == "labeled"
    agreement = rng.choice((1.0, 1.0, 1.0, 0.6, 0.5)) if votes else None
    says = rng.random()
    return Item(
        item_id=item_id, project_id="p", name=f"trap-{item_id % 97}/IMG_{item_id:07}.jpg",
        content_hash=f"{item_id:064x}", width=256, height=256, rank=rng.getrandbits(40),
        added_by="u0", state=state, room=int(state in ("unlabeled", "in_progress")),  # type: ignore[arg-type]
        n_labels=votes, n_skips=2 * (state == "skipped"), n_flags=0, n_leases=0,
        n_prelabel_votes=int(votes > 0 and rng.random() < 0.3), reached=int(labeled),  # type: ignore[arg-type]
        provisional=value, confidence=rng.uniform(0.5, 1) if votes else None, agreement=agreement,
        label=value if labeled else None,
        label_source="votes" if labeled else None, revision=int(labeled),
        label_at=NOW + rng.randrange(10**9) if labeled else None,
        review="removed" if state == "removed" else None, review_value=None, requeue_seq=0,
        queue="manual", queue_pos=item_id, queue_block=0, pre_value=None, pre_score=None,
        model_value=(value if says < 0.85 else str(rng.randrange(CLASSES))) if votes else None,
        model_score=says, odd=None, easy_round=0,
    )  # fmt: skip


def questions() -> dict[str, Callable[[Tx], object]]:
    """What a dashboard and a reviewer ask for."""
    start = (None, 0)

    def page(
        wanted: Filter, by_doubt: bool, after: tuple[int | None, int] = start, n: int = 60
    ) -> Callable[[Tx], object]:
        ordered = msgspec.structs.replace(wanted, order="doubt" if by_doubt else "item")
        return lambda tx: tx.review_items("p", ordered, after, n)

    everything = Filter(state=None)
    inbox = Filter(state="needs_review")
    labeled = Filter(state="labeled")
    out: dict[str, Callable[[Tx], object]] = {
        "votes by items": lambda tx: tx.votes_by_items("p"),
        "states": lambda tx: tx.count_states("p"),
        "labels": lambda tx: tx.count_labels("p"),
        "queues": lambda tx: tx.count_queues("p"),
        "inbox": page(inbox, True),
        "inbox, a late page": page(inbox, True, (1000, 400_000), 200),
        "inbox count": lambda tx: tx.count_review_items("p", inbox),
        "skipped": page(Filter(state="skipped"), True),
        "in progress": page(Filter(state="in_progress"), False),
        "labeled": page(labeled, False),
        "labeled, late": page(labeled, False, (None, 450_000), 200),
        "labeled count": lambda tx: tx.count_review_items("p", labeled),
        "labeled by doubt": page(labeled, True),
        "all by doubt, late": page(everything, True, (1200, 400_000), 200),
        "labeled by doubt, late": page(labeled, True, (700, 400_000), 200),
        "all": page(everything, False),
        "all, late": page(everything, False, (None, 450_000), 200),
        "all count": lambda tx: tx.count_review_items("p", everything),
        "all by doubt": page(everything, True),
        "one class": page(Filter(state="labeled", value="3"), False),
        "one class of the inbox": page(Filter(state="needs_review", value="3"), True),
        "one class of all": page(Filter(state=None, value="3"), False),
        "one class count": lambda tx: tx.count_review_items(
            "p", Filter(state="labeled", value="3")
        ),
        "people disagree": page(Filter(state="labeled", disagreement="people"), False),
        "people disagree, count": lambda tx: tx.count_review_items(
            "p", Filter(state="labeled", disagreement="people")
        ),
        "model objects": page(Filter(state="labeled", disagreement="model"), False),
        "model objects, count": lambda tx: tx.count_review_items(
            "p", Filter(state="labeled", disagreement="model")
        ),
        "model objects by doubt": page(Filter(state="labeled", disagreement="model"), True),
        "unsure": page(Filter(state="labeled", confidence_max=0.55), False),
        "unsure count": lambda tx: tx.count_review_items(
            "p", Filter(state="labeled", confidence_max=0.55)
        ),
        "one labeler": page(Filter(state="labeled", labeler="u3"), False),
        "one labeler, count": lambda tx: tx.count_review_items(
            "p", Filter(state="labeled", labeler="u3")
        ),
        "one labeler's inbox": page(Filter(state="needs_review", labeler="u3"), True),
        "a name": page(Filter(state=None, text="IMG_0499999"), False),
        "a name, count": lambda tx: tx.count_review_items(
            "p", Filter(state=None, text="IMG_0499999")
        ),
        "a folder": page(Filter(state=None, text="trap-5/"), False),
        "prelabel changed": page(Filter(state="labeled", prelabel_changed=True), False),
        "prelabel changed, count": lambda tx: tx.count_review_items(
            "p", Filter(state="labeled", prelabel_changed=True)
        ),
        "votes of a page": lambda tx: tx.votes_of_items(list(range(1000, 1200))),
    }
    return out


def plans(db: sqlite3.Connection, ask: Callable[[Tx], object]) -> str:
    """How SQLite goes about the statements of `ask`, as one line."""
    statements: list[str] = []
    db.set_trace_callback(statements.append)
    ask(Tx(db))
    db.set_trace_callback(None)
    steps = [
        row[3]
        for sql in statements
        if sql.startswith("SELECT")
        for row in db.execute(f"EXPLAIN QUERY PLAN {sql}")
    ]
    return "; ".join(dict.fromkeys(steps))


def main(folder: Path) -> None:
    path = folder / f"large-{ITEMS}.sqlite"
    if not path.exists():
        started = perf_counter()
        fill(path)
        print(f"made {path} in {perf_counter() - started:.0f} s")
    db = connect(path)
    migrate(db)
    for name, ask in questions().items():
        took = []
        for _ in range(REPEATS):
            started = perf_counter()
            ask(Tx(db))
            took.append(1000 * (perf_counter() - started))
        print(f"{median(took):9.2f} ms  {name:26} {plans(db, ask)}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory(prefix="chorus-large-") as folder:
            main(Path(folder))
