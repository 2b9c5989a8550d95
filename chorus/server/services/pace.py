"""What each way of working costs, counted from the log in the background.

Votes know nothing of it: this service follows the events, counts what is new a chunk at a time and
keeps how far it has come (`pace_mark`), so that a stop of the server loses nothing and a dashboard
reads a few rows however many votes there are. A page's turnout and the answers judged on an item
are found anew from the facts whenever something touches them; only times are added up.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from time import thread_time
from typing import Any

import msgspec

from chorus.server.clock import now_ms
from chorus.server.domain import pace, purity
from chorus.server.domain.model import Event
from chorus.server.services import clusters
from chorus.server.services.background import Heard, Wakes, Woken
from chorus.server.storage.store import Store
from chorus.server.storage.tx import Tx
from chorus.server.storage.tx.pace import Timed

CHUNK = 500
"""Events counted in one transaction: a vote waits behind the few rows that they come to."""
BUSY, BUSY_S, BUSY_LOOKS = 8, 1.0, 10
"""While so many writes wait, what is new is looked at so often: a page that is answered one by one
is then counted once, not nine times, and the figures are made less often."""
QUICK_S = 0.05
"""Work of a processor that is followed at once by more …"""
SHARE = 0.2
"""… and else so much later that counting takes at most this share of one core."""
COUNTED = {
    "vote.cast", "check.cast", "page.closed", "label.decided", "label.withdrawn",
    "review.decided", "votes.taken_back", "votes.restored", "gold.marked", "items.added",
    "vote.imported",
}  # fmt: skip
"""Events that may change a figure."""


class _State(Woken):
    def __init__(self) -> None:
        super().__init__()
        self.busy = False
        self.heard = Heard()
        self.until: int | None = None
        """The event up to which all is counted, once known."""
        self.figures: dict[str, Any] | None = None
        """As somebody has asked for them since they changed last."""
        self.times_counted = 0
        self.cost_s = 0.0
        """Of a processor, since the last rest."""
        self.withdrawing = True
        """Withdrawn clusters may still be in the queue: what a stop of the server cut off, too."""


class Pace:
    """`changed` is called when there are new figures."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._wakes = Wakes(_State, self._run, "what work on %s costs was not counted")
        self.changed: Callable[[str], None] = lambda project_id: None

    # -- life

    async def start(self) -> None:
        """Go on with what a stop of the server cut off."""
        for project in await self._store.read(lambda tx: tx.projects()):
            self._wakes.wake(project.project_id)

    async def stop(self) -> None:
        await self._wakes.stop()

    def on_events(self, events: Sequence[Event]) -> None:
        """Bus listener."""
        for event in events:
            self._wakes.of(event.project_id).heard.hear(event)
        for project_id in {e.project_id for e in events if _matters(e)}:
            self._wakes.wake(project_id)

    # -- what is told

    async def of(self, project_id: str) -> dict[str, Any]:
        """The figures (docs/protocol.md, `Pace`), as of now or a moment before."""
        state = self._wakes.of(project_id)
        if state.figures is not None:
            return state.figures
        counted = state.times_counted
        found = await self._store.read(lambda tx: figures(tx, project_id))
        if state.times_counted == counted:
            state.figures = found
        return found

    def measuring(self, project_id: str) -> bool:
        """Something has happened that is not counted yet, or clusters are being withdrawn."""
        state = self._wakes.of(project_id)
        return state.wanted or state.busy

    # -- counting

    async def _run(self, project_id: str, state: _State) -> None:
        try:
            while self._wakes.again(state):
                state.busy = True
                while await self._some(project_id, state):
                    await _rest(state)
                if state.withdrawing:
                    await clusters.finish(self._store, project_id)
                    state.withdrawing = False
                state.times_counted += 1
                state.figures = None
                state.busy = False
                self.changed(project_id)
                await _rest(state)
                await self._while_busy()
        finally:
            state.busy = False
            self.changed(project_id)

    async def _some(self, project_id: str, state: _State) -> bool:
        """Count a chunk of events; whether there may be more."""
        heard = [] if state.until is None else state.heard.after(state.until, CHUNK)

        def fn(tx: Tx) -> Found | None:
            began = thread_time()
            try:
                return look(tx, project_id, CHUNK, heard)
            finally:
                state.cost_s += thread_time() - began

        found = await self._store.read(fn)
        if found is None:
            return False
        if await self._store.persist(lambda tx: keep(tx, project_id, found, now_ms())):
            state.withdrawing = True
        state.until = found.until
        return found.more

    async def _while_busy(self) -> None:
        for _ in range(BUSY_LOOKS):
            if self._store.waiting < BUSY:
                break
            await asyncio.sleep(BUSY_S / BUSY_LOOKS)


async def _rest(state: _State) -> None:
    """Let others have the machine, after work that took more than a moment of it."""
    cost, state.cost_s = state.cost_s, 0.0
    if cost > QUICK_S:
        await asyncio.sleep(cost * (1 / SHARE - 1))


