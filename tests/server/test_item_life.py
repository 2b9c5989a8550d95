"""The life of an item under random work: whatever people do, the invariants of DESIGN hold."""

from __future__ import annotations

from contextlib import suppress
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from chorus.server.domain import doubts
from chorus.server.domain.model import OPEN_STATES, Item, Lease, StandingVote
from chorus.server.domain.queue import MORE_VOTES
from chorus.server.errors import ApiError
from chorus.server.services import checking, practising
from chorus.server.services.dashboard import snapshot
from chorus.server.storage.tx import Tx
from tests.server.world import SAID, World

PEOPLE = st.integers(0, 3)
VALUES = st.sampled_from(["0", "1", "2"])


class ItemLife(RuleBasedStateMachine):
    """Labelers, supervisors and time, on a few items of a project with random rules."""

    world: World | None = None
    taken: list[int] = []  # noqa: RUF012 - set anew by begin()
    checked: list[tuple[str, Lease]] = []  # noqa: RUF012
    task_type = "multiclass"

    @initialize(
        votes=st.tuples(st.integers(1, 3), st.integers(0, 2)),
        skips_max=st.integers(1, 2),
        items=st.integers(1, 6),
        consensus=st.sampled_from(["majority", "auto"]),
        gold=st.integers(0, 4),
        set_rule=st.sampled_from(["class", "exact"]),
    )
    def begin(
        self, votes: tuple[int, int], skips_max: int, items: int, consensus: str, gold: int,
        set_rule: str,
    ) -> None:  # fmt: skip
        self.world = World(
            votes[0], votes[0] + votes[1], skips_max, consensus=consensus, gold_rate=0.5,
            task_type=self.task_type, set_rule=set_rule,
        )  # fmt: skip
        self.world.add(items)
        if gold:
            self.world.add(gold, self.said("1"), gold=True)
        self.taken: list[int] = []
        self.checked = []
        # A few answers later, so that people are asked again what they have answered before.
        self.gap = patch.object(checking, "GAP", 2)
        self.gap.start()
        # Or of so few labels none would ever be doubted.
        self.share = patch.object(doubts, "SHARE", 1.0)
        self.share.start()
        self.assigned: list[int] = []
        self.loosened = False
        """Fewer votes are wanted now than people may have been handed items for."""
        self.late = 0
        """Votes cast on leases that had been taken back: DESIGN keeps them all the same."""

    def said(self, value: str) -> str:
        """An answer as this project stores it."""
        return SAID[self.task_type][value]

    @property
    def w(self) -> World:
        assert self.world is not None
        return self.world

    def teardown(self) -> None:
        if self.world is not None:
            self.gap.stop()
            self.share.stop()
            self.world.close()

    @rule(who=PEOPLE, size=st.sampled_from([1, 4, 6, 9]))
    def get_page(self, who: int, size: int) -> None:
        user = self.w.people[who]
        answered = {
            i.item_id for i in self.w.items() if any(v.user_id == user for v in self.votes(i))
        }
        held = {x.item_id for x in Tx(self.w.db).leases_of_tab("p", user, "t")}
        dealt = self.w.deal(user, size)
        if dealt.page is None:
            gone = all(i.state == "removed" for i in self.w.items())
            reasons = ("no_items", "practice") if gone else ("done", "waiting", "practice")
            assert dealt.reason in reasons
            return
        got = [i["item_id"] for i in dealt.page["items"]]
        assert 1 <= len(got) <= size
        assert len(set(got)) == len(got)
        assert not held & set(got), "nobody gets an item they hold already"
        leases = [x for x in self.w.leases(user) if x.page_id == dealt.page["page_id"]]
        checks = {x.item_id for x in leases if x.blind_check}
        assert not answered & (set(got) - checks), "nobody gets an item they voted on"
        for item_id in checks:
            item = self.w.item(item_id)
            assert item.gold, "only gold is a check"
            assert item.state == "labeled", "and only while it has a label"
        if checks:
            assert dealt.page["kind"] in ("manual", "practice")
        if dealt.page["kind"] == "practice":
            assert checks == set(got)

    @rule(who=PEOPLE, value=VALUES, nth=st.integers(0, 20), kind=st.sampled_from("llllsf"))
    def vote(self, who: int, value: str, nth: int, kind: str) -> None:
        user = self.w.people[who]
        leases = Tx(self.w.db).leases_of_tab("p", user, "t")
        if not leases:
            return
        lease = leases[nth % len(leases)]
        before = self.w.item(lease.item_id)
        name = {"l": "label", "s": "skip", "f": "flag"}[kind]
        self.w.cast(user, lease.item_id, self.said(value) if kind == "l" else None, name)
        if lease.blind_check:
            assert self.w.item(lease.item_id) == before, "an answer on a check changes nothing"
            self.was_checked(user, lease)

    @rule(who=PEOPLE, size=st.sampled_from([4, 9]), values=st.lists(VALUES, min_size=1, max_size=9))
    def work(self, who: int, size: int, values: list[str]) -> None:
        """A page, and answers on what they hold: else little is ever voted, of so many rules."""
        self.get_page(who, size)
        for nth, value in enumerate(values):
            self.vote(who, value, nth, "l")

    @rule(who=PEOPLE, value=VALUES, nth=st.integers(0, 20))
    def vote_late(self, who: int, value: str, nth: int) -> None:
        """The lease ran out while the answer was on its way."""
        user = self.w.people[who]
        leases = Tx(self.w.db).leases_of_tab("p", user, "t")
        if not leases:
            return
        lease = leases[nth % len(leases)]
        self.w.leave(user)
        self.w.cast(user, lease.item_id, self.said(value))
        if lease.blind_check:
            self.was_checked(user, lease)
        else:
            self.late += 1

    def was_checked(self, user: str, lease: Lease) -> None:
        if not practising.is_practice(Tx(self.w.db), lease):
            self.checked.append((user, lease))

    @rule(who=PEOPLE, value=VALUES, nth=st.integers(0, 20))
    def correct(self, who: int, value: str, nth: int) -> None:
        user = self.w.people[who]
        mine = [v for i in self.w.items() for v in self.votes(i) if v.user_id == user]
        if not mine:
            return
        old = mine[nth % len(mine)]
        before = len(self.votes(self.w.item(old.item_id)))
        try:
            self.w.cast(user, old.item_id, self.said(value), supersedes=old.vote_id)
        except ApiError as error:
            assert error.code == "item_closed"
            assert self.w.item(old.item_id).review in ("decided", "removed")
            return
        assert len(self.votes(self.w.item(old.item_id))) == before, "a correction adds no vote"

    @precondition(lambda self: self.checked)
    @rule(nth=st.integers(0, 20), value=VALUES)
    def correct_check(self, nth: int, value: str) -> None:
        user, lease = self.checked[nth % len(self.checked)]
        old = Tx(self.w.db).check_answer(lease.item_id, user, lease.page_id)
        value = self.said(value)
        assert old is not None
        before = self.w.item(lease.item_id)
        seq, _ = self.w.cast(user, lease.item_id, value, supersedes=old[0])
        new = Tx(self.w.db).check_answer(lease.item_id, user, lease.page_id)
        assert new is not None
        assert new[1:] == ("label", value)
        assert self.w.item(lease.item_id) == before
        again = self.w.cast(user, lease.item_id, value, vote_id=new[0])
        assert again == (seq, True), "the browser sends it again"
        try:
            self.w.cast(user, lease.item_id, value, supersedes=old[0])
        except ApiError as error:
            assert error.code == "conflict"
        else:
            raise AssertionError("an answer was corrected twice")

    @rule(nth=st.integers(0, 20), gold=st.booleans())
    def mark_gold(self, nth: int, gold: bool) -> None:
        items = self.w.items()
        item = items[nth % len(items)]
        done = self.w.mark([item.item_id], gold)
        assert done == ([item.item_id] if not gold or item.state == "labeled" else [])

    @rule(nth=st.integers(0, 20), raised=st.booleans())
    def prioritize(self, nth: int, raised: bool) -> None:
        items = self.w.items()
        item = items[nth % len(items)]
        self.w.prioritize([item.item_id], raised)
        if item.state in OPEN_STATES:
            assert bool(self.w.item(item.item_id).priority) == raised

    @rule(who=PEOPLE, nth=st.integers(0, 20))
    def vote_twice(self, who: int, nth: int) -> None:
        """The browser sends an acknowledged vote again."""
        user = self.w.people[who]
        mine = [v for i in self.w.items() for v in self.votes(i) if v.user_id == user]
        if not mine:
            return
        old = mine[nth % len(mine)]
        seq, duplicate = self.w.cast(user, old.item_id, old.value, old.kind, vote_id=old.vote_id)
        assert (seq, duplicate) == (old.seq, True)

    @rule(nth=st.integers(0, 20), value=VALUES)
    def vote_without_lease(self, nth: int, value: str) -> None:
        items = self.w.items()
        try:
            self.w.cast("stranger", items[nth % len(items)].item_id, self.said(value))
        except ApiError as error:
            assert error.code in ("not_leased", "item_closed")
        else:
            raise AssertionError("a vote without a lease was taken")

    @rule(who=PEOPLE)
    def leave(self, who: int) -> None:
        self.w.leave(self.w.people[who])

    @rule(
        nth=st.integers(0, 20),
        action=st.sampled_from(["approve", "change", "requeue", "remove", "accept_skip", "undo"]),
        value=VALUES,
    )
    def review(self, nth: int, action: str, value: str) -> None:
        items = self.w.items()
        item = items[nth % len(items)]
        value = self.said(value)
        try:
            after = self.w.decide(item.item_id, action, value if action == "change" else None)
        except ApiError as error:
            assert error.code == "conflict"
            return
        if action == "change":
            assert (after.state, after.label, after.label_source) == ("labeled", value, "review")
        if action == "requeue":
            assert after.state in OPEN_STATES
            assert after.n_labels == after.n_skips == 0
        if action == "remove":
            assert after.state == "removed"

    @rule(
        skills=st.lists(st.floats(0.2, 0.99), min_size=4, max_size=4),
        model_weight=st.sampled_from([0.0, 0.7]),
    )
    def estimate(self, skills: list[float], model_weight: float) -> None:
        """Labels may change or open again; decisions by review stand."""
        decided = {i.item_id: i.label for i in self.w.items() if i.review == "decided"}
        accuracy = dict(zip(self.w.people, skills, strict=True))
        self.w.skills_are(accuracy, model_weight)
        after = {i.item_id: i.label for i in self.w.items() if i.review == "decided"}
        assert after == decided

    @rule(nth=st.integers(0, 20), value=VALUES, chance=st.floats(0.4, 0.99))
    def round_lands(self, nth: int, value: str, chance: float) -> None:
        items = self.w.items()
        item_id = items[nth % len(items)].item_id
        self.w.model_says(item_id, f"{value}:{chance:.4f}", self.said(value))

    @rule()
    def doubt(self) -> None:
        """Labels by one vote that the model contradicts open again; all others stand."""
        before = {item.item_id: item for item in self.w.items()}
        asked = self.w.doubt()
        now = {item.item_id: item for item in self.w.items()}
        opened = [i for i in now.values() if i.doubted is not None and i != before[i.item_id]]
        assert len(opened) == asked
        for item in opened:
            was = before[item.item_id]
            assert (was.state, was.label_source, was.n_labels) == ("labeled", "votes", 1)
            assert item.doubted == item.model_value != was.label
            assert item.room == 1
            assert not item.gold
            assert item.state == "in_progress"
        others = now.keys() - {item.item_id for item in opened}
        assert all(now[item_id] == before[item_id] for item_id in others)

    @rule(second_look=st.booleans(), at_once=st.booleans())
    def look_again_or_not(self, second_look: bool, at_once: bool) -> None:
        self.loosened = True
        self.w.new_rules(at_once, second_look=second_look)

    @rule(who=PEOPLE, minutes=st.tuples(st.integers(0, 30), st.integers(0, 30)))
    def take_back(self, who: int, minutes: tuple[int, int]) -> None:
        since, until = (self.w.now - 60_000 * m for m in sorted(minutes, reverse=True))
        votes = Tx(self.w.db).count_items_voted("p", self.w.people[who], since, until)
        try:
            self.taken.append(self.w.take_back(self.w.people[who], since, until))
        except ApiError as error:
            assert error.code == "conflict"
            assert not votes

    @precondition(lambda self: self.taken)
    @rule(nth=st.integers(0, 20))
    def undo_takeback(self, nth: int) -> None:
        self.w.undo(self.taken.pop(nth % len(self.taken)))

    @rule(
        votes=st.tuples(st.integers(1, 3), st.integers(0, 2)),
        skips_max=st.integers(1, 2),
        consensus=st.sampled_from(["majority", "auto"]),
        at_once=st.booleans(),
    )
    def new_rules(
        self, votes: tuple[int, int], skips_max: int, consensus: str, at_once: bool
    ) -> None:
        """Decisions by review stand."""
        decided = {i.item_id: i.label for i in self.w.items() if i.review == "decided"}
        self.loosened = True
        self.w.new_rules(
            at_once, votes_min=votes[0], votes_max=sum(votes), skips_max=skips_max,
            consensus=consensus,
        )  # fmt: skip
        assert decided == {i.item_id: i.label for i in self.w.items() if i.review == "decided"}

    @rule(most=st.none() | st.integers(1, 3))
    def rules_land(self, most: int | None) -> None:
        self.w.follow(most)

    @rule(people=st.sets(PEOPLE, min_size=1, max_size=2), only=st.booleans(), later=st.booleans(),
          share=st.sampled_from([0.5, 1.0]))  # fmt: skip
    def assign(self, people: set[int], only: bool, later: bool, share: float) -> None:
        names = [self.w.people[n] for n in people]
        self.assigned.append(self.w.assign(names, only=only, later=later, share=share))

    @precondition(lambda self: self.assigned)
    @rule(nth=st.integers(0, 20))
    def unassign(self, nth: int) -> None:
        self.w.unassign(self.assigned.pop(nth % len(self.assigned)))

    @rule(items=st.integers(0, 3))
    def practice_begins(self, items: int) -> None:
        self.w.set(practice=items)

    @rule(who=PEOPLE)
    def practise_again(self, who: int) -> None:
        with suppress(ApiError):  # there is nothing to practise on, or it goes on
            self.w.practise_again(self.w.people[who])

    @rule(chunk=st.sampled_from([1, 7, 500]), heard=st.booleans())
    def count(self, chunk: int, heard: bool) -> None:
        """What fsck finds then includes seconds, errors and how pages turned out."""
        self.w.count(chunk, heard)

    @rule(minutes=st.integers(1, 5))
    def time_passes(self, minutes: int) -> None:
        self.w.now += 60_000 * minutes

    @precondition(lambda self: self.world is not None and len(self.world.items()) < 12)
    @rule(count=st.integers(1, 3), label=st.none() | VALUES, gold=st.booleans())
    def more_items(self, count: int, label: str | None, gold: bool) -> None:
        label = None if label is None else self.said(label)
        assert self.w.add(count, label, gold=gold and label is not None) == count

    def votes(self, item: object) -> list:  # type: ignore[type-arg]
        return Tx(self.w.db).standing(item.item_id)  # type: ignore[attr-defined]

    @invariant()
    def never_more_than_needed(self) -> None:
        if self.world is None or self.late or self.loosened:
            return
        for item in self.w.items():
            if item.state in OPEN_STATES:
                project = Tx(self.w.db).project("p")
                assert project is not None
                rules = project.rules_for(item)
                wanted = min(max(rules.votes_min, item.n_labels + 1), rules.votes_max)
                assert item.n_labels + item.n_leases <= wanted
            else:
                assert item.n_leases == 0, "a settled item is held by nobody"

    @invariant()
    def nothing_contradicts_the_facts(self) -> None:
        """States, labels and standing votes re-derived; log folded = tables (fsck)."""
        if self.world is not None:
            assert self.w.findings() == []

    @invariant()
    def the_queue_counts_what_is_open(self) -> None:
        if self.world is not None:
            board = snapshot(Tx(self.w.db), "p")
            assert sum(board.queue.values()) == board.open_items

    @invariant()
    def contested_items_wait_behind_fresh_ones(self) -> None:
        if self.world is None:
            return
        project = Tx(self.w.db).project("p")
        assert project is not None
        if project.remerge_due:
            return  # new rules have not reached all items yet
        for item in self.w.items():
            if item.state in OPEN_STATES:
                contested = item.n_labels >= project.votes_min
                assert (item.queue_pos >= MORE_VOTES) == contested
                assert not contested or (item.queue, item.pre_value) == ("manual", None)


