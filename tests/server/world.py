"""A project in a real SQLite file, driven by the services' own transactions, without network."""

from __future__ import annotations

import sqlite3
import tempfile
import uuid
from collections.abc import Collection, Sequence
from contextlib import closing
from functools import cache
from pathlib import Path

from chorus.server.consensus.estimate import Estimate
from chorus.server.consensus.live import Params, set_params
from chorus.server.domain.assignment import Wanted
from chorus.server.domain.model import Event, Item, LabelClass, Lease, Project, User
from chorus.server.formats.images import Prepared
from chorus.server.services import (
    assigning,
    assignments,
    checking,
    dealing,
    doubting,
    fsck,
    labeling,
    landing,
    practising,
    prioritizing,
    review,
    supervising,
)
from chorus.server.services import pace as counting
from chorus.server.services.accounts import insert_user, join
from chorus.server.services.adding import add_items
from chorus.server.services.background import Heard
from chorus.server.services.bulk import Bulk
from chorus.server.services.labeling import VoteCast
from chorus.server.services.remerging import begin, differing, remerge
from chorus.server.services.round_files import Prediction
from chorus.server.services.supervising import TakeBack
from chorus.server.storage.migrations import migrate
from chorus.server.storage.sqlite import connect
from chorus.server.storage.tx import Tx
from chorus.server.storage.tx.assignments import Assignment

SAID = {
    "multiclass": {"0": "0", "1": "1", "2": "2"},
    "multilabel": {"0": "0,2", "1": "-", "2": "2"},
    "boxes": {
        "0": "[[0,0,0,4,4],[1,4,4,4,4]]",
        "1": "[[0,0,0,4,3],[1,4,4,4,3],[2,0,5,3,3]]",
        "2": "[]",
    },
}
"""What stands for three answers, by task type. Of the boxes the first two agree on two of three."""
CLASSES = [LabelClass("cat", "#111111"), LabelClass("dog", "#222222"), LabelClass("cow", "#333333")]


