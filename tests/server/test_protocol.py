"""The websocket protocol without I/O."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chorus.client import ApiError as ClientError
from chorus.client import packing
from chorus.server.domain.classes import NAME_MAX
from chorus.server.domain.model import Event
from chorus.server.domain.shapes import POINTS_IN_ALL_MAX, SHAPES_MAX
from chorus.server.errors import ApiError
from chorus.server.transport.commands import COMMANDS
from chorus.server.transport.hub import OUTBOX_MAX, SUBS_MAX, Hub, Outbox
from chorus.server.transport.protocol import (
    FRAME_MAX,
    BadFrame,
    Connection,
    Frame,
    decode_body,
    push_frame,
    shared_tail,
    with_sub,
)

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)  # neither is JSON
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(st.text() | st.binary())
def test_any_garbage_is_answered_and_never_raises(frame: str | bytes) -> None:
    try:
        Connection().receive(frame)
    except BadFrame as bad:
        answer = json.loads(b"".join(bad.frame))
        assert answer["ok"] is False
        assert answer["error"]["code"] in ("bad_message", "too_large")


@given(st.sampled_from(sorted(COMMANDS)), JSON)
def test_any_body_is_taken_or_refused_as_bad_message(name: str, body: object) -> None:
    command = Connection().receive(json.dumps({"id": 1, "type": name, "body": body}))
    try:
        decode_body(command.body, COMMANDS[name].schema)
    except ApiError as error:
        assert error.code == "bad_message"


@given(st.lists(st.integers(-3, 12), min_size=1))
def test_ids_rise(ids: list[int]) -> None:
    connection = Connection()
    last = 0
    for id in ids:
        frame = json.dumps({"id": id, "type": "ping"})
        if id > last:
            assert connection.receive(frame).id == id
            last = id
        else:
            with pytest.raises(BadFrame):
                connection.receive(frame)


def test_a_frame_too_large_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(BadFrame) as caught:
        Connection().receive(" " * (FRAME_MAX + 1))
    assert json.loads(b"".join(caught.value.frame))["error"]["code"] == "too_large"


@settings(max_examples=12)
@given(st.integers(1, 10**17), st.sampled_from(["", "猫"]), st.booleans(), st.booleans())
def test_who_sends_too_large_a_frame_is_answered(
    id: int, text: str, binary: bool, begins: bool
) -> None:
    """By its id, where it begins with it."""
    fields = {"id": id, "type": "ping", "body": {"text": text + "x" * FRAME_MAX, "id": 5}}
    frame = json.dumps(fields if begins else dict(reversed(fields.items())), ensure_ascii=False)
    connection = Connection()
    with pytest.raises(BadFrame) as caught:
        connection.receive(frame.encode() if binary else frame)
    answer = json.loads(b"".join(caught.value.frame))
    assert (answer["re"], answer["error"]["code"]) == (id if begins else None, "too_large")
    assert connection.receive(json.dumps({"id": id + 1, "type": "ping"})).id == id + 1


def test_the_largest_answer_that_the_rules_allow_fits_a_frame() -> None:
    """Nothing rounded, each shape of a class with the longest name of one level."""
    corner = [1.2345678901234567e-05, 99999.123456789012]
    corners = [corner] * (POINTS_IN_ALL_MAX // SHAPES_MAX)
    polygons = [{"class": "𝒜" * NAME_MAX, "points": corners}] * SHAPES_MAX
    boxes = [{"class": "𝒜" * NAME_MAX, "box": [*corner, *corner]}] * SHAPES_MAX
    for value in ({"polygons": polygons}, {"boxes": boxes}):
        vote = {"project_id": "p" * 36, "vote_id": "v" * 64, "item_id": 1 << 62, "value": value}
        frame = msgspec.json.encode({"id": 1 << 53, "type": "vote.cast", "body": vote})
        assert len(frame) < 0.95 * FRAME_MAX


def test_the_client_sends_as_large_a_message_as_the_server_takes() -> None:
    around = len(packing.encoded(1, "ping", {"text": ""}))
    largest = packing.encoded(1, "ping", {"text": "x" * (FRAME_MAX - around)})
    assert Connection().receive(largest).id == 1
    with pytest.raises(ClientError, match="too_large"):
        packing.encoded(1, "ping", {"text": "x" * (FRAME_MAX - around + 1)})


def test_a_wrong_field_is_named() -> None:
    body = msgspec.Raw(b'{"project_id":"p","vote_id":"v","item_id":"seven","kind":"label"}')
    with pytest.raises(ApiError) as caught:
        decode_body(body, COMMANDS["vote.cast"].schema)
    assert "item_id" in caught.value.message


@given(st.integers(1, 10**9), st.text(min_size=1), st.dictionaries(st.text(), JSON))
def test_a_frame_encoded_once_for_all_is_the_frame_for_one(
    sub: int, type: str, body: dict[str, object]
) -> None:
    shared = b"".join(with_sub(sub, shared_tail(type, body)))
    assert json.loads(shared) == json.loads(b"".join(push_frame(sub, type, body)))


async def _drained(outbox: Outbox) -> list[bytes]:
    sent: list[bytes] = []

    async def send(frames: list[Frame]) -> None:
        sent.extend(map(b"".join, frames))

    outbox.close("restart")
    await outbox.drain(send)
    return sent


async def test_only_the_latest_stats_are_sent_to_a_slow_reader() -> None:
    outbox = Outbox()
    outbox.put((b"a",))
    for n in range(100):
        outbox.put_latest("stats1", (b"stats %d" % n,))
    outbox.put((b"b",))
    assert (await _drained(outbox))[:-1] == [b"a", b"stats 99", b"b"]


async def test_a_reader_too_far_behind_is_closed_with_a_reason() -> None:
    outbox = Outbox()
    frame = b"x" * (1 << 20)
    for _ in range(OUTBOX_MAX // len(frame) + 1):
        outbox.put((frame,))
    assert outbox.closing == "slow"
    sent = await _drained(outbox)
    assert [json.loads(f)["body"]["reason"] for f in sent] == ["slow"]


async def test_a_subscription_that_ends_leaves_all_others() -> None:
    async def figures(project_id: str) -> dict[str, Any]:
        return {}

    async def events_since(project_id: str, since: int, limit: int) -> tuple[list[Event], int, str]:
        return [], 0, "epoch"

    hub = Hub(figures, lambda event: {}, events_since, dict, figures)
    ann, ben, eve = Outbox(), Outbox(), Outbox()
    for outbox in (ann, ben, eve):
        hub.watch_comments("p", outbox, 1, "boss", "supervisor")
        hub.watch_comments("q", outbox, 2, "boss", "supervisor")
        follower, *_ = await hub.watch_events("p", outbox, 3, 0, None)
        await hub.replay("p", follower)
    hub.leave(ann)
    hub.unsubscribe(ben, 3)
    hub.unsubscribe(ben, 17)  # there is none
    hub.on_events([Event(p, 1, "comment.added", {"labeler_id": "u"}, 0) for p in ("p", "q")])
    got = [[json.loads(f).get("sub") for f in await _drained(o)][:-1] for o in (ann, ben, eve)]
    assert got == [[], [1, 2], [1, 3, 2]]
    # What has ended counts no longer.
    for sub in range(10, 10 + SUBS_MAX):
        hub.watch_feed("p", ann, sub)
    with pytest.raises(ApiError, match="at most 20 subscriptions of one socket to one project"):
        hub.watch_comments("p", ann, 100, "boss", "supervisor")
    hub.watch_comments("q", ann, 101, "boss", "supervisor")