_ROUNDS = {"round.finished", "clusters.withdrawn", "project.changed"}
"""Events after which the figures are others although nothing is counted."""


def _matters(event: Event) -> bool:
    return event.type in COUNTED or event.type in _ROUNDS or "closed" in event.body


class Found(msgspec.Struct):
    """What some events come to."""

    since: int
    until: int
    """Event after the last of them there are …"""
    more: bool
    """… more to count."""
    times: list[tuple[str, int, int]]
    """(view, bin, answers more)"""
    pages: list[tuple[int, int, int]]
    """(page_id, answered, alike), where that is not what is stored."""
    items: list[int]
    """On which other answers are judged than those stored …"""
    judged: list[tuple[int, str, int, int]]
    """… (item_id, view, answers, wrong ones): all that there are."""
    errors: list[tuple[str, int, int]]
    """(view, answers more, wrong ones more)"""


class Touched(msgspec.Struct):
    """What some events are about."""

    votes: list[str]
    """Answers that are new, none that corrects one."""
    corrections: list[str]
    checks: list[str]
    """Answers on checks: no votes, but a page may be done with one."""
    pages: set[int]
    items: set[int]


def touched(events: Iterable[Event]) -> Touched:
    out = Touched([], [], [], set(), set())
    for event in events:
        body: dict[str, Any] = event.body
        # An item that settles closes the page of whoever holds the last other one.
        out.pages.update(closed["page_id"] for closed in body.get("closed", ()))
        if event.type not in COUNTED:
            continue
        if event.type == "vote.cast":
            (out.corrections if "superseded" in body else out.votes).append(body["vote_id"])
        elif event.type == "check.cast":
            out.checks.append(body["vote_id"])
        out.pages.update(body.get("page_ids", ()))
        out.items.update(body.get("item_ids", ()))
        if "item_id" in body:
            out.items.add(body["item_id"])
        if event.type in ("votes.taken_back", "votes.restored"):
            out.items.update(v["item_id"] for pair in body["votes"] for v in pair if v is not None)
    return out


def look(tx: Tx, project_id: str, limit: int, heard: Sequence[Event] = ()) -> Found | None:
    """What the next events come to (on a reader); None: there are none. heard: the next events,
    where they are known."""
    since = tx.pace_seq(project_id)
    if heard and heard[0].seq != since + 1:
        heard = ()
    events = heard or tx.events_since(project_id, since, limit)
    if not events:
        return None
    about = touched(events)
    times: Counter[tuple[str, int]] = Counter()
    new = set(about.votes)
    votes = tx.timed_votes(about.votes + about.corrections)
    for vote in votes:
        if vote.view is not None and vote.vote_id in new and vote.duration_ms:
            times[vote.view, pace.bin_of(vote.duration_ms)] += 1
    touched_items = sorted(about.items)
    judged, counted = by_item(tx.judged_votes(touched_items)), by_item(tx.pace_items(touched_items))
    items = [i for i in touched_items if judged.get(i) != counted.get(i)]
    errors: dict[str, list[int]] = {}
    for sign, rows in ((1, judged), (-1, counted)):
        for item_id in items:
            for view, (n, wrong) in rows.get(item_id, {}).items():
                more = errors.setdefault(view, [0, 0])
                more[0] += sign * n
                more[1] += sign * wrong
    page_ids = sorted(pages_of(tx, about, votes))
    stored, now = dict(tx.turnouts_stored(page_ids)), turnouts(tx, page_ids)
    return Found(
        since,
        events[-1].seq,
        len(events) == limit,
        [(view, number, n) for (view, number), n in sorted(times.items())],
        [(page_id, *now[page_id]) for page_id in page_ids if stored.get(page_id) != now[page_id]],
        items,
        [
            (item_id, view, n, wrong)
            for item_id in items
            for view, (n, wrong) in sorted(judged.get(item_id, {}).items())
        ],
        [(view, n, wrong) for view, (n, wrong) in sorted(errors.items()) if n or wrong],
    )


def pages_of(tx: Tx, about: Touched, votes: Iterable[Timed]) -> set[int]:
    """The pages that events may have changed: those they name, and those of their answers.
    votes: the answers among them that are votes."""
    answered = {v.page_id for v in votes if v.page_id is not None and v.view is not None}
    return about.pages | answered | set(tx.pages_of_checks(about.checks))


def by_item(
    rows: Iterable[tuple[int, str, int, int]],
) -> dict[int, dict[str, tuple[int, int]]]:
    """(item_id, view, answers, wrong ones) by item and view."""
    out: dict[int, dict[str, tuple[int, int]]] = {}
    for item_id, view, n, wrong in rows:
        out.setdefault(item_id, {})[view] = n, wrong
    return out


