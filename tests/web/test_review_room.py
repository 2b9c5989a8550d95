"""The review room's list, whatever the server, the colleagues, the reviewer and the network do, in
whatever order: once all is quiet it is what the server has."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.web.conftest import Run

pytestmark = pytest.mark.browser

many = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])

LIVE = """async ({count, page, steps}, {review_room, review_filter}) => {
    const STATES = ["needs_review", "labeled", "skipped", "unlabeled"];
    // Time stands still but for the timers that are told to ring.
    const real = {setTimeout, clearTimeout, setInterval};
    const quiet = () => new Promise(done => real.setTimeout.call(window, done, 0));
    const timers = new Map();
    let lastTimer = 0;
    window.setTimeout = fn => (timers.set(++lastTimer, fn), lastTimer);
    window.clearTimeout = id => timers.delete(id);
    window.setInterval = () => 0;

    const items = Array.from({length: count}, (_, n) => ({
        item_id: n + 1, name: `${n}.png`, state: STATES[n % 2], doubt: n % 3, votes: [],
        agreement: 0.5, confidence: 0.5, label: null, provisional: ["green"], model: null,
        decided: null, gold: false, comments: 0,
    }));
    const events = [], asked = [], answered = [];
    let seq = 1, hear = () => {};
    // One event for each item, or one for all of them: what lands in chunks.
    const become = (some, state, together) => {
        const moves = some.map(i => [i.state, state, 1]);
        for (const i of some) i.state = state;
        if (together) events.push({type: "labels.remerged", body: {moves}, seq: ++seq});
        else some.forEach((i, n) => events.push({
            type: state === "needs_review" ? "item.needs_review" : "review.decided",
            body: {item_id: i.item_id, moves: [moves[n]]}, seq: ++seq,
        }));
    };
    const serve = (type, body) => {
        if (type === "review.decide") {
            const item = items[body.item_id - 1];
            become([item], "labeled", false);
            item.decided = {seq};
            return {seq};
        }
        if (type !== "review.list") return {claims: [], seq, item_id: null};
        const {state, item_ids, after} = body;
        const doubt = i => body.order === "item" ? 0 : i.doubt;
        const later = (a, b) => doubt(b) - doubt(a) || a.item_id - b.item_id;
        let found = items.filter(i => state === "all" ? i.state !== "removed" : i.state === state);
        if (item_ids) found = found.filter(i => item_ids.includes(i.item_id));
        found.sort(later);
        const total = found.length;
        if (after) found = found.filter(i => later(after, i) < 0);
        const some = structuredClone(found.slice(0, page));
        const more = found.length > some.length;
        return {items: some, total, next: more ? some.at(-1) : null, more: false};
    };
    const socket = new EventTarget();
    socket.connected = true;
    socket.request = (type, body, onPush) => {
        if (type === "subscribe" && body.topic.endsWith("/events")) hear = onPush;
        return new Promise(done => asked.push({type, body, done}));
    };
    const task = {type: "multiclass", multi: false};
    const room = new review_room.Room(socket, "p", task, "me", review_filter.NONE);
    socket.dispatchEvent(new Event("open"));

    const step = async ([what, n]) => {
        const item = items[n % count];
        if (what === "serve" && asked.length) {
            const one = asked.splice(n % asked.length, 1)[0];
            answered.push({...one, answer: serve(one.type, one.body)});
        } else if (what === "answer" && answered.length) {
            const one = answered.splice(n % answered.length, 1)[0];
            one.done(one.answer);
        } else if (what === "event" && events.length) hear(events.shift());
        else if (what === "timer" && timers.size) {
            const id = [...timers.keys()][n % timers.size], fn = timers.get(id);
            timers.delete(id);
            fn();
        } else if (what === "change") become([item], STATES[n % STATES.length], false);
        else if (what === "chunk") become(items.slice(0, 1 + n % count), STATES[n % 3], true);
        else if (what === "many") become(items.slice(0, 1 + n % count), STATES[n % 3], false);
        else if (what === "decide") room.decide("change", ["red"]);
        else if (what === "move") room.move(n % 2 ? 1 : -1);
        else if (what === "load") room.load();
        else if (what === "more") room.loadMore();
        else if (what === "claiming") room.setClaiming(n % 2 === 0);
        else if (what === "filter") room.setFilter({...review_filter.NONE, state: STATES[n % 3]});
        await quiet();
    };
    for (const one of steps) await step(one);
    for (let n = 0; asked.length || answered.length || events.length || timers.size; n++) {
        if (n > 2000) throw new Error("it never comes to an end");
        for (const what of ["event", "serve", "answer", "timer"]) await step([what, 0]);
    }
    Object.assign(window, real);
    const wanted = items.filter(i => i.state === room.filter.state).map(i => i.item_id);
    return {
        wanted, order: room.order, total: room.total, complete: room.complete,
        states: room.order.map(id => room.items.get(id).state), state: room.filter.state,
        current: room.item && {...room.item, now: items[room.item.item_id - 1].state},
    };
}"""

steps = st.lists(
    st.tuples(
        st.sampled_from(
            ["serve", "answer", "event", "timer"] * 3
            + ["change", "chunk", "many", "decide", "move", "load", "more", "claiming", "filter"]
        ),
        st.integers(0, 11),
    ).map(list),
    max_size=60,
)


READ = [["serve", 0], ["serve", 0], ["serve", 0], ["answer", 0], ["answer", 0], ["answer", 0],
        ["serve", 0], ["answer", 0], ["serve", 0], ["answer", 0]]  # fmt: skip
"""The room is open, and has its list."""
OVERTAKEN = [["change", 1], ["event", 0], ["timer", 0], ["load", 0]]
"""What is in view has left the list; before that is known the list is read anew."""


@many
@example(count=1, page=9, steps=OVERTAKEN)
@given(count=st.integers(1, 9), page=st.sampled_from([2, 9]), steps=steps)
def test_the_list_ends_as_the_server_has_it(
    run: Run, count: int, page: int, steps: list[Any]
) -> None:
    """page: items read at a time."""
    ended = run(LIVE, {"count": count, "page": page, "steps": [*READ, *steps]})
    assert len(set(ended["order"])) == len(ended["order"])
    if ended["complete"]:
        assert sorted(ended["order"]) == ended["wanted"]
        assert ended["total"] == len(ended["wanted"])
    assert set(ended["order"]) <= set(ended["wanted"])
    assert set(ended["states"]) <= {ended["state"]}, "shown as they are"
    if ended["current"] is not None:
        assert ended["current"]["state"] == ended["current"]["now"]
