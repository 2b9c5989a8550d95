"""A whole project's life, at random: people, supervisors and the model do all that they can do,
and nothing ever contradicts the facts. (`test_item_life.py` looks at single items closely.)

A failure names its seed, and the deeds up to it.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from itertools import accumulate
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chorus.server.domain.events import Board, apply, blank
from chorus.server.domain.model import OPEN_STATES, User
from chorus.server.domain.values import NONE, parts
from chorus.server.errors import ApiError
from chorus.server.formats.labels.drawn import Drawn, ShapeIn
from chorus.server.formats.labels.rows import Said
from chorus.server.services import (
    checking,
    clusters,
    erasing,
    label_ops,
    landing,
    round_records,
    supervising,
)
from chorus.server.services.accounts import join, leave
from chorus.server.services.assigning import release
from chorus.server.services.choosing import Choice
from chorus.server.services.dashboard import snapshot
from chorus.server.services.detector_run import ShownLimits
from chorus.server.services.label_ops import Nothing, Op, Options, Refused
from chorus.server.services.round_files import Place, Prediction
from chorus.server.storage.tx import Tx
from tests.server.world import CLASSES, SAID, DiskFull, World

CONSENSUS = ("majority", "auto", "one_coin", "dawid_skene")
DEEDS = 60


class Life:
    """Deeds are methods; how often each comes is in `WEIGHTS`."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        least = self.draw.randint(1, 3)
        self.task_type = self.draw.choice(["multiclass", "multiclass", "multilabel", "boxes"])
        self.w = World(
            least, least + self.draw.randint(0, 2), self.draw.randint(1, 2),
            consensus=self.draw.choice(CONSENSUS), gold_rate=self.draw.choice([0, 0.05, 0.3, 0.3]),
            task_type=self.task_type, set_rule=self.draw.choice(["class", "exact"]),
        )  # fmt: skip
        self.w.add(self.draw.choice([9, 20, 40]))
        self.w.add(self.draw.choice([0, 9, 20]), SAID[self.task_type]["0"], gold=True)
        self.mine: list[tuple[str, int, str]] = []
        """(person, item, vote_id) of answers that may be corrected."""
        self.answers = 0
        self.taken: list[int] = []
        self.assigned: list[int] = []
        self.imports = 0
        self.deeds: list[str] = []

    # -- labelers

    def work(self) -> None:
        """One page, most of it, in any order."""
        user, tab = self._person(), self.draw.choice(["t", "t", "t", "u"])
        dealt = self.w.deal(user, self.draw.choice([1, 4, 6, 9, 9]), tab)
        items = [] if dealt.page is None else list(dealt.page["items"])
        self.draw.shuffle(items)
        for item in items[self.draw.random() < 0.2 :]:
            self._answer(user, item["item_id"])
            if self.draw.random() < 0.25:
                self.count()

    def answer_late(self) -> None:
        user = self._person()
        leases = self.w.leases(user)
        self.w.leave(user)
        for lease in leases[:2]:
            self._answer(user, lease.item_id)

    def correct(self) -> None:
        if self.mine:
            user, item_id, old = self.mine.pop(self.draw.randrange(len(self.mine)))
            self._answer(user, item_id, old)

    def leave(self) -> None:
        self.w.leave(self._person(), self.draw.choice(["t", "u"]))

    # -- supervisors

    def decide(self) -> None:
        actions = ["approve", "change", "requeue", "remove", "accept_skip", "undo"]
        action = self.draw.choice(actions)
        self.w.decide(self._item(), action, self._value() if action == "change" else None)

    def mark(self) -> None:
        self.w.mark(self._items(), self.draw.random() < 0.7)

    def prioritize(self) -> None:
        self.w.prioritize(self._items(), self.draw.random() < 0.7)

    def new_rules(self) -> None:
        least = self.draw.randint(1, 3)
        self.w.new_rules(
            self.draw.random() < 0.5, votes_min=least, votes_max=least + self.draw.randint(0, 2),
            skips_max=self.draw.randint(1, 2), consensus=self.draw.choice(CONSENSUS),
        )  # fmt: skip

    def rules_land(self) -> None:
        self.w.follow(self.draw.choice([1, 5, None]))

    def settings(self) -> None:
        self.w.set(
            practice=self.draw.choice([0, 2]), gold_rate=self.draw.choice([0, 0.05, 0.5]),
            prelabel=self.draw.random() < 0.8, cluster=self.draw.random() < 0.8,
        )  # fmt: skip

    def assign(self) -> None:
        some = self.draw.sample(self.w.people, self.draw.randint(1, 2))
        self.assigned.append(
            self.w.assign(
                some, only=self.draw.random() < 0.3, share=self.draw.choice([0.3, 1.0]),
                later=self.draw.random() < 0.5,
            )
        )  # fmt: skip

    def unassign(self) -> None:
        if self.assigned:
            self.w.unassign(self.assigned.pop(self.draw.randrange(len(self.assigned))))

    def practise_again(self) -> None:
        self.w.practise_again(self._person())

    def pause(self) -> None:
        user_id, tx = self._person(), self.w.tx()
        paused = not tx.member_paused("p", user_id)
        supervising.pause(tx, "p", user_id, paused, "boss", self.w.now)
        self.w.commit(tx)

    def take_back(self) -> None:
        since, until = sorted(self.w.now - self.draw.randrange(600_000) for _ in range(2))
        self.taken.append(self.w.take_back(self._person(), since, until))

    def restore(self) -> None:
        if self.taken:
            self.w.undo(self.taken.pop(self.draw.randrange(len(self.taken))))

    def more_items(self) -> None:
        label = self.draw.choice([None, None, SAID[self.task_type]["1"]])
        self.w.add(self.draw.randint(1, 9), label, label is not None and self.draw.random() < 0.5)

    def bring_in(self) -> None:
        """Labels made elsewhere, as any of the three kinds."""
        tx = self.w.tx()
        project = tx.project("p")
        assert project is not None
        self.imports += 1
        options = Options(
            kind=self.draw.choice(["prelabels", "votes", "labels"]),
            existing=self.draw.choice(["keep", "replace"]),
            blind=self.draw.random() < 0.3,
        )
        coming = label_ops.Landing(
            import_id=f"import-{self.imports}", project=project, schema=tx.schema(project),
            classes={c.name: str(n) for n, c in enumerate(CLASSES)}, options=options,
            user_id="boss", now=self.w.now,
        )  # fmt: skip
        users = {u: User(u, u, u.upper(), False, None, 1, self.w.now) for u in self.w.people}
        for item_id in self._items():
            op = Op(
                item_id=item_id, place="a line", value=self._said(), score=0.8,
                labeler=self._person(), created_at=self.draw.randrange(self.w.now),
            )  # fmt: skip
            try:
                label_ops.apply_op(tx, coming, op, users)
            except (Refused, Nothing):
                continue
        self.w.commit(tx)

    def erase(self) -> None:
        """Somebody goes; their work stays. Somebody new comes, so that work goes on."""
        gone = self._person()
        tx = self.w.tx()
        erasing.erase(tx, gone, gone, self.w.now)
        self.w.commit(tx)
        self.w.people.remove(gone)
        self.mine = [one for one in self.mine if one[0] != gone]
        more = True
        while more:
            tx = self.w.tx()
            with patch.object(erasing, "CHUNK", 20):
                more = erasing.land(tx, gone)
            self.w.commit(tx)
        self.w.newcomer(f"n{len(self.deeds)}")

    def come_and_go(self) -> None:
        """A member leaves the project, with what they hold, and comes back."""
        user_id, tx = self._person(), self.w.tx()
        leave(tx, "p", user_id, self.w.now)
        release(tx, "p", user_id, tx.leases_of_user("p", user_id), "returned")
        self.w.commit(tx)
        assert self.w.findings() == []
        tx = self.w.tx()
        user = tx.user(user_id)
        assert user is not None
        join(tx, "p", user, "labeler", self.w.now)
        self.w.commit(tx)

    # -- the model

    def round_lands(self) -> None:
        """Whole, or only some of its chunks."""
        tx = self.w.tx()
        record, _ = round_records.open_round(tx, "p")
        self.w.commit(tx)
        items = self.w.items()
        guesses = {}
        for item in items:
            value, score = self._value(), round(self.draw.uniform(0.4, 0.999), 3)
            probs = None
            if self.task_type == "multiclass":
                probs = f"{value}:{score},{(int(value) + 1) % 3}:{1 - score:.3f}"
            guesses[item.item_id] = Prediction(value, score, probs)
        ids = [i.item_id for i in items if i.state in OPEN_STATES]
        self.draw.shuffle(ids)
        lying = {i: Place(at // 9, at % 9, self.draw.random() / 2) for at, i in enumerate(ids)}
        tx = self.w.tx()
        kept, made = clusters.choose(lying, 9, clusters.gap(tx, "p"))
        limits = landing.Limits({"0": 0.7, "1": 0.9, "2": 0.8, "-": 0.8})
        if self.task_type == "boxes":
            limits = ShownLimits({})
        plan = landing.Plan(
            record.number, limits, self.draw.random() < 0.8,
            guesses, kept, {i: at for at, i in enumerate(ids)}, self.draw.choice([0, 0.2]),
            Choice({i: at for at, i in enumerate(ids[::5])}),
        )  # fmt: skip
        self.w.commit(tx)
        for at in range(0, len(ids), 7):
            if self.draw.random() < 0.9:
                tx = self.w.tx()
                landing.land_chunk(tx, "p", plan, ids[at : at + 7], self.w.now)
                self.w.commit(tx)
        seen = [(i, guesses[i]) for i in guesses if i not in lying]
        tx = self.w.tx()
        landing.land_views(tx, "p", seen, record.number, plan.limits, self.w.now)
        served = {"expected": made.expected, "blocks": made.blocks, "served": made.served}
        state = self.draw.choice(["done", "done", "failed"])
        round_records.finish(tx, record, state, {"clusters": served}, self.w.now)
        self.w.commit(tx)

    def estimate(self) -> None:
        skills = {user: self.draw.uniform(0.3, 0.99) for user in self.w.people}
        self.w.skills_are(skills, self.draw.choice([0.0, 0.7]))

    # -- and time

    def count(self) -> None:
        self.w.count(self.draw.choice([1, 7, 500]), heard=self.draw.random() < 0.5)

    def full_disk(self) -> None:
        """Something that is all undone at its end."""
        deed = self.draw.choice(list(WEIGHTS))
        self.deeds[-1] += f" ({deed.__name__})"
        self.w.disk_full = True
        try:
            deed(self)
        except DiskFull:
            pass
        finally:
            self.w.disk_full = False

    def time_passes(self) -> None:
        self.w.now += self.draw.choice([1000, 60_000, 300_000])

    # --

    def _person(self) -> str:
        return self.draw.choice(self.w.people)

    def _item(self) -> int:
        return self._items(1)[0]

    def _items(self, count: int = 3) -> list[int]:
        return [item.item_id for item in self.draw.sample(self.w.items(), count)]

    def _value(self) -> str:
        return SAID[self.task_type][self.draw.choice(["0", "0", "0", "1", "2"])]

    def _said(self) -> Said:
        """As a file of labels has it."""
        value = self._value()
        if self.task_type != "boxes":
            return [CLASSES[int(part)].name for part in parts(value) if part != NONE]
        shapes = [ShapeIn(name=CLASSES[n].name, box=tuple(at)) for n, *at in json.loads(value)]
        return Drawn(shapes=shapes)

    def _answer(self, user: str, item_id: int, old: str | None = None) -> None:
        self.answers += 1
        self.w.now += self.draw.randrange(3000)
        vote_id = f"vote-{self.answers:06}"
        kind = self.draw.choices(["label", "skip", "flag"], [18, 1, 1])[0]
        value = self._value() if kind == "label" else None
        try:
            self.w.cast(user, item_id, value, kind, old, vote_id)
        except ApiError as error:
            # Settled meanwhile, answered in another tab, or a practice, which is said once.
            assert error.code in ("item_closed", "already_voted", "conflict", "not_found"), error
            return
        self.mine.append((user, item_id, vote_id))

    # -- what holds

    def check(self) -> None:
        assert self.w.findings() == [], self.deeds
        held = [(x.item_id, x.user_id) for u in self.w.people for x in self.w.leases(u)]
        assert len(held) == len(set(held)), "nobody holds an item twice"
        board = snapshot(Tx(self.w.db), "p")
        assert sum(board.queue.values()) == board.open_items


WEIGHTS: dict[Callable[[Life], None], int] = {
    Life.work: 40, Life.answer_late: 4, Life.correct: 8, Life.leave: 5, Life.decide: 10,
    Life.mark: 4, Life.prioritize: 3, Life.new_rules: 2, Life.rules_land: 4, Life.settings: 2,
    Life.assign: 2, Life.unassign: 2, Life.practise_again: 2, Life.pause: 3, Life.take_back: 4,
    Life.restore: 3, Life.more_items: 3, Life.bring_in: 5, Life.erase: 1, Life.come_and_go: 1,
    Life.round_lands: 5, Life.estimate: 3, Life.count: 5, Life.full_disk: 5, Life.time_passes: 5,
}  # fmt: skip


def live(seed: int, deeds: int = DEEDS) -> Life:
    life = Life(seed)
    try:
        whole = list(accumulate(WEIGHTS.values()))
        for deed in life.draw.choices(list(WEIGHTS), cum_weights=whole, k=deeds):
            life.deeds.append(deed.__name__)
            try:
                deed(life)
            except ApiError:  # refused, as it may be
                if life.w.db.in_transaction:
                    life.w.rollback()
            if life.draw.random() < 0.3:
                life.check()
        life.check()
        return life
    finally:
        life.w.close()


@pytest.mark.slow
@settings(max_examples=60)
@given(seed=st.integers(0, 1_000_000))
def test_whatever_happens_nothing_contradicts_the_facts(seed: int) -> None:
    with patch.object(checking, "GAP", 2):
        life = live(seed)
    board: Board = blank("p", "")
    for event in life.w.events:
        assert event.seq == board.seq + 1
        apply(board, event)