def turnouts(tx: Tx, page_ids: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Of each page (answers, how many of them are the commonest one) if it is done, else (0, 0). A
    skipped or flagged item is like no other: it takes a key of its own."""
    last: dict[int, dict[int, tuple[str, str | None]]] = {page_id: {} for page_id in page_ids}
    for page_id, item_id, kind, value in tx.page_answers(page_ids):
        last[page_id][item_id] = kind, value
    return {page_id: _turnout(answers.values()) for page_id, answers in last.items()}


def _turnout(answers: Collection[tuple[str, str | None]]) -> tuple[int, int]:
    if len(answers) < purity.LEAST_ANSWERED:
        return 0, 0
    labels = Counter(value for kind, value in answers if kind == "label")
    return len(answers), max(labels.values(), default=1)


def keep(tx: Tx, project_id: str, found: Found, now: int) -> bool:
    """Store it in one transaction, and decide whether the clusters have turned out too mixed:
    then they are withdrawn."""
    if tx.project(project_id) is None:
        return False  # deleted meanwhile
    assert tx.pace_seq(project_id) == found.since, "two passes over one project"
    tx.add_times(project_id, found.times)
    tx.set_turnouts(found.pages)
    if found.items:
        tx.set_pace_items(project_id, found.items, found.judged)
    tx.add_errors(project_id, found.errors)
    tx.set_pace_seq(project_id, found.until)
    return bool(found.pages) and clusters.judge(tx, project_id, now)


# -- the figures


def figures(tx: Tx, project_id: str) -> dict[str, Any]:
    """Seconds and errors by view, pages by round, how clusters do, and checks that were flagged."""
    bins: dict[str, dict[int, int]] = {}
    for view, number, n in tx.times(project_id):
        bins.setdefault(view, {})[number] = n
    judged = {view: (n, wrong) for view, n, wrong in tx.errors(project_id)}
    known = {v: t for v in pace.VIEWS if (t := pace.times(bins.get(v, {}))) is not None}
    return {
        "seq": tx.pace_seq(project_id),
        "views": [
            {
                "view": view,
                "timed": sum(bins.get(view, {}).values()),
                "seconds": msgspec.to_builtins(known.get(view)),
                "judged": judged.get(view, (0, 0))[0],
                "errors": msgspec.to_builtins(pace.errors(*judged.get(view, (0, 0)))),
                "saved_s": pace.saved(known, view) if view in ("clustered", "prelabeled") else None,
            }
            for view in pace.VIEWS
        ],
        "note": pace.note(known),
        "flagged": tx.count_flagged(project_id),
        **clusters.figures(tx, project_id),
    }


# -- for fsck


def findings(tx: Tx, project_id: str) -> Iterator[str]:
    """What is counted must be what the facts say, but for what events after the mark touch."""
    seq = tx.pace_seq(project_id)
    pages_ahead: set[int] = set()
    items_ahead: set[int] = set()
    after = seq
    while events := tx.events_since(project_id, after, CHUNK):
        after = events[-1].seq
        some = touched(events)
        items_ahead |= some.items
        pages_ahead |= pages_of(tx, some, tx.timed_votes(some.votes + some.corrections))
    times: Counter[tuple[str, int]] = Counter()
    for view, ms, n in tx.durations_until(project_id, seq):
        times[view, pace.bin_of(ms)] += n
    if times != Counter({(view, number): n for view, number, n in tx.times(project_id)}):
        yield "seconds by view are not what the votes say"
    page_id = 0
    while pages := tx.pages_after(project_id, page_id, CHUNK):
        all_true = turnouts(tx, [page_id for page_id, *_ in pages])
        for page_id, answered, alike in pages:
            true = all_true[page_id]
            if page_id not in pages_ahead and true != (answered, alike):
                yield f"page {page_id}: turnout is {(answered, alike)}, should be {true}"
    yield from _misjudged(tx, project_id, items_ahead)


def _misjudged(tx: Tx, project_id: str, ahead: set[int]) -> Iterator[str]:
    totals: Counter[str] = Counter()
    wrongs: Counter[str] = Counter()
    after = 0
    while items := tx.items_in_state(project_id, None, after, CHUNK):
        ids = [item.item_id for item in items]
        after = ids[-1]
        stored = {row[:2]: row for row in tx.pace_items_between(project_id, ids[0], after)}
        true = {row[:2]: row for row in tx.judged_votes(ids)}
        for _, view, n, wrong in stored.values():
            totals[view] += n
            wrongs[view] += wrong
        for key in stored.keys() | true.keys():
            if key[0] not in ahead and stored.get(key) != true.get(key):
                is_, should = stored.get(key), true.get(key)
                yield f"item {key[0]}: answers judged are {is_}, should be {should}"
    if {v: (n, wrongs[v]) for v, n in totals.items() if n} != {
        view: (n, wrong) for view, n, wrong in tx.errors(project_id)
    }:
        yield "errors by view do not add up"