ItemLife.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestItemLife = ItemLife.TestCase


class SetLife(ItemLife):
    """The same where a label is a set of classes."""

    task_type = "multilabel"


SetLife.TestCase.settings = settings(max_examples=30, stateful_step_count=40, deadline=None)
TestSetLife = SetLife.TestCase


class ShapeLife(ItemLife):
    """The same where a label is boxes: people draw nearly the same, something else, or nothing."""

    task_type = "boxes"


ShapeLife.TestCase.settings = settings(max_examples=30, stateful_step_count=40, deadline=None)
TestShapeLife = ShapeLife.TestCase


def test_every_item_gets_exactly_its_votes_when_people_just_work() -> None:
    world = World(votes_min=2, votes_max=3, skips_max=2)
    world.add(30)
    truth = {i.item_id: str(i.item_id % 3) for i in world.items()}
    while True:
        pages = [(user, world.deal(user, 9)) for user in world.people]
        if all(dealt.page is None for _, dealt in pages):
            break
        for n, (user, dealt) in enumerate(pages):
            for entry in dealt.page["items"] if dealt.page else ():
                # The first person is always wrong in the same way.
                value = "0" if n == 0 else truth[entry["item_id"]]
                world.cast(user, entry["item_id"], value)
    items = world.items()
    assert {i.state for i in items} == {"labeled"}
    assert all(i.label == truth[i.item_id] for i in items)
    assert all(2 <= i.n_labels <= 3 for i in items)
    assert world.findings() == []
    world.close()


