"""The dashboard's past is what it was: any moment by the log equals the board that was live."""

from __future__ import annotations

import copy
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chorus.server.domain.events import apply, blank
from chorus.server.domain.forecast import Forecast, ends
from chorus.server.domain.histogram import Histogram, quantiles
from chorus.server.domain.timeline import Marker, Point, thinned, votes_at
from chorus.server.services import background, timeline
from chorus.server.services.dashboard import snapshot
from chorus.server.services.meter import Meter
from chorus.server.storage.tx import Tx
from tests.server.world import World

ACTIONS = st.lists(
    st.tuples(st.sampled_from("pppvvvvvlcrqugt"), st.integers(0, 30), st.integers(0, 40_000)),
    min_size=5,
    max_size=40,
)


def act(w: World, action: str, n: int) -> None:
    """Something that happens in a project, if it can."""
    user = w.people[n % 3]
    items = w.items()
    item = items[n % len(items)]
    leases = w.leases(user)
    if action == "p":
        w.deal(user, 4)
    elif action in "vlc" and leases:
        kind = {"v": "label", "l": "skip", "c": "flag"}[action]
        w.cast(user, leases[0].item_id, str(n % 3) if kind == "label" else None, kind)
    elif action == "r":
        w.decide(item.item_id, "change", str(n % 3))
    elif action == "q" and item.state in ("labeled", "needs_review"):
        w.decide(item.item_id, "requeue")
    elif action == "u" and Tx(w.db).last_reviews([item.item_id]):
        try:
            w.decide(item.item_id, "undo")
        except Exception:
            return  # nothing to undo any more
    elif action == "g":
        w.mark([item.item_id], n % 2 == 0)
    elif action == "t" and any(v.user_id == user for v in Tx(w.db).standing(item.item_id)):
        w.take_back(user, 0, w.now)


@settings(max_examples=15, deadline=None)
@given(ACTIONS, st.integers(1, 7), st.integers(1, 9))
def test_any_moment_is_what_was_live(
    actions: list[tuple[str, int, int]], copy_every: int, chunk: int
) -> None:
    w = World(2, 3, gold_rate=0.3)
    try:
        w.add(5)
        w.add(2, "1", gold=True)
        live = blank("p", Tx(w.db).project("p").epoch)  # type: ignore[union-attr]
        past = []
        times = []
        seen = 0
        state = timeline._State()
        with (
            patch.object(timeline, "COPY_EVERY", copy_every),
            patch.object(timeline, "CHUNK", chunk),
            # What was published is at hand, all of it or the last of it.
            patch.object(background, "HEARD_MOST", 2 * chunk),
        ):
            for action, n, later in [("p", 0, 0), *actions]:
                w.now += later
                act(w, action, n)
                for event in w.events[seen:]:
                    past.append(copy.deepcopy(apply(live, event)))
                    times.append(event.at)
                    state.heard.hear(event)
                seen = len(w.events)
                assert live == snapshot(Tx(w.db), "p"), "what is live is what the tables say"
                # The background follows at its own pace, and starts over now and then.
                if n % 5 == 0:
                    state.follower = None
                if n % 3 or state.follower is None:
                    keep(w, state)
            for seq, board in enumerate(past, 1):
                assert timeline.as_of(Tx(w.db), "p", seq) == board
            assert timeline.newest(Tx(w.db), "p") in (past[-1], None)
        for at in {*times, times[0] - 1, w.now + 1}:
            happened = [seq for seq, when in enumerate(times, 1) if when <= at]
            assert Tx(w.db).seq_at("p", at) == max(happened, default=0)
        points = Tx(w.db).points("p")
        for point in points:
            board = past[point.seq - 1]
            assert (point.votes, point.labeled) == (board.votes, board.counts["labeled"])
        assert w.findings() == []
    finally:
        w.close()


