"""Answers on their way, and those not sent yet: whatever the network and the server do, none is
lost without a word."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from chorus.server.transport.commands import VOTES_MAX
from chorus.server.transport.protocol import FRAME_MAX
from tests.web.conftest import Run

pytestmark = pytest.mark.browser

some = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])

waiting = st.lists(
    st.builds(
        lambda type, text: {"type": type, "body": {"text": text}},
        st.sampled_from(["vote.cast", "vote.cast", "vote.cast", "comment.add"]),
        st.sampled_from(["a", "b" * 20_000, "猫" * 20_000]),
    ),
    max_size=150,
)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=waiting)
def test_votes_that_wait_are_bundled_once_and_in_their_order(
    run: Run, sent: list[dict[str, Any]]
) -> None:
    found = run("({sent}, {outbox}) => outbox.bundles(sent, () => false)", {"sent": sent})
    assert [one for bundle in found for one in bundle] == sent
    for bundle in found:
        assert len(bundle) == 1 or {one["type"] for one in bundle} == {"vote.cast"}
        assert len(bundle) <= VOTES_MAX
        assert sum(len(str(one["body"]).encode()) for one in bundle) < FRAME_MAX / 2


# Votes and steps -> what became of them. The server answers messages in any order, refuses a
# correction of what does not stand, and now and then has trouble of its own, or its answer is lost.
PLAY = """async ({votes, steps}, {outbox, socket}) => {
    const storage = window.localStorage;
    storage.clear();
    const timers = [], setTimeout = window.setTimeout;
    window.setTimeout = (fn) => timers.push(fn);
    try {
        let asked = [], seq = 0;
        const known = new Set(), standing = new Map(), out = {kept: [], refused: []};
        const line = {connected: true, request: (type, body) =>
            new Promise((resolve, reject) => asked.push({type, body, resolve, reject}))};
        const box = new outbox.Outbox(line, "u", "p", storage);
        box.addEventListener("kept", e => out.kept.push(e.detail.vote.vote_id));
        box.addEventListener("refused", e => out.refused.push(e.detail.error.message));
        const keep = (vote, trouble) => {
            if (trouble) return {error: {code: "internal", message: "trouble", retry: true}};
            if (known.has(vote.vote_id)) return {seq};
            if ((standing.get(vote.item_id) ?? null) !== (vote.supersedes ?? null))
                return {error: {code: "conflict", message: "does not stand", retry: false}};
            standing.set(vote.item_id, vote.vote_id);
            known.add(vote.vote_id);
            return {seq: ++seq};
        };
        const answer = ({type, body, resolve, reject}, how) => {
            const votes = type === "votes.cast" ? body.votes : [body];
            const replies = votes.map((vote, n) => keep(vote, how === "trouble" && n === 0));
            if (type === "votes.cast") resolve({votes: replies});
            else if (replies[0].error) reject(new line.Failure(replies[0].error));
            else resolve(replies[0]);
        };
        line.Failure = (await import("/api.js")).ApiFailure;
        const settle = async () => { for (let n = 0; n < 20; n++) await null; };
        let next = 0;
        for (const [what, which, how] of steps) {
            if (what === "put") box.put(votes.slice(next, next += which));
            else if (what === "answer" && asked.length)
                answer(asked.splice(which % asked.length, 1)[0], how);
            else if (what === "later") timers.splice(0).forEach(fn => fn());
            else if (what === "lost") {
                const lost = asked.splice(0);
                const unheard = {resolve() {}, reject() {}};
                for (const one of lost.slice(which)) answer({...one, ...unheard}, "");
                for (const {reject} of lost) reject(new socket.ConnectionLost());
                await settle();
                box.flush();
            }
            await settle();
        }
        box.put(votes.slice(next));
        while (asked.length || timers.length) {
            timers.splice(0).forEach(fn => fn());
            while (asked.length) answer(asked.pop(), "");
            await settle();
        }
        return {...out, size: box.size, stored: storage.length};
    } finally {
        window.setTimeout = setTimeout;
    }
}"""

steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(1, 4), st.none()),
        st.tuples(st.just("answer"), st.integers(0, 9), st.sampled_from(["", "trouble"])),
        st.tuples(st.just("later"), st.none(), st.none()),
        st.tuples(st.just("lost"), st.integers(0, 2), st.none()),
    ).map(list),
    max_size=30,
)


@some
@given(
    items=st.lists(st.tuples(st.integers(1, 2), st.sampled_from([1, 1, 1, 70_000])), max_size=12),
    steps=steps,
)
@example(items=[(1, 1), (1, 1)], steps=[["put", 2, None], ["answer", 0, "trouble"]])
def test_votes_and_their_corrections_are_kept_in_whatever_order_they_are_answered(
    run: Run, items: list[tuple[int, int]], steps: list[Any]
) -> None:
    votes: list[dict[str, Any]] = []
    latest: dict[int, str] = {}
    for n, (item_id, size) in enumerate(items):
        vote = {"project_id": "p", "vote_id": f"v{n}", "item_id": item_id, "value": "x" * size}
        if item_id in latest:
            vote["supersedes"] = latest[item_id]
        latest[item_id] = f"v{n}"
        votes.append(vote)
    out = run(PLAY, {"votes": votes, "steps": steps})
    assert out["refused"] == []
    assert sorted(out["kept"]) == sorted(vote["vote_id"] for vote in votes)
    assert (out["size"], out["stored"]) == (0, 0)


# A page whose network is a list of what was sent.
CONNECTED = """
    window.localStorage.clear();
    window.sessionStorage.clear();
    const sent = [];
    const Real = window.WebSocket;
    window.WebSocket = class extends EventTarget {
        send(text) { sent.push(JSON.parse(text)); }
        close() {}
    };
    const line = new socket.Socket("ws://nowhere");
    line.connect();
    window.WebSocket = Real;
    const receive = (frame) => line._ws.dispatchEvent(
        new MessageEvent("message", {data: JSON.stringify(frame)}));
    const settle = async () => { for (let n = 0; n < 20; n++) await null; };