@settings(max_examples=25, deadline=None)
@given(
    answers=st.lists(st.tuples(st.integers(0, 3), VALUES), min_size=1, max_size=24),
    who=st.integers(0, 3),
)
def test_taking_back_and_restoring_gives_the_same_state(
    answers: list[tuple[int, str]], who: int
) -> None:
    world = World(2, 3, consensus="auto")
    world.add(4)
    for user in world.people:
        world.deal(user, 4)
    for n, (person, value) in enumerate(answers):
        user = world.people[person]
        leases = Tx(world.db).leases_of_tab("p", user, "t")
        if leases:
            world.cast(user, leases[n % len(leases)].item_id, value)
    for user in world.people:
        world.leave(user)

    def state() -> list[object]:
        return [
            (i.state, i.label, i.provisional, i.confidence, i.n_labels, i.room)
            for i in world.items()
        ]

    before = state()
    try:
        taken = world.take_back(world.people[who], 0, world.now)
    except ApiError:
        return  # this person did nothing
    assert all(v.user_id != world.people[who] for i in world.items() for v in _votes(world, i))
    assert world.findings() == []
    world.undo(taken)
    assert state() == before
    assert world.findings() == []
    world.close()


def _votes(world: World, item: Item) -> list[StandingVote]:
    return Tx(world.db).standing(item.item_id)


