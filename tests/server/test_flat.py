"""What labelers wait for costs the same in a small project and in a large one."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

from chorus.server.domain.queue import ORDER
from chorus.server.services import dealing, landing, pace
from chorus.server.services.landing import Limits, Plan
from chorus.server.services.round_files import Place, Prediction
from chorus.server.storage.tx import Tx
from chorus.server.storage.tx.known import Known, PageAhead, VoteAhead
from tests.server.world import World

SMALL, LARGE = 200, 2000
SLACK = 1.3
"""A database whose tables are ten times as long must not cost more than this. What is counted are
the steps of SQLite's machine, which know neither the clock nor the cache."""


class Project(World):
    """Items, a round's answers on them, gold, and people who have begun."""

    def __init__(self, items: int) -> None:
        super().__init__(votes_min=2, votes_max=3, people=3, gold_rate=0.2)
        # Long lists of labeled and of open items; behind them as much gold as in any other project.
        self.add(items, "1")
        self.add(items)
        self.add(20, "0", gold=True)
        self.land(items)
        self.past()
        for user in self.people:
            for _ in range(3):
                self.answer(user)

    def land(self, items: int) -> None:
        """A third of the open items is prelabeled, a third clustered."""
        ids = [i.item_id for i in self.items() if i.state == "unlabeled"]
        guesses = {i: Prediction("1", 0.99 if i % 3 else 0.4, "1:0.9") for i in ids}
        clusters = {i: Place(i // 9, i % 9, 0.1) for i in ids if i % 3 == 0}
        plan = Plan(1, Limits({"1": 0.9}), True, guesses, clusters, {i: i for i in ids})
        tx = self.tx()
        landing.land_chunk(tx, "p", plan, ids[: 2 * items // 3], self.now)
        self.commit(tx)

    def past(self) -> None:
        """Each labeled item was handed out, answered and given back by somebody who has left."""
        self.db.executescript(
            "INSERT INTO lease SELECT NULL, 'p', item_id, 'left', 't', 0, 0, NULL, NULL, NULL, 1,"
            " 2, 2, 'voted', 0 FROM item WHERE state = 'labeled' AND gold = 0;"
            "INSERT INTO vote SELECT 'of-' || item_id, 'p', item_id, 'left', 0, 'label', '1', 0,"
            " 'manual', NULL, NULL, 5, NULL, 1 FROM item WHERE state = 'labeled' AND gold = 0;"
            "INSERT INTO standing SELECT item_id, 'left', 'p', 'of-' || item_id, 'label', '1',"
            " NULL, 0 FROM item WHERE state = 'labeled' AND gold = 0;"
        )

    def answer(self, user: str) -> None:
        dealt = self.deal(user, 9)
        assert dealt.page is not None
        for item in dealt.page["items"]:
            self.cast(user, item["item_id"], "1")

    def steps(self, act: Callable[[], object]) -> int:
        """Of SQLite's machine, during `act`."""
        count = 0

        def step() -> None:
            nonlocal count
            count += 1

        self.db.set_progress_handler(step, 1)
        try:
            act()
        finally:
            self.db.set_progress_handler(None, 0)
        return count


def acts(world: Project) -> Iterator[tuple[str, Callable[[], object]]]:
    """What happens on the writer's thread while people label, in an order that works."""
    pages: list[dealing.Dealt] = []

    def deal() -> None:
        pages.append(world.deal("u0", 9))

    def item(n: int) -> int:
        page = pages[-1].page
        assert page is not None
        return int(page["items"][n]["item_id"])

    def ahead() -> None:
        page = pages[-1].page
        assert page is not None
        asked = [VoteAhead(uuid.uuid4().hex, one["item_id"], "u0") for one in page["items"]]
        Tx(world.db, Known()).votes_ahead(asked)

    def pages_ahead() -> None:
        asked = [PageAhead("p", user, 9, world.floors.get("p", user)) for user in world.people]
        Tx(world.db, Known()).pages_ahead(asked)

    vote = str(uuid.uuid4())
    project = Tx(world.db).project("p")
    assert project is not None
    yield "a page", deal
    yield "a page from the head of the queue", lambda: (world.floors.reset("p"), deal())
    yield "what a page's votes will look at", ahead
    yield "what several pages will look at", pages_ahead
    yield "a vote", lambda: world.cast("u0", item(0), "1", vote_id=vote)
    yield "a correction", lambda: world.cast("u0", item(0), "2", supersedes=vote)
    yield "a skip", lambda: world.cast("u0", item(1), None, kind="skip")
    yield "a flag", lambda: world.cast("u0", item(2), None, kind="flag")
    yield "a supervisor's decision", lambda: world.decide(item(3), "change", "2")
    yield "pages after a reload", lambda: dealing.held_pages(Tx(world.db), project, "u0", "t")
    for queue in ORDER:
        head = lambda queue=queue: Tx(world.db).next_items("p", queue, "u0", 0, 9)  # noqa: E731
        yield f"the head of the {queue} queue", head
    yield "a check", lambda: Tx(world.db).unseen_gold("p", "u0", 5, 1)
    yield "expired leases", lambda: Tx(world.db).expired_leases(world.now + 10**9, 100)
    yield "a page given back", lambda: world.leave("u0")
    yield "whether work is left", lambda: Tx(world.db).open_for("p", "u0")
    yield "whether there are items", lambda: Tx(world.db).has_items("p")
    # Much of the project is others' alone, and much of it this person's first.
    world.assign(["u1"], only=True, share=0.4)
    world.assign(["u0"], share=0.5)
    world.floors.reset("p")
    yield "a page of what is theirs first", deal
    yield "a page beside what others have", lambda: world.deal("u2", 9)
    for pool in (0, 1, 2):
        left = lambda pool=pool: Tx(world.db).open_for("p", "u2", pool)  # noqa: E731
        yield f"whether work is left of {pool}", left
    yield "events counted", lambda: pace.look(Tx(world.db), "p", 20)


def test_what_labelers_wait_for_does_not_grow_with_the_project() -> None:
    counted: dict[str, list[int]] = {}
    for items in (SMALL, LARGE):
        world = Project(items)
        for name, act in acts(world):
            counted.setdefault(name, []).append(world.steps(act))
        world.close()
    grown = {name: (a, b) for name, (a, b) in counted.items() if b > SLACK * a}
    assert grown == {}