"""


def test_what_no_message_holds_is_refused_with_words_and_not_sent_again_and_again(
    run: Run,
) -> None:
    out = run(
        "async ({size}, {outbox, socket}) => {"
        + CONNECTED
        + """
            const said = [];
            const vote = (vote_id, value) => ({project_id: "p", vote_id, item_id: 1, value});
            const large = "猫".repeat(size / 3);
            // One that an earlier version of the page has left there.
            const old = JSON.stringify({at: 1, body: vote("old", large)});
            localStorage.setItem("chorus.vote.u.p.old", old);
            const box = new outbox.Outbox(line, "u", "p");
            box.addEventListener("refused", ({detail: {vote, error}}) =>
                said.push(vote.vote_id, error.code));
            const put = [box.put([vote("a", large)]), box.put([vote("b", "small")])];
            receive({type: "welcome", body: {now: 1}});
            box.flush();
            await settle();
            const asked = await line.request("review.decide", {value: large}).catch(e => e.code);
            return {put, said, asked, sent: sent.map(f => [f.id, f.body.vote_id]),
                    stored: Object.keys(localStorage)};
        }""",
        {"size": FRAME_MAX},
    )
    assert out["put"] == [False, True]
    assert out["said"] == ["a", "too_large", "old", "too_large"]
    assert out["asked"] == "too_large"
    assert [vote for _, vote in out["sent"]] == ["b"]
    assert out["stored"] == ["chorus.vote.u.p.b"]


def test_the_server_takes_as_large_a_message_as_the_page_sends(run: Run) -> None:
    js = "async () => (await import('/frames.js')).FRAME_MOST"
    assert run(js) == FRAME_MAX


# A labeler at a page of one picture, which shapes are drawn on.
LABELER = (
    CONNECTED
    + """
    const page = (id) => ({page_id: id, kind: "manual", size: 1, items: [
        {item_id: 10 * id, lease_id: id, width: 9, height: 9,
         prelabel: null, odd: null, vote: null}]});
    const project = {project_id: "p", task_type: "polygons", classes: [{name: "a"}],
                     state: "running", page_size: 1};
    const shape = (points) => ({id: 1, cls: "a", box: null, points, score: null, by: "person"});
    const began = () => {
        const said = [];
        const box = new outbox.Outbox(line, "u", "p");
        const here = new session.Session(line, box, {user_id: "u"}, project);
        here.addEventListener("note", e => said.push(e.detail.text));
        return {here, box, said};
    };
    const asked = (type) => sent.findLast(f => f.type === type).id;
    const reply = (type, body) => receive({re: asked(type), ok: true, body});
    const opened = () => reply("labeling.open", {project, me: {}, page_size: 1});
    const push = (id) => receive({sub: asked("labeling.open"), type: "page", body: page(id)});
    const draw = (here, id, shapes) => here.act({type: "draw", item_id: 10 * id, shapes});
    const drafted = () => sessionStorage.getItem("chorus.answers.u.p") ?? '{"pages": {}}';
    const kept = () => Object.keys(JSON.parse(drafted()).pages).map(Number);
