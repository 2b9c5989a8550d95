"""Pictures that do not come: asked for again, more and more seldom, while they are wanted."""

from __future__ import annotations

import pytest

from tests.web.conftest import Run

pytestmark = pytest.mark.browser

TIMERS = """
    const real = window.setTimeout, timers = [];
    window.setTimeout = (fn, ms) => timers.push({fn, ms});
    const dot = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==";
    const next = (image, event) => new Promise(done => image.addEventListener(event, done, {once: true}));
"""  # noqa: E501


def test_a_picture_is_asked_for_again_after_growing_pauses(run: Run) -> None:
    found = run(
        "async (_, {content}) => {"
        + TIMERS
        + """
            const image = new Image();
            let wanted = true;
            const asked = [];
            content.keepAsking(image, () => wanted);
            const fails = async (act) => {
                const failed = next(image, "error");
                act();
                await failed;
                asked.push(timers.at(-1).ms);
            };
            try {
                await fails(() => (image.src = "/one.png"));
                for (let n = 0; n < 6; n++) await fails(() => timers.at(-1).fn());
                await fails(() => dispatchEvent(new Event("online")));
                await fails(() => (image.src = "/two.png"));
                const came = next(image, "load");
                image.src = dot;
                await came;
                await fails(() => (image.src = "/two.png"));
                // Nobody wants it any more.
                let src = 0;
                wanted = false;
                const get = () => `${location.origin}/two.png`;
                Object.defineProperty(image, "src", {get, set: () => src++});
                timers.at(-1).fn();
                dispatchEvent(new Event("online"));
                return {asked, src};
            } finally {
                window.setTimeout = real;
            }
        }"""
    )
    growing = [3_000, 6_000, 12_000, 24_000, 48_000, 60_000, 60_000, 60_000]
    assert found == {"asked": [*growing, 3_000, 3_000], "src": 0}


def test_what_could_not_be_fetched_ahead_is_fetched_again_later_and_the_rest_once(run: Run) -> None:
    found = run(
        "async (_, {preload}) => {"
        + TIMERS
        + """
            const made = [], Real = window.Image;
            window.Image = class extends Real {
                constructor() { super(); made.push(this); }
            };
            const ahead = new preload.Preload();
            const keep = (...urls) => ahead.keep(urls, url => url);
            const settled = async () => {
                for (const image of made) await image.decode().catch(() => {});
                await new Promise(done => real.call(window, done, 0));
            };
            const counts = [];
            const count = () => counts.push(made.length);
            try {
                keep(dot, "/one.png");
                await settled();
                keep(dot, "/one.png");
                count();  // it has just failed
                timers.shift().fn();
                keep(dot, "/one.png");
                count();  // once more
                await settled();
                // Not wanted, and wanted again, before its time is up: that is of the old one.
                keep(dot);
                keep(dot, "/one.png");
                count();
                timers.shift().fn();
                keep(dot, "/one.png");
                count();
                await settled();  // or it fails in the next test
                return counts;
            } finally {
                window.setTimeout = real;
                window.Image = Real;
            }
        }"""
    )
    assert found == [2, 3, 4, 4]


def test_a_text_is_asked_for_again_as_a_picture_is_and_shown_once_it_comes(run: Run) -> None:
    found = run(
        "async (_, {content}) => {"
        + TIMERS
        + """
            const fetched = window.fetch;
            let here = false, asked = 0;
            window.fetch = async () => {
                asked++;
                if (!here) throw new TypeError("no connection");
                return new Response(JSON.stringify({fields: [["", "Hello"]]}),
                    {headers: {"content-type": "application/json"}});
            };
            const settled = () => new Promise(done => real.call(window, done, 0));
            const waits = [];
            const asks = async (act) => {
                act();
                await settled();
                waits.push([node.dataset.state, timers.at(-1).ms]);
            };
            const node = content.reading("/text/one");
            document.body.append(node);
            try {
                await asks(() => {});
                await asks(() => timers.at(-1).fn());
                await asks(() => dispatchEvent(new Event("online")));
                here = true;
                timers.at(-1).fn();
                await settled();
                dispatchEvent(new Event("online"));
                await settled();
                return {waits, asked, state: node.dataset.state, text: node.textContent};
            } finally {
                node.remove();
                window.fetch = fetched;
                window.setTimeout = real;
            }
        }"""
    )
    waits = [["missing", 3_000], ["missing", 6_000], ["missing", 12_000]]
    assert found == {"waits": waits, "asked": 4, "state": "", "text": "Hello"}