@cache
def _empty() -> bytes:
    """A database with all tables and nothing in them: to make it takes longer than most tests."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        migrate(db)
        return db.serialize()


class DiskFull(Exception):
    pass


class World:
    """One project `p`; time stands still unless moved."""

    def __init__(
        self,
        votes_min: int = 1,
        votes_max: int = 1,
        skips_max: int = 1,
        people: int = 4,
        consensus: str = "majority",
        gold_rate: float = 0.05,
        task_type: str = "multiclass",
        set_rule: str = "class",
    ) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.path = Path(self._folder.name) / "test.sqlite"
        self.path.write_bytes(_empty())
        self.db: sqlite3.Connection = connect(self.path)
        self.db.execute("PRAGMA synchronous=OFF")
        self.now = 1_000_000
        self.events: list[Event] = []
        self.floors = dealing.Floors()
        self.project_id = "p"
        self.task_type = task_type
        self.people = [f"u{n}" for n in range(people)]
        self._pictures = 0
        self.disk_full = False
        """No commit succeeds: what a deed has done is undone, and it ends with `DiskFull`."""
        tx = self.tx()
        tx.add_project(
            Project(
                "p", "Pets", "", "", task_type, votes_min, votes_max, skips_max, consensus,
                0.95, 9, 600_000, True, True, "running", 7, 0, uuid.uuid4().hex, self.now, 0, 0,
                gold_rate=gold_rate, set_rule=set_rule,
            )
        )  # fmt: skip
        for idx, label_class in enumerate(CLASSES):
            tx.add_class("p", idx, label_class)
        body = {"name": "Pets", "state": "running", "classes": [c.name for c in CLASSES]}
        tx.emit("p", self.now, "project.changed", body)
        for user_id in self.people:
            self._join(tx, user_id)
        self.commit(tx)

    def _join(self, tx: Tx, user_id: str) -> None:
        user = User(user_id, user_id, user_id.upper(), False, None, 1, self.now)
        insert_user(tx, user)
        join(tx, "p", user, "labeler", self.now)

    def newcomer(self, user_id: str) -> None:
        tx = self.tx()
        self._join(tx, user_id)
        self.commit(tx)
        self.people.append(user_id)

    def close(self) -> None:
        self.db.close()
        self._folder.cleanup()

    def tx(self) -> Tx:
        self.db.execute("BEGIN IMMEDIATE")
        return Tx(self.db)

    def commit(self, tx: Tx) -> None:
        if self.disk_full:
            self.rollback()
            raise DiskFull
        self.db.execute("COMMIT")
        self.events += tx.events
        for event in tx.events:
            if event.body.get("reopened"):
                self.floors.reopened("p", event.body["reopened"])  # type: ignore[arg-type]
            if event.type in assigning.REORDERING:
                self.floors.reset("p")

    def rollback(self) -> None:
        self.db.execute("ROLLBACK")

    # -- what people do

    def add(self, count: int, label: str | None = None, gold: bool = False) -> int:
        pictures = []
        for _ in range(count):
            self._pictures += 1
            content = f"{self._pictures:064x}"
            pictures.append(
                (Prepared(f"{self._pictures}.jpg", content, 8, 8, "image/jpeg", 1), label, gold)
            )
        tx = self.tx()
        added = add_items(tx, "p", "admin", pictures, self.now).added
        self.commit(tx)
        return added

    def assign(
        self, people: Sequence[str], *, only: bool = False, text: str = "", share: float = 1.0,
        later: bool = False,
    ) -> int:  # fmt: skip
        """Give items to some people, all at once; the assignment's number."""
        tx = self.tx()
        number = max((a.number for a in tx.assignments("p")), default=0) + 1
        wanted = Wanted(text, share=share, later=later)
        made = Assignment(number, only, wanted, assignments.SPREADING, 0, "admin", self.now)
        tx.put_assignment("p", made)
        tx.set_assignees("p", number, [("person", user_id) for user_id in people])
        self.commit(tx)
        self.spread()
        return number

    def unassign(self, number: int) -> None:
        tx = self.tx()
        found = next(a for a in tx.assignments("p") if a.number == number)
        tx.put_assignment("p", found._replace(state=assignments.ENDING, after_item=0))
        self.commit(tx)
        self.spread()

    def spread(self, limit: int = 7) -> None:
        more = True
        while more:
            tx = self.tx()
            more = assignments.step(tx, "p", limit, self.now)
            self.commit(tx)

    def set(self, **changes: object) -> None:
        tx = self.tx()
        tx.change_project("p", changes)
        self.commit(tx)

    def new_rules(self, at_once: bool, **changes: object) -> None:
        """Items follow within the transaction, or later (`follow`)."""
        tx = self.tx()
        tx.change_project("p", changes)
        if at_once:
            assert not begin(tx, "p", self.now), "more items than one chunk"
        else:
            tx.add_remerge("p")
        self.commit(tx)

    def follow(self, most: int | None = None) -> None:
        """Up to `most` items that do not follow the newest rules yet."""
        _, items = differing(Tx(self.db), "p", 0)
        tx = self.tx()
        remerge(tx, "p", items[:most], self.now)
        if most is None or len(items) <= most:
            project = tx.project("p")
            assert project is not None
            tx.end_remerge("p", project.remerge_due)
        self.commit(tx)

    def practise_again(self, user_id: str) -> None:
        tx = self.tx()
        try:
            practising.again(tx, "p", user_id, "u1")
        except Exception:
            self.rollback()
            raise
        self.commit(tx)

    def count(self, chunk: int = 50, heard: bool = False) -> None:
        """Count what the work costs, up to now. heard: the latest events are at hand."""
        at_hand = Heard()
        for event in self.events:
            at_hand.hear(event)

        def events() -> list[Event]:
            return at_hand.after(Tx(self.db).pace_seq("p"), chunk) if heard else []

        while (found := counting.look(Tx(self.db), "p", chunk, events())) is not None:
            tx = self.tx()
            counting.keep(tx, "p", found, self.now)
            self.commit(tx)

    def deal(
        self, user_id: str, size: int = 4, tab: str = "t", not_yet: Collection[int] = ()
    ) -> dealing.Dealt:
        tx = self.tx()
        floors = self.floors.get("p", user_id)
        dealt = dealing.deal(tx, "p", user_id, tab, size, floors, self.now, not_yet)
        self.commit(tx)
        return dealt

    def cast(
        self,
        user_id: str,
        item_id: int,
        value: str | None,
        kind: str = "label",
        supersedes: str | None = None,
        vote_id: str | None = None,
    ) -> tuple[int, bool]:
        tx = self.tx()
        vote = VoteCast(
            project_id="p",
            vote_id=vote_id or str(uuid.uuid4()),
            item_id=item_id,
            kind=kind,  # type: ignore[arg-type]
            supersedes=supersedes,
        )
        try:
            done = labeling.cast(tx, user_id, user_id.upper(), vote, value, self.now)
        except Exception:
            self.rollback()
            raise
        self.commit(tx)
        return done[0], done[1]

    def decide(self, item_id: int, action: str, value: str | None = None) -> Item:
        tx = self.tx()
        item = tx.item(item_id)
        assert item is not None
        try:
            review.decide(tx, item, "boss", action, value, self.now)
        except Exception:
            self.rollback()
            raise
        self.commit(tx)
        return self.item(item_id)

    def mark(self, item_ids: list[int], gold: bool = True) -> list[int]:
        """Make items gold, or ordinary again; those that are so now."""
        tx = self.tx()
        done, _ = checking.mark(tx, "p", item_ids, gold, "u0", self.now)
        self.commit(tx)
        return done

    def prioritize(self, item_ids: list[int], raised: bool = True) -> None:
        """A supervisor lets items come first, or in their usual order again."""
        tx = self.tx()
        bulk = Bulk("a bulk", "p", "u0", "raise" if raised else "lower")
        prioritizing.change(tx, bulk, item_ids, [None] * len(item_ids))
        self.commit(tx)

    def leave(self, user_id: str, tab: str = "t") -> None:
        tx = self.tx()
        assigning.release(tx, "p", user_id, tx.leases_of_tab("p", user_id, tab), "returned")
        self.commit(tx)

    def estimate(self, params: Params) -> None:
        """A new estimate of everybody's skill lands."""
        tx = self.tx()
        project = tx.project("p")
        assert project is not None
        rev = tx.add_estimate(project, 0, Estimate(params, {}, "a test"), self.now)
        remerge(tx, "p", [i.item_id for i in tx.items_with_votes("p", 0, 10_000)], self.now)
        tx.set_landed("p", rev)
        self.commit(tx)

    def skills_are(self, accuracy: dict[str, float], model_weight: float) -> None:
        """An estimate lands by which people are right so often."""
        params = Params("one_coin", [1 / 3] * 3, accuracy, model_weight=model_weight)
        if self.task_type == "multilabel":
            each = Params("one_coin", [0.7, 0.3], accuracy)
            params = Params("auto", [1 / 3] * 3, sets=set_params([each] * 3))
        self.estimate(params)

    def model_says(self, item_id: int, view: str, value: str | None = None) -> None:
        """A round's view of an item lands; `value`: its answer, if not the likeliest class."""
        tx = self.tx()
        likeliest, _, score = view.partition(",")[0].partition(":")
        guess = Prediction(likeliest if value is None else value, float(score), view)
        landing.land_views(tx, "p", [(item_id, guess)], 1, landing.Limits({}), self.now)
        self.commit(tx)

    def doubt(self) -> int:
        """Others are asked where the model contradicts single votes; about how many items."""
        tx = self.tx()
        asked = doubting.doubt_some(tx, "p", self.now)
        self.commit(tx)
        return asked

    def take_back(self, user_id: str, since: int, until: int) -> int:
        tx = self.tx()
        try:
            which = TakeBack(user_id, since, until)
            done = supervising.take_back(tx, "p", which, "u0", self.now)
        except Exception:
            self.rollback()
            raise
        self.commit(tx)
        return int(done["takeback_id"])

    def undo(self, takeback_id: int) -> None:
        tx = self.tx()
        supervising.undo(tx, "p", takeback_id, self.now)
        self.commit(tx)

    # -- looking

    def leases(self, user_id: str, tab: str = "t") -> list[Lease]:
        return Tx(self.db).leases_of_tab("p", user_id, tab)

    def item(self, item_id: int) -> Item:
        item = Tx(self.db).item(item_id)
        assert item is not None
        return item

    def items(self) -> list[Item]:
        return Tx(self.db).items_in_state("p", None, 0, 10_000)

    def findings(self) -> list[str]:
        return list(fsck.check(Tx(self.db)))