def keep(w: World, state: timeline._State) -> None:
    """What the service does in the background."""
    state.follower = state.follower or timeline.resume(Tx(w.db), "p")
    assert state.follower is not None
    more = True
    while more:
        tx = w.tx()
        points, copies, more = timeline.follow(
            tx, state.follower, state.heard.after(state.follower.board.seq, timeline.CHUNK)
        )
        tx.add_points("p", points)
        for seq, at, body in copies:
            tx.add_board_copy("p", seq, at, timeline.REV, body)
        w.commit(tx)


def test_a_log_of_an_older_version_is_completed_once() -> None:
    w = World(2, 2)
    try:
        w.add(4)
        for user in w.people[:2]:
            w.deal(user, 4)
            for lease in w.leases(user):
                w.cast(user, lease.item_id, "1")
        w.mark([1])
        # As if its events had been written before there were these figures.
        for field in ("known", "spread", "agreed"):
            w.db.execute(f"UPDATE event SET body = json_remove(body, '$.{field}')")
        w.db.execute("UPDATE project SET board_rev = 0")
        assert w.findings() == [], "fsck knows that they are to come"
        for _ in range(2):
            tx = w.tx()
            timeline.base(tx, "p", w.now)
            w.commit(tx)
        last = Tx(w.db).project("p").last_seq  # type: ignore[union-attr]
        assert timeline.as_of(Tx(w.db), "p", last) == snapshot(Tx(w.db), "p")
        assert [e.type for e in w.events].count("board.based") == 1
        assert w.findings() == []
    finally:
        w.close()


@given(st.lists(st.integers(0, 2_000_000), min_size=1, max_size=300))
def test_points_are_few_and_a_pause_keeps_its_edge(gaps: list[int]) -> None:
    marker = Marker()
    before, at, kept = 0, 1_000, []
    for gap in gaps:
        was, is_ = marker.due(before, at)
        kept += [before] * was + [at] * is_
        before, at = at, at + gap
    assert kept[0] == 1_000
    assert kept == sorted(kept)
    assert len(kept) <= 2 * len(gaps)
    points = [Point(n, t, n, 0, 0, 0, 0, 0) for n, t in enumerate(kept, 1)]
    some = thinned(points, 20)
    assert len(some) <= 21
    assert (some[0], some[-1]) == (points[0], points[-1])
    assert votes_at(points, kept[-1] + 1) == len(kept)
    assert votes_at(points, kept[0] - 1) == 0


@given(st.lists(st.floats(2e-5, 100), min_size=1, max_size=200), st.sampled_from([0.5, 0.99, 1]))
def test_quantiles_are_right_within_a_twentieth(values: list[float], share: float) -> None:
    half = len(values) // 2
    first, second = Histogram(), Histogram()
    for n, value in enumerate(values):
        (first if n < half else second).add(value)
    (found,) = quantiles([first, second], [share])
    true = sorted(values)[max(1, -(-int(share * len(values) * 1000) // 1000)) - 1]
    assert found == pytest.approx(true, rel=0.06) or share == 0.99


def test_the_meter_forgets_after_a_minute() -> None:
    now = 1000.0
    meter = Meter(lambda: now)
    assert meter.figures()["p50_ms"] is None
    for ms in range(1, 101):
        meter.acked(ms / 1000)
    now += 30
    found = meter.figures()
    assert found["acks"] == 100
    assert found["p50_ms"] == pytest.approx(50, rel=0.06)
    assert found["p99_ms"] == pytest.approx(99, rel=0.06)
    now += 61
    assert meter.figures()["acks"] == 0


@given(st.integers(0, 10_000), st.integers(10, 5_000))
def test_the_end_is_within_its_interval(left: int, given_: int) -> None:
    end = ends(0, Forecast(left, left // 2, left * 2), given_, 3_600_000)
    assert end is not None
    assert 0 <= end.low <= end.at
    assert end.high is None or end.at <= end.high
    assert ends(0, Forecast(left, left, left), 9, 3_600_000) is None