"""
)


def test_a_drawing_that_cannot_be_sent_stays_on_the_page(run: Run) -> None:
    out = run(
        "async ({size}, {outbox, session, socket}) => {"
        + LABELER
        + """
            const {here, said} = began();
            receive({type: "welcome", body: {now: 1}});
            opened();
            push(1);
            draw(here, 1, [shape(Array.from({length: size / 4}, (_, n) => [n, n]))]);
            here.submit();
            const first = {shapes: here.current?.answers[10].shapes.length ?? 0,
                           recent: here.recent.length, said: said.splice(0)};
            draw(here, 1, [shape([[0, 0], [9, 0], [9, 9]])]);
            here.submit();
            await settle();
            return {first, said, left: here.current === null, recent: here.recent.length,
                    votes: sent.filter(f => f.type === "vote.cast").length};
        }""",
        {"size": FRAME_MAX},
    )
    first = out.pop("first")
    assert (first["shapes"], first["recent"]) == (1, 0)
    assert "too large" in first["said"][0]
    assert out == {"said": [], "left": True, "recent": 1, "votes": 1}


@pytest.mark.parametrize("trouble", ["lost", "retry"])
def test_what_was_answered_before_a_reload_waits_until_the_pages_are_there(
    run: Run, trouble: str
) -> None:
    """The first opening fails; then pages come one by one, and one of them no more."""
    out = run(
        "async ({trouble}, {outbox, session, socket, drafts}) => {"
        + LABELER
        + """
            const before = new drafts.Drafts("u", "p");
            before.keep([1, 2, 3].map(id => {
                const shapes = [shape([[id, 0]])];
                const answers = {[10 * id]: {kind: "label", classes: ["a"], by: "person", shapes}};
                return {page_id: id, answers, focus: 0, came: 1};
            }), null, true);
            const timers = [], setTimeout = window.setTimeout;
            window.setTimeout = (fn) => timers.push(fn);
            const {here} = began();
            const steps = [];
            try {
                receive({type: "welcome", body: {now: 1}});
                if (trouble === "lost") {
                    line.dispatchEvent(new Event("lost"));
                    line.dispatchEvent(new Event("open"));
                } else {
                    const error = {code: "internal", message: "trouble", retry: true};
                    receive({re: asked("labeling.open"), ok: false, error});
                    await settle();
                    timers.splice(0).forEach(fn => fn());
                }
                steps.push(kept());
                opened();
                await settle();
                push(1);
                steps.push(kept());
                push(2);
                reply("labeling.credit", {credit: 0});
                await settle();
                reply("labeling.history", {votes: []});
                await settle();
                steps.push(kept());
            } finally {
                window.setTimeout = setTimeout;
            }
            const drawn = (p) => p.answers[10 * p.page_id]?.shapes[0].points;
            return {steps, answers: here.queue.map(drawn)};
        }""",
        {"trouble": trouble},
    )
    assert out["steps"] == [[1, 2, 3], [1, 2, 3], [1, 2]]
    assert out["answers"] == [[[1, 0]], [[2, 0]]]