def test_whoever_gets_their_vote_back_holds_the_item_no_more() -> None:
    """A taken-back item may have come to the same person again by the time it is restored."""
    world = World(votes_min=2, votes_max=2)
    world.add(1)
    world.deal("u0", 1)
    item_id = world.items()[0].item_id
    world.cast("u0", item_id, "1")
    taken = world.take_back("u0", 0, world.now)
    assert world.deal("u0", 1).page is not None
    world.undo(taken)
    assert world.leases("u0") == []
    assert [c["user_id"] for e in world.events for c in e.body.get("closed", ())] == ["u0"]
    assert (world.item(item_id).n_labels, world.item(item_id).room) == (1, 1)
    assert world.findings() == []
    world.close()


def test_a_late_vote_is_kept_and_counts() -> None:
    world = World()
    world.add(1)
    dealt = world.deal("u0", 1)
    assert dealt.page is not None
    item_id = dealt.page["items"][0]["item_id"]
    world.leave("u0")
    assert world.item(item_id).state == "unlabeled"
    world.cast("u0", item_id, "2")
    assert (world.item(item_id).state, world.item(item_id).label) == ("labeled", "2")
    world.close()


def test_a_settled_item_leaves_the_pages_of_others() -> None:
    world = World(votes_min=2, votes_max=2)
    world.add(1)
    for user in ("u0", "u1"):
        world.deal(user, 1)
    item_id = world.items()[0].item_id
    world.decide(item_id, "change", "1")
    closed = [c for e in world.events for c in e.body.get("closed", ())]
    assert sorted(c["user_id"] for c in closed) == ["u0", "u1"]
    try:
        world.cast("u0", item_id, "0")
    except ApiError as error:
        assert error.code == "item_closed"
    else:
        raise AssertionError("a decided item took a vote")
    world.close()
